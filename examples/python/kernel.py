import subprocess

import numpy as np
import torch

net = torch.nn.Sequential(torch.nn.Linear(20, 64), torch.nn.Tanh(), torch.nn.Linear(64, 3))
x = torch.randn(100, 20)

torch.onnx.export(net.eval(), (x[:1],), "net.onnx", dynamo=True, optimize=False)
np.save("x.npy", x.numpy())
subprocess.run(["ntk", "kernel", "net.onnx", "x.npy", "--out", "k.npy"], check=True)
k = np.load("k.npy")  # [300, 300]: row 3 n + c is output c of sample n
