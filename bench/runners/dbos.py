"""DBOS, on PostgreSQL or SQLite."""

import sqlite3
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from typing import Any, ClassVar

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, SetWorkflowID
from dbos._sys_db import SendMessage

from bench.runners.command import command, standard
from bench.runners.options import Options
from bench.runners.runner import VALUE, PostgresRunner, Runner, sqlite_size

THREADS = 8


@DBOS.step()
def one() -> dict[str, str]:
    return {"one": VALUE}


@DBOS.step()
def two() -> dict[str, str]:
    return {"two": VALUE}


@DBOS.step()
def three() -> dict[str, str]:
    return {"three": VALUE}


@DBOS.step()
def four() -> dict[str, str]:
    return {"four": VALUE}


@DBOS.step()
def five() -> dict[str, str]:
    return {"five": VALUE}


@DBOS.workflow()
def five_steps(_n: str) -> dict[str, str]:
    return one() | two() | three() | four() | five()


@DBOS.workflow()
def parked(_n: str) -> dict[str, str]:
    DBOS.recv("go", timeout_seconds=3600)
    return one()


class Dbos(Runner):
    """DBOS, its workflows called directly."""

    TUNED = (
        f"synchronous workflows called directly from {THREADS} threads of each process, which is quicker than"
        " its queue; pool of 20 connections; signals looked for every 10 ms on SQLite; logs of errors"
        " only; starts enqueued by its client, a thousand"
        " in one transaction; signals by send_bulk, a thousand in one transaction"
    )
    QUEUED = False
    SINGLY = True
    OPTIONS: ClassVar[Any] = {"queue_name": "bench", "workflow_name": "five_steps", "app_version": "1"}
    DONE = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'"

    def _launch(self) -> None:
        DBOS(
            config={
                "name": "bench",
                "system_database_url": self.url,
                "sys_db_pool_size": 20,
                "notification_listener_polling_interval_sec": 0.01,  # where there is no LISTEN: on SQLite
                "log_level": "ERROR",
                "executor_id": uuid.uuid4().hex,
                "application_version": "1",
            }
        )
        DBOS.launch()

    def prepare(self) -> None:
        self._launch()
        DBOS.register_queue("bench", on_conflict="always_update")
        DBOS.destroy()

    def start(self, count: int) -> None:
        if not hasattr(self, "_engine"):
            self._engine = sa.create_engine(self.url.replace("postgresql:", "postgresql+psycopg:"))
        with self._engine.begin() as transaction:
            for _ in range(count):
                id = uuid.uuid4().hex
                self.client.enqueue_in_transaction(transaction, {**self.OPTIONS, "workflow_id": id}, id)

    def start_singly(self, count: int) -> None:
        for _ in range(count):
            id = uuid.uuid4().hex
            self.client.enqueue({**self.OPTIONS, "workflow_id": id}, id)

    @property
    def client(self) -> DBOSClient:
        if not hasattr(self, "_client"):
            self._client = DBOSClient(system_database_url=self.url)
        return self._client

    def work(self, stop: Event) -> None:
        self._launch()
        threads = [threading.Thread(target=self._loop, args=(stop,)) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _loop(self, stop: Event) -> None:
        while not stop.is_set():
            self.one()

    @contextmanager
    def serve(self) -> Iterator[None]:
        self._launch()
        yield

    def one(self) -> None:
        id = uuid.uuid4().hex
        with SetWorkflowID(id):
            five_steps(id)

    def park(self, count: int) -> list[Any]:
        handles = []
        for _ in range(count):
            id = uuid.uuid4().hex
            with SetWorkflowID(id):
                handles.append(DBOS.start_workflow(parked, id))
        return handles

    def signal(self, ids: list[Any]) -> None:
        DBOS.send_bulk([SendMessage(handle.get_workflow_id(), True, "go") for handle in ids])

    def wait(self, ids: list[Any]) -> None:
        for handle in ids:
            handle.get_result(polling_interval_sec=0.01)


class OnPostgres(Dbos, PostgresRunner):
    """Its tables are in PostgreSQL."""


class OnSqlite(Dbos):
    """Its tables are in SQLite."""

    def finished(self) -> int:
        if not hasattr(self, "_reader"):
            self._reader = sqlite3.connect(f"file:{self.url.removeprefix('sqlite:///')}?mode=ro", uri=True)
        return self._reader.execute(self.DONE.replace("dbos.", "")).fetchone()[0]

    def size(self) -> int:
        return sqlite_size(self.url)


class Idle(OnPostgres):
    """It listens to its queue, as a process that serves one does."""

    def work(self, stop: Event) -> None:
        self._launch()
        stop.wait()


def make(options: Options) -> Dbos:
    if options.workload == "idle":
        return Idle(options.url)
    return (OnPostgres if options.url.startswith("postgres") else OnSqlite)(options.url)


if __name__ == "__main__":
    command(Dbos, standard(Dbos.WORKLOADS, make))
