"""Moves some executions: announced in the target, departed from the source, arrived in the target.

Each of the three is one commit, guarded by the revision that it was decided on, so that a crash between
them, a worker that is quicker or a second copy at the same time spoil nothing: whoever comes next sees from
the marks how far it got. From its departure to its arrival an execution lives in neither store.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from active_workflow.core.change import Change, change_between
from active_workflow.core.elsewhere import Elsewhere
from active_workflow.core.ready import due_at
from active_workflow.core.relocating import announced, arrived, departed
from active_workflow.core.snapshot import Execution
from active_workflow.engine.copying.pairs import can_arrive, can_be_announced, can_depart, needs_work
from active_workflow.engine.copying.report import Copied
from active_workflow.errors import DataRejected
from active_workflow.store.base import NewExecution, Store, Verdict

Pair = tuple[Execution, Execution | None]


@dataclass(frozen=True, slots=True)
class End:
    """One end of a copy.

    Attributes:
        store: The store.
        name: What people call it: no secrets are in it.
    """

    store: Store
    name: str


class Mover:
    """Moves executions between two stores.

    Args:
        source: Where they are.
        target: Where they are to be.
        report: What is found on the way is written there.
    """

    def __init__(self, source: End, target: End, report: Copied) -> None:
        self._source = source
        self._target = target
        self._report = report

    def move(self, ids: Sequence[str]) -> None:
        """Move those that can be moved; what is there already costs no more than to look at it."""
        ids = [here.id for here, there in self.pairs(ids) if needs_work(here, there)]
        if not ids:
            return
        waiting = self._announce(ids)
        self._depart(ids)
        self._arrive(ids)
        if len(waiting) < len(ids):
            self.move(waiting)  # the earlier holders of their keys are over in the target by now
        else:
            for id in waiting:
                self._report.conflicts[id] = "its idempotency key is held in the target"

    def pairs(self, ids: Sequence[str]) -> list[Pair]:
        """Give those of the executions that the source has, in order, each with what the target has."""
        there = {x.id: x for x in self._target.store.load(ids)}
        return [(x, there.get(x.id)) for x in self._source.store.load(ids)]

    # --- Announce -----------------------------------------------------------------------------------

    def _announce(self, ids: Sequence[str]) -> list[str]:
        """Take their places in the target; give those whose key an earlier one has to give up first."""
        pairs = [(here, there) for here, there in self.pairs(ids) if can_be_announced(here, there)]
        self._target.store.commit([self._returning(there) for _, there in pairs if there is not None])
        new = {here.id: here for here, there in pairs if there is None}
        held = self._insert(list(new.values()), "never")
        ours = self._reused(new, held)
        for id in held.keys() - ours:
            self._report.conflicts[id] = f"its idempotency key is held in the target by {held[id]}"
        still = self._insert([new[id] for id in new if id in ours], "terminal")
        return list(still)

    def _insert(self, new: Sequence[Execution], key_reuse: str) -> dict[str, str]:
        """Insert announcements; give those whose key is held, with the holder."""
        now = self._target.store.now()
        items = [
            NewExecution(announced(x, self._source.name, secrets.token_hex(8), now), key_reuse) for x in new
        ]
        answers = self._target.store.insert(items) if items else ()
        return {answer.id: answer.holder.id for answer in answers if answer.holder is not None}

    def _reused(self, new: dict[str, Execution], held: dict[str, str]) -> set[str]:
        """Give those whose key was held in the source, too, by the one that holds it in the target."""
        holders = {x.id: x for x in self._source.store.load(list(held.values()))}
        return {id for id, by in held.items() if by in holders and holders[by].key == new[id].key}

    def _returning(self, there: Execution) -> Change:
        """Give the announcement of one that once left the target, and comes back."""
        mark = Elsewhere(self._source.name, secrets.token_hex(8), arrives=True)
        return change_between(there, there.evolve(elsewhere=mark))

    # --- Depart -------------------------------------------------------------------------------------

    def _depart(self, ids: Sequence[str]) -> None:
        """Let those leave that nobody holds; a worker that takes one meanwhile makes the commit refused."""
        now = self._source.store.now()
        changes = []
        for here, there in self.pairs(ids):
            if can_depart(here, there) and self._source.store.lease_of(here.id) is None:
                after = departed(here, self._target.name, _ticket(there), now)
                changes.append(change_between(here, after, due_at=due_at(after)))
        for answer in self._source.store.commit(changes):
            if answer.verdict is Verdict.REJECTED:
                raise DataRejected(f"the source refuses a mark on {answer.id}: {answer.detail}")

    # --- Arrive -------------------------------------------------------------------------------------

    def _arrive(self, ids: Sequence[str]) -> None:
        """Let those live in the target that have left the source, and copy those that are over."""
        pairs = {here.id: (here, there) for here, there in self.pairs(ids) if can_arrive(here, there)}
        changes = [_arrival(here, there) for here, there in pairs.values() if there is not None]
        for answer in self._target.store.commit(changes):
            if answer.verdict is Verdict.APPLIED:
                self._report.copied += 1
            elif answer.verdict is Verdict.REJECTED:
                self._report.conflicts[answer.id] = f"the target refuses its data: {answer.detail}"
                self._stay(pairs[answer.id][0])

    def _stay(self, here: Execution) -> None:
        """Let one live on in the source that the target can't keep."""
        if here.elsewhere is not None:
            after = arrived(here)
            self._source.store.commit([change_between(here, after, due_at=due_at(after))])


def _ticket(there: Execution | None) -> str:
    return there.elsewhere.ticket if there is not None and there.elsewhere is not None else ""


def _arrival(here: Execution, there: Execution) -> Change:
    """Give the change that makes of an announcement what the execution is. Its children are copied, too."""
    after = arrived(here).evolve(token=there.token)
    return change_between(there, after, due_at=due_at(after))._replace(children=())
