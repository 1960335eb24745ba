"""``make chaos``: every store under each of its faults, or those that are asked for."""

import argparse
import sys
import time
from collections.abc import Sequence
from itertools import product

from tests.chaos import matrix
from tests.chaos.run import run
from tests.chaos.sites import SITES


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    stores = options.store or list(SITES)
    rows = options.fault or list(matrix.WORDS)
    cells = [cell for cell in product(stores, rows) if matrix.faults_of(*cell)]
    if not cells:
        raise SystemExit(f"{', '.join(stores)} can't have {', '.join(rows)}")
    seed = options.seed if options.seed is not None else int(time.time())
    seconds = options.minutes * 60 / len(cells)
    failed = skipped = 0
    for number, (store, row) in enumerate(cells):
        faults = matrix.faults_of(store, row)
        lacking = SITES[store].missing(faults)
        if lacking:
            skipped += 1
            _tell(f"!! NOT RUN: {store} under {row}: {lacking}")
            continue
        result = run(store, faults, seconds=seconds, seed=seed + number if len(cells) > 1 else seed)
        _tell(result)
        failed += not result.clean
        if options.write_matrix:
            matrix.keep(row, result)
    if options.write_matrix:
        _write_page()
    _tell(f"{len(cells) - failed - skipped} clean, {failed} with violations, {skipped} not run; seed {seed}")
    return 1 if failed else 0


def _tell(text: object) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _write_page() -> None:
    from tests.docs import generated  # noqa: PLC0415 - pages import this package's table

    for page in generated.pages():
        page.write_text(generated.renewed(page.read_text(encoding="utf-8")), encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make chaos ARGS=…", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long in all (10)")
    parser.add_argument(
        "--store", action="append", choices=list(SITES), help="this store only; may be repeated"
    )
    parser.add_argument(
        "--fault",
        action="append",
        help=f"this only: {', '.join(matrix.WORDS)}, or several at once: kill+lock",
    )
    parser.add_argument("--seed", type=int, help="what chance begins with; told at the end")
    parser.add_argument(
        "--write-matrix", action="store_true", help="keep the results and renew the table in the docs"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
