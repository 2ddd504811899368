"""Small graphs with masks, orders and indices in the ways that PyTorch does not write them, and what onnxruntime gives.

    python make_mask_forms.py OUTDIR

OUTDIR/NAME.onnx is a graph whose batch axis is dynamic; OUTDIR/forms.safetensors holds NAME/INPUT, samples first, and NAME/y.
Needs onnx, onnxruntime, numpy and safetensors.
"""
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

N = 3
rng = np.random.default_rng(11)
arrays = {}


def node(op, inputs, outputs, **attributes):
    inputs, outputs = inputs.split(), outputs.split()
    return helper.make_node(op, ["" if x == "_" else x for x in inputs], outputs, name=f"{op}_{outputs[0]}", **attributes)


def i64(values):
    return np.array(values, dtype=np.int64)


def form(name, inputs, nodes, weights={}, kinds={}, opset=18):
    """inputs: {name: samples}; kinds: the type of an input that holds no floats."""
    data = {key: np.asarray(value) for key, value in inputs.items()}
    kind = lambda key: kinds.get(key, TensorProto.FLOAT)
    info = [helper.make_tensor_value_info(key, kind(key), ["n", *x.shape[1:]]) for key, x in data.items()]
    out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    held = [numpy_helper.from_array(np.asarray(value), key) for key, value in weights.items()]
    graph = helper.make_graph(nodes, name, info, out, held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], producer_name="make_mask_forms")
    model.ir_version = 9
    onnx.save(model, folder / f"{name}.onnx")
    session = onnxruntime.InferenceSession(model.SerializeToString())
    typed = {key: x.astype(helper.tensor_dtype_to_np_dtype(kind(key))) for key, x in data.items()}
    # One sample at a time: a network that is read for a batch of one is meant so.
    y = np.concatenate([session.run(["y"], {key: x[n : n + 1] for key, x in typed.items()})[0] for n in range(N)])
    arrays.update({f"{name}/{key}": x.astype(np.float64) for key, x in data.items()})
    arrays[f"{name}/y"] = y.astype(np.float64)
    print(name, y.shape)


def normal(*shape):
    return rng.standard_normal((N, *shape)).astype(np.float32)


def whole(low, high, *shape):
    return rng.integers(low, high, (N, *shape))


def main():
    I = TensorProto.INT64
    B = TensorProto.BOOL
    to_float = node("Cast", "h", "y", to=1)
    # Running sums.
    for key, attributes in {"exclusive": dict(exclusive=1), "reverse": dict(reverse=1), "both": dict(exclusive=1, reverse=1)}.items():
        form(f"cumsum_{key}", {"x": normal(4, 3)}, [node("CumSum", "x a", "y", **attributes)], {"a": i64(1)})
    # Places of extremes; equal entries are there.
    for op in ("ArgMax", "ArgMin"):
        for last in (0, 1):
            form(f"{op.lower()}_{last}", {"x": whole(0, 3, 4, 5)},
                 [node(op, "x", "h", axis=-1, keepdims=1 - last, select_last_index=last), to_float], opset=13)
    form("hardmax", {"x": whole(0, 4, 5, 3)}, [node("Hardmax", "x", "y", axis=1)])
    form("hardmax_old", {"x": whole(0, 9, 2, 3)}, [node("Hardmax", "x", "y", axis=1)], opset=11)
    form("topk_axis", {"x": normal(5, 3)}, [node("TopK", "x k", "v p", axis=1, largest=0), node("Cast", "p", "f", to=1),
                                             node("Add", "v f", "y")], {"k": i64([3])})
    # One-hot rows, numbers from the end, other values, another axis.
    for axis in (-1, 1):
        form(f"one_hot_{axis % 3}", {"ids": whole(-4, 6, 3)}, [node("OneHot", "ids d v", "y", axis=axis)],
             {"d": i64(4), "v": np.array([-1, 2], np.float32)}, {"ids": I})
    # Integers.
    form("integers", {"a": whole(-9, 10, 40), "b": whole(1, 5, 40) * rng.choice([-1, 1], (N, 40))},
         [node("Div", "a b", "q"), node("Mod", "a b", "m"), node("Mod", "a b", "f", fmod=1), node("Sub", "m f", "s"),
          node("Mul", "s q", "p"), node("Add", "p q", "h"), to_float], {}, {"a": I, "b": I})
    form("integer_offsets", {"a": whole(0, 60, 30)}, [node("Add", "a c", "p"), node("Div", "p d", "h"), to_float],
         {"c": i64(3), "d": i64(7)}, {"a": I})
    form("remainders", {"a": 3 * normal(20)}, [node("Mod", "a b", "y", fmod=1)], {"b": np.array(0.75, np.float32)})
    form("rounds", {"a": whole(-8, 9, 20) / 4}, [node("Round", "a", "r"), node("Ceil", "a", "c"), node("Floor", "a", "f"),
                                                  node("Sign", "a", "s"), node("Sum", "r c s", "t"), node("Mul", "t f", "y")])
    # Truth.
    form("logic", {"a": whole(0, 2, 12), "b": whole(0, 2, 12), "x": normal(12)},
         [node("Or", "a b", "o"), node("Xor", "a b", "d"), node("And", "a o", "e"), node("Not", "e", "f"),
          node("Where", "f x z", "u"), node("Where", "d u x", "y")], {"z": np.array(2, np.float32)}, {"a": B, "b": B})
    form("infinities", {"x": whole(0, 3, 6)}, [node("Reciprocal", "x", "r"), node("Neg", "r", "m"),
                                                node("IsInf", "r", "i", detect_negative=0), node("IsInf", "m", "j"),
                                                node("IsInf", "m", "k", detect_negative=0), node("Where", "i x r", "a"),
                                                node("Where", "j a m", "b"), node("Where", "k m b", "y")])
    # Picks.
    form("gather_elements", {"x": normal(4, 5), "ids": whole(-5, 5, 3, 7)}, [node("GatherElements", "x ids", "y", axis=2)],
         {}, {"ids": I})
    form("gather_rows", {"x": normal(4, 5), "ids": whole(0, 4, 6)}, [node("Unsqueeze", "ids l", "u"),
                                                                      node("GatherND", "x u", "y", batch_dims=1)],
         {"l": i64([2])}, {"ids": I})
    form("gather_places", {"x": normal(4, 5, 2), "ids": np.stack([whole(0, 4, 3), whole(-5, 5, 3)], -1)},
         [node("GatherND", "x ids", "y", batch_dims=1)], {}, {"ids": I})
    form("gather_fixed_places", {"x": normal(4, 5)}, [node("Transpose", "x", "t", perm=[1, 2, 0]), node("GatherND", "t ids", "g"),
                                                       node("Transpose", "g", "y", perm=[1, 0])], {"ids": i64([[0, 1], [3, -1]])})
    form("gather_table_columns", {"ids": whole(0, 3, 4)}, [node("Gather", "w ids", "g", axis=1), node("Transpose", "g", "y", perm=[1, 2, 0])],
         {"w": rng.standard_normal((2, 3)).astype(np.float32)}, {"ids": I})
    # Scatters, several updates at one place among them.
    for reduction in ("add", "mul", "max", "min"):
        form(f"scatter_{reduction}", {"x": normal(4, 5), "ids": whole(0, 5, 3, 7), "u": normal(3, 7)},
             [node("ScatterElements", "x ids u", "y", axis=2, reduction=reduction)], {}, {"ids": I})
        form(f"scatter_nd_{reduction}", {"x": normal(4, 5), "u": normal(3, 5)},
             [node("Transpose", "x", "t", perm=[1, 0, 2]), node("Transpose", "u", "v", perm=[1, 0, 2]),
              node("ScatterND", "t ids v", "s", reduction=reduction), node("Transpose", "s", "y", perm=[1, 0, 2])],
             {"ids": i64([[3], [0], [3]])})
    form("scatter_last", {"x": normal(4, 5), "ids": whole(-5, 5, 4, 8), "u": normal(4, 8)},
         [node("ScatterElements", "x ids u", "y", axis=2)], {}, {"ids": I})
    form("scatter_places", {"x": normal(4, 5), "ids": np.stack([np.zeros((N, 1)), whole(0, 4, 1), whole(0, 5, 1)], -1), "u": normal(1)},
         [node("ScatterND", "x ids u", "y")], {}, {"ids": I})
    # Known beforehand.
    form("bits", {"x": normal(4)}, [node("BitShift", "b s", "l", direction="LEFT"), node("BitwiseAnd", "l m", "a"),
                                    node("BitwiseXor", "a b", "o"), node("Cast", "o", "f", to=1), node("Mul", "x f", "y")],
         {"b": np.array([1, 2, 3, 4], np.uint8), "s": np.array(2, np.uint8), "m": np.array(14, np.uint8)})
    form("non_zero", {"x": normal(5)}, [node("NonZero", "m", "p"), node("Squeeze", "p z", "q"), node("Gather", "x q", "y", axis=1)],
         {"m": np.array([1, 0, 0, 1, 1], np.float32), "z": i64([0])})
    for upper in (0, 1):
        form(f"trilu_{upper}", {"x": normal(2, 4, 5)}, [node("Trilu", "x k", "y", upper=upper)], {"k": i64(-1)})
    save_file({key: np.ascontiguousarray(value) for key, value in arrays.items()}, folder / "forms.safetensors")


folder = Path(sys.argv[1])
main()
