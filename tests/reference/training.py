"""What PyTorch makes of a small network in a few steps: writes training.json, which tests/training.rs is held against.

usage: python3 tests/reference/training.py > tests/reference/training.json    (PyTorch 2, float64)
"""
import json
import torch

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
x = torch.randn(6, 3)
start = [torch.randn(4, 3), torch.randn(4), torch.randn(2, 4), torch.randn(2)]
targets = {
    "squared_error": torch.randn(6, 2),
    "logistic": torch.randint(0, 2, (6, 2)) * 2.0 - 1,
    "cross_entropy": torch.randint(0, 2, (6,)),
}
# Sums over the outputs and means over the samples, as this crate has them.
losses = {
    "squared_error": lambda f, y: ((f - y) ** 2).sum() / 2 / len(f),
    "logistic": lambda f, y: torch.nn.functional.binary_cross_entropy_with_logits(f, (y + 1) / 2, reduction="sum") / len(f),
    "cross_entropy": torch.nn.functional.cross_entropy,
}
optimisers = {
    "descent": lambda p: torch.optim.SGD(p, lr=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
}


def trained(loss, optimiser):
    parameters = [p.clone().requires_grad_() for p in start]
    optimiser = optimiser(parameters)
    values = []
    for _ in range(7):
        w1, b1, w2, b2 = parameters
        value = losses[loss](torch.tanh(x @ w1.T + b1) @ w2.T + b2, targets[loss])
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        values.append(value.item())
    return {"losses": values, "end": torch.cat([p.detach().flatten() for p in parameters]).tolist()}


runs = {f"{loss} {name}": trained(loss, make) for loss in losses for name, make in optimisers.items()}
flat = lambda t: t.flatten().tolist()
print(json.dumps({"x": flat(x), "start": [flat(p) for p in start], "targets": {k: flat(v) for k, v in targets.items()}, "runs": runs}, indent=1))
