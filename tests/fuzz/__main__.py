"""
Fuzz for as long as is wanted: `FUZZ_SECONDS` (120), half for reviews and half for bundles.

Starts at a random seed, which it prints; `FUZZ_SEED` starts at a given one, `FUZZ_COUNT=1` stops there.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from functools import partial
from pathlib import Path

from tests.fuzz import bundles, reviews
from tests.fuzz.bundles import Judge
from tests.fuzz.campaign import quiet, run
from tests.fuzz.gate import Gate

_SLICES = 10


def main() -> int:
    """1 where anything went wrong."""
    seconds = float(os.environ.get("FUZZ_SECONDS", "120")) / 2
    first = int(os.environ.get("FUZZ_SEED") or secrets.randbelow(1 << 40))
    count = int(os.environ.get("FUZZ_COUNT") or 1 << 60)
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as directory:
        with quiet():
            gate = Gate(Path(directory, "gate"))
        with gate:
            judge = Judge(Path(directory, "evidence"))
            targets = {
                "reviews": partial(reviews.execute, gate),
                "bundles": partial(bundles.execute, judge),
            }
            for name, execute in targets.items():
                print(f"{name}: FUZZ_SEED={first}, {seconds:.0f} s", flush=True)
                seed = first
                for _ in range(_SLICES):
                    result = run(execute, seed, count=count, seconds=seconds / _SLICES)
                    print(f"  {result}", flush=True)
                    seed += result.executions
                    for failing, trace in result.failures.items():
                        print(f"FUZZ_SEED={failing} FUZZ_COUNT=1 ({name})\n{trace}", flush=True)
                    wrong += len(result.failures)
                    if wrong or result.executions >= count:
                        break
                print(f"{name}: {seed - first} executions in all", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
