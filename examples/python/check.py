"""Runs kernel.py as it stands, in a folder of its own, and holds its kernel against torch.func's.

usage: check.py [PATH OF ntk]   (without: the ntk that the shell finds)
"""

import os
import runpy
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch.func import functional_call, jacrev, vmap

here = Path(__file__).resolve().parent
if len(sys.argv) > 1:
    os.environ["PATH"] = str(Path(sys.argv[1]).resolve().parent) + os.pathsep + os.environ["PATH"]
torch.manual_seed(0)
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    ran = runpy.run_path(str(here / "kernel.py"))
    os.chdir(here)

net, x, k = ran["net"].double(), ran["x"].double(), ran["k"]
parameters = {name: p.detach() for name, p in net.named_parameters()}
jacobians = vmap(jacrev(lambda p, x: functional_call(net, p, (x,))), (None, 0))(parameters, x)
j = torch.cat([part.reshape(k.shape[0], -1) for part in jacobians.values()], dim=1)
expected = (j @ j.T).numpy()
off = np.linalg.norm(k - expected) / np.linalg.norm(expected)
print(f"kernel of shape {k.shape}, {off:.1e} from torch.func's in float64")
sys.exit(0 if k.shape == expected.shape and off < 1e-5 else 1)
