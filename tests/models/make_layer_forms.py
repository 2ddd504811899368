"""Small graphs with recurrent ops, loops, volumes, letters, losses and ops of ai.onnx.ml, and what onnxruntime gives.

usage: make_layer_forms.py OUTDIR

OUTDIR/NAME.onnx is a graph, OUTDIR/NAME.safetensors holds its inputs and outputs (samples first) in float32. Every sample
is run alone. The graphs `*_batch_first` are those without that ending, with the batch as the first axis, which
onnxruntime does not run: their values are those of the others, transposed.
"""
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

OUT, N = sys.argv[1], 3
rng = np.random.default_rng(11)
arrays = {}


def r(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def i64(*values):
    return np.array(values, dtype=np.int64)


def node(op, inputs, outputs, domain="", **attributes):
    inputs, outputs = (x.split() if isinstance(x, str) else x for x in (inputs, outputs))
    plain = lambda names: ["" if x == "_" else x for x in names]
    return helper.make_node(op, plain(inputs), plain(outputs), name=f"{op}_{outputs[-1]}", domain=domain, **attributes)


def value(name, shape=None, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def body(name, inputs, outputs, nodes, weights=()):
    held = [numpy_helper.from_array(np.asarray(v), k) for k, v in dict(weights).items()]
    return helper.make_graph(nodes, name, inputs, outputs, held)


def form(name, inputs, nodes, weights, outputs=("y",), opset=17, batch="n", run=True):
    """inputs: {name: samples}; the graph is for a batch of any size."""
    kinds = {np.dtype("float32"): TensorProto.FLOAT, np.dtype("int64"): TensorProto.INT64}
    info = [value(k, [batch, *x.shape[1:]], kinds[x.dtype]) for k, x in inputs.items()]
    held = [numpy_helper.from_array(np.asarray(v), k) for k, v in weights.items()]
    graph = helper.make_graph(nodes, name, info, [value(k) for k in outputs], held)
    sets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=sets, producer_name="make_layer_forms", ir_version=8)
    onnx.save(model, f"{OUT}/{name}.onnx")
    if run:
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        rows = [session.run(list(outputs), {k: x[n : n + 1] for k, x in inputs.items()}) for n in range(N)]
        for k, values in zip(outputs, zip(*rows)):
            arrays[f"{name}/{k}"] = np.stack([np.asarray(v, dtype=np.float32).reshape(-1) for v in values])
    for k, x in inputs.items():
        arrays[f"{name}/{k}"] = x.astype(np.float32)
    print(name, [arrays[f"{name}/{k}"].shape for k in outputs if f"{name}/{k}" in arrays])


# Recurrent layers on [batch, time, 3] with 4 states, transposed around the op.
def recurrent(name, op, gates, directions, extra="", outputs="Y Yh", weights=(), **attributes):
    weights = {"w": r(directions, gates * 4, 3), "r": r(directions, gates * 4, 4), "b": r(directions, gates * 8), **dict(weights)}
    inputs = ("x_t w r b " + extra).split()
    names = outputs.split()
    cut = [node("Transpose", "x", "x_t", perm=[1, 0, 2]), node(op, inputs, names, hidden_size=4, **attributes)]
    back = [node("Transpose", "Y", "y", perm=[2, 0, 1, 3])]
    back += [node("Transpose", k, k.lower(), perm=[1, 0, 2]) for k in names[1:]]
    results = ["y"] + [k.lower() for k in names[1:]]
    samples = r(N, 5, 3)
    form(name, {"x": samples}, cut + back, weights, results)
    # The same op with the batch first.
    other = f"{name}_batch_first"
    attributes = {**attributes, "layout": 1, "hidden_size": 4}
    plain = [node(op, " ".join(["x", *inputs[1:]]), " ".join(results), **attributes)]
    form(other, {"x": samples}, plain, weights, results, run=False)
    for k in results:
        arrays[f"{other}/{k}"] = arrays[f"{name}/{k}"]


recurrent("lstm_peepholes", "LSTM", 4, 1, "_ _ _ p", "Y Yh Yc", {"p": r(1, 12)})
recurrent("lstm_clipped", "LSTM", 4, 2, "_ _ _ p", "Y Yh Yc", {"p": r(2, 12)}, direction="bidirectional", clip=0.5)
recurrent("lstm_functions", "LSTM", 4, 1, direction="reverse", activations=["HardSigmoid", "Softsign", "ScaledTanh"],
          activation_alpha=[0.3, 1.5], activation_beta=[0.4, 0.7])
recurrent("gru_reset_first", "GRU", 3, 2, direction="bidirectional")
recurrent("gru_clipped", "GRU", 3, 1, direction="reverse", linear_before_reset=1, clip=0.5)
recurrent("rnn_functions", "RNN", 1, 2, direction="bidirectional", activations=["Affine", "LeakyRelu"],
          activation_alpha=[0.5, 0.1], activation_beta=[0.2])
weights = {"w": r(1, 12, 3), "r": r(1, 12, 4), "len": np.array([5], dtype=np.int32), "zero": i64(0)}
form("gru_full_lengths", {"x": r(N, 5, 3)},
     [node("Transpose", "x", "x_t", perm=[1, 0, 2]), node("GRU", "x_t w r _ len", "_ h", hidden_size=4),
      node("Squeeze", "h zero", "y")], weights, batch=1)
# Sequences of different lengths.
lengths = np.array([4, 2, 5], dtype=np.int64)
for op, gates in (("LSTM", 4), ("GRU", 3)):
    form(f"{op.lower()}_lengths", {"x": r(N, 5, 3), "length": lengths},
         [node("Transpose", "x", "x_t", perm=[1, 0, 2]), node("Cast", "length", "len", to=6),
          node(op, "x_t w r _ len", "s h", hidden_size=4, direction="bidirectional"),
          node("Transpose", "s", "y", perm=[2, 0, 1, 3]), node("Transpose", "h", "yh", perm=[1, 0, 2])],
         {"w": r(2, gates * 4, 3), "r": r(2, gates * 4, 4)}, ["y", "yh"])
form("lstm_given_state", {"x": r(N, 5, 3), "h0": r(N, 4), "c0": r(N, 4)},
     [node("Transpose", "x", "x_t", perm=[1, 0, 2]), node("Unsqueeze", "h0 zero", "h"), node("Unsqueeze", "c0 zero", "c"),
      node("LSTM", "x_t w r _ _ h c", "s _ f", hidden_size=4), node("Squeeze", "f zero", "y")],
     {"w": r(1, 16, 3), "r": r(1, 16, 4), "zero": i64(0)})

# Loops.
step = body("step", [value("s"), value("a"), value("b")], [value("t"), value("o")],
            [node("MatMul", "s u", "m"), node("Add", "m a", "n"), node("Tanh", "n", "t"), node("Mul", "t b", "o")])
form("scan", {"x": r(N, 5, 3), "z": r(N, 3, 5)},
     [node("Scan", "s0 x z", "s ys", body=step, num_scan_inputs=2, scan_input_axes=[1, 2], scan_input_directions=[0, 1],
           scan_output_axes=[1], scan_output_directions=[1]),
      node("Flatten", "ys", "f"), node("Concat", "s f", "y", axis=1)], {"u": r(3, 3), "s0": r(1, 3)}, batch=1)
truth, whole = TensorProto.BOOL, TensorProto.INT64
turn = body("turn", [value("k", [], whole), value("go", [], truth), value("s")],
            [value("go2", [], truth), value("t"), value("o")],
            [node("Gather", "steps k", "g"), node("Mul", "s g", "m"), node("MatMul", "m u", "n"), node("Tanh", "n", "t"),
             node("Identity", "t", "o"), node("Less", "k last", "go2")], {"last": np.int64(2)})
form("loop_until", {"x": r(N, 3)}, [node("Loop", "ten yes x", "s all", body=turn), node("Transpose", "all", "t", perm=[1, 0, 2]),
                                   node("Flatten", "t", "f"), node("Concat", "f s", "y", axis=1)],
     {"u": r(3, 3), "steps": r(6), "ten": np.int64(10), "yes": np.array(True)})
inner = body("inner", [value("j", [], whole), value("g1", [], truth), value("v")], [value("g2", [], truth), value("w2")],
             [node("Identity", "g1", "g2"), node("Cast", "j", "jf", to=1), node("Add", "v jf", "va"), node("Sin", "va", "w2")])
outer = body("outer", [value("k", [], whole), value("g", [], truth), value("s")], [value("h", [], truth), value("t")],
             [node("Identity", "g", "h"), node("Loop", "two _ s", "i", body=inner), node("MatMul", "i u", "t")])
form("loop_nested", {"x": r(N, 3)}, [node("Loop", "three _ x", "y", body=outer)],
     {"u": r(3, 3), "two": np.int64(2), "three": np.int64(3)})

# Second outputs that nothing takes.
form("outputs_not_taken", {"x": r(N, 2, 6)},
     [node("Dropout", "x", "d mask"), node("LayerNormalization", "d w b", "l mean dev", axis=-1),
      node("MaxPool", "l", "y places", kernel_shape=[2])], {"w": r(6), "b": r(6)})

# Volumes, merged batches, norms by neighbours.
form("conv_volume_same", {"x": r(N, 2, 5, 4, 6)},
     [node("Conv", "x w b", "y", auto_pad="SAME_LOWER", strides=[2, 1, 3], kernel_shape=[3, 2, 2])], {"w": r(3, 2, 3, 2, 2), "b": r(3)})
form("conv_volume_groups", {"x": r(N, 4, 4, 5, 5)},
     [node("Conv", "x w b", "y", group=2, dilations=[2, 2, 1], pads=[1, 0, 2, 1, 1, 0])], {"w": r(6, 2, 2, 2, 3), "b": r(6)})
form("conv_transpose_volume", {"x": r(N, 4, 3, 2, 3)},
     [node("ConvTranspose", "x w b", "y", group=2, strides=[3, 1, 2], pads=[0, 1, 1, 2, 0, 1], dilations=[2, 1, 2],
           output_padding=[2, 0, 1])], {"w": r(4, 3, 3, 2, 2), "b": r(6)})
form("conv_transpose_volume_gaps", {"x": r(N, 2, 2, 2, 2)},
     [node("ConvTranspose", "x w", "y", strides=[3, 3, 2])], {"w": r(2, 2, 2, 2, 1)})
form("max_pool_volume", {"x": r(N, 2, 5, 6, 5)},
     [node("MaxPool", "x", "y", kernel_shape=[2, 3, 2], strides=[2, 2, 1], pads=[1, 0, 1, 0, 1, 0], dilations=[1, 1, 2], ceil_mode=1)], {})
form("average_pool_volume", {"x": r(N, 2, 5, 6, 5)},
     [node("AveragePool", "x", "y", kernel_shape=[3, 3, 2], strides=[2, 2, 1], pads=[1, 1, 1, 1, 0, 0])], {})
form("average_pool_volume_counted", {"x": r(N, 2, 5, 6, 5)},
     [node("AveragePool", "x", "y", kernel_shape=[3, 2, 2], pads=[1, 1, 0, 0, 0, 1], count_include_pad=1)], {})
form("global_pools_volume", {"x": r(N, 2, 3, 4, 2)},
     [node("GlobalAveragePool", "x", "a"), node("GlobalMaxPool", "x", "b"), node("Concat", "a b", "y", axis=1)], {})
merged = lambda *nodes: [node("Reshape", "x s", "m"), *nodes, node("Flatten", "o", "f", axis=0), node("Reshape", "f t", "y")]
shapes = lambda *shape: {"s": i64(-1, *shape), "t": i64(1, -1)}
form("merged_conv_transpose", {"x": r(N, 3, 2, 4, 3)},
     merged(node("ConvTranspose", "m w b", "o", strides=[2, 2], pads=[1, 0, 0, 1], output_padding=[1, 0])),
     {"w": r(2, 3, 3, 2), "b": r(3), **shapes(2, 4, 3)}, batch=1)
form("merged_conv_volume", {"x": r(N, 2, 2, 3, 4, 3)}, merged(node("Conv", "m w", "o", strides=[1, 3, 1], pads=[0, 1, 0, 0, 1, 0])),
     {"w": r(3, 2, 2, 2, 2), **shapes(2, 3, 4, 3)}, batch=1)
form("merged_group_norm", {"x": r(N, 3, 4, 5)}, merged(node("GroupNormalization", "m w b", "o", num_groups=2)),
     {"w": r(2), "b": r(2), **shapes(4, 5)}, batch=1, opset=18)
form("merged_group_norm_by_channel", {"x": r(N, 3, 4, 5)}, merged(node("GroupNormalization", "m w b", "o", num_groups=2)),
     {"w": r(4), "b": r(4), **shapes(4, 5)}, batch=1, opset=21)
form("merged_lrn", {"x": r(N, 2, 4, 3, 3)}, merged(node("LRN", "m", "o", size=3, alpha=0.7)), shapes(4, 3, 3), batch=1)
form("lrn_wide", {"x": r(N, 6, 3, 2)}, [node("LRN", "x", "y", size=5, alpha=0.5, beta=0.6, bias=2.0)], {})
form("lp_pool", {"x": r(N, 2, 6, 5)}, [node("LpPool", "x", "y", kernel_shape=[2, 3], strides=[2, 1], pads=[0, 1, 1, 1])], {})
form("lp_pool_cubes", {"x": r(N, 2, 6)}, [node("LpPool", "x", "y", kernel_shape=[3], p=3)], {})
form("global_lp_pool", {"x": r(N, 2, 4, 3)}, [node("GlobalLpPool", "x", "y", p=1)], {})

# Letters.
form("einsum_ellipsis", {"x": r(N, 2, 5, 4)}, [node("Einsum", "x w", "y", equation="...ij, jk -> ...ki")], {"w": r(4, 3)})
form("einsum_stretched", {"x": r(N, 1, 5, 4), "z": r(N, 3, 4, 2)}, [node("Einsum", "x z", "y", equation="...ij,...jk->...ik")], {})
form("einsum_implicit", {"x": r(N, 5, 4)}, [node("Einsum", "x w", "y", equation="baz,zc")], {"w": r(4, 3)})
form("einsum_diagonal", {"x": r(N, 4, 3, 4)}, [node("Einsum", "x", "y", equation="bihi->bhi")], {})
form("einsum_trace", {"x": r(N, 4, 4)}, [node("Einsum", "x w", "y", equation="bii,jj->b")], {"w": r(3, 3)})
form("einsum_three", {"x": r(N, 4), "z": r(N, 5)}, [node("Einsum", "x w z", "y", equation="bi,oij,bj->bo")], {"w": r(2, 4, 5)})

# Losses.
label = rng.integers(0, 4, (N, 3))
label[0, 1] = -1
form("loss_ignored", {"x": r(N, 4, 3), "label": label},
     [node("SoftmaxCrossEntropyLoss", "x label w", "y logs", reduction="none", ignore_index=-1)], {"w": r(4) ** 2}, ["y", "logs"])
form("loss_mean", {"x": r(N, 4, 3), "label": label}, [node("LogSoftmax", "x", "l", axis=1),
     node("NegativeLogLikelihoodLoss", "l label w", "y", ignore_index=-1)], {"w": r(4) ** 2}, batch=1)
form("loss_sum", {"x": r(N, 4)}, [node("SoftmaxCrossEntropyLoss", "x label", "y", reduction="sum")], {"label": i64(2)}, batch=1)

# ai.onnx.ml
ml = lambda *args, **attributes: node(*args, domain="ai.onnx.ml", **attributes)
form("scaler", {"x": r(N, 4)}, [ml("Scaler", "x", "h", offset=[0.5, -1.0, 2.0, 0.1], scale=[2.0, 0.5, -1.0, 3.0]),
                               ml("Scaler", "h", "y", offset=[0.25], scale=[1.5])], {})
for norm in ("MAX", "L1", "L2"):
    form(f"normalizer_{norm.lower()}", {"x": np.abs(r(N, 4)) if norm == "MAX" else r(N, 4)}, [ml("Normalizer", "x", "y", norm=norm)], {})
form("linear_regressor", {"x": r(N, 3)},
     [ml("LinearRegressor", "x", "y", coefficients=r(6).tolist(), intercepts=[0.5, -0.25], targets=2)], {})
form("linear_classifier", {"x": r(N, 3)}, [ml("LinearClassifier", "x", "l y", coefficients=r(12).tolist(), post_transform="SOFTMAX",
     intercepts=r(4).tolist(), classlabels_ints=[0, 1, 2, 3])], {})
for post in ("LOGISTIC", "NONE"):
    form(f"linear_classifier_{post.lower()}", {"x": r(N, 3)}, [ml("LinearClassifier", "x", "l y", coefficients=r(3).tolist(),
         intercepts=[0.5], classlabels_strings=["no", "yes"], post_transform=post)], {})
form("features", {"x": r(N, 4), "z": r(N, 2)}, [ml("ArrayFeatureExtractor", "x k", "h"), ml("Imputer", "z", "i",
     imputed_value_floats=[0.0], replaced_value_float=float("nan")), ml("FeatureVectorizer", "h i", "y", inputdimensions=[2, 2])], {"k": i64(3, 1)})

for name in {key.split("/")[0] for key in arrays}:
    own = {key.split("/")[1]: array for key, array in arrays.items() if key.split("/")[0] == name}
    save_file(own, f"{OUT}/{name}.safetensors")
