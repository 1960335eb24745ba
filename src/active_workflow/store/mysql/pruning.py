"""Pruning: executions that ended long ago, with all that belongs to them."""

from active_workflow.store.mysql.connection import Link
from active_workflow.store.mysql.rows import id_table
from active_workflow.store.mysql.statement import COMMIT, START, Statements, Table


def prune(link: Link, say: Statements, before: int, limit: int) -> int:
    """Delete at most so many terminal executions that ended before an instant, and give their number."""
    _, found = link.run(START, say("prunable", before=before, limit=limit))
    if not found.rows:
        link.run(COMMIT)
        return 0
    ids = id_table(id for id, _ in found.rows)
    held = sorted((key, id) for id, key in found.rows if key is not None)
    keys = [say("prune_keys", batch=Table(("held", "id"), held))] if held else []
    rest = [say(name, batch=ids) for name in ("prune_steps", "prune_signals", "prune")]
    link.run(*keys, *rest, COMMIT)
    return len(found.rows)
