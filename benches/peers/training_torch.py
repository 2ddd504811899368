"""Full-batch gradient descent on the paper's MLP of section 5.2, 784-50-50-50-1, in PyTorch, float32: the seconds of one step.

usage: training_torch.py STEPS [--threads T]
"""
import argparse
import time
import torch

SAMPLES, WIDTHS, RATE = 10_000, [784, 50, 50, 50, 1], 1e-2

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("steps", type=int)
parser.add_argument("--threads", type=int, default=1)
options = parser.parse_args()
torch.set_num_threads(options.threads)
torch.manual_seed(0)

x = torch.rand(SAMPLES, WIDTHS[0]) * 2 - 1
y = (torch.arange(SAMPLES) >= SAMPLES // 2).float()
weights = [torch.randn(i, o, requires_grad=True) for i, o in zip(WIDTHS, WIDTHS[1:])]


def step():
    h = x
    for w in weights[:-1]:
        h = torch.tanh(h @ w) / w.shape[1] ** 0.5
    loss = torch.nn.functional.binary_cross_entropy_with_logits((h @ weights[-1])[:, 0], y)
    with torch.no_grad():
        for w, g in zip(weights, torch.autograd.grad(loss, weights)):
            w -= RATE * g
    return loss


for _ in range(5):
    step()
start = time.perf_counter()
for _ in range(options.steps):
    step()
print((time.perf_counter() - start) / options.steps)
