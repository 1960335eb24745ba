"""``init``: a first workflow, and where executions are kept."""

import tomllib
from pathlib import Path

import click

from active_workflow.cli.files import from_template, write_new
from active_workflow.cli.options import with_json
from active_workflow.cli.text import print_json
from active_workflow.engine.settings import DEFAULT_STORE
from active_workflow.store import MemoryStore, Store, open_store
from active_workflow.store.readiness import needs_migrate

NEXT = """\
  active-workflow worker workflows
  active-workflow start Greet --module workflows who=Ada    (in another terminal)
  active-workflow list
  active-workflow new workflow Checkout"""


@click.command("init")
@click.option(
    "--store", metavar="URL", default=DEFAULT_STORE, show_default=True, help="Where to keep executions."
)
@with_json
def init_command(*, store: str, as_json: bool) -> None:
    """Begin in this folder: settings in pyproject.toml, and workflows.py with a first workflow.

    What is there already stays as it is.
    """
    on_server = needs_migrate(_checked(store))
    told = {"pyproject.toml": _settings(Path("pyproject.toml"), store), "workflows.py": _workflows()}
    if as_json:
        print_json(
            {
                "written": [name for name, written in told.items() if written],
                "kept": [name for name, written in told.items() if not written],
            }
        )
        return
    done = {
        "pyproject.toml": f"[tool.active_workflow] is in pyproject.toml: executions are kept in {store}.",
        "workflows.py": "workflows.py is written, with a first workflow.",
    }
    kept = {
        "pyproject.toml": "pyproject.toml has [tool.active_workflow] already: it stays as it is.",
        "workflows.py": "workflows.py is there already: it stays as it is.",
    }
    for name, written in told.items():
        click.echo(done[name] if written else kept[name])
    click.echo("Next:\n  active-workflow migrate" if on_server else "Next:")
    click.echo(NEXT)


def _checked(url: str) -> Store:
    """Give a URL's store; one that no store has is refused before anything is written. Nothing is opened."""
    store = open_store(url)
    if isinstance(store, MemoryStore):
        raise click.ClickException("memory:// is gone with each process; name a file: sqlite:///workflows.db")
    if any(character in url for character in '"\\\n'):
        raise click.ClickException(
            f"{url!r} has a character that a setting can't have as it is; escape it with %"
        )
    if "@" in url and ":" in url.partition("://")[2].partition("@")[0]:
        raise click.ClickException(
            "the URL has a password, and such a file is shared: put it into ACTIVE_WORKFLOW_STORE instead"
        )
    return store


def _settings(path: Path, store: str) -> bool:
    """Write the settings into pyproject.toml, unless it has some."""
    table = f'[tool.active_workflow]\nstore = "{store}"\n'
    if not path.exists():
        write_new(path, table)
        return True
    try:
        text = path.read_text(encoding="utf-8")
        if "active_workflow" in tomllib.loads(text).get("tool", {}):
            return False
        longer = f"{text.rstrip()}\n\n{table}" if text.strip() else table
        tomllib.loads(longer)
        path.write_text(longer, encoding="utf-8")
    except (OSError, UnicodeError, tomllib.TOMLDecodeError) as error:
        raise click.ClickException(f"{path} can't be added to ({error}); write into it:\n{table}") from error
    return True


def _workflows() -> bool:
    path = Path("workflows.py")
    if path.exists():
        return False
    write_new(path, from_template("workflows.py"))
    return True
