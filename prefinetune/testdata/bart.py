"""Makes bart.safetensors and bart.json: 12 steps of a mix of all four families in BART, in PyTorch.

BartModel is Hugging Face's; examples go through it one by one. A summarisation's decoder reads the labels
shifted right, and its loss is fairseq's label-smoothed cross entropy, averaged over the tokens and divided
by log |V|. All other examples are read by both halves, and scored as by BartForSequenceClassification (the
decoder's state at the last </s>) and BartForQuestionAnswering. The steps have R3F's loss with noise on the
encoder's word embeddings: that of token t, feature j of the packed batch is eps * sin(7 t + 3 j + 1).

    pip install torch transformers safetensors
    python bart.py
"""

import json
import math

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import BartConfig, BartModel
from transformers.models.bart.modeling_bart import shift_tokens_right

torch.manual_seed(11)
torch.set_num_threads(1)
VOCAB, HIDDEN, STEPS, WARMUP, PEAK, DECAY, CLIP = 36, 16, 12, 3, 3e-3, 0.05, 1.0
SMOOTHING, LAMBDA, EPS = 0.1, 5.0, 0.2

settings = dict(
    vocab_size=VOCAB, d_model=HIDDEN, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=4,
    encoder_ffn_dim=24, decoder_ffn_dim=20, dropout=0.0, attention_dropout=0.0, activation_dropout=0.0, classifier_dropout=0.0,
    max_position_embeddings=32, activation_function="gelu", scale_embedding=True, init_std=0.02,
    pad_token_id=1, bos_token_id=0, eos_token_id=2, decoder_start_token_id=2, forced_eos_token_id=2)
config = BartConfig(**settings)


def head(outputs):
    return torch.nn.ModuleDict({"dense": torch.nn.Linear(HIDDEN, HIDDEN), "out_proj": torch.nn.Linear(HIDDEN, outputs)})


classes = {"two": 2, "five": 5}
model = torch.nn.ModuleDict({
    "model": BartModel(config),
    "classifiers": torch.nn.ModuleDict({name: head(n) for name, n in classes.items()}),
    "ranking": head(1),
    "span": torch.nn.ModuleDict({"qa_outputs": torch.nn.Linear(HIDDEN, 2)}),
})
bart = model["model"]
for p in model.parameters():  # weights of a size at which the curve moves
    with torch.no_grad():
        if p.dim() > 1:
            p.normal_(0, 0.15)
with torch.no_grad():
    bart.shared.weight.normal_(0, 0.04)  # which is scaled, and makes the scores of tokens
bias = torch.randn(1, VOCAB) * 0.1

kept = {k: v.detach().clone().contiguous() for k, v in model.state_dict().items() if "embed_tokens" not in k}
save_file({**kept, "final_logits_bias": bias}, "bart.safetensors")

gen = torch.Generator().manual_seed(3)


def ints(low, high, n):
    return torch.randint(low, high, (n,), generator=gen).tolist()


def one(low, high):
    return ints(low, high, 1)[0]


def text(n):
    return [0] + ints(5, VOCAB, n) + [2]


def example():
    kind = one(0, 6)
    if kind < 2:
        name = list(classes)[kind]
        ids = text(one(2, 12))
        return {"task": name, "sequences": [ids], "target": (ids[1] + ids[2]) % classes[name]}
    if kind == 2:
        n = one(2, 6)
        seqs = [text(one(2, 9)) for _ in range(n)]
        return {"task": "rank", "sequences": seqs, "target": max(range(n), key=lambda i: seqs[i][1])}
    if kind == 3:
        question, passage = ints(5, VOCAB, one(1, 5)), ints(5, VOCAB, one(3, 12))
        start = passage.index(max(passage))
        end = min(start + one(0, 3), len(passage) - 1)
        return {"task": "span", "sequences": [[0] + question + [2, 2] + passage + [2]], "target": 0,
                "first": len(question) + 3, "count": len(passage), "start": start, "end": end}
    source = text(one(4, 14))
    return {"task": "write", "sequences": [source], "labels": [0] + sorted(source[1:-1])[: one(1, 6)] + [2]}


def states(ids, decoder_ids, start, noised):
    words = bart.shared.weight[torch.tensor([ids])]
    if noised:
        t, j = torch.arange(start, start + len(ids))[:, None].double(), torch.arange(HIDDEN)[None].double()
        words = words + (EPS * torch.sin(7 * t + 3 * j + 1)).float()
    # inputs_embeds are not scaled by Hugging Face's encoder, as its embeddings are.
    encoded = bart.encoder(inputs_embeds=words * math.sqrt(HIDDEN))
    return bart.decoder(input_ids=decoder_ids, encoder_hidden_states=encoded.last_hidden_state).last_hidden_state[0]


def shifted(ids):
    return shift_tokens_right(torch.tensor([ids]), config.pad_token_id, config.decoder_start_token_id)


def apply(h, x):
    return h["out_proj"](torch.tanh(h["dense"](x)))


def last_eos(ids):
    return max(i for i, t in enumerate(ids) if t == config.eos_token_id)


def choices(e, start, noised):
    """The scores of an example's choices with their targets."""
    if e["task"] == "write":
        rows = states(e["sequences"][0], shifted(e["labels"]), start, noised)
        return [(r, t) for r, t in zip(rows @ bart.shared.weight.T + bias, e["labels"])]
    rows = []
    for ids in e["sequences"]:
        rows.append(states(ids, shifted(ids), start, noised))
        start += len(ids)
    if e["task"] == "span":
        s = model["span"]["qa_outputs"](rows[0][e["first"]: e["first"] + e["count"]])
        return [(s[:, 0], e["start"]), (s[:, 1], e["end"])]
    sums = [r[last_eos(ids)] for r, ids in zip(rows, e["sequences"])]
    if e["task"] == "rank":
        return [(torch.cat([apply(model["ranking"], s) for s in sums]), e["target"])]
    return [(apply(model["classifiers"][e["task"]], sums[0]), e["target"])]


def cost(scores, target, smoothing):
    p = torch.log_softmax(scores, 0)
    each = smoothing / (len(p) - 1)
    return (1 - smoothing - each) * -p[target] + each * -p.sum()


def divergence(s, t):
    p, q = torch.log_softmax(s, 0), torch.log_softmax(t, 0)
    return F.kl_div(q, p, reduction="sum", log_target=True) + F.kl_div(p, q, reduction="sum", log_target=True)


decayed, plain = [], []
for name, p in model.named_parameters():
    (plain if name.endswith("bias") or "norm" in name else decayed).append(p)
optimiser = torch.optim.AdamW(
    [{"params": decayed, "weight_decay": DECAY}, {"params": plain, "weight_decay": 0.0}], lr=PEAK, betas=(0.9, 0.98), eps=1e-6)

pool = [example() for _ in range(40)]
steps = []
for step in range(1, STEPS + 1):
    picked = ints(0, len(pool), one(6, 12))
    lr = PEAK * step / WARMUP if step < WARMUP else PEAK * (1 - (step - WARMUP) / (STEPS + 1 - WARMUP))
    for group in optimiser.param_groups:
        group["lr"] = lr
    task = kl = at = 0
    for i in picked:
        e = pool[i]
        clean, noised = choices(e, at, False), choices(e, at, True)
        at += sum(map(len, e["sequences"]))
        smoothing = SMOOTHING if e["task"] == "write" else 0
        for (s, target), (t, _) in zip(clean, noised):
            task = task + cost(s, target, smoothing) / math.log(len(s)) / len(clean) / len(picked)
            kl = kl + divergence(s, t) / len(clean) / len(picked)
    loss = task + LAMBDA * kl
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP).item()
    optimiser.step()
    steps.append({"examples": picked, "lr": lr, "loss": task.item(), "kl": kl.item(), "norm": norm})

json.dump({"config": {"model_type": "bart", **settings}, "classes": classes, "decay": DECAY, "clip": CLIP, "smoothing": SMOOTHING,
           "lambda": LAMBDA, "eps": EPS, "examples": pool, "steps": steps},
          open("bart.json", "w"), indent=None, separators=(",", ":"))
print(steps[0]["loss"], steps[-1]["loss"], steps[0]["kl"], sum(len(s["examples"]) for s in steps), {e["task"] for e in pool})
