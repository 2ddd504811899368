#!/usr/bin/env bash
# Runs a bench and keeps what it printed, with the environment that it ran in: benches/record.sh NAME
# The paper's Tables 1 to 4, by examples/paper_tables, in 25 minutes: benches/record.sh tables
# The paper's Table 5, by examples/mnist_evolution with --paper, in 40 minutes: benches/record.sh table5
# On a graphics device, by examples/gpu_bench: benches/record.sh gpu LABEL [its options], such as benches/record.sh gpu h100
set -euo pipefail
cd "$(dirname "$0")/.."
name=${1:?usage: benches/record.sh NAME, such as gram, or benches/record.sh gpu LABEL}
if [ "$name" = gpu ]; then
    to=benches/results/gpu/${2:?usage: benches/record.sh gpu LABEL, what the device is called in the file name}-$(date +%F).txt
    command=(cargo run --release --features gpu --example gpu_bench -- --json "${@:3}")
    mkdir -p benches/results/gpu
elif [ "$name" = tables ]; then
    to=benches/results/$name-$(date +%F).txt
    command=(cargo run --release --all-features --example paper_tables -- --minutes 25)
elif [ "$name" = table5 ]; then
    to=benches/results/table5-$(date +%F).txt
    command=(cargo run --release --features gif --example mnist_evolution -- --paper --out target/table5)
else
    to=benches/results/$name-$(date +%F).txt
    command=(cargo bench -p tangent-kernels-benches --bench "$name")
fi
version() { cargo tree -p tangent-kernels --features gpu --depth 1 -e normal --prefix none | sed -n "s/^$1 v//p"; }
{
    echo "bench:   ${command[*]}"
    echo "date:    $(date +%F)"
    echo "commit:  $(git rev-parse --short HEAD)$(git diff --quiet HEAD -- . ':!benches/results' || echo ', with changes')"
    echo "rustc:   $(rustc --version)"
    echo "system:  $(uname -sm), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) threads"
    echo "avx512f: $(grep -qw avx512f /proc/cpuinfo && echo yes || echo no)"
    echo "faer:    $(version faer)"
    if [ "$name" = gpu ]; then echo "wgpu:    $(version wgpu)"; fi
    echo
    start=$SECONDS
    case $name in
        gpu | tables | table5) "${command[@]}" ;;
        *)
            rm -rf target/criterion # times are those of this run, compared with no other
            "${command[@]}" 2>&1 | grep -vE '^ +(Compiling|Finished|Running)|^Benchmarking|^Gnuplot'
            ;;
    esac
    echo
    echo "wall:    $((SECONDS - start)) s, building included"
} | tee "$to"
echo "kept in $to"
