package nn

import (
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"

	"github.com/muppet-go/muppet/autograd"
)

// A Parameter is a tensor of a model.
type Parameter struct {
	Name    string // unique in the model; for several tensors, their names joined by "|"
	Tensor  *autograd.Tensor
	NoDecay bool     // weight decay leaves it alone
	Parts   []string // names of its row blocks in the state dict, if it stands for several tensors

	// Factors on an optimiser's learning rate and weight decay, for the caller to set;
	// 0 means 1.
	LRScale, DecayScale float64

	buffer bool // not trained: in the state dict only
}

// Freeze makes the parameter a constant: it gets no gradient, and optimisers that are
// made afterwards leave it out. Its Tensor's RequireGrad ends that.
func (p *Parameter) Freeze() { *p.Tensor = *p.Tensor.Detach() }

// Parameters returns the parameters of model, a pointer to a struct or a Sequential, in
// the order of its fields. It panics for a field whose tag cannot be followed, if two
// parameters have the same name, and if one tensor is two parameters (an optimiser would change
// it twice): of weights that a model shares, tag one.
func Parameters(model any) []*Parameter {
	return slices.DeleteFunc(collect(model), func(p *Parameter) bool { return p.buffer })
}

// collect returns the parameters and buffers of model, in the order of its fields.
func collect(model any) []*Parameter {
	c := &collector{names: map[string]bool{}, tensors: map[*autograd.Tensor]string{}}
	v := reflect.ValueOf(model)
	if !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		panic("nn: Parameters: the model is nil")
	}
	c.collect(v, nil, options{})
	return c.found
}

// options are what the tags on the way to a tensor say.
type options struct{ noDecay, buffer bool }

type collector struct {
	found   []*Parameter
	names   map[string]bool             // of the state dict
	tensors map[*autograd.Tensor]string // to their names
}

var tensorType = reflect.TypeFor[*autograd.Tensor]()

// collect finds the parameters in v. Its names are several where a tensor stands for
// several of the state dict.
func (c *collector) collect(v reflect.Value, names []string, opts options) {
	for v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer && v.Type() != tensorType {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	if v.Type() == tensorType {
		if t := v.Interface().(*autograd.Tensor); t != nil {
			c.add(t, names, opts)
		}
		return
	}
	if len(names) > 1 {
		panic(fmt.Sprintf("nn: Parameters: tag %q of a %s: only a tensor has several names", strings.Join(names, "|"), v.Type()))
	}
	prefix := strings.Join(names, "")
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			tag, ok := field.Tag.Lookup("name")
			if !ok {
				continue
			}
			if !field.IsExported() && !field.Anonymous {
				panic(fmt.Sprintf("nn: Parameters: field %s of %s has a name tag but is not exported", field.Name, v.Type()))
			}
			tag, option, _ := strings.Cut(tag, ",")
			below := opts
			switch option {
			case "":
			case "nodecay":
				below.noDecay = true
			case "buffer":
				below.buffer = true
			default:
				panic(fmt.Sprintf("nn: Parameters: field %s of %s: unknown option %q in its tag", field.Name, v.Type(), option))
			}
			parts := strings.Split(tag, "|")
			for i, part := range parts {
				parts[i] = join(prefix, part)
			}
			c.collect(v.Field(i), parts, below)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			c.collect(v.Index(i), []string{join(prefix, fmt.Sprint(i))}, opts)
		}
	case reflect.Map:
		if v.Type().Key().Kind() != reflect.String {
			panic(fmt.Sprintf("nn: Parameters: %q is a %s; want strings for keys", prefix, v.Type()))
		}
		keys := v.MapKeys()
		sort.Slice(keys, func(i, j int) bool { return keys[i].String() < keys[j].String() })
		for _, k := range keys {
			c.collect(v.MapIndex(k), []string{join(prefix, k.String())}, opts)
		}
	case reflect.Func: // a layer without parameters
	default:
		panic(fmt.Sprintf("nn: Parameters: %q is a %s; want tensors, structs, slices or maps of them", prefix, v.Type()))
	}
}

func (c *collector) add(t *autograd.Tensor, names []string, opts options) {
	p := &Parameter{Name: strings.Join(names, "|"), Tensor: t, NoDecay: opts.noDecay, buffer: opts.buffer}
	if other, ok := c.tensors[t]; ok {
		panic(fmt.Sprintf("nn: Parameters: %q and %q are one tensor", other, p.Name))
	}
	c.tensors[t] = p.Name
	if len(names) > 1 {
		p.Parts = names
		if len(t.Shape()) == 0 || t.Dim(0)%len(names) != 0 {
			panic(fmt.Sprintf("nn: Parameters: the rows of shape %v do not divide into %q", t.Shape(), p.Name))
		}
	}
	for _, name := range names {
		if name == "" {
			panic("nn: Parameters: a tensor without a name")
		}
		if c.names[name] {
			panic(fmt.Sprintf("nn: Parameters: two parameters named %q", name))
		}
		c.names[name] = true
	}
	c.found = append(c.found, p)
}

func join(prefix, name string) string {
	if prefix == "" || name == "" {
		return prefix + name
	}
	return prefix + "." + name
}

// Entry is a tensor of a state dict: a parameter or buffer, or a row block of one, sharing
// its memory.
type Entry struct {
	Name   string
	Tensor *autograd.Tensor
}

// StateDict returns the model's parameters and buffers under the names they are stored by.
func StateDict(model any) []Entry {
	var dict []Entry
	for _, p := range collect(model) {
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
