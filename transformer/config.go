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

// Config describes a RoBERTa or BERT encoder and its head, with the field names of Hugging Face's
// config.json.
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
func (c Config) MaxLength() int { return c.MaxPositionEmbeddings - c.firstPosition() }

// firstPosition returns the row of a sequence's first position: RoBERTa's are behind
// the pad token's id, as in fairseq.
func (c Config) firstPosition() int {
	if c.ModelType == "bert" {
		return 0
	}
	return c.PadTokenID + 1
}

// Labels returns the names of the classes in the order of a head's outputs; without
// id2label there are two, as in Hugging Face's configurations.
func (c Config) Labels() []string {
	if len(c.ID2Label) == 0 {
		return []string{"LABEL_0", "LABEL_1"}
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

// Validate reports the first field that no encoder can be built with.
func (c Config) Validate() error {
	// A configuration from a stranger must not ask for any amount of memory, nor
	// overflow an int.
	const most, mostLayers = 1 << 24, 1 << 10
	sizes := []struct {
		field            string
		value, low, high int
	}{
		{"hidden_size", c.HiddenSize, 1, 1 << 16},
		{"num_hidden_layers", c.NumHiddenLayers, 0, mostLayers},
		{"num_attention_heads", c.NumAttentionHeads, 1, 1 << 16},
		{"vocab_size", c.VocabSize, 1, most},
		{"intermediate_size", c.IntermediateSize, 1, most},
		{"max_position_embeddings", c.MaxPositionEmbeddings, 1, most},
		{"type_vocab_size", c.TypeVocabSize, 1, most},
		{"pad_token_id", c.PadTokenID, 0, c.VocabSize - 1},
	}
	if c.ModelType != "roberta" && c.ModelType != "bert" {
		return fmt.Errorf("model_type %q: only \"roberta\" and \"bert\" are encoders here", c.ModelType)
	}
	for _, s := range sizes {
		if s.value < s.low || s.value > s.high {
			return fmt.Errorf("%s is %d, want %d to %d", s.field, s.value, s.low, s.high)
		}
	}
	switch {
	case biasActivations[c.HiddenAct] == nil:
		return fmt.Errorf("hidden_act %q: want one of %s", c.HiddenAct, strings.Join(slices.Sorted(maps.Keys(biasActivations)), ", "))
	case c.HiddenSize%c.NumAttentionHeads != 0:
		return fmt.Errorf("hidden_size %d does not divide into num_attention_heads %d", c.HiddenSize, c.NumAttentionHeads)
	case c.MaxLength() < 1:
		return fmt.Errorf("max_position_embeddings %d leaves no position behind pad_token_id %d", c.MaxPositionEmbeddings, c.PadTokenID)
	case !(c.HiddenDropout >= 0 && c.HiddenDropout < 1):
		return fmt.Errorf("hidden_dropout_prob is %g", c.HiddenDropout)
	case !(c.AttentionDropout >= 0 && c.AttentionDropout < 1):
		return fmt.Errorf("attention_probs_dropout_prob is %g", c.AttentionDropout)
	case !(c.InitializerRange >= 0):
		return fmt.Errorf("initializer_range is %g", c.InitializerRange)
	case !(c.LayerNormEps >= 0):
		return fmt.Errorf("layer_norm_eps is %g", c.LayerNormEps)
	case !(c.classifierDropout() >= 0 && c.classifierDropout() < 1):
		return fmt.Errorf("classifier_dropout is %g", c.classifierDropout())
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

// LoadConfig reads config.json from a folder. Fields that an encoder does not need are
// left aside; it is an error if one asks for another computation than an encoder's.
func LoadConfig(dir string) (Config, error) {
	path := filepath.Join(dir, "config.json")
	data, err := file.Read(path, maxConfig)
	if err != nil {
		return Config{}, fmt.Errorf("transformer: %w", err)
	}
	var kind struct {
		ModelType string `json:"model_type"`
	}
	if err := json.Unmarshal(data, &kind); err != nil {
		return Config{}, fmt.Errorf("transformer: %s: %w", path, err)
	}
	c := Config{HiddenAct: "gelu", TypeVocabSize: 1, InitializerRange: 0.02, LayerNormEps: 1e-5, PadTokenID: 1, EOSTokenID: 2}
	if kind.ModelType == "bert" {
		c.TypeVocabSize, c.LayerNormEps, c.PadTokenID, c.EOSTokenID = 2, 1e-12, 0, 0
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return Config{}, fmt.Errorf("transformer: %s: %w", path, err)
	}
	var other struct {
		IsDecoder             bool   `json:"is_decoder"`
		PositionEmbeddingType string `json:"position_embedding_type"`
	}
	if err := json.Unmarshal(data, &other); err != nil {
		return Config{}, fmt.Errorf("transformer: %s: %w", path, err)
	}
	err = c.Validate()
	switch {
	case err != nil:
	case other.IsDecoder:
		err = errors.New("is_decoder is true: only encoders are supported")
	case other.PositionEmbeddingType != "" && other.PositionEmbeddingType != "absolute":
		err = fmt.Errorf("position_embedding_type %q: only \"absolute\" is supported", other.PositionEmbeddingType)
	}
	if err != nil {
		return Config{}, fmt.Errorf("transformer: %s: %w", path, err)
	}
	return c, nil
}
