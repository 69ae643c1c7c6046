package prefinetune

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/muppet-go/muppet/transformer"
)

// pretrainIdentity is what makes a pre-training this one; see identity.
type pretrainIdentity struct {
	Config  PretrainConfig     `json:"pretrain"`
	Model   transformer.Config `json:"model"`
	Data    string             `json:"data"`    // hash of all sequences
	Weights string             `json:"weights"` // hash of the initial parameters
}

func (p *pretrainer) identity() pretrainIdentity {
	h := sha256.New()
	for _, set := range [][]*example{p.train, p.heldOut} {
		for _, e := range set {
			binary.Write(h, binary.LittleEndian, e.sequences[0].IDs) // a hash does not fail
		}
		h.Write([]byte("end of the set"))
	}
	return pretrainIdentity{p.cfg, p.model.Config, hex.EncodeToString(h.Sum(nil)[:16]), hashParameters(p.model)}
}

// compare names what differs.
func (id pretrainIdentity) compare(other pretrainIdentity) (d []string) {
	differ := func(of string, mine, its map[string]any) {
		for _, name := range slices.Sorted(maps.Keys(mine)) {
			if fmt.Sprint(mine[name]) != fmt.Sprint(its[name]) {
				d = append(d, fmt.Sprintf("%s%s is %v there, %v here", of, name, its[name], mine[name]))
			}
		}
	}
	differ("", settings(id.Config), settings(other.Config))
	differ("model ", settings(id.Model), settings(other.Model))
	if id.Data != other.Data {
		d = append(d, "the texts or the tokenizer changed")
	}
	if d == nil && id.Weights != other.Weights {
		d = append(d, "the initial weights changed")
	}
	return d
}

// open prepares the Out folder and restores the newest checkpoint.
func (p *pretrainer) open() error {
	mine := p.identity()
	var its pretrainIdentity
	p.folder = &folder{path: p.cfg.Out, keep: p.cfg.KeepLast, every: p.cfg.CheckpointEvery, steps: p.cfg.Steps, warn: p.cfg.Warn, tensorboard: p.cfg.TensorBoard, identity: mine}
	if err := p.folder.open(&its, func() []string { return mine.compare(its) }); err != nil {
		return err
	}
	err := p.restore()
	if err == nil {
		err = p.folder.board()
	}
	if err != nil {
		return errors.Join(err, p.folder.close())
	}
	return nil
}

// pretrainState is what a checkpoint keeps besides tensors.
type pretrainState struct {
	Sampler cursor   `json:"sampler"`
	Before  *float64 `json:"perplexity_before"` // nil without held-out texts
}

func (p *pretrainer) save() error {
	s := pretrainState{Sampler: p.ahead.at}
	if !math.IsNaN(p.before) {
		s.Before = &p.before
	}
	return p.folder.save(p.step, p.model, p.opt, s)
}

// restore goes back to the newest checkpoint, if there is one.
func (p *pretrainer) restore() error {
	var s pretrainState
	step, found, err := p.folder.restore(p.model, p.opt, func(data []byte) error {
		s = pretrainState{}
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		if !p.sampler.seekable(s.Sampler) {
			return fmt.Errorf("sampler at %+v", s.Sampler)
		}
		return nil
	})
	if found {
		p.step = step
		if s.Before != nil {
			p.before = *s.Before
		}
		p.ahead.seek(s.Sampler)
	}
	return err
}
