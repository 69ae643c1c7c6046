package prefinetune

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"path/filepath"
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

// pretrainState is what a checkpoint knows besides tensors.
type pretrainState struct {
	Step           int            `json:"step"`
	Sampler        cursor         `json:"sampler"`
	OptimizerSteps map[string]int `json:"optimizer_steps"`
	MetricsBytes   int64          `json:"metrics_bytes"`
	Before         *float64       `json:"perplexity_before"` // nil without held-out texts
	Machine        machine        `json:"machine"`
}

func (p *pretrainer) save() error {
	_, steps := p.opt.State()
	s := pretrainState{Step: p.step, Sampler: p.sampler.Cursor, OptimizerSteps: steps, MetricsBytes: p.log.size, Machine: thisMachine()}
	if !math.IsNaN(p.before) {
		s.Before = &p.before
	}
	if err := p.log.sync(); err != nil { // the state refers to its length
		return err
	}
	if err := writeCheckpoint(p.cfg.Out, p.step, p.model, p.opt, s); err != nil {
		return err
	}
	p.saved = p.step
	return removeOld(p.cfg.Out)
}

// restore loads the newest checkpoint, if there is one, and says so.
func (p *pretrainer) restore() error {
	names, err := listCheckpoints(p.cfg.Out)
	if err != nil {
		return fmt.Errorf("prefinetune: %w", err)
	}
	if len(names) == 0 {
		return p.log.truncate(0)
	}
	dir := filepath.Join(p.cfg.Out, checkpointsDir, names[len(names)-1])
	var s pretrainState
	err = readJSON(filepath.Join(dir, "state.json"), &s)
	if err == nil && (s.Step < 0 || s.Step > p.cfg.Steps || !p.sampler.seekable(s.Sampler)) {
		err = fmt.Errorf("state.json does not fit the run: step %d, sampler at %+v", s.Step, s.Sampler)
	}
	if err == nil {
		err = readCheckpoint(dir, p.model, p.opt, s.OptimizerSteps)
	}
	if err == nil {
		err = p.log.truncate(s.MetricsBytes)
	}
	if err != nil {
		return fmt.Errorf("prefinetune: checkpoint %s cannot be read: %w (remove that folder to resume from the one before it, or to start again)", dir, err)
	}
	p.step, p.saved = s.Step, s.Step
	if s.Before != nil {
		p.before = *s.Before
	}
	p.sampler.seek(s.Sampler)
	if warning := s.Machine.warning(); warning != "" {
		p.cfg.Warn(warning)
	}
	if p.step == p.cfg.Steps {
		p.cfg.Warn(fmt.Sprintf("%s holds this run, complete at step %d: nothing left to train", p.cfg.Out, p.step))
	} else if p.step > 0 {
		p.cfg.Warn(fmt.Sprintf("resuming at step %d of %d", p.step, p.cfg.Steps))
	}
	return nil
}
