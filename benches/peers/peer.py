"""What the peers' scripts share: threads, timing, the line of output."""
import json
import os
import statistics
import time


def limit_cpus(threads):
    """Keeps this process to so many CPUs, where the system can: XLA and OpenMP start a thread for each."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def report(run, summary, **fields):
    """Times `run`, after one call that warms up or compiles, and prints a line of JSON.

    What takes over a second counts from its first call on, and nothing is begun after ten. `summary` takes the kernel that
    `run` returned to its trace and Frobenius norm.
    """
    times = []

    def timed():
        start = time.perf_counter()
        kernel = run()
        times.append(time.perf_counter() - start)
        return kernel

    kernel = timed()
    if times[0] < 1:
        times.clear()
    while not times or (sum(times) < 10 and (len(times) < 5 or (sum(times) < 3 and len(times) < 30))):
        del kernel
        kernel = timed()
    trace, norm = summary(kernel)
    fields |= dict(precision="f32", seconds=statistics.median(times), trace=float(trace), norm=float(norm))
    print(json.dumps(fields), flush=True)
