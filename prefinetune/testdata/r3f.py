"""Makes r3f.json: R3F's and R4F's loss in PyTorch on the model and examples of curve.py.

The first examples of curve.json are run one by one through Hugging Face's RobertaModel in
float64, with and without noise on the word embeddings; the noise of token t, feature j of
the packed batch is eps * sin(7 t + 3 j + 1). Stored are the loss, the divergence of every
choice in the order of Muppet's packing (classifications by task, rankings, starts, ends) and the
gradients of all parameters: their sums of squares and their products with cos(0), cos(1), ...

    pip install torch transformers safetensors
    python r3f.py
"""

import json
import math

import torch
from safetensors.torch import load_file
from transformers import RobertaConfig, RobertaModel

torch.set_num_threads(1)
N, LAMBDA, EPS = 30, 0.7, 0.05

curve = json.load(open("curve.json"))
config = RobertaConfig(**{**curve["config"], "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0})
hidden = config.hidden_size
weights = {k: v.double().requires_grad_() for k, v in load_file("curve.safetensors").items()}
encoder = RobertaModel(config, add_pooling_layer=False).double().eval()
examples = curve["examples"][:N]


def noise(start, n):
    t, j = torch.arange(start, start + n).double()[:, None], torch.arange(hidden).double()[None]
    return EPS * torch.sin(7 * t + 3 * j + 1)


def encode(ids, start, noised):
    own = {k.removeprefix("roberta."): v for k, v in weights.items() if k.startswith("roberta.")}
    words = own["embeddings.word_embeddings.weight"][torch.tensor(ids)]
    if noised:
        words = words + noise(start, len(ids))
    return torch.func.functional_call(encoder, own, kwargs=dict(inputs_embeds=words[None]))[0][0]


def last(name, x, spectral):
    w = weights[name + ".weight"]
    if spectral:
        w = w / torch.linalg.matrix_norm(w, ord=2)
    return x @ w.T + weights[name + ".bias"]


def head(name, x, spectral):
    x = torch.tanh(x @ weights[name + ".dense.weight"].T + weights[name + ".dense.bias"])
    return last(name + ".out_proj", x, spectral)


def choices(e, start, noised, spectral):
    """The scores of an example's choices, with their targets."""
    rows = []
    for ids in e["sequences"]:
        rows.append(encode(ids, start, noised))
        start += len(ids)
    if e["task"] == "rank":
        return [(torch.cat([head("ranking", r[0], spectral) for r in rows]), e["target"])]
    if e["task"] == "span":
        s = last("span.qa_outputs", rows[0][e["first"] : e["first"] + e["count"]], spectral)
        return [(s[:, 0], e["start"]), (s[:, 1], e["end"])]
    return [(head("classifiers." + e["task"], rows[0][0], spectral), e["target"])]


def run(spectral):
    for w in weights.values():
        w.grad = None
    total, at, kls = 0.0, 0, []
    for i, e in enumerate(examples):
        clean, noised = choices(e, at, False, spectral), choices(e, at, True, spectral)
        at += sum(map(len, e["sequences"]))
        for k, ((s, target), (t, _)) in enumerate(zip(clean, noised)):
            p, q = torch.log_softmax(s, 0), torch.log_softmax(t, 0)
            kl = (p.exp() * (p - q)).sum() + (q.exp() * (q - p)).sum()
            nll = -p[target] / math.log(len(s)) if len(s) > 1 else 0 * s.sum()
            total = total + (nll + LAMBDA * kl) / len(clean) / N
            kls.append(((["two", "five", "rank", "span"].index(e["task"]), i) if k == 0 else (9, i), kl.item()))
    total.backward()
    kls.sort(key=lambda x: (x[0][0], x[0][1]))
    grads = {}
    for k, w in sorted(weights.items()):
        if w.grad is not None and w.grad.abs().max() > 0:
            g = w.grad.flatten()
            grads[k] = [(g * g).sum().item(), (g * torch.cos(torch.arange(len(g)).double())).sum().item()]
    return {"loss": total.item(), "kl": [v for _, v in kls], "gradients": grads}


with open("r3f.json", "w") as f:
    json.dump({"examples": N, "lambda": LAMBDA, "eps": EPS, "r3f": run(False), "r4f": run(True)}, f, indent=0)
    f.write("\n")
