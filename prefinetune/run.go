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
	Tasks   []taskIdentity     `json:"tasks"`

	// Hashes: of the tokenizer, of all training examples as tokens, of the initial parameters.
	Tokenizer string `json:"tokenizer"`
	Encoded   string `json:"encoded"`
	Weights   string `json:"weights"`
}

// taskIdentity is what makes a task this one.
type taskIdentity struct {
	Name  string  `json:"name"`
	File  string  `json:"file"` // SHA-256 of the task file
	Path  string  `json:"path"` // which that is, for messages
	Train dataset `json:"train"`
	Dev   dataset `json:"dev"`
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
		id.Tasks = append(id.Tasks, taskIdentity{tk.Name, tk.SHA256, tk.Path, t.data[i][0], t.data[i][1]})
		number(len(tk.Labels))
	}
	for _, e := range t.train {
		for _, v := range []int{e.task, e.target, len(e.sequences)} {
			number(v)
		}
		for _, w := range e.spans {
			number(w.choice(false))
			number(w.choice(true))
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
	id.Tokenizer = t.tok.SHA256()
	id.Encoded = hex.EncodeToString(h.Sum(nil)[:16])
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
	differ("Adam's β₂", a.Beta2, b.Beta2)
	differ("Adam's ε", a.AdamEps, b.AdamEps)
	differ("clip norm", a.ClipNorm, b.ClipNorm)
	differ("seed", a.Seed, b.Seed)
	differ("accumulation", a.Accumulate, b.Accumulate)
	differ("batches", a.Batches, b.Batches)
	differ("sampling", a.sampling(), b.sampling())
	differ("loss", a.loss(), b.loss())
	differ("label smoothing", a.LabelSmoothing, b.LabelSmoothing)
	differ("R3F", a.R3F.words(), b.R3F.words())
	differ("evaluations on the way", a.evaluations(), b.evaluations())
	differ("non-finite policy", a.NonFinite, b.NonFinite)
	here, there := settings(id.Encoder), settings(other.Encoder)
	for _, name := range slices.Sorted(maps.Keys(here)) {
		differ("encoder "+name, here[name], there[name])
	}
	differ("policy for bad rows", a.BadRows, b.BadRows)
	if names, others := taskNames(id.Tasks), taskNames(other.Tasks); !slices.Equal(names, others) {
		d = append(d, "tasks "+difference(others, names))
	} else {
		for i, mine := range id.Tasks {
			d = append(d, mine.compare(other.Tasks[i])...)
		}
	}
	if id.Tokenizer != other.Tokenizer {
		d = append(d, fmt.Sprintf("the tokenizer changed: SHA-256 %.12s… there, %.12s… here", other.Tokenizer, id.Tokenizer))
	}
	if d == nil && id.Encoded != other.Encoded {
		d = append(d, "this program makes other tokens of the same examples")
	}
	if d == nil && id.Weights != other.Weights {
		d = append(d, "the initial weights changed")
	}
	return d
}

// compare names what differs of a task.
func (id taskIdentity) compare(other taskIdentity) (d []string) {
	if id.File != other.File {
		d = append(d, fmt.Sprintf("task %s: its task file changed: %s of SHA-256 %.12s… there, %s of %.12s… here", id.Name, other.Path, other.File, id.Path, id.File))
	}
	for _, split := range []struct {
		name      string
		mine, its dataset
	}{{"train", id.Train, other.Train}, {"dev", id.Dev, other.Dev}} {
		if split.mine != split.its {
			d = append(d, fmt.Sprintf("task %s: its %s examples changed: %v there, %v here", id.Name, split.name, split.its, split.mine))
		}
	}
	return d
}

func taskNames(tasks []taskIdentity) (names []string) {
	for _, t := range tasks {
		names = append(names, t.Name)
	}
	return names
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
