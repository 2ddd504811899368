"""Networks with comparisons, masks, choices, sorting and computed indices, exported by PyTorch, and their kernels.

    python make_masks.py OUTDIR [NETWORK ...]

OUTDIR/NAME.dynamo.onnx and, as far as that exporter can, OUTDIR/NAME.script.onnx are as make_models.py writes them, without
the metadata of nodes. OUTDIR/NAME.safetensors is the reference in float64, by one backward pass for every sample and output:

    input/INPUT, output           samples first
    ntk/PARAMETER, ntk            kernels, (N C) x (N C), for every parameter and their sum

Needs torch, transformers, onnx, onnxscript, numpy and safetensors.
"""
import contextlib
import copy
import io
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
import transformers
from safetensors.numpy import save_file
from torch import nn

N, T, WORDS = 3, 5, 9


class Gates(nn.Module):
    """Comparisons of values with numbers and with each other, choices by them, and truth values."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.last = nn.Linear(3, 5), nn.Linear(3, 5), nn.Linear(5, 2)

    def forward(self, x):
        a, b = self.a(x), self.b(x)
        h = torch.where(a > 0.125, a * b, torch.exp(a)) + (b >= a).float() * b + a * (a < b) - b * (a <= -0.125).to(a.dtype)
        either = (a > 0.5) | (b > 0.5)
        both = (a > -1.0) & ~(b == 0)
        h = torch.where(either ^ both, h, 0.5 * h)
        return self.last(h + torch.where(torch.isnan(a) | torch.isinf(b), 1.0, a.clamp(-0.25, 0.375)))


class Branches(nn.Module):
    """A choice whose other branch is infinite or NaN: no gradient goes there."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(3, 5), nn.Linear(5, 2)

    def forward(self, x):
        h = self.first(x)
        safe = torch.where(h > 0.25, h, 1.0)
        h = torch.where(h > 0.25, torch.log(safe), h) + torch.where(h > 0, h, torch.full_like(h, float("-inf"))).clamp(min=-2)
        return self.last(h + F.softplus(h, beta=2, threshold=1.0))


class Steps(nn.Module):
    """Step functions, remainders and thresholds."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(3, 6), nn.Linear(6, 2)

    def forward(self, x):
        h = 3 * self.first(x)
        steps = h * torch.floor(h) + torch.ceil(h) - h * torch.round(h) + h * torch.sign(h) + torch.trunc(h) * h
        rest = torch.remainder(h, 0.75) * h + torch.fmod(h, 1.25)
        thin = F.hardshrink(h, 0.5) + F.softshrink(h, 0.375) + F.threshold(h, 0.25, -0.125)
        return self.last(steps + rest + thin + h * h.to(torch.int32))


class Padding(nn.Module):
    """Masks from the token numbers: a mean over tokens, and attention that leaves padding out."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(WORDS, 4)
        self.q, self.k, self.v, self.last = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, ids):
        h = self.table(ids)
        scores = self.q(h) @ self.k(h).transpose(1, 2) / 2
        scores = scores.masked_fill((ids == 0)[:, None, :], float("-inf"))
        h = h + torch.softmax(scores, -1) @ self.v(h)
        real = (ids != 0).float()[:, :, None]
        return self.last((h * real).sum(1) / real.sum(1) + torch.where(ids[:, :, None] < 3, h, 0.0).mean(1))


class MaskedRows(nn.Module):
    """Attention in which some samples have no key at all: PyTorch's gives zeros for them."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(3, 12), nn.Linear(4, 2)

    def forward(self, x, keep):
        q, k, v = self.first(x).chunk(3, -1)
        y = F.scaled_dot_product_attention(q[:, None], k[:, None], v[:, None], attn_mask=keep[:, None, None, :])
        return self.last(y[:, 0].mean(1) + v.mean(1))


class Ids(nn.Module):
    """Token numbers that are computed: offsets, bounds, quotients, remainders, choices and the largest entry's place."""

    def __init__(self):
        super().__init__()
        self.table, self.second, self.third = nn.Embedding(3 * WORDS, 4), nn.Embedding(4, 4), nn.Embedding(4, 4)
        self.rows = nn.Parameter(torch.randn(WORDS) * 0.5)
        self.last = nn.Linear(4, 2)

    def forward(self, ids):
        offsets = torch.arange(T) % 3 * WORDS
        h = self.table(ids + offsets) + self.second((ids + 2) % 4) + self.second(torch.clamp(ids - 2, 0, 3))
        h = h + self.third((ids + 1) // 3) + self.third(torch.where(ids > 3, 1, ids)) + self.rows[ids][:, :, None]
        largest = h.argmax(-1)
        h = h + self.second(largest) * self.third(h.argmin(-1, keepdim=True)).squeeze(2)
        return self.last(h.mean(1))


class Experts(nn.Module):
    """A mixture of experts of which the best two are taken, and entries in order."""

    def __init__(self):
        super().__init__()
        self.gate, self.experts, self.last = nn.Linear(3, 4), nn.Linear(3, 4 * 5), nn.Linear(5, 2)

    def forward(self, x):
        weights, places = self.gate(x).topk(2, -1)
        weights = torch.softmax(weights, -1)
        all_experts = torch.tanh(self.experts(x)).reshape(-1, 4, 5)
        picked = all_experts.gather(1, places[:, :, None].expand(-1, -1, 5))
        h = (weights[:, :, None] * picked).sum(1)
        full = torch.zeros_like(all_experts[:, :, 0]).scatter(1, places, weights)
        ordered, order = torch.sort(h, dim=-1, descending=True)
        small = torch.topk(h, 3, largest=False)[0]
        return self.last(h + ordered * (order.float() + 1) + (full[:, :, None] * all_experts).sum(1)) + small.sum(-1, True)


class Hot(nn.Module):
    """One-hot inputs, several numbers scattered at once, and an entry for each sample by its own number."""

    def __init__(self):
        super().__init__()
        self.first, self.many, self.last = nn.Linear(WORDS, 6), nn.Linear(WORDS, 6), nn.Linear(6, 4)

    def forward(self, ids, place):
        flags = self.many.weight.new_zeros(ids.shape[0], WORDS).scatter_(1, ids, 1.0)
        h = torch.tanh(self.first(F.one_hot(ids, WORDS).to(flags.dtype)).mean(1) + self.many(flags))
        y = self.last(h)
        own = y[torch.arange(y.shape[0]), place[:, 0]]
        return torch.stack([own - y.gather(1, place)[:, 0] * h.sum(1), torch.log_softmax(y, -1).gather(1, place)[:, 0]], 1)


class Messages(nn.Module):
    """Messages along edges, fixed ones and those of the sample, added up where they arrive."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 2)
        self.register_buffer("edges", torch.tensor([[0, 1, 2, 3, 4, 4], [1, 2, 2, 0, 3, 1]]))

    def forward(self, x, links):
        h = torch.tanh(self.first(x))
        h = h + torch.zeros_like(h).index_add(1, self.edges[1], self.second(h)[:, self.edges[0]])
        source, target = links[:, 0, :, None].expand(-1, -1, 4), links[:, 1, :, None].expand(-1, -1, 4)
        h = torch.tanh(h) + torch.zeros_like(h).scatter_add(1, target, self.second(h).gather(1, source))
        h = h.scatter_reduce(1, target, h.gather(1, source), "amax")
        return self.last(h.mean(1))


class Assigned(nn.Module):
    """Parts of a value that are written over."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x):
        old = self.first(x)
        h = old.clone()
        h[:, 0] += 3
        h[:, 1:3] = old[:, 1:3] * old[:, 2:4]
        h[:, :, 1] = torch.exp(old[:, :, 0])
        h[:, ::2, 2:] = 0.5
        return self.last(torch.tanh(h).mean(1))


class Running(nn.Module):
    """Running sums of values and of masks, and triangles of scores."""

    def __init__(self):
        super().__init__()
        self.first, self.table, self.last = nn.Linear(3, 4), nn.Embedding(T + 1, 4), nn.Linear(4, 2)

    def forward(self, x, keep):
        h = torch.tanh(self.first(x))
        h = h.cumsum(1) + h.cumsum(-1) + self.table(keep.cumsum(1) * keep)
        scores = torch.tril(h @ h.transpose(1, 2)) + torch.triu(h @ h.transpose(1, 2), 2)
        return self.last((scores @ h).mean(1))


class Wrapped(nn.Module):
    """A model of transformers on token numbers and a padding mask."""

    def __init__(self, model, last):
        super().__init__()
        self.model, self.last = model, last

    def forward(self, ids, keep):
        options = {"use_cache": False} if isinstance(self.model, transformers.GPT2LMHeadModel) else {}
        y = self.model(input_ids=ids, attention_mask=keep, **options)
        y = y.logits if hasattr(y, "logits") else y.last_hidden_state
        return y[:, -1, :2] if self.last else y


SIZES = {
    "gpt2": (transformers.GPT2Config, transformers.GPT2LMHeadModel, True,
             dict(n_positions=6, n_embd=4, n_layer=1, n_head=2, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0)),
    "bert": (transformers.BertConfig, transformers.BertForSequenceClassification, False,
             dict(hidden_size=4, num_hidden_layers=1, num_attention_heads=2, intermediate_size=6, max_position_embeddings=6,
                  num_labels=2)),
    "roberta": (transformers.RobertaConfig, transformers.RobertaForSequenceClassification, False,
                dict(hidden_size=4, num_hidden_layers=1, num_attention_heads=2, intermediate_size=6, num_labels=2,
                     max_position_embeddings=8, pad_token_id=1)),
    "distilbert": (transformers.DistilBertConfig, transformers.DistilBertForSequenceClassification, False,
                   dict(dim=4, n_layers=1, n_heads=2, hidden_dim=6, max_position_embeddings=6, num_labels=2)),
    "t5": (transformers.T5Config, transformers.T5EncoderModel, True,
           dict(d_model=4, d_kv=2, d_ff=6, num_layers=1, num_heads=2, relative_attention_num_buckets=4,
                relative_attention_max_distance=8)),
}


def pretrained(kind, attention):
    config, model, last, options = SIZES[kind]
    config = config(vocab_size=WORDS, **options)
    config._attn_implementation = attention
    return Wrapped(model._from_config(config), last)


def tokens():
    ids, keep = torch.randint(2, WORDS, (N, T)), torch.ones(N, T, dtype=torch.long)
    keep[1, 3:], keep[2, 4:] = 0, 0
    return [torch.where(keep == 0, 1, ids), keep]


def front_padded():
    return [x.flip(1) for x in tokens()]


def padded():
    ids = torch.randint(1, WORDS, (N, T))
    ids[0, 3:], ids[1, 4:] = 0, 0
    return [ids]


def some_kept():
    return [torch.randn(N, T, 3), torch.tensor([[1, 1, 0, 1, 0], [0, 0, 0, 0, 0], [1, 0, 0, 0, 1]], dtype=torch.bool)]


NETWORKS = {
    "gates": (Gates, lambda: [torch.randn(N, 3)]),
    "branches": (Branches, lambda: [torch.randn(N, 3)]),
    "steps": (Steps, lambda: [torch.randn(N, 3)]),
    "padding": (Padding, padded),
    "masked_rows": (MaskedRows, some_kept),
    "ids": (Ids, lambda: [torch.randint(0, WORDS, (N, T))]),
    "experts": (Experts, lambda: [torch.randn(N, 3)]),
    "hot": (Hot, lambda: [torch.randint(0, WORDS, (N, 3)), torch.randint(0, 4, (N, 1))]),
    "messages": (Messages, lambda: [torch.randn(N, T, 3), torch.randint(0, T, (N, 2, 6))]),
    "assigned": (Assigned, lambda: [torch.randn(N, T, 3)]),
    "running": (Running, lambda: [torch.randn(N, T, 3), torch.randint(0, 2, (N, T))]),
    "gpt2_eager": (lambda: pretrained("gpt2", "eager"), front_padded),
    "gpt2_sdpa": (lambda: pretrained("gpt2", "sdpa"), front_padded),
    "bert_eager": (lambda: pretrained("bert", "eager"), tokens),
    "bert_sdpa": (lambda: pretrained("bert", "sdpa"), tokens),
    "roberta_sdpa": (lambda: pretrained("roberta", "sdpa"), tokens),
    "distilbert_sdpa": (lambda: pretrained("distilbert", "sdpa"), tokens),
    "t5_eager": (lambda: pretrained("t5", "eager"), tokens),
}


def build(name):
    torch.manual_seed(sum(map(ord, name)))
    network, inputs = NETWORKS[name]
    model = network()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model.eval(), inputs()


def reference(model, inputs):
    """Outputs and kernels in float64."""
    model = copy.deepcopy(model).double()
    inputs = [x.double() if x.is_floating_point() else x for x in inputs]
    named = dict(model.named_parameters())
    outputs, rows = [], {name: [] for name in named}
    for n in range(N):
        y = model(*[x[n : n + 1] for x in inputs]).flatten()
        outputs.append(y.detach())
        for entry in y:
            gradients = torch.autograd.grad(entry, list(named.values()), retain_graph=True, allow_unused=True)
            for name, gradient in zip(named, gradients):
                rows[name].append((torch.zeros_like(named[name]) if gradient is None else gradient).flatten())
    stacked = {name: torch.stack(list_) for name, list_ in rows.items()}
    kernels = {f"ntk/{name}": (j @ j.T).numpy() for name, j in stacked.items()}
    return torch.stack(outputs).numpy(), kernels


def stripped(path):
    """Leaves out what an exporter notes about nodes: it is most of the file, and nothing reads it."""
    model = onnx.load(path)
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    kept = {tensor.name for tensor in model.graph.initializer}
    infos = [info for info in model.graph.value_info if info.name in kept]
    del model.graph.value_info[:]
    model.graph.value_info.extend(infos)
    onnx.save(model, path)


def write(name, folder):
    model, inputs = build(name)
    names = list(model.forward.__code__.co_varnames[1 : 1 + len(inputs)])
    first = tuple(x[:1] for x in inputs)
    path = folder / f"{name}.dynamo.onnx"
    with contextlib.redirect_stdout(io.StringIO()):
        torch.onnx.export(model, first, path, input_names=names, dynamo=True, optimize=False, external_data=False, verbose=False)
    stripped(path)
    mode, path = torch.onnx.TrainingMode.PRESERVE, folder / f"{name}.script.onnx"
    try:
        if name in OLD:
            torch.onnx.export(model, first, path, input_names=names, dynamo=False, training=mode, do_constant_folding=False)
    except Exception as error:  # the old exporter lacks some ops
        path.unlink(missing_ok=True)
        print(name, "is not exported by the old exporter:", str(error).splitlines()[0])
    outputs, kernels = reference(model, inputs)
    arrays = {f"input/{name}": x.numpy().astype(np.float64) for name, x in zip(names, inputs)}
    arrays |= kernels | {"output": outputs, "ntk": sum(kernels.values())}
    save_file({key: np.ascontiguousarray(value) for key, value in arrays.items()}, folder / f"{name}.safetensors")
    print(name, outputs.shape, (folder / f"{name}.dynamo.onnx").stat().st_size)


OLD = ["gates", "padding", "ids", "experts", "hot", "running"]


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name in sys.argv[2:] or NETWORKS:
        write(name, folder)
