package optim

import "math"

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
	switch {
	case step < p.WarmUp:
		return p.Peak * float64(step) / float64(p.WarmUp)
	case step >= p.Total:
		return p.End
	}
	power := p.Power
	if power == 0 {
		power = 1
	}
	rest := 1 - float64(step-p.WarmUp)/float64(p.Total-p.WarmUp)
	return (p.Peak-p.End)*math.Pow(rest, power) + p.End
}
