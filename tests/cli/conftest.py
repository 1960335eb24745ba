"""A store, an engine over it, and the command line in this process."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from active_workflow.cli.app import cli
from active_workflow.engine import default
from active_workflow.engine.engine import Engine

HERE = Path(__file__).parent


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store's URL, with the surroundings that the commands shall see."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(HERE)])
    monkeypatch.setattr(default, "_engines", [])
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def run(store: str) -> Callable[..., Result]:
    """Run a command over that store; a usage error of click's and an exit are in the result."""

    def run(command: str, *arguments: str, stdin: str | None = None) -> Result:
        where = [] if command in {"graph", "demo"} else ["--store", store]
        return CliRunner().invoke(
            cli,
            [command, *arguments, *where],
            input=stdin,
            prog_name="active-workflow",
            catch_exceptions=False,
        )

    return run


@pytest.fixture
def run_json(run: Callable[..., Result]) -> Callable[..., Any]:
    """Run a command with --json, which succeeds."""

    def run_json(command: str, *arguments: str) -> Any:
        result = run(command, *arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return run_json


@pytest.fixture
def engine(store: str) -> Iterator[Engine]:
    """An engine over the store that runs things only when told to."""
    with Engine(store, embedded=False, listen=False) as engine:
        yield engine


@pytest.fixture
def flows(store: str) -> Any:
    """The module with the workflows, imported as the commands import it."""
    import flows  # noqa: PLC0415 - it is found on the path that `store` has set

    return flows


@pytest.fixture
def parcel(run_json: Callable[..., Any], engine: Engine, flows: Any) -> str:
    """The id of an execution that waits for its external step."""
    id = run_json("start", "Parcel", "order_id=7", "--module", "flows", "--tag", "shop=eu")["id"]
    engine.run_until_idle()
    return id
