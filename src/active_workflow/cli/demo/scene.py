"""What every demo needs: a folder with a store, a shop with a ledger, and a way to show both."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from active_workflow.cli.demo.processes import Process, start_shop
from active_workflow.cli.demo.verdict import Finding, Line
from active_workflow.cli.output import console, show, table
from active_workflow.cli.timeline import timeline
from active_workflow.dsl import Execution
from active_workflow.engine.engine import Engine


@dataclass(frozen=True)
class Scene:
    """Where a demo plays.

    Attributes:
        folder: Holds everything it writes.
        store: The URL of its store.
        engine: Starts and looks; runs nothing itself.
        shop: The service's process.
        ledger: The service's own record.
        screen: For progress.
    """

    folder: Path
    store: str
    engine: Engine
    shop: Process
    ledger: Path
    screen: Console


@contextmanager
def scene(folder: Path, screen: Console, *, delay: float, stock: int) -> Iterator[Scene]:
    """Set a scene up, and clear it away."""
    store = f"sqlite:///{folder / 'workflows.db'}"
    process, ledger = start_shop(folder, delay=delay, stock=stock)
    with process, Engine(store, embedded=False) as engine:
        say(f"Store    {folder / 'workflows.db'}")
        say(f"Ledger   {ledger}")
        yield Scene(folder, store, engine, process, ledger, screen)


def say(text: str = "", style: str = "") -> None:
    """Print a line."""
    console().print(Text(text, style=style), soft_wrap=True)


def show_execution(at: Scene, execution: Execution) -> None:
    """Print the timeline of an execution as it is now."""
    snapshot = at.engine.load(execution.id)
    show(timeline(Execution(snapshot, at.engine), snapshot, at.engine.settings.redact))
    say()


def show_ledger(lines: Iterable[Line]) -> None:
    """Print lines of the ledger."""
    rows: list[Sequence[str | Text]] = [
        (
            datetime.fromisoformat(line["at"]).strftime("%H:%M:%S.%f")[:-3],
            Text(line["what"], style=_style(line["what"])),
            line["id"],
            line["detail"],
            _short_key(line["key"]),
        )
        for line in lines
    ]
    show(table(("ledger", "what", "id", "", "key"), rows, long=("",)))
    say()


def _style(what: str) -> str:
    if what.endswith(("refused", "again")):
        return "magenta"
    return "yellow" if what in {"refund", "release", "call-off"} else "green"


def _short_key(key: str) -> str:
    """The end of the execution's id, and the step."""
    id, _, step = key.rpartition(" ")[2].rpartition(":")
    return f"…{id[-4:]}:{step}"


def show_verdict(findings: Sequence[Finding]) -> bool:
    """Print what was found, and give the verdict."""
    for finding in findings:
        say(f"  {'yes' if finding.true else 'NO '}  {finding.what}", "green" if finding.true else "bold red")
    true = all(finding.true for finding in findings)
    say()
    say(
        "Verdict: the ledger agrees." if true else "Verdict: THE LEDGER DISAGREES.",
        "bold green" if true else "bold red",
    )
    return true
