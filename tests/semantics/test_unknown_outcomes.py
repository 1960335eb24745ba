"""Attempts whose worker was lost: verify, at_most_once, in_doubt, resolve, interruptions."""

import threading

import pytest

import active_workflow as aw

LEASE = "31s"


class Losing:
    """Runs executions in a thread whose worker loses its lease while a step is at the gate.

    The clock passes the lease's end, so whoever claims next finds the attempt interrupted; the thread goes on
    as a worker does that was only slow, once the gate is opened.
    """

    def __init__(self, engine, gate):
        self.engine = engine
        self.gate = gate
        self.thread = None

    def __call__(self):
        self.thread = threading.Thread(target=self.engine.run_until_idle)
        self.thread.start()
        self.gate.wait_entered()
        self.engine.clock.advance(LEASE)

    def wakes_up(self):
        """Let the lost worker go on, and wait until it has tried to record what it knows."""
        self.gate.open()
        self.thread.join(20)


@pytest.fixture
def lose(engine, gate):
    losing = Losing(engine, gate)
    yield losing
    losing.wakes_up()


def charge_flow(log, gate, *, first_only=True, fails=False, **options):
    """One step that is held at the gate in its first attempt, and has an undo; then one that may fail."""

    class Flow(aw.Workflow):
        before = aw.task(lambda ctx: {"before": 1}, compensate=lambda ctx, result: log.append("undo before"))

        @aw.step(**options)
        def charge(self):
            log.append(("charge", self.ctx.attempt, self.ctx.step_key == f"{self.ctx.execution_id}:charge"))
            if self.ctx.attempt == 1 or not first_only:
                gate.enter()
            return {"charge": self.ctx.attempt}

        if options.get("compensate") is None:

            @charge.compensate
            def refund(self, result):
                log.append(("refund", result))

        @aw.step
        def after(self):
            if fails:
                raise aw.NonRetryable("no")

    return Flow


def test_it_runs_again_with_the_same_key_and_the_late_worker_changes_nothing(engine, lose, gate, log):
    execution = charge_flow(log, gate).start()
    lose()
    engine.run(execution)

    assert execution.state == "completed"
    assert execution.ctx.charge == 2
    assert execution.steps["charge"].attempts == 2
    assert log == [("charge", 1, True), ("charge", 2, True)]
    lose.wakes_up()
    assert execution.refresh().ctx.charge == 2
    assert execution.state == "completed"


def test_an_interruption_uses_up_none_of_max(engine, lose, gate, log):
    execution = charge_flow(log, gate, retry=None).start()
    lose()

    assert engine.run(execution).state == "completed"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (aw.Landed({"charge": 7}), 7),
        (aw.NOT_LANDED, 2),
        (False, 2),
        (aw.UNKNOWN, 2),
        (None, 2),
    ],
)
def test_verify_is_asked_first(engine, lose, gate, log, *, answer, expected):
    asked = []
    execution = charge_flow(log, gate, verify=lambda ctx: (asked.append(ctx.step_key), answer)[1]).start()
    lose()
    engine.run(execution)

    assert execution.state == "completed"
    assert asked == [f"{execution.id}:charge"]
    assert execution.ctx.charge == expected
    assert len(log) == (1 if expected == 7 else 2)


def test_a_step_that_verify_says_has_landed_is_undone_with_that_result(engine, lose, gate, log):
    execution = charge_flow(log, gate, fails=True, verify=lambda ctx: aw.Landed({"charge": 7})).start()
    lose()

    assert engine.run(execution).state == "failed"
    assert log == [("charge", 1, True), ("refund", {"charge": 7}), "undo before"]


def test_a_verify_that_finds_an_external_job_gives_its_correlation_id_as_the_call_would_have(
    engine, lose, gate
):
    class Export(aw.Workflow):
        @aw.step(external=True, no_undo="an export")
        def export(self):
            gate.enter()
            return {"job": 1, "correlation_id": "never told"}

        @export.verify
        def find(self):
            return aw.Landed({"job": 7, "correlation_id": "job_7"})

    execution = Export.start()
    lose()
    engine.run(execution)
    assert execution.state == "waiting"
    assert (execution.steps["export"].correlation_id, dict(execution.ctx)) == ("job_7", {"job": 7})
    with pytest.raises(aw.CorrelationMismatch):
        engine.complete_step(execution.id, "export", correlation_id="job_6")
    assert engine.complete_step(execution.id, "export", correlation_id="job_7") is True
    assert engine.run(execution).state == "completed"


def test_a_verify_that_raises_is_asked_again_by_the_step_s_policy(engine, lose, gate, log):
    asked = []

    def verify(ctx):
        asked.append(ctx.attempt)
        if len(asked) < 2:
            raise ConnectionError("not now")
        return True

    execution = charge_flow(
        log, gate, verify=verify, retry=aw.Retry(max=3, backoff="fixed", delay="10s")
    ).start()
    lose()
    engine.run(execution)
    assert len(asked) == 1
    assert execution.state == "waiting"
    engine.after("10s", execution)

    assert execution.state == "completed"
    assert asked == [1, 1]
    assert len(log) == 1


def test_at_most_once_is_in_doubt_until_somebody_knows(engine, lose, gate, log):
    execution = charge_flow(log, gate, at_most_once=True).start()
    lose()
    engine.run(execution)

    assert execution.state == "blocked"
    assert execution.steps["charge"].state == "in_doubt"
    assert "charge" in execution.blocked_reason
    assert aw.retry(execution.id) is False  # a step in doubt is not tried again
    engine.after("1h", execution)
    assert log == [("charge", 1, True)]
    assert aw.resolve(execution.id, "charge", landed=True, result={"charge": 7}) is True
    engine.run(execution)

    assert execution.state == "completed"
    assert execution.ctx.charge == 7
    assert len(log) == 1


def test_at_most_once_resolved_as_not_landed_runs_again(engine, lose, gate, log):
    execution = charge_flow(log, gate, at_most_once=True).start()
    lose()
    engine.run(execution)
    assert aw.resolve(execution.id, "charge", landed=False) is True

    assert engine.run(execution).state == "completed"
    assert len(log) == 2


def test_at_most_once_passed_over(engine, lose, gate, log):
    execution = charge_flow(log, gate, at_most_once=True).start()
    lose()
    engine.run(execution)
    assert aw.resolve(execution.id, "charge", skip=True) is True
    engine.run(execution)

    assert execution.state == "completed"
    assert execution.steps["charge"].state == "skipped"


def test_resolve_says_one_thing_of_a_step_that_needs_it(engine, lose, gate, log):
    execution = charge_flow(log, gate, at_most_once=True).start()
    with pytest.raises(aw.IllegalMove):
        aw.resolve(execution.id, "charge", landed=True)
    lose()
    engine.run(execution)
    for said in ({}, {"landed": True, "skip": True}, {"landed": False, "undone": True}):
        with pytest.raises(aw.ConfigurationError):
            aw.resolve(execution.id, "charge", **said)
    with pytest.raises(aw.UnknownStep):
        aw.resolve(execution.id, "charg", landed=True)
    with pytest.raises(aw.IllegalMove):
        aw.resolve(execution.id, "before", landed=True, result=1)
    assert execution.refresh().state == "blocked"


def test_in_doubt_when_cancelled_the_other_undos_go_on(engine, lose, gate, log):
    execution = charge_flow(log, gate, at_most_once=True).start()
    lose()
    engine.run(execution)
    assert execution.cancel() is True
    engine.run(execution)

    assert execution.state == "compensation_failed"
    assert execution.steps["charge"].state == "in_doubt"
    assert log[1:] == ["undo before"]


@pytest.mark.parametrize(("landed", "expected"), [(True, [("refund", {"c": 7})]), (False, [])])
def test_in_doubt_while_undoing_is_resolved(engine, lose, gate, log, *, landed, expected):
    execution = charge_flow(log, gate, at_most_once=True).start()
    lose()
    engine.run(execution)
    execution.cancel()
    engine.run(execution)
    del log[:]
    assert aw.resolve(execution.id, "charge", landed=landed, result={"c": 7} if landed else None) is True
    engine.run(execution)

    assert execution.state == "cancelled"
    assert log == expected


def test_an_unknown_attempt_is_settled_by_running_once_more_before_undo(engine, gate, log):
    execution = charge_flow(log, gate).start()
    thread = threading.Thread(target=engine.run_until_idle)
    thread.start()
    gate.wait_entered()
    assert execution.cancel() is True
    engine.clock.advance(LEASE)
    engine.run(execution)
    gate.open()
    thread.join(20)

    assert execution.refresh().state == "cancelled"
    assert log == [("charge", 1, True), ("charge", 2, True), ("refund", {"charge": 2}), "undo before"]


def test_an_unknown_attempt_that_then_errors_did_not_land(engine, gate, log):
    class Flow(aw.Workflow):
        @aw.step(retry=aw.Retry(max=3, first_delay=0))
        def charge(self):
            log.append(self.ctx.attempt)
            if self.ctx.attempt == 1:
                gate.enter()
            raise ValueError("did not land")

        @charge.compensate
        def refund(self):
            log.append("never")

    execution = Flow.start()
    thread = threading.Thread(target=engine.run_until_idle)
    thread.start()
    gate.wait_entered()
    execution.cancel()
    engine.clock.advance(LEASE)
    engine.run(execution)
    gate.open()
    thread.join(20)

    assert execution.refresh().state == "cancelled"
    assert log == [1, 2]


def test_compensate_on_attempted_undoes_an_unknown_attempt_without_running_it(engine, gate, log):
    execution = charge_flow(log, gate, compensate_on="attempted").start()
    thread = threading.Thread(target=engine.run_until_idle)
    thread.start()
    gate.wait_entered()
    execution.cancel()
    engine.clock.advance(LEASE)
    engine.run(execution)
    gate.open()
    thread.join(20)

    assert execution.refresh().state == "cancelled"
    assert log == [("charge", 1, True), ("refund", None), "undo before"]


def test_an_unknown_attempt_is_settled_by_verify_while_undoing(engine, gate, log):
    execution = charge_flow(log, gate, verify=lambda ctx: aw.Landed({"charge": 9})).start()
    thread = threading.Thread(target=engine.run_until_idle)
    thread.start()
    gate.wait_entered()
    execution.cancel()
    engine.clock.advance(LEASE)
    engine.run(execution)
    gate.open()
    thread.join(20)

    assert execution.refresh().state == "cancelled"
    assert log == [("charge", 1, True), ("refund", {"charge": 9}), "undo before"]


class Dying:
    """Threads that each lose their worker at a gate: one interruption each."""

    def __init__(self, engine):
        self.engine = engine
        self.inside = threading.Semaphore(0)
        self.end = threading.Event()
        self.threads = []

    def step(self):
        self.inside.release()
        self.end.wait(20)

    def lose(self):
        thread = threading.Thread(target=self.engine.run_until_idle)
        thread.start()
        self.threads.append(thread)
        assert self.inside.acquire(timeout=20)
        self.engine.clock.advance(LEASE)

    def over(self):
        self.end.set()
        for thread in self.threads:
            thread.join(20)


@pytest.fixture
def dying(engine):
    made = Dying(engine)
    yield made
    made.over()


def test_a_step_that_loses_its_worker_again_and_again_fails_for_good(engine, dying, log):
    class Flow(aw.Workflow):
        before = aw.task(lambda ctx: {"b": 1}, compensate=lambda ctx, result: log.append("undo before"))
        poison = aw.task(lambda ctx: dying.step(), no_undo="none", retry=aw.Retry(max=50, first_delay=0))

    execution = Flow.start()
    interruptions = 0
    while not execution.refresh().state.terminal and interruptions < 20:
        interruptions += 1
        dying.lose()
        if interruptions == 7:
            break
    engine.run(execution)

    assert interruptions == 7  # two make it a suspect, five more are its own fault
    assert execution.state == "failed"
    assert execution.error.type == "Interrupted"
    assert execution.error.step == "poison"
    assert execution.steps["poison"].attempts == 7
    assert log == ["undo before"]


def test_bystanders_of_such_a_step_are_interrupted_too_and_complete(engine, dying, log):
    class Poison(aw.Workflow):
        poison = aw.task(lambda ctx: dying.step(), no_undo="none")

    class Fine(aw.Workflow):
        fine = aw.task(lambda ctx: log.append(ctx.execution_id))

    poison = Poison.start()
    others = [Fine.start() for _ in range(5)]
    for _ in range(7):
        dying.lose()
    engine.run(poison, *others)

    assert poison.state == "failed"
    assert {x.state.value for x in others} == {"completed"}
    assert set(log) == {x.id for x in others}  # what was not recorded ran again


def test_an_undo_that_loses_its_worker_runs_again(engine, dying, log):
    def undo(ctx, result):
        log.append(ctx.attempt)
        if ctx.attempt == 1:
            dying.step()

    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: 1, compensate=undo)
        last = aw.task(lambda ctx: 1 / 0)

    execution = Flow.start()
    dying.lose()
    engine.run(execution)

    assert execution.state == "failed"
    assert log == [1, 2]
    assert execution.steps["one"].state == "compensated"
