"""Writes pytorch.json: what PyTorch computes for the samples of ops/samples_test.go.

    MUPPET_SAMPLES=/tmp/samples.json go test -run PyTorch ./ops
    python ops/testdata/pytorch.py /tmp/samples.json   # with torch and numpy installed

The Go test writes the samples' inputs; this file, or a sample itself, says which
expression of PyTorch is meant by an operation. Results are in float64: the value, and the gradient of
sum(value * w) for each input, with w[i] = cos(i) over the value's elements.
"""

import json
import os
import re
import sys

import torch
import torch.nn.functional as F


LIST = re.compile(r"[{\[].*[}\]]")


def settings(name):
    """The numbers in a sample's name, as Go prints them: {[2 3] 1} is [[2, 3], 1]."""
    if not LIST.search(name):
        raise KeyError(name)
    text = re.sub(r"[{\[]", "[", LIST.search(name)[0])
    text = re.sub(r"[}\]]", "]", text)
    return json.loads(re.sub(r"\s+", ",", text))


def kind(name):
    """What stands around the list in a sample's name."""
    return LIST.sub("", name).strip()


def axes(x, a):
    """One axis, a list of them, or none for all."""
    if isinstance(a, int):
        return (a,)
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


def condition(shape):
    n = 1
    for d in shape:
        n *= d
    return (torch.arange(n) % 3 != 0).reshape(shape)


def signs(x):
    return [torch.sign(i) for i in x]


def compare(f):
    return lambda x, n: f(*(signs(x) if n == "ties" else x)).to(torch.float64)


def class_loss(x, name):
    smoothing, weighted = re.match(r"(\S+) (true|false)", kind(name)).groups()
    labels = torch.tensor(settings(name)).clamp(min=-1)
    weight = x[1].detach() if weighted == "true" else None  # PyTorch has no gradient for it
    return F.cross_entropy(x[0], labels, weight=weight, ignore_index=-1, label_smoothing=float(smoothing))


def nll_loss(x, name):
    return F.nll_loss(x[0], torch.tensor(settings(name)).clamp(min=-1), ignore_index=-1)


def cosine_similarity(x, name):
    eps = float(kind(name))
    if eps > 1:  # PyTorch's gradient ignores that eps took the place of a norm
        x = [i.detach() for i in x]
    return F.cosine_similarity(x[0], x[1], settings(name)[2], eps)


def index(shape, values):
    return torch.tensor(values, dtype=torch.long).reshape(shape)


def narrow(x, name):
    if kind(name) == "negative":
        axis, _, _, start, end = settings(name)
    else:
        _, axis, start, end = settings(name)
    return x[0].narrow(axis, start, end - start)


def batch_statistics(x):
    axes = [0, *range(2, x.dim())]
    return torch.cat([x.mean(axes), x.var(axes, correction=0)])


def convolution(f, x, name):
    stride, padding, dilation, groups = settings(name)[3]
    bias = x[2] if len(x) == 3 else None
    return f(x[0], x[1], bias, stride or 1, padding or 0, dilation or 1, groups or 1)


def pool(name):
    kernel, stride, padding = settings(name)[1]
    return {"kernel_size": kernel, "stride": stride or kernel, "padding": padding or 0}


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
    "ArgMin": lambda x, n: x[0].argmin(settings(n)[1]),
    "AvgPool1d": lambda x, n: F.avg_pool1d(x[0], **pool(n)),
    "AvgPool2d": lambda x, n: F.avg_pool2d(x[0], **pool(n)),
    "BCEWithLogits": lambda x, _: F.binary_cross_entropy_with_logits(x[0], x[1]),
    "BatchNorm": lambda x, n: batch_statistics(x[0]) if kind(n) else F.batch_norm(x[0], None, None, x[1], x[2], training=True, eps=1e-2),
    "BiasGELU": lambda x, _: gelu(x[0] + x[1]),
    "Clamp": lambda x, n: x[0].clamp(min=0.1) if kind(n) == "one side" else x[0].clamp(-0.5, 1),
    "Concat": lambda x, n: torch.cat(x, settings(n)[0] if isinstance(settings(n)[0], int) else 0),
    "Conv1d": lambda x, n: convolution(F.conv1d, x, n),
    "Conv2d": lambda x, n: convolution(F.conv2d, x, n),
    "Cos": lambda x, _: x[0].cos(),
    "CosineSimilarity": cosine_similarity,
    "CrossAttention": lambda x, n: cross_attention(x[0], x[1], n),
    "CrossEntropy": lambda x, n: F.cross_entropy(x[0], torch.tensor(settings(n) if n else [3, 0, 2]).clamp(min=-1), ignore_index=-1),
    "CrossEntropyWith": class_loss,
    "CumSum": lambda x, n: x[0].cumsum(settings(n)[1]),
    "Div": lambda x, _: x[0] / x[1],
    "Dropout": None,
    "DropoutAdd": None,
    "Einsum": lambda x, n: torch.einsum(kind(n), *x),
    "Embedding": lambda x, n: F.embedding(index(*settings(n)[2:]), x[0]),
    "Equal": compare(torch.eq),
    "Erf": lambda x, _: x[0].erf(),
    "Exp": lambda x, _: x[0].exp(),
    "Expand": lambda x, n: x[0].expand(settings(n)[1]),
    "Expm1": lambda x, _: x[0].expm1(),
    "Flip": lambda x, n: x[0].flip(settings(n)[1]),
    "GELU": lambda x, _: gelu(x[0]),
    "GELUTanh": lambda x, _: F.gelu(x[0], approximate="tanh"),
    "Gather": lambda x, n: x[0].gather(settings(n)[1], index(*settings(n)[2:])),
    "Greater": compare(torch.gt),
    "GreaterEqual": compare(torch.ge),
    "HuberLoss": lambda x, n: F.huber_loss(x[0], x[1], delta=10 if kind(n) == "within" else 0.9),
    "IndexAdd": lambda x, n: index_add(x[0], *settings(n)[1:]),
    "IndexSelect": lambda x, n: x[0][torch.tensor(settings(n)[1], dtype=torch.long)],
    "KLDiv": lambda x, _: F.kl_div(x[0], x[1], reduction="batchmean" if x[0].dim() else "sum"),
    "L1Loss": lambda x, _: F.l1_loss(x[0], x[1]),
    "LayerNorm": lambda x, _: F.layer_norm(x[0], x[0].shape[-1:], x[1], x[2], 1e-2),
    "Less": compare(torch.lt),
    "LessEqual": compare(torch.le),
    "Linear": lambda x, _: F.linear(*x),
    "Log": lambda x, _: x[0].log(),
    "Log1p": lambda x, _: x[0].log1p(),
    "LogSoftmax": lambda x, n: x[0].log_softmax(settings(n)[1]),
    "LogSumExp": lambda x, n: x[0].logsumexp(axes(x[0], settings(n)[1])),
    "MSELoss": lambda x, _: F.mse_loss(x[0], x[1]),
    "MatMul": lambda x, _: x[0] @ x[1],
    "Max": lambda x, n: x[0].amax(axes(x[0], settings(n)[1])),
    "MaxPool1d": lambda x, n: F.max_pool1d(x[0], **pool(n)),
    "MaxPool2d": lambda x, n: F.max_pool2d(x[0], **pool(n)),
    "Maximum": lambda x, _: torch.maximum(x[0], x[1]),
    "Mean": lambda x, n: x[0].mean(axes(x[0], settings(n)[1])),
    "Min": lambda x, n: x[0].amin(axes(x[0], settings(n)[1])),
    "Minimum": lambda x, _: torch.minimum(x[0], x[1]),
    "Mul": lambda x, _: x[0] * x[1],
    "NLLLoss": nll_loss,
    "Neg": lambda x, _: -x[0],
    "Norm": lambda x, n: torch.linalg.vector_norm(x[0], float(kind(n)), axes(x[0], settings(n)[1])),
    "NotEqual": compare(torch.ne),
    "OneHot": lambda x, n: F.one_hot(index(*settings(n)[2:]), settings(n)[0]).to(torch.float64),
    "Pad": lambda x, n: F.pad(x[0], [w for pair in settings(n)[2][::-1] for w in pair], value=settings(n)[1]),
    "Permute": lambda x, n: x[0].permute(settings(n)[1]),
    "Pointwise": lambda x, n: F.mish(x[0]) if n == "mish" else x[0] * x[1] + x[2] * x[2] * x[0],
    "Pow": lambda x, _: x[0] ** x[1],
    "RMSNorm": lambda x, _: F.rms_norm(x[0], x[0].shape[-1:], x[1], 1e-2),
    "ReLU": lambda x, _: x[0].relu(),
    "Repeat": lambda x, n: x[0].repeat(settings(n)[1]),
    "Reshape": lambda x, n: x[0].reshape(settings(n)[1]),
    "Rsqrt": lambda x, _: x[0].rsqrt(),
    "Scale": lambda x, _: x[0] * -1.7,
    "ScatterAdd": lambda x, n: x[0].scatter_add(settings(n)[1], index(*settings(n)[2:]), x[1][tuple(map(slice, settings(n)[2]))]),
    "SegmentCrossEntropy": lambda x, n: segment_cross_entropy(x[0], n),
    "SelfAttention": lambda x, n: self_attention(x[0], n),
    "SiLU": lambda x, _: F.silu(x[0]),
    "Sigmoid": lambda x, _: x[0].sigmoid(),
    "Sign": lambda x, _: x[0].sign(),
    "Sin": lambda x, _: x[0].sin(),
    "Slice": narrow,
    "Softmax": lambda x, n: x[0].softmax(settings(n)[1]),
    "Softplus": lambda x, _: F.softplus(x[0], threshold=1000),
    "Sort": lambda x, n: torch.sort(x[0], dim=settings(n)[1], descending="true" in n, stable=True)["indices" in n],
    "Split": lambda x, n: torch.cat(x[0].split(settings(n)[1], settings(n)[2])[::-1], settings(n)[2]),
    "Sqrt": lambda x, _: x[0].sqrt(),
    "Squeeze": lambda x, n: x[0].squeeze(tuple(settings(n)[1])) if settings(n)[1] else x[0].squeeze(),
    "Stack": lambda x, n: torch.stack(x, settings(n)[0]),
    "Sub": lambda x, _: x[0] - x[1],
    "Sum": lambda x, n: x[0].sum(axes(x[0], settings(n)[1])),
    "Tanh": lambda x, _: x[0].tanh(),
    "TopK": lambda x, n: x[0].topk(settings(n)[2], settings(n)[1])["indices" in n],
    "Transpose": lambda x, n: x[0].transpose(-1, 1) if n == "last" else x[0].transpose(0, 0),
    "Tril": lambda x, n: x[0].tril(settings(n)[1]),
    "Triu": lambda x, n: x[0].triu(settings(n)[1]),
    "Unsqueeze": lambda x, n: x[0].unsqueeze(settings(n)[1]),
    "Var": lambda x, n: x[0].var(axes(x[0], settings(n) if kind(n) else settings(n)[1]), correction=1 if kind(n) else 0),
    "Where": lambda x, n: torch.where(condition(settings(n)[0]), x[0], x[1]),
}

STORED = 4  # samples of an operation and a kind


def main():
    torch.set_default_dtype(torch.float64)
    with open(sys.argv[1]) as f:
        samples = json.load(f)
    stored, taken = {}, {}
    for s in samples:
        op, name = s["op"], s["name"]
        f = OPERATIONS.get(op)
        if s["torch"]:
            f = eval("lambda x, name: " + s["torch"])
        group = op, LIST.sub("", name)
        if f is None or taken.get(group, 0) == STORED:
            continue
        x = [torch.tensor(i["values"]).reshape(i["shape"]).requires_grad_() for i in s["inputs"]]
        if any(i.numel() == 0 for i in x):  # some of PyTorch's functions refuse them
            continue
        try:
            y = f(x, name)
        except (KeyError, ValueError):  # a name that is not in the tables above, or PyTorch refuses
            continue
        if y.numel() == 0 or not y.isfinite().all():  # JSON has neither
            continue
        result = {"value": rounded(y)}
        if y.requires_grad:
            w = torch.arange(y.numel()).to(y.dtype).cos().reshape(y.shape)
            gradients = torch.autograd.grad((y * w).sum(), x, allow_unused=True)
            result["gradients"] = [None if g is None else rounded(g) for g in gradients]
        taken[group] = taken.get(group, 0) + 1
        stored[op + "/" + name] = result
    missing = [op for op, f in OPERATIONS.items() if f is not None and op not in {group[0] for group in taken}]
    if missing:
        sys.exit(f"no sample was computed for {missing}")
    path = os.path.join(os.path.dirname(__file__), "pytorch.json")
    with open(path, "w") as out:
        out.write('{\n"torch": ' + json.dumps(torch.__version__.split("+")[0]))
        for key, result in stored.items():
            out.write(",\n" + json.dumps(key) + ": " + json.dumps(result, separators=(",", ":")))
        out.write("\n}\n")
    print(len(stored), "samples of", len({group[0] for group in taken}), "operations")


def rounded(x):
    return [float(f"{v:.10g}") for v in x.detach().flatten().tolist()]


main()
