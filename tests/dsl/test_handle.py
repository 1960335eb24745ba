"""The handle: what it shows of a snapshot, and what it passes on."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from active_workflow.core.attempts import Attempt, Failure, Run
from active_workflow.core.snapshot import Block, BlockKind, Ending, Step
from active_workflow.core.snapshot import Execution as Snapshot
from active_workflow.core.states import Effect, Phase, State, StepState
from active_workflow.dsl import Execution, Workflow, program_of, sleep, task, wait_for_signal
from active_workflow.dsl.current import StepInfo, enter, leave
from active_workflow.errors import ExecutionFailed, MissingKey, MisuseError, ReadOnlyError

SECOND = 1_000_000


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class Json:
    def dump(self, value: Any, /) -> str:
        return json.dumps(value)

    def load(self, text: str, /) -> Any:
        return json.loads(text)


class Pay(Workflow, version=2):
    charge = task(lambda ctx: None)
    approval = wait_for_signal()
    ship = task(lambda ctx: None)
    rest = sleep(1)


def snapshot(**changes: Any) -> Snapshot:
    plan = program_of(Pay).plan
    return Snapshot(
        id="e1", plan=plan, input={}, ctx={"order_id": "1"}, input_hash="h",
        created_at=SECOND, run_at=2 * SECOND,
    ).evolve(**changes)  # fmt: skip


FAILURE = Failure("Declined", "no money", details='{"code": 1}', traceback="…")


class Client:
    def __init__(self, *later: Snapshot) -> None:
        self.later = list(later)
        self.calls: list[Any] = []
        self.serializer = Json()

    def load(self, execution_id: str) -> Snapshot:
        return self.later.pop(0)

    def in_thread(self, call: Any, *args: Any, **kwargs: Any) -> Any:
        return asyncio.to_thread(call, *args, **kwargs)

    def wait(self, execution_id: str, timeout: int | None) -> Snapshot:
        self.calls.append(("wait", execution_id, timeout))
        return self.later.pop(0)

    async def wait_async(self, execution_id: str, timeout: int | None) -> Snapshot:  # noqa: ASYNC109
        return self.wait(execution_id, timeout)

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **named: Any) -> Any:
            self.calls.append((name, *args, named))
            return name

        return call


def handle(*snapshots: Snapshot) -> tuple[Execution, Client]:
    client = Client(*snapshots[1:])
    return Execution(snapshots[0], client), client


def test_a_new_execution() -> None:
    execution, _ = handle(snapshot(tags={"shop": "x"}, parent_id="p", key="k"))
    assert (execution.id, execution.workflow, execution.version, execution.state) == (
        "e1",
        "Pay",
        2,
        "pending",
    )
    assert (execution.tags, execution.parent_id, execution.idempotency_key) == ({"shop": "x"}, "p", "k")
    assert (execution.created_at, execution.run_at) == (at(1), at(2))
    assert (execution.started_at, execution.completed_at, execution.cancelled_at) == (None, None, None)
    assert (execution.result, execution.error, execution.blocked_reason) == (None, None, None)
    assert repr(execution) == "<Pay e1 pending>"
    assert execution == handle(snapshot())[0]
    assert execution != "e1"
    assert len({execution, handle(snapshot())[0]}) == 1


def test_its_ctx_can_only_be_read() -> None:
    execution, _ = handle(snapshot())
    assert execution.ctx.order_id == 1
    assert dict(execution.ctx) == {"order_id": 1}
    with pytest.raises(ReadOnlyError):
        execution.ctx.order_id = 2


def test_its_steps_in_plan_order_by_name_or_object() -> None:
    charge = Step(
        "charge", StepState.COMPLETED, Effect.LANDED, Run(attempts=2, started_at=3 * SECOND), seq=1,
        result="5", finished_at=4 * SECOND, correlation_id="c",
    )  # fmt: skip
    approval = Step("approval", StepState.WAITING, waiting_since=4 * SECOND, timeout_at=9 * SECOND)
    execution, _ = handle(snapshot(steps={"approval": approval, "charge": charge}, started_at=3 * SECOND))
    steps = execution.steps
    assert list(steps) == ["charge", "approval", "ship", "rest"]
    assert len(steps) == 4
    one = steps[Pay.charge]
    assert (one.name, one.state, one.attempts, one.result, one.error) == ("charge", "completed", 2, 5, None)
    assert (one.started_at, one.finished_at, one.waiting_since, one.correlation_id) == (
        at(3),
        at(4),
        None,
        "c",
    )
    two = steps["approval"]
    assert (two.state, two.started_at, two.waiting_since, two.timeout_at) == ("waiting", at(4), at(4), at(9))
    three = steps["ship"]
    assert (three.state, three.attempts, three.started_at, three.retry_at) == ("pending", 0, None, None)
    assert repr(steps) == "{charge: completed, approval: waiting, ship: pending, rest: pending}"
    assert repr(three) == "<step ship pending>"
    assert steps.get("nobody") is None
    with pytest.raises(MissingKey, match=r"Pay has no step 'shp' \(did you mean \"ship\"\?\)"):
        steps["shp"]
    assert execution.result == 5


def test_a_step_between_attempts_and_one_being_undone() -> None:
    failed = Run(attempts=1, failures=1, retry_at=8 * SECOND, errors=(Attempt(1, 5, FAILURE),))
    charge = Step("charge", StepState.PENDING, run=failed)
    undone = Step("ship", StepState.COMPENSATING, undo=failed, undo_waiting_since=6 * SECOND)
    execution, _ = handle(snapshot(steps={"charge": charge, "ship": undone}))
    one, two = execution.steps["charge"], execution.steps["ship"]
    assert (one.state, one.attempts, one.retry_at) == ("pending", 1, at(8))
    assert (two.retry_at, two.waiting_since) == (at(8), at(6))
    assert one.error is not None
    assert (one.error.type, one.error.message, one.error.step, one.error.details) == (
        "Declined", "no money", "charge", {"code": 1},
    )  # fmt: skip


def test_the_result_is_the_last_completed_step_s_in_plan_order() -> None:
    done = {
        name: Step(name, StepState.COMPLETED, seq=seq, result=result, payload=payload)
        for name, seq, result, payload in (("charge", 2, "1", None), ("approval", 1, None, '"yes"'))
    }
    execution, _ = handle(snapshot(steps=done))
    assert execution.result == "yes"


def test_one_that_failed() -> None:
    ending = Ending(State.FAILED, FAILURE, "charge", 5 * SECOND)
    execution, _ = handle(snapshot(phase=Phase.OVER, ending=ending, completed_at=6 * SECOND))
    assert (execution.state, execution.completed_at, execution.cancelled_at) == ("failed", at(6), None)
    assert execution.error is not None
    assert str(execution.error) == "Declined: no money (in step 'charge')"
    assert execution.error.traceback == "…"
    assert {step.state for step in execution.steps.values()} == {StepState.CANCELLED}


def test_one_that_was_cancelled_and_one_that_is_blocked() -> None:
    ending = Ending(State.CANCELLED, FAILURE, None, 5 * SECOND)
    cancelled, _ = handle(
        snapshot(phase=Phase.OVER, ending=ending, completed_at=6 * SECOND, cancel_requested_at=4 * SECOND)
    )
    assert (cancelled.state, cancelled.cancelled_at, cancelled.cancel_requested_at) == (
        "cancelled",
        at(6),
        at(4),
    )
    assert str(cancelled.error) == "Declined: no money"
    blocked, _ = handle(snapshot(blocked=Block(BlockKind.CODE, "no code here")))
    assert (blocked.state, blocked.blocked_reason) == ("blocked", "no code here")


def test_refresh_and_wait_look_again() -> None:
    done = snapshot(phase=Phase.OVER)
    execution, client = handle(snapshot(), snapshot(started_at=1), done, done)
    assert execution.refresh() is execution
    assert execution.started_at is not None
    assert execution.wait(timeout="30s", check=True) is execution
    assert execution.state == "completed"
    assert asyncio.run(execution.wait_async(check=True)) is execution
    assert client.calls == [("wait", "e1", 30 * SECOND), ("wait", "e1", None)]


def test_wait_can_check() -> None:
    failed = snapshot(phase=Phase.OVER, ending=Ending(State.FAILED, FAILURE, "charge", 5))
    execution, _ = handle(snapshot(), failed, snapshot(paused_at=1))
    with pytest.raises(
        ExecutionFailed, match=r"Pay e1 is failed: Declined: no money \(in step 'charge'\)"
    ) as raised:
        execution.wait(check=True)
    assert raised.value.execution is execution
    with pytest.raises(ExecutionFailed, match="Pay e1 is paused; see"):
        execution.wait(check=True)


def test_wait_has_no_place_in_a_step_and_warns_in_an_event_loop() -> None:
    execution, _ = handle(snapshot(), snapshot())
    token = enter(StepInfo("e2", "charge", 1))
    try:
        with pytest.raises(MisuseError, match=r"wait\(\) inside step 'charge'"):
            execution.wait()
        with pytest.raises(MisuseError, match=r"wait_async\(\) inside step 'charge'"):
            asyncio.run(execution.wait_async())
    finally:
        leave(token)

    async def waits() -> None:
        with pytest.warns(RuntimeWarning, match=r"await wait_async\(\)"):
            execution.wait()

    asyncio.run(waits())


def test_wishes_are_passed_on_and_steps_may_be_objects() -> None:
    execution, client = handle(snapshot())

    async def awaited() -> None:
        await execution.cancel_async("why")
        await execution.signal_async(Pay.approval, 1, idempotency_key="k")
        await execution.complete_step_async(Pay.ship, {"a": 1}, idempotency_key="k", correlation_id="c")
        await execution.fail_step_async("ship", error_class="E", message="m", details=1)
        await execution.extend_timeout_async(Pay.ship, "10m")
        await execution.heartbeat_async(Pay.ship, 3)
        await execution.explain_async()
        await execution.plan_cancel_async()

    execution.cancel("why")
    execution.signal(Pay.approval, 1, idempotency_key="k")
    execution.complete_step(Pay.ship, {"a": 1}, idempotency_key="k", correlation_id="c")
    execution.fail_step("ship", error_class="E", message="m", details=1)
    execution.extend_timeout(Pay.ship, "10m")
    execution.heartbeat(Pay.ship, 3)
    execution.explain()
    execution.plan_cancel()
    plain, client.calls = client.calls, []
    assert plain == [
        ("cancel", "e1", {"reason": "why"}),
        ("signal", "e1", "approval", {"payload": 1, "idempotency_key": "k"}),
        ("complete_step", "e1", "ship", {"payload": {"a": 1}, "idempotency_key": "k", "correlation_id": "c"}),
        ("fail_step", "e1", "ship", {"error_class": "E", "message": "m", "details": 1}),
        ("extend_timeout", "e1", "ship", {"by": "10m"}),
        ("heartbeat", "e1", "ship", {"details": 3}),
        ("explain", "e1", {}),
        ("plan_cancel", "e1", {}),
    ]
    asyncio.run(awaited())
    assert client.calls == plain
    client.later.append(snapshot(started_at=1))
    assert asyncio.run(_refreshed(execution)) is execution
    with pytest.raises(TypeError, match="is no step"):
        execution.heartbeat(3)  # type: ignore[arg-type]


async def _refreshed(execution: Execution) -> Execution:
    return await execution.refresh_async()
