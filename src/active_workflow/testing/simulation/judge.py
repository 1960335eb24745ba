"""The judge: after each move, what the store and the ledger say must be lawful. It asks no engine.

The numbers of the invariants: 2 an outcome never changes, 3 terminal is final, 4 no write without the
lease, 5 effects are accounted for, 6 no step before those it needs, 7 undo in strict reverse order,
8 signals are consumed once and never dropped, 9 what was answered stays, 10 attempts are bounded, 14 delays
are kept, 15 notices follow the commits.
"""

from collections.abc import Callable, Mapping, Sequence

from active_workflow.core.change import Change
from active_workflow.core.snapshot import Execution, Step
from active_workflow.store.base import (
    Applied,
    Claimed,
    ClaimRequest,
    Lease,
    NewExecution,
    Renewed,
    Verdict,
)
from active_workflow.testing.simulation import calls, outcomes
from active_workflow.testing.simulation.broken import demand
from active_workflow.testing.simulation.ledger import Entry, Ledger
from active_workflow.testing.simulation.record import Record
from active_workflow.testing.simulation.timeline import Timeline

Transitions = Sequence[tuple[Execution, Execution]]


class Judge:
    """Judges every write to the store and every call of user code.

    Attributes:
        records: What it knows of each execution.
    """

    def __init__(self, ledger: Ledger, timeline: Timeline, log: Callable[..., None]) -> None:
        """Begin with an empty store and an empty ledger."""
        self.records: dict[str, Record] = {}
        self._ledger = ledger
        self._timeline = timeline
        self._log = log

    # --- What is written ----------------------------------------------------------------------------

    def inserted(self, item: NewExecution) -> None:
        """An execution was inserted, perhaps for the second time."""
        x = item.execution
        if x.id not in self.records:
            until = self._timeline.now + item.lease
            record = self.records[x.id] = Record(x, item.lease_owner, until)
            outcomes.note(record, x.evolve(steps={}), x)

    def committed(
        self,
        writer: str,
        changes: Sequence[Change],
        answers: Sequence[Applied],
        rows: Mapping[str, Execution],
    ) -> None:
        """A commit was answered: what is in the store now is ``rows``."""
        for change, answer in zip(changes, answers, strict=True):
            record, row = self.records[change.id], rows[change.id]
            if answer.verdict is not Verdict.APPLIED:
                self._log("{} commits {}: {}", writer, change.id, answer.verdict)
                demand(
                    row.revision == record.row.revision, 4, "a change that was not applied changed the row"
                )
                continue
            self._applied(writer, change, record, row)
            for child in change.children:
                self.inserted(NewExecution(child))

    def _applied(self, writer: str, change: Change, record: Record, row: Execution) -> None:
        before, record.row = record.row, row
        self._log(
            "{} commits {}: {}{}",
            writer,
            change.id,
            Story(before, row),
            " and lets go" if change.release else "",
        )
        demand(row.revision == before.revision + 1, 4, "a revision was passed over")
        if change.owned:
            fenced = record.owner == writer and change.after.token == before.token
            demand(fenced, 4, f"{writer} wrote to {change.id}, whose lease {record.owner} has")
        else:
            outcomes.from_outside(before, row)
        if change.release:
            record.lease_until = None
        outcomes.check(record, before, row, self._ledger)
        outcomes.note(record, before, row)

    def claimed(self, request: ClaimRequest, answer: Claimed) -> None:
        """Leases were taken."""
        for x in answer.executions:
            record = self.records[x.id]
            free = record.lease_until is None or record.lease_until <= self._timeline.now
            demand(free, 4, f"{request.owner} claims {x.id}, whose lease {record.owner} still has")
            demand(x.token == record.row.token + 1, 4, "a claim must raise the token by one")
            record.taken_over(x, request.owner, self._timeline.now + request.lease)
            self._log("{} claims {}", request.owner, x.id)

    def renewed(self, owner: str, leases: Sequence[Lease], answers: Sequence[Renewed], lease: int) -> None:
        """Leases were prolonged, those that are still held."""
        for asked, answer in zip(leases, answers, strict=True):
            record = self.records[asked.id]
            if answer.held:
                demand(
                    record.owner == owner and asked.token == record.row.token, 4, "a lost lease was renewed"
                )
                record.lease_until = self._timeline.now + lease
            else:
                self._log("{} has lost {}", owner, asked.id)

    def released(self, leases: Sequence[Lease]) -> None:
        """Leases were given up, those that were still held."""
        for lease in leases:
            record = self.records[lease.id]
            if record.row.token == lease.token:
                record.lease_until = None

    def told(self, worker: str, transitions: Transitions) -> None:
        """Observers are told of transitions: each was committed, and is told once."""
        for before, after in transitions:
            record = self.records[after.id]
            demand(after.revision <= record.row.revision, 15, f"{worker} tells of what was not committed")
            demand(after.revision not in record.told, 15, f"{worker} tells of {after.id} twice")
            demand(before.revision == after.revision - 1, 15, f"{worker} tells of a leap")
            record.told.add(after.revision)

    # --- What is called -----------------------------------------------------------------------------

    def called(self, entry: Entry) -> None:
        """User code is called."""
        call = entry.call
        self._log("{} calls {}", entry.worker, call)
        record = self.records[call.id]
        calls.check(record, entry, self._ledger, self._timeline.now)
        self._ledger.enter(entry)

    # --- The end ------------------------------------------------------------------------------------

    def unrested(self) -> list[Execution]:
        """Give the executions that are neither over nor in need of a person."""
        rows = [record.row for record in self.records.values()]
        return [x for x in rows if not (x.state.terminal or x.stalled)]

    def sum_up(self) -> None:
        """Judge what has come of everything."""
        for record in self.records.values():
            outcomes.check_end(record, self._ledger)


class Story:
    """What a change did, in words; made only when it is read."""

    def __init__(self, before: Execution, after: Execution) -> None:
        """Compare two snapshots."""
        self._before = before
        self._after = after

    def __str__(self) -> str:
        before, after = self._before, self._after
        told = [f"r{after.revision}"]
        if before.state is not after.state:
            told.append(f"{before.state} -> {after.state}")
        if after.blocked is not None and after.blocked is not before.blocked:
            told.append(f"({after.blocked.reason})")
        moved = (step for step in after.steps.values() if step is not before.steps.get(step.name))
        told += [_of_step(step) for step in moved]
        if before.signals is not after.signals:
            told.append(f"signals {[signal.number for signal in after.signals]}")
        return ", ".join(told)


def _of_step(step: Step) -> str:
    told = f"{step.name} {step.state} #{step.run.attempts}"
    if step.undo.attempts:
        told += f" undo #{step.undo.attempts}"
    if step.run.unknown:
        told += "?"
    if step.early is not None:
        told += " early"
    return told
