"""Loading executions with their steps and unread signals, and finding them."""

import json
from collections.abc import Collection, Sequence

from active_workflow.core.states import State
from active_workflow.store.base import Query
from active_workflow.store.codec import tags_text
from active_workflow.store.fetched import Fetched
from active_workflow.store.mysql.connection import Link
from active_workflow.store.mysql.rows import listed
from active_workflow.store.mysql.statement import Listed, Statement, Statements
from active_workflow.store.one_shape import sorted_out
from active_workflow.store.plans import Plans


def fetch(link: Link, say: Statements, ids: Sequence[str], plans: Plans) -> Fetched:
    """Fetch the rows of executions by one statement, and the plans that haven't been met yet by another."""
    fetched = sorted_out(link.rows(say("load", ids=listed(ids))) if ids else ())
    learn(link, say, fetched, plans)
    return fetched


def learn(link: Link, say: Statements, fetched: Fetched, plans: Plans) -> None:
    """Fetch the plans of executions that haven't been met yet."""
    plans.learn(
        fetched.plans(),
        lambda hashes: [
            (digest, body) for digest, body in link.rows(say("load_plans", hashes=Listed(hashes)))
        ],
    )


def page(say: Statements, query: Query) -> Statement:
    """Give the statement that finds the ids of one page, newest first."""
    live = bool(query.states) and not any(State(state).terminal for state in query.states)
    of_parent = query.parent_id is not None
    return say(
        "find",
        parent_id=query.parent_id,
        by_end=True if live and not of_parent else None,
        by_age=True if not live and not of_parent else None,
        live=True if live else None,
        states=Listed(list(query.states)) if query.states else None,
        workflow=query.workflow,
        since=query.since,
        tags=tags_text(query.tags) if query.tags else None,
        after=query.after,
        limit=query.limit,
    )


def active_names(text: str) -> Collection[str]:
    """Give the names of the steps that a row's ``active`` column tells of; none where it can't be read."""
    try:
        found: dict[str, object] = json.loads(text)
    except ValueError:
        return ()
    return found.keys()
