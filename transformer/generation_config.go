package transformer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"

	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/internal/file"
)

// GenerationConfig says how Generate writes, with the field names and meanings of Hugging Face's
// generation_config.json. Begin with a model's Generation and change fields of that.
type GenerationConfig struct {
	MaxLength int `json:"max_length"` // of a sequence, decoder_start_token_id and eos_token_id among it
	MinLength int `json:"min_length"` // no eos_token_id before

	NumBeams          int           `json:"num_beams"`      // 1: no beam search
	LengthPenalty     float64       `json:"length_penalty"` // beams are ranked by log-probability / length^penalty
	EarlyStopping     EarlyStopping `json:"early_stopping"`
	NoRepeatNGramSize int           `json:"no_repeat_ngram_size"` // no run of so many tokens twice; 0: any

	ForcedBOSTokenID *int `json:"forced_bos_token_id,omitempty"` // the first token written, if not nil
	ForcedEOSTokenID *int `json:"forced_eos_token_id,omitempty"` // the last token at MaxLength, if not nil

	DoSample    bool       `json:"do_sample"`   // draw tokens, for which NumBeams is 1, instead of taking the best
	Temperature float64    `json:"temperature"` // divides the scores
	TopK        int        `json:"top_k"`       // draw among the k best; 0: all
	TopP        float64    `json:"top_p"`       // draw among the fewest whose probabilities reach p; 1: all
	Key         device.Key `json:"-"`           // decides what is drawn
}

// EarlyStopping says when beam search is done with a sequence of which it has found as many endings
// as beams.
type EarlyStopping string

// Hugging Face's values of early_stopping.
const (
	EarlyStoppingFalse EarlyStopping = "false" // when the best beam would not be among them if it ended now
	EarlyStoppingTrue  EarlyStopping = "true"  // at once
	EarlyStoppingNever EarlyStopping = "never" // when the best beam could not be among them if it went on
)

// MarshalJSON writes false, true or "never".
func (e EarlyStopping) MarshalJSON() ([]byte, error) {
	if e == EarlyStoppingNever {
		return json.Marshal(string(e))
	}
	return []byte(e), nil
}

// UnmarshalJSON is the reverse of MarshalJSON; null changes nothing.
func (e *EarlyStopping) UnmarshalJSON(data []byte) error {
	switch s := string(data); s {
	case "null":
	case "true", "false":
		*e = EarlyStopping(s)
	case `"never"`:
		*e = EarlyStoppingNever
	default:
		return fmt.Errorf("early_stopping is %.20s, want true, false or \"never\"", s)
	}
	return nil
}

// NewGenerationConfig returns Hugging Face's settings where a checkpoint has none: the best token
// each time, up to 20, the last of them eos_token_id.
func NewGenerationConfig(c Config) GenerationConfig {
	eos := c.EOSTokenID
	return GenerationConfig{
		MaxLength: min(20, c.MaxLength()), NumBeams: 1, LengthPenalty: 1, EarlyStopping: EarlyStoppingFalse, ForcedEOSTokenID: &eos,
		Temperature: 1, TopK: 50, TopP: 1,
	}
}

// Validate reports the first field that a model of the configuration c cannot generate with.
func (g GenerationConfig) Validate(c Config) error {
	const most = 1 << 10 // beams
	for _, s := range []struct {
		field            string
		value, low, high int
	}{
		{"max_length", g.MaxLength, 2, c.MaxLength()},
		{"min_length", g.MinLength, 0, math.MaxInt32},
		{"num_beams", g.NumBeams, 1, most},
		{"no_repeat_ngram_size", g.NoRepeatNGramSize, 0, math.MaxInt32},
		{"forced_bos_token_id", or(g.ForcedBOSTokenID, 0), 0, c.VocabSize - 1},
		{"forced_eos_token_id", or(g.ForcedEOSTokenID, 0), 0, c.VocabSize - 1},
		{"top_k", g.TopK, 0, math.MaxInt32},
	} {
		if s.value < s.low || s.value > s.high {
			return fmt.Errorf("%s is %d, want %d to %d", s.field, s.value, s.low, s.high)
		}
	}
	switch {
	case math.IsNaN(g.LengthPenalty) || math.IsInf(g.LengthPenalty, 0):
		return fmt.Errorf("length_penalty is %g", g.LengthPenalty)
	case !(g.Temperature > 0) || math.IsInf(g.Temperature, 0):
		return fmt.Errorf("temperature is %g, want more than 0", g.Temperature)
	case !(g.TopP > 0 && g.TopP <= 1):
		return fmt.Errorf("top_p is %g, want more than 0, up to 1", g.TopP)
	case g.DoSample && g.NumBeams > 1:
		return fmt.Errorf("do_sample is true with num_beams %d: only one beam can be drawn", g.NumBeams)
	case g.EarlyStopping != EarlyStoppingFalse && g.EarlyStopping != EarlyStoppingTrue && g.EarlyStopping != EarlyStoppingNever:
		return fmt.Errorf("early_stopping is %q, want \"true\", \"false\" or \"never\"", string(g.EarlyStopping))
	}
	return nil
}

func or(v *int, other int) int {
	if v == nil {
		return other
	}
	return *v
}

// generationFile is where newer releases of Hugging Face keep what older ones had among a
// model's settings.
const generationFile = "generation_config.json"

// generationSettings are what is in the file: Hugging Face reads the special tokens
// from it too.
type generationSettings struct {
	GenerationConfig
	BOSTokenID          int `json:"bos_token_id"`
	EOSTokenID          int `json:"eos_token_id"`
	PadTokenID          int `json:"pad_token_id"`
	DecoderStartTokenID int `json:"decoder_start_token_id"`
}

func (g GenerationConfig) file(c Config) generationSettings {
	return generationSettings{g, c.BOSTokenID, c.EOSTokenID, c.PadTokenID, c.DecoderStartTokenID}
}

// loadGeneration reads generation_config.json, or without one the settings in config.json.
// Other tokens in the former than in the latter are an error: there is but one place for them here.
func loadGeneration(dir string, c Config) (GenerationConfig, error) {
	path := filepath.Join(dir, generationFile)
	data, err := file.Read(path, maxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		path = filepath.Join(dir, "config.json")
		data, err = file.Read(path, maxConfig)
	}
	if err != nil {
		return GenerationConfig{}, fmt.Errorf("transformer: %w", err)
	}
	return parseGeneration(path, data, c)
}

func parseGeneration(path string, data []byte, c Config) (GenerationConfig, error) {
	settings := NewGenerationConfig(c).file(c)
	if filepath.Base(path) == generationFile {
		settings.ForcedEOSTokenID = nil // a file without it means none
	}
	err := json.Unmarshal(data, &settings)
	if err == nil {
		err = settings.Validate(c)
	}
	for _, s := range []struct {
		field        string
		here, config int
	}{
		{"eos_token_id", settings.EOSTokenID, c.EOSTokenID},
		{"decoder_start_token_id", settings.DecoderStartTokenID, c.DecoderStartTokenID},
	} {
		if err == nil && s.here != s.config {
			err = fmt.Errorf("%s is %d, in config.json %d", s.field, s.here, s.config)
		}
	}
	if err != nil {
		return GenerationConfig{}, fmt.Errorf("transformer: %s: %w", path, err)
	}
	return settings.GenerationConfig, nil
}
