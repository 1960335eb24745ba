"""One run: a store, faults, a mixed load for some seconds; then peace, and the verdict."""

import os
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import active_workflow as aw
from tests.chaos.faults import lenience, run_fault
from tests.chaos.judge import Kind, Record, Verdict, Violation, judge
from tests.chaos.scene import PartnerProcess, Scene, make_clocks
from tests.chaos.sites import SITES

OPEN = 60
"""About so many executions are under way at a time."""
_DEADLY_STEPS = frozenset({"deadly", "slip", "jump"})
PATIENCE = 90.0
"""Seconds that all of them have to end in, once the faults are over."""


@dataclass
class Result:
    """What one run came to."""

    store: str
    fault: str
    seed: int
    seconds: float
    executions: int
    injected: int
    repeats: int
    given_up: int
    twice: int
    lost: int
    wrong: int
    violations: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not self.violations

    def __str__(self) -> str:
        counts = (
            f"{self.executions} executions, {self.injected} faults in {self.seconds:g} s, "
            f"{self.repeats} repeats, {self.given_up} given up, "
            f"{self.twice} recorded twice, {self.lost} lost, {self.wrong} wrong"
        )
        told = "".join(f"\n  {violation}" for violation in self.violations[:20])
        return f"{self.store} under {self.fault} (seed {self.seed}): {counts}{told}"


def run(store: str, faults: Sequence[str], *, seconds: float, seed: int) -> Result:
    """Let faults befall a store for some seconds, and judge what came of it."""
    folder = Path(tempfile.mkdtemp(prefix="active-workflow-chaos-"))
    with ExitStack() as stack:
        site = SITES[store](folder, make_clocks(folder), faults)
        stack.callback(site.close)
        result = Run(site, folder, tuple(faults), seed, stack).play(seconds)
    if result.clean:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        result.violations.append(f"see {folder}: its ledger and the logs of its processes are kept")
    return result


class Run:
    """A run, from the first start to the verdict."""

    def __init__(self, site: Any, folder: Path, faults: tuple[str, ...], seed: int, stack: ExitStack) -> None:
        self._site = site
        self._faults = faults
        self._seed = seed
        self._chance = random.Random(seed)
        self._flows = _flows_for(folder)
        self._engine = stack.enter_context(aw.Engine(site.direct, embedded=False))
        self._engine.store.prepare()
        self._scene = Scene(site, folder)
        stack.callback(self._scene.workers.close)
        self._partner = PartnerProcess(site, folder, seed)
        stack.callback(self._partner.close)
        self._started: dict[str, bool] = {}
        self._unfinished: set[str] = set()
        self._resolved: dict[str, list[tuple[str, bool]]] = {}
        self._keys = 0
        self._violations: list[Violation] = []

    def play(self, seconds: float) -> Result:
        self._scene.workers.until_all_work()
        began = time.monotonic()
        threads = [
            threading.Thread(target=self._inject, args=(name, random.Random(f"{self._seed} {name}")))
            for name in self._faults
        ]
        if "kill" in self._faults:
            self._start(self._flows.DEADLY)
        for thread in threads:
            thread.start()
        while time.monotonic() < began + seconds:
            self._turn()
        self._scene.over.set()
        for thread in threads:
            thread.join()
        faulty = time.monotonic() - began
        self._come_to_rest()
        self._end()
        return self._result(faulty)

    def _inject(self, name: str, chance: random.Random) -> None:
        try:
            run_fault(name, self._scene, chance)
        except Exception as error:  # noqa: BLE001 - a fault that could not be injected proves nothing
            self._violations.append(Violation(Kind.WRONG, f"the fault {name} failed: {error!r}"))

    # --- The load -------------------------------------------------------------------------------

    def _turn(self) -> None:
        """Replace what is gone, start some more, and look what is over."""
        self._scene.workers.keep_up()
        if len(self._unfinished) < OPEN:
            self._start(self._flows.LOAD)
        self._look()
        time.sleep(0.1)

    def _start(self, flows: Sequence[type[aw.Workflow[Any]]]) -> None:
        """Start one of each; a start of unknown outcome is repeated, with its key."""
        for flow in flows:
            self._keys += 1
            fails = self._chance.random() < 0.15
            while True:
                try:
                    x = self._engine.start(flow, {"fails": fails}, idempotency_key=f"key {self._keys}")
                    break
                except aw.StoreUnavailable:
                    self._scene.workers.keep_up()
                    time.sleep(0.1)
            self._started[x.id] = fails
            self._unfinished.add(x.id)

    def _look(self) -> None:
        try:
            states = self._engine.store.states(list(self._unfinished))
        except aw.StoreUnavailable:
            return
        self._unfinished -= {id for id, state in states.items() if state.terminal}

    # --- The end --------------------------------------------------------------------------------

    def _come_to_rest(self) -> None:
        """Wait until nothing moves by itself any more; a person says what became of steps in doubt."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            self._scene.workers.keep_up()
            self._look()
            moving = [id for id in self._unfinished if not self._rests(id)]
            if not moving:
                return
            time.sleep(0.1)

    def _rests(self, id: str) -> bool:
        """Whether it is over, or blocked past its pivot for good."""
        try:
            x = self._engine.get(id)
            doubtful = [step.name for step in x.steps.values() if step.state == "in_doubt"]
            if doubtful and x.state in {"blocked", "compensation_failed"}:
                for step in doubtful:
                    self._resolve(id, step)
                return False
            return x.state.terminal or x.state == "blocked"
        except aw.StoreUnavailable:
            return False

    def _resolve(self, id: str, step: str) -> None:
        """Look into the ledger, and say what became of a step in doubt."""
        mine = [e for e in self._scene.ledger.entries() if (e.execution, e.step) == (id, step)]
        ends = [entry for entry in mine if entry.phase == "end"]
        self._resolved.setdefault(id, []).append((step, bool(ends)))
        if ends:
            self._engine.resolve(id, step, landed=True, result=ends[-1].seen)
        else:
            self._engine.resolve(id, step, landed=False)

    def _end(self) -> None:
        """Have everybody end, in order."""
        code = self._partner.stop()
        if code:
            told = (self._scene.folder / "partner.log").read_text(errors="replace")[-1500:]
            self._violations.append(Violation(Kind.WRONG, f"the partner ended with {code}: {told}"))
        codes = self._scene.workers.stop()
        if set(codes) != {0}:
            self._violations.append(Violation(Kind.WRONG, f"workers ended with {codes} when asked to end"))

    # --- The verdict ----------------------------------------------------------------------------

    def _result(self, seconds: float) -> Result:
        entries = list(self._scene.ledger.entries())
        verdict = judge(entries, self._records(), lenience(frozenset(self._faults)))
        verdict.violations += [*self._violations, *self._workers_that_died(entries)]
        if self._faults != ("calm",) and not all(self._scene.counts[name] for name in self._faults):
            told = f"not every fault was injected: {dict(self._scene.counts)}"
            verdict.violations.append(Violation(Kind.WRONG, told))
        return self._summed_up(verdict, seconds)

    def _records(self) -> list[Record]:
        records, found = [], list(self._engine.find())
        children: dict[str, int] = {}
        for x in found:
            if x.parent_id is not None:
                children[x.parent_id] = children.get(x.parent_id, 0) + 1
        ids = {x.id for x in found}
        for id in self._started.keys() - ids:
            self._violations.append(Violation(Kind.LOST, f"{id} was started and is nowhere"))
        for x in found:
            if x.parent_id is None and x.id not in self._started:
                self._violations.append(Violation(Kind.TWICE, f"{x.id} was started by nobody, or twice"))
            snapshot = self._engine.load(x.id)
            records.append(
                Record(
                    snapshot,
                    self._started.get(x.id, False),
                    children.get(x.id, 0),
                    tuple(self._resolved.get(x.id, ())),
                )
            )
        return records

    def _workers_that_died(self, entries: Sequence[Any]) -> list[Violation]:
        victims = {entry.pid for entry in entries if entry.step in _DEADLY_STEPS}
        return [
            Violation(Kind.WRONG, f"a worker ended by itself with {w.process.returncode}: {w.log()[-800:]}")
            for w in self._scene.workers.died
            if w.works and w.process.pid not in victims  # one that finds no server at its start may end
        ]

    def _summed_up(self, verdict: Verdict, seconds: float) -> Result:
        return Result(
            store=self._site.name,
            fault="+".join(self._faults),
            seed=self._seed,
            seconds=round(seconds, 1),
            executions=verdict.executions,
            injected=sum(self._scene.counts.values()),
            repeats=verdict.repeats,
            given_up=verdict.given_up,
            twice=verdict.count(Kind.TWICE),
            lost=verdict.count(Kind.LOST),
            wrong=verdict.count(Kind.WRONG),
            violations=[str(violation) for violation in verdict.violations],
        )


def _flows_for(folder: Path) -> Any:
    """Give the workflows, as this process sees them; it runs none of them."""
    os.environ.setdefault("CHAOS_LEDGER", str(folder / "ledger"))
    from tests.chaos import flows  # noqa: PLC0415 - it asks the environment where its ledger is

    return flows
