"""All benchmarks, each in a process of its own: ``python -m benchmarks``, one line a figure on stdout.

A line is ``name ratio unit what-against-what``. Ratios and not seconds: both sides run in turn in one run, so that a
slow machine slows both. Run it on a machine that does nothing else. Names choose some of them, such as
``python -m benchmarks bench_rank``; all but the last two, which rank millions by every ranker, take five minutes
together, and those about three quarters of an hour on two cores.
"""

import subprocess
import sys

BENCHMARKS = (
    ("bench_shard",), ("bench_formats",), ("bench_loader",), ("bench_embed",), ("bench_rank",), ("bench_index",),
    ("bench_publish",), ("bench_simulate",),
    ("scale_rank", "--galaxies", "1000000"), ("scale_rank", "--galaxies", "3500000"),
)  # fmt: skip


def main() -> None:
    wanted, known = sys.argv[1:], {name for name, *_ in BENCHMARKS}
    if unknown := sorted(set(wanted) - known):
        sys.exit(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(sorted(known))}.")
    print("name ratio unit what-against-what", flush=True)
    failed = [
        " ".join(benchmark) for benchmark in BENCHMARKS if not wanted or benchmark[0] in wanted
        if subprocess.run([sys.executable, "-m", f"benchmarks.{benchmark[0]}", *benchmark[1:]]).returncode
    ]  # fmt: skip
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
