#!/usr/bin/env python3
"""PyTorch on the paper's MLPs: torchNTK's explicit method, the same recursion written with care, torch.func.

Prints a line of JSON for each method. With --fixture it times nothing and writes the network with its kernels in float64,
as examples/verify_fixture reads them. torchNTK must be importable for its method. No biases, tanh.
"""
import argparse
import json

import numpy as np
import torch
from torch.func import jacrev, vmap

import peer

# Layers and width, as in section 4 of the paper: the last layer has one output.
MODELS = {"mlp": (4, 100), "mlp-h": (8, 1000)}


def case(model, samples, dtype):
    """The weights, normal over the root of the fan-in, and standard normal samples."""
    layers, width = MODELS[model]
    shapes = [(width, width)] * (layers - 1) + [(1, width)]
    draw = lambda seed, shape: torch.tensor(np.random.RandomState(seed).standard_normal(shape), dtype=dtype)
    return [draw(k, shape) / width**0.5 for k, shape in enumerate(shapes)], draw(100, (samples, width))


def careful(weights, x):
    """The recursion as one would write it with two n x n matrices and no copies."""
    inputs = [x]
    for w in weights[:-1]:
        inputs.append(torch.tanh(inputs[-1] @ w.T))
    kernel = inputs[-1] @ inputs[-1].T
    scratch = torch.empty_like(kernel)
    cotangents = weights[-1].expand(len(x), -1)
    for k in range(len(weights) - 2, -1, -1):
        cotangents = cotangents * (1 - inputs[k + 1].square())
        torch.mm(inputs[k], inputs[k].T, out=scratch)
        kernel.addcmul_(scratch, cotangents @ cotangents.T)
        cotangents = cotangents @ weights[k]
    return kernel


def torchntk(weights, x):
    """torchNTK's own function, given what its documentation asks for, and its components summed."""
    from torchntk.explicit import explicit_ntk

    layers = []
    for w in weights:
        layers.append(torch.nn.Linear(w.shape[1], w.shape[0], bias=False))
        layers[-1].weight.data = w
    inputs = [x]
    for layer in layers[:-1]:
        inputs.append(torch.tanh(layer(inputs[-1])))
    ones = [torch.tensor(1.0)] * len(layers)
    derivative = lambda z: 1 - torch.tanh(z) ** 2
    widths = [len(w) for w in weights]
    components = explicit_ntk([a.T for a in inputs], widths, ones, layers, derivative, device="cpu")
    return torch.sum(torch.stack(components), dim=0)


def network(weights, x):
    """The output of one sample."""
    for w in weights[:-1]:
        x = torch.tanh(w @ x)
    return weights[-1] @ x


def jacobian(weights, x):
    """For every weight, samples x numbers."""
    return [j.flatten(1) for j in vmap(jacrev(network), (None, 0))(weights, x)]


def torch_func(weights, x):
    """The tutorial's Jacobian contraction, summed in place."""
    kernel = None
    for j in jacobian(weights, x):
        kernel = j @ j.T if kernel is None else kernel.addmm_(j, j.T)
    return kernel


METHODS = {"torchntk": torchntk, "careful": careful, "torch.func": torch_func}


def write_fixture(path, model, samples):
    """The file that `tangent_kernels::io::fixture` tells of."""
    from safetensors.torch import save_file

    weights, x = case(model, samples, torch.float64)
    nodes, tensors = [], {"input": x, "output": vmap(network, (None, 0))(weights, x), "ntk": torch_func(weights, x)}
    for k, (w, j) in enumerate(zip(weights, jacobian(weights, x))):
        before = f"tanh{k - 1}" if k else "input"
        nodes.append(dict(id=f"linear{k}", op="linear", inputs=[before], params=[f"w{k}"]))
        if k + 1 < len(weights):
            nodes.append(dict(id=f"tanh{k}", op="tanh", inputs=[f"linear{k}"]))
        tensors |= {f"param/w{k}": w, f"ntk/w{k}": j @ j.T}
    save_file(tensors, path, metadata={"model": json.dumps(nodes)})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("samples", type=int)
    parser.add_argument("methods", nargs="*", default=["careful"], help=", ".join(METHODS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--fixture", metavar="FILE")
    options = parser.parse_args()
    peer.limit_cpus(options.threads)
    torch.set_num_threads(options.threads)
    torch.set_grad_enabled(False)
    if options.fixture:
        return write_fixture(options.fixture, options.model, options.samples)
    weights, x = case(options.model, options.samples, torch.float32)
    for method in options.methods:
        peer.report(
            lambda: METHODS[method](weights, x),
            lambda kernel: (kernel.diagonal().double().sum(), kernel.norm().double()),
            model=options.model,
            samples=options.samples,
            method=method,
            version=torch.__version__,
            threads=torch.get_num_threads(),
        )


if __name__ == "__main__":
    main()
