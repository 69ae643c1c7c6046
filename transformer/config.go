package transformer

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/muppet-go/muppet/internal/file"
)

// Config describes a RoBERTa or BERT encoder, or BART, and its head, with the field names of Hugging
// Face's config.json. BART's has names of its own there (d_model, encoder_layers and so on), which
// MarshalJSON and UnmarshalJSON know.
type Config struct {
	Architectures         []string `json:"architectures,omitempty"`
	ModelType             string   `json:"model_type"`
	VocabSize             int      `json:"vocab_size"`
	HiddenSize            int      `json:"hidden_size"`
	NumHiddenLayers       int      `json:"num_hidden_layers"`
	NumAttentionHeads     int      `json:"num_attention_heads"`
	IntermediateSize      int      `json:"intermediate_size"`
	HiddenAct             string   `json:"hidden_act"`
	HiddenDropout         float64  `json:"hidden_dropout_prob"`
	AttentionDropout      float64  `json:"attention_probs_dropout_prob"`
	MaxPositionEmbeddings int      `json:"max_position_embeddings"` // in RoBERTa 2 more than the longest sequence
	TypeVocabSize         int      `json:"type_vocab_size"`
	InitializerRange      float64  `json:"initializer_range"`
	LayerNormEps          float64  `json:"layer_norm_eps"`
	PadTokenID            int      `json:"pad_token_id"`
	BOSTokenID            int      `json:"bos_token_id"`
	EOSTokenID            int      `json:"eos_token_id"`

	ClassifierDropout *float64          `json:"classifier_dropout,omitempty"` // nil: as hidden
	ID2Label          map[string]string `json:"id2label,omitempty"`           // "0" to "n-1"
	Label2ID          map[string]int    `json:"label2id,omitempty"`
	ProblemType       string            `json:"problem_type,omitempty"`

	// BART alone has these: its decoder's sizes beside its encoder's above, and more.
	DecoderLayers         int     `json:"-"`
	DecoderAttentionHeads int     `json:"-"`
	DecoderFFNDim         int     `json:"-"`
	ActivationDropout     float64 `json:"-"` // of what is between the two layers of the network
	ScaleEmbedding        bool    `json:"-"` // word embeddings are multiplied by √hidden_size
	DecoderStartTokenID   int     `json:"-"` // what the decoder reads first
}

// NewConfig returns RoBERTa's settings for an encoder of the given size: heads of about
// 64 (of 32, if hidden is below 256) as hidden divides, an intermediate size of 4·hidden, dropout 0.1,
// sequences of up to 512 tokens. Weights begin as large, for the width, as RoBERTa-base's:
// with 0.02 at any width a narrow encoder learns slowly.
func NewConfig(vocab, layers, hidden int) Config {
	return Config{
		Architectures: []string{"RobertaForMaskedLM"}, ModelType: "roberta",
		VocabSize: vocab, HiddenSize: hidden, NumHiddenLayers: layers,
		NumAttentionHeads: headsFor(hidden), IntermediateSize: 4 * hidden, HiddenAct: "gelu",
		HiddenDropout: 0.1, AttentionDropout: 0.1, MaxPositionEmbeddings: 514, TypeVocabSize: 1,
		InitializerRange: 0.02 * math.Sqrt(768/float64(hidden)), LayerNormEps: 1e-5, PadTokenID: 1, BOSTokenID: 0, EOSTokenID: 2,
	}
}

// headsFor returns the number of heads that divides hidden into sizes nearest to the
// wanted one.
func headsFor(hidden int) int {
	want := 64
	if hidden < 256 {
		want = 32 // one or two heads can look at too few things at once
	}
	for off := range want / 2 {
		for _, size := range []int{want - off, want + off} {
			if hidden >= size && hidden%size == 0 {
				return hidden / size
			}
		}
	}
	return 1
}

// MaxLength returns the longest sequence that has positions.
func (c Config) MaxLength() int { return c.positionRows() - c.firstPosition() }

// firstPosition returns the row of a sequence's first position: RoBERTa's are behind
// the pad token's id, as in fairseq; BART's behind two rows, whatever that is.
func (c Config) firstPosition() int {
	switch c.ModelType {
	case "bert":
		return 0
	case "bart":
		return 2
	}
	return c.PadTokenID + 1
}

// positionRows returns the size of a table of positions; BART's configuration leaves out the
// rows before the first.
func (c Config) positionRows() int {
	if c.ModelType == "bart" {
		return c.MaxPositionEmbeddings + c.firstPosition()
	}
	return c.MaxPositionEmbeddings
}

// Labels returns the names of the classes in the order of a head's outputs; without
// id2label there are two, of BART three, as in Hugging Face's configurations.
func (c Config) Labels() []string {
	if len(c.ID2Label) == 0 {
		n := 2
		if c.ModelType == "bart" {
			n = 3
		}
		return []string{"LABEL_0", "LABEL_1", "LABEL_2"}[:n]
	}
	labels := make([]string, len(c.ID2Label))
	for i := range labels {
		labels[i] = c.ID2Label[strconv.Itoa(i)]
	}
	return labels
}

// setLabels names the classes.
func (c *Config) setLabels(labels []string) {
	c.ID2Label, c.Label2ID = map[string]string{}, map[string]int{}
	for i, l := range labels {
		c.ID2Label[strconv.Itoa(i)], c.Label2ID[l] = l, i
	}
}

// classifierDropout returns the probability of the heads' dropout.
func (c Config) classifierDropout() float64 {
	if c.ClassifierDropout != nil {
		return *c.ClassifierDropout
	}
	return c.HiddenDropout
}

// Validate reports the first field that no model can be built with.
func (c Config) Validate() error {
	// A configuration from a stranger must not ask for any amount of memory, nor
	// overflow an int.
	const most, mostWide, mostLayers = 1 << 24, 1 << 16, 1 << 10
	type size struct {
		field            string
		value, low, high int
	}
	sizes := []size{
		{"hidden_size", c.HiddenSize, 1, mostWide},
		{"num_attention_heads", c.NumAttentionHeads, 1, mostWide},
		{"vocab_size", c.VocabSize, 1, most},
		{"intermediate_size", c.IntermediateSize, 1, most},
		{"max_position_embeddings", c.MaxPositionEmbeddings, 1, most},
		{"pad_token_id", c.PadTokenID, 0, c.VocabSize - 1},
	}
	switch c.ModelType {
	case "roberta", "bert":
		sizes = append(sizes, size{"num_hidden_layers", c.NumHiddenLayers, 0, mostLayers}, size{"type_vocab_size", c.TypeVocabSize, 1, most})
	case "bart":
		sizes = append(sizes,
			size{"num_hidden_layers", c.NumHiddenLayers, 1, mostLayers},
			size{"decoder_layers", c.DecoderLayers, 1, mostLayers},
			size{"decoder_attention_heads", c.DecoderAttentionHeads, 1, mostWide},
			size{"decoder_ffn_dim", c.DecoderFFNDim, 1, most},
			size{"bos_token_id", c.BOSTokenID, 0, c.VocabSize - 1},
			size{"eos_token_id", c.EOSTokenID, 0, c.VocabSize - 1},
			size{"decoder_start_token_id", c.DecoderStartTokenID, 0, c.VocabSize - 1})
	default:
		return fmt.Errorf("model_type %q: want \"roberta\", \"bert\" or \"bart\"", c.ModelType)
	}
	for _, s := range sizes {
		if s.value < s.low || s.value > s.high {
			return fmt.Errorf("%s is %d, want %d to %d", c.field(s.field), s.value, s.low, s.high)
		}
	}
	for _, p := range []struct {
		field string
		value float64
	}{
		{"hidden_dropout_prob", c.HiddenDropout}, {"attention_probs_dropout_prob", c.AttentionDropout},
		{"activation_dropout", c.ActivationDropout}, {"classifier_dropout", c.classifierDropout()},
	} {
		if !(p.value >= 0 && p.value < 1) {
			return fmt.Errorf("%s is %g", c.field(p.field), p.value)
		}
	}
	switch {
	case biasActivations[c.HiddenAct] == nil:
		return fmt.Errorf("%s %q: want one of %s", c.field("hidden_act"), c.HiddenAct, strings.Join(slices.Sorted(maps.Keys(biasActivations)), ", "))
	case c.HiddenSize%c.NumAttentionHeads != 0:
		return fmt.Errorf("%s %d does not divide into %s %d", c.field("hidden_size"), c.HiddenSize, c.field("num_attention_heads"), c.NumAttentionHeads)
	case c.ModelType == "bart" && c.HiddenSize%c.DecoderAttentionHeads != 0:
		return fmt.Errorf("d_model %d does not divide into decoder_attention_heads %d", c.HiddenSize, c.DecoderAttentionHeads)
	case c.MaxLength() < 1:
		return fmt.Errorf("max_position_embeddings %d leaves no position behind pad_token_id %d", c.MaxPositionEmbeddings, c.PadTokenID)
	case !(c.InitializerRange >= 0):
		return fmt.Errorf("%s is %g", c.field("initializer_range"), c.InitializerRange)
	case !(c.LayerNormEps >= 0):
		return fmt.Errorf("layer_norm_eps is %g", c.LayerNormEps)
	}
	for i := range len(c.ID2Label) {
		if _, ok := c.ID2Label[strconv.Itoa(i)]; !ok {
			return fmt.Errorf("id2label has %d classes but no class %d", len(c.ID2Label), i)
		}
	}
	return nil
}

// maxConfig is far more than any configuration has, in bytes.
const maxConfig = 1 << 20

// LoadConfig reads config.json from a folder. Fields that a model does not need are
// left aside; it is an error if one asks for another computation than is here.
func LoadConfig(dir string) (Config, error) {
	path := filepath.Join(dir, "config.json")
	data, err := file.Read(path, maxConfig)
	if err != nil {
		return Config{}, fmt.Errorf("transformer: %w", err)
	}
	return parseConfig(path, data)
}

func parseConfig(path string, data []byte) (Config, error) {
	var c Config
	if err := json.Unmarshal(data, &c); err != nil {
		return Config{}, fmt.Errorf("transformer: %s: %w", path, err)
	}
	var other struct {
		IsDecoder             bool   `json:"is_decoder"`
		PositionEmbeddingType string `json:"position_embedding_type"`
		bartOthers
	}
	if err := json.Unmarshal(data, &other); err != nil {
		return Config{}, fmt.Errorf("transformer: %s: %w", path, err)
	}
	err := c.Validate()
	switch {
	case err != nil:
	case other.IsDecoder:
		err = errors.New("is_decoder is true: only encoders, and encoders with decoders, are supported")
	case other.PositionEmbeddingType != "" && other.PositionEmbeddingType != "absolute":
		err = fmt.Errorf("position_embedding_type %q: only \"absolute\" is supported", other.PositionEmbeddingType)
	case c.ModelType == "bart":
		err = other.bartOthers.check()
	}
	if err != nil {
		return Config{}, fmt.Errorf("transformer: %s: %w", path, err)
	}
	return c, nil
}
