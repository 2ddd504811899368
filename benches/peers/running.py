"""What the scripts that run us and the peers share: commands, what is told of the machine, tables."""
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
VERIFY = ["cargo", "run", "-q", "--release", "--features", "fixture", "--example", "verify_fixture", "--"]
# As benches/record.sh writes it.
HEADER = r"""
echo "date:    $(date +%F)"
echo "commit:  $(git rev-parse --short HEAD)$(git diff --quiet HEAD || echo ', with changes')"
echo "rustc:   $(rustc --version)"
echo "system:  $(uname -sm), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) threads"
echo "avx512f: $(grep -qw avx512f /proc/cpuinfo && echo yes || echo no)"
echo "faer:    $(cargo tree --depth 1 -e normal --prefix none | sed -n 's/^faer v//p')"
"""


def output(command, **environment):
    """What a command prints; ends this program with what it complained of if it fails."""
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def lines(command, **environment):
    """The JSON lines that a command prints."""
    return [json.loads(line) for line in output(command, **environment).splitlines() if line.startswith("{")]


def environment(bench):
    """What a result is to be read with."""
    return f"bench:   {bench}\n" + output(["bash", "-c", HEADER]).strip()


def aligned(rows):
    """Rows of words as a Markdown table, the first its head."""
    rows = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows)
