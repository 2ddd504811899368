#!/usr/bin/env python3
"""Compares a kernel in a Zarr store, as zarr-python reads it, with the same kernel in .npy files, bit by bit.

`pip install zarr numpy` (zarr 3), then for instance

    cargo run --features disk --example kernel_on_disk -- FOLDER
    python3 read_zarr.py FOLDER/kernel.zarr FOLDER/kernel.npy

Components are looked for beside the .npy file, where the crate puts them. Exits with 1 if anything differs.
"""

import pathlib
import sys

import numpy as np
import zarr


def compare(name, array, path):
    """Is the array what the file holds? Prints a line."""
    want, have = np.load(path), array[...]
    same = have.shape == want.shape and have.dtype == want.dtype and have.tobytes() == want.tobytes()
    print(f"{name}: {have.dtype} {have.shape} in chunks {array.chunks}: {'the same' if same else 'DIFFERENT'}")
    return same


def main(store, npy):
    group = zarr.open_group(store, mode="r", zarr_format=3)
    npy = pathlib.Path(npy)
    same = [compare("total", group["total"], npy)]
    if "components" in group:
        for name, array in sorted(group["components"].arrays()):
            same.append(compare(array.attrs["name"], array, npy.with_name(f"{npy.stem}.{name}{npy.suffix}")))
    beside = len(list(npy.parent.glob(f"{npy.stem}.*{npy.suffix}")))
    if beside != len(same) - 1:
        print(f"{len(same) - 1} components in the store, {beside} in files")
    return all(same) and beside == len(same) - 1


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(0 if main(*sys.argv[1:]) else 1)
