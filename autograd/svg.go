package autograd

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// Sizes in the picture, in pixels.
const (
	boxHeight = 44.0
	layerStep = 88.0 // from one layer of boxes to the next
	boxGap    = 24.0
	passWidth = 4.0 // of an edge passing by
	margin    = 16.0
	charWidth = 7.4 // of the font, on the generous side
)

// A slot is a place in a layer: of a box, or of edges that pass the layer by.
type slot struct {
	box   *box    // nil for edges passing by
	above []*slot // where its edges come from, one for each input
	below []*slot // where they go
	layer int
	x     float64 // of the centre
}

func (s *slot) width() float64 {
	if s.box == nil {
		return passWidth
	}
	n := max(utf8.RuneCountInString(s.box.label()), utf8.RuneCountInString(s.box.shape))
	return max(64, float64(n)*charWidth+20)
}

// top and bottom are where edges end and begin; one that passes by does both at the
// height of the boxes beside it.
func (s *slot) top() float64    { return margin + float64(s.layer)*layerStep }
func (s *slot) bottom() float64 { return s.top() + boxHeight }

// SVG returns the graph as a picture that needs nothing else: leaves above, the
// result at the bottom. Boxes stand in layers and edges pass between them, those from
// one box together, in the manner of Sugiyama, Tagawa and Toda, "Methods for visual
// understanding of hierarchical system structures" (1981).
func (g *Graph) SVG() string {
	layers := g.layers()
	untangle(layers)
	width := place(layers)
	height := margin + float64(len(layers)-1)*layerStep + boxHeight + margin
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" font-family="Helvetica, Arial, sans-serif" text-anchor="middle">
<rect width="100%%" height="100%%" fill="#ffffff"/>
<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0.5L8 4L0 7.5z" fill="#7b8794"/></marker></defs>
<g fill="none" stroke="#7b8794" stroke-width="1.3">
`, width, height)
	for _, layer := range layers {
		for _, to := range layer {
			writeEdges(&s, to)
		}
	}
	s.WriteString("</g>\n")
	for _, layer := range layers {
		for _, at := range layer {
			if at.box != nil {
				writeBox(&s, at, at.box == g.boxes[0])
			}
		}
	}
	s.WriteString("</svg>\n")
	return s.String()
}

func writeEdges(s *strings.Builder, to *slot) {
	from := slices.Clone(to.above)
	slices.SortStableFunc(from, func(a, b *slot) int { return cmp.Compare(a.x, b.x) })
	arrow := ` marker-end="url(#arrow)"`
	step := 0.0
	if to.box == nil {
		arrow = ""
		fmt.Fprintf(s, `<path d="M%.1f %.1fV%.1f"/>`+"\n", to.x, to.top(), to.bottom())
	} else if n := len(from); n > 1 { // each input arrives at a place of its own
		step = min(16, (to.width()-24)/float64(n-1))
	}
	for i, f := range from {
		x := to.x + (float64(i)-float64(len(from)-1)/2)*step
		y, end := f.bottom(), to.top()
		middle := (y + end) / 2
		fmt.Fprintf(s, `<path d="M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f"%s/>`+"\n", f.x, y, f.x, middle, x, middle, x, end, arrow)
	}
}

func writeBox(s *strings.Builder, at *slot, result bool) {
	fill, stroke, radius, extra := "#ffffff", "#3e4c59", 10, ""
	switch at.box.kind {
	case parameter:
		fill, stroke, radius = "#dff3e4", "#2f855a", 2
	case constant:
		fill, stroke, radius = "#eceff3", "#7b8794", 2
	case omitted:
		extra = ` stroke-dasharray="4 3"`
	}
	if result {
		extra = ` stroke-width="2.4"`
	}
	w := at.width()
	fmt.Fprintf(s, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.0f" rx="%d" fill="%s" stroke="%s"%s/>`+"\n",
		at.x-w/2, at.top(), w, boxHeight, radius, fill, stroke, extra)
	y := at.top() + boxHeight/2 + 5
	if at.box.shape != "" {
		y -= 9
		fmt.Fprintf(s, `<text x="%.1f" y="%.1f" font-size="11.5" fill="#616e7c">%s</text>`+"\n", at.x, y+18, html.EscapeString(at.box.shape))
	}
	fmt.Fprintf(s, `<text x="%.1f" y="%.1f" font-size="13.5" fill="#1f2933">%s</text>`+"\n", at.x, y, html.EscapeString(at.box.label()))
}

// layers puts every box into the layer of its depth, and a slot for each box whose
// edges pass a layer into that one.
func (g *Graph) layers() [][]*slot {
	deepest := 0
	for _, b := range g.boxes {
		deepest = max(deepest, b.depth)
	}
	layers := make([][]*slot, deepest+1)
	add := func(b *box, layer int) *slot {
		s := &slot{box: b, layer: layer}
		layers[layer] = append(layers[layer], s)
		return s
	}
	slots := map[*box]*slot{}
	for _, b := range g.boxes {
		slots[b] = add(b, deepest-b.depth)
	}
	link := func(from, to *slot) {
		from.below, to.above = append(from.below, to), append(to.above, from)
	}
	for _, in := range g.boxes {
		trunk := []*slot{slots[in]} // edges from one box run together until they turn off
		for _, b := range g.boxes {
			for _, other := range b.inputs {
				if other != in {
					continue
				}
				to := slots[b]
				for n := len(trunk); trunk[0].layer+n < to.layer; n++ {
					trunk = append(trunk, add(nil, trunk[0].layer+n))
					link(trunk[n-1], trunk[n])
				}
				link(trunk[to.layer-trunk[0].layer-1], to)
			}
		}
	}
	return layers
}

// untangle orders the slots of every layer so that few edges cross: by turns each
// layer is sorted by the mean place of its neighbours above or below, and the best
// order seen is kept.
func untangle(layers [][]*slot) {
	number(layers)
	best, fewest := snapshot(layers), crossings(layers)
	for round := 0; round < 24 && fewest > 0; round++ {
		for i := range layers {
			layer := layers[i]
			if round%2 == 1 {
				layer = layers[len(layers)-1-i]
			}
			want := map[*slot]float64{}
			for _, s := range layer {
				want[s] = s.mean(round%2 == 0)
			}
			slices.SortStableFunc(layer, func(a, b *slot) int { return cmp.Compare(want[a], want[b]) })
			number([][]*slot{layer})
		}
		if n := crossings(layers); n < fewest {
			best, fewest = snapshot(layers), n
		}
	}
	copy(layers, best)
	number(layers)
}

func snapshot(layers [][]*slot) [][]*slot {
	c := make([][]*slot, len(layers))
	for i, l := range layers {
		c[i] = slices.Clone(l)
	}
	return c
}

// number sets x to the place in the layer.
func number(layers [][]*slot) {
	for _, layer := range layers {
		for i, s := range layer {
			s.x = float64(i)
		}
	}
}

// mean returns the mean x of the neighbours above or below, or the slot's own.
func (s *slot) mean(above bool) float64 {
	neighbours := s.below
	if above {
		neighbours = s.above
	}
	if len(neighbours) == 0 {
		return s.x
	}
	sum := 0.0
	for _, n := range neighbours {
		sum += n.x
	}
	return sum / float64(len(neighbours))
}

func crossings(layers [][]*slot) int {
	n := 0
	for _, layer := range layers {
		for i, a := range layer {
			for _, b := range layer[i+1:] {
				for _, p := range a.above {
					for _, q := range b.above {
						if p.x > q.x {
							n++
						}
					}
				}
			}
		}
	}
	return n
}

// place gives every slot its x and returns the width of the picture. By turns each
// layer moves as near to the middle of its neighbours, least squares, as the order
// and the widths allow.
func place(layers [][]*slot) float64 {
	for _, layer := range layers {
		settle(layer, func(s *slot) float64 { return s.x * boxGap })
	}
	for round := range 40 {
		for i := range layers {
			layer := layers[i]
			if round%2 == 1 {
				layer = layers[len(layers)-1-i]
			}
			settle(layer, func(s *slot) float64 {
				if len(s.above) == 0 || len(s.below) == 0 {
					return s.mean(len(s.above) > 0)
				}
				return (s.mean(true) + s.mean(false)) / 2
			})
		}
	}
	left, right := math.Inf(1), math.Inf(-1)
	for _, layer := range layers {
		left = min(left, layer[0].x-layer[0].width()/2)
		last := layer[len(layer)-1]
		right = max(right, last.x+last.width()/2)
	}
	for _, layer := range layers {
		for _, s := range layer {
			s.x += margin - left
		}
	}
	return right - left + 2*margin
}

// settle moves the slots of a layer to where they want to be, without overlaps and in
// order: Σ (x - wanted)² is least. Measured from the leftmost places that the widths
// allow, that is isotonic regression, by pooling neighbours that are in each other's way.
func settle(layer []*slot, wanted func(*slot) float64) {
	type pool struct {
		sum   float64
		count int
	}
	var pools []pool
	offsets := make([]float64, len(layer))
	for i, s := range layer {
		if i > 0 {
			before := layer[i-1]
			offsets[i] = offsets[i-1] + (before.width()+s.width())/2 + boxGap
		}
		last := pool{wanted(s) - offsets[i], 1}
		for n := len(pools); n > 0 && pools[n-1].sum*float64(last.count) > last.sum*float64(pools[n-1].count); n-- {
			last.sum += pools[n-1].sum
			last.count += pools[n-1].count
			pools = pools[:n-1]
		}
		pools = append(pools, last)
	}
	i := 0
	for _, p := range pools {
		for range p.count {
			layer[i].x = p.sum/float64(p.count) + offsets[i]
			i++
		}
	}
}
