"""Pipelines of scikit-learn as its converter writes them, and their kernels by PyTorch's autograd in float64.

usage: make_pipelines.py OUTDIR

OUTDIR/pipeline_NAME.onnx is the file, OUTDIR/pipeline_NAME.safetensors holds input/X, output/OUTPUT, ntk/TENSOR for every
coefficient and intercept, and their sum, ntk. Needs scikit-learn, skl2onnx, onnxruntime, torch, numpy and safetensors.
"""
import sys
import warnings

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from safetensors.numpy import save_file
from skl2onnx import to_onnx
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler

warnings.filterwarnings("ignore")
OUT = sys.argv[1]
rng = np.random.default_rng(3)
X = (rng.standard_normal((60, 4)) * [1, 2, 0.5, 3] + [0, 1, -1, 2]).astype(np.float32)
two, three = (X[:, 0] > 0).astype(int), (X[:, 0] > 0).astype(int) + (X[:, 1] > 1)
options = {"hidden_layer_sizes": (5,), "max_iter": 80, "random_state": 0}
unit = lambda x: x / x.abs().sum(-1, keepdim=True)
PIPELINES = {
    "regressor": (make_pipeline(StandardScaler(), MLPRegressor(**options)), X[:, 0] + X[:, 1], lambda x: x),
    "classes": (make_pipeline(SimpleImputer(), StandardScaler(), MLPClassifier(**options)), three, lambda x: x.softmax(-1)),
    "two_classes": (make_pipeline(MinMaxScaler(), MLPClassifier(activation="tanh", **options)), two, None),
    "words": (make_pipeline(Normalizer("l2"), MLPClassifier(**options)), np.where(two == 1, "yes", "no"), None),
    "logistic": (LogisticRegression(), three, lambda x: unit(x.softmax(-1))),
}


def both(x):
    p = x.sigmoid()
    return torch.cat([1 - p, p], -1)


def before(pipeline, x):
    """What the steps before the last one make of samples."""
    for step in pipeline[:-1] if hasattr(pipeline, "steps") else []:
        if isinstance(step, StandardScaler):
            x = (x - torch.tensor(step.mean_.astype(np.float32))) / torch.tensor(step.scale_.astype(np.float32))
        if isinstance(step, MinMaxScaler):
            x = x * torch.tensor(step.scale_.astype(np.float32)) + torch.tensor(step.min_.astype(np.float32))
        if isinstance(step, Normalizer):
            x = x / x.norm(dim=-1, keepdim=True)
    return x


for name, (pipeline, y, last) in PIPELINES.items():
    pipeline.fit(X, y)
    model = to_onnx(pipeline, X[:1])
    onnx.save(model, f"{OUT}/pipeline_{name}.onnx")
    held = {t.name: torch.tensor(numpy_helper.to_array(t), dtype=torch.float64) for t in model.graph.initializer if t.data_type == 1}
    for node in model.graph.node:
        if node.op_type == "LinearClassifier":
            for a in node.attribute:
                if a.name in ("coefficients", "intercepts"):
                    held[f"{node.name}.{a.name}"] = torch.tensor(list(a.floats), dtype=torch.float64)
    parameters = {k: p.requires_grad_() for k, p in held.items() if k.split(".")[-1].startswith(("coef", "inter"))}
    x = torch.tensor(X[:4], dtype=torch.float64)
    h = before(pipeline, x)
    layers = list(parameters.values())
    activation = torch.tanh if name == "two_classes" else torch.relu
    if name == "logistic":
        h = h @ layers[0].reshape(3, 4).T + layers[1]
    else:
        for k in range(0, len(layers), 2):
            h = h @ layers[k] + layers[k + 1]
            h = activation(h) if k + 2 < len(layers) else h
    f = (last or both)(h)
    output = model.graph.output[-1].name
    got = onnxruntime.InferenceSession(model.SerializeToString()).run([output], {"X": X[:4]})[0]
    got = np.array([list(row.values()) for row in got]) if isinstance(got, list) else got
    assert np.abs(got.reshape(f.shape) - f.detach().numpy()).max() < 1e-5, name
    rows = [torch.autograd.grad(entry, layers, retain_graph=True) for entry in f.flatten()]
    stored = {"input/X": X[:4].astype(np.float64), f"output/{output}": f.detach().numpy()}
    for k, key in enumerate(parameters):
        jacobian = torch.stack([row[k].flatten() for row in rows]).numpy()
        stored[f"ntk/{key}"] = jacobian @ jacobian.T
    stored["ntk"] = sum(v for k, v in stored.items() if k.startswith("ntk/"))
    save_file({k: np.ascontiguousarray(v) for k, v in stored.items()}, f"{OUT}/pipeline_{name}.safetensors")
    print(name, {k: float(np.trace(v)) for k, v in stored.items() if k.startswith("ntk")})
