#!/usr/bin/env python3
"""Our kernels of the paper's MLPs beside torchNTK, careful PyTorch and torch.func: interleaved rounds in one run.

Ours are cells of examples/paper_tables, the peers mlp_torch.py, every method in a process of its own; the best median of the
rounds counts. Ends with 1 if a package is missing, if our kernels are not torch.func's in float64, or if the peers compute
different ones.
"""
import argparse
import collections
import datetime
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from running import HERE, ROOT, VERIFY, aligned, environment, lines, output

TABLES = ["cargo", "build", "--release", "--all-features", "--example", "paper_tables", "--message-format=json"]
# Of every case: our methods, and the peers'.
CASES = {
    ("mlp", 10): (["closed-form", "structured"], ["careful", "torchntk"]),
    ("mlp", 1000): (
        ["closed-form", "structured", "full-jacobian", "layerwise-batched"],
        ["careful", "torchntk", "torch.func"],
    ),
    ("mlp", 10000): (["closed-form", "structured"], ["careful", "torchntk"]),
    ("mlp-h", 10000): (["closed-form", "structured"], ["careful", "torchntk"]),
}
FIXTURES = [("mlp", 40), ("mlp-h", 4)]
TOLERANCE = 1e-4  # of the peers' f32 kernels: relative, of trace and norm


def check_packages(python, environment):
    """Ends this program if a peer cannot be imported."""
    code = "import safetensors, torch, torchntk.explicit"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, env=os.environ | environment)
    if done.returncode:
        sys.exit(f"a peer does not run ({done.stderr.strip().splitlines()[-1]}); benches/peers/README.md tells what to install")


def built(folder):
    """Our program in a folder of its own, so that all rounds run the same one."""
    made = [line for line in lines(TABLES) if line.get("executable")]
    return shutil.copy(made[-1]["executable"], folder)


def verify(python):
    """Holds our kernels against torch.func's, entry by entry on small batches; returns the lines to print."""
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for model, samples in FIXTURES:
            files.append(str(pathlib.Path(folder, f"{model}-{samples}.safetensors")))
            output([python, str(HERE / "mlp_torch.py"), model, str(samples), "--fixture", files[-1]])
        runs = [(method, precision) for method in ["structured", "closed-form"] for precision in ["f64", "f32"]]
        return "".join(output([*VERIFY, "--method", m, "--precision", p, *files]) for m, p in runs)


def disagreement(results):
    """The largest relative difference of trace or norm among the peers' results of each case."""
    worst = 0.0
    for case in CASES:
        same = [r for r in results if (r["model"], r["samples"]) == case and r["peer"]]
        for field in ["trace", "norm"]:
            numbers = [r[field] for r in same]
            worst = max(worst, max(numbers) / min(numbers) - 1) if numbers else worst
    return worst


def table(results, cases):
    """A row for each of our methods: seconds, efficiency, and how many times as long each peer took."""
    peers = ["torchntk", "careful", "torch.func"]
    head = ["case", "method", "seconds", "efficiency", *[f"{peer} / ours" for peer in peers]]
    rows = []
    for case in cases:
        of_case = [r for r in results if (r["model"], r["samples"]) == case]
        best = {}
        for r in sorted(of_case, key=lambda r: -r["seconds"]):
            best[r["method"]] = r
        for method in CASES[case][0]:
            ours = best[method]
            ratios = [f"{best[peer]['seconds'] / ours['seconds']:.1f}" if peer in best else "-" for peer in peers]
            rows.append([f"{case[0]}, N = {case[1]}", method, f"{ours['seconds']:.6f}", f"{ours['efficiency']:.2f}", *ratios])
    return aligned([head, *rows])


def spread(results):
    """Every median, so that the table can be judged: a line a case and method."""
    medians = collections.defaultdict(list)
    for r in results:
        medians[r["model"], r["samples"], r["method"]].append(r["seconds"])
    for (model, samples, method), seconds in medians.items():
        yield f"{model:<6} {samples:>6} {method:<18} " + " ".join(f"{second:.6f}" for second in seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch", default="python3", metavar="PYTHON", help="an interpreter with torch and safetensors")
    parser.add_argument("--torchntk", default="", metavar="FOLDER", help="a clone of torchNTK's repository")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--small", action="store_true", help="only up to N = 1,000: a trial")
    parser.add_argument("--keep", action="store_true", help="write benches/results/peers-mlp-DATE.txt as well")
    options = parser.parse_args()
    threads = str(options.threads)
    variables = {"PYTHONPATH": options.torchntk, "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": threads}
    check_packages(options.torch, variables)
    cases = [case for case in CASES if not options.small or case[1] <= 1000]

    text = []

    def say(line=""):
        print(line, flush=True)
        text.append(line)

    say(environment("benches/peers/compare_mlp.py"))
    folder = tempfile.TemporaryDirectory()
    program = built(folder.name)
    agreement = verify(options.torch)
    say(f"load:    {os.getloadavg()[0]:.2f} before the first round")

    results = []
    for number in range(1, options.rounds + 1):
        for (model, samples), (ours, peers) in ((case, CASES[case]) for case in cases):
            print(f"round {number} of {options.rounds}: {model}, N = {samples}", file=sys.stderr)
            for method in ours:
                cell = ["--model", model, "--samples", str(samples), "--method", method, "--json"]
                results += [r | {"peer": False} for r in lines([program, *cell], RAYON_NUM_THREADS=threads)]
            for method in peers:
                command = [options.torch, str(HERE / "mlp_torch.py"), model, str(samples), method, "--threads", threads]
                results += [r | {"peer": True} for r in lines(command, **variables)]

    say(f"peer:    torch {next(r['version'] for r in results if r['peer'])}, torchNTK of 18 March 2023 (11d9ad6)")
    say(f"\nf32, {threads} threads, seconds: the best of {options.rounds} rounds' medians\n")
    say(table(results, cases))
    say("\nmedians, round by round")
    for line in spread(results):
        say(line)
    say("\nours against torch.func in float64, every component entry by entry (relative)")
    say(agreement.rstrip())
    worst = disagreement(results)
    say(f"\npeers among each other: traces and norms of the timed kernels differ by {worst:.1e} (relative)")
    if options.keep:
        to = ROOT / "benches/results" / f"peers-mlp-{datetime.date.today()}.txt"
        to.write_text("\n".join(text) + "\n")
        print(f"kept in {to.relative_to(ROOT)}")
    if not worst <= TOLERANCE:
        sys.exit("the peers compute different kernels")


if __name__ == "__main__":
    main()
