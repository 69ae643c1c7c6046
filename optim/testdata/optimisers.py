"""Writes optimisers.json: 8 steps of each optimiser on three parameters in float64.

The bias has no decay, a tenth of the learning rate and no gradient in some steps. SGD,
Adam, Adagrad and RMSProp are PyTorch's; LAMB, Lion and the AdamW of fairseq, which it
lacks, are written here in NumPy after their formulas. Schedules are PyTorch's.

    pip install torch numpy
    python optimisers.py
"""

import json

import numpy as np
import torch

rng = np.random.default_rng(1)
START = {"weight": rng.normal(size=(3, 4)), "bias": rng.normal(size=5), "scale": rng.normal(size=1)}
GRADS = [{k: rng.normal(size=v.shape) for k, v in START.items() if k != "bias" or step not in (0, 3, 4)} for step in range(8)]
DECAY = 0.1


def pytorch(cls, **settings):
    params = {k: torch.tensor(v, requires_grad=True) for k, v in START.items()}
    lr = settings["lr"]
    groups = [{"params": [params["weight"], params["scale"]], "weight_decay": DECAY},
              {"params": [params["bias"]], "weight_decay": 0.0, "lr": lr / 10}]
    optimiser = cls(groups, **settings)
    for grads in GRADS:
        for k, p in params.items():
            p.grad = torch.tensor(grads[k]) if k in grads else None
        optimiser.step()
        yield {k: p.detach().numpy() for k, p in params.items()}


def numpy(update, lr):
    params = {k: v.copy() for k, v in START.items()}
    state = {k: {"t": 0, "m": 0 * v, "v": 0 * v} for k, v in START.items()}
    for grads in GRADS:
        for k, g in grads.items():
            s = state[k]
            s["t"] += 1
            bias = k == "bias"
            params[k] = update(params[k], g, s, lr / 10 if bias else lr, 0 if bias else DECAY)
        yield params


def lamb(w, g, s, lr, decay, b1=0.8, b2=0.95, eps=1e-6):
    s["m"] = b1 * s["m"] + (1 - b1) * g
    s["v"] = b2 * s["v"] + (1 - b2) * g**2
    m, v = s["m"] / (1 - b1 ** s["t"]), s["v"] / (1 - b2 ** s["t"])
    r = m / (np.sqrt(v) + eps) + decay * w
    return w - lr * np.linalg.norm(w) / np.linalg.norm(r) * r


def lion(w, g, s, lr, decay, b1=0.9, b2=0.99):
    c = b1 * s["m"] + (1 - b1) * g
    s["m"] = b2 * s["m"] + (1 - b2) * g
    return w - lr * (np.sign(c) + decay * w)


def fairseq(w, g, s, lr, decay, b1=0.8, b2=0.95, eps=0.03):
    s["m"] = b1 * s["m"] + (1 - b1) * g
    s["v"] = b2 * s["v"] + (1 - b2) * g**2
    step = lr * np.sqrt(1 - b2 ** s["t"]) / (1 - b1 ** s["t"])
    return w - decay * lr * w - step * s["m"] / (np.sqrt(s["v"]) + eps)


def flat(arrays):
    return {k: [float(f"{x:.9g}") for x in v.flatten()] for k, v in arrays.items()}


o = torch.optim
trajectories = {
    "SGD": pytorch(o.SGD, lr=0.1),
    "SGD with momentum": pytorch(o.SGD, lr=0.1, momentum=0.9, dampening=0.3),
    "SGD with Nesterov momentum": pytorch(o.SGD, lr=0.1, momentum=0.8, nesterov=True),
    "Adam": pytorch(o.Adam, lr=0.1, betas=(0.8, 0.95), eps=1e-6),
    "Adagrad": pytorch(o.Adagrad, lr=0.1, lr_decay=0.2),
    "RMSProp": pytorch(o.RMSprop, lr=0.1, alpha=0.9),
    "RMSProp, centered": pytorch(o.RMSprop, lr=0.1, alpha=0.9, eps=1e-3, centered=True),
    "RMSProp with momentum": pytorch(o.RMSprop, lr=0.1, alpha=0.9, momentum=0.7),
    "RMSProp, centered with momentum": pytorch(o.RMSprop, lr=0.1, alpha=0.9, eps=1e-3, centered=True, momentum=0.7),
    "AdamW of fairseq": numpy(fairseq, 0.1),
    "LAMB": numpy(lamb, 0.1),
    "Lion": numpy(lion, 0.05),
}


def rates(scheduler, steps=20):
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    s = scheduler(optimiser)
    for _ in range(steps):
        yield float(f"{optimiser.param_groups[0]['lr']:.12g}")
        optimiser.step()
        s.step()


L = torch.optim.lr_scheduler
schedules = {
    "OneCycle": list(rates(lambda opt: L.OneCycleLR(opt, 0.5, total_steps=21))),
    "OneCycle, other settings": list(rates(lambda opt: L.OneCycleLR(opt, 0.5, total_steps=21, pct_start=0.5, div_factor=10, final_div_factor=100))),
    "Cosine": list(rates(lambda opt: L.CosineAnnealingLR(opt, 20, eta_min=0.1))),
}
with open("optimisers.json", "w") as f:
    json.dump({
        "decay": DECAY, "start": flat(START), "grads": [flat(g) for g in GRADS],
        "trajectories": {name: [flat(p) for p in steps] for name, steps in trajectories.items()},
        "schedules": schedules,
    }, f, separators=(",", ":"))
