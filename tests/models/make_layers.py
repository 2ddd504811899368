"""Networks with recurrent layers, volumes, merged batches, losses and bags, exported by PyTorch, and their kernels.

    python make_layers.py OUTDIR [NETWORK ...]

OUTDIR/NAME.dynamo.onnx, NAME.script.onnx and NAME.dynamic.onnx are as make_models.py writes them, as far as the exporter
can, without the metadata of nodes. OUTDIR/NAME.safetensors is the reference in float64, by one backward pass for every sample and output:

    input/INPUT, output/OUTPUT    samples first
    ntk/PARAMETER, ntk            kernels, (N C) x (N C), for every parameter and their sum

Needs torch, onnx, onnxscript, onnxruntime, numpy and safetensors.
"""
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file
from torch import nn

import make_models
from make_models import normal


class Recurrent(nn.Module):
    """A recurrent layer, and a linear one on its states."""

    def __init__(self, layer, **options):
        super().__init__()
        self.layer = layer(3, 4, batch_first=True, **options)
        self.last = nn.Linear(4 * (2 if options.get("bidirectional") else 1), 2)

    def forward(self, input):
        states, final = self.layer(input)
        final = final[1] if isinstance(final, tuple) else final
        return self.last(torch.tanh(states[:, 1] + states[:, -1])) + final[-1].sum(-1, keepdim=True)


class LearnedStart(nn.Module):
    """An LSTM whose first states are parameters, as one row for all samples."""

    def __init__(self):
        super().__init__()
        self.layer = nn.LSTM(3, 4, batch_first=True)
        self.hidden, self.cell = nn.Parameter(normal(1, 1, 4)), nn.Parameter(normal(1, 1, 4))
        self.last = nn.Linear(4, 2)

    def forward(self, input):
        n = input.shape[0]
        states, _ = self.layer(input, (self.hidden.expand(1, n, 4).contiguous(), self.cell.expand(1, n, 4).contiguous()))
        return self.last(states[:, -1])


class Volumes(nn.Module):
    """Convolutions and pools of three axes."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv3d(2, 4, (2, 3, 3), stride=(1, 2, 1), padding=(1, 1, 2), groups=2)
        self.norm = nn.BatchNorm3d(4)
        self.up = nn.ConvTranspose3d(4, 2, (3, 2, 3), stride=(2, 1, 2), padding=(1, 0, 1), output_padding=(1, 0, 1))
        self.second = nn.Conv3d(2, 3, 2, dilation=(2, 1, 2))
        self.last = nn.Linear(3, 2)

    def forward(self, volume):
        x = F.max_pool3d(torch.tanh(self.norm(self.first(volume))), (2, 1, 2), stride=(1, 1, 2), padding=(1, 0, 0))
        x = F.avg_pool3d(torch.tanh(self.up(x)), (2, 1, 2), stride=(2, 1, 1), count_include_pad=False)
        return self.last(self.second(x).mean((2, 3, 4)))


class Responses(nn.Module):
    """A convolution, the local response norm and a pool by a norm."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.last = nn.Conv2d(2, 5, 3), nn.LocalResponseNorm(3, alpha=0.5), nn.Linear(5, 2)

    def forward(self, image):
        x = self.norm(self.conv(image))
        return self.last(F.lp_pool2d(x, 2.0, 2).mean((2, 3)))


class Frames(nn.Module):
    """Frames of a clip as if they were samples: convolutions, norms and pools of planes."""

    def __init__(self):
        super().__init__()
        self.conv, self.batch = nn.Conv2d(2, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4)
        self.group, self.up = nn.GroupNorm(2, 4), nn.ConvTranspose2d(4, 2, 2, stride=3, groups=2)
        self.each, self.last = nn.InstanceNorm2d(2, affine=True), nn.Linear(2, 2)

    def forward(self, clip):
        n, t, c, h, w = clip.shape
        x = self.group(torch.tanh(self.batch(self.conv(clip.reshape(n * t, c, h, w)))))
        x = self.each(self.up(F.max_pool2d(x, 2)))
        return self.last(F.avg_pool2d(torch.tanh(x), 3, 2).mean((2, 3))).view(n, t, 2).sum(1)


class Sets(nn.Module):
    """Elements of a set and lines of signals as if they were samples."""

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.line = nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Conv1d(1, 2, 3, padding=1)
        self.up, self.last = nn.ConvTranspose1d(2, 3, 3, stride=2), nn.Linear(3, 2)

    def forward(self, set):
        n, m, f = set.shape
        x = torch.tanh(self.norm(self.first(set.reshape(n * m, f))))
        x = self.up(torch.tanh(self.line(x.view(n * m, 1, 4))))
        return self.last(x.mean(2).view(n, m, 3).amax(1))


class Letters(nn.Module):
    """Sums over products that are written as letters."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Parameter(normal(4, 3)), nn.Parameter(normal(3, 3, 3))

    def forward(self, input):
        x = torch.einsum("...i,ij->...j", input, self.a)
        y = torch.einsum("bti,hij", torch.tanh(x), self.b)
        z = torch.einsum("hii->h", self.b) + torch.einsum("bthh->bh", y[:, :, :, :3])
        return torch.tanh(z) + torch.einsum("bti,bti,hij->bh", x, x, self.b)


class Loss(nn.Module):
    """The loss of every sample, whose label is an input."""

    def __init__(self, **options):
        super().__init__()
        self.options, self.last = options, nn.Linear(3, 4)

    def forward(self, x, label):
        options = dict(self.options)
        if options.pop("tokens", False):
            return F.cross_entropy(self.last(x).transpose(1, 2), label, **options)
        return F.cross_entropy(self.last(x), label, **options)


class Likelihood(nn.Module):
    """The negative log probability of every sample's label."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(3, 4)

    def forward(self, x, label):
        return F.nll_loss(F.log_softmax(self.last(x), 1), label, weight=torch.tensor([1.0, 0.5, 2.0, 0.25]), reduction="none")


class Bag(nn.Module):
    """The mean, sum or maximum of embeddings."""

    def __init__(self, mode):
        super().__init__()
        self.table, self.last = nn.EmbeddingBag(9, 3, mode=mode), nn.Linear(3, 2)

    def forward(self, ids):
        return self.last(torch.tanh(self.table(ids)))


def labelled(*shape, ignored=None):
    label = torch.randint(0, 4, shape)
    if ignored is not None:
        label.view(-1)[1] = ignored
    return {"x": normal(*shape, 3), "label": label}


STEPS = lambda: {"input": normal(3, 4, 3)}
NETWORKS = {
    "lstm": (lambda: Recurrent(nn.LSTM), STEPS, ["output"]),
    "lstm_both": (lambda: Recurrent(nn.LSTM, num_layers=2, bidirectional=True), STEPS, ["output"]),
    "lstm_start": (LearnedStart, STEPS, ["output"]),
    "gru": (lambda: Recurrent(nn.GRU), STEPS, ["output"]),
    "gru_both": (lambda: Recurrent(nn.GRU, bidirectional=True, bias=False), STEPS, ["output"]),
    "rnn": (lambda: Recurrent(nn.RNN, nonlinearity="relu", bidirectional=True), STEPS, ["output"]),
    "volumes": (Volumes, lambda: {"volume": normal(3, 2, 3, 5, 4)}, ["output"]),
    "responses": (Responses, lambda: {"image": normal(3, 2, 6, 6)}, ["output"]),
    "frames": (Frames, lambda: {"clip": normal(3, 3, 2, 8, 7)}, ["output"]),
    "sets": (Sets, lambda: {"set": normal(3, 5, 3)}, ["output"]),
    "letters": (Letters, lambda: {"input": normal(3, 5, 4)}, ["output"]),
    "loss": (lambda: Loss(reduction="none"), lambda: labelled(4), ["output"]),
    "loss_mean": (lambda: Loss(weight=torch.tensor([1.0, 0.5, 2.0, 0.25])), lambda: labelled(4), ["output"]),
    "loss_tokens": (lambda: Loss(tokens=True), lambda: labelled(3, 5, ignored=-100), ["output"]),
    "likelihood": (Likelihood, lambda: labelled(4), ["output"]),
    "bag_mean": (lambda: Bag("mean"), lambda: {"ids": torch.randint(0, 9, (3, 4))}, ["output"]),
    "bag_sum": (lambda: Bag("sum"), lambda: {"ids": torch.randint(0, 9, (3, 4))}, ["output"]),
    "bag_max": (lambda: Bag("max"), lambda: {"ids": torch.randint(0, 9, (3, 4))}, ["output"]),
}
# Their exports hold loops over the batch, or mix samples, unless it is one.
ALONE = {"loss_mean", "loss_tokens", "bag_mean", "bag_sum", "bag_max"}


def export_unchecked(path, net, inputs, outputs):
    """As make_models.export, of a file that ends onnxruntime (1.32, a SequenceEmpty without inputs in the graph)."""
    args = tuple(x[:1] for x in inputs.values())
    names = {"input_names": list(inputs), "output_names": outputs}
    with make_models.quiet():
        torch.onnx.export(net, args, str(path), dynamo=True, optimize=False, external_data=False, **names)
    make_models.without_stacks(path)


def trim(path):
    """Takes out all metadata but what the exporter says about initialisers."""
    if not path.exists():
        return
    model = make_models.onnx.load(path)
    held = {tensor.name for tensor in model.graph.initializer}
    infos = [info for info in model.graph.value_info if info.name in held]
    del model.graph.value_info[:]
    model.graph.value_info.extend(infos)
    for graph in make_models.graphs_in(model):
        for node in graph.node:
            del node.metadata_props[:]
    path.write_bytes(model.SerializeToString(deterministic=True))


def reference(path, net, inputs, outputs):
    net = net.double()
    net.options = {k: v.double() if torch.is_tensor(v) else v for k, v in getattr(net, "options", {}).items()}
    torch.set_default_dtype(torch.float64)
    samples = [x.double() if x.is_floating_point() else x for x in inputs.values()]
    parameters = dict(net.named_parameters())
    rows, values = {k: [] for k in parameters}, []
    for n in range(len(samples[0])):
        y = net(*[x[n : n + 1] for x in samples]).flatten()
        values.append(y.detach().numpy())
        for entry in y:
            grads = torch.autograd.grad(entry, list(parameters.values()), retain_graph=True)
            for k, grad in zip(parameters, grads):
                rows[k].append(grad.flatten())
    torch.set_default_dtype(torch.float32)
    stored = {f"input/{k}": x.double().numpy() for k, x in inputs.items()}
    stored[f"output/{outputs[0]}"] = np.stack(values)
    for k, grads in rows.items():
        jacobian = torch.stack(grads).numpy()
        stored[f"ntk/{k}"] = jacobian @ jacobian.T
    stored["ntk"] = sum(v for k, v in stored.items() if k.startswith("ntk/"))
    save_file({k: np.ascontiguousarray(v) for k, v in stored.items()}, path)
    print(path.name, {k: float(np.trace(v)) for k, v in stored.items() if k.startswith("ntk")})


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    make_models.NETWORKS = NETWORKS
    for name in sys.argv[2:] or NETWORKS:
        for kind in ["dynamo", "script"] + ["dynamic"] * (name not in ALONE):
            net, inputs, outputs = make_models.build(name)
            path = out / f"{name}.{kind}.onnx"
            if name.startswith("bag") and kind == "dynamo":
                export_unchecked(path, net, inputs, outputs)
            else:
                make_models.export(path, net, inputs, outputs, kind)
            trim(path)
        reference(out / f"{name}.safetensors", *make_models.build(name))


if __name__ == "__main__":
    main()
