"""Makes executions of what callers give to ``start``, and inserts them."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from active_workflow.core.commands import Decide, RunStep
from active_workflow.core.events import Started
from active_workflow.core.machine import apply, begun
from active_workflow.core.ready import due_at, next_commands
from active_workflow.core.snapshot import Execution
from active_workflow.dsl.client import StartOptions
from active_workflow.dsl.context import encode
from active_workflow.dsl.program import Program
from active_workflow.dsl.starting import prepare_start
from active_workflow.engine.ids import new_execution_id
from active_workflow.engine.transactional import check_store
from active_workflow.errors import ConfigurationError, IdempotencyConflict, UnknownCommit
from active_workflow.store.base import Inserted, NewExecution, Store
from active_workflow.store.serializer import Serializer, canonical

KEY_REUSES = ("never", "failed", "terminal")


@dataclass(frozen=True, slots=True)
class Owner:
    """The worker of this process that takes new executions over at once.

    Attributes:
        name: The worker's.
        lease: For how long, microseconds.
        queues: Whose steps it runs; None is all.
    """

    name: str
    lease: int
    queues: Collection[str] | None = None

    def serves(self, execution: Execution, now: int) -> bool:
        """Tell whether what is to be done first belongs to its queues."""
        plans = execution.plan.by_name
        first = [plans[c.step] for c in next_commands(execution, now) if isinstance(c, RunStep | Decide)]
        return self.queues is None or all(plan.queue in self.queues for plan in first)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to one start.

    Attributes:
        id: The execution's id: a new one's, or the holder's of the idempotency key.
        new: The execution, if it was inserted now.
        held: Whether a worker of this process has its lease.
    """

    id: str
    new: Execution | None
    held: bool = False


class Starter:
    """Accepts executions.

    Args:
        store: Where they go.
        serializer: Encodes their input.
    """

    def __init__(self, store: Store, serializer: Serializer) -> None:
        self._store = store
        self._serializer = serializer

    def start(
        self,
        program: Program,
        given: Sequence[object],
        options: StartOptions,
        *,
        now: int,
        owner: Owner | None = None,
    ) -> list[Accepted]:
        """Insert executions in one transaction, and answer in order.

        Args:
            program: Whose executions.
            given: The ctx of each: a mapping or a model.
            options: How to start them; an idempotency key only for a single one.
            now: The store's time.
            owner: Who takes them over at once.

        Raises:
            IdempotencyConflict: Keys are held by executions of another workflow or input. Nothing was
                started, unless ``on_conflict="skip"``.
        """
        new = self.prepare(program, given, options, now=now, owner=owner)
        return accepted(new, self._insert(new, skip_conflicts=options.skips), options, owner)

    def prepare(
        self,
        program: Program,
        given: Sequence[object],
        options: StartOptions,
        *,
        now: int,
        owner: Owner | None = None,
    ) -> list[NewExecution]:
        """Make executions of what was given, ready to be inserted."""
        check_store(self._store, transactional=program.plan.transactional)
        reuse = options.key_reuse or program.key_reuse
        if reuse not in KEY_REUSES:
            raise ConfigurationError(f"key_reuse={reuse!r}: write one of {', '.join(KEY_REUSES)}")
        executions = [self._execution(program, one, options, now) for one in given]
        return [_new(execution, reuse, now, owner) for execution in executions]

    def _insert(self, new: Sequence[NewExecution], *, skip_conflicts: bool) -> Sequence[Inserted]:
        """Insert them; after a commit of unknown outcome again: those that landed are answered by id."""
        try:
            return self._store.insert(new, skip_conflicts=skip_conflicts)
        except UnknownCommit:
            return self._store.insert(new, skip_conflicts=skip_conflicts)

    def _execution(self, program: Program, given: object, options: StartOptions, now: int) -> Execution:
        prepared = prepare_start(program, given, options)
        fragments = self._encoded(prepared.values)
        return begun(
            Execution(
                id=new_execution_id(),
                plan=program.plan,
                input=fragments,
                ctx=fragments,
                input_hash=_digest(self._encoded(prepared.compared)),
                created_at=now,
                run_at=now if options.run_at is None else max(now, options.run_at),
                tags=options.tags,
                key=prepared.key,
                parent_id=prepared.parent_id,
                revision=1,
            ),
            now,
        )

    def _encoded(self, values: Mapping[str, Any]) -> dict[str, str]:
        return {key: encode(self._serializer, key, value) for key, value in values.items()}


def accepted(
    new: Sequence[NewExecution],
    answers: Sequence[Inserted],
    options: StartOptions,
    owner: Owner | None = None,
) -> list[Accepted]:
    """Give what became of an insert, in order.

    Raises:
        IdempotencyConflict: Keys are held by executions of another workflow or input, and that matters.
    """
    conflicts = _conflicts(new, answers)
    if conflicts and not options.skips:
        raise _conflict_error(conflicts)
    return [_accepted(item, answer, owner) for item, answer in zip(new, answers, strict=True)]


def _new(execution: Execution, key_reuse: str, now: int, owner: Owner | None) -> NewExecution:
    if owner is None or execution.run_at > now or not owner.serves(execution, now):
        return NewExecution(execution, key_reuse, due_at=due_at(execution))
    taken = _first_steps_started(execution.evolve(token=1), now)
    return NewExecution(taken, key_reuse, owner.name, owner.lease, due_at(taken))


def _first_steps_started(execution: Execution, now: int) -> Execution:
    """Record the first steps as started with the insert itself: one commit less for each execution."""
    for command in next_commands(execution, now):
        if isinstance(command, RunStep) and not execution.plan.by_name[command.step].starts_alone:
            execution = apply(execution, Started(command.step), now)
    return execution


def _digest(fragments: Mapping[str, str]) -> str:
    """Give a digest of the caller's own input, before defaults: what a reused key is compared by."""
    digest = hashlib.sha256()
    for key in sorted(fragments):
        digest.update(f"{key}\0{canonical(fragments[key])}\0".encode())
    return digest.hexdigest()[:32]


def _conflicts(new: Sequence[NewExecution], answers: Sequence[Inserted]) -> list[tuple[Execution, Inserted]]:
    return [
        (item.execution, answer)
        for item, answer in zip(new, answers, strict=True)
        if answer.holder is not None
        and (answer.holder.workflow, answer.holder.input_hash)
        != (item.execution.plan.workflow, item.execution.input_hash)
    ]


def _conflict_error(conflicts: list[tuple[Execution, Inserted]]) -> IdempotencyConflict:
    told = []
    for execution, answer in conflicts:
        holder = answer.holder
        if holder is None:
            continue
        other = holder.workflow != execution.plan.workflow
        told.append(
            f"key {execution.key!r} is held by execution {holder.id} of {holder.workflow} with "
            + ("that workflow" if other else "another input")
        )
    held = {execution.key or "": answer.holder.id for execution, answer in conflicts if answer.holder}
    return IdempotencyConflict(
        "; ".join(told)
        + ": nothing was started. Use another key, or give the same input to get that execution",
        held,
    )


def _accepted(item: NewExecution, answer: Inserted, owner: Owner | None) -> Accepted:
    if answer.holder is not None:
        return Accepted(answer.holder.id, None)
    return Accepted(answer.id, item.execution, held=owner is not None and item.lease_owner is not None)
