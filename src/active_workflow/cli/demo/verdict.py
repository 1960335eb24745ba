"""Judges by the shop's own ledger, not by what the library says of itself."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Line = Mapping[str, str]

UNDOES = {"charge": "refund", "reserve": "release", "book": "call-off"}
"""What takes back what."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, and whether it is as it should be."""

    true: bool
    what: str


def read_ledger(path: Path) -> list[Line]:
    """Give the lines of a ledger file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def by_order(ledger: Iterable[Line]) -> dict[str, list[Line]]:
    """Give the lines of each order."""
    orders: dict[str, list[Line]] = defaultdict(list)
    for line in ledger:
        orders[line["order"]].append(line)
    return orders


def judge(order: str, lines: Sequence[Line], *, completed: bool) -> list[str]:
    """Say what is wrong with an order; nothing is the answer hoped for."""
    wrong = []
    for did, undid in UNDOES.items():
        done, undone = _count(lines, did), _count(lines, undid)
        if completed and (done, undone) != (1, 0):
            wrong.append(f"order {order}, which is completed, has {done} {did} and {undone} {undid} lines")
        if not completed and (done > 1 or done != undone):
            wrong.append(f"order {order}, which is undone, has {done} {did} and {undone} {undid} lines")
    if _count(lines, "receipt") != int(completed):
        wrong.append(f"order {order} was sent {_count(lines, 'receipt')} receipts")
    if not undone_in_reverse(lines):
        wrong.append(f"order {order} was not undone in reverse order")
    return wrong


def undone_in_reverse(lines: Sequence[Line]) -> bool:
    """Tell whether what was undone was undone last first."""
    undone = [line["what"] for line in lines if line["what"] in UNDOES.values()]
    done = [UNDOES[line["what"]] for line in lines if line["what"] in UNDOES]
    return undone == [what for what in reversed(done) if what in undone]


def judge_all(ledger: Iterable[Line], outcomes: Mapping[str, bool]) -> list[Finding]:
    """Judge every order of a run.

    Args:
        ledger: What the shop did.
        outcomes: For each order whether it is to be completed (or else undone).
    """
    orders = by_order(ledger)
    wrong = [
        bad
        for order, completed in outcomes.items()
        for bad in judge(order, orders.get(order, ()), completed=completed)
    ]
    unknown = sorted(orders.keys() - outcomes.keys())
    wrong += [f"order {order} is in the ledger, and nobody ordered it" for order in unknown]
    completed = sum(outcomes.values())
    all_well = [
        Finding(
            true=True, what=f"{completed} completed: each charged once, reserved once, booked once, told once"
        ),
        Finding(
            true=True,
            what=f"{len(outcomes) - completed} undone: every charge refunded, every piece back, last first",
        ),
    ]
    return [Finding(true=False, what=bad) for bad in wrong] or all_well


def _count(lines: Iterable[Line], what: str) -> int:
    return sum(line["what"] == what for line in lines)
