"""A workflow of transactional steps: each inserts a row into the user's own table. Imported by workers."""

import os
import time
from typing import Any

import active_workflow as aw
from tests.chaos.flows import ledger, share

NAMES = ("first", "second", "third")
MARK = "?" if os.environ.get("ACTIVE_WORKFLOW_STORE", "").startswith("sqlite") else "%s"


def order(ctx: Any) -> list[int]:
    """Insert a row, and be slow enough about it to be killed before the commit."""
    ledger.write(ctx.execution_id, ctx.step_name, ctx.attempt, "begin")
    insert = f"INSERT INTO orders (key, attempt, pid) VALUES ({MARK}, {MARK}, {MARK})"
    ctx.connection.execute(insert, (ctx.step_key, ctx.attempt, os.getpid()))
    time.sleep(0.005 + 0.025 * share(ctx.step_key))
    ledger.write(ctx.execution_id, ctx.step_name, ctx.attempt, "end")
    return [ctx.attempt, os.getpid()]


def cancel(ctx: Any) -> None:
    """Take the row back: the undo is transactional as well, and may be made once only."""
    removed = ctx.connection.execute(f"DELETE FROM orders WHERE key = {MARK}", (ctx.step_key,))
    assert removed.rowcount == 1
    undone = f"INSERT INTO undone (key) VALUES ({MARK})"
    ctx.connection.execute(undone, (ctx.step_key,))


class Orders(aw.Workflow):
    first = aw.task(order, transactional=True, compensate=cancel)
    second = aw.task(order, transactional=True, compensate=cancel)

    @aw.task(transactional=True, no_undo="nothing comes after it")
    @staticmethod
    def third(ctx: Any) -> Any:
        result = order(ctx)
        if ctx.fails:
            raise aw.NonRetryable("declined")
        return result
