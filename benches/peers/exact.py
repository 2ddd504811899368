#!/usr/bin/env python3
"""Which kernels the peers get right: their full kernels in float64 against torch.func's (vmap of jacrev), network by network.

Prints a line for each network and peer: the relative difference in the Frobenius norm, or what the peer said. A peer that
cannot be imported is left out: nngeometry is on the package index, torchNTK is a clone on PYTHONPATH.
"""
import copy

import torch
from torch.func import functional_call, jacrev, vmap
from torch.nn import Conv2d, Flatten, LayerNorm, Linear, Module, Sequential, Tanh


class Twice(Module):
    """A layer that is used two times."""

    def __init__(self):
        super().__init__()
        self.layer, self.out = Linear(5, 5), Linear(5, 2)

    def forward(self, x):
        return self.out(torch.tanh(self.layer(torch.tanh(self.layer(x)))))


def convolution(groups):
    return Sequential(Conv2d(4, 4, 3, groups=groups), Tanh(), Flatten(), Linear(4 * 16, 2))


NETWORKS = {
    "MLP, 2 outputs": (lambda: Sequential(Linear(5, 7), Tanh(), Linear(7, 2)), (5,)),
    "MLP, 1 output": (lambda: Sequential(Linear(5, 7), Tanh(), Linear(7, 1)), (5,)),
    "MLP, 1 output, no biases": (lambda: Sequential(Linear(5, 7, bias=False), Tanh(), Linear(7, 1, bias=False)), (5,)),
    "a layer used twice": (Twice, (5,)),
    "linear layer at 3 positions": (lambda: Sequential(Linear(5, 7), Tanh(), Flatten(), Linear(21, 2)), (3, 5)),
    "layer norm": (lambda: Sequential(Linear(5, 7), LayerNorm(7), Tanh(), Linear(7, 2)), (5,)),
    "convolution": (lambda: convolution(1), (4, 6, 6)),
    "convolution, 2 groups": (lambda: convolution(2), (4, 6, 6)),
}


def truth(net, x):
    """[n, c, n, c] by the Jacobian."""
    parameters = dict(net.named_parameters())
    jacobian = vmap(jacrev(lambda p, sample: functional_call(net, p, (sample[None],))[0]), (None, 0))(parameters, x)
    rows = torch.cat([part.flatten(2) for part in jacobian.values()], dim=2)
    return torch.einsum("ncp,mdp->ncmd", rows, rows)


def nngeometry(net, x):
    from nngeometry import GramMatrix
    from nngeometry.layercollection import LayerCollection
    from nngeometry.object import FMatDense

    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, torch.zeros(len(x))), batch_size=4)
    layers = LayerCollection.from_model(net)
    gram = GramMatrix(net, loader, lambda *batch: net(batch[0]), FMatDense, layer_collection=layers)
    return gram.to_torch().permute(1, 0, 3, 2)


def torchntk(net, x):
    from torchntk.explicit import explicit_ntk

    net, x = copy.deepcopy(net).float(), x.float()  # it makes its arrays in float32
    layers = [layer for layer in net.modules() if isinstance(layer, Linear)]
    if len(layers) != 2 or layers[-1].out_features != 1 or not isinstance(net[1], Tanh):
        raise NotImplementedError("explicit_ntk is for MLPs with one output")
    inputs = [x.T, torch.tanh(layers[0](x)).T]
    ones = [torch.tensor(1.0)] * 2
    derivative = lambda z: 1 - torch.tanh(z) ** 2
    components = explicit_ntk(inputs, [7, 1], ones, layers, derivative, device="cpu")
    return sum(components)[:, None, :, None]


def said(peer, net, x):
    try:
        kernel = peer(net, x)
    except ImportError:
        return None
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0][:80]}"
    want = truth(net, x)
    return f"{float((kernel - want).norm() / want.norm()):.1e}"


for name, (build, shape) in NETWORKS.items():
    torch.manual_seed(0)
    net, x = build().double(), torch.randn(10, *shape, dtype=torch.float64)
    for peer in (nngeometry, torchntk):
        if (line := said(peer, net, x)) is not None:
            print(f"{name:<28} {peer.__name__:<11} {line}")
