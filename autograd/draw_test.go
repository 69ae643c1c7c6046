package autograd_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/ops"
)

// network is two layers with a shortcut; x is used three times.
func network() *tensor {
	x := autograd.Zeros(4, 8).Named("x")
	w1 := autograd.Zeros(8, 8).RequireGrad().Named("w1")
	b1 := autograd.Zeros(8).RequireGrad().Named("b<1>")
	w2 := autograd.Zeros(8, 8).RequireGrad().Named("w2")
	h := ops.Add(ops.Linear(ops.GELU(ops.Linear(x, w1, b1)), w2, nil), x)
	return ops.Mean(ops.Mul(ops.Sub(h, x), h)).Named("loss")
}

func TestGraphString(t *testing.T) {
	x := leaf(1, 2).Named("x")
	scope := autograd.NewScope()
	y := ops.Mul(ops.Exp(scope.Of(x)), x)
	want := `%0: x [2] float64
%1: exp(%0) [2] float64
%2: mul(%1, %0) [2] float64
`
	if got := y.Graph().String(); got != want {
		t.Errorf("graph\n%swant\n%s", got, want)
	}
	if got := leaf(1).Graph().String(); got != "%0: leaf [1] float64\n" {
		t.Errorf("graph of a leaf: %q", got)
	}
}

func TestGraphDOT(t *testing.T) {
	a := autograd.Scalar(2).Named(`a"\`).RequireGrad()
	want := `digraph {
	node [shape=box fontname="Helvetica"]
	n0 [label="a\"\\\n[] float32" style="filled" fillcolor="#dff3e4"]
	n1 [label="y = mul\n[] float32" style="rounded"]
	n0 -> n1
	n0 -> n1
}
`
	if got := ops.Mul(a, a).Named("y").Graph().DOT(); got != want {
		t.Errorf("DOT\n%swant\n%s", got, want)
	}
}

type rect struct{ x, y, w, h float64 }

// shapes reads boxes, edges and texts from a picture, which must be well-formed XML.
func shapes(t *testing.T, svg string) (boxes []rect, edges []string, texts []string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for inDefs := false; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return boxes, edges, texts
		}
		if err != nil {
			t.Fatalf("not XML: %v", err)
		}
		switch e := token.(type) {
		case xml.EndElement:
			inDefs = inDefs && e.Name.Local != "defs"
		case xml.CharData:
			if s := strings.TrimSpace(string(e)); s != "" {
				texts = append(texts, s)
			}
		case xml.StartElement:
			at := map[string]string{}
			for _, a := range e.Attr {
				at[a.Name.Local] = a.Value
			}
			number := func(name string) float64 { v, _ := strconv.ParseFloat(at[name], 64); return v }
			switch {
			case e.Name.Local == "defs":
				inDefs = true
			case e.Name.Local == "rect" && at["x"] != "":
				boxes = append(boxes, rect{number("x"), number("y"), number("width"), number("height")})
			case e.Name.Local == "path" && !inDefs:
				edges = append(edges, at["d"])
			}
		}
	}
}

// TestGraphSVG looks at where things are: boxes apart, and no edge through one.
func TestGraphSVG(t *testing.T) {
	boxes, edges, texts := shapes(t, network().Graph().SVG())
	if len(boxes) != 12 {
		t.Errorf("%d boxes, want 12", len(boxes))
	}
	for _, want := range []string{"b<1>", "x", "matmul", "gelu", "[4 8] float32", "loss = "} {
		if !strings.Contains(strings.Join(texts, "|"), want) {
			t.Errorf("no %q in %q", want, texts)
		}
	}
	for i, a := range boxes {
		for _, b := range boxes[i+1:] {
			if a.x < b.x+b.w && b.x < a.x+a.w && a.y < b.y+b.h && b.y < a.y+a.h {
				t.Errorf("boxes overlap: %v and %v", a, b)
			}
		}
	}
	for _, path := range edges {
		for _, p := range points(t, path) {
			for _, b := range boxes {
				if p[0] > b.x && p[0] < b.x+b.w && p[1] > b.y+0.1 && p[1] < b.y+b.h-0.1 {
					t.Errorf("edge %s goes through %v", path, b)
				}
			}
		}
	}
}

// points returns points along a path of one line or curve.
func points(t *testing.T, path string) (p [][2]float64) {
	var c [8]float64
	if n, _ := fmt.Sscanf(path, "M%f %fV%f", &c[0], &c[1], &c[2]); n == 3 {
		for i := 0.0; i <= 1; i += 0.1 {
			p = append(p, [2]float64{c[0], c[1] + i*(c[2]-c[1])})
		}
		return p
	}
	if n, err := fmt.Sscanf(path, "M%f %fC%f %f %f %f %f %f", &c[0], &c[1], &c[2], &c[3], &c[4], &c[5], &c[6], &c[7]); n != 8 {
		t.Fatalf("path %q: %v", path, err)
	}
	for i := 0.0; i <= 1; i += 0.05 {
		j := 1 - i
		at := func(k int) float64 { return j*j*j*c[k] + 3*j*j*i*c[k+2] + 3*j*i*i*c[k+4] + i*i*i*c[k+6] }
		p = append(p, [2]float64{at(0), at(1)})
	}
	return p
}

func TestGraphLimit(t *testing.T) {
	y := leaf(1)
	for range 50_000 {
		y = ops.Add(y, leaf(1))
	}
	g := y.Graph()
	if n := strings.Count(g.String(), "\n"); n != 121 || !strings.Contains(g.String(), "… 99881 more") {
		t.Errorf("%d lines, the first %.40q", n, g)
	}
	boxes, _, texts := shapes(t, g.SVG())
	if len(boxes) != 121 || !strings.Contains(strings.Join(texts, "|"), "… 99881 more") {
		t.Errorf("%d boxes", len(boxes))
	}
}

func ExampleTensor_Graph() {
	x := autograd.New([]float32{1, 2, 3}).RequireGrad().Named("x")
	y := ops.Sum(ops.Mul(x, x)).Named("y")
	fmt.Print(y.Graph())
	// Output:
	// %0: x [3] float32
	// %1: mul(%0, %0) [3] float32
	// %2: y = sum(%1) [] float32
}
