"""Makes curve.safetensors and curve.json: 50 steps of a small heterogeneous mix in PyTorch.

The encoder is Hugging Face's RobertaModel on padded batches with an attention mask;
the test trains ours on the same examples, packed, and compares every step's loss.

    pip install torch transformers safetensors
    python curve.py
"""

import json
import math

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import RobertaConfig, RobertaModel

torch.manual_seed(7)
torch.set_num_threads(1)
VOCAB, HIDDEN, LAYERS, HEADS, STEPS, WARMUP, PEAK, DECAY, CLIP = 40, 24, 2, 3, 50, 5, 3e-3, 0.05, 1.0

config = RobertaConfig(
    vocab_size=VOCAB, hidden_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
    intermediate_size=48, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    max_position_embeddings=34, type_vocab_size=1, layer_norm_eps=1e-5, pad_token_id=1, bos_token_id=0, eos_token_id=2,
)
encoder = RobertaModel(config, add_pooling_layer=False)


def head(outputs):
    return torch.nn.ModuleDict({"dense": torch.nn.Linear(HIDDEN, HIDDEN), "out_proj": torch.nn.Linear(HIDDEN, outputs)})


classes = {"two": 2, "five": 5}
model = torch.nn.ModuleDict({
    "roberta": encoder,
    "classifiers": torch.nn.ModuleDict({name: head(n) for name, n in classes.items()}),
    "ranking": head(1),
    "span": torch.nn.ModuleDict({"qa_outputs": torch.nn.Linear(HIDDEN, 2)}),
})
for p in model.parameters():  # weights of a size at which the curve moves
    with torch.no_grad():
        if p.dim() > 1:
            p.normal_(0, 0.15)


def state():
    kept = {k: v.detach().clone().contiguous() for k, v in model.state_dict().items() if "position_ids" not in k and "token_type_ids" not in k}
    return kept


save_file(state(), "curve.safetensors")

gen = torch.Generator().manual_seed(3)


def ints(low, high, n):
    return torch.randint(low, high, (n,), generator=gen).tolist()


def one(low, high):
    return ints(low, high, 1)[0]


def text(n):
    return [0] + ints(5, VOCAB, n) + [2]


def example():
    kind = one(0, 4)
    if kind < 2:
        name = list(classes)[kind]
        ids = text(one(2, 12))
        return {"task": name, "sequences": [ids], "target": (ids[1] + ids[2]) % classes[name]}
    if kind == 2:
        n = one(2, 6)
        seqs = [text(one(2, 9)) for _ in range(n)]
        return {"task": "rank", "sequences": seqs, "target": max(range(n), key=lambda i: seqs[i][1])}
    question, passage = ints(5, VOCAB, one(1, 5)), ints(5, VOCAB, one(3, 12))
    start = passage.index(max(passage))
    end = min(start + one(0, 3), len(passage) - 1)
    first = len(question) + 3
    return {"task": "span", "sequences": [[0] + question + [2, 2] + passage + [2]], "target": 0,
            "first": first, "count": len(passage), "start": start, "end": end}


def hidden_of(sequences):
    longest = max(map(len, sequences))
    ids = torch.full((len(sequences), longest), 1)
    mask = torch.zeros((len(sequences), longest), dtype=torch.long)
    for i, s in enumerate(sequences):
        ids[i, : len(s)] = torch.tensor(s)
        mask[i, : len(s)] = 1
    return encoder(input_ids=ids, attention_mask=mask).last_hidden_state


def apply(h, x):
    return h["out_proj"](torch.tanh(h["dense"](x)))


def cost(e):
    h = hidden_of(e["sequences"])
    if e["task"] in classes:
        logits = apply(model["classifiers"][e["task"]], h[0, :1])
        return F.cross_entropy(logits, torch.tensor([e["target"]])) / math.log(classes[e["task"]])
    if e["task"] == "rank":
        logits = apply(model["ranking"], h[:, 0]).view(1, -1)
        return F.cross_entropy(logits, torch.tensor([e["target"]])) / math.log(len(e["sequences"]))
    scores = model["span"]["qa_outputs"](h[0, e["first"]: e["first"] + e["count"]])
    start = F.cross_entropy(scores[:, 0].view(1, -1), torch.tensor([e["start"]]))
    end = F.cross_entropy(scores[:, 1].view(1, -1), torch.tensor([e["end"]]))
    return (start + end) / 2 / math.log(e["count"])


plain = [p for n, p in model.named_parameters() if n.endswith("bias") or "LayerNorm" in n]
decayed = [p for n, p in model.named_parameters() if not (n.endswith("bias") or "LayerNorm" in n)]
optimiser = torch.optim.AdamW(
    [{"params": decayed, "weight_decay": DECAY}, {"params": plain, "weight_decay": 0.0}], lr=PEAK, betas=(0.9, 0.98), eps=1e-6)

pool = [example() for _ in range(48)]
steps = []
for step in range(1, STEPS + 1):
    picked = ints(0, len(pool), one(3, 9))
    lr = PEAK * step / WARMUP if step < WARMUP else PEAK * (1 - (step - WARMUP) / (STEPS + 1 - WARMUP))
    for group in optimiser.param_groups:
        group["lr"] = lr
    loss = sum(cost(pool[i]) for i in picked) / len(picked)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP).item()
    optimiser.step()
    steps.append({"examples": picked, "lr": lr, "loss": loss.item(), "norm": norm})

json.dump({
    "config": {"model_type": "roberta", "vocab_size": VOCAB, "hidden_size": HIDDEN, "num_hidden_layers": LAYERS,
               "num_attention_heads": HEADS, "intermediate_size": 48, "hidden_act": "gelu", "hidden_dropout_prob": 0.0,
               "attention_probs_dropout_prob": 0.0, "max_position_embeddings": 34, "type_vocab_size": 1,
               "initializer_range": 0.02, "layer_norm_eps": 1e-5, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2},
    "classes": classes, "decay": DECAY, "clip": CLIP, "examples": pool, "steps": steps,
}, open("curve.json", "w"), indent=None, separators=(",", ":"))
print(steps[0]["loss"], steps[-1]["loss"])
