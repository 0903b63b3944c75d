"""Draw cases of every kind for a while, and print what became of them."""

import argparse
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import suppress
from pathlib import Path

from tests.faults.kinds import KINDS, Samples, load_heavy_modules
from tests.faults.trial import Outcome, carry_out

_VERDICTS = ("refused", "answered", "killed", "wrong")


def main() -> None:
    """Take the options, draw, print the table, and exit with 1 if anything went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="stop after so many")
    parser.add_argument("--cases", type=int, default=1_000_000, help="stop after so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=KINDS, action="append", help="only these kinds")
    parser.add_argument("--case", type=int, help="only this case of the kind, with all it says")
    options = parser.parse_args()
    load_heavy_modules()
    with tempfile.TemporaryDirectory(prefix="faults-") as work:
        samples = Samples.make(Path(work) / "samples")
        kinds = options.kind or list(KINDS)
        if options.case is not None:
            found = _one(kinds[0], options.seed, options.case, samples, Path(work))
            print(f"{found.verdict}: {found.why}\n{found.said}")
            sys.exit(found.verdict == "wrong")
        wrong = _draw(kinds, options, samples, Path(work))
    sys.exit(bool(wrong))


def _draw(kinds: list[str], options: argparse.Namespace, samples: Samples, work: Path) -> int:
    """All kinds in turn until time or cases are spent; returns how many went wrong."""
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in kinds}
    failures: list[str] = []
    began = time.monotonic()
    with suppress(KeyboardInterrupt):
        for number in range(options.cases):
            kind, case = kinds[number % len(kinds)], number // len(kinds)
            if time.monotonic() - began > 60 * options.minutes:
                break
            found = _one(kind, options.seed, case, samples, work)
            counts[kind][found.verdict] += 1
            if found.verdict == "wrong":
                repeat = f"python -m tests.faults --seed {options.seed} --kind {kind} --case {case}"
                failures.append(f"{found.why}\n  {repeat}")
                print(f"wrong: {failures[-1]}", file=sys.stderr, flush=True)
    _print_table(counts, time.monotonic() - began)
    return len(failures)


def _one(kind: str, seed: int, case: int, samples: Samples, work: Path) -> Outcome:
    folder = work / "trial"
    folder.mkdir()
    try:
        trial = KINDS[kind](random.Random(f"{seed} {kind} {case}"), folder, samples)
        return carry_out(trial, folder)
    except Exception as error:
        return Outcome("wrong", f"the harness itself: {error!r}", traceback.format_exc())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _print_table(counts: dict[str, Counter[str]], seconds: float) -> None:
    print(f"{'kind':18} {'tried':>7} {'refused':>8} {'answered':>9} {'killed':>7} {'wrong':>6}")
    total: Counter[str] = sum(counts.values(), Counter())
    for kind, found in [*counts.items(), ("all", total)]:
        row = [found[verdict] for verdict in _VERDICTS]
        print(f"{kind:18} {sum(row):7} {row[0]:8} {row[1]:9} {row[2]:7} {row[3]:6}")
    print(f"in {seconds / 60:.1f} minutes")


if __name__ == "__main__":
    main()
