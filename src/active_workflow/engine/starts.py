"""What to start next: as many steps as there is room for, the rest in order of their asking."""

from collections.abc import Mapping
from functools import lru_cache

from active_workflow.core.commands import Command, Compensate, Decide, Done, RunStep, Verify, WaitUntil
from active_workflow.core.events import Started
from active_workflow.core.ready import next_commands
from active_workflow.core.states import Phase
from active_workflow.engine.call import CallKind
from active_workflow.engine.held import Held
from active_workflow.engine.pace import Pace
from active_workflow.engine.worker_settings import WorkerSettings

Queue = dict[str, None]
"""Ids of executions, in order."""

_started = lru_cache(maxsize=4_096)(Started)
"""The decision to start a step's next attempt: one value for all executions."""
_NOTHING_TO_START = (WaitUntil, Done)


class Starts:
    """Decides which of the steps that could be started are, and remembers those that had no room.

    An attempt that can be repeated may be recorded as started a moment before a slot is free. One whose
    interruption would be dear (``at_most_once``, ``verify``) waits for the slot itself, and so does a
    suspect, of which only one runs at a time: should it kill the process, it is known which one did, and
    nobody else is hurt who was hurt before.
    """

    def __init__(self, pace: Pace, held: Mapping[str, Held], settings: WorkerSettings) -> None:
        """Begin with nothing started.

        Args:
            pace: How much room there is.
            held: The executions to start steps of.
            settings: Whose steps may be started, and whether one transactional step at a time.
        """
        self._pace = pace
        self._held = held
        self._queues = settings.queues
        self._one_transaction = settings.one_transaction
        self._want_turn: Queue = {}
        self._turn: str | None = None
        self._want_room: Queue = {}
        self._want_slot: Queue = {}
        self._want_alone: Queue = {}
        self._suspect: str | None = None

    def plan(self, held: Held, now: int) -> bool:
        """Decide the next starts of an execution that is held.

        Returns:
            Whether it still is this worker's business: something runs, or could if there were room.
        """
        held.asks.clear()
        if held.known.phase is Phase.OVER:
            return False
        wanted = False
        for command in next_commands(held.known, now):
            if self._is_served(held, command):
                wanted = True
                self._start(held, command, now)
        return wanted or bool(held.calls) or held.attempt_runs

    @property
    def waiting_suspects(self) -> int:
        """How many executions are held only because another's suspect runs; they take nobody's place."""
        return sum(id in self._held for id in self._want_alone)

    def fed(self) -> list[str]:
        """Give the executions for which there is room by now, those that asked first in front."""
        room, free = self._pace.room, self._pace.free
        ids = _taken(self._want_slot, free) if self._want_slot else []
        if self._want_alone and free and self._suspect_may_run():
            ids += _taken(self._want_alone, 1)
        if self._want_turn and free and not self._transaction_runs():
            ids += _taken(self._want_turn, 1)
        if self._want_room:
            ids += _taken(self._want_room, room)
        return ids

    def can_feed(self) -> bool:
        """Tell whether somebody waits for room that there is."""
        return bool(
            (self._want_room and self._pace.room)
            or (self._want_slot and self._pace.free)
            or (self._want_alone and self._pace.free and self._suspect_may_run())
            or (self._want_turn and self._pace.free and not self._transaction_runs())
        )

    def _is_served(self, held: Held, command: Command) -> bool:
        if isinstance(command, _NOTHING_TO_START):
            return False
        return self._queues is None or held.known.plan.by_name[command.step].queue in self._queues

    def _start(self, held: Held, command: Command, now: int) -> None:
        match command:
            case RunStep(name):
                step = held.known.steps.get(name)
                suspect = step is not None and step.run.is_suspect
                if not self._has_turn(held, name):
                    return
                alone = held.known.plan.by_name[name].starts_alone
                if self._has_room(held, suspect=suspect, alone=alone):
                    held.decide(_started(name), now)
            case Compensate(name):
                suspect = held.known.steps[name].undo.is_suspect
                if self._has_turn(held, name) and self._has_room(held, suspect=suspect):
                    held.decide(Started(name, undo=True), now)
            case Verify(name):
                self._ask(held, (CallKind.VERIFY, name, held.known.steps[name].run.attempts))
            case Decide(name):
                self._ask(held, (CallKind.DECIDE, name, 0))
            case _:
                return

    def _ask(self, held: Held, key: tuple[CallKind, str, int]) -> None:
        if key not in held.calls and self._has_room(held):
            held.asks.append(key)

    def _has_room(self, held: Held, *, suspect: bool = False, alone: bool = False) -> bool:
        """Take room for one call, or note that the execution waits for it."""
        if suspect and not self._suspect_may_run():
            self._want_alone[held.id] = None
            return False
        if suspect or alone:
            queue, room = self._want_slot, self._pace.free
        else:
            queue, room = self._want_room, self._pace.room
        if room <= 0:
            queue[held.id] = None
            return False
        self._pace.plan(held.id)
        if suspect:
            self._suspect = held.id
        return True

    def _has_turn(self, held: Held, name: str) -> bool:
        """Tell whether a step may have its transaction now, where one keeps all others from writing."""
        if not self._one_transaction or not held.known.plan.by_name[name].transactional:
            return True
        if self._transaction_runs():
            self._want_turn[held.id] = None
            return False
        self._turn = held.id
        return True

    def _transaction_runs(self) -> bool:
        held = self._held.get(self._turn) if self._turn is not None else None
        return held is not None and held.runs_transaction

    def _suspect_may_run(self) -> bool:
        """Tell whether no other suspect runs, and no question is out that has lost a worker before.

        Each claim that loses its worker counts against the question that was open under it, whoever did it.
        """
        return not self._suspect_runs() and not any(held.asks_again for held in self._held.values())

    def _suspect_runs(self) -> bool:
        held = self._held.get(self._suspect) if self._suspect is not None else None
        return held is not None and held.runs_suspect


def _taken(queue: Queue, number: int) -> list[str]:
    taken: list[str] = []
    while queue and len(taken) < number:
        id = next(iter(queue))
        del queue[id]
        taken.append(id)
    return taken
