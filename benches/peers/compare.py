#!/usr/bin/env python3
"""Our CNN kernel beside its peers': agreement first, then interleaved rounds in one run, the best median of each.

Ours is benches/cnn.rs, the peers torch_func.py and nt_empirical.py; of a peer's methods the fastest counts. Ends with 1 if
a package is missing (and says how to install it) or if two of the three compute different kernels.
"""
import argparse
import collections
import datetime
import os
import pathlib
import subprocess
import sys
import tempfile

from running import HERE, ROOT, VERIFY, aligned, environment, lines, output

BENCH = ["cargo", "bench", "-q", "-p", "tangent-kernels-benches", "--bench", "cnn"]
PEERS = {"torch.func": ("torch_func.py", "torch, safetensors"), "neural-tangents": ("nt_empirical.py", "neural_tangents")}
OURS = "ours"
FIXTURES = ["1x8", "10x3"]
TOLERANCE = 1e-4  # of the peers' f32 kernels: relative, of trace and norm


def check_packages(pythons):
    """Ends this program if a peer cannot be imported."""
    missing = []
    for peer, (_, modules) in PEERS.items():
        done = subprocess.run([pythons[peer], "-c", f"import numpy, {modules}"], capture_output=True, text=True)
        if done.returncode:
            why = done.stderr.strip().splitlines()[-1]
            install = f"{pythons[peer]} -m pip install -r {(HERE / 'requirements.txt').relative_to(ROOT)}"
            missing.append(f"{peer} does not run ({why}); install it with: {install}")
    if missing:
        sys.exit("\n".join(missing))


def verify(torch_func):
    """Holds our kernels against torch.func's, entry by entry on small batches; returns the lines to print."""
    with tempfile.TemporaryDirectory() as folder:
        files = [str(pathlib.Path(folder, f"cnn_{case}.safetensors")) for case in FIXTURES]
        for case, file in zip(FIXTURES, files):
            output([*torch_func, case, "--fixture", file])
        return "".join(output([*VERIFY, "--precision", precision, *files]) for precision in ["f64", "f32"])


def disagreement(results):
    """The largest relative difference of trace or norm among the peers' results of each case."""
    worst = 0.0
    for case in {(result["outputs"], result["samples"]) for result in results}:
        same = [result for result in results if (result["outputs"], result["samples"]) == case]
        for field in ["trace", "norm"]:
            numbers = [result[field] for result in same]
            worst = max(worst, max(numbers) / min(numbers) - 1)
    return worst


def table(results):
    """A row a case: the best of each, the best peer over ours, our share of the machine's product rate."""
    head = ["case", OURS, *PEERS, "best peer / ours", "our share of the product rate"]
    rows = []
    cases = collections.defaultdict(list)
    for result in results:
        cases[result["outputs"], result["samples"]].append(result)
    for (outputs, samples), of_case in cases.items():
        best = {}
        for result in sorted(of_case, key=lambda result: -result["seconds"]):
            best[result["peer"]] = result
        peers = [best[peer]["seconds"] for peer in PEERS if peer in best]
        row = [f"{outputs} outputs, {samples} samples" if outputs > 1 else f"1 output, {samples} samples"]
        row += [f"{best[peer]['seconds']:.4f}" if peer in best else "-" for peer in [OURS, *PEERS]]
        if OURS in best:
            machine = max(r["flops"] / r["seconds"] / r["efficiency"] for r in of_case if r["peer"] == OURS)
            ours = best[OURS]
            row += [f"{min(peers) / ours['seconds']:.2f}" if peers else "-", f"{ours['flops'] / ours['seconds'] / machine:.2f}"]
        rows.append(row + ["-"] * (len(head) - len(row)))
    return aligned([head, *rows])


def spread(results):
    """Every median, so that the table can be judged: a line a case and method."""
    medians = collections.defaultdict(list)
    for r in results:
        medians[r["outputs"], r["samples"], r["peer"], r.get("method", "")].append(r["seconds"])
    for (outputs, samples, peer, method), seconds in sorted(medians.items()):
        yield f"{outputs:2} x {samples:<4} {peer:<16} {method:<24} " + " ".join(f"{second:.4f}" for second in seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch", default="python3", metavar="PYTHON", help="an interpreter with torch and safetensors")
    parser.add_argument("--nt", metavar="PYTHON", help="an interpreter with neural-tangents (default: that of --torch)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cases", nargs="+", default=["1x500", "10x50"], help="for a trial, such as 1x20; ours has its own")
    parser.add_argument("--skip-ours", action="store_true", help="for a trial: peers alone")
    parser.add_argument("--keep", action="store_true", help="write benches/results/peers-DATE.txt as well")
    options = parser.parse_args()
    pythons = {"torch.func": options.torch, "neural-tangents": options.nt or options.torch}
    check_packages(pythons)
    commands = {peer: [pythons[peer], str(HERE / script)] for peer, (script, _) in PEERS.items()}

    text = []

    def say(line=""):
        print(line, flush=True)
        text.append(line)

    say(environment("benches/peers/compare.py"))
    if not options.skip_ours:
        output([*BENCH, "--no-run"])
        agreement = verify(commands["torch.func"])
    say(f"load:    {os.getloadavg()[0]:.2f} before the first round")

    threads = str(options.threads)
    results = []
    for number in range(1, options.rounds + 1):
        print(f"round {number} of {options.rounds}", file=sys.stderr)
        if not options.skip_ours:
            results += [line | {"peer": OURS} for line in lines([*BENCH, "--", "--json"], RAYON_NUM_THREADS=threads)]
        for command in commands.values():
            results += lines([*command, *options.cases, "--threads", threads], OMP_NUM_THREADS=threads)

    for peer in PEERS:
        say(f"peer:    {peer} {next(result['version'] for result in results if result['peer'] == peer)}")
    say(f"\nf32, {threads} threads, seconds: the best of {options.rounds} rounds' medians, of each peer's fastest method\n")
    say(table(results))
    say("\nmedians, round by round (outputs x samples)")
    for line in spread(results):
        say(line)
    if not options.skip_ours:
        say("\nours against torch.func in float64, every component entry by entry (relative)")
        say(agreement.rstrip())
    worst = disagreement([result for result in results if result["peer"] != OURS])
    say(f"\npeers among each other: traces and norms of the timed kernels differ by {worst:.1e} (relative)")
    if options.keep:
        to = ROOT / "benches/results" / f"peers-{datetime.date.today()}.txt"
        to.write_text("\n".join(text) + "\n")
        print(f"kept in {to.relative_to(ROOT)}")
    if not worst <= TOLERANCE:
        sys.exit("the peers compute different kernels")


if __name__ == "__main__":
    main()
