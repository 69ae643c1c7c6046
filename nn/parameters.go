// Package nn has the building blocks of models.
//
// A model is a struct. Its parameters are the tensors in fields with a name tag,
// found through nested structs, pointers, slices and maps of them; the tags, joined
// by dots, are the names of the state dict:
//
//	type MLP struct {
//		Hidden *nn.Linear `name:"fc1"` // fc1.weight, fc1.bias
//		Out    *nn.Linear `name:"fc2"`
//	}
//
// A tag of "" adds nothing to the name. A tensor's tag may end in ",nodecay": weight
// decay then leaves the parameter alone. A tag of names joined by "|" stands for a
// tensor whose rows are that many tensors of the state dict, one below the other.
package nn

import (
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"

	"github.com/muppet-go/muppet/autograd"
)

// A Parameter is a tensor of a model that is trained.
type Parameter struct {
	Name    string // unique in the model
	Tensor  *autograd.Tensor
	NoDecay bool     // weight decay leaves it alone
	Parts   []string // names of its row blocks in the state dict, if it stands for several tensors
}

// Parameters returns the parameters of model, a pointer to a struct, in the order of
// its fields. It panics for a field whose tag cannot be followed, and if two
// parameters have the same name.
func Parameters(model any) []*Parameter {
	var found []*Parameter
	seen := map[string]bool{}
	collect(reflect.ValueOf(model), "", func(p *Parameter) {
		for _, name := range p.stateNames() {
			if seen[name] {
				panic(fmt.Sprintf("nn: Parameters: two parameters named %q in %T", name, model))
			}
			seen[name] = true
		}
		found = append(found, p)
	})
	return found
}

func (p *Parameter) stateNames() []string {
	if p.Parts != nil {
		return p.Parts
	}
	return []string{p.Name}
}

var tensorType = reflect.TypeFor[*autograd.Tensor]()

func collect(v reflect.Value, prefix string, found func(*Parameter)) {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			tag, ok := v.Type().Field(i).Tag.Lookup("name")
			if !ok {
				continue
			}
			if f := v.Field(i); f.Type() == tensorType {
				if !f.IsNil() {
					found(newParameter(prefix, tag, f.Interface().(*autograd.Tensor)))
				}
			} else {
				collect(f, join(prefix, tag), found)
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			collect(v.Index(i), join(prefix, fmt.Sprint(i)), found)
		}
	case reflect.Map:
		keys := v.MapKeys()
		sort.Slice(keys, func(i, j int) bool { return keys[i].String() < keys[j].String() })
		for _, k := range keys {
			collect(v.MapIndex(k), join(prefix, k.String()), found)
		}
	default:
		panic(fmt.Sprintf("nn: Parameters: %q is a %s; want tensors, structs, slices or maps of them", prefix, v.Type()))
	}
}

func newParameter(prefix, tag string, t *autograd.Tensor) *Parameter {
	names, option, _ := strings.Cut(tag, ",")
	if option != "" && option != "nodecay" {
		panic(fmt.Sprintf("nn: Parameters: tag %q of %s: unknown option %q", tag, prefix, option))
	}
	p := &Parameter{Tensor: t, NoDecay: option == "nodecay"}
	parts := strings.Split(names, "|")
	if len(parts) == 1 {
		p.Name = join(prefix, names)
		return p
	}
	if t.Dim(0)%len(parts) != 0 {
		panic(fmt.Sprintf("nn: Parameters: %d rows of %s do not divide into %q", t.Dim(0), prefix, names))
	}
	for _, part := range parts {
		p.Parts = append(p.Parts, join(prefix, part))
	}
	p.Name = join(prefix, names)
	return p
}

func join(prefix, name string) string {
	if prefix == "" || name == "" {
		return prefix + name
	}
	return prefix + "." + name
}

// Entry is a tensor of a state dict: a parameter, or a row block of one, sharing its
// memory.
type Entry struct {
	Name   string
	Tensor *autograd.Tensor
}

// StateDict returns the model's parameters under the names they are stored by.
func StateDict(model any) []Entry {
	var dict []Entry
	for _, p := range Parameters(model) {
		dict = append(dict, p.Entries(p.Tensor)...)
	}
	return dict
}

// Entries divides t, which has the shape of the parameter (itself, its gradient or
// an optimiser's moment), into the tensors of the state dict.
func (p *Parameter) Entries(t *autograd.Tensor) []Entry {
	if p.Parts == nil {
		return []Entry{{p.Name, t}}
	}
	shape := slices.Clone(t.Shape())
	shape[0] /= len(p.Parts)
	n := t.Len() / len(p.Parts)
	entries := make([]Entry, len(p.Parts))
	for i, name := range p.Parts {
		entries[i] = Entry{name, autograd.View(t, i*n, shape...)}
	}
	return entries
}
