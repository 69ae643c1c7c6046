// Package notebooks has lessons for gophernotes, the Go kernel of Jupyter, and tests
// that need neither: they hold the code cells to what the kernel's interpreter can do,
// run them as a compiled program and compare with the outputs stored.
//
//	go test ./notebooks
//	MUPPET_UPDATE=1 go test ./notebooks    # stores the outputs of a run
package notebooks

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	// What the cells import, so that a change there is not answered by a cached result.
	_ "github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	_ "github.com/muppet-go/muppet/device/reference"
	_ "github.com/muppet-go/muppet/nn"
	_ "github.com/muppet-go/muppet/ops"
	_ "github.com/muppet-go/muppet/optim"
)

func TestNotebooks(t *testing.T) {
	files, err := filepath.Glob("*.ipynb")
	if err != nil || len(files) == 0 {
		t.Fatalf("no notebooks: %v", err)
	}
	t.Logf("on device %s", device.Default().Name()) // and so a result on another is not cached
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			if err := verify(file, t.TempDir(), os.Getenv("MUPPET_UPDATE") != ""); err != nil {
				t.Error(err)
			}
		})
	}
}

// verify checks the cells of the notebook in file, runs them in dir, and compares
// their outputs with those stored, which it replaces first if it is to update them.
func verify(file, dir string, update bool) error {
	n, err := readNotebook(file)
	if err != nil {
		return err
	}
	c, err := check(filepath.Base(file), n.sources())
	if err != nil {
		return err
	}
	got, err := c.run(dir)
	if err != nil {
		return err
	}
	if update {
		for i, cell := range n.codeCells() {
			store(cell, got[i], i+1)
		}
		if err := n.write(); err != nil {
			return err
		}
	}
	var errs []error
	for i, cell := range n.codeCells() {
		want, err := stored(cell)
		if err == nil {
			err = compare(got[i], want)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", cellName(c.file, i+1), err))
		}
	}
	return errors.Join(errs...)
}

// Cells that the interpreter cannot run, or runs otherwise than a compiler, or that
// the tests cannot translate; each beside one that is as good in both.
var refused = []struct {
	name, bad, says, good string
}{
	{"generic function", "func id[T any](x T) T { return x }", "no type parameters", "func id(x int) int { return x }"},
	{"generic type", "type pair[T int] struct{ a, b T }", "requires go1.18", "type pair struct{ a, b int }"},
	{"type arguments", "import \"slices\"\nslices.Max[[]int]([]int{1})", "requires go1.18", "import \"sort\"\nsort.Ints([]int{1})"},
	{"inferred type arguments", "import \"slices\"\nslices.Sort([]int{1})", "requires go1.18", "import \"sort\"\nsort.Ints([]int{1})"},
	{"value of a generic type", "import \"sync/atomic\"\nvar p atomic.Pointer[int]", "requires go1.18", "import \"sync/atomic\"\nvar p atomic.Value"},
	{"any", "var x any", "requires go1.18", "var x interface{}"},
	{"range over an integer", "for i := range 3 {\n_ = i\n}", "requires go1.22", "for i := range []int{1} {\n_ = i\n}"},
	{"range over a function", "seq := func(yield func(int) bool) {}\nfor i := range seq {\n_ = i\n}", "requires go1.23", "seq := []int{1}\nfor i := range seq {\n_ = i\n}"},
	{"min", "min(1, 2)", "requires go1.21", "import \"math\"\nmath.Min(1, 2)"},
	{"max", "x := 3\nmax(x, 2)", "requires go1.21", "max := func(x, y int) int { return x }\nmax(1, 2)"},
	{"clear", "m := map[int]int{}\nclear(m)", "requires go1.21", "m := map[int]int{}\ndelete(m, 1)"},
	{"new function of the library", "import \"os\"\nos.ReadFile(\"a\")", "os.ReadFile came with Go 1.16", "import \"io/ioutil\"\nioutil.ReadFile(\"a\")"},
	{"new package of the library", "import \"log/slog\"\nslog.Info(\"\")", "log/slog.Info came with Go 1.21", "import \"log\"\nlog.Println()"},
	{"new type of the library", "import \"sync/atomic\"\nvar n atomic.Int64", "sync/atomic.Int64 came with Go 1.19", "import \"sync/atomic\"\nvar n int64\natomic.AddInt64(&n, 1)"},
	{"new function, unlike a new method", "import \"bytes\"\nvar b bytes.Buffer\nb.Available()\nbytes.Clone(nil)", "bytes.Clone came with Go 1.20", "import \"bytes\"\nvar b bytes.Buffer\nb.Available()"},
	{"new constant of the library", "import \"time\"\ntime.DateOnly", "time.DateOnly came with Go 1.20", "import \"time\"\ntime.Kitchen"},
	{"captured loop variable", "for i := 0; i < 3; i++ {\ndefer func() { println(i) }()\n}", "captures loop variable i", "for i := 0; i < 3; i++ {\ndefer func(i int) { println(i) }(i)\n}"},
	{"captured range variable", "for i, v := range []int{1} {\nf := func() int { return i * v }\nf()\n}", "captures loop variable v", "for _, v := range []int{1} {\nv := v\nf := func() int { return v }\nf()\n}"},
	{"address of a loop variable", "var p []*int\nfor _, v := range []int{1} {\np = append(p, &v)\n}", "taken of loop variable v", "var p []*int\nv := []int{1}\nfor i := range v {\np = append(p, &v[0])\n_ = i\n}"},
	{"map element as an argument", "m := map[int]int{1: 2}\nf := func(x int) int { return x }\nf(m[1])", "a second value", "m := map[int]int{1: 2}\nf := func(x int) int { return x }\nf(-m[1])"},
	{"map element shown", "m := map[int]int{1: 2}\n(m[1])", "a second value", "m := map[int]int{1: 2}\nlen(m)"},
	{"received value shown", "c := make(chan int, 1)\nc <- 1\n<-c", "a second value", "c := make(chan int, 1)\nc <- 1\nx := <-c\nx"},
	{"assertion shown", "var x interface{} = 1\nx.(int)", "a second value", "var x interface{} = 1\nx.(int) + 1"},
	{"map element as a condition", "m := map[int]bool{}\nif m[1] {\n}", "a second value", "m := map[int]bool{}\nif !m[1] {\n}"},
	{"function called where it is written", "func() int { return 1 }()", "a function without a name", "f := func() int { return 1 }\nf()"},
	{"goto", "again:\nfor {\ngoto again\n}", "no goto", "again:\nfor {\nbreak again\n}"},
	{"import into the scope", "import . \"strings\"\nToUpper(\"a\")", "own scope", "import s \"strings\"\ns.ToUpper(\"a\")"},
	{"method that fmt looks for", "type t struct{}\nfunc (v t) String() string { return \"t\" }", "does not see the method String", "type t struct{}\nfunc (v t) Text() string { return \"t\" }"},
	{"picture of a pointer", "type t struct{}\nfunc (v *t) SVG() string { return \"\" }", "the kernel crashes", "type t struct{}\nfunc (v t) SVG() string { return \"\" }"},
	{"unused import", "import \"fmt\"", "imported and not used", "import \"fmt\"\nfmt.Sprint()"},
	{"type twice", "type t int\ntype t string", "redeclared", "type t int\ntype u string"},
	{"two statements in a line", "x := 1; x++", "several statements", "x := 1\nx++"},
	{"two declarations in a line", "var x int; var y int", "several statements", "var x, y int"},
	{"function without a body", "func f()", "is not an expression", "func f() {}"},
	{"field declared", "x := struct{ a int }{}\nx.a := 1", "non-name", "x := struct{ a int }{}\nx.a = 1"},
	{"not Go", "x := := 1", "expected", "x := 1"},
}

func TestRefused(t *testing.T) {
	for _, c := range refused {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if names, err := newNames(); err == nil && len(names) == 0 && strings.Contains(c.says, " came with ") {
				t.Skip("this Go has no lists of the standard library's names in $(go env GOROOT)/api")
			}
			// The cell at fault is the second, so that the message must find it.
			_, err := check("bad.ipynb", []string{"1 + 1", c.bad})
			if err == nil {
				t.Errorf("not refused:\n%s", c.bad)
			} else if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "bad.ipynb[2]:") {
				t.Errorf("refused with %q, want bad.ipynb[2] and %q", err, c.says)
			}
			if _, err := check("good.ipynb", []string{"1 + 1", c.good}); err != nil {
				t.Errorf("refused:\n%s\n%v", c.good, err)
			}
		})
	}
}

// Cells and what the kernel shows of them.
var shown = []struct {
	source string
	want   output
}{
	{"import (\n\t\"fmt\"\n)", output{}},
	{"// the end counts\n1 + 2 // three", output{"", map[string]string{"text/plain": "3"}}},
	{"x := 1\nfmt.Println(x)\nx = 2", output{"1\n", nil}},
	{"fmt.Println(\n\tx)", output{"2\n", map[string]string{"text/plain": "2 <nil>"}}},
	{"x := fmt.Sprint(\"again \", x)\nx", output{"", map[string]string{"text/plain": "again 2"}}},
	{"func twice(f func()) { f(); f() }\nfunc fib(n int) int {\n\tif n < 2 {\n\t\treturn n\n\t}\n\treturn fib(n-1) + fib(n-2)\n}", output{}},
	{"twice(func() { fmt.Print(x, \" \", fib(10), \"\\n\") })", output{"again 2 55\nagain 2 55\n", nil}},
	{"func fib(n int) int { return -n }\nfib(7)", output{"", map[string]string{"text/plain": "-7"}}},
	{"var err error\nerr", output{}},
	{"type picture struct{ colour string }\nfunc (p picture) SVG() string { return \"<svg>\" + p.colour + \"</svg>\" }", output{}},
	{"picture{\"red\"}", output{"", map[string]string{"image/svg+xml": "<svg>red</svg>"}}},
	{"func paint() (picture, error) { return picture{\"blue\"}, nil }\npaint()", output{"", map[string]string{"image/svg+xml": "<svg>blue</svg>"}}},
	{"func two() (picture, int) { return picture{\"blue\"}, 2 }\ntwo()", output{"", map[string]string{"text/plain": "{blue} 2"}}},
	{"type page struct{}\nfunc (p page) HTML() string { return \"<p>\" }\npage{}", output{"", map[string]string{"text/html": "<p>"}}},
	{"unused := 3", output{}},
	{"for _, f := range []func(){func() { fmt.Println(\"done\") }} {\n\tf()\n}", output{"done\n", nil}},
}

func TestCells(t *testing.T) {
	var sources []string
	for _, c := range shown {
		sources = append(sources, c.source)
	}
	c, err := check("cells.ipynb", sources)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.run(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range shown {
		if err := compare(got[i], c.want); err != nil {
			t.Errorf("cell\n%s\n%v", c.source, err)
		}
	}
}

func TestWrongOutput(t *testing.T) {
	right := output{"printed\n", map[string]string{"text/plain": "graph", "image/svg+xml": "<svg/>"}}
	cell := map[string]any{}
	store(cell, right, 1)
	if o, err := stored(cell); err != nil || compare(o, right) != nil {
		t.Fatalf("stored %v, read %v, %v", right, o, err)
	}
	for _, wrong := range []output{
		{"printed", right.data},
		{"", right.data},
		{right.stdout, nil},
		{right.stdout, map[string]string{"text/plain": "graph"}},
		{right.stdout, map[string]string{"text/plain": "graph", "image/svg+xml": "<svg>\n</svg>"}},
		{right.stdout, map[string]string{"text/plain": "", "image/svg+xml": "<svg/>"}},
		{right.stdout, map[string]string{"text/plain": "graph", "image/svg+xml": "<svg/>", "text/html": ""}},
	} {
		store(cell, wrong, 1)
		o, err := stored(cell)
		if err != nil {
			t.Fatal(err)
		}
		if compare(right, o) == nil {
			t.Errorf("%v passes for %v", wrong, right)
		}
	}
	cell["outputs"] = []any{map[string]any{"output_type": "error", "ename": "ERROR"}}
	if _, err := stored(cell); err == nil {
		t.Error("a stored error passes")
	}
}

// A notebook is found out that stores what its cells do not show, until it is updated.
func TestUpdate(t *testing.T) {
	const stale = `{"cells": [{"cell_type": "markdown", "id": "a", "source": "A < B"},
		{"cell_type": "code", "id": "b", "source": ["x := 1\n", "x + 1"], "outputs": []}], "metadata": {"kept": true}, "nbformat": 4}`
	file, dir := filepath.Join(t.TempDir(), "stale.ipynb"), t.TempDir()
	if err := os.WriteFile(file, []byte(stale), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := verify(file, dir, false); err == nil || !strings.Contains(err.Error(), "stale.ipynb[1]: text/plain is\n2\n") {
		t.Errorf("verify: %v", err)
	}
	if err := verify(file, dir, true); err != nil {
		t.Error(err)
	}
	if err := verify(file, dir, false); err != nil {
		t.Errorf("after the update: %v", err)
	}
	data, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(data), `"kept": true`) || !strings.Contains(string(data), "A < B") {
		t.Errorf("the update lost something: %v\n%s", err, data)
	}
}
