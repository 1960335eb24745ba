"""Writes the golden files of the present row format: ``python -m tests.golden.make``.

Run it once for each new format, and commit what it writes. Files that are there are never written again: they
are what earlier versions have left in users' databases.
"""

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import unified_diff
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock

from active_workflow.cli.record import whole
from active_workflow.dsl.handle import Execution
from active_workflow.engine import starting
from active_workflow.engine.engine import Engine
from active_workflow.store import open_store
from active_workflow.store.base import Query
from active_workflow.store.codec import FORMAT, LOADED
from active_workflow.store.plans import Plans
from active_workflow.store.sqlite.loading import fetch
from active_workflow.store.sqlite.store import SqliteStore
from active_workflow.store.step_rows import STEP_COLUMNS
from tests.golden.kinds import KINDS
from tests.golden.stories import Clock, make_all, open_engine
from tests.servers.postgres import PostgresServer

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def folder_of(number: int) -> Path:
    """Where the files of a format are."""
    return HERE / f"format-{number}"


def shown(engine: Engine) -> list[dict[str, Any]]:
    """Give what ``show --json`` says of each execution, in the order in which ``find`` gives them."""
    snapshots = engine.store.find(Query(limit=1000))
    told = [whole(Execution(x, engine), x.plan, ()) for x in snapshots]
    return list(json.loads(json.dumps(told, sort_keys=True)))


def rows(store: SqliteStore) -> dict[str, Any]:
    """Give what the codec has made of each execution, and the plans."""
    ids = [x.id for x in store.find(Query(limit=1000))]
    plans = Plans()
    with store._db.read() as reader:
        fetched = fetch(reader, ids, plans)
        bodies = dict(reader.execute("SELECT hash, body FROM aw_plans ORDER BY hash"))
    return {
        "columns": LOADED,
        "step_columns": STEP_COLUMNS,
        "plans": bodies,
        "executions": [
            {"row": fetched.executions[id], "steps": fetched.steps[id], "signals": fetched.signals[id]}
            for id in ids
        ],
    }


def write(number: int, urls: Mapping[str, str]) -> Path:
    """Write the files of a format.

    Args:
        number: Which format: that of the code.
        urls: Where to make a store of each kind.
    """
    folder = folder_of(number)
    if folder.exists():
        raise SystemExit(f"{folder} is there already, and stays as it is: a new format gets a new number")
    texts: dict[str, str] = {}
    for name, url in urls.items():
        clock = Clock()
        store = open_store(url, clock.micros)
        store.prepare()
        with _without_chance():
            make_all(store, clock)
        with open_engine(store, clock) as engine:
            told = shown(engine)
            if (first := texts.setdefault("shown.json", _json(told))) != _json(told):
                raise SystemExit("\n".join(["the stores don't agree:", *_differences(first, _json(told))]))
            if isinstance(store, SqliteStore):
                texts["rows.json"] = _json(rows(store))
        store.close()
        texts[KINDS[name].file] = KINDS[name].dump(url)
    folder.mkdir()
    for file, text in texts.items():
        (folder / file).write_text(text.replace(f"{ROOT}/", ""), encoding="utf-8")
    return folder


@contextmanager
def _without_chance() -> Iterator[None]:
    """Give ids and keys that are the same in every store."""
    numbers = count(1)

    def new_id() -> str:
        return f"0194da00-0000-7000-8000-{next(numbers):012d}"

    def new_token(size: int) -> str:
        return f"{next(numbers):0{2 * size}x}"

    with mock.patch.object(starting, "new_execution_id", new_id), mock.patch("secrets.token_hex", new_token):
        yield


def _differences(one: str, two: str) -> Iterator[str]:
    return unified_diff(one.splitlines(), two.splitlines(), lineterm="", n=1)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def main() -> None:
    server = PostgresServer()
    try:
        server.start()
        with tempfile.TemporaryDirectory() as folder:
            urls = {"sqlite": f"sqlite:///{folder}/golden.db", "postgres": server.new_database()}
            sys.stdout.write(f"{write(FORMAT, urls)}\n")
    finally:
        server.remove()


if __name__ == "__main__":
    main()
