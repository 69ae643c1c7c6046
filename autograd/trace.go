package autograd

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
	"time"
)

// A Trace records when operations ran, for how long, and how much they moved and
// computed. Scope.Trace starts one.
type Trace struct {
	start  time.Time
	events []TraceEvent
}

// A TraceEvent is an operation, or its backward pass.
type TraceEvent struct {
	Name     string        // "matmul", "matmul backward"
	Shapes   string        // of the inputs
	Start    time.Duration // since the trace began
	Duration time.Duration
	Bytes    float64 // of inputs, as a Reader reads them, and outputs; backward: of gradients and what was saved
	FLOPs    float64 // of a Counter; 0 where not known
}

// A Counter is a Rule that knows how much its operation computes.
type Counter interface {
	Rule
	// FLOPs returns the additions and multiplications of the operation or, with needs, of
	// its backward pass for the inputs whose gradients are wanted: what the formulas need,
	// not what a pass computes again.
	FLOPs(outputs, inputs []*Tensor, needs []bool) float64
}

// A Reader is a Rule whose operation reads parts of its inputs.
type Reader interface {
	Rule
	// Reads returns how many elements of its inputs the operation reads.
	Reads(outputs, inputs []*Tensor) int
}

// Trace begins to record the operations on the scope's tensors that gradients flow
// through, and their backward passes. An operation lasts from the allocation of its
// result to its end; the device is waited for at both, so where it computes
// asynchronously a traced step is slower than another. Views take no time and are
// left out, and so is adding up gradients. Scopes made by Sub before are not traced. It panics
// for a nil scope.
func (s *Scope) Trace() *Trace {
	if s == nil {
		panic("autograd: Trace of a nil Scope; use NewScope().Trace()")
	}
	s.trace = &Trace{start: time.Now()}
	return s.trace
}

// Events returns what was recorded so far, in the order of ends.
func (t *Trace) Events() []TraceEvent { return slices.Clone(t.events) }

// tracing returns the trace that is on, or nil, on which methods do nothing.
func (s *Scope) tracing() *Trace {
	if s == nil {
		return nil
	}
	return s.trace
}

func (t *Trace) now() time.Duration { return max(1, time.Since(t.start)) }

// forward records an operation if its result is new memory.
func (t *Trace) forward(rule Rule, outputs, inputs []*Tensor) {
	if t == nil || outputs[0].store.began == 0 {
		return
	}
	st := outputs[0].store
	st.dev.Sync()
	e := TraceEvent{Name: rule.Name(), Shapes: describeAll(inputs), Start: st.began, Duration: t.now() - st.began, Bytes: bytes(outputs) + bytes(inputs)}
	// Copies, for Apply's slices not to escape.
	if c, ok := rule.(Counter); ok {
		e.FLOPs = c.FLOPs(slices.Clone(outputs), slices.Clone(inputs), nil)
	}
	if r, ok := rule.(Reader); ok {
		e.Bytes = bytes(outputs) + float64(r.Reads(slices.Clone(outputs), slices.Clone(inputs))*inputs[0].DType().Size())
	}
	st.began = 0
	t.events = append(t.events, e)
}

// backward runs a rule and records that, unless it consists of recorded operations.
func (t *Trace) backward(n *node, grads []*Tensor, run func() []*Tensor) []*Tensor {
	if t == nil {
		return run()
	}
	dev := n.inputs[0].store.dev
	dev.Sync()
	e := TraceEvent{Name: n.rule.Name() + " backward", Shapes: describeAll(n.inputs), Start: t.now(), Bytes: bytes(grads) + bytes(n.saved)}
	before := len(t.events)
	results := run()
	dev.Sync()
	if e.Duration = t.now() - e.Start; len(t.events) > before {
		return results
	}
	passesOn := func(r *Tensor) bool {
		return r == nil || slices.ContainsFunc(grads, func(g *Tensor) bool { return g != nil && g.store == r.store })
	}
	if !slices.ContainsFunc(results, func(r *Tensor) bool { return !passesOn(r) }) {
		e.Bytes = 0 // gradients are passed on as they are
	} else {
		e.Bytes += bytes(results)
	}
	if c, ok := n.rule.(Counter); ok {
		needs := make([]bool, len(results))
		for i, r := range results {
			needs[i] = r != nil
		}
		e.FLOPs = c.FLOPs(grads, n.inputs, needs)
	}
	t.events = append(t.events, e)
	return results
}

func bytes(ts []*Tensor) (n float64) {
	for _, t := range ts {
		if t != nil {
			n += float64(t.size) * float64(t.DType().Size())
		}
	}
	return n
}

// total sums the events of one name.
type total struct {
	TraceEvent
	calls int
}

// totals returns the sums by operation, the longest first, and the sum of all.
func (t *Trace) totals() (byName []*total, all *total) {
	all = &total{TraceEvent: TraceEvent{Name: "all"}}
	index := map[string]*total{}
	for _, e := range t.events {
		sum := index[e.Name]
		if sum == nil {
			sum = &total{TraceEvent: TraceEvent{Name: e.Name}}
			index[e.Name] = sum
			byName = append(byName, sum)
		}
		for _, s := range []*total{sum, all} {
			s.calls++
			s.Duration += e.Duration
			s.Bytes += e.Bytes
			s.FLOPs += e.FLOPs
		}
	}
	slices.SortStableFunc(byName, func(a, b *total) int { return int(b.Duration - a.Duration) })
	return byName, all
}

// columns of the table by operation.
var columns = []string{"operation", "calls", "ms", "% of time", "MB", "GB/s", "GFLOP/s", "% of roofline"}

// row has a cell for each column; the last needs the machine's bandwidth in GB/s and
// peak in GFLOP/s.
func (e *total) row(all time.Duration, bandwidth, peak float64) []string {
	seconds := max(e.Duration.Seconds(), 1e-9)
	cell := func(format string, v float64) string {
		if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
			return ""
		}
		return fmt.Sprintf(format, v)
	}
	return []string{e.Name, fmt.Sprint(e.calls), fmt.Sprintf("%.3f", seconds*1e3), cell("%.1f", 100*seconds/max(all.Seconds(), 1e-9)),
		cell("%.2f", e.Bytes/1e6), cell("%.2f", e.Bytes/seconds/1e9), cell("%.2f", e.FLOPs/seconds/1e9), cell("%.1f", 100*e.roofline(bandwidth, peak)/seconds)}
}

// roofline is the least time in seconds that a machine of this bandwidth and peak
// takes (Williams, Waterman and Patterson, "Roofline", 2009); 0 if neither is given.
func (e *TraceEvent) roofline(bandwidth, peak float64) float64 {
	least := 0.0
	if bandwidth > 0 {
		least = e.Bytes / bandwidth / 1e9
	}
	if peak > 0 {
		least = max(least, e.FLOPs/peak/1e9)
	}
	return least
}

// String returns a table of the sums by operation.
func (t *Trace) String() string {
	byName, all := t.totals()
	var s strings.Builder
	line := func(cells []string) {
		fmt.Fprintf(&s, "%-28s", cells[0])
		for _, c := range cells[1 : len(cells)-1] {
			fmt.Fprintf(&s, "%11s", c)
		}
		s.WriteByte('\n')
	}
	line(columns)
	for _, e := range append(byName, all) {
		line(e.row(all.Duration, 0, 0))
	}
	return s.String()
}

// HTML returns a page that needs nothing else: a timeline, whose bars say on hovering
// what they are, and a table of the sums by operation. Given the machine's memory
// bandwidth in GB/s and its peak in GFLOP/s, as measured, the table has how near each
// operation comes to the least time possible (nearer than it where operands were in a
// cache); 0 stands for not known.
func (t *Trace) HTML(bandwidth, peak float64) string {
	const width, left, lane = 1100.0, 76.0, 34.0
	byName, all := t.totals()
	var end time.Duration
	for _, e := range t.events {
		end = max(end, e.Start+e.Duration)
	}
	var begin time.Duration
	if len(t.events) > 0 {
		begin = t.events[0].Start
	}
	scale := (width - left - 10) / max(1, float64(end-begin))
	colour := map[string]string{}
	for _, e := range byName {
		base := strings.TrimSuffix(e.Name, " backward")
		if colour[base] == "" { // golden angle: neighbours differ
			colour[base] = fmt.Sprintf("hsl(%d 55%% 55%%)", int(137.5*float64(len(colour)))%360)
		}
	}
	var s strings.Builder
	fmt.Fprintf(&s, `<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>Trace</title>
<style>
body{font:14px Helvetica,Arial,sans-serif;color:#1f2933;margin:24px}
table{border-collapse:collapse;margin-top:18px}
td,th{padding:3px 12px;text-align:right;border-bottom:1px solid #e4e7eb;font-variant-numeric:tabular-nums}
td:first-child,th:first-child{text-align:left}
tr:last-child td{font-weight:bold;border-top:2px solid #7b8794}
i{display:inline-block;width:10px;height:10px;margin-right:7px;border-radius:2px}
svg{max-width:100%%}
</style>
<h1 style="font-size:20px">%d operations in %.3f ms</h1>
<svg width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" font-size="12">
`, len(t.events), float64(end-begin)/1e6, width, 2*lane+42, width, 2*lane+42)
	for i, name := range []string{"forward", "backward"} {
		y := float64(i) * lane
		fmt.Fprintf(&s, `<rect x="%.0f" y="%.0f" width="%.0f" height="%.0f" fill="#f5f7fa"/><text x="0" y="%.0f">%s</text>`+"\n", left, y, width-left-10, lane-6, y+18, name)
	}
	for _, e := range t.events {
		y := 0.0
		base, isBackward := strings.CutSuffix(e.Name, " backward")
		if isBackward {
			y = lane
		}
		fmt.Fprintf(&s, `<rect x="%.2f" y="%.0f" width="%.2f" height="%.0f" fill="%s"><title>%s</title></rect>`+"\n",
			left+float64(e.Start-begin)*scale, y, max(0.4, float64(e.Duration)*scale), lane-6, colour[base],
			html.EscapeString(fmt.Sprintf("%s of %s: %.3f ms at %.3f ms, %.2f MB", e.Name, e.Shapes, float64(e.Duration)/1e6, float64(e.Start-begin)/1e6, e.Bytes/1e6)))
	}
	for i := range 6 {
		x := left + float64(i)/5*(width-left-10)
		anchor := "middle"
		if i == 5 {
			anchor = "end"
		}
		fmt.Fprintf(&s, `<path d="M%.1f %.0fv5" stroke="#7b8794"/><text x="%.1f" y="%.0f" text-anchor="%s" fill="#616e7c">%.3g ms</text>`+"\n",
			x, 2*lane, x, 2*lane+20, anchor, float64(i)/5*float64(end-begin)/1e6)
	}
	s.WriteString("</svg>\n<table><tr>")
	for _, c := range columns {
		fmt.Fprintf(&s, "<th>%s</th>", c)
	}
	s.WriteString("</tr>\n")
	for _, e := range append(byName, all) {
		mark := ""
		if c := colour[strings.TrimSuffix(e.Name, " backward")]; c != "" && e != all {
			mark = fmt.Sprintf(`<i style="background:%s"></i>`, c)
		}
		s.WriteString("<tr>")
		for i, c := range e.row(all.Duration, bandwidth, peak) {
			if i > 0 {
				mark = ""
			}
			fmt.Fprintf(&s, "<td>%s%s</td>", mark, html.EscapeString(c))
		}
		s.WriteString("</tr>\n")
	}
	s.WriteString("</table>\n")
	if bandwidth > 0 || peak > 0 {
		fmt.Fprintf(&s, "<p>Roofline: %.4g GB/s, %.4g GFLOP/s.</p>\n", bandwidth, peak)
	}
	s.WriteString("</html>\n")
	return s.String()
}
