"""Writes the test models of the ONNX reader, and the kernels to check it with.

    python make_models.py OUTDIR [NETWORK ...]

Needs torch, onnx, onnxscript, onnxruntime, numpy and safetensors. Everything is
seeded. Without names, every network below is made. For each network NAME the
folder OUTDIR then holds

    NAME.dynamo.onnx    torch.onnx.export(net.eval(), args, f, dynamo=True,
                        optimize=False), static batch of one sample, one file
                        (but `mlp` keeps the default external data:
                        mlp.dynamo.onnx.data)
    NAME.script.onnx    torch.onnx.export(net.eval(), args, f, dynamo=False,
                        training=torch.onnx.TrainingMode.PRESERVE,
                        do_constant_folding=False), static batch of one sample
    NAME.dynamic.onnx   as NAME.dynamo.onnx, but with a dynamic batch axis and the
                        newest opset that both the exporter and onnxruntime take
    NAME.folded.onnx    mlp, cnn and encoder only: the old exporter with its
                        defaults (constants folded), a dynamic batch axis, and
                        opset 9 for mlp, 13 for cnn, 17 for encoder
    NAME.safetensors    the reference, all float64:
                          input/INPUT      one per network input, N samples first
                                           (integer ids stored as float64)
                          output/OUTPUT    one per network output, N x C_OUTPUT,
                                           each sample flattened
                          ntk/PARAMETER    one per entry of named_parameters():
                                           the (N*C) x (N*C) kernel
                                             sum_p J[n*C+c, p] J[m*C+d, p]
                                           over that tensor's elements, where C
                                           counts all outputs, concatenated in
                                           order
                          ntk              the sum over parameters

INPUT and OUTPUT are the names in the ONNX files. PARAMETER is torch's name for
the tensor. The networks' parameters are float32, as in the ONNX files; the
reference converts them to float64 and evaluates in eval mode with torch.func.
No two parameter tensors are equal, unless they are one tensor used twice, or the
network is `fresh`, a ResNet as it was initialised.

The exporters write the Python stack of every node into the file
(pkg.torch.onnx.stack_trace, doc_string). That text is taken out again, and from
files above 50 kB all other metadata of nodes and values too (the module and the
torch.fx node that each came from); nothing else is changed. An exporter that fails for a network is reported, and its file
left out. Every file is checked with onnxruntime against torch.
"""

import contextlib
import os
import sys
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file
from torch import nn
from torch.func import functional_call, jacrev
from torch.nn.attention import SDPBackend, sdpa_kernel

TOLERANCE = 1e-4
METADATA_LIMIT = 50_000
OPSETS = (28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18)
FOLDED_OPSET = {"mlp": 9, "cnn": 13, "encoder": 17}


# ---------------------------------------------------------------- the networks


def mlp():
    # torch puts tensors above 256 bytes into the .data file: 0.weight and 2.weight.
    return nn.Sequential(
        nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 7), nn.Sigmoid(), nn.Linear(7, 3)
    )


def cnn():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, stride=2, groups=2),
        nn.PReLU(6),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.AvgPool2d(2, padding=1, stride=1),
        nn.Flatten(),
        nn.Linear(24, 3),
    )


class BasicBlock(nn.Module):
    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.downsample = nn.Sequential(
            nn.Conv2d(c_in, c_out, 1, stride=stride, bias=False), nn.BatchNorm2d(c_out)
        )

    def forward(self, x):
        h = self.relu(self.bn1(self.conv1(x)))
        h = self.bn2(self.conv2(h))
        h += self.downsample(x)
        return self.relu(h)


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.layer1 = BasicBlock(4, 6, 2)
        self.layer2 = BasicBlock(6, 8, 2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer2(self.layer1(x))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(
            d_model=8,
            nhead=2,
            dim_feedforward=16,
            dropout=0.1,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.layer(x).mean(dim=1))


class Attention(nn.Module):
    def __init__(self, length=5, width=8, heads=2):
        super().__init__()
        self.heads = heads
        self.position = nn.Parameter(torch.zeros(1, length, width))
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 12)
        self.act = nn.GELU(approximate="tanh")
        self.fc2 = nn.Linear(12, width)
        self.head = nn.Linear(width, 3)

    def forward(self, x):
        x = x + self.position
        batch, length, width = x.shape
        h = self.qkv(self.norm1(x))
        h = h.reshape(batch, length, 3, self.heads, width // self.heads)
        q, k, v = h.permute(2, 0, 3, 1, 4).unbind(0)
        h = F.scaled_dot_product_attention(q, k, v)
        x = x + self.proj(h.transpose(1, 2).reshape(batch, length, width))
        x = x + self.fc2(self.act(self.fc1(self.norm2(x))))
        return F.log_softmax(self.head(x.mean(dim=1)), dim=-1)


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(10, 8)
        self.positions = nn.Embedding(6, 8)
        self.query = nn.Linear(8, 8)
        self.key = nn.Linear(8, 8)
        self.value = nn.Linear(8, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, ids, mask):
        h = self.tokens(ids) + self.positions(torch.arange(ids.size(1)))
        q, k, v = self.query(h), self.key(h), self.value(h)
        scores = q @ k.transpose(-2, -1) / 8**0.5
        scores = scores + (1 - mask[:, None, :]) * -1e4
        h = h + torch.softmax(scores, dim=-1) @ v
        weight = mask.unsqueeze(-1)
        return self.head((h * weight).sum(dim=1) / weight.sum(dim=1))


class TwoHeads(nn.Module):
    """The shape of an MTCNN face detector's last stage."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3)
        self.prelu1 = nn.PReLU(4)
        self.pool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2 = nn.Conv2d(4, 6, 2)
        self.prelu2 = nn.PReLU(6)
        self.pool2 = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.dense = nn.Linear(24, 8)
        self.prelu3 = nn.PReLU(8)
        self.prob = nn.Linear(8, 2)
        self.softmax = nn.Softmax(dim=1)
        self.box = nn.Linear(8, 2)

    def forward(self, x):
        x = self.pool1(self.prelu1(self.conv1(x)))
        x = self.pool2(self.prelu2(self.conv2(x)))
        x = x.permute(0, 3, 2, 1).contiguous()
        x = self.prelu3(self.dense(x.view(x.shape[0], -1)))
        return self.softmax(self.prob(x)), self.box(x)


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 4, 3, stride=2, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Conv2d(4, 6, 3, stride=2, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1, output_padding=1, groups=2),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.ConvTranspose2d(4, 1, 4, stride=2, padding=1),
            nn.BatchNorm2d(1),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return torch.flatten(F.avg_pool2d(self.decoder(self.encoder(x)), 6), 1)


ACTIVATIONS = (
    F.relu,
    lambda x: F.leaky_relu(x, 0.2),
    lambda x: F.elu(x, 0.7),
    F.selu,
    lambda x: F.celu(x, 1.3),
    F.silu,
    F.gelu,
    lambda x: F.gelu(x, approximate="tanh"),
    F.softplus,
    F.softsign,
    F.hardtanh,
    F.relu6,
    F.hardsigmoid,
    F.hardswish,
    F.mish,
    F.logsigmoid,
    torch.tanh,
    torch.sigmoid,
    lambda x: torch.exp(-(x**2)),
    lambda x: torch.sqrt(x**2 + 1),
    torch.sin,
    torch.cos,
    torch.erf,
    torch.abs,
    lambda x: torch.clamp(x, -0.6, 0.8),
    lambda x: x**3,
    lambda x: torch.reciprocal(x**2 + 1),
    lambda x: torch.log1p(x**2),
)


class Activations(nn.Module):
    def __init__(self):
        super().__init__()
        width = 2 * len(ACTIVATIONS)
        self.first = nn.Linear(4, width)
        self.last = nn.Linear(width, 3)

    def forward(self, x):
        h = self.first(x)
        parts = [f(h[:, 2 * i : 2 * i + 2]) for i, f in enumerate(ACTIVATIONS)]
        return self.last(torch.cat(parts, dim=1))


class Norms(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(4, 6, 3, padding=1)
        self.group = nn.GroupNorm(3, 6)
        self.instance = nn.InstanceNorm2d(6, affine=True)
        self.layer = nn.LayerNorm([6, 8])
        self.batch = nn.BatchNorm1d(6)
        self.rms = nn.RMSNorm(8, eps=1e-5)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        h = torch.tanh(self.group(self.conv(x)))
        h = torch.tanh(self.instance(h.unflatten(2, (2, 4))).flatten(2))
        h = torch.tanh(self.batch(self.layer(h)))
        h = torch.tanh(self.rms(h))
        return self.head(h.mean(dim=2))


class Shapes(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.conv = nn.Conv2d(2, 4, 3)
        self.scale = nn.Parameter(torch.ones(4))
        self.head = nn.Linear(15, 3)
        self.register_buffer("mask", torch.arange(30).reshape(6, 5) % 3 != 1)

    def forward(self, x):
        a, b = self.first(x).chunk(2, dim=1)
        p, q, r = b.split([2, 3, 3], dim=-1)
        h = torch.stack([a, torch.cat([r, p, q], dim=-1)], dim=1)
        h = F.pixel_shuffle(h.permute(0, 3, 1, 2), 2)
        h = F.pad(h, (1, 1, 1, 1), mode="reflect")
        h = self.conv(F.pad(h, (0, 1, 2, 0), value=0.5))
        h = torch.where(self.mask, h, 0.1 * h)
        s = h[:, :, ::2, 1:-1].flatten(2)
        t = h[:, 1:, -3:, :3].flatten(1).unflatten(1, (3, 9)).transpose(1, 2)
        u = h[:, -1, 1::2, :].mean(dim=1, keepdim=True).squeeze(1)
        m = torch.einsum("bij,bjk->bik", s, t)
        v = m.amax(dim=2) * self.scale.unsqueeze(0).expand(x.size(0), -1)
        k = m.sum(dim=1).unsqueeze(-1).expand(-1, -1, 2).reshape(x.size(0), -1)
        z = torch.tanh(torch.cat([v, u, k], dim=1))
        return self.head(z.view(z.size(0), -1))


class Unrolled(nn.Module):
    """Tied weights: one tensor used transposed, one layer applied twice, and one
    weight shared by two layers with their own biases."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 5) * 0.4)
        self.twice = nn.Linear(5, 5)
        self.shared = nn.Linear(5, 5)
        self.shared.weight = self.twice.weight
        self.head = nn.Linear(5, 3)

    def forward(self, x):
        h = torch.tanh(x @ self.weight.t()) @ self.weight
        h = torch.tanh(self.twice(torch.tanh(self.twice(h))))
        return self.head(torch.tanh(self.shared(h)))


def normal(*shape):
    return torch.randn(*shape)


def ids_and_mask():
    ids = torch.randint(0, 10, (3, 6))
    mask = torch.tensor(
        [[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0]], dtype=torch.float32
    )
    return {"ids": ids, "mask": mask}


# name: (network, its inputs as {name: samples}, output names)
NETWORKS = {
    "mlp": (mlp, lambda: {"input": normal(4, 5)}, ["output"]),
    "cnn": (cnn, lambda: {"image": normal(3, 1, 12, 12)}, ["logits"]),
    "resnet": (ResNet, lambda: {"image": normal(3, 3, 8, 8)}, ["logits"]),
    "encoder": (Encoder, lambda: {"input": normal(3, 5, 8)}, ["output"]),
    "attention": (Attention, lambda: {"input": normal(3, 5, 8)}, ["log_prob"]),
    "two_inputs": (TwoInputs, ids_and_mask, ["logits"]),
    "two_heads": (TwoHeads, lambda: {"image": normal(3, 3, 10, 10)}, ["prob", "box"]),
    "autoencoder": (Autoencoder, lambda: {"image": normal(3, 1, 12, 12)}, ["pooled"]),
    "activations": (Activations, lambda: {"input": normal(3, 4)}, ["output"]),
    "norms": (Norms, lambda: {"input": normal(3, 4, 8)}, ["output"]),
    "shapes": (Shapes, lambda: {"input": normal(3, 4, 8)}, ["output"]),
    "unrolled": (Unrolled, lambda: {"input": normal(3, 5)}, ["output"]),
    "fresh": (ResNet, lambda: {"image": normal(3, 3, 8, 8)}, ["logits"]),
}
# As they were initialised, with many equal tensors, which exporters merge.
UNTOUCHED = {"fresh"}


def build(name):
    """The network in eval mode, its parameters and statistics all distinct."""
    make, inputs, outputs = NETWORKS[name]
    torch.manual_seed(1000 + list(NETWORKS).index(name))
    net = make().eval()
    if name in UNTOUCHED:
        return net, inputs(), outputs
    with torch.no_grad():
        for p in net.parameters():
            p += 0.2 * torch.randn_like(p)
        for key, b in net.named_buffers():
            if key.endswith("running_mean"):
                b += 0.3 * torch.randn_like(b)
            elif key.endswith("running_var"):
                b.copy_(0.5 + torch.rand_like(b))
    return net, inputs(), outputs


# --------------------------------------------------------------- the reference


def reference(path, net, inputs, outputs):
    """Writes NAME.safetensors; gives its size and the kernel's smallest part."""
    tensors = {k: p.detach().double() for k, p in net.named_parameters()}
    buffers = {
        k: b.double() if b.is_floating_point() else b for k, b in net.named_buffers()
    }
    samples = [x.double() if x.is_floating_point() else x for x in inputs.values()]
    count = len(samples[0])

    def run(parameters, n):
        args = tuple(x[n : n + 1] for x in samples)
        out = functional_call(net, {**parameters, **buffers}, args)
        return [o.flatten() for o in (out if isinstance(out, tuple) else (out,))]

    # No fused attention: torch.func has no rules for it.
    torch.backends.mha.set_fastpath_enabled(False)
    with sdpa_kernel(SDPBackend.MATH):
        jacobians = [
            jacrev(lambda p, n=n: torch.cat(run(p, n)))(tensors) for n in range(count)
        ]
        values = [run(tensors, n) for n in range(count)]
    torch.backends.mha.set_fastpath_enabled(True)

    stored = {f"input/{k}": x.double().numpy() for k, x in inputs.items()}
    for i, k in enumerate(outputs):
        stored[f"output/{k}"] = torch.stack([v[i] for v in values]).detach().numpy()
    total = 0.0
    for k in tensors:
        j = torch.cat([jac[k].flatten(1) for jac in jacobians]).detach()
        kernel = (j @ j.T).numpy()
        stored[f"ntk/{k}"] = kernel
        total = total + kernel
    stored["ntk"] = total
    save_file({k: np.ascontiguousarray(v) for k, v in stored.items()}, path)
    path.chmod(0o644)
    traces = {k: float(np.trace(stored[f"ntk/{k}"])) for k in tensors}
    least = min(traces, key=traces.get)
    print(
        f"{path.name}: {count} samples x {len(total) // count} outputs, "
        f"{len(tensors)} parameters, {path.stat().st_size} bytes, "
        f"trace {np.trace(total):.3g}, least {least} {traces[least]:.2g}"
    )


# --------------------------------------------------------------- the exporters


@contextlib.contextmanager
def quiet():
    """Keeps the exporters' own messages, native ones too, out of the listing."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)
        for f in (*kept, nowhere):
            os.close(f)


def graphs_in(model):
    """The main graph, the functions, and every graph inside their nodes."""
    todo = [model.graph, *model.functions]
    while todo:
        graph = todo.pop()
        yield graph
        for node in graph.node:
            for a in node.attribute:
                todo += [a.g] if a.type == onnx.AttributeProto.GRAPH else list(a.graphs)


def without_stacks(path):
    """Takes the Python stacks out of a file, and bulky metadata."""
    model = onnx.load(path, load_external_data=False)
    for graph in graphs_in(model):
        for node in graph.node:
            node.doc_string = ""
            kept = [
                (p.key, p.value)
                for p in node.metadata_props
                if p.key != "pkg.torch.onnx.stack_trace"
            ]
            del node.metadata_props[:]
            for key, value in kept:
                node.metadata_props.add(key=key, value=value)
    if model.ByteSize() > METADATA_LIMIT:
        for graph in graphs_in(model):
            for item in [*graph.node, *graph.value_info]:
                del item.metadata_props[:]
    path.write_bytes(model.SerializeToString(deterministic=True))


def check(path, net, inputs, outputs, count):
    """The largest difference between onnxruntime and torch on `count` samples."""
    args = [x[:count] for x in inputs.values()]
    with torch.no_grad():
        want = net(*args)
    want = want if isinstance(want, tuple) else (want,)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"]
    )
    assert [i.name for i in session.get_inputs()] == list(inputs), "input names"
    assert [o.name for o in session.get_outputs()] == outputs, "output names"
    feed = {k: x.numpy() for k, x in zip(inputs, args)}
    got = session.run(None, feed)
    worst = max(float(np.abs(g - w.numpy()).max()) for g, w in zip(got, want))
    assert worst < TOLERANCE, f"differs from torch by {worst:.2g}"
    return worst


def opset_of(model):
    return next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))


def describe(path, net, worst):
    model = onnx.load(path, load_external_data=False)
    ops = Counter()
    for graph in graphs_in(model):
        for node in graph.node:
            ops[(node.domain + "::" if node.domain else "") + node.op_type] += 1
    names = [i.name for i in model.graph.initializer]
    # Every name, so that a weight shared by two layers counts under both.
    own = {k for k, _ in net.named_parameters(remove_duplicate=False)}
    own |= {k for k, _ in net.named_buffers(remove_duplicate=False)}
    other = [n for n in names if n not in own]
    missing = [k for k, _ in net.named_parameters() if k not in names]
    listing = " ".join(f"{k}*{v}" if v > 1 else k for k, v in sorted(ops.items()))
    print(
        f"{path.name}: opset {opset_of(model)}, {path.stat().st_size} bytes, "
        f"{len(names)} initialisers, {len(model.functions)} functions, "
        f"off by {worst:.1g}: {listing}"
    )
    if other:
        print(f"    initialisers without a torch name: {' '.join(other)}")
    if missing:
        print(f"    parameters without an initialiser: {' '.join(missing)}")


def export(path, net, inputs, outputs, kind):
    """Exports, checks and describes one file; False if there is none."""
    names = {"input_names": list(inputs), "output_names": outputs}
    one = tuple(x[:1] for x in inputs.values())
    several = tuple(inputs.values())
    count = len(several[0])
    single_file = {} if path.name.startswith("mlp.dynamo.") else {"external_data": False}
    data = path.with_name(path.name + ".data")

    def attempt(args, count, **options):
        for p in (path, data):
            p.unlink(missing_ok=True)
        try:
            with quiet():
                torch.onnx.export(net.eval(), args, str(path), **names, **options)
            without_stacks(path)
            model = onnx.load(path, load_external_data=False)
            wanted = options.get("opset_version")
            assert wanted in (None, opset_of(model)), f"wrote opset {opset_of(model)}"
            onnx.checker.check_model(str(path))
            return None, check(path, net, inputs, outputs, count)
        except Exception as error:  # whatever an exporter throws
            for p in (path, data):
                p.unlink(missing_ok=True)
            cause = error.__cause__ or error
            lines = [s for s in str(cause).splitlines() if s.strip()] or [""]
            return f"{type(cause).__name__}: {lines[0][:300]}", 0.0

    if kind == "dynamo":
        failure, worst = attempt(one, 1, dynamo=True, optimize=False, **single_file)
    elif kind == "script":
        failure, worst = attempt(
            one,
            1,
            dynamo=False,
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
        )
    elif kind == "dynamic":
        batch = torch.export.Dim("batch")
        failures = []
        for opset in OPSETS:
            failure, worst = attempt(
                several,
                count,
                dynamo=True,
                optimize=False,
                dynamic_shapes=tuple({0: batch} for _ in several),
                opset_version=opset,
                **single_file,
            )
            if failure is None:
                break
            failures.append(f"{opset}: {failure}")
        for text in failures:
            print(f"{path.name}: not with opset {text}")
    else:
        failure, worst = attempt(
            several,
            count,
            dynamo=False,
            opset_version=FOLDED_OPSET[path.name.split(".")[0]],
            dynamic_axes={k: {0: "batch"} for k in [*inputs, *outputs]},
        )
    if failure is not None:
        print(f"{path.name}: FAILED: {failure}")
        return False
    describe(path, net, worst)
    return True


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: make_models.py OUTDIR [NETWORK ...]")
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    failed = []
    for name in sys.argv[2:] or NETWORKS:
        print(f"== {name}", flush=True)
        kinds = ["dynamo", "script", "dynamic"] + ["folded"] * (name in FOLDED_OPSET)
        for kind in kinds:
            # A fresh network each time: an exporter may leave traces in it.
            net, inputs, outputs = build(name)
            path = out / f"{name}.{kind}.onnx"
            if not export(path, net, inputs, outputs, kind):
                failed.append(path.name)
        net, inputs, outputs = build(name)
        reference(out / f"{name}.safetensors", net, inputs, outputs)
        sys.stdout.flush()
    total = sum(p.stat().st_size for p in out.iterdir() if p.is_file())
    print(f"== {total} bytes in the folder; failed: {' '.join(failed) or 'none'}")


if __name__ == "__main__":
    main()
