"""Commands that look or act never make a store; a store in memory is refused."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from active_workflow.cli.app import cli


def run(*arguments: str):
    return CliRunner().invoke(cli, [*arguments], prog_name="active-workflow", catch_exceptions=False)


@pytest.mark.parametrize(
    "command",
    [
        ["list"], ["show", "x"], ["explain", "x"], ["signal", "x", "go"], ["complete", "x", "job"],
        ["fail", "x", "job"], ["cancel", "x"], ["retry", "x"], ["pause", "x"], ["resume", "x"],
        ["resolve", "x", "job", "--landed"], ["prune", "--older-than", "1d"], ["replay", "flows"],
    ],
    ids=lambda command: command[0],
)  # fmt: skip
def test_a_store_that_is_not_there(store, tmp_path, command) -> None:
    result = run(*command, "--store", f"sqlite:///{tmp_path}/typo.db")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: no such store: {tmp_path}/typo.db (")
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_database_that_is_not_ours_is_left_alone(store, tmp_path) -> None:
    other = tmp_path / "other.db"
    other.write_bytes(b"")
    result = run("list", "--store", f"sqlite:///{other}")
    assert result.exit_code == 1
    assert "has no tables of ours: run `active-workflow migrate`" in result.stderr
    assert other.read_bytes() == b""


@pytest.mark.parametrize("command", [["migrate"], ["start", "Parcel", "order_id=1", "--module", "flows"]])
def test_what_may_make_one(store, tmp_path, command) -> None:
    assert run(*command, "--store", store).exit_code == 0
    assert (tmp_path / "store.db").exists()
    assert run("list", "--store", store).exit_code == 0


@pytest.mark.parametrize(
    "command", [["list"], ["start", "Parcel", "order_id=1", "--module", "flows"], ["migrate"], ["show", "x"]]
)
def test_memory_is_refused(store, command) -> None:
    result = run(*command, "--store", "memory://")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "memory:// is a store inside one process" in result.stderr


def test_a_worker_on_memory_is_refused(store) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "active_workflow", "worker", "flows", "--store", "memory://"],
        cwd=Path(__file__).parent, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert ran.returncode == 1
    assert "memory:// is a store inside one process" in ran.stderr
