"""The published table: what each fault did to each store, made from the results that a long run has left."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from tests.chaos.faults import FAULTS, has
from tests.chaos.run import Result
from tests.chaos.sites import SITES

RESULTS = Path(__file__).parent / "results"
WORDS = {
    "calm": "none, for comparison",
    "kill": "`kill -9` of a worker inside a step, a few times a second",
    "pause": "a worker stopped (SIGSTOP) inside a step for three leases",
    "restart": "server ended as if the power failed, and started again, every few seconds",
    "terminate": "every connection ended by the server, five times a second",
    "cut": "connection cut before a commit arrives, or before its answer comes back",
    "silence": "network silent for longer than a lease, with nothing closed",
    "disk": "disk filled to the last byte",
    "clock": "the store's clock jumps by up to ± 5 minutes",
    "skew": "the clock of one worker jumps by up to ± 5 minutes",
    "lock": "a foreign process locks the file or all rows, or holds up all writes, for seconds",
    "mixed": "several of these at once",
}


def mixed(site: type) -> tuple[str, ...]:
    """Give the faults that befall a store at once in the row of that name.

    A foreign lock is left out where the server ends every connection: the one that holds it, too.
    """
    names = ("kill", "pause", "restart", "terminate", "clock")
    found = tuple(name for name in names if has(site, name))
    return found if "terminate" in found else (*found, "lock")


def faults_of(store: str, row: str) -> tuple[str, ...]:
    """Give the faults of a row; none where the store can't have them."""
    if row == "mixed":
        return mixed(SITES[store])
    names = tuple(row.split("+"))
    unknown = [name for name in names if name not in FAULTS]
    if unknown:
        raise SystemExit(f"no fault is called {unknown[0]!r}; there are: {', '.join(WORDS)}")
    return names if all(has(SITES[store], name) for name in names) else ()


def keep(row: str, result: Result) -> None:
    """Keep the result of a row."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({"row": row, **asdict(result)}, indent=1, ensure_ascii=False)
    (RESULTS / f"{result.store}-{row}.json").write_text(text + "\n", encoding="utf-8")


def kept() -> dict[tuple[str, str], Result]:
    """Give what is kept, by store and row."""
    found = {}
    for file in sorted(RESULTS.glob("*.json")):
        data = json.loads(file.read_text(encoding="utf-8"))
        row = data.pop("row")
        found[data["store"], row] = Result(**data)
    return found


def table() -> str:
    """Give a table for each store, as Markdown."""
    results = kept()
    return "\n".join(_of_store(store, results) for store in SITES)


def _of_store(store: str, results: Mapping[tuple[str, str], Result]) -> str:
    lines = [_line([f"{store}, under", *_COLUMNS]), _line(["---", *["---:"] * len(_COLUMNS)])]
    for row, told in WORDS.items():
        cells = _cells(results.get((store, row))) if faults_of(store, row) else ["—"] * len(_COLUMNS)
        lines.append(_line([told, *cells]))
    return "\n".join(lines) + "\n"


_COLUMNS = ("executions", "faults", "repeated calls", "recorded twice", "lost", "otherwise wrong")


def _cells(result: Result | None) -> Sequence[str]:
    if result is None:
        return ["not run"] * len(_COLUMNS)
    numbers = (result.executions, result.injected, result.repeats, result.twice, result.lost, result.wrong)
    return [f"{number:,}" for number in numbers]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
