"""All benchmarks, each in a process of its own: ``python -m benchmarks``, one line a figure on stdout.

A line is ``name ratio unit what-against-what``. Ratios and not seconds: both sides run in turn in one run, so that a
slow machine slows both. Run it on a machine that does nothing else.
"""

import subprocess
import sys

BENCHMARKS = (
    "bench_shard", "bench_formats", "bench_loader", "bench_embed", "bench_rank", "bench_index", "bench_publish",
    "bench_simulate",
)


def main() -> None:
    print("name ratio unit what-against-what", flush=True)
    failed = [name for name in BENCHMARKS if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"]).returncode]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
