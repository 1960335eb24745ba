"""Orders from a file: all of them run, then a summary and the verdict of the shop's ledger."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from active_workflow.cli.demo.orders import Orders
from active_workflow.cli.demo.processes import start_worker
from active_workflow.cli.demo.scene import Scene, say, show_verdict
from active_workflow.cli.demo.verdict import Finding, judge_all, read_ledger
from active_workflow.cli.demo.workflow import Checkout
from active_workflow.cli.output import show, table
from active_workflow.cli.text import on_one_line
from active_workflow.core.states import State
from active_workflow.dsl import Execution

AT_ONCE = 500
PATIENCE = "5m"
MOST_NAMED = 5
UNFINISHED = tuple(state for state in State if not state.terminal)


def run_orders(at: Scene, orders: Orders) -> bool:
    """Run all orders of a file; give the verdict."""
    with start_worker("worker", at.folder, at.store) as worker:
        say(f"Worker   process {worker.pid}")
        say(f"Running  {len(orders.good)} orders …\n")
        found = _run(at, orders.good)
        _await_receipts(at)
    executions = {order: execution.refresh() for order, execution in found.items()}
    _summary(executions, orders)
    say("What the shop's ledger says", "bold")
    ended = {order: execution.state for order, execution in executions.items()}
    stuck = [order for order, state in ended.items() if state not in {State.COMPLETED, State.FAILED}]
    outcomes = {order: state is State.COMPLETED for order, state in ended.items()}
    return show_verdict(
        [
            *(Finding(true=False, what=f"order {order} is {ended[order]}: see `show`") for order in stuck),
            *judge_all(read_ledger(at.ledger), outcomes),
        ]
    )


def _run(at: Scene, good: Sequence[dict[str, Any]]) -> dict[str, Execution]:
    """Start all and wait for all; an order that is there twice is one execution."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    found: dict[str, Execution] = {}
    with Progress(*columns, console=at.screen, transient=True, disable=not at.screen.is_terminal) as progress:
        accepting = progress.add_task("Accepting", total=len(good))
        for some in _portions(good):
            for given, execution in zip(some, at.engine.start_many(Checkout, some), strict=True):
                found[given["order_id"]] = execution
            progress.advance(accepting, len(some))
        running = progress.add_task("Running", total=len(found))
        for execution in found.values():
            execution.wait(PATIENCE)
            progress.advance(running)
    return found


def _portions(orders: Sequence[dict[str, Any]]) -> Iterator[Sequence[dict[str, Any]]]:
    for first in range(0, len(orders), AT_ONCE):
        yield orders[first : first + AT_ONCE]


def _await_receipts(at: Scene) -> None:
    """Receipts are executions of their own, which no order waits for."""
    with at.screen.status("The last receipts are being sent …"):
        for execution in list(at.engine.find(state=UNFINISHED)):
            execution.wait(PATIENCE)


def _summary(executions: Mapping[str, Execution], orders: Orders) -> None:
    outcomes: dict[str, list[str]] = defaultdict(list)
    for order, execution in executions.items():
        outcomes[_outcome(execution)].append(order)
    rows = [(outcome, str(len(ids)), _named(ids)) for outcome, ids in sorted(outcomes.items())]
    rows.append(("duplicates, found by their idempotency key", str(orders.repeated), ""))
    if orders.problems:
        lines = [str(problem.line) for problem in orders.problems]
        rows.append(
            (
                "bad lines, passed over",
                str(len(lines)),
                f"line{'' if len(lines) == 1 else 's'} {_named(lines)}",
            )
        )
    show(table(("outcome", "orders", "which"), rows, long=("outcome", "which")))
    say()


def _outcome(execution: Execution) -> str:
    if execution.state is State.COMPLETED:
        return "completed"
    what = "undone" if execution.state is State.FAILED else execution.state.value
    error = execution.error
    return what if error is None else f"{what}: {error.type} in {error.step}"


def _named(ids: Iterable[str]) -> str:
    names = list(ids)
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return on_one_line(", ".join(names[:MOST_NAMED]) + more)
