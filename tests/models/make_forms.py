"""Small ONNX graphs in all the ways that exporters write things, with what onnxruntime gives for them.

usage: make_forms.py OUTDIR

OUTDIR/NAME.onnx is a graph, OUTDIR/forms.safetensors holds NAME/INPUT (samples first) and NAME/OUTPUT in float32.
Every graph has a batch axis that is dynamic, unless its name ends in _static, where it is 3.
"""
import sys
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

OUT = sys.argv[1]
N = 3
rng = np.random.default_rng(5)
arrays = {}
functions = []


def r(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def i64(*values):
    return np.array(values, dtype=np.int64)


def node(op, inputs, outputs, **attributes):
    inputs, outputs = (x.split() if isinstance(x, str) else x for x in (inputs, outputs))
    return helper.make_node(op, [("" if x == "_" else x) for x in inputs], outputs, name=f"{op}_{outputs[0]}", **attributes)


def form(name, opset, inputs, nodes, weights, outputs=("y",), ints=()):
    """inputs: {name: sample shape}"""
    batch = N if name.endswith("_static") else "n"
    kind = lambda k: TensorProto.INT64 if k in ints else TensorProto.FLOAT
    info = [helper.make_tensor_value_info(k, kind(k), [batch, *shape]) for k, shape in inputs.items()]
    out = [helper.make_tensor_value_info(k, TensorProto.FLOAT, None) for k in outputs]
    held = [numpy_helper.from_array(np.asarray(v), k) for k, v in weights.items()]
    graph = helper.make_graph(nodes, name, info, out, held)
    sets = [helper.make_opsetid("", opset)] + [helper.make_opsetid("own", 1)] * bool(functions)
    model = helper.make_model(graph, opset_imports=sets, producer_name="make_forms", functions=functions)
    model.ir_version = 3 if opset < 9 else 7 if opset < 15 else 9
    if model.ir_version == 3:  # initialisers were inputs too
        graph = model.graph
        graph.input.extend(helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in graph.initializer)
    onnx.save(model, f"{OUT}/{name}.onnx")
    data = {k: (rng.integers(0, 2 if k == "keep" else 5, (N, *s)) if k in ints else r(N, *s)) for k, s in inputs.items()}
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for k, v in zip(outputs, session.run(list(outputs), data)):
        arrays[f"{name}/{k}"] = v.astype(np.float32)
    for k, v in data.items():
        arrays[f"{name}/{k}"] = v.astype(np.float32)
    print(name, [arrays[f"{name}/{k}"].shape for k in outputs])


# Products.
form("gemm_plain", 7, {"x": [4]}, [node("Gemm", "x w b", "y")], {"w": r(4, 3), "b": r(3)})
form("gemm_scaled", 9, {"x": [4]}, [node("Gemm", "x w b", "y", transB=1, alpha=0.5, beta=2.0)], {"w": r(3, 4), "b": r(1, 3)})
form("gemm_no_bias", 13, {"x": [4]}, [node("Gemm", "x w", "y", transB=1)], {"w": r(3, 4)})
form("gemm_trans_a", 13, {"x": [4]}, [node("Transpose", "x", "t", perm=[1, 0]), node("Gemm", "t w b", "y", transA=1)],
     {"w": r(4, 3), "b": r(1)})
form("matmul_add", 9, {"x": [5, 4]}, [node("MatMul", "x w", "h"), node("Add", "b h", "y")], {"w": r(4, 3), "b": r(3)})
form("matmul_left", 13, {"x": [4, 5]}, [node("MatMul", "w x", "y")], {"w": r(3, 4)})
form("matmul_vector", 13, {"x": [5, 4]}, [node("MatMul", "x w", "y")], {"w": r(4)})
form("matmul_stack", 13, {"x": [2, 5, 4]}, [node("MatMul", "x w", "y")], {"w": r(2, 4, 3)})
form("matmul_shared", 13, {"x": [2, 5, 4], "z": [4, 3]}, [node("Unsqueeze", "z a", "u"), node("MatMul", "x u", "y")],
     {"a": i64(1)})
form("matmul_one_output", 13, {"x": [4]}, [node("MatMul", "x w", "h"), node("Add", "h b", "y")], {"w": r(4, 1), "b": r(1)})
form("einsum_weight", 13, {"x": [5, 4]}, [node("Einsum", "x w", "y", equation="bti,oi->bto")], {"w": r(3, 4)})
form("einsum_heads", 13, {"x": [5, 2, 4], "z": [6, 2, 4]}, [node("Einsum", "x z", "y", equation="blhd,bmhd->bhlm")], {})
form("einsum_sum", 13, {"x": [5, 4]}, [node("Einsum", "x", "y", equation="bij->bj")], {})

# Convolutions and pools.
for pad in ("SAME_UPPER", "SAME_LOWER", "VALID"):
    form(f"conv_{pad.lower()}", 11, {"x": [2, 8, 7]},
         [node("Conv", "x w b", "y", auto_pad=pad, strides=[2, 2], kernel_shape=[3, 4])], {"w": r(3, 2, 3, 4), "b": r(3)})
form("conv_asymmetric", 11, {"x": [2, 8, 8]},
     [node("Conv", "x w", "y", pads=[0, 0, 1, 1], strides=[2, 2], dilations=[1, 2])], {"w": r(3, 2, 3, 3)})
form("conv_line", 11, {"x": [4, 9]}, [node("Conv", "x w b", "y", pads=[2, 1], strides=[2], group=2)], {"w": r(6, 2, 3), "b": r(6)})
form("conv_transpose", 11, {"x": [4, 5, 4]},
     [node("ConvTranspose", "x w b", "y", pads=[1, 0, 0, 1], strides=[2, 2], output_padding=[1, 0], group=2)],
     {"w": r(4, 3, 3, 3), "b": r(6)})
form("conv_transpose_line", 11, {"x": [3, 5]}, [node("ConvTranspose", "x w", "y", strides=[2])], {"w": r(3, 2, 4)})
form("conv_transpose_shape", 11, {"x": [3, 5, 5]},
     [node("ConvTranspose", "x w", "y", strides=[2, 2], output_shape=[10, 10])], {"w": r(3, 2, 3, 3)})
form("max_pool_ceil", 10, {"x": [2, 8, 7]}, [node("MaxPool", "x", "y", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)], {})
form("max_pool_sides", 10, {"x": [2, 8, 7]},
     [node("MaxPool", "x", "y", kernel_shape=[3, 3], strides=[2, 2], pads=[0, 1, 1, 0])], {})
form("max_pool_same", 8, {"x": [2, 7, 6]}, [node("MaxPool", "x", "y", kernel_shape=[2, 2], strides=[2, 2], auto_pad="SAME_UPPER")], {})
form("max_pool_line", 11, {"x": [2, 9]}, [node("MaxPool", "x", "y", kernel_shape=[3], strides=[2], pads=[1, 1])], {})
form("average_pool", 7, {"x": [2, 6, 6]}, [node("AveragePool", "x", "y", kernel_shape=[3, 3], pads=[1, 0, 1, 1], strides=[2, 2])], {})
form("average_pool_counted", 11, {"x": [2, 6, 6]},
     [node("AveragePool", "x", "y", kernel_shape=[2, 2], pads=[1, 1, 0, 1], count_include_pad=1)], {})
form("global_pools", 9, {"x": [2, 6, 5]},
     [node("GlobalAveragePool", "x", "a"), node("GlobalMaxPool", "x", "b"), node("Concat", "a b", "y", axis=1)], {})

# Norms and slopes.
form("batch_norm", 7, {"x": [3, 4, 4]}, [node("BatchNormalization", "x s b m v", "y", epsilon=1e-3)],
     {"s": r(3), "b": r(3), "m": r(3), "v": np.abs(r(3)) + 0.5})
form("batch_norm_line", 15, {"x": [3, 4]}, [node("BatchNormalization", "x s b m v", "y")],
     {"s": r(3), "b": r(3), "m": r(3), "v": np.abs(r(3)) + 0.5})
form("batch_norm_vector", 9, {"x": [3]}, [node("BatchNormalization", "x s b m v", "y")],
     {"s": r(3), "b": r(3), "m": r(3), "v": np.abs(r(3)) + 0.5})
form("instance_norm", 7, {"x": [3, 4, 5]}, [node("InstanceNormalization", "x s b", "y", epsilon=1e-3)], {"s": r(3), "b": r(3)})
form("layer_norm", 17, {"x": [5, 4, 3]}, [node("LayerNormalization", "x s b", "y", axis=-2)], {"s": r(4, 3), "b": r(4, 3)})
form("layer_norm_written", 11, {"x": [5, 4]},
     [node("ReduceMean", "x", "m", axes=[-1]), node("Sub", "x m", "d"), node("Pow", "d two", "q"),
      node("ReduceMean", "q", "v", axes=[-1]), node("Add", "v eps", "e"), node("Sqrt", "e", "s"), node("Div", "d s", "n"),
      node("Mul", "n gain", "g"), node("Add", "g bias", "y")],
     {"two": np.float32(2), "eps": np.array([1e-5], np.float32), "gain": r(4), "bias": r(4)})
form("group_norm_written", 11, {"x": [4, 3, 3]},
     [node("Reshape", "x s1", "g"), node("InstanceNormalization", "g ones zeros", "n"), node("Reshape", "n s2", "h"),
      node("Mul", "h gain", "k"), node("Add", "k bias", "y")],
     {"s1": i64(0, 2, -1), "s2": i64(-1, 4, 3, 3), "ones": np.ones(2, np.float32), "zeros": np.zeros(2, np.float32),
      "gain": r(4, 1, 1), "bias": r(4, 1, 1)})
form("prelu_channels", 9, {"x": [3, 4, 4]}, [node("PRelu", "x a", "y")], {"a": r(3, 1, 1)})
form("prelu_batch_axis", 9, {"x": [3, 4, 4]}, [node("PRelu", "x a", "y")], {"a": r(1, 3, 1, 1)})
form("prelu_one", 7, {"x": [3, 4]}, [node("PRelu", "x a", "y")], {"a": r(1)})
form("prelu_last", 9, {"x": [3, 4]}, [node("PRelu", "x a", "y")], {"a": r(4)})
form("prelu_vector", 9, {"x": [3]}, [node("PRelu", "x a", "y")], {"a": r(3)})
form("lp_norm", 9, {"x": [3, 4]}, [node("LpNormalization", "x", "y", axis=-1, p=2)], {})

# Shapes.
form("reshape_zero", 9, {"x": [3, 4, 2]}, [node("Reshape", "x s", "y")], {"s": i64(0, 0, -1)})
form("reshape_shape", 13, {"x": [3, 4]},
     [node("Shape", "x", "s"), node("Gather", "s zero", "b", axis=0), node("Unsqueeze", "b axes", "u"),
      node("Concat", "u rest", "t", axis=0), node("Reshape", "x t", "y")], {"zero": i64(0)[0], "axes": i64(0), "rest": i64(-1)})
form("reshape_static", 13, {"x": [3, 4]}, [node("Reshape", "x s", "h"), node("Gemm", "h w", "y")], {"s": i64(N, 12), "w": r(12, 2)})
form("heads_first_static", 13, {"x": [3, 4]},
     [node("Transpose", "x", "t", perm=[1, 0, 2]), node("Reshape", "t s", "h"), node("Transpose", "h", "k", perm=[1, 0, 2]),
      node("Softmax", "k", "m", axis=-1), node("Transpose", "m", "l", perm=[1, 0, 2]), node("Reshape", "l s2", "o"),
      node("Transpose", "o", "y", perm=[1, 0, 2])], {"s": i64(3, 2 * N, 2), "s2": i64(3, N, 4)})
form("flatten_two", 9, {"x": [3, 4, 2]}, [node("Flatten", "x", "y", axis=1)], {})
form("squeeze_old", 9, {"x": [1, 4]}, [node("Squeeze", "x", "h", axes=[1]), node("Unsqueeze", "h", "y", axes=[1, 3])], {})
form("slice_old", 9, {"x": [6, 5]}, [node("Slice", "x", "y", axes=[1, 2], starts=[1, -3], ends=[1000, -1])], {})
form("slice_steps", 11, {"x": [6, 5]}, [node("Slice", "x s e a t", "y")],
     {"s": i64(4, 1), "e": i64(-100, 1000), "a": i64(1, 2), "t": i64(-2, 2)})
form("slice_every_other", 11, {"x": [6, 5]}, [node("Slice", "x s e a t", "y")], {"s": i64(1), "e": i64(6), "a": i64(1), "t": i64(2)})
form("split_old", 9, {"x": [6, 2]}, [node("Split", "x", "a b", axis=1, split=[2, 4]), node("Concat", "b a", "y", axis=-2)], {})
form("split_new", 13, {"x": [6, 2]}, [node("Split", "x s", "a b", axis=1), node("Concat", "b a", "y", axis=1)], {"s": i64(1, 5)})
form("gather_list", 9, {"x": [5, 3]}, [node("Gather", "x k", "y", axis=1)], {"k": i64(4, 0, 0, -1)})
form("gather_matrix", 11, {"x": [5, 3]}, [node("Gather", "x k", "y", axis=2)], {"k": i64(0, 2, 1, 1).reshape(2, 2)})
form("gather_one", 11, {"x": [5, 3]}, [node("Gather", "x k", "y", axis=1)], {"k": np.int64(-2)})
form("embedding", 11, {"ids": [6]}, [node("Gather", "w ids", "e"), node("Gather", "p k", "q"), node("Add", "e q", "y")],
     {"w": r(5, 4), "p": r(8, 4), "k": i64(*range(6))}, ints=("ids",))
form("pad_old", 9, {"x": [2, 4, 4]}, [node("Pad", "x", "y", pads=[0, 0, 1, 2, 0, 0, 0, 1], value=0.5)], {})
form("pad_channels", 11, {"x": [2, 4, 4]}, [node("Pad", "x p", "y")], {"p": i64(0, 1, 0, 0, 0, 2, 0, 0)})
form("pad_edge", 11, {"x": [2, 4, 4]}, [node("Pad", "x p", "y", mode="edge")], {"p": i64(0, 0, 2, 1, 0, 0, 0, 1)})
form("expand", 8, {"x": [1, 4]}, [node("Expand", "x s", "y")], {"s": i64(1, 3, 1)})
form("tile", 13, {"x": [2, 3]}, [node("Tile", "x k", "y")], {"k": i64(1, 2, 2)})
form("transpose_back", 9, {"x": [2, 3]}, [node("Transpose", "x", "t"), node("Relu", "t", "u"), node("Transpose", "u", "y")], {})
form("depth_to_space", 11, {"x": [8, 2, 3]},
     [node("DepthToSpace", "x", "a", blocksize=2, mode="DCR"), node("DepthToSpace", "x", "b", blocksize=2, mode="CRD"),
      node("Add", "a b", "c"), node("SpaceToDepth", "c", "y", blocksize=2)], {})
form("upsample", 9, {"x": [2, 3, 4]}, [node("Upsample", "x s", "y", mode="nearest")], {"s": np.array([1, 1, 2, 3], np.float32)})
form("resize_linear", 13, {"x": [2, 3, 4]}, [node("Resize", "x _ s", "y", mode="linear")], {"s": np.array([1, 1, 2, 1.5], np.float32)})
form("resize_sizes", 13, {"x": [2, 4, 4]},
     [node("Resize", "x _ _ s", "y", mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")],
     {"s": i64(N, 2, 7, 8)})

# Arithmetic, reductions, choices.
form("arithmetic", 13, {"x": [4], "z": [4]},
     [node("Sub", "one x", "a"), node("Div", "a two", "b"), node("Mul", "b z", "c"), node("Sub", "c k", "d"),
      node("Neg", "d", "e"), node("Sum", "e x z", "f"), node("Mean", "f x", "g"), node("Max", "g x half", "h"),
      node("Min", "h z", "i"), node("Exp", "i", "j"), node("Div", "x j", "y")],
     {"one": np.float32(1), "two": np.array([2], np.float32), "k": r(4), "half": np.float32(0.5)})
form("powers", 13, {"x": [4]},
     [node("Exp", "x", "e"), node("Pow", "e three", "a"), node("Pow", "e half", "b"), node("Pow", "e odd", "c"),
      node("Pow", "e minus", "d"), node("Sum", "a b c d", "y")],
     {"three": np.float32(3), "half": np.float32(0.5), "odd": np.float32(1.7), "minus": np.float32(-1.5)})
form("reductions", 13, {"x": [3, 4, 2]},
     [node("ReduceMean", "x", "a", axes=[1], keepdims=0), node("ReduceSum", "x one", "b", keepdims=0),
      node("ReduceMax", "x", "c", axes=[1], keepdims=0), node("ReduceMin", "x", "d", axes=[1], keepdims=0),
      node("ReduceL2", "x", "e", axes=[1], keepdims=0), node("ReduceL1", "x", "f", axes=[1], keepdims=0),
      node("ReduceSumSquare", "x", "g", axes=[1], keepdims=0), node("ReduceMean", "x", "h", axes=[1, 2, 3]),
      node("Squeeze", "h two", "i"), node("Sum", "a b c d e f g i", "y")], {"one": i64(1), "two": i64(1)})
form("softmax_old", 9, {"x": [3, 4]}, [node("Softmax", "x", "y")], {})
form("log_softmax_old", 11, {"x": [3, 4]}, [node("LogSoftmax", "x", "y", axis=2)], {})
form("softmax_middle", 13, {"x": [3, 4]}, [node("Softmax", "x", "y", axis=1)], {})
form("where_mask", 13, {"x": [3, 3]},
     [node("Where", "m x low", "h"), node("Softmax", "h", "y", axis=-1)],
     {"m": np.tril(np.ones((3, 3), bool)), "low": np.float32(-np.inf)})
form("where_ids", 13, {"x": [4], "keep": [4]},
     [node("Cast", "keep", "c", to=TensorProto.BOOL), node("Where", "c x zero", "y")], {"zero": np.float32(0)}, ints=("keep",))
form("clip_old", 7, {"x": [4]}, [node("Clip", "x", "a", min=0.0, max=6.0), node("Clip", "x", "b", min=-0.5), node("Add", "a b", "y")], {})
form("clip_new", 13, {"x": [4]}, [node("Clip", "x _ high", "y")], {"high": np.float32(0.3)})
form("functions", 14, {"x": [6]},
     [node("Selu", "x", "a"), node("Elu", "x", "b", alpha=0.7), node("HardSigmoid", "x", "c"), node("HardSwish", "x", "d"),
      node("Softsign", "x", "e"), node("Celu", "x", "f", alpha=0.5), node("LeakyRelu", "x", "g"), node("Erf", "x", "h"),
      node("Cos", "x", "i"), node("Sin", "x", "j"), node("Softplus", "x", "k"), node("Abs", "x", "l"),
      node("Sum", "a b c d e f g h i j k l", "y")], {})
form("half_weights", 13, {"x": [4]}, [node("Cast", "w", "v", to=TensorProto.FLOAT), node("MatMul", "x v", "y")],
     {"w": r(4, 3).astype(np.float16)})
form("double_weights", 13, {"x": [4]}, [node("Cast", "w", "v", to=TensorProto.FLOAT), node("MatMul", "x v", "y")],
     {"w": r(4, 3).astype(np.float64)})
branch = lambda value, out: helper.make_graph(
    [helper.make_node("Mul", ["h", value], [out])], f"branch_{out}", [], [helper.make_tensor_value_info(out, TensorProto.FLOAT, None)])
form("if_known", 13, {"x": [4]},
     [node("Relu", "x", "h"), node("Shape", "x", "s"), node("Size", "s", "k"), node("Equal", "k two", "c"),
      helper.make_node("If", ["c"], ["y"], name="if", then_branch=branch("three", "a"), else_branch=branch("two_f", "b"))],
     {"two": np.int64(2), "three": np.float32(3), "two_f": np.float32(2)})

# Functions of the file: one with an attribute that is passed on, called by another, twice.
leaky = helper.make_function("own", "Leaky", ["a"], ["b"], [node("LeakyRelu", "a", "b")], [helper.make_opsetid("", 15)], ["slope"])
reference = onnx.AttributeProto(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
leaky.node[0].attribute.append(reference)
layer = helper.make_function(
    "own", "Layer", ["x", "w", "b"], ["y"],
    [node("MatMul", "x w", "h"), node("Add", "h b", "g"), helper.make_node("Leaky", ["g"], ["y"], domain="own", slope=0.3)],
    [helper.make_opsetid("", 15), helper.make_opsetid("own", 1)])
functions = [leaky, layer]
form("functions_of_the_file", 15, {"x": [4]},
     [helper.make_node("Layer", ["x", "w1", "b1"], ["h"], name="first", domain="own"),
      helper.make_node("Layer", ["h", "w2", "b2"], ["y"], name="second", domain="own")],
     {"w1": r(4, 5), "b1": r(5), "w2": r(5, 2), "b2": r(2)})
functions = []

# What must be refused: no output is computed.
HALF = {"s": np.ones(4, np.float32), "b": r(4), "m": r(4), "v": np.ones(4, np.float32)}


def refused(name, inputs, nodes, weights=None, domain=None):
    info = [helper.make_tensor_value_info(k, TensorProto.FLOAT, ["n", *s]) for k, s in inputs.items()]
    held = [numpy_helper.from_array(np.asarray(v), k) for k, v in (weights or {}).items()]
    graph = helper.make_graph(nodes, name, info, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], held)
    sets = [helper.make_opsetid("", 15)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    onnx.save(helper.make_model(graph, opset_imports=sets, producer_name="make_forms"), f"{OUT}/refused_{name}.onnx")


refused("softmax_over_samples", {"x": [4]}, [node("Softmax", "x", "y", axis=0)])
refused("mean_over_samples", {"x": [4]}, [node("ReduceMean", "x", "y", axes=[0], keepdims=0)])
refused("mean_over_all", {"x": [4]}, [node("ReduceMean", "x", "y", keepdims=0)])
refused("largest_of_samples", {"x": [4]}, [node("ReduceMax", "x", "y", axes=[0])])
refused("first_sample", {"x": [4]}, [node("Gather", "x k", "y", axis=0)], {"k": np.int64(0)})
refused("some_samples", {"x": [4]}, [node("Slice", "x s e a", "y")], {"s": i64(0), "e": i64(1), "a": i64(0)})
refused("joined_samples", {"x": [4]}, [node("Concat", "x x", "y", axis=0)])
refused("flat_samples", {"x": [4]}, [node("Reshape", "x s", "h"), node("Softmax", "h", "y", axis=0)], {"s": i64(-1)})
refused("samples_by_samples", {"x": [4]}, [node("Transpose", "x", "t"), node("MatMul", "x t", "y")])
refused("samples_meet_samples", {"x": [4]},
        [node("Unsqueeze", "x k0", "a"), node("Unsqueeze", "x k1", "b"), node("Sub", "a b", "y")], {"k0": i64(0), "k1": i64(1)})
refused("linear_over_samples", {"x": [4]}, [node("Transpose", "x", "t"), node("MatMul", "t w", "y")], {"w": r(3, 2)})
refused("training_norm", {"x": [4]}, [node("BatchNormalization", "x s b m v", "y", training_mode=1)], HALF)
refused("training_dropout", {"x": [4]}, [node("Dropout", "x p t", "y")], {"p": np.float32(0.3), "t": np.array(True)})
refused("random", {"x": [4]}, [node("RandomNormalLike", "x", "h"), node("Add", "x h", "y")])
refused("recurrent", {"x": [4, 3]}, [node("LSTM", "x w w", "y", hidden_size=2)], {"w": r(1, 8, 3)})
refused("unknown_op", {"x": [4]}, [node("Frobnicate", "x", "y")])
refused("foreign_op", {"x": [4]}, [node("FusedMatMul", "x x", "y", domain="com.example")], domain="com.example")
refused("cycle", {"x": [4]}, [node("Add", "x b", "a"), node("Relu", "a", "b"), node("Relu", "b", "y")])
refused("missing", {"x": [4]}, [node("Add", "x nowhere", "y")])
refused("huge_constant", {"x": [4]}, [node("ConstantOfShape", "s", "c"), node("Add", "x c", "y")], {"s": i64(1 << 20, 1 << 20)})
refused("huge_tile", {"x": [4]}, [node("Tile", "x k", "y")], {"k": i64(1, 1 << 40)})
refused("huge_pad", {"x": [4]}, [node("Pad", "x p", "y", mode="edge")], {"p": i64(0, 1 << 50, 0, 1 << 50)})
refused("huge_range", {"x": [4]}, [node("Range", "a b c", "r"), node("Add", "x r", "y")],
        {"a": np.float32(0), "b": np.float32(3e38), "c": np.float32(1e-30)})
refused("huge_kernel", {"x": [2, 4, 4]}, [node("MaxPool", "x", "y", kernel_shape=[1 << 40, 1 << 40], pads=[1 << 39] * 4)])
refused("many_constants", {"x": [4]},
        [node("ConstantOfShape", "s", f"c{k}") for k in range(9)] + [node("Sum", " ".join(f"c{k}" for k in range(9)), "c"),
         node("Gather", "c k", "g"), node("Add", "x g", "y")], {"s": i64(1 << 23, 1), "k": np.int64(0)})
refused("nan_weight", {"x": [4]}, [node("MatMul", "x w", "y")], {"w": np.full((4, 2), np.nan, np.float32)})
refused("no_dependence", {"x": [4]}, [node("Relu", "w", "y")], {"w": r(4, 2)})
refused("shape_clash", {"x": [4]}, [node("MatMul", "x w", "y")], {"w": r(5, 2)})
save_file(arrays, f"{OUT}/forms.safetensors", metadata={"made by": "make_forms.py"})
