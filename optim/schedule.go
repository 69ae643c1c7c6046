package optim

import "math"

// A Schedule says which learning rate a step has.
type Schedule interface {
	// At returns the learning rate of a step, counted from 1.
	At(step int) float64
}

// Constant is a learning rate that rises linearly to LR during WarmUp steps and then
// stays.
type Constant struct {
	LR     float64
	WarmUp int
}

// At returns the learning rate of a step, counted from 1.
func (c Constant) At(step int) float64 { return warmUp(c.LR, step, c.WarmUp) }

// warmUp returns the learning rate on the way to peak, and then that.
func warmUp(peak float64, step, steps int) float64 {
	if step < steps {
		return peak * float64(step) / float64(steps)
	}
	return peak
}

// A PolynomialDecay is a learning rate that rises linearly to Peak during WarmUp steps
// and then falls to End at step Total, along a polynomial (fairseq's
// polynomial_decay; with Power 1, which is meant by 0, the linear schedule of Hugging
// Face):
//
//	lr(step) = (Peak - End)·(1 - (step - WarmUp)/(Total - WarmUp))^Power + End
type PolynomialDecay struct {
	Peak, End     float64
	WarmUp, Total int
	Power         float64
}

// At returns the learning rate of a step, counted from 1.
func (p PolynomialDecay) At(step int) float64 {
	switch {
	case step < p.WarmUp:
		return warmUp(p.Peak, step, p.WarmUp)
	case step >= p.Total:
		return p.End
	}
	rest := 1 - float64(step-p.WarmUp)/float64(p.Total-p.WarmUp)
	return (p.Peak-p.End)*math.Pow(rest, or(p.Power, 1)) + p.End
}

// A Cosine is a learning rate that rises linearly to Peak during WarmUp steps and then
// falls to End at step Total, along half a cosine (Loshchilov and Hutter, arXiv
// 1608.03983, without restarts; with End 0 Hugging Face's cosine schedule):
//
//	lr(step) = End + (Peak - End)·(1 + cos(π·(step - WarmUp)/(Total - WarmUp)))/2
type Cosine struct {
	Peak, End     float64
	WarmUp, Total int
}

// At returns the learning rate of a step, counted from 1.
func (c Cosine) At(step int) float64 {
	switch {
	case step < c.WarmUp:
		return warmUp(c.Peak, step, c.WarmUp)
	case step >= c.Total:
		return c.End
	}
	return anneal(c.Peak, c.End, float64(step-c.WarmUp)/float64(c.Total-c.WarmUp))
}

// anneal goes from one rate to another along half a cosine.
func anneal(from, to, share float64) float64 {
	return to + (from-to)*(1+math.Cos(math.Pi*share))/2
}

// A OneCycle is a learning rate that rises from Peak/Div to Peak during the first Rise
// of Total steps and then falls to Peak/Div/FinalDiv, both along half a cosine (Smith
// and Topin, arXiv 1708.07120, as PyTorch's OneCycleLR has it). A zero Rise, Div or
// FinalDiv means PyTorch's default: 0.3, 25, 1e4.
type OneCycle struct {
	Peak          float64
	Total         int
	Rise          float64
	Div, FinalDiv float64
}

// At returns the learning rate of a step, counted from 1.
func (c OneCycle) At(step int) float64 {
	first := c.Peak / or(c.Div, 25)
	last := first / or(c.FinalDiv, 1e4)
	top := or(c.Rise, 0.3)*float64(c.Total) - 1 // as PyTorch counts, from 0
	at := float64(step - 1)
	switch {
	case at < 0:
		return first
	case at >= float64(c.Total-1):
		return last
	case at <= top:
		return anneal(first, c.Peak, at/top)
	}
	return anneal(c.Peak, last, (at-top)/(float64(c.Total-1)-top))
}
