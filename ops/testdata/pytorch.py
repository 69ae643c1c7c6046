"""Writes pytorch.json: what PyTorch computes for the samples of ops/samples_test.go.

    MUPPET_SAMPLES=/tmp/samples.json go test -run PyTorch ./ops
    python ops/testdata/pytorch.py /tmp/samples.json   # with torch and numpy installed

The Go test writes the samples' inputs; this file says which expression of PyTorch is
meant by each operation. Results are in float64: the value, and the gradient of
sum(value * w) for each input, with w[i] = cos(i) over the value's elements.
"""

import json
import os
import re
import sys

import torch
import torch.nn.functional as F


def settings(name):
    """The numbers in a sample's name, as Go prints them: {[2 3] 1} is [[2, 3], 1]."""
    name = re.sub(r"[{\[]", "[", name)
    name = re.sub(r"[}\]]", "]", name)
    return json.loads(re.sub(r"\s+", ",", name.strip()))


def axes(x, a):
    return tuple(a) if a else tuple(range(x.dim()))


def segments(name):
    """Lengths of the segments that the named samples of segment operations have."""
    return {
        "ragged": [3, 0, 1, 2], "causal": [3, 0, 1, 2], "odd width": [2, 3], "length one": [1],
        "ignored": [3, 3], "all ignored": [3], "empty last": [2, 0], "uniform": [3, 3],
    }[name]


def self_attention(qkv, name):
    heads = {"odd width": 1, "length one": 1}.get(name, 2)
    causal = name in ("causal", "odd width", "length one")
    d = qkv.shape[1] // 3
    out = []
    for part in torch.split(qkv, segments(name)):
        q, k, v = (t.reshape(len(part), heads, d // heads).transpose(0, 1) for t in torch.split(part, d, dim=1))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        out.append(y.transpose(0, 1).reshape(len(part), d))
    return torch.cat(out)


def cross_attention(q, kv, name):
    lengths = {"more keys": ([1, 2, 1], [3, 2, 1]), "more queries": ([3, 1], [1, 2])}[name]
    d = q.shape[1]
    out = []
    for a, b in zip(torch.split(q, lengths[0]), torch.split(kv, lengths[1])):
        a, k, v = (t.reshape(len(t), 2, d // 2).transpose(0, 1) for t in (a, b[:, :d], b[:, d:]))
        out.append(F.scaled_dot_product_attention(a, k, v).transpose(0, 1).reshape(-1, d))
    return torch.cat(out)


def segment_cross_entropy(logits, name):
    targets = {"ragged": [1, 0, 0, 1], "ignored": [-1, 2], "all ignored": [-1], "empty last": [1, 0], "uniform": [2, 0]}[name]
    out = []
    for part, t in zip(torch.split(logits.flatten(), segments(name)), targets):
        if len(part) == 0 or t < 0:
            out.append(part.sum() * 0)
        else:
            out.append(F.cross_entropy(part[None], torch.tensor([t])))
    return torch.stack(out)


def index_add(x, index, n):
    return torch.zeros(n, *x.shape[1:], dtype=x.dtype).index_add(0, torch.tensor(index, dtype=torch.long), x)


def gelu(x):
    return F.gelu(x)


# Each takes the inputs and the sample's name. An operation of None is not in PyTorch,
# or draws numbers of its own.
OPERATIONS = {
    "Abs": lambda x, _: x[0].abs(),
    "Add": lambda x, _: x[0] + x[1],
    "ArgMax": lambda x, n: x[0].argmax(settings(n)[1]),
    "BiasGELU": lambda x, _: gelu(x[0] + x[1]),
    "Concat": lambda x, n: torch.cat(x, settings(n)[0] if isinstance(settings(n)[0], int) else 0),
    "Cos": lambda x, _: x[0].cos(),
    "CrossAttention": lambda x, n: cross_attention(x[0], x[1], n),
    "CrossEntropy": lambda x, _: F.cross_entropy(x[0], torch.tensor([3, 0, 2])),
    "Div": lambda x, _: x[0] / x[1],
    "Dropout": None,
    "DropoutAdd": None,
    "Erf": lambda x, _: x[0].erf(),
    "Exp": lambda x, _: x[0].exp(),
    "Expand": lambda x, n: x[0].expand(settings(n)[1]),
    "GELU": lambda x, _: gelu(x[0]),
    "IndexAdd": lambda x, n: index_add(x[0], *settings(n)[1:]),
    "IndexSelect": lambda x, n: x[0][torch.tensor(settings(n)[1], dtype=torch.long)],
    "LayerNorm": lambda x, _: F.layer_norm(x[0], x[0].shape[-1:], x[1], x[2], 1e-2),
    "Linear": lambda x, _: F.linear(*x),
    "Log": lambda x, _: x[0].log(),
    "LogSumExp": lambda x, n: x[0].logsumexp(settings(n)[1]),
    "MatMul": lambda x, _: x[0] @ x[1],
    "Max": lambda x, n: x[0].amax(settings(n)[1]),
    "Maximum": lambda x, _: torch.maximum(x[0], x[1]),
    "Mean": lambda x, n: x[0].mean(axes(x[0], settings(n)[1])),
    "Minimum": lambda x, _: torch.minimum(x[0], x[1]),
    "Mul": lambda x, _: x[0] * x[1],
    "Neg": lambda x, _: -x[0],
    "Permute": lambda x, n: x[0].permute(settings(n)[1]),
    "Pointwise": lambda x, n: F.mish(x[0]) if n == "mish" else x[0] * x[1] + x[2] * x[2] * x[0],
    "Pow": lambda x, _: x[0] ** x[1],
    "ReLU": lambda x, _: x[0].relu(),
    "Reshape": lambda x, n: x[0].reshape(settings(n)[1]),
    "Scale": lambda x, _: x[0] * -1.7,
    "SegmentCrossEntropy": lambda x, n: segment_cross_entropy(x[0], n),
    "SelfAttention": lambda x, n: self_attention(x[0], n),
    "Sigmoid": lambda x, _: x[0].sigmoid(),
    "Sin": lambda x, _: x[0].sin(),
    "Slice": lambda x, n: x[0].narrow(settings(n)[1], settings(n)[2], settings(n)[3] - settings(n)[2]),
    "Softmax": lambda x, n: x[0].softmax(settings(n)[1]),
    "Sqrt": lambda x, _: x[0].sqrt(),
    "Sub": lambda x, _: x[0] - x[1],
    "Sum": lambda x, n: x[0].sum(axes(x[0], settings(n)[1])),
    "Tanh": lambda x, _: x[0].tanh(),
    "Transpose": lambda x, n: x[0].transpose(-1, 1) if n == "last" else x[0].transpose(0, 0),
}

PER_OPERATION = 6  # samples that are stored


def main():
    torch.set_default_dtype(torch.float64)
    with open(sys.argv[1]) as f:
        samples = json.load(f)
    stored, taken = {}, {}
    for s in samples:
        op, name = s["op"], s["name"]
        f = OPERATIONS[op]
        if f is None or taken.get(op, 0) == PER_OPERATION:
            continue
        x = [torch.tensor(i["values"]).reshape(i["shape"]).requires_grad_() for i in s["inputs"]]
        try:
            y = f(x, name)
        except KeyError:  # a sample without a name in the tables above
            continue
        if y.numel() == 0:
            continue
        result = {"value": rounded(y)}
        if y.requires_grad:
            w = torch.arange(y.numel()).to(y.dtype).cos().reshape(y.shape)
            gradients = torch.autograd.grad((y * w).sum(), x, allow_unused=True)
            result["gradients"] = [rounded(g if g is not None else torch.zeros_like(i)) for g, i in zip(gradients, x)]
        taken[op] = taken.get(op, 0) + 1
        stored[op + "/" + name] = result
    missing = [op for op, f in OPERATIONS.items() if f is not None and op not in taken]
    if missing:
        sys.exit(f"no sample was computed for {missing}")
    path = os.path.join(os.path.dirname(__file__), "pytorch.json")
    with open(path, "w") as out:
        out.write('{\n"torch": ' + json.dumps(torch.__version__.split("+")[0]))
        for key, result in stored.items():
            out.write(",\n" + json.dumps(key) + ": " + json.dumps(result, separators=(",", ":")))
        out.write("\n}\n")
    print(len(stored), "samples of", len(taken), "operations")


def rounded(x):
    return [float(f"{v:.10g}") for v in x.detach().flatten().tolist()]


main()
