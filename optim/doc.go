// Package optim has optimisers and learning-rate schedules.
//
// An optimiser changes parameters by their gradients, one pass over memory for each
// parameter:
//
//	opt := optim.NewAdamW(nn.Parameters(model), optim.AdamWConfig{WeightDecay: 0.01})
//	schedule := optim.CosineDecay{Peak: 1e-3, WarmUp: 100, Total: 10000}
//	for step := 1; step <= 10000; step++ {
//		autograd.Backward(loss(step), grads)
//		opt.LR = schedule.At(step)
//		opt.Step(grads)
//	}
//
// Parameters may differ in learning rate and weight decay, where PyTorch has parameter
// groups: set LRScale and DecayScale of the nn.Parameter. Their tags in the model say
// which have no decay at all.
//
// Each file has one optimiser with its formula, written as in PyTorch; an Optimizer
// does the rest: clipping, checkpoints, parameters without gradients.
package optim
