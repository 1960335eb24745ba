"""Plans as stored bodies, read once per hash."""

import json
from collections.abc import Callable, Iterable

from active_workflow.core.plan import Plan
from active_workflow.core.plan_data import plan_from_data, plan_to_data
from active_workflow.store.jsontext import write_json


class Plans:
    """The plans that a store has met: a hash stands for one plan for ever, so nothing here grows stale."""

    def __init__(self) -> None:
        self._plans: dict[str, Plan] = {}
        self._bodies: dict[str, str] = {}

    def body(self, plan: Plan) -> str:
        """Give a plan's body, for the table of plans."""
        body = self._bodies.get(plan.hash)
        if body is None:
            body = self._bodies[plan.hash] = write_json(plan_to_data(plan))
            self._plans.setdefault(plan.hash, plan)
        return body

    def get(self, digest: str) -> Plan | None:
        """Give the plan of a hash; None if it has not been met or could not be read."""
        return self._plans.get(digest)

    def learn(self, hashes: Iterable[str], fetch: Callable[[list[str]], Iterable[tuple[str, str]]]) -> None:
        """Fetch and read the bodies of plans not met so far; one that can't be read stays unknown."""
        unknown = sorted({digest for digest in hashes if digest not in self._plans})
        for digest, body in fetch(unknown) if unknown else ():
            try:
                self._plans[digest] = plan_from_data(json.loads(body))
            except (ValueError, TypeError, KeyError):
                continue
