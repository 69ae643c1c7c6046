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
// # Gradients of gradients
//
// Grad returns gradients as tensors that, on request, have a graph of their own,
// so that they can be differentiated again, to any order.
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
