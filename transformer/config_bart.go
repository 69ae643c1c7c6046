package transformer

import (
	"encoding/json"
	"errors"
	"fmt"
)

// bartConfig is a configuration of BART under the names of Hugging Face's BartConfig. The ones
// of Config are those that its attribute_map, and the other models, know the same
// things by.
type bartConfig struct {
	Architectures         []string `json:"architectures,omitempty"`
	ModelType             string   `json:"model_type"`
	IsEncoderDecoder      bool     `json:"is_encoder_decoder"`
	VocabSize             int      `json:"vocab_size"`
	DModel                int      `json:"d_model"`
	EncoderLayers         int      `json:"encoder_layers"`
	EncoderAttentionHeads int      `json:"encoder_attention_heads"`
	EncoderFFNDim         int      `json:"encoder_ffn_dim"`
	DecoderLayers         int      `json:"decoder_layers"`
	DecoderAttentionHeads int      `json:"decoder_attention_heads"`
	DecoderFFNDim         int      `json:"decoder_ffn_dim"`
	ActivationFunction    string   `json:"activation_function"`
	Dropout               float64  `json:"dropout"`
	AttentionDropout      float64  `json:"attention_dropout"`
	ActivationDropout     float64  `json:"activation_dropout"`
	ClassifierDropout     float64  `json:"classifier_dropout"`
	MaxPositionEmbeddings int      `json:"max_position_embeddings"`
	InitStd               float64  `json:"init_std"`
	ScaleEmbedding        bool     `json:"scale_embedding"`
	PadTokenID            int      `json:"pad_token_id"`
	BOSTokenID            int      `json:"bos_token_id"`
	EOSTokenID            int      `json:"eos_token_id"`
	DecoderStartTokenID   int      `json:"decoder_start_token_id"`

	ID2Label    map[string]string `json:"id2label,omitempty"`
	Label2ID    map[string]int    `json:"label2id,omitempty"`
	ProblemType string            `json:"problem_type,omitempty"`
}

// bartNames are BART's names for fields that the other models have too.
var bartNames = map[string]string{
	"hidden_size": "d_model", "num_hidden_layers": "encoder_layers", "num_attention_heads": "encoder_attention_heads",
	"intermediate_size": "encoder_ffn_dim", "hidden_act": "activation_function", "hidden_dropout_prob": "dropout",
	"attention_probs_dropout_prob": "attention_dropout", "initializer_range": "init_std",
}

// field returns the name that the model's config.json has for a field.
func (c Config) field(name string) string {
	if own, ok := bartNames[name]; ok && c.ModelType == "bart" {
		return own
	}
	return name
}

// NewBartConfig returns BART's settings for encoder and decoder of the given number of layers
// and size: heads as NewConfig's, intermediate sizes of 4·hidden, dropout 0.1,
// sequences of up to 1024 tokens.
func NewBartConfig(vocab, layers, hidden int) Config {
	c := NewConfig(vocab, layers, hidden)
	c.ModelType, c.Architectures = "bart", []string{"BartForConditionalGeneration"}
	c.AttentionDropout, c.ClassifierDropout, c.MaxPositionEmbeddings, c.TypeVocabSize = 0, new(float64), 1024, 0
	c.DecoderLayers, c.DecoderAttentionHeads, c.DecoderFFNDim = layers, c.NumAttentionHeads, c.IntermediateSize
	c.DecoderStartTokenID = c.EOSTokenID
	return c
}

// MarshalJSON writes the configuration with the names that Hugging Face has for its
// model_type.
func (c Config) MarshalJSON() ([]byte, error) {
	if c.ModelType != "bart" {
		type plain Config
		return json.Marshal(plain(c))
	}
	return json.Marshal(bartConfig{
		c.Architectures, c.ModelType, true, c.VocabSize, c.HiddenSize,
		c.NumHiddenLayers, c.NumAttentionHeads, c.IntermediateSize, c.DecoderLayers, c.DecoderAttentionHeads, c.DecoderFFNDim,
		c.HiddenAct, c.HiddenDropout, c.AttentionDropout, c.ActivationDropout, c.classifierDropout(),
		c.MaxPositionEmbeddings, c.InitializerRange, c.ScaleEmbedding, c.PadTokenID, c.BOSTokenID, c.EOSTokenID, c.DecoderStartTokenID,
		c.ID2Label, c.Label2ID, c.ProblemType,
	})
}

// UnmarshalJSON is the reverse of MarshalJSON. Fields that are absent have Hugging Face's
// defaults, but for sizes, which are then 0.
func (c *Config) UnmarshalJSON(data []byte) error {
	var kind struct {
		ModelType string `json:"model_type"`
	}
	if err := json.Unmarshal(data, &kind); err != nil {
		return err
	}
	if kind.ModelType != "bart" {
		type plain Config
		p := plain{HiddenAct: "gelu", TypeVocabSize: 1, InitializerRange: 0.02, LayerNormEps: 1e-5, PadTokenID: 1, EOSTokenID: 2}
		if kind.ModelType == "bert" {
			p.TypeVocabSize, p.LayerNormEps, p.PadTokenID, p.EOSTokenID = 2, 1e-12, 0, 0
		}
		err := json.Unmarshal(data, &p)
		*c = Config(p)
		return err
	}
	b := bartConfig{ActivationFunction: "gelu", Dropout: 0.1, InitStd: 0.02, PadTokenID: 1, EOSTokenID: 2, DecoderStartTokenID: 2}
	err := json.Unmarshal(data, &b)
	*c = Config{
		Architectures: b.Architectures, ModelType: b.ModelType, VocabSize: b.VocabSize, HiddenSize: b.DModel,
		NumHiddenLayers: b.EncoderLayers, NumAttentionHeads: b.EncoderAttentionHeads, IntermediateSize: b.EncoderFFNDim,
		DecoderLayers: b.DecoderLayers, DecoderAttentionHeads: b.DecoderAttentionHeads, DecoderFFNDim: b.DecoderFFNDim,
		HiddenAct: b.ActivationFunction, HiddenDropout: b.Dropout, AttentionDropout: b.AttentionDropout,
		ActivationDropout: b.ActivationDropout, ClassifierDropout: &b.ClassifierDropout,
		MaxPositionEmbeddings: b.MaxPositionEmbeddings, InitializerRange: b.InitStd, ScaleEmbedding: b.ScaleEmbedding, LayerNormEps: 1e-5,
		PadTokenID: b.PadTokenID, BOSTokenID: b.BOSTokenID, EOSTokenID: b.EOSTokenID, DecoderStartTokenID: b.DecoderStartTokenID,
		ID2Label: b.ID2Label, Label2ID: b.Label2ID, ProblemType: b.ProblemType,
	}
	return err
}

// bartOthers are fields of config.json that ask for what is not here, in BART's relatives.
type bartOthers struct {
	TieWordEmbeddings        *bool   `json:"tie_word_embeddings"`
	NormalizeBefore          bool    `json:"normalize_before"`
	AddFinalLayerNorm        bool    `json:"add_final_layer_norm"`
	NormalizeEmbedding       *bool   `json:"normalize_embedding"`
	StaticPositionEmbeddings bool    `json:"static_position_embeddings"`
	EncoderLayerdrop         float64 `json:"encoder_layerdrop"`
	DecoderLayerdrop         float64 `json:"decoder_layerdrop"`
}

func (o bartOthers) check() error {
	switch {
	case o.TieWordEmbeddings != nil && !*o.TieWordEmbeddings:
		return errors.New("tie_word_embeddings is false: only shared embeddings are supported")
	case o.NormalizeBefore || o.AddFinalLayerNorm:
		return errors.New("normalize_before or add_final_layer_norm is true: only norms behind each half of a layer are supported")
	case o.NormalizeEmbedding != nil && !*o.NormalizeEmbedding:
		return errors.New("normalize_embedding is false: only normalised embeddings are supported")
	case o.StaticPositionEmbeddings:
		return errors.New("static_position_embeddings is true: only learned positions are supported")
	case o.EncoderLayerdrop != 0 || o.DecoderLayerdrop != 0:
		return fmt.Errorf("encoder_layerdrop is %g, decoder_layerdrop %g: only 0 is supported", o.EncoderLayerdrop, o.DecoderLayerdrop)
	}
	return nil
}
