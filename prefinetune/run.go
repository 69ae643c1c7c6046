package prefinetune

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/transformer"
)

// identity is what makes a run this run: two runs of the same identity compute the same
// numbers. It is kept in run.json.
type identity struct {
	Config  Config             `json:"config"`
	Encoder transformer.Config `json:"encoder"`
	Tasks   []string           `json:"tasks"`
	Data    string             `json:"data"`    // hash of all encoded examples
	Weights string             `json:"weights"` // hash of the initial parameters
}

func (t *Trainer) identity() identity {
	id := identity{Config: t.cfg, Encoder: t.model.base.Config}
	h := sha256.New()
	number := func(v int) {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], uint64(v))
		h.Write(b[:])
	}
	for i, tk := range t.tasks {
		id.Tasks = append(id.Tasks, tk.Name)
		number(len(tk.Labels))
		number(len(t.dev[i].encoded))
	}
	for _, e := range t.train {
		for _, v := range []int{e.task, e.target, e.start, e.end, len(e.sequences)} {
			number(v)
		}
		for _, s := range e.sequences {
			for _, id := range s.IDs {
				number(int(id))
			}
		}
		number(len(e.labels))
		for _, id := range e.labels {
			number(int(id))
		}
	}
	id.Data = hex.EncodeToString(h.Sum(nil)[:16])
	id.Weights = hashParameters(t.model)
	return id
}

// hashParameters identifies the bits of a model's parameters.
func hashParameters(model any) string {
	h := sha256.New()
	for _, e := range nn.StateDict(model) {
		h.Write([]byte(e.Name))
		binary.Write(h, binary.LittleEndian, e.Tensor.Float32s()) // a hash does not fail
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// compare names what differs.
func (id identity) compare(other identity) []string {
	var d []string
	differ := func(name string, mine, its any) {
		if fmt.Sprint(mine) != fmt.Sprint(its) {
			d = append(d, fmt.Sprintf("%s is %v there, %v here", name, its, mine))
		}
	}
	a, b := id.Config, other.Config
	differ("steps", a.Steps, b.Steps)
	differ("tokens per batch", a.TokensPerBatch, b.TokensPerBatch)
	differ("examples per batch", a.ExamplesPerBatch, b.ExamplesPerBatch)
	differ("max length", a.MaxLength, b.MaxLength)
	differ("learning rate", a.LR, b.LR)
	differ("warm-up", a.WarmUp, b.WarmUp)
	differ("weight decay", a.WeightDecay, b.WeightDecay)
	differ("clip norm", a.ClipNorm, b.ClipNorm)
	differ("seed", a.Seed, b.Seed)
	differ("accumulation", a.Accumulate, b.Accumulate)
	differ("batches", a.Batches, b.Batches)
	differ("sampling", a.sampling(), b.sampling())
	differ("loss", a.loss(), b.loss())
	differ("label smoothing", a.LabelSmoothing, b.LabelSmoothing)
	differ("R3F", a.R3F.words(), b.R3F.words())
	differ("non-finite policy", a.NonFinite, b.NonFinite)
	here, there := settings(id.Encoder), settings(other.Encoder)
	for _, name := range slices.Sorted(maps.Keys(here)) {
		differ("encoder "+name, here[name], there[name])
	}
	if fmt.Sprint(id.Tasks) != fmt.Sprint(other.Tasks) {
		d = append(d, "tasks "+difference(other.Tasks, id.Tasks))
	} else if id.Data != other.Data {
		d = append(d, "the tasks' examples or the tokenizer changed")
	}
	if d == nil && id.Weights != other.Weights {
		d = append(d, "the initial weights changed")
	}
	return d
}

// settings returns a configuration by the names of its JSON.
func settings(c any) map[string]any {
	var m map[string]any
	data, err := json.Marshal(c)
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		panic(fmt.Sprintf("prefinetune: settings: %v", err)) // plain numbers and strings
	}
	return m
}

// difference says what is in one list of names and not in the other.
func difference(there, here []string) string {
	count := map[string]int{}
	for _, n := range there {
		count[n]--
	}
	for _, n := range here {
		count[n]++
	}
	var s []string
	for n, c := range count {
		if c > 0 {
			s = append(s, "+"+n)
		} else if c < 0 {
			s = append(s, "-"+n)
		}
	}
	sort.Strings(s)
	if s == nil {
		return "are in another order"
	}
	return strings.Join(s, " ")
}
