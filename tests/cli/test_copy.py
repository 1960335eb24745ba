"""copy: the command over what tests/store/test_copy.py proves."""

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from active_workflow.cli.app import cli
from active_workflow.engine.engine import Engine
from active_workflow.store.base import ClaimRequest
from active_workflow.store.url import without_secrets


@pytest.fixture
def there(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'there.db'}"


def copy(source: str, target: str, *options: str) -> Result:
    arguments = ["copy", "--from", source, "--to", target, *options]
    return CliRunner().invoke(cli, arguments, prog_name="active-workflow", catch_exceptions=False)


def test_it_tells_what_became_of_it(store, there, parcel, run) -> None:
    result = copy(store, there)
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        ["1 of 1 executions are in the target, 1 copied by this run.", "Nothing is left to copy."],
    )
    told = run("signal", parcel, "answer")
    assert told.exit_code == 1
    assert f"was moved to {there}: nothing was recorded here" in told.stderr
    with Engine(there, embedded=False, listen=False) as engine:
        assert engine.get(parcel).state == "waiting"
        engine.cancel(parcel)
        engine.run_until_idle()
    assert "Gone on there since: 1." in copy(store, there).stdout


def test_as_json(store, there, parcel) -> None:
    result = copy(store, there, "--json")
    assert json.loads(result.stdout) == {
        "executions": 1,
        "copied": 1,
        "same": 1,
        "went_on": 0,
        "gone": 0,
        "left": 0,
        "held": {},
        "conflicts": {},
        "complete": True,
    }
    with Engine(there, embedded=False, listen=False) as engine:
        engine.cancel(parcel)
        engine.run_until_idle()
        engine.store.prune(2**62, 10)
    result = copy(store, there)
    assert (result.exit_code, "no longer there: 1 (" in result.stdout) == (0, True)


def test_what_a_worker_holds_is_named_and_fails(store, there, parcel, engine, run_json) -> None:
    run_json("start", "Parcel", "order_id=8", "--module", "flows")
    engine.store.claim(ClaimRequest("host:7:ab", 1, 60_000_000))
    result = copy(store, there)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "1 of 2 executions are in the target, 1 copied by this run.",
        "Held by worker host:7:ab: 1. Stop it and run this again.",
    ]


def test_conflicts_are_named(store, there, run_json, flows) -> None:
    for n in range(12):
        for url in (store, there):
            with Engine(url, embedded=False, listen=False) as engine:
                engine.start("Parcel", {"order_id": n}, idempotency_key=f"k{n}")
    result = copy(store, there)
    lines = result.stdout.splitlines()
    assert (result.exit_code, len(lines)) == (1, 12)
    assert lines[1].endswith(
        " was not copied: its idempotency key is held in the target by " + lines[1][-37:-1] + "."
    )
    assert lines[-1] == "… and 2 more (--json names all)."


def test_what_can_t_be_copied_is_told(store, there, tmp_path) -> None:
    for source, target in (("memory://", there), (store, "memory://")):
        Path(store.removeprefix("sqlite:///")).touch()
        result = copy(source, target)
        assert (result.exit_code, "memory:// ends with its process" in result.stderr) == (1, True)
    missing = tmp_path / "missing.db"
    result = copy(f"sqlite:///{missing}", there)
    assert (result.exit_code, f"{missing} is not there" in result.stderr) == (1, True)
    assert not missing.exists()
    assert copy("sqlite:///a.db", "nonsense").exit_code == 1
    assert not list(tmp_path.glob("*a.db"))
    assert copy(store, "nonsense").exit_code == 1


def test_the_same_store_is_refused(store, parcel) -> None:
    result = copy(store, store)
    assert (result.exit_code, "both are the same store" in result.stderr) == (1, True)


def test_a_store_of_a_later_version_is_refused(store, there, parcel) -> None:
    with Engine(there, embedded=False, listen=False) as engine:
        engine.store.prepare()
    with sqlite3.connect(there.removeprefix("sqlite:///")) as connection:
        connection.execute("INSERT INTO aw_migrations (version, name) VALUES (99, 'later')")
    connection.close()
    result = copy(store, there)
    assert (result.exit_code, "version 99" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:////a@b/c.db", "sqlite:////a@b/c.db"),
        ("postgresql://ada:s3cret@db:5432/app?sslmode=require", "postgresql://db:5432/app"),
        ("postgresql://ada:s/3?cret@db/app", "postgresql://…"),
        ("postgresql://db/app?password=s3@cret", "postgresql://…"),
        ("redis://:s3cret@db:6379/0", "redis://db:6379/0"),
    ],
)
def test_no_secrets_are_shown(url: str, shown: str) -> None:
    assert without_secrets(url) == shown
