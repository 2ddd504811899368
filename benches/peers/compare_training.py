#!/usr/bin/env python3
"""A step of our full-batch training beside PyTorch's: benches/training.rs and training_torch.py in turn, in one run."""
import argparse
import datetime
import os
import statistics
import sys

from running import HERE, ROOT, environment, output

BENCH = ["cargo", "bench", "-q", "-p", "tangent-kernels-benches", "--bench", "training"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch", default="python3", metavar="PYTHON", help="an interpreter with torch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--keep", action="store_true", help="write benches/results/peers-training-DATE.txt as well")
    options = parser.parse_args()
    text = []

    def say(line=""):
        print(line, flush=True)
        text.append(line)

    say(environment("benches/peers/compare_training.py"))
    output([*BENCH, "--no-run"])
    say("torch:   " + output([options.torch, "-c", "import torch; print(torch.__version__)"]).strip())
    say(f"load:    {os.getloadavg()[0]:.2f} before the first round")
    say("\n784-50-50-50-1, 10,000 samples, logistic loss, gradient descent, f32; seconds of a step, round by round")
    for threads in map(str, options.threads):
        ours, theirs = [], []
        for _ in range(options.rounds):
            theirs.append(float(output([options.torch, str(HERE / "training_torch.py"), str(options.steps), "--threads", threads])))
            ours.append(float(output([*BENCH, "--", str(options.steps)], RAYON_NUM_THREADS=threads).split()[-1]))
        for name, seconds in [("ours", ours), ("torch", theirs)]:
            say(f"{threads} threads  {name:<6}" + " ".join(f"{second:.4f}" for second in seconds))
        ratio = statistics.median(a / b for a, b in zip(ours, theirs))
        say(f"{threads} threads  ours take {ratio:.2f} of PyTorch's time, the median of the rounds")
    if options.keep:
        to = ROOT / "benches/results" / f"peers-training-{datetime.date.today()}.txt"
        to.write_text("\n".join(text) + "\n")
        print(f"kept in {to.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
