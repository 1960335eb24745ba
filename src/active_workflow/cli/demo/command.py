"""``demo``: see a saga run, be undone, and survive its worker."""

import shutil
import sys
import tempfile
from pathlib import Path

import click

from active_workflow.cli.demo.batch import run_orders
from active_workflow.cli.demo.books import Rules
from active_workflow.cli.demo.orders import BadFile, Orders, read_orders
from active_workflow.cli.demo.scene import say, scene
from active_workflow.cli.demo.story import tell
from active_workflow.cli.output import console
from active_workflow.cli.text import printable
from active_workflow.engine.engine import Engine
from active_workflow.errors import ActiveWorkflowError

STORY_DELAY = 0.2
BATCH_DELAY = 0.02


@click.command("demo")
@click.option(
    "--orders", "file", type=click.Path(path_type=Path), metavar="FILE", help="Run your own orders instead."
)
@click.option(
    "--skip-bad", is_flag=True, help="Pass over bad lines of that file instead of starting nothing."
)
@click.option(
    "--stock",
    type=click.IntRange(min=0),
    default=Rules().stock,
    show_default=True,
    help="Pieces of each article.",
)
@click.option("--keep", is_flag=True, help="Keep the folder with store, ledger and logs.")
def demo_command(*, file: Path | None, skip_bad: bool, stock: int, keep: bool) -> None:
    """See a checkout saga run against a real payment, stock and courier service on this machine.

    One order goes well; one is undone in reverse order; one loses its worker to kill -9 while its card is
    being charged, and another worker finishes it. The service's own ledger shows what really happened.

    --orders takes CSV with a header, or JSON lines: order_id, total, payment_token, sku, and quantity, which
    is 1 unless given. A payment_token that begins with tok_declined is declined, articles named sold-out… are
    out of stock, and the courier takes 50 pieces at most.
    """
    orders = None if file is None else _orders(file, skip_bad)
    folder = Path(tempfile.mkdtemp(prefix="active-workflow-demo-")).resolve()
    keep_it = keep
    try:
        with scene(folder, console(), delay=BATCH_DELAY if orders else STORY_DELAY, stock=stock) as at:
            true = run_orders(at, orders) if orders else tell(at)
        keep_it = keep or not true
    except ActiveWorkflowError:
        keep_it = True  # whoever wants to know why finds the logs there
        raise
    finally:
        _leave(folder, keep=keep_it)
    sys.exit(0 if true else 1)


def _orders(file: Path, skip_bad: bool) -> Orders:
    try:
        orders = read_orders(file)
    except BadFile as error:
        raise click.ClickException(f"{error}.") from error
    for problem in orders.problems:
        click.echo(f"{file}, line {problem.line}: {printable(problem.reason)}", err=True)
    count = f"{len(orders.problems)} bad line{'' if len(orders.problems) == 1 else 's'}"
    if orders.problems and not skip_bad:
        raise click.ClickException(
            f"{file} has {count}: nothing was started. Mend it, or pass over them with --skip-bad."
        )
    if not orders.good:
        raise click.ClickException(f"{file} has no good line: nothing was started.")
    return orders


def _leave(folder: Path, *, keep: bool) -> None:
    """Clear the folder away, or say how to look around in it."""
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
        return
    store = f"sqlite:///{folder / 'workflows.db'}"
    say("\nEverything is kept. Look around:")
    say(f"  active-workflow list --store {store}")
    say(f"  active-workflow show {_some_id(store)} --store {store}")
    say(f"  cat {folder / 'ledger.jsonl'}")
    say(f"  rm -r {folder}")


def _some_id(store: str) -> str:
    """An id to begin with: that of the newest execution, if there is one."""
    try:
        with Engine(store, embedded=False) as engine:
            return next((execution.id for execution in engine.find(limit=1)), "ID")
    except ActiveWorkflowError:
        return "ID"
