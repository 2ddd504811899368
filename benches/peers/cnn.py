"""The network of benches/cnn.rs for every peer: the same weights and batch.

Numbers come from numpy's RandomState, whose stream is the same in every version, so peers in different interpreters
compute the same kernel without sharing a file. Layouts are PyTorch's.
"""
import argparse

import numpy as np

CHANNELS = [3, 32, 64, 64]
NAMES = ["conv1.weight", "conv2.weight", "conv3.weight", "out.weight"]


def weights(outputs):
    """Normal numbers over the root of the fan-in, by name."""
    shapes = [(o, i, 3, 3) for i, o in zip(CHANNELS, CHANNELS[1:])] + [(outputs, 1024)]
    normal = [np.random.RandomState(seed).standard_normal(shape) for seed, shape in enumerate(shapes)]
    return {name: array / np.prod(array.shape[1:]) ** 0.5 for name, array in zip(NAMES, normal)}


def inputs(samples):
    """Pixels between -1 and 1: samples x 3 x 32 x 32."""
    return np.random.RandomState(4).uniform(-1, 1, (samples, 3, 32, 32))


def arguments(description):
    """The command line that both scripts have; a case is (outputs, samples)."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("cases", nargs="*", default=["1x500", "10x50"], help="OUTPUTSxSAMPLES, such as 10x50")
    parser.add_argument("--threads", type=int, default=2)
    return parser


def cases(words):
    return [tuple(int(number) for number in word.split("x")) for word in words]
