#!/usr/bin/env python3
"""Makes cases/parameters.*: small networks about what a parameter is, and where a batch is.

`python3 make_parameter_cases.py`; needs numpy, onnx, onnxscript, safetensors and torch. For every case it writes
cases/NAME.onnx and, into cases/parameters.safetensors, `NAME/input/X`, `NAME/output/Y` and `NAME/ntk/P`: the kernel of
every parameter P that has a gradient. Those of PyTorch modules come from autograd in float64, one backward pass for every
output of every sample; those of graphs from central differences of onnx.reference in float64. cases/parameters.txt lists
for every case the file's own names of its parameters.
"""

import contextlib
import io
import logging
import pathlib
import warnings

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from safetensors.numpy import save_file
from torch import nn
from torch.nn import functional as F

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)
torch.set_num_threads(1)
FOLDER = pathlib.Path(__file__).with_name("cases")
ARRAYS = {}
N = 3


def export(net, x, path, legacy):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        if legacy:
            mode = torch.onnx.TrainingMode.PRESERVE
            torch.onnx.export(net, x, path, dynamo=False, training=mode, do_constant_folding=False)
        else:
            torch.onnx.export(net, x, path, dynamo=True, optimize=False, external_data=False, verbose=False)


def smaller(path):
    """Without what is not read: stack traces and names of scopes."""
    model = onnx.load(path)
    wanted = ("graph_signature", "fx_node", "rule_name", "folded_from", "InputSpec.kind")
    lists = [model.metadata_props, model.graph.metadata_props]
    lists += [node.metadata_props for node in model.graph.node]
    lists += [info.metadata_props for info in model.graph.value_info]
    for entries in lists:
        for entry in [e for e in entries if not e.key.endswith(wanted)]:
            entries.remove(entry)
    named = {tensor.name for tensor in model.graph.initializer}
    for info in [info for info in model.graph.value_info if info.name not in named]:
        model.graph.value_info.remove(info)
    onnx.save(model, path)


def module(name, net, inputs, legacy=False):
    """A PyTorch module; inputs by name."""
    torch.manual_seed(sum(map(ord, name)))
    net = net().eval()
    path = FOLDER / f"{name}.onnx"
    export(net, tuple(x[:1] for x in inputs), path, legacy)
    smaller(path)
    graph = onnx.load(path).graph
    held = {tensor.name for tensor in graph.initializer}
    names = [i.name for i in graph.input if i.name not in held]
    net, exact = net.double(), [x.double() if x.is_floating_point() else x for x in inputs]
    parameters = {k: p for k, p in net.named_parameters() if p.requires_grad}
    rows, outputs = {k: [] for k in parameters}, []
    for n in range(len(inputs[0])):
        y = net(*[x[n : n + 1] for x in exact]).reshape(-1)
        outputs.append(y.detach().numpy())
        for c in range(len(y)):
            grads = torch.autograd.grad(y[c], list(parameters.values()), retain_graph=True, allow_unused=True)
            for (k, p), g in zip(parameters.items(), grads):
                rows[k].append((torch.zeros_like(p) if g is None else g).reshape(-1).numpy())
    record(name, dict(zip(names, inputs)), graph.output[0].name, np.stack(outputs), {k: np.stack(v) for k, v in rows.items()})


def graph(name, nodes, inputs, tensors, parameters, opset=17, batch="n", out="y", evaluated=True):
    """A graph by hand; `batch` is the size of the batch in the file, or a name."""
    rng = np.random.default_rng(sum(map(ord, name)))
    arrays = {k: make(rng) if callable(make) else make for k, make in tensors.items()}
    samples = {k: rng.standard_normal((N, *shape)).astype(np.float32) for k, shape in inputs.items()}
    ports = [helper.make_tensor_value_info(k, TensorProto.FLOAT, [batch, *shape]) for k, shape in inputs.items()]
    held = [numpy_helper.from_array(v, k) for k, v in arrays.items()]
    result = [helper.make_tensor_value_info(out, TensorProto.FLOAT, None)]
    model = helper.make_model(helper.make_graph(nodes, "case", ports, result, held), opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, FOLDER / f"{name}.onnx")

    if not evaluated:
        return

    def outputs(changed):
        exact = {k: v.astype(np.float64) if v.dtype == np.float32 else v for k, v in (arrays | changed).items()}
        evaluator = ReferenceEvaluator(
            helper.make_model(
                helper.make_graph(nodes, "case", ports, result, [numpy_helper.from_array(v, k) for k, v in exact.items()]),
                opset_imports=[helper.make_opsetid("", opset)], ir_version=8,
            )
        )
        many = batch if isinstance(batch, int) else 1
        ones = [{k: np.repeat(x[n : n + 1], many, 0).astype(np.float64) for k, x in samples.items()} for n in range(N)]
        # Of equal samples the first is as good as any.
        return np.stack([np.asarray(evaluator.run(None, one)[0]).reshape(many, -1)[0] for one in ones])

    rows = {}
    for key in parameters:
        value, columns, step = arrays[key].astype(np.float64), [], 1e-5
        for k in range(value.size):
            parts = []
            for sign in (1, -1):
                moved = value.copy().reshape(-1)
                moved[k] += sign * step
                parts.append(outputs({key: moved.reshape(value.shape)}))
            columns.append(((parts[0] - parts[1]) / (2 * step)).reshape(-1))
        rows[key] = np.stack(columns, 1)
    record(name, {k: torch.tensor(v) for k, v in samples.items()}, out, outputs({}), rows)


def record(name, inputs, out, outputs, rows):
    for key, x in inputs.items():
        ARRAYS[f"{name}/input/{key}"] = x.double().numpy()
    ARRAYS[f"{name}/output/{out}"] = outputs
    for key, j in rows.items():
        ARRAYS[f"{name}/ntk/{key}"] = j @ j.T


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), **attributes)


def weight(*shape):
    return lambda rng: (0.5 * rng.standard_normal(shape)).astype(np.float32)


class Base(nn.Module):
    """A layer before and one after what a case is about."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 5), nn.Linear(5, 2)

    def middle(self, h):
        return h

    def forward(self, x):
        return self.b(self.middle(torch.tanh(self.a(x))))


def parameter(*shape):
    return nn.Parameter(torch.randn(shape) * 0.3 + 0.8)


def with_parameter(shape, middle):
    """A network whose middle uses an own parameter p, a buffer q and the weight of its first layer."""

    class Net(Base):
        def __init__(self):
            super().__init__()
            self.p = parameter(*shape)
            self.register_buffer("q", torch.randn(shape) * 0.3 + 0.8)

        def middle(self, h):
            return middle(h, self.p, self.q)

    return Net


OPS = {
    "add": lambda h, p, q: h + p + q,
    "sub": lambda h, p, q: (h - p) + (q - h) * 0.5,
    "rsub": lambda h, p, q: p - h * q,
    "mul": lambda h, p, q: h * p * q,
    "div": lambda h, p, q: h / p / q,
    "rdiv": lambda h, p, q: p / (2 + h) + q / (3 + h),
    "pow": lambda h, p, q: (2 + h) ** p + (2 + h) ** q,
    "where": lambda h, p, q: torch.where(torch.tensor([True, False, True, True, False]), p, h * q),
    "maximum": lambda h, p, q: torch.maximum(h, p - 0.8) + torch.minimum(h, q),
    "exp": lambda h, p, q: h * torch.exp(p) + F.softplus(q),
}


class Joined(Base):
    """A class token, joined to the samples, and a learnt query that meets no sample before its layer."""

    def __init__(self):
        super().__init__()
        self.token, self.query = parameter(1, 1, 5), parameter(3, 5)
        self.c = nn.Linear(5, 5)

    def middle(self, h):
        rows = torch.cat([self.token.expand(h.shape[0], -1, -1), h[:, None]], 1)
        scores = self.c(self.query) @ rows.transpose(1, 2)
        return torch.tanh(scores).mean(1) @ rows[0, :, :].detach() * 0 + torch.tanh(scores).sum((1, 2))[:, None] * h


class Weights(nn.Module):
    """Weights made by ops: masked, padded, cut to a triangle, scaled, with a low-rank update, in part replaced."""

    def __init__(self):
        super().__init__()
        self.w, self.v, self.s = parameter(4, 4), parameter(4, 4), parameter()
        self.a, self.b, self.row = parameter(2, 4), parameter(4, 2), parameter(4)
        self.register_buffer("mask", (torch.rand(4, 4) > 0.4).float())
        self.register_buffer("hole", torch.rand(4, 4) > 0.6)

    def forward(self, x):
        h = torch.tanh(x @ (self.w * self.mask).T)
        h = torch.tanh(h @ self.v.masked_fill(self.hole, 0.0) + x @ torch.tril(self.v) * self.s)
        h = torch.tanh(h @ (self.w + 2.0 * (self.b @ self.a)))
        return h @ torch.cat([self.row[None], self.w[1:]], 0)[:, :2]


class Stopped(Base):
    """Gradients that stop: detach of a value and of a weight, clone, a row of padding."""

    def __init__(self):
        super().__init__()
        self.e = nn.Embedding(5, 5, padding_idx=2)
        with torch.no_grad():
            self.e.weight[2] = 0.7

    def forward(self, x, ids):
        h = torch.tanh(self.a(x)) * torch.sigmoid(self.a(x)).detach() + self.e(ids).mean(1)
        h = h + F.linear(h, self.b.weight.clone().T @ self.b.weight.detach())
        return self.b(h)


class Buffers(Base):
    """Fixed matrices: a buffer, a plain tensor, one that the network computes."""

    def __init__(self):
        super().__init__()
        self.register_buffer("features", torch.randn(4, 4))
        self.plain = torch.randn(5, 5)
        self.adjacency = nn.Buffer(torch.rand(5, 5))

    def forward(self, x):
        h = torch.tanh(self.a(torch.sin(x @ self.features))) @ torch.eye(5, dtype=x.dtype) @ self.plain.to(x.dtype)
        return self.b((self.adjacency @ h[:, :, None])[:, :, 0])


class Equal(nn.Module):
    """Two layers of equal values and one that is tied to the first."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)
        self.b.load_state_dict(self.a.state_dict())
        self.c.weight = self.a.weight

    def forward(self, x):
        return self.c(torch.tanh(self.b(torch.tanh(self.a(x)))))


def main():
    FOLDER.mkdir(exist_ok=True)
    torch.manual_seed(1)
    x, ids = torch.randn(N, 4), torch.randint(0, 5, (N, 3))
    for op, middle in OPS.items():
        module(f"{op}_vector", with_parameter((5,), middle), [x])
        module(f"{op}_one", with_parameter((1,), middle), [x])
    module("mul_scalar", with_parameter((), OPS["mul"]), [x])
    module("joined", Joined, [x])
    module("made_weights", Weights, [x])
    module("stopped", Stopped, [x, ids])
    module("buffers", Buffers, [x])
    module("equal_layers", Equal, [x])
    module("equal_layers_legacy", Equal, [x], legacy=True)

    linear = node("Gemm", "x w b", "h")
    tensors = {"w": weight(4, 3), "b": weight(3)}
    matrix = {"w": weight(4, 3)}
    graph("one_entry_added", [node("MatMul", "x w", "h"), node("Tanh", "h", "t"), node("Add", "t b", "y")], {"x": (4,)}, matrix | {"b": weight()}, ["w", "b"])
    graph("one_entry_bias", [node("MatMul", "x w", "h"), node("Identity", "h", "g"), node("Add", "g b", "y")], {"x": (4,)}, {"w": weight(4, 1), "b": weight(1)}, ["w", "b"])
    graph("factor_and_shift", [node("Conv", "x w", "h"), node("Mul", "h s", "m"), node("Add", "m t", "y")], {"x": (2, 3, 3)}, {"w": weight(3, 2, 2, 2), "s": weight(1, 3, 1, 1), "t": weight(1, 3, 1, 1)}, ["w", "s", "t"])
    graph("token", [node("Concat", "cls x", "h", axis=1), node("MatMul", "h w", "q"), node("ReduceSum", "q axes", "y", keepdims=0)], {"x": (5, 4)}, matrix | {"cls": weight(1, 1, 4), "axes": np.array([1])}, ["w", "cls"], batch=1)
    graph("adjacency", [node("MatMul", "A x", "q"), node("MatMul", "q w", "y")], {"x": (4, 4)}, matrix | {"A": weight(4, 4)}, ["w"])
    graph("weight_mask", [node("Mul", "w mask", "m"), node("MatMul", "x m", "y")], {"x": (4,)}, matrix | {"mask": lambda rng: (rng.random((4, 3)) > 0.5).astype(np.float32)}, ["w"])
    graph("weight_scale", [node("Mul", "w s", "m"), node("MatMul", "x m", "y")], {"x": (4,)}, matrix | {"s": np.float32(0.3).reshape(1)}, ["w"])
    graph("weight_trilu", [node("Trilu", "w", "m"), node("MatMul", "x m", "y")], {"x": (4,)}, matrix, ["w"])
    graph("weight_pad", [node("Pad", "w pads", "m"), node("Conv", "x m", "y")], {"x": (2, 5, 5)}, {"w": weight(3, 2, 1, 1), "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1])}, ["w"])
    graph("weight_twice", [node("Identity", "w", "u"), node("Identity", "w", "v"), node("MatMul", "x u", "h"), node("Tanh", "h", "t"), node("MatMul", "t v", "y")], {"x": (4,)}, {"w": weight(4, 4)}, ["w"])
    graph("in_a_constant", [node("Constant", "", "w", value=numpy_helper.from_array(weight(4, 3)(np.random.default_rng(3)))), node("MatMul", "x w", "y")], {"x": (4,)}, {}, [], evaluated=False)
    constant_zero = helper.make_node("LeakyRelu", ["h"], ["y"])
    constant_zero.attribute.append(onnx.AttributeProto(name="alpha", type=onnx.AttributeProto.FLOAT))
    graph("omitted_zero", [linear, constant_zero], {"x": (4,)}, tensors, ["w", "b"])
    sizes = np.array
    graph("batch_of_two", [node("Relu", "x", "q"), node("Reshape", "q shape", "h"), node("Gemm", "h w b", "y")], {"x": (4, 3)}, {"shape": sizes([2, -1]), "w": weight(12, 2), "b": weight(2)}, ["w", "b"], batch=2)
    graph("batch_inside", [node("Transpose", "x", "t", perm=[1, 0, 2]), node("Reshape", "t s", "u"), node("Tanh", "u", "v"), node("Reshape", "v r", "z"), node("Transpose", "z", "q", perm=[1, 0, 2]), node("MatMul", "q w", "y")], {"x": (2, 4)}, {"s": sizes([2, 4, 2]), "r": sizes([2, 2, 4]), "w": weight(4, 3)}, ["w"], batch=2)
    graph("squeezed", [linear, node("Squeeze", "h axes", "y")], {"x": (4,)}, tensors | {"axes": sizes([0])}, ["w", "b"], batch=1)
    graph("taken", [linear, node("Gather", "h zero", "y", axis=0)], {"x": (4,)}, tensors | {"zero": sizes(0)}, ["w", "b"], batch=1)
    graph("mean_of_all", [node("MatMul", "x w", "h"), node("ReduceMean", "h", "y", keepdims=1)], {"x": (5, 4)}, matrix, ["w"], batch=1)
    save_file(ARRAYS, FOLDER / "parameters.safetensors")


if __name__ == "__main__":
    main()
