// Package autograd is a reverse-mode automatic differentiation engine.
//
// A Tensor is an n-dimensional array on a device. Operations (package ops) are
// functions that return new tensors; where an input requires gradients, the
// result remembers how it was made. Backward follows that graph from a result
// back to the leaves:
//
//	x := autograd.New([]float32{1, 2, 3}, 3).RequireGrad()
//	y := ops.Sum(ops.Mul(x, x))
//	y.Backward()
//	fmt.Println(x.Grad()) // Tensor[3] float32 [2 4 6]
//
// What was recorded can be looked at: y.Graph() is drawn in a notebook, and its methods
// SVG, DOT and String say the same elsewhere. Named gives leaves and results names there.
//
// # Where gradients go
//
// The method Backward keeps gradients in the leaves, where the method Grad finds
// them. Training collects them in a Gradients instead, which a goroutine has for
// itself, so that several can share parameters. RetainGrad keeps the gradient of a
// result, too, and RegisterHook sees or replaces any gradient on its way. Detach cuts a
// tensor from its history; with Scope.NoGrad nothing is recorded.
//
// # Gradients of gradients
//
// Grad returns gradients as tensors that, on request, have a graph of their own,
// so that they can be differentiated again, to any order. For functions of tensors
// VJP multiplies with the Jacobian from the left, JVP from the right, and HVP with the
// Hessian; Jacobian and Hessian return all entries.
//
// # Functions of one's own
//
// An elementwise formula is ops.Pointwise. Any other function computes its result,
// and tells Apply how it is differentiated: a Rule, whose Backward is written with
// operations. GradCheck and GradGradCheck compare with finite differences and
// name the entry that is worst.
//
// # Memory
//
// Tensors are garbage collected unless they belong to a Scope. A scope owns the
// memory of a training step: Reset takes all of it back for the next step. Within
// a step a Frame brackets a layer and returns what nobody needs any more when the
// layer ends. A tensor that is used after its memory went back panics; it never
// reads somebody else's numbers. A result belongs to the scope of its inputs, so
// only the input of a model need be brought into the scope, with Scope.Of.
//
// From the second step on a scope asks its device for nothing. What is left to the
// garbage collector are headers: four small objects for an elementwise operation, and
// fewer than ten for any operation on average, backward pass and optimiser included,
// which keeps the collector below 0.5 % of the time (go test -run WarmStep -v
// ./transformer).
//
// What the backward pass needs is most of a step's memory. Scope.Checkpoint keeps a
// layer's inputs only and computes the layer again when the pass comes to it.
//
// # Finding faults
//
// Two switches of a scope cost nanoseconds of an operation's microsecond while they are
// off (go test -bench 'Switches|Overhead' ./autograd). DetectAnomaly names the
// operation that first made a NaN or an infinity, forward or backward, and the line of
// the program that called it. Trace records when each operation ran, what it moved and
// computed, and draws the step as a timeline.
//
// # Writing in place
//
// Operations never change their inputs. Optimisers and caches do, through Mutate,
// which gives the memory a new version: a backward pass that needs the old values
// then panics and names the operation.
//
// # Panics and errors
//
// Mistakes in the calling program (shapes, mixed devices, a stale tensor) panic
// with a string. What goes wrong on a device (out of memory, an index out of range)
// panics with a *device.Error, which Try turns into an error.
package autograd
