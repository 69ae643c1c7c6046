"""Makes optimizers.json and schedules.json: what PyTorch's optimisers and schedules do,
in float64, and what the papers' formulas of LAMB and Lion do, which it does not have.

Every optimiser gets the same three parameters and gradients for 10 steps. The bias has
no weight decay, and no gradient in some steps. Gradients are clipped in some cases.

    pip install torch numpy
    python make.py
"""

import json
import math

import numpy as np
import torch
from torch.optim import lr_scheduler as schedulers

torch.manual_seed(1)
START = {"weight": torch.randn(3, 4).double(), "bias": torch.randn(5).double(), "scale": torch.randn(1).double()}
STEPS = []
for step in range(10):
    STEPS.append({k: torch.randn(p.shape).double() * (0.1 if step % 3 == 0 else 1.5)
                  for k, p in START.items() if k != "bias" or step not in (0, 3, 4)})


class Lamb:
    """You et al., arXiv 1904.00962v5, algorithm 2, with phi the identity."""

    def __init__(self, w, lr, beta1=0.9, beta2=0.999, eps=1e-6, weight_decay=0.0):
        self.w, self.b1, self.b2, self.eps, self.decay = w, beta1, beta2, eps, weight_decay
        self.m, self.v, self.t = np.zeros_like(w), np.zeros_like(w), 0

    def step(self, g, lr):
        self.t += 1
        self.m = self.b1 * self.m + (1 - self.b1) * g
        self.v = self.b2 * self.v + (1 - self.b2) * g**2
        m_hat = self.m / (1 - self.b1**self.t)
        v_hat = self.v / (1 - self.b2**self.t)
        u = m_hat / (np.sqrt(v_hat) + self.eps) + self.decay * self.w
        phi, size = np.linalg.norm(self.w), np.linalg.norm(u)
        self.w = self.w - lr * (phi / size if phi > 0 and size > 0 else 1) * u


class Lion:
    """Chen et al., arXiv 2302.06675, algorithm 2."""

    def __init__(self, w, lr, beta1=0.9, beta2=0.99, weight_decay=0.0):
        self.w, self.b1, self.b2, self.decay = w, beta1, beta2, weight_decay
        self.m = np.zeros_like(w)

    def step(self, g, lr):
        c = self.b1 * self.m + (1 - self.b1) * g
        self.w = self.w - lr * (np.sign(c) + self.decay * self.w)
        self.m = self.b2 * self.m + (1 - self.b2) * g


class Torch:
    """One parameter in an optimiser of PyTorch's."""

    def __init__(self, kind, w, lr, **settings):
        self.p = torch.tensor(w, requires_grad=True)
        self.optimizer = kind([self.p], lr=lr, **settings)

    @property
    def w(self):
        return self.p.detach().numpy()

    def step(self, g, lr):
        self.optimizer.param_groups[0]["lr"] = lr
        self.p.grad = torch.tensor(g)
        self.optimizer.step()


def adam(kind):
    def make(w, lr, beta1=0.9, beta2=0.999, **settings):
        return Torch(kind, w, lr, betas=(beta1, beta2), **settings)
    return make


def plain(kind):
    return lambda w, lr, **settings: Torch(kind, w, lr, **settings)


KINDS = {
    "SGD": plain(torch.optim.SGD), "Adam": adam(torch.optim.Adam), "AdamW": adam(torch.optim.AdamW),
    "Adagrad": plain(torch.optim.Adagrad), "RMSProp": plain(torch.optim.RMSprop), "LAMB": Lamb, "Lion": Lion,
}
# The names of settings in Go, where they are not PyTorch's without underscores.
GO = {"initial_accumulator_value": "Initial", "weight_decay": "WeightDecay", "lr_decay": "LRDecay", "lr": "LR"}


def case(kind, lr, clip_norm=0.0, clip_value=0.0, lr_scale={}, decay_scale={}, **settings):
    optimizers = {}
    for k, p in START.items():
        own = dict(settings)
        if "weight_decay" in own:
            own["weight_decay"] *= 0 if k == "bias" else decay_scale.get(k, 1)
        optimizers[k] = KINDS[kind](p.numpy().copy(), lr, **own)
    after = []
    for i, grads in enumerate(STEPS):
        ps = [torch.zeros_like(g) for g in grads.values()]
        for p, g in zip(ps, grads.values()):
            p.grad = g.clone()
        if clip_norm:
            torch.nn.utils.clip_grad_norm_(ps, clip_norm)
        if clip_value:
            torch.nn.utils.clip_grad_value_(ps, clip_value)
        for k, p in zip(grads, ps):
            optimizers[k].step(p.grad.numpy(), lr / (1 + i) * lr_scale.get(k, 1))
        after.append({k: rounded(o.w) for k, o in optimizers.items()})
    config = {GO.get(k, k.capitalize()): v for k, v in settings.items()}
    config.update(LR=lr, ClipNorm=clip_norm, ClipValue=clip_value)
    return {"optimizer": kind, "config": config, "lrScale": lr_scale, "decayScale": decay_scale, "params": after}


def rounded(x):
    return [float(f"{v:.9g}") for v in np.asarray(x).flatten()]


CASES = [
    case("AdamW", 0.1, clip_norm=2.0, beta1=0.8, beta2=0.95, eps=1e-6, weight_decay=0.1),
    case("AdamW", 0.1, weight_decay=0.0),
    case("AdamW", 0.1, weight_decay=0.1, lr_scale={"weight": 0.5}, decay_scale={"scale": 3}),
    case("SGD", 0.2),
    case("SGD", 0.2, weight_decay=0.1, clip_value=0.4),
    case("SGD", 0.1, momentum=0.9),
    case("SGD", 0.1, momentum=0.8, dampening=0.3, weight_decay=0.1, lr_scale={"bias": 2}, decay_scale={"weight": 0.5}),
    case("SGD", 0.1, momentum=0.9, nesterov=True, weight_decay=0.1, clip_norm=2.0, clip_value=0.5),
    case("Adam", 0.1),
    case("Adam", 0.1, beta1=0.8, beta2=0.95, eps=1e-3, weight_decay=0.1, clip_value=1.0),
    case("Adagrad", 0.3),
    case("Adagrad", 0.3, lr_decay=0.2, initial_accumulator_value=0.5, eps=1e-3, weight_decay=0.1),
    case("RMSProp", 0.05),
    case("RMSProp", 0.05, alpha=0.9, eps=1e-3, momentum=0.8, weight_decay=0.1, clip_norm=2.0),
    case("RMSProp", 0.02, alpha=0.9, centered=True),
    case("RMSProp", 0.02, alpha=0.8, centered=True, momentum=0.5),
    case("LAMB", 0.1),
    case("LAMB", 0.1, beta1=0.8, beta2=0.95, eps=1e-3, weight_decay=0.1, clip_norm=2.0),
    case("Lion", 0.02),
    case("Lion", 0.02, beta1=0.7, beta2=0.9, weight_decay=1.0, clip_value=0.5),
]
with open("optimizers.json", "w") as f:
    json.dump({
        "start": {k: rounded(p) for k, p in START.items()},
        "steps": [{"grads": {k: rounded(g) for k, g in grads.items()},
                   "norm": math.sqrt(sum(float((g * g).sum()) for g in grads.values()))} for grads in STEPS],
        "cases": CASES,
    }, f)
    f.write("\n")


def rates(make, steps):
    """The learning rates of a schedule's first steps."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.3)
    schedule = make(optimizer)
    lrs = []
    for _ in range(steps):
        lrs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rounded(lrs)


def warm(warm_up, make):
    """Linear warm-up that reaches the peak in step warm_up, and make's schedule from there."""
    def both(optimizer):
        rise = schedulers.LinearLR(optimizer, 1 / warm_up, 1, warm_up - 1)
        return schedulers.SequentialLR(optimizer, [rise, make(optimizer)], [warm_up - 1])
    return both


def one_cycle(total, warm_up, **settings):
    return lambda o: schedulers.OneCycleLR(o, 0.3, total_steps=total, pct_start=warm_up / total, cycle_momentum=False, **settings)


SCHEDULES = [
    ("Constant", {"LR": 0.3, "WarmUp": 5}, rates(warm(5, lambda o: schedulers.ConstantLR(o, 1, 1)), 9)),
    ("PolynomialDecay", {"Peak": 0.3, "WarmUp": 4, "Total": 11}, rates(warm(4, lambda o: schedulers.LinearLR(o, 1, 0, 7)), 14)),
    ("PolynomialDecay", {"Peak": 0.3, "End": 0.03, "WarmUp": 1, "Total": 9}, rates(lambda o: schedulers.LinearLR(o, 1, 0.1, 8), 12)),
    ("PolynomialDecay", {"Peak": 0.3, "WarmUp": 4, "Total": 11, "Power": 2.5}, rates(warm(4, lambda o: schedulers.PolynomialLR(o, 7, 2.5)), 14)),
    ("CosineDecay", {"Peak": 0.3, "End": 0.02, "WarmUp": 4, "Total": 11}, rates(warm(4, lambda o: schedulers.CosineAnnealingLR(o, 7, 0.02)), 11)),
    ("CosineDecay", {"Peak": 0.3, "WarmUp": 1, "Total": 9}, rates(lambda o: schedulers.CosineAnnealingLR(o, 8), 9)),
    ("OneCycle", {"Peak": 0.3, "WarmUp": 6, "Total": 20}, rates(one_cycle(20, 6), 20)),
    ("OneCycle", {"Peak": 0.3, "WarmUp": 5, "Total": 10, "DivFactor": 10, "FinalDivFactor": 3}, rates(one_cycle(10, 5, div_factor=10, final_div_factor=3), 10)),
]
with open("schedules.json", "w") as f:
    json.dump([{"schedule": k, "config": c, "rates": r} for k, c, r in SCHEDULES], f)
    f.write("\n")
