package suite

import (
	"math/bits"
	"math/rand/v2"
	"strings"
)

// source draws from PCG, whose stream of words is specified, by arithmetic of our
// own: the draws of rand.Rand may change between versions of Go.
type source struct{ *rand.PCG }

// newSource gives every name a stream of its own, so that a change of one task
// leaves the others as they were.
func newSource(seed uint64, name string) source {
	h := uint64(14695981039346656037) // FNV-1a
	for _, b := range []byte(name) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return source{rand.NewPCG(seed, h)}
}

// intn returns a number in [0, n).
func (r source) intn(n int) int {
	hi, _ := bits.Mul64(r.Uint64(), uint64(n))
	return int(hi)
}

func (r source) pick(list []string) string { return list[r.intn(len(list))] }

// other returns a number in [0, n) that is not not.
func (r source) other(n, not int) int {
	return (not + 1 + r.intn(n-1)) % n
}

// some returns k different numbers in [0, n), in random order.
func (r source) some(k, n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	r.shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:k]
}

func (r source) shuffle(n int, swap func(i, j int)) {
	for i := n - 1; i > 0; i-- {
		swap(i, r.intn(i+1))
	}
}

// word returns one of the words for a value.
func (r source) word(rel, value int) string { return r.pick(forms[rel][value]) }

// thing draws a thing whose property has the value.
func (r source) thing(rel, value int) thing {
	for {
		if t := things[r.intn(len(things))]; t.is[rel] == value {
			return t
		}
	}
}

// anything draws any thing.
func (r source) anything() thing { return things[r.intn(len(things))] }

// about fills a phrase with a thing, two people, and true words for the properties.
func (r source) about(phrase string, t thing) string {
	p := r.intn(len(people))
	return fill(phrase, "{e}", t.name, "{p}", people[p], "{q}", people[r.other(len(people), p)],
		"{c}", r.word(colour, t.is[colour]), "{s}", r.word(size, t.is[size]),
		"{h}", r.word(habitat, t.is[habitat]), "{o}", r.word(keeper, t.is[keeper]))
}

// statement says that a thing has a value.
func (r source) statement(rel int, t thing, value int) string {
	return fill(r.pick(statements[rel]), "{e}", t.name, "{v}", r.word(rel, value))
}

// question asks for a property of a thing.
func (r source) question(rel int, t thing) string { return fill(r.pick(questions[rel]), "{e}", t.name) }

// fill replaces the placeholders of a phrase: fill(phrase, "{e}", "brask", …).
func fill(phrase string, pairs ...string) string {
	return strings.NewReplacer(pairs...).Replace(phrase)
}
