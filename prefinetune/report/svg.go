package report

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"
)

// The drawings hold numbers only, no text of the caller; colours come from the
// page's style by class.

// clamp keeps a share drawable.
func clamp(v float64) float64 { return min(max(v, 0), 1) }

// bar draws the share realised, with a mark at the share asked for; the greatest
// share of all fills it.
func bar(m Mix, all []Mix) template.HTML {
	const w, h = 150.0, 14.0
	full := 0.0
	for _, o := range all {
		for _, v := range []float64{o.Asked, o.Realised} {
			if finite(v) {
				full = max(full, v)
			}
		}
	}
	if full == 0 || !finite(m.Asked) || !finite(m.Realised) {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %g %g" width="%g" height="%g" aria-hidden="true">`, w, h, w, h)
	fmt.Fprintf(&b, `<rect class="bar" x="0" y="3" width="%.1f" height="8" rx="2"/>`, (w-2)*clamp(m.Realised/full))
	x := 1 + (w-2)*clamp(m.Asked/full)
	fmt.Fprintf(&b, `<line class="mark" x1="%.1f" x2="%.1f" y1="0" y2="%g"/></svg>`, x, x, h)
	return template.HTML(b.String())
}

// scale begins a drawing with the scale from 0 to 1, and returns where a share lies on it.
func scale(b *strings.Builder) (x func(share float64) float64) {
	const w, h, pad = 180.0, 18.0, 6.0
	x = func(v float64) float64 { return pad + (w-2*pad)*clamp(v) }
	fmt.Fprintf(b, `<svg viewBox="0 0 %g %g" width="%g" height="%g" aria-hidden="true">`, w, h, w, h)
	fmt.Fprintf(b, `<line class="grid" x1="%g" x2="%g" y1="9" y2="9"/>`, pad, w-pad)
	for _, v := range []float64{0, 0.25, 0.5, 0.75, 1} {
		fmt.Fprintf(b, `<line class="grid" x1="%.1f" x2="%.1f" y1="6" y2="12"/>`, x(v), x(v))
	}
	return x
}

// strip draws a score between 0 and 100 with two standard errors either side,
// and the baselines.
func strip(s Score) template.HTML {
	var b strings.Builder
	x := scale(&b)
	if finite(s.Majority) {
		fmt.Fprintf(&b, `<line class="mark" x1="%.1f" x2="%.1f" y1="2" y2="16"/>`, x(s.Majority), x(s.Majority))
	}
	if finite(s.BagOfWords) {
		fmt.Fprintf(&b, `<circle class="hollow" cx="%.1f" cy="9" r="4"/>`, x(s.BagOfWords))
	}
	if finite(s.Ours) {
		if finite(s.StdErr) {
			fmt.Fprintf(&b, `<line class="whisker" x1="%.1f" x2="%.1f" y1="9" y2="9"/>`, x(s.Ours-2*s.StdErr), x(s.Ours+2*s.StdErr))
		}
		fmt.Fprintf(&b, `<circle class="dot" cx="%.1f" cy="9" r="4.5"/>`, x(s.Ours))
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

// chart draws a curve; one that is noisy faint, with an exponential average on top.
// A loss has a dashed line at 1, what uniform predictions cost after scaling.
func chart(c Curve, width, height int, noisy, loss bool) template.HTML {
	const left, right, top, bottom = 56, 12, 10, 26
	var shown []float64
	for _, v := range c.Values {
		if finite(v) {
			shown = append(shown, v)
		}
	}
	if len(shown) == 0 {
		return ""
	}
	slices.Sort(shown)
	high := shown[len(shown)-1]
	if loss {
		high = max(shown[(len(shown)-1)*99/100]*1.05, 1.15) // a few outliers must not flatten the rest
	}
	low := min(0, shown[0])
	if high <= low {
		high = low + 1
	}
	yTicks := ticks(low, high, max(3, height/55))
	high = max(high, yTicks[len(yTicks)-1])
	first, end := float64(c.Steps[0]), float64(c.Steps[len(c.Steps)-1])
	xTicks := ticks(first, max(end, first+1), max(3, width/130))

	w, h := float64(width), float64(height)
	x := func(v float64) float64 { return left + (w-left-right)*(v-first)/max(end-first, 1) }
	y := func(v float64) float64 { return top + (h-top-bottom)*(1-min(max((v-low)/(high-low), 0), 1)) }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %d %d" role="img">`, width, height)
	for _, v := range yTicks {
		fmt.Fprintf(&b, `<line class="grid" x1="%d" x2="%g" y1="%.1f" y2="%.1f"/>`, left, w-right, y(v), y(v))
		fmt.Fprintf(&b, `<text x="%d" y="%.1f" text-anchor="end">%s</text>`, left-6, y(v)+4, number(v))
	}
	for i, v := range xTicks {
		if v > end {
			break
		}
		anchor := "middle"
		if x(v) > w-right-14 {
			anchor = "end"
		}
		label := thousands(v)
		if i == 0 {
			label = "step " + label
			if x(v) < left+20 {
				anchor = "start"
			}
		}
		fmt.Fprintf(&b, `<line class="axis" x1="%.1f" x2="%.1f" y1="%g" y2="%g"/>`, x(v), x(v), h-bottom, h-bottom+4)
		fmt.Fprintf(&b, `<text x="%.1f" y="%g" text-anchor="%s">%s</text>`, x(v), h-bottom+18, anchor, label)
	}
	fmt.Fprintf(&b, `<line class="axis" x1="%d" x2="%g" y1="%g" y2="%g"/>`, left, w-right, h-bottom, h-bottom)
	if loss {
		fmt.Fprintf(&b, `<line class="uniform" x1="%d" x2="%g" y1="%.1f" y2="%.1f"/>`, left, w-right, y(1), y(1))
	}
	line := c.Values
	if noisy {
		fmt.Fprintf(&b, `<path class="raw" d="%s"/>`, path(c.Steps, line, x, y))
		line = smooth(line)
	}
	fmt.Fprintf(&b, `<path class="line" d="%s"/>`, path(c.Steps, line, x, y))
	if !noisy && len(line) <= 60 { // so that one alone can be seen
		for i, v := range line {
			if finite(v) {
				fmt.Fprintf(&b, `<circle class="point" cx="%.1f" cy="%.1f" r="3"/>`, x(float64(c.Steps[i])), y(v))
			}
		}
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

// path joins at most about 600 of the points; a value that is not finite breaks it.
func path(steps []int, values []float64, x, y func(float64) float64) string {
	var b strings.Builder
	pen := "M"
	stride := (len(values) + 599) / 600
	for i := 0; i < len(values); i++ {
		if !finite(values[i]) {
			pen = "M"
			continue
		}
		if i%stride == 0 || i == len(values)-1 || pen == "M" {
			fmt.Fprintf(&b, "%s%.1f %.1f", pen, x(float64(steps[i])), y(values[i]))
			pen = "L"
		}
	}
	return b.String()
}

// smooth returns the exponential average over about a fiftieth of the values,
// corrected for its start as Adam's moments are.
func smooth(values []float64) []float64 {
	keep := 1 - 1/max(1, float64(len(values))/50)
	out := make([]float64, len(values))
	sum, weight := 0.0, 0.0
	for i, v := range values {
		out[i] = math.NaN()
		if finite(v) {
			sum, weight = keep*sum+(1-keep)*v, keep*weight+(1-keep)
			out[i] = sum / weight
		}
	}
	return out
}

// ticks returns about n round numbers (1, 2 or 5 times a power of ten apart) that
// cover [low, high] or fall just short of high.
func ticks(low, high float64, n int) []float64 {
	raw := (high - low) / float64(n)
	step := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, k := range []float64{2, 2.5, 2} { // to 2, 5 and 10 times
		if step >= raw {
			break
		}
		step *= k
	}
	var t []float64
	for i := math.Ceil(low/step-1e-9) + 0; i*step <= high*(1+1e-9) && len(t) <= 2*n+2; i++ {
		t = append(t, i*step)
	}
	if len(t) == 0 {
		t = []float64{low}
	}
	return t
}

// number prints a value of an axis or a last value in three digits.
func number(v float64) string {
	a := math.Abs(v)
	switch {
	case a >= 1e3 && a < 1e15:
		return thousands(v)
	case a != 0 && (a < 1e-3 || a >= 1e15):
		s := strconv.FormatFloat(v, 'e', 1, 64)
		s = strings.Replace(s, ".0e", "e", 1)
		s = strings.Replace(s, "e-0", "e−", 1)
		return strings.Replace(s, "-", "−", 1)
	}
	return strings.Replace(strconv.FormatFloat(v, 'g', 3, 64), "-", "−", 1)
}
