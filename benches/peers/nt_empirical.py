#!/usr/bin/env python3
"""neural-tangents (JAX) on the CNN of benches/cnn.rs: the compiled empirical kernel, two implementations.

Prints a line of JSON for each case and implementation. (A script named as the package would import itself.)
"""
import os

import numpy as np

import cnn
import peer

METHODS = {"jacobian": 1, "structured": 3}  # nt.NtkImplementation


def network(parameters, x):
    """The outputs of a batch; pixels come before channels, which XLA's CPU convolutions want."""
    from jax import lax, nn

    for weight in parameters[:-1]:
        x = lax.conv_general_dilated(x, weight, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = nn.relu(x)
        n, h, w, c = x.shape
        x = x.reshape(n, h // 2, 2, w // 2, 2, c).mean((2, 4))
    return x.reshape(x.shape[0], -1) @ parameters[-1]


def case(outputs, samples):
    """Parameters and a batch, in JAX's layouts."""
    import jax.numpy as jnp

    *convolutions, dense = cnn.weights(outputs).values()
    dense = dense.reshape(outputs, 64, 4, 4).transpose(2, 3, 1, 0).reshape(1024, outputs)
    arrays = [weight.transpose(2, 3, 1, 0) for weight in convolutions] + [dense]
    return [jnp.float32(array) for array in arrays], jnp.float32(cnn.inputs(samples).transpose(0, 2, 3, 1))


def summary(kernel):
    """Trace and norm of a kernel samples x samples x outputs x outputs."""
    kernel = np.float64(kernel)
    return np.einsum("nnoo", kernel), np.linalg.norm(kernel)


def main():
    options = cnn.arguments(__doc__).parse_args()
    peer.limit_cpus(options.threads)
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import jax
    import neural_tangents as nt

    for outputs, samples in cnn.cases(options.cases):
        parameters, x = case(outputs, samples)
        for method, implementation in METHODS.items():
            ntk = nt.empirical_ntk_fn(network, trace_axes=(), vmap_axes=0, implementation=implementation)
            ntk = jax.jit(ntk)
            peer.report(
                lambda: ntk(x, None, parameters).block_until_ready(),
                summary,
                peer="neural-tangents",
                version=f"{nt.__version__}, jax {jax.__version__}",
                method=method,
                model="cnn",
                outputs=outputs,
                samples=samples,
                threads=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            )


if __name__ == "__main__":
    main()
