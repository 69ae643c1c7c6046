"""Makes adamw.json: 12 steps of torch.optim.AdamW on three parameters in float64.

The bias has no decay and no gradient in some steps; gradients are clipped to a
global norm that some steps exceed and some do not.

    pip install torch
    python adamw.py
"""

import json

import torch

torch.manual_seed(1)
DECAY, CLIP = 0.1, 2.0
params = {"weight": torch.randn(3, 4), "bias": torch.randn(5), "scale": torch.randn(1)}
params = {k: v.double().requires_grad_() for k, v in params.items()}
start = {k: p.tolist() for k, p in params.items()}
optimiser = torch.optim.AdamW([{"params": [params["weight"], params["scale"]], "weight_decay": DECAY},
                               {"params": [params["bias"]], "weight_decay": 0.0}], lr=1, betas=(0.8, 0.95), eps=1e-6)
steps = []
for step in range(12):
    lr = 0.1 / (1 + step)
    for group in optimiser.param_groups:
        group["lr"] = lr
    grads = {}
    for k, p in params.items():
        p.grad = None
        if k == "bias" and step in (0, 3, 4):
            continue
        p.grad = torch.randn(p.shape).double() * (0.1 if step % 3 == 0 else 1.5)
        grads[k] = p.grad.flatten().tolist()
    norm = torch.nn.utils.clip_grad_norm_(params.values(), CLIP).item()
    optimiser.step()
    steps.append({"lr": lr, "grads": grads, "norm": norm, "params": {k: p.detach().flatten().tolist() for k, p in params.items()}})
start = {k: torch.tensor(v).flatten().tolist() for k, v in start.items()}
with open("adamw.json", "w") as f:
    json.dump({"decay": DECAY, "clip": CLIP, "start": start, "steps": steps}, f)
