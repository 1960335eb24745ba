"""A whole cluster in one thread: workers that fail, users, partners, operators, one store, one seed."""

from functools import partial

from active_workflow.core.commands import RunStep
from active_workflow.core.events import Started
from active_workflow.core.machine import apply, begun
from active_workflow.core.ready import due_at, next_commands
from active_workflow.core.snapshot import Execution
from active_workflow.errors import StoreUnavailable
from active_workflow.store.base import NewExecution
from active_workflow.testing.simulation.broken import Broken, demand
from active_workflow.testing.simulation.callers import Callers
from active_workflow.testing.simulation.faulty import FaultyStore, Killed
from active_workflow.testing.simulation.plans import DIFFERENT_PLANS, numbered_plan
from active_workflow.testing.simulation.process import Process
from active_workflow.testing.simulation.tally import Tally
from active_workflow.testing.simulation.usercode import UserCode
from active_workflow.testing.simulation.world import LEASE, SECOND, START, World

TROUBLE = 30 * SECOND
"""So long things go wrong."""
PATIENCE = 400 * SECOND
"""So long after that, at most, until every execution is at rest."""
MOST_MOVES = 15_000


class Cluster:
    """One run of one seed."""

    def __init__(self, seed: int, *, traced: bool = False, tally: Tally | None = None) -> None:
        """Set the stage."""
        self.world = world = World(seed, traced=traced, tally=tally)
        self._code = UserCode(world)
        self._callers = Callers(world, self._hint)
        self._code.initiated = self._callers.initiated
        self._plague = world.chance(0.1)  # one process, a step that kills it, and slow bystanders
        if self._plague:
            self._code.shortest = SECOND
            world.slots = (4,)
            self._code.deaths = world.faults.rate = 0.0
        self._hosts: list[Process | None] = [None] * (
            1 if self._plague else world.random.choice((1, 2, 2, 3))
        )
        self._generations = 0
        self._still = 0
        self._hints = world.random.choice((0.0, 0.5, 1.0))
        for place in range(len(self._hosts)):
            self._boot(place)
        for number in range(5 if self._plague else world.random.choice((1, 2, 3, 5))):
            at = START + world.random.randrange(TROUBLE // 10 if self._plague else TROUBLE // 2)
            world.timeline.at(at, partial(self._start, f"x{number}"))
        for _ in range(0 if self._plague else world.random.choice((0, 2, 5, 10))):
            world.timeline.at(START + world.random.randrange(TROUBLE), self._strike)
        world.timeline.at(START + TROUBLE, self._calm)

    def run(self) -> None:
        """Let it happen; raise Broken where an invariant does not hold."""
        timeline = self.world.timeline
        while self._still < STILL:
            demand(timeline.step(), 1, "nothing will ever happen again")
            late = timeline.now > START + TROUBLE + PATIENCE or timeline.moves > MOST_MOVES
            if late:
                left = [f"{x.id} is {x.state}" for x in self.world.judge.unrested()]
                raise Broken(f"INV1: not at rest after {timeline.moves} moves: {', '.join(left)}")
        self.world.judge.sum_up()
        for record in self.world.judge.records.values():
            self.world.count("end", record.row.state)
        self._poison_alone_fails()

    # --- Processes ----------------------------------------------------------------------------------

    def _boot(self, place: int) -> None:
        world = self.world
        self._generations += 1
        limited = place > 0 and not world.quiet and world.chance(0.2)
        queues = frozenset({world.random.choice(("default", "other"))}) if limited else None
        process = Process(
            world, self._code, f"w{place}.{self._generations}", queues, lambda: self._reboot(place)
        )
        if not world.quiet and world.chance(0.1):
            process.lacks = frozenset(record.row.plan.hash for record in world.judge.records.values())
            world.count("blow", "has other code")
        if limited:
            world.count("blow", "has one queue")
        self._hosts[place] = process

    def _reboot(self, place: int) -> None:
        self._hosts[place] = None
        longest = LEASE if self.world.quiet else 3 * LEASE
        self.world.timeline.after(self.world.up_to(longest), lambda: self._boot(place))

    def _strike(self) -> None:
        """Something befalls a process."""
        world = self.world
        process = world.random.choice(self._hosts)
        if process is None:
            return
        duration = world.random.randrange(LEASE // 2, 5 * LEASE // 2)
        blows = (
            process.kill,
            process.drain,
            partial(process.freeze, duration),
            partial(process.starve, duration),
        )
        number = world.random.randrange(len(blows))
        world.count("blow", ("kill", "drain", "freeze", "starve")[number])
        blows[number]()

    def _hint(self, id: str) -> None:
        for process in self._hosts:
            if process is not None and self.world.chance(self._hints):
                process.tell(partial(self._look, process, id))
            elif process is not None:
                self.world.count("blow", "is not told")

    def _look(self, process: Process, id: str) -> None:
        process.scheduler.touched(id)
        process.scheduler.hint()

    # --- Executions ---------------------------------------------------------------------------------

    def _start(self, id: str) -> None:
        """A user starts an execution in some process, which takes it over at once, or not."""
        world = self.world
        plan = numbered_plan(world.random.randrange(DIFFERENT_PLANS))
        process = world.random.choice(self._hosts)
        now = world.timeline.now
        run_at = now + world.random.choice((0, 0, 0, 3 * SECOND))
        x = begun(Execution(id, plan, {}, {}, "", now, run_at, revision=1), now)
        if process is not None and world.chance(0.5) and run_at <= now:
            x = _first_steps_started(x.evolve(token=1), now)
            item = NewExecution(x, lease_owner=process.name, lease=LEASE, due_at=due_at(x))
        else:
            process, item = None, NewExecution(x, due_at=due_at(x))
        if not self._code.poisoned and (self._plague or world.chance(0.06)):
            called = [step.name for step in plan.steps if step.kind.calls]
            if called:
                self._code.poison(id, world.random.choice(called))
        self._callers.accompany(x)
        self._insert(item, process, LEASE + (now if process is None else process.now()))

    def _insert(self, item: NewExecution, process: Process | None, good_until: int) -> None:
        world = self.world
        try:
            FaultyStore(world, process or self._callers).insert([item])
        except (StoreUnavailable, Killed):
            # Its caller does not know, and tries again; nobody then owns it here.
            world.timeline.after(SECOND, lambda: self._insert(item, None, 0))
            return
        if process is not None and process.alive:
            process.tell(lambda: process.scheduler.adopt(item.execution, good_until, process.now()))

    # --- The calm after the storm -------------------------------------------------------------------

    def _calm(self) -> None:
        world = self.world
        world.log("faults stop")
        world.quiet = True
        world.faults.rate = 0.0
        for process in self._hosts:
            if process is not None and (process.lacks or process.scheduler.settings.queues):
                process.drain()
        self._tend()

    def _tend(self) -> None:
        """Operators look about every few seconds."""
        world = self.world
        for record in list(world.judge.records.values()):
            if not record.row.state.terminal:
                self._callers.tend(record.row)
        at_rest = not world.judge.unrested()
        self._still = self._still + 1 if at_rest else 0
        world.timeline.after(4 * SECOND, self._tend)

    def _poison_alone_fails(self) -> None:
        """What shares a process with a killer pays nothing for it, where nothing else kills processes."""
        if not self._plague:
            return
        poisoned = {id for id, _ in self._code.poisoned}
        for record in self.world.judge.records.values():
            ending = record.row.ending
            if record.row.id not in poisoned and ending is not None:
                demand(ending.error.type != "Interrupted", 12, f"{record.row.id} failed for another's poison")


STILL = 4
"""So many rounds nothing must have moved before it counts as rest."""


def _first_steps_started(x: Execution, now: int) -> Execution:
    for command in next_commands(x, now):
        if isinstance(command, RunStep) and not x.plan.by_name[command.step].starts_alone:
            x = apply(x, Started(command.step), now)
    return x
