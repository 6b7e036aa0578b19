"""Whether sweeps decide rightly: false stops, the right winner, evaluations saved, beside how others stop.

Usage: python benchmarks/decisions.py [CURVES...] [--rounds N] [--only SECTION...]

README.md beside this file says what is measured. `deciding/` has a module for each section. CURVES are further sets of curves
beside those in benchmarks/curves.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import optuna
from deciding.races import level
from deciding.replays import cuts, real, worlds
from deciding.rivals import rivals
from deciding.runs import audit_runs
from deciding.search import search

CURVES = Path(__file__).parent / "curves"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("curves", nargs="*", type=Path, help="further sets of curves")
    parser.add_argument("--rounds", type=int, default=200, help="replays and simulated sweeps; ten times as many races")
    parser.add_argument("--only", nargs="+", default=[], help="runs, level, worlds, real, rivals, cuts, search")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    files = [*arguments.curves, *sorted(CURVES.glob("*.csv"))]
    rounds = arguments.rounds
    print(f"{datetime.now(UTC):%Y-%m-%d}, {rounds} rounds")
    with ProcessPoolExecutor() as pool:
        sections: dict[str, Callable[[], Iterator[str]]] = {
            "runs": lambda: audit_runs(files),
            "level": lambda: level(pool, 10 * rounds),
            "worlds": lambda: worlds(pool, 5 * rounds),
            "real": lambda: real(files, rounds),
            "rivals": lambda: rivals(pool, files, rounds),
            "cuts": lambda: (line for file in files for line in cuts(file)),
            "search": lambda: search(pool, max(2, rounds // 7)),
        }
        for name, section in sections.items():
            if not arguments.only or name in arguments.only:
                print(f"\n{name}", flush=True)
                for line in section():
                    print(f"  {line}", flush=True)


if __name__ == "__main__":
    main()
