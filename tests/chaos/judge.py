"""The verdict: what really happened (the ledger) against what the store says in the end.

Everything is told by the files that steps and the partner wrote; the store is asked only for what it has
recorded once all is over, never for what it believes to have happened.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from active_workflow.core.plan import Plan, StepKind, StepPlan
from active_workflow.core.snapshot import Execution, Step
from tests.ledger import Entry

Line = tuple[int, Entry]
PARTNERS_ERROR = "Lost"
"""The type of the error with which the partner fails what it was asked for."""
MOST_VICTIMS = 8
"""So many workers at most may a step kill: two before it is a suspect, five as one, and one for a fault."""


class Kind(StrEnum):
    """What a violation comes to."""

    LOST = "lost"
    """Work that was accepted, or an effect, is forgotten."""
    TWICE = "recorded twice"
    """An outcome was recorded again, or what was recorded ran again."""
    WRONG = "wrong"
    """Anything else that may not be: order, undo, a state, a worker that ended by itself."""


@dataclass(frozen=True)
class Violation:
    kind: Kind
    told: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.told}"


@dataclass(frozen=True)
class Lenience:
    """What the faults of a run make legitimate.

    Attributes:
        late: A call may begin after its lease was lost: its process stood still, or the store's clock jumped.
        shared: Two processes may be inside one step at once, for a lease may end while its worker lives on.
    """

    late: bool = False
    shared: bool = False


@dataclass(frozen=True)
class Record:
    """What the store has of one execution in the end.

    Attributes:
        snapshot: All of it.
        fails: Whether it was made to fail.
        children: How many executions it has started.
        resolved: What a person said of steps in doubt: which step, and whether it had landed.
    """

    snapshot: Execution
    fails: bool = False
    children: int = 0
    resolved: tuple[tuple[str, bool], ...] = ()

    @property
    def values(self) -> Mapping[str, str]:
        """The tokens that ctx has, by key."""
        texts = ((key, text.strip('"')) for key, text in self.snapshot.ctx.items())
        return {key: text for key, text in texts if text.startswith("tok-")}


@dataclass
class Verdict:
    """What was found.

    Attributes:
        executions: How many were judged.
        repeats: Calls beyond the one that was recorded: what "at least once" allows.
        given_up: Executions that failed because a step of theirs lost its worker too often.
        violations: What may not be.
    """

    executions: int = 0
    repeats: int = 0
    given_up: int = 0
    violations: list[Violation] = field(default_factory=list)

    def count(self, kind: Kind) -> int:
        return sum(violation.kind is kind for violation in self.violations)


def judge(entries: Iterable[Entry], records: Sequence[Record], lenience: Lenience) -> Verdict:
    """Judge a run that is over."""
    stories: dict[str, list[Line]] = defaultdict(list)
    for number, entry in enumerate(entries):
        stories[entry.execution].append((number, entry))
    verdict = Verdict(executions=len(records))
    for record in records:
        case = Case(record, stories.pop(record.snapshot.id, []), lenience)
        verdict.repeats += case.repeats()
        verdict.given_up += case.given_up
        verdict.violations += case.violations()
    for id in stories:
        verdict.violations.append(Violation(Kind.LOST, f"{id} is in the ledger and not in the store"))
    return verdict


class Case:
    """One execution."""

    def __init__(self, record: Record, story: Sequence[Line], lenience: Lenience) -> None:
        self.record = record
        self.x = record.snapshot
        self.plan: Plan = self.x.plan
        self.story = story
        self.lenience = lenience
        self.by_step: dict[str, list[Line]] = defaultdict(list)
        for line in story:
            self.by_step[line[1].step].append(line)

    def violations(self) -> Iterator[Violation]:
        checks = (
            self._state(),
            self._one_value(),
            self._done_by_somebody(),
            self._attempts(),
            self._order(),
            self._nothing_forgotten(),
            self._undo(),
            self._once(),
            self._outside(),
            self._aside(),
        )
        for kind, told in (found for check in checks for found in check):
            yield Violation(kind, f"{self.x.id} ({self.plan.workflow}, {self.x.state}): {told}")

    def repeats(self) -> int:
        """Count the calls that were made more often than they would have been without a fault."""
        begins = self._lines("begin", "undo-begin")
        ends = self._lines("raise")
        once = {(entry.step, entry.phase) for _, entry in begins}
        return max(0, len(begins) - len(ends) - len(once))

    @property
    def given_up(self) -> bool:
        return self.x.ending is not None and self.x.ending.error.type == "Interrupted"

    # --- How it ended ---------------------------------------------------------------------------

    def _state(self) -> Iterator[tuple[Kind, str]]:
        answers = [entry.phase for _, entry in self.by_step["cancel"]]
        cancelled = "yes" in answers
        allowed = {"cancelled"} if cancelled else self._ends_as()
        if "dunno" in answers and not cancelled:
            allowed |= {"cancelled"}
        if self.given_up and not cancelled and self._struck():
            allowed |= {"failed"}
        if self.x.state not in allowed:
            ended = self.x.state.terminal
            kind = Kind.WRONG if ended else Kind.LOST
            yield kind, f"it may only be {' or '.join(sorted(allowed))}; cancel was answered {answers}"

    def _ends_as(self) -> set[str]:
        if self.plan.workflow in {"Poison", "Chasm"}:
            return {"failed"}
        if self.plan.workflow == "Abyss":
            return {"completed"}
        failed_outside = any("delivery_failed" in e.seen for _, e in self.by_step["delivery"])
        if self.plan.workflow == "Outside":
            return {"failed" if failed_outside else "completed"}
        if not self.record.fails or self.plan.workflow == "Once":
            return {"completed"}
        return {"blocked"} if self.plan.pivot else {"failed"}

    def _struck(self) -> bool:
        """Whether the step that gave up really was begun as often as that takes."""
        step = self.x.ending.step if self.x.ending else None
        if step is None:
            return False
        begins = [e for _, e in self.by_step[step] if e.phase == "begin"]
        return len(begins) >= self.plan.by_name[step].max_interruptions

    # --- What was recorded ----------------------------------------------------------------------

    def _one_value(self) -> Iterator[tuple[Kind, str]]:
        """Whoever looked at an outcome saw the same one: it was recorded once."""
        seen: dict[str, dict[str, str]] = defaultdict(dict)
        for number, entry in self._lines("begin", "undo-begin"):
            for key, token in entry.seen.items():
                seen[key].setdefault(token, f"line {number}")
        for key, token in self.record.values.items():
            seen[key].setdefault(token, "the store")
        for key, tokens in seen.items():
            if len(tokens) > 1:
                yield Kind.TWICE, f"{key} had {len(tokens)} values: {tokens}"
        for number, entry in self._lines("begin", "undo-begin"):
            for key in entry.seen:
                if key not in self.record.values:
                    yield Kind.LOST, f"{key} was recorded at line {number} and is not in the end"

    def _done_by_somebody(self) -> Iterator[tuple[Kind, str]]:
        """What is recorded was done, or said."""
        done = {(key, token) for _, entry in self._lines("end", "say") for key, token in entry.seen.items()}
        for key, token in self.record.values.items():
            inherited = key in self.x.input  # a detached step has a copy of its parent's ctx
            if (
                not inherited
                and (key, token) not in done
                and not (key.startswith("word_") and self._was_said(token))
            ):
                yield Kind.WRONG, f"{key} is recorded as {token}, which nobody did"

    def _was_said(self, token: str) -> bool:
        return any(token in entry.seen.values() for _, entry in self._lines("say"))

    def _attempts(self) -> Iterator[tuple[Kind, str]]:
        """No attempt is run twice, none out of turn, none after the one that was recorded."""
        for name, lines in self.by_step.items():
            if name not in self.plan.by_name:
                continue
            step = self.x.step(name)
            for phase, recorded in (("begin", step.run.attempts), ("undo-begin", step.undo.attempts)):
                numbers = [entry.attempt for _, entry in lines if entry.phase == phase]
                if len(set(numbers)) < len(numbers):
                    yield Kind.TWICE, f"{name}: an attempt was run twice ({phase}s {numbers})"
                elif numbers != sorted(numbers) and not self.lenience.late:
                    yield Kind.WRONG, f"{name}: attempts out of turn ({phase}s {numbers})"
                if numbers and max(numbers) > recorded:
                    yield Kind.TWICE, f"{name}: ran again once it was recorded ({phase}s {numbers})"

    def _order(self) -> Iterator[tuple[Kind, str]]:
        """Nothing begins before what comes before it is recorded, nor again once something followed."""
        followed: dict[str, int] = {}
        for number, entry in self._lines("begin"):
            plan = self.plan.by_name[entry.step]
            for before in plan.after:
                if not self._sees(entry, before):
                    yield Kind.WRONG, f"{entry.step} began at line {number} before {before} was recorded"
            for key in entry.seen:
                followed.setdefault(key, number)
            at = followed.get(self._own_key(entry.step))
            if at is not None and number > at and not self.lenience.late:
                yield Kind.TWICE, f"{entry.step} ran again at line {number}: line {at} had seen its outcome"

    def _sees(self, entry: Entry, before: str) -> bool:
        plan = self.plan.by_name[before]
        if plan.kind in {StepKind.SLEEP, StepKind.DETACHED}:
            return all(self._sees(entry, earlier) for earlier in plan.after)
        return before in entry.seen

    def _own_key(self, step: str) -> str:
        external = self.plan.by_name[step].kind is StepKind.EXTERNAL
        return f"{step}_call" if external else step

    def _nothing_forgotten(self) -> Iterator[tuple[Kind, str]]:
        """What is completed was done; of what goes forward, all that was done is recorded."""
        if self.x.state != "completed":
            return
        for plan in self.plan.steps:
            state = self.x.step(plan.name).state
            if state != "completed":
                yield Kind.LOST, f"{plan.name} is {state}"
            elif plan.kind.calls and not {self._own_key(plan.name), plan.name} & self.record.values.keys():
                yield Kind.LOST, f"{plan.name} is completed without the outcome of any call"

    # --- Undo -----------------------------------------------------------------------------------

    def _undo(self) -> Iterator[tuple[Kind, str]]:
        undone = self._lines("undo-begin")
        if self.x.ending is None:
            if undone:
                yield Kind.WRONG, f"{undone[0][1].step} was undone though nothing failed"
            return
        yield from self._all_undone()
        yield from self._undone_in_order(undone)
        for number, entry in undone:
            key = self._own_key(entry.step)  # missing where a partner had finished before its call broke
            if key not in entry.seen and (key in self.record.values or key == entry.step):
                yield Kind.WRONG, f"the undo of {entry.step} at line {number} was not told what to undo"
        if undone and not self.lenience.late:
            for number, entry in self._lines("begin"):
                if number > undone[0][0]:
                    yield Kind.WRONG, f"{entry.step} began at line {number}, after undo had begun"

    def _all_undone(self) -> Iterator[tuple[Kind, str]]:
        for plan in self.plan.steps:
            if not plan.compensates or self._taken_for_undone(plan):
                continue
            effects = {entry.attempt for _, entry in self.by_step[plan.name] if entry.phase == "end"}
            begun = [
                number
                for number, entry in self.by_step[plan.name]
                if entry.phase == "begin" and entry.attempt in effects
            ]
            ends = [number for number, entry in self.by_step[plan.name] if entry.phase == "undo-end"]
            if begun and not ends:
                yield Kind.LOST, f"what {plan.name} did is not undone"
            elif begun and max(ends) < max(begun) and not self.lenience.late:
                yield Kind.LOST, f"what {plan.name} did after its undo is not undone"
            if ends and self.x.step(plan.name).state != "compensated":
                yield Kind.LOST, f"{plan.name} was undone and is {self.x.step(plan.name).state}"

    def _taken_for_undone(self, plan: StepPlan) -> bool:
        """Whether user code said that nothing had landed, which was not so: the engine goes by its word.

        ``verify`` may look while another process still is at it; a step that is called once more to learn
        what it did and raises (a service that honours the key would not) says that it did nothing; so does
        the partner who fails what it was asked for.
        """
        if plan.kind is StepKind.EXTERNAL and self._failed_by_partner(self.x.step(plan.name)):
            return True
        phases = [entry.phase for _, entry in self.by_step[plan.name]]
        last_attempt = max((entry.attempt for _, entry in self.by_step[plan.name]), default=0)
        raised = any(e.phase == "raise" and e.attempt == last_attempt for _, e in self.by_step[plan.name])
        return (raised or (plan.verifies and self.lenience.shared)) and "undo-begin" not in phases

    def _failed_by_partner(self, step: Step) -> bool:
        """Beside a cancel, a step that he failed while its call ran is `cancelled`, with his error."""
        said = step.run.errors and step.run.errors[-1].error.type == PARTNERS_ERROR
        return step.state == "failed" or (step.state == "cancelled" and bool(said))

    def _undone_in_order(self, undone: Sequence[Line]) -> Iterator[tuple[Kind, str]]:
        """The one recorded last is undone first; one in doubt holds up no other until a person has spoken."""
        by_hand = {step for step, _ in self.record.resolved}
        order = [(self.x.step(entry.step).seq or 0) for _, entry in undone if entry.step not in by_hand]
        if order != sorted(order, reverse=True) and not self.lenience.late:
            yield Kind.WRONG, f"undone out of order: {[entry.step for _, entry in undone]}"

    # --- Promises of single kinds ---------------------------------------------------------------

    def _once(self) -> Iterator[tuple[Kind, str]]:
        """What must not be repeated is not: by itself never, and by ``verify`` only if nothing had landed."""
        for plan in self.plan.steps:
            lines = [entry for _, entry in self.by_step[plan.name]]
            begins = sum(entry.phase == "begin" for entry in lines)
            ends = sum(entry.phase == "end" for entry in lines)
            again = self.record.resolved.count((plan.name, False))
            if plan.at_most_once and begins > 1 + again:
                yield Kind.TWICE, f"{plan.name} may run once and was begun {begins} times"
            asked = Counter(entry.attempt for entry in lines if entry.phase == "ask")
            asks = max(asked.values(), default=0)  # each attempt of unknown outcome is asked about
            if max(asks, begins if plan.name == "deadly" else 0) > MOST_VICTIMS:
                yield Kind.WRONG, f"{plan.name} killed {max(asks, begins)} workers before it was given up"
            if plan.verifies and ends > 1 and not self.lenience.shared:
                yield Kind.TWICE, f"{plan.name} can be looked for and was done {ends} times"

    def _outside(self) -> Iterator[tuple[Kind, str]]:
        """What was said from outside counts once; what was answered with yes counts."""
        yes: dict[str, int] = defaultdict(int)
        for _, entry in self._lines("yes"):
            for what in entry.seen:
                yes[what] += 1
        for what, times in yes.items():
            if what != "cancel" and times > 1:
                yield Kind.TWICE, f"{what} was said twice and answered with yes {times} times"
        words = [self.record.values[k] for k in ("word_1", "word_2", "word_3") if k in self.record.values]
        if words != [f"tok-word-{n + 1}" for n in range(len(words))]:
            yield Kind.WRONG, f"signals were taken as {words}"
        goes_on = self.x.ending is None
        for what in yes.keys() & {"delivery", "word_1", "word_2", "word_3"}:
            if goes_on and what not in self.record.values:
                yield Kind.LOST, f"{what} was answered with yes and is nowhere"

    def _aside(self) -> Iterator[tuple[Kind, str]]:
        """A detached step is an execution of its own, and one only."""
        detached = [plan.name for plan in self.plan.steps if plan.kind is StepKind.DETACHED]
        begun = sum(self.x.step(name).state == "completed" for name in detached)
        if self.record.children != begun:
            kind = Kind.LOST if self.record.children < begun else Kind.TWICE
            yield kind, f"{begun} detached steps and {self.record.children} executions of them"

    def _lines(self, *phases: str) -> list[Line]:
        return [line for line in self.story if line[1].phase in phases]
