package optim

import "math"

// A Schedule says how the learning rate changes.
type Schedule interface {
	// At returns the learning rate of a step, counted from 1.
	At(step int) float64
}

// A Constant is a learning rate that rises linearly to LR during WarmUp steps and
// stays.
type Constant struct {
	LR     float64
	WarmUp int
}

// At returns the learning rate of a step, counted from 1.
func (c Constant) At(step int) float64 {
	return warmUp(c.LR, step, c.WarmUp)
}

// A PolynomialDecay is a learning rate that rises linearly to Peak during WarmUp steps
// and then falls to End at step Total, along a polynomial (fairseq's
// polynomial_decay; with Power 1 the linear schedule of Hugging Face):
//
//	lr(step) = (Peak - End)·(1 - (step - WarmUp)/(Total - WarmUp))^Power + End
type PolynomialDecay struct {
	Peak, End     float64
	WarmUp, Total int
	Power         float64 // 0 means 1
}

// At returns the learning rate of a step, counted from 1.
func (p PolynomialDecay) At(step int) float64 {
	if step < p.WarmUp {
		return warmUp(p.Peak, step, p.WarmUp)
	}
	return (p.Peak-p.End)*math.Pow(rest(step, p.WarmUp, p.Total), or(p.Power, 1)) + p.End
}

// A CosineDecay is a learning rate that rises linearly to Peak during WarmUp steps and
// then falls to End at step Total, along half a cosine wave (Loshchilov and Hutter,
// arXiv 1608.03983, without restarts):
//
//	lr(step) = (Peak - End)·(1 + cos(π·(step - WarmUp)/(Total - WarmUp)))/2 + End
type CosineDecay struct {
	Peak, End     float64
	WarmUp, Total int
}

// At returns the learning rate of a step, counted from 1.
func (c CosineDecay) At(step int) float64 {
	if step < c.WarmUp {
		return warmUp(c.Peak, step, c.WarmUp)
	}
	return cosine(c.End, c.Peak, rest(step, c.WarmUp, c.Total))
}

// A OneCycle is a learning rate that begins at Peak/DivFactor, rises to Peak at step
// WarmUp, and falls to Peak/DivFactor/FinalDivFactor at step Total, both along half
// cosine waves: the 1cycle policy (Smith and Topin, arXiv 1708.07120) as PyTorch's
// OneCycleLR has it.
type OneCycle struct {
	Peak           float64
	WarmUp, Total  int
	DivFactor      float64 // 0 means 25
	FinalDivFactor float64 // 0 means 1e4
}

// At returns the learning rate of a step, counted from 1.
func (c OneCycle) At(step int) float64 {
	start := c.Peak / or(c.DivFactor, 25)
	if step < c.WarmUp {
		return cosine(start, c.Peak, 1-rest(step, 1, c.WarmUp))
	}
	return cosine(start/or(c.FinalDivFactor, 1e4), c.Peak, rest(step, c.WarmUp, c.Total))
}

// warmUp rises linearly to peak at step n, and stays.
func warmUp(peak float64, step, n int) float64 {
	if step >= n {
		return peak
	}
	return peak * float64(step) / float64(n)
}

// rest falls from 1 at step first to 0 at step last, and stays.
func rest(step, first, last int) float64 {
	if step >= last {
		return 0
	}
	return 1 - float64(step-first)/float64(last-first)
}

// cosine goes from low to high along half a cosine wave as x goes from 0 to 1.
func cosine(low, high, x float64) float64 {
	return low + (high-low)*(1-math.Cos(math.Pi*x))/2
}
