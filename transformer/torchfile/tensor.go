package torchfile

import (
	"fmt"
	"slices"

	"github.com/muppet-go/muppet/nn/safetensors"
)

// maxRank is NumPy's limit, more than PyTorch's own operations bear.
const maxRank = 64

// A storage is elements in a row: an entry of the archive.
type storage struct {
	dtype safetensors.DType
	len   int   // elements
	at    int64 // where in the file it begins, in bytes
}

// untyped is the type of a storage of bytes whose tensors say what they are.
const untyped safetensors.DType = ""

// A tensor is a view of a storage: the element at position i of each dimension is element
// offset + Σ i·strides of the storage.
type tensor struct {
	storage
	offset         int
	shape, strides []int
}

// globals are the names that a state dict may use, and what they mean.
var globals = map[string]any{
	"collections.OrderedDict":         function(newOrderedDict),
	"torch._utils._rebuild_tensor_v2": function(rebuildTensorV2),
	"torch._utils._rebuild_tensor_v3": function(rebuildTensorV3),
	"torch._utils._rebuild_parameter": function(rebuildParameter),
	"torch.DoubleStorage":             safetensors.F64,
	"torch.FloatStorage":              safetensors.F32,
	"torch.HalfStorage":               safetensors.F16,
	"torch.BFloat16Storage":           safetensors.BF16,
	"torch.LongStorage":               safetensors.I64,
	"torch.IntStorage":                safetensors.I32,
	"torch.ShortStorage":              safetensors.I16,
	"torch.CharStorage":               safetensors.I8,
	"torch.ByteStorage":               safetensors.U8,
	"torch.BoolStorage":               safetensors.Bool,
	"torch.storage.UntypedStorage":    untyped,
	"torch.float64":                   safetensors.F64,
	"torch.float32":                   safetensors.F32,
	"torch.float16":                   safetensors.F16,
	"torch.bfloat16":                  safetensors.BF16,
	"torch.float8_e4m3fn":             safetensors.F8E4M3,
	"torch.float8_e5m2":               safetensors.F8E5M2,
	"torch.int64":                     safetensors.I64,
	"torch.int32":                     safetensors.I32,
	"torch.int16":                     safetensors.I16,
	"torch.int8":                      safetensors.I8,
	"torch.uint64":                    safetensors.U64,
	"torch.uint32":                    safetensors.U32,
	"torch.uint16":                    safetensors.U16,
	"torch.uint8":                     safetensors.U8,
	"torch.bool":                      safetensors.Bool,
}

func global(name string) (any, error) {
	v, ok := globals[name]
	if !ok {
		return nil, fmt.Errorf("%.200q is refused: only tensors are read, and nothing in a file is run", name)
	}
	return v, nil
}

func newOrderedDict(args tuple) (any, error) {
	if len(args) != 0 {
		return nil, fmt.Errorf("collections.OrderedDict of %d arguments: want none", len(args))
	}
	return &dict{}, nil
}

// rebuildParameter has the arguments data, requires_grad, backward_hooks.
func rebuildParameter(args tuple) (any, error) {
	if len(args) != 3 {
		return nil, fmt.Errorf("_rebuild_parameter of %d arguments: want 3", len(args))
	}
	t, ok := args[0].(*tensor)
	if !ok {
		return nil, fmt.Errorf("_rebuild_parameter of %T: want a tensor", args[0])
	}
	return t, nil
}

// rebuildTensorV2 has the arguments storage, storage_offset, size, stride, requires_grad, backward_hooks, metadata; the
// last may be missing.
func rebuildTensorV2(args tuple) (any, error) {
	if len(args) != 6 && len(args) != 7 {
		return nil, fmt.Errorf("_rebuild_tensor_v2 of %d arguments: want 6 or 7", len(args))
	}
	s, ok := args[0].(storage)
	if !ok || s.dtype == untyped {
		return nil, fmt.Errorf("_rebuild_tensor_v2 of %T: want a storage with a type", args[0])
	}
	return newTensor(s, args)
}

// rebuildTensorV3 has the arguments storage, storage_offset, size, stride, requires_grad, backward_hooks, dtype, metadata;
// the last may be missing. It is for types that have no storage of their own.
func rebuildTensorV3(args tuple) (any, error) {
	if len(args) != 7 && len(args) != 8 {
		return nil, fmt.Errorf("_rebuild_tensor_v3 of %d arguments: want 7 or 8", len(args))
	}
	s, ok1 := args[0].(storage)
	dtype, ok2 := args[6].(safetensors.DType)
	if !ok1 || !ok2 || s.dtype != untyped || dtype == untyped {
		return nil, fmt.Errorf("_rebuild_tensor_v3 of %T and %T: want an untyped storage and a dtype", args[0], args[6])
	}
	s.dtype = dtype
	s.len /= dtype.Size()
	return newTensor(s, args)
}

func newTensor(s storage, args tuple) (*tensor, error) {
	offset, err := integer(args[1])
	if err != nil {
		return nil, fmt.Errorf("storage_offset: %w", err)
	}
	shape, err := integers(args[2])
	if err != nil {
		return nil, fmt.Errorf("size: %w", err)
	}
	strides, err := integers(args[3])
	if err != nil {
		return nil, fmt.Errorf("stride: %w", err)
	}
	t := &tensor{s, offset, shape, strides}
	return t, t.check()
}

// check sees that a tensor lies in its storage. All arithmetic stays below 2·s.len, which is no more than the file has.
func (t *tensor) check() error {
	if len(t.shape) != len(t.strides) {
		return fmt.Errorf("size %v and stride %v differ in length", t.shape, t.strides)
	}
	if t.offset > t.storage.len {
		return fmt.Errorf("storage_offset %d in a storage of %d elements", t.offset, t.storage.len)
	}
	if slices.Contains(t.shape, 0) {
		return nil
	}
	last := t.offset
	for d, n := range t.shape {
		if n > 1 && t.strides[d] > t.storage.len/(n-1) {
			return fmt.Errorf("size %v and stride %v reach outside a storage of %d elements", t.shape, t.strides, t.storage.len)
		}
		if last += (n - 1) * t.strides[d]; n > 1 && last >= t.storage.len {
			break
		}
	}
	if last >= t.storage.len {
		return fmt.Errorf("storage_offset %d, size %v and stride %v reach outside a storage of %d elements", t.offset, t.shape, t.strides, t.storage.len)
	}
	return nil
}

// elements returns the number of elements of a shape, or false if it is more than the limit.
func elements(shape []int, limit int) (int, bool) {
	if slices.Contains(shape, 0) {
		return 0, true
	}
	n := 1
	for _, d := range shape {
		if d > limit/n {
			return 0, false
		}
		n *= d
	}
	return n, true
}

// integer returns a value that is no negative integer, and fits.
func integer(v any) (int, error) {
	n, ok := v.(int64)
	if !ok || n < 0 || int64(int(n)) != n {
		return 0, fmt.Errorf("%s is no integer from 0 on", describe(v))
	}
	return int(n), nil
}

func integers(v any) ([]int, error) {
	items, ok := v.(tuple)
	if !ok || len(items) > maxRank {
		return nil, fmt.Errorf("%s is no tuple of at most %d integers", describe(v), maxRank)
	}
	ints := make([]int, len(items))
	for i, item := range items {
		n, err := integer(item)
		if err != nil {
			return nil, err
		}
		ints[i] = n
	}
	return ints, nil
}

// describe prints a number, and of what may be large or contain itself the type.
func describe(v any) string {
	if n, ok := v.(int64); ok {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%T", v)
}
