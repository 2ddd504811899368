#!/usr/bin/env python3
"""Writes the README's figures from the newest files under benches/results: benches/table.py [--check]

The part of README.md between the two marks is replaced; with --check nothing is written, and the program ends with 1 if the
README differs from the results.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benches/results"
BEGIN, END = "<!-- benches/table.py: begin -->", "<!-- benches/table.py: end -->"
MODELS = {"mlp": "MLP, four layers of 100", "mlp-h": "MLP-h, eight layers of 1000"}
METHODS = ["closed-form", "structured", "full-jacobian", "layerwise-batched"]


def by_processor(name):
    """The newest file of a bench for every processor that it was run on, the newest first: what the README calls it, its text."""
    newest = {}
    for file in sorted(RESULTS.glob(f"{name}-2*.txt"), reverse=True):
        text = file.read_text()
        processor = re.search(r"^system: .*?, (.+), \d+ threads$", text, re.MULTILINE).group(1)
        newest.setdefault(processor.replace("(R)", "").removesuffix(" Processor"), text)
    if not newest:
        sys.exit(f"there is no benches/results/{name}-DATE.txt")
    return newest


def cells(text):
    """The rows of the first Markdown table of a text, by the names of its columns."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    head, *rows = [row for row in rows if not set("".join(row)) <= {"-"}]
    return [dict(zip(head, row)) for row in rows]


def times(ratio):
    """A ratio that was written with one digit after the point."""
    if ratio == "-":
        return "-"
    return f"{float(ratio):.3g} x" if float(ratio) > 0 else "< 0.05 x"


def seconds(word):
    """Three digits, in milliseconds where a second is far away."""
    number = float(word)
    return f"{number:.3g} s" if number >= 0.1 else f"{number * 1e3:.3g} ms"


def speed(processor, mlp, cnn):
    """This crate and the peers, on one processor."""
    head = [f"{processor}, f32, 2 threads", "method", "time", "of the product rate"]
    head += ["torchNTK, explicit", "PyTorch, with care", "torch.func", "neural-tangents"]
    rows = [head, ["---"] * len(head)]
    for row in cells(mlp):
        model, samples = row["case"].split(", N = ")
        share = row["efficiency"] if row["method"] in METHODS[:2] else "-"
        peers = [times(row[f"{peer} / ours"]) for peer in ["torchntk", "careful", "torch.func"]]
        rows.append([f"{MODELS[model]}, N = {int(samples):,}", row["method"], seconds(row["seconds"]), share, *peers, "-"])
    for row in cells(cnn):
        outputs, samples = re.fullmatch(r"(\d+) outputs?, (\d+) samples", row["case"]).groups()
        case = f"CNN on 32 x 32, {outputs} output{'s' if outputs != '1' else ''}, N = {samples}"
        ratios = [f"{float(row[peer]) / float(row['ours']):.3g} x" for peer in ["torch.func", "neural-tangents"]]
        rows.append([case, "structured", seconds(row["ours"]), row["our share of the product rate"], "-", "-", *ratios])
    return rows


def large():
    """Time and memory of large kernels."""
    processor, text = next(iter(by_processor("large").items()))
    number = lambda pattern: [float(x) for x in re.search(pattern, text, re.MULTILINE).groups()]
    rows = [[f"large kernels, {processor}, f32, 2 threads", "seconds", "K", "peak of memory", "remarks"], ["---"] * 5]
    for line in re.findall(r"^ +(\d+) +([\d.]+) +(\S+) +([\d.]+) +(\d+) +(\d+) +(-?\d+) +(\d+)$", text, re.MULTILINE):
        samples, seconds, growth, share, peak, k, _, promised = line
        remark = f"{share} of the product rate" + ("" if growth == "-" else f"; {growth} times the time of half as many")
        rows.append([f"MLP, N = {int(samples):,}, in memory", seconds, f"{int(k):,} MB", f"{int(peak):,} MB", remark])
    [samples, budget] = number(r"^MLP, N = (\d+), to .npy with a budget of (\d+) MB")
    [seconds, disk, peak] = number(r"^kernel +([\d.]+) s(?:.*\n)writing +([\d.]+) s(?:.*\n)(?:.*\n)peak of memory (\d+) MB")
    bytes_of_k = f"{samples**2 * 4 / 1e6:,.0f} MB"
    remark = f"budget {budget:,.0f} MB; writing the same bytes takes {disk} s"
    rows.append([f"MLP, N = {samples:,.0f}, to `.npy`", f"{seconds}", bytes_of_k, f"{peak:,.0f} MB", remark])
    [samples, budget] = number(r"^MLP-h, N = (\d+), to .npy with a budget of (\d+) MB")
    [made] = number(r"they are made ([\d.]+) times over")
    [seconds, peak] = number(r"^([\d.]+) s; products .*peak of memory (\d+) MB")
    # The caller holds 1000 numbers of 4 bytes per sample.
    remark = f"budget {budget:,.0f} MB, plus {samples * 4e-3:.0f} MB of samples; factors are made {made} times over"
    bytes_of_k = f"{samples**2 * 4 / 1e6:,.0f} MB"
    rows.append([f"MLP-h, N = {samples:,.0f}, to `.npy`", f"{seconds}", bytes_of_k, f"{peak:,.0f} MB", remark])
    return rows


def markdown(rows):
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def main():
    file = ROOT / "README.md"
    text = file.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    mlp, cnn = by_processor("peers-mlp"), by_processor("peers")
    tables = [speed(processor, mlp[processor], cnn[processor]) for processor in mlp if processor in cnn] + [large()]
    made = f"{before}{BEGIN}\n" + "\n\n".join(map(markdown, tables)) + f"\n{END}{after}"
    if "--check" in sys.argv[1:]:
        sys.exit(None if made == text else "README.md does not say what benches/results do; run benches/table.py")
    file.write_text(made)


if __name__ == "__main__":
    main()
