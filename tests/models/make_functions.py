"""Small ONNX networks of functions, powers, interpolations, transforms and quantisation, with their kernels by autograd.

usage: make_functions.py OUTDIR

OUTDIR/NAME.onnx is a network with a dynamic batch. OUTDIR/functions.safetensors holds in float64 NAME/INPUT (samples first),
NAME/y and NAME/ntk/PARAMETER: four rows, evenly spread, of the kernel [N C, N C] of every parameter, by PyTorch's autograd on
the same network written in PyTorch. Its outputs are held against onnxruntime's here, up to the rounding of float32. Needs torch, onnx, onnxruntime.
"""
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

OUT = pathlib.Path(sys.argv[1])
N = 3
rng = np.random.default_rng(11)
arrays = {}
torch.set_default_dtype(torch.float64)
onnxruntime.set_default_logger_severity(3)


def session_of(model):
    """Without optimisations, some of which replace products of quantised numbers by coarser ones."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def r(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def i64(*values):
    return np.array(values, dtype=np.int64)


def f32(*values):
    return np.array(values, dtype=np.float32)


def node(op, inputs, outputs, domain="", **attributes):
    inputs, outputs = (x.split() if isinstance(x, str) else x for x in (inputs, outputs))
    inputs, outputs = ([("" if x == "_" else x) for x in names] for names in (inputs, outputs))
    return helper.make_node(op, inputs, outputs, name=f"{op}_{outputs[0]}", domain=domain, **attributes)


def rows_of_kernel(j):
    """Four rows of J J^T."""
    return (j[:: -(-len(j) // 4)] @ j.T).numpy()


def same(x):
    return x


def network(name, opset, inputs, nodes, weights, function, ints=(), parameters=("w",), tolerance=1e-5, scale=1.0):
    """`inputs` gives sample shapes, or a pair of a shape and a bound for whole numbers. `function` takes the inputs and the
    weights by name."""
    info, data = [], {}
    for key, shape in inputs.items():
        whole = key in ints
        info.append(helper.make_tensor_value_info(key, TensorProto.INT64 if whole else TensorProto.FLOAT, ["n", *shape]))
        data[key] = rng.integers(0, ints[key], (N, *shape)) if whole else scale * r(N, *shape)
    held = [numpy_helper.from_array(np.asarray(v), k) for k, v in weights.items()]
    graph = helper.make_graph(nodes, name, info, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], held)
    sets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=sets, producer_name="make_functions")
    model.ir_version = 9
    onnx.save(model, OUT / f"{name}.onnx")
    session = session_of(model)
    (expected,) = session.run(["y"], {k: v.astype(np.float32) if k not in ints else v for k, v in data.items()})

    held = {k: torch.from_numpy(np.asarray(v).astype(np.float64)) for k, v in weights.items()}
    held = {k: v.requires_grad_() if k in parameters else v for k, v in held.items()}
    tensors = {k: torch.from_numpy(v.astype(np.int64 if k in ints else np.float64)) for k, v in data.items()}
    y = function(**tensors, **held)
    off = np.abs(y.detach().numpy() - expected).max() / max(1.0, np.abs(expected).max())
    assert y.shape == expected.shape and off < tolerance, f"{name}: PyTorch {tuple(y.shape)} and onnxruntime {expected.shape} differ by {off}"
    rows = {k: [] for k in parameters}
    for entry in y.reshape(-1):
        gradients = torch.autograd.grad(entry, [held[k] for k in parameters], retain_graph=True, allow_unused=True)
        for k, g in zip(parameters, gradients):
            rows[k].append((torch.zeros_like(held[k]) if g is None else g).reshape(-1))
    for k, v in data.items():
        arrays[f"{name}/{k}"] = v.astype(np.float64)
    arrays[f"{name}/y"] = y.detach().numpy()
    for k, list_ in rows.items():
        j = torch.stack(list_)
        arrays[f"{name}/ntk/{k}"] = rows_of_kernel(j)
    print(f"{name}: {expected.shape}, off by {off:.1e}")


def function(name, op, f, opset=13, domain="", inner="h", before=(), bend=same, **attributes):
    """One function of x w."""
    network(name, opset, {"x": [4]}, [node("MatMul", "x w", "h"), *before, node(op, inner, "y", domain, **attributes)],
            {"w": 0.5 * r(4, 3)}, lambda x, w: f(bend(x @ w)))


# Functions of one number; those that are not defined everywhere get sin(x w), or 1 + (x w)^2.
sine = dict(inner="s", before=[node("Sin", "h", "s")], bend=torch.sin)
for op in ("Asin", "Acos", "Atanh"):
    function(op.lower(), op, getattr(torch, op.lower()), **sine)
for op in ("Atan", "Tan", "Sinh", "Cosh", "Asinh", "Cos"):
    function(op.lower(), op, getattr(torch, op.lower()))
function("acosh", "Acosh", torch.acosh, inner="c", before=[node("Cosh", "h", "c")], bend=torch.cosh)
function("log_sigmoid", "Log", torch.log, inner="s", before=[node("Sigmoid", "h", "s")], bend=torch.sigmoid)
function("soft_shrink", "Shrink", lambda h: F.softshrink(h, 0.25), lambd=0.25, bias=0.25)
function("hard_shrink", "Shrink", lambda h: F.hardshrink(h, 0.25), lambd=0.25, bias=0.0)
function("thresholded_relu", "ThresholdedRelu", lambda h: F.threshold(h, 0.25, 0.0), alpha=0.25)
function("log_sum", "ReduceLogSum", lambda h: torch.log(h.sum(1)), inner="c", before=[node("Cosh", "h", "c")], bend=torch.cosh,
         axes=[1], keepdims=0)
function("log_sum_exp", "ReduceLogSumExp", lambda h: torch.logsumexp(h, 1, keepdim=True), axes=[1])
network("log_sum_exp_two", 18, {"x": [3, 4]}, [node("MatMul", "x w", "h"), node("ReduceLogSumExp", "h a", "y", keepdims=0)],
        {"w": r(4, 3), "a": i64(1, 2)}, lambda x, w, a: torch.logsumexp(50 * (x @ w) / 50, (1, 2)))
network("product", 18, {"x": [5, 4]}, [node("MatMul", "x w", "h"), node("ReduceProd", "h a", "y", keepdims=0)],
        {"w": r(4, 3), "a": i64(1)}, lambda x, w, a: (x @ w).prod(1))
network("product_all", 13, {"x": [3, 4]}, [node("MatMul", "x w", "h"), node("ReduceProd", "h", "y", axes=[1, 2])],
        {"w": r(4, 2)}, lambda x, w: (x @ w).prod(2, keepdim=True).prod(1, keepdim=True))


# Powers. Fixed numbers are Constant nodes: what a file without marks holds as an initialiser may be a parameter.
def fixed(name, value):
    return node("Constant", [], name, value=numpy_helper.from_array(np.asarray(value, np.float32)))


def power(name, inner, f, constants, before=(), bend=same):
    """A power of x w, with fixed numbers."""
    tensors = {k: torch.from_numpy(np.asarray(v, np.float32).astype(np.float64)) for k, v in constants.items()}
    nodes = [fixed(k, v) for k, v in constants.items()]
    network(name, 13, {"x": [4]}, [*nodes, node("MatMul", "x w", "h"), *before, node("Pow", inner, "y")], {"w": 0.5 * r(4, 3)},
            lambda x, w: f(bend(x @ w), **tensors))


positive = dict(before=[node("Cosh", "h", "c")], bend=torch.cosh)
power("power_of_base", "b h", lambda h, b: b**h, {"b": 1.5})
power("power_of_bases", "b h", lambda h, b: b**h, {"b": [0.5, 2.0, 1.5]})
power("power_by_vector", "h p", lambda h, p: h**p, {"p": [1.0, 2.0, 3.0]})
power("power_by_vector_whole_and_not", "c p", lambda h, p: h**p, {"p": [0.0, 1.7, -1.5]}, **positive)
power("power_odd", "c p", lambda h, p: h**p, {"p": -0.7}, **positive)
power("power_of_zero", "c p", lambda h, p: h**p, {"p": 1.5}, before=[node("Relu", "h", "c")], bend=torch.relu)
network("power_stretched", 13, {"x": [1]}, [fixed("k", [0, 1, 2, 3]), node("Pow", "x k", "q"), node("MatMul", "q w", "y")],
        {"w": r(4, 2)}, lambda x, w: x ** torch.arange(4) @ w)
EXPONENTS = [[1, 2, 3], [3, 2, 1]]
network("power_by_matrix", 13, {"x": [4]},
        [fixed("p", EXPONENTS), node("MatMul", "x w", "h"), node("Reshape", "h s", "m"), node("Pow", "m p", "y")],
        {"w": r(4, 6), "s": i64(-1, 2, 3)}, lambda x, w, s: (x @ w).reshape(-1, 2, 3) ** torch.tensor(EXPONENTS))
network("power_of_samples", 13, {"x": [4], "z": [3]}, [node("MatMul", "x w", "h"), node("Cosh", "h", "c"), node("Pow", "c z", "y")],
        {"w": 0.5 * r(4, 3)}, lambda x, z, w: torch.cosh(x @ w) ** z)
network("power_by_parameters", 13, {"x": [4]}, [node("MatMul", "x w", "h"), node("Cosh", "h", "c"), node("Pow", "c p", "y")],
        {"w": 0.5 * r(4, 3), "p": f32(1.5, -0.5, 2.0)}, lambda x, w, p: torch.cosh(x @ w) ** p, parameters=("w", "p"))

# Interpolation. Outputs of modes that PyTorch does not have are computed by the same linear map, read off onnxruntime.
def resized(name, nodes_inputs, weights, f, opset=18, shape=(2, 5, 6), **attributes):
    network(name, opset, {"x": list(shape)}, [node("Conv", "x w", "h"), node("Resize", nodes_inputs, "y", **attributes)],
            {"w": r(2, shape[0], 1, 1), **weights}, lambda x, w, **_: f(F.conv2d(x, w)))


def by_onnxruntime(opset, inputs, weights, shape, **attributes):
    """The linear map that onnxruntime's Resize is, from what it makes of unit planes (in float32)."""
    info = [helper.make_tensor_value_info("h", TensorProto.FLOAT, ["n", 1, *shape])]
    held = [numpy_helper.from_array(v, k) for k, v in weights.items()]
    graph = helper.make_graph([node("Resize", inputs, "y", **attributes)], "g", info,
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 9
    session = session_of(model)
    size = int(np.prod(shape))
    unit = np.eye(size, dtype=np.float32).reshape(size, 1, *shape)
    planes = np.concatenate([session.run(["y"], {"h": unit[k:k + 1]})[0] for k in range(size)])
    (offset,) = session.run(["y"], {"h": np.zeros((1, 1, *shape), np.float32)})
    return torch.from_numpy((planes - offset).astype(np.float64)), torch.from_numpy(offset.astype(np.float64))


def mapped(h, planes, offset):
    return torch.einsum("nck,kuv->ncuv", h.flatten(2), planes[:, 0]) + offset


def resized_as_onnxruntime(name, inputs, weights, opset=18, shape=(2, 5, 6), **attributes):
    planes, offset = by_onnxruntime(opset, inputs, weights, shape[1:], **attributes)
    resized(name, inputs, weights, lambda h: mapped(h, planes, offset), opset, shape, **attributes)


SCALES = {"s": f32(1, 1, 1.7, 0.6)}
resized("resize_cubic", "h _ s", {"s": f32(1, 1, 2, 2)}, lambda h: F.interpolate(h, scale_factor=2, mode="bicubic"), mode="cubic",
        coordinate_transformation_mode="pytorch_half_pixel")
resized("resize_cubic_corners", "h _ s", {"s": f32(1, 1, 2, 2)},
        lambda h: F.interpolate(h, scale_factor=2, mode="bicubic", align_corners=True), mode="cubic",
        coordinate_transformation_mode="align_corners")
for place in ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"):
    for mode in ("linear", "cubic", "nearest"):
        resized_as_onnxruntime(f"resize_{mode}_{place}", "h _ s", SCALES, opset=19, mode=mode, coordinate_transformation_mode=place)
resized_as_onnxruntime("resize_nn", "h r s", {"r": f32(), **SCALES}, opset=11, mode="nearest", coordinate_transformation_mode="tf_half_pixel_for_nn",
                       nearest_mode="floor")
for nearest in ("floor", "ceil", "round_prefer_ceil"):
    resized_as_onnxruntime(f"resize_nearest_{nearest}", "h _ s", SCALES, mode="nearest", nearest_mode=nearest)
resized_as_onnxruntime("resize_cubic_outside", "h _ s", SCALES, mode="cubic", exclude_outside=1, cubic_coeff_a=-0.5)
for mode in ("linear", "cubic"):
    resized_as_onnxruntime(f"resize_{mode}_antialias", "h _ s", {"s": f32(1, 1, 0.45, 0.6)}, mode=mode, antialias=1)
    resized_as_onnxruntime(f"resize_{mode}_antialias_outside", "h _ s", {"s": f32(1, 1, 0.45, 1.3)}, mode=mode, antialias=1,
                           exclude_outside=1)
ROI = {"r": f32(0, 0, 0.1, -0.2, 1, 1, 0.8, 1.1), "s": f32(1, 1, 1.4, 1.5)}
for mode in ("linear", "nearest"):
    resized_as_onnxruntime(f"resize_crop_{mode}", "h r s", ROI, mode=mode, coordinate_transformation_mode="tf_crop_and_resize",
                           extrapolation_value=0.75)
for policy in ("not_larger", "not_smaller"):
    resized_as_onnxruntime(f"resize_{policy}", "h _ _ s", {"s": i64(7, 8)}, mode="linear", axes=[2, 3],
                           keep_aspect_ratio_policy=policy)


# Grids.
GRID = np.clip(0.7 * r(1, 3, 4, 2), -1.3, 1.3)
for mode in ("bilinear", "nearest", "bicubic"):
    for padding in ("zeros", "border", "reflection"):
        for corners in (0, 1):
            network(f"grid_{mode}_{padding}_{corners}", 16, {"x": [2, 5, 4]},
                    [node("Conv", "x w", "h"), node("Shape", "x", "n", end=1), node("Concat", "n k", "e", axis=0),
                     node("Expand", "g e", "v"), node("GridSample", "h v", "y", mode=mode, padding_mode=padding, align_corners=corners)],
                    {"w": r(2, 2, 1, 1), "g": GRID, "k": i64(3, 4, 2)},
                    lambda x, w, g, k: F.grid_sample(F.conv2d(x, w), g.expand(len(x), -1, -1, -1), mode=mode, padding_mode=padding,
                                                     align_corners=bool(corners)))
network("grid_volume", 20, {"x": [6]},
        [node("MatMul", "x w", "m"), node("Reshape", "m t", "h"), node("Shape", "x", "n", end=1), node("Concat", "n k", "e", axis=0), node("Expand", "g e", "v"),
         node("GridSample", "h v", "y", mode="linear")],
        {"w": r(6, 24), "g": np.clip(0.7 * r(1, 2, 3, 1, 3), -1.2, 1.2), "k": i64(2, 3, 1, 3), "t": i64(-1, 1, 3, 4, 2)},
        lambda x, w, g, k, t: F.grid_sample((x @ w).reshape(-1, 1, 3, 4, 2), g.expand(len(x), -1, -1, -1, -1), align_corners=False))
for corners in (0, 1):
    network(f"affine_grid_{corners}", 20, {"x": [4]},
            [node("Gemm", "x w b", "h"), node("Reshape", "h s", "t"), node("Shape", "x", "n", end=1), node("Concat", "n k", "z", axis=0),
             node("AffineGrid", "t z", "y", align_corners=corners)],
            {"w": r(4, 6), "b": r(6), "s": i64(-1, 2, 3), "k": i64(1, 3, 4)},
            lambda x, w, b, s, k: F.affine_grid((x @ w + b).reshape(-1, 2, 3), [N, 1, 3, 4], bool(corners)), parameters=("w", "b"))

# Transforms.
complex_ = lambda z: torch.view_as_real(z)
network("dft_onesided", 17, {"x": [6]}, [node("MatMul", "x w", "h"), node("Unsqueeze", "h a", "u"), node("DFT", "u", "y", axis=1, onesided=1)],
        {"w": r(6, 6), "a": i64(-1)}, lambda x, w, a: complex_(torch.fft.rfft(x @ w)))
network("dft_padded", 20, {"x": [3, 5]}, [node("MatMul", "x w", "h"), node("Unsqueeze", "h a", "u"), node("DFT", "u l k", "y")],
        {"w": r(5, 5), "a": i64(-1), "l": np.int64(8), "k": np.int64(2)}, lambda x, w, a, l, k: complex_(torch.fft.fft(x @ w, n=8)))
network("dft_other_axis", 17, {"x": [5, 3]}, [node("MatMul", "x w", "h"), node("Unsqueeze", "h a", "u"), node("DFT", "u l", "y", axis=1)],
        {"w": r(3, 3), "a": i64(-1), "l": np.int64(4)}, lambda x, w, a, l: complex_(torch.fft.fft(x @ w, n=4, dim=1)))
network("dft_inverse", 17, {"x": [5, 2]}, [node("MatMul", "x w", "h"), node("DFT", "h", "y", axis=1, inverse=1)], {"w": r(2, 2)},
        lambda x, w: complex_(torch.fft.ifft(torch.view_as_complex((x @ w).contiguous()))))
network("stft", 17, {"x": [12]}, [node("MatMul", "x w", "h"), node("Unsqueeze", "h a", "u"), node("STFT", "u k v", "y", onesided=1)],
        {"w": r(12, 12), "a": i64(-1), "k": np.int64(3), "v": np.hanning(6).astype(np.float32)},
        lambda x, w, a, k, v: complex_(torch.stft(x @ w, 6, 3, window=v, center=False, return_complex=True)).transpose(1, 2))


# Quantisation, with the straight-through gradient.
class Rounding(torch.autograd.Function):
    @staticmethod
    def forward(context, x, low, high):
        y = torch.round(x)
        context.save_for_backward((y >= low) & (y <= high))
        return y.clamp(low, high)

    @staticmethod
    def backward(context, g):
        return g * context.saved_tensors[0], None, None


def rounded(x, scale, zero=0, low=-128, high=127):
    return Rounding.apply(x / scale, low - zero, high - zero) * scale


def checked_rounding():
    """`rounded` is what torch.fake_quantize_per_tensor_affine is, and has its gradient."""
    x = torch.linspace(-2, 2, 1001, dtype=torch.float32).requires_grad_()
    ours, theirs = rounded(x, 0.015625, 3), torch.fake_quantize_per_tensor_affine(x, 0.015625, 3, -128, 127)
    gradients = [torch.autograd.grad(y.sum(), x)[0] for y in (ours, theirs)]
    assert torch.equal(ours, theirs) and torch.equal(*gradients)


checked_rounding()
i8, u8 = np.int8, np.uint8
network("fake_quantized", 13, {"x": [4]},
        [node("QuantizeLinear", "w s z", "q"), node("DequantizeLinear", "q s z", "v"), node("MatMul", "x v", "h"),
         node("QuantizeLinear", "h t u", "k"), node("DequantizeLinear", "k t u", "y")],
        {"w": r(4, 3), "s": np.float32(0.01), "z": i8(0), "t": np.float32(0.02), "u": u8(100)},
        lambda x, w, s, z, t, u: rounded(x @ rounded(w, s), t, 100, 0, 255))
network("fake_quantized_channels", 13, {"x": [4]},
        [node("QuantizeLinear", "w s z", "q", axis=1), node("DequantizeLinear", "q s z", "v", axis=1), node("MatMul", "x v", "y")],
        {"w": r(4, 3), "s": f32(0.01, 0.02, 0.005), "z": np.array([0, 5, -7], i8)},
        lambda x, w, s, z: x @ torch.stack([rounded(w[:, k], s[k], int(z[k])) for k in range(3)], 1))

def dequantized(name, nodes, integers, scales, f, opset=13, tolerance=1e-5, **others):
    """Integer weights: the parameter is what they stand for."""
    weights = {**integers, **others}
    leaves = {k: torch.from_numpy(v.astype(np.float64)) * scales[k] for k, v in integers.items()}
    for leaf in leaves.values():
        leaf.requires_grad_()
    info = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *f.shape])]
    held = [numpy_helper.from_array(np.asarray(v), k) for k, v in weights.items()]
    graph = helper.make_graph(nodes, name, info, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], held)
    sets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=sets, producer_name="make_functions")
    model.ir_version = 10
    onnx.save(model, OUT / f"{name}.onnx")
    data = r(N, *f.shape)
    (expected,) = session_of(model).run(["y"], {"x": data})
    y = f(torch.from_numpy(data.astype(np.float64)), **leaves)
    off = np.abs(y.detach().numpy() - expected).max() / max(1.0, np.abs(expected).max())
    assert y.shape == expected.shape and off < tolerance, f"{name}: {tuple(y.shape)} and {expected.shape} differ by {off}"
    arrays[f"{name}/x"], arrays[f"{name}/y"] = data.astype(np.float64), y.detach().numpy()
    for k, leaf in leaves.items():
        j = torch.stack([torch.autograd.grad(e, leaf, retain_graph=True)[0].reshape(-1) for e in y.reshape(-1)])
        arrays[f"{name}/ntk/{k}"] = rows_of_kernel(j)
    print(f"{name}: {expected.shape}, off by {off:.1e}")


def on(*shape):
    def decorated(f):
        f.shape = shape
        return f
    return decorated


def integers(*shape):
    return rng.integers(-100, 100, shape).astype(i8)


single = lambda x: float(np.float32(x))
S = (0.01 + 0.01 * rng.random((2, 3))).astype(np.float32)
dequantized("dequantized_weight", [node("DequantizeLinear", "w s z", "v"), node("MatMul", "x v", "y")], {"w": integers(4, 3)},
            {"w": single(0.02)}, on(4)(lambda x, w: x @ w), s=np.float32(0.02), z=i8(0))
dequantized("dequantized_blocks", [node("DequantizeLinear", "w s", "v", axis=0, block_size=3), node("MatMul", "x v", "y")],
            {"w": integers(4, 3)}, {"w": torch.from_numpy(S.astype(np.float64))[[0, 0, 0, 1]]}, on(4)(lambda x, w: x @ w), opset=21, s=S)
Q = dict(xs=np.float32(0.02), xz=u8(128), ws=np.float32(0.01), wz=i8(0), ys=np.float32(0.03), yz=u8(120))
dequantized("qlinear_matmul",
            [node("QuantizeLinear", "x xs xz", "q"), node("QLinearMatMul", "q xs xz w ws wz ys yz", "o"), node("DequantizeLinear", "o ys yz", "y")],
            {"w": integers(4, 3)}, {"w": single(0.01)},
            on(4)(lambda x, w: rounded(rounded(x, single(0.02), 128, 0, 255) @ w, single(0.03), 120, 0, 255)), tolerance=2e-2, **Q)
dequantized("qlinear_conv",
            [node("QuantizeLinear", "x xs xz", "q"), node("QLinearConv", "q xs xz w ws wz ys yz b", "o", pads=[1, 1, 1, 1]),
             node("DequantizeLinear", "o ys yz", "y")],
            {"w": integers(2, 1, 3, 3), "b": rng.integers(-500, 500, 2).astype(np.int32)},
            {"w": torch.tensor([single(0.01), single(0.02)]).reshape(2, 1, 1, 1), "b": single(0.02) * torch.tensor([single(0.01), single(0.02)])},
            on(1, 3, 4)(lambda x, w, b: rounded(F.conv2d(rounded(x, single(0.02), 128, 0, 255), w, b, padding=1), single(0.03), 120, 0, 255)),
            tolerance=2e-2, **{**Q, "ws": f32(0.01, 0.02), "wz": np.array([0, 0], i8)})

# Fused ops of onnxruntime.
M = "com.microsoft"
network("fused_gelu", 13, {"x": [4]}, [node("MatMul", "x w", "h"), node("BiasGelu", "h b", "g", M), node("FastGelu", "g c", "f", M),
                                       node("QuickGelu", "f", "k", M, alpha=1.3), node("Gelu", "k", "y", M)],
        {"w": r(4, 3), "b": r(3), "c": r(3)},
        lambda x, w, b, c: F.gelu((lambda h: h * torch.sigmoid(1.3 * h))(F.gelu(F.gelu(x @ w + b) + c, approximate="tanh"))),
        parameters=("w", "b", "c"))
network("fused_matmul", 13, {"x": [2, 4], "z": [3, 4]},
        [node("FusedMatMul", "x w", "h", M, transB=1, alpha=0.5), node("FusedMatMul", "z x", "k", M, transB=1), node("FusedMatMul", "k h", "y", M, alpha=2.0)],
        {"w": r(5, 4)}, lambda x, z, w: 2 * (z @ x.mT) @ (0.5 * x @ w.T))
network("fused_conv", 13, {"x": [2, 4, 4]},
        [node("FusedConv", "x w b", "h", M, pads=[1, 1, 1, 1], activation="LeakyRelu", activation_params=[0.2]),
         node("FusedConv", "h v c h", "y", M, activation="Relu")],
        {"w": r(2, 2, 3, 3), "b": r(2), "v": r(2, 2, 1, 1), "c": r(2)},
        lambda x, w, b, v, c: (lambda h: F.relu(F.conv2d(h, v, c) + h))(F.leaky_relu(F.conv2d(x, w, b, padding=1), 0.2)),
        parameters=("w", "b", "v", "c"))
network("fused_gemm", 13, {"x": [4]}, [node("FusedGemm", "x w b", "y", M, transB=1, activation="LeakyRelu", activation_alpha=0.2)],
        {"w": r(3, 4), "b": r(3)}, lambda x, w, b: F.leaky_relu(x @ w.T + b, 0.2), parameters=("w", "b"))
network("skip_layer_norm", 13, {"x": [2, 4], "z": [2, 4]},
        [node("MatMul", "x w", "h"), node("SkipLayerNormalization", "h z g b c", "n _ _ s", M, epsilon=1e-5), node("Add", "n s", "y")],
        {"w": r(4, 4), "g": r(4), "b": r(4), "c": r(4)},
        lambda x, z, w, g, b, c: (lambda s: F.layer_norm(s, (4,), g, b, 1e-5) + s)(x @ w + z + c), parameters=("w", "g", "b", "c"))
network("skip_rms_norm", 13, {"x": [2, 4], "z": [2, 4]},
        [node("MatMul", "x w", "h"), node("SkipSimplifiedLayerNormalization", "h z g", "n _ _ s", M, epsilon=1e-5),
         node("SimplifiedLayerNormalization", "s k", "m", epsilon=1e-5, axis=-1), node("Add", "n m", "y")],
        {"w": r(4, 4), "g": r(4), "k": r(4)},
        lambda x, z, w, g, k: (lambda s: F.rms_norm(s, (4,), g, 1e-5) + F.rms_norm(s, (4,), k, 1e-5))(x @ w + z), parameters=("w", "g", "k"))


def attended(q, k, v, heads, mask=None, causal=False):
    split = lambda x: x.reshape(*x.shape[:2], heads, -1).transpose(1, 2)
    y = F.scaled_dot_product_attention(split(q), split(k), split(v), attn_mask=mask, is_causal=causal)
    return y.transpose(1, 2).flatten(2)


for causal in (0, 1):
    network(f"fused_attention_{causal}", 13, {"x": [3, 4]}, [node("Attention", "x w b", "y", M, num_heads=2, unidirectional=causal)],
            {"w": r(4, 12), "b": r(12)}, lambda x, w, b: attended(*(x @ w + b).chunk(3, 2), 2, causal=bool(causal)), parameters=("w", "b"))
network("multi_head_attention", 13, {"x": [3, 4], "z": [5, 4]},
        [node("MatMul", "x w", "q"), node("MatMul", "z v", "k"), node("MultiHeadAttention", "q k z b", "y", M, num_heads=2)],
        {"w": r(4, 4), "v": r(4, 4), "b": r(12)},
        lambda x, z, w, v, b: attended(x @ w + b[:4], z @ v + b[4:8], z + b[8:], 2), parameters=("w", "v", "b"))


def turned(x, cos, sin, interleaved):
    """[n, heads, t, d] with angles [t, d / 2]."""
    a, b = (x[..., 0::2], x[..., 1::2]) if interleaved else x.chunk(2, -1)
    pair = (cos * a - sin * b, sin * a + cos * b)
    return torch.stack(pair, -1).flatten(-2) if interleaved else torch.cat(pair, -1)


ANGLES = np.outer(np.arange(7), [1.0, 0.3]).astype(np.float32)
for interleaved in (0, 1):
    network(f"rotary_{interleaved}", 13, {"x": [3, 8]},
            [node("MatMul", "x w", "h"), node("RotaryEmbedding", "h p c s", "y", M, interleaved=interleaved, num_heads=2)],
            {"w": r(8, 8), "p": i64(2), "c": np.cos(ANGLES), "s": np.sin(ANGLES)},
            lambda x, w, p, c, s: turned((x @ w).reshape(-1, 3, 2, 4).transpose(1, 2), c[2:5], s[2:5], interleaved).transpose(1, 2).flatten(2))

save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, OUT / "functions.safetensors", metadata={"made by": "make_functions.py"})
