#!/usr/bin/env python3
"""PyTorch's torch.func on the CNN of benches/cnn.rs: vmap of jacrev, then the Jacobians' products.

Prints a line of JSON for each case and way of chunking the samples. With --fixture it times nothing and writes the
network of the first case with its kernels in float64, as examples/verify_fixture reads them.
"""
import json

import torch
from torch.func import jacrev, vmap
from torch.nn.functional import avg_pool2d, conv2d, linear

import cnn
import peer

CHUNKS = [None, 5, 20, 100]


def network(parameters, x):
    """The outputs of one sample."""
    x = x[None]
    for name in cnn.NAMES[:-1]:
        x = avg_pool2d(torch.relu(conv2d(x, parameters[name], padding=1)), 2)
    return linear(x.flatten(1), parameters[cnn.NAMES[-1]])[0]


def jacobian(parameters, x, chunk=None):
    """By parameter, (samples * outputs) x numbers."""
    jacobians = vmap(jacrev(network), (None, 0), chunk_size=chunk)(parameters, x)
    return {name: j.flatten(0, 1).flatten(1) for name, j in jacobians.items()}


def ntk(parameters, x, chunk=None):
    """The full kernel, (samples * outputs) squared, summed in place."""
    kernel = None
    for j in jacobian(parameters, x, chunk).values():
        kernel = j @ j.T if kernel is None else kernel.addmm_(j, j.T)
    return kernel


def case(outputs, samples, dtype):
    """Parameters by name and a batch."""
    tensor = lambda array: torch.tensor(array, dtype=dtype)
    return {name: tensor(array) for name, array in cnn.weights(outputs).items()}, tensor(cnn.inputs(samples))


def write_fixture(path, outputs, samples):
    """The file that `tangent_kernels::io::fixture` tells of."""
    from safetensors.torch import save_file

    nodes = []

    def node(op, **rest):
        nodes.append(dict(id=f"{op}{len(nodes)}", op=op, inputs=[nodes[-1]["id"] if nodes else "input"], **rest))

    for name in cnn.NAMES[:-1]:
        node("conv2d", params=[name], stride=[1, 1], padding=[1, 1], dilation=[1, 1], groups=1)
        node("relu")
        node("avg_pool2d", kernel=[2, 2], stride=[2, 2], padding=[0, 0])
    node("flatten")
    node("linear", params=[cnn.NAMES[-1]])

    parameters, x = case(outputs, samples, torch.float64)
    tensors = {"input": x, "output": vmap(network, (None, 0))(parameters, x), "ntk": ntk(parameters, x)}
    for name, j in jacobian(parameters, x).items():
        tensors |= {f"param/{name}": parameters[name], f"ntk/{name}": j @ j.T}
    save_file(tensors, path, metadata={"model": json.dumps(nodes)})


def main():
    parser = cnn.arguments(__doc__)
    parser.add_argument("--fixture", metavar="FILE")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_grad_enabled(False)
    if options.fixture:
        return write_fixture(options.fixture, *cnn.cases(options.cases)[0])
    for outputs, samples in cnn.cases(options.cases):
        parameters, x = case(outputs, samples, torch.float32)
        for chunk in CHUNKS:
            if chunk is None or chunk < samples:
                peer.report(
                    lambda: ntk(parameters, x, chunk),
                    lambda kernel: (kernel.double().trace(), kernel.double().norm()),
                    peer="torch.func",
                    version=torch.__version__,
                    method=f"jacobian, chunks of {chunk}" if chunk else "jacobian",
                    model="cnn",
                outputs=outputs,
                    samples=samples,
                    threads=torch.get_num_threads(),
                )


if __name__ == "__main__":
    main()
