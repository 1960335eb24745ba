"""Classes become plans: order, inheritance, options, and the code behind each step."""

import asyncio
import functools
from typing import Any
from unittest.mock import Mock

import pytest

from active_workflow.core.plan import Plan, StepKind, StepPlan
from active_workflow.core.plan_data import detached, plan_from_data, plan_to_data
from active_workflow.core.retry import SECOND
from active_workflow.dsl import (
    Program,
    Retry,
    StepRef,
    Task,
    Workflow,
    parallel,
    program_of,
    sleep,
    step,
    task,
    wait_for_signal,
)
from active_workflow.errors import MisuseError, ReadOnlyError


def plan(workflow: type[Workflow[Any]]) -> Plan:
    return program_of(workflow).plan


def order(workflow: type[Workflow[Any]]) -> dict[str, tuple[str, ...]]:
    return {step.name: step.after for step in plan(workflow).steps}


def do(ctx: Any) -> Any:
    return None


class Namespace:
    """A stand-in for ctx."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


# --- Order ------------------------------------------------------------------------------------------


def test_steps_run_in_the_order_written_each_after_the_one_before() -> None:
    class Flow(Workflow):
        a = task(do)

        @step
        def b(self) -> None: ...

        c = sleep("1h")
        d = wait_for_signal()

    assert order(Flow) == {"a": (), "b": ("a",), "c": ("b",), "d": ("c",)}
    assert [s.kind for s in plan(Flow).steps] == [
        StepKind.CALL,
        StepKind.CALL,
        StepKind.SLEEP,
        StepKind.SIGNAL,
    ]


def test_a_parallel_group_runs_at_once_and_the_next_step_waits_for_all_of_it() -> None:
    class Flow(Workflow):
        a = task(do)
        with parallel():
            b = task(do)
            c = task(do)
        with parallel():
            d = task(do)
            e = task(do)
        f = task(do)

    assert order(Flow) == {
        "a": (), "b": ("a",), "c": ("a",), "d": ("b", "c"), "e": ("b", "c"), "f": ("d", "e"),
    }  # fmt: skip


def test_after_names_other_steps_by_name_or_object() -> None:
    class Flow(Workflow):
        a = task(do)
        b = task(do, after=())
        c = task(do, after=[a, "b"])
        d = task(do, after="a")
        e = task(do)
        f = task(do, after=None)

    assert order(Flow) == {"a": (), "b": (), "c": ("a", "b"), "d": ("a",), "e": ("d",), "f": ("e",)}


def test_after_may_name_a_later_step_and_a_step_by_its_other_name() -> None:
    class Flow(Workflow):
        a = task(do, after="late")
        b = task(do, after=(), name="late")
        c = task(do, after="b")

    assert order(Flow) == {"a": ("late",), "late": (), "c": ("late",)}


def test_inheritance_keeps_places_and_mixins_come_first() -> None:
    class Audited:
        audit = task(do)

    class Base(Workflow):
        charge = task(do, timeout=5)
        ship = task(do)

    class Child(Audited, Base):
        @step
        def charge(self) -> None: ...

        thank = task(do)

    class Grandchild(Child):
        ship = None
        ask = task(do, after=[Base.charge])

    assert list(order(Child)) == ["charge", "ship", "audit", "thank"]
    assert plan(Child).by_name["charge"].timeout is None
    assert order(Grandchild) == {
        "charge": (), "audit": ("charge",), "thank": ("audit",), "ask": ("charge",),
    }  # fmt: skip


def test_an_override_of_a_grouped_step_stays_in_the_group() -> None:
    class Base(Workflow):
        with parallel():
            a = task(do)
            b = task(do)
        c = task(do)

    class Child(Base):
        a = task(do, timeout="1s")

    assert order(Child) == order(Base) == {"a": (), "b": (), "c": ("a", "b")}


def test_a_step_removed_may_come_back_at_the_end() -> None:
    class Base(Workflow):
        a = task(do)
        b = task(do)

    class Without(Base):
        a = None

    class Again(Without):
        a = task(do)

    assert order(Again) == {"b": (), "a": ("b",)}


def test_classes_made_by_type_and_steps_made_elsewhere_count_too() -> None:
    made = {name: task(do) for name in ("one", "two")}
    flow = type("Made", (Workflow,), {**made, "__module__": __name__})
    assert order(flow) == {"one": (), "two": ("one",)}


def test_a_class_without_steps_is_a_base() -> None:
    class Base(Workflow):
        def helper(self) -> int:
            return 1

    with pytest.raises(MisuseError, match="Base has no steps"):
        program_of(Base)
    assert type(Base) is type


# --- Options ----------------------------------------------------------------------------------------


def test_options_reach_the_plan() -> None:
    class Flow(Workflow, timeout="7d", version=3, name="orders.checkout", queue="slow"):
        @step(
            retry=Retry(max=6, first_delay="2s"), compensate="undo", undo_retry=9, timeout="1m",
            abandon_after="5s", compensate_on="attempted", verify="look", at_most_once=True, dedupe=True,
            store_result_as="charged", name="charge_card",
        )  # fmt: skip
        def charge(self) -> None: ...

        def undo(self) -> None: ...

        def look(self) -> None: ...

        ask = task(do, external=True, heartbeat_timeout="10s", queue="fast", no_undo="only asks")
        commit = task(do, pivot=True)
        tell = task(do, fire_and_forget=True)
        ok = wait_for_signal("yes", "no", timeout="2d", on_timeout="continue", when=lambda ctx: ctx.total)

    charge, ask, commit, tell, ok = plan(Flow).steps
    assert (plan(Flow).workflow, plan(Flow).version, plan(Flow).timeout) == (
        "orders.checkout",
        3,
        604800 * SECOND,
    )
    assert charge == StepPlan(
        name="charge_card", retry=(Retry(max=6, first_delay="2s").policy,),
        undo_retry=(Retry(max=9).policy,), timeout=60 * SECOND, abandon_after=5 * SECOND,
        compensates=True, compensate_on="attempted", verifies=True,
        at_most_once=True, store_as="charged", queue="slow",
    )  # fmt: skip
    assert (ask.kind, ask.heartbeat_timeout, ask.queue, ask.no_undo) == (
        StepKind.EXTERNAL, 10 * SECOND, "fast", "only asks",
    )  # fmt: skip
    assert (commit.pivot, tell.kind) == (True, StepKind.DETACHED)
    assert (ok.signals, ok.on_timeout, ok.decides) == (("yes", "no"), "continue", True)
    assert plan_from_data(plan_to_data(plan(Flow))) == plan(Flow)


def test_defaults_reach_only_steps_that_call_something_and_yield_to_their_own() -> None:
    class Base(Workflow, defaults={"retry": 4, "timeout": "5s"}, timeout="1h"):
        pass

    class Flow(Base, defaults={"timeout": "9s"}):
        a = task(do)
        b = task(do, retry=None, timeout=None)
        c = sleep(1)
        d = wait_for_signal()

    a, b, c, d = plan(Flow).steps
    assert (a.retry[0].max, a.timeout) == (4, 9 * SECOND)
    assert (b.retry, b.timeout) == ((), None)
    assert (c.timeout, d.timeout, c.retry) == (None, None, ())
    assert plan(Flow).timeout == 3600 * SECOND


def test_name_and_version_are_not_inherited_other_keywords_are() -> None:
    class Base(Workflow, name="base", version=7, idempotency_key=lambda ctx: "k", key_reuse="failed"):
        a = task(do)

    class Child(Base):
        pass

    program = program_of(Child)
    assert (program.name, program.version, program.key_reuse) == ("Child", 1, "failed")
    assert program.idempotency_key is not None
    assert program.idempotency_key(None) == "k"


def test_a_task_may_name_its_ctx_type() -> None:
    class Typed(Task[dict[str, Any]], timeout="5s"):
        def call(self, ctx: dict[str, Any]) -> int:
            return len(ctx)

    class Flow(Workflow):
        a = task(Typed)
        b = task(Typed())

    plan = program_of(Flow).plan
    assert [step.timeout for step in plan.steps] == [5_000_000, 5_000_000]


def test_a_task_class_brings_options_and_methods() -> None:
    class Fulfil(Task, external=True, timeout="15m"):
        def call(self, ctx: Any) -> Any:
            return {"job": 1}

        def compensate(self, ctx: Any, result: Any) -> Any:
            return ("undone", result)

        def verify(self, ctx: Any) -> Any:
            return True

        def when(self, ctx: Any) -> bool:
            return bool(ctx.wanted)

    class Slow(Fulfil, timeout="1h"):
        pass

    class Flow(Workflow, defaults={"timeout": 1}):
        a = task(Fulfil)
        b = task(Slow(), timeout="2h", when=None)
        c = task(Slow)

    program = program_of(Flow)
    a, b, c = program.plan.steps
    assert (a.kind, a.timeout, a.compensates, a.verifies, a.decides) == (
        StepKind.EXTERNAL, 900 * SECOND, True, True, False,
    )  # fmt: skip
    assert (b.timeout, c.timeout) == (7200 * SECOND, 3600 * SECOND)
    code = program.steps["a"]
    assert code.compensate is not None
    assert code.when is not None
    assert code.compensate(None, 3) == ("undone", 3)
    assert code.when(Namespace(wanted=1)) is True
    assert program.steps["b"].when is None


def test_the_decorators_of_a_step() -> None:
    class Flow(Workflow):
        @step
        def charge(self) -> None: ...

        @charge.compensate(external=True, timeout="5m")
        def refund(self) -> str:
            return "refunded " + str(self.ctx.id)

        @charge.verify
        def look(self) -> bool:
            return True

    program = program_of(Flow)
    charge = program.plan.by_name["charge"]
    assert (charge.compensates, charge.undo_external, charge.undo_timeout, charge.verifies) == (
        True, True, 300 * SECOND, True,
    )  # fmt: skip
    code = program.steps["charge"]
    assert code.compensate is not None
    assert code.compensate(Namespace(id=4), None) == "refunded 4"


def test_methods_named_in_options_are_looked_up_on_the_subclass() -> None:
    class Base(Workflow):
        @step(compensate="undo", when="wanted")
        def charge(self) -> None: ...

        def undo(self) -> str:
            return "base"

        def wanted(self) -> bool:
            return False

        ship = task(do, compensate="unship")

        @staticmethod
        def unship(ctx: Any) -> str:
            return "static"

    class Child(Base):
        def undo(self, result: Any) -> str:
            return f"child {result}"

        def wanted(self) -> bool:
            return bool(self.ctx.total)

    base, child = program_of(Base).steps, program_of(Child).steps
    assert [p["charge"].compensate(None, 1) for p in (base, child)] == ["base", "child 1"]  # type: ignore[misc]
    assert child["charge"].when(Namespace(total=2)) is True  # type: ignore[misc]
    assert child["ship"].compensate(None, 1) == "static"  # type: ignore[misc]


# --- The code of steps ------------------------------------------------------------------------------


def run(program: Program, name: str, ctx: Any = None, args: tuple[Any, ...] | None = None) -> Any:
    call = program.steps[name].call
    assert call is not None
    return call(ctx, args)


class Adder:
    def __init__(self, base: int) -> None:
        self.base = base

    def call(self, ctx: Any) -> int:
        return self.base + int(ctx.n)


class Plain(Task):
    def __init__(self) -> None:
        self.calls = 0

    def call(self, *args: Any) -> Any:
        self.calls += 1
        return (*args, self.calls)


class Doubler:
    async def __call__(self, ctx: Any) -> int:
        return int(ctx.n) * 2


def add(n: int, ctx: Any) -> int:
    return n + int(ctx.n)


class Every(Workflow):
    @step
    def method(self) -> Any:
        return self.ctx.n

    @step
    async def coroutine(self) -> Any:
        return self.ctx.n

    @step(args=lambda ctx: (ctx.n, 2))
    def with_args(self, a: int, b: int) -> int:
        return a + b + int(self.ctx.n)

    @task
    def plain(ctx: Any) -> Any:  # noqa: N805
        return ctx.n

    @task
    @staticmethod
    def static(ctx: Any) -> Any:
        return ctx.n

    lambda_ = task(lambda ctx: ctx.n)
    awaited = task(Doubler())
    partial = task(functools.partial(add, 10))
    instance = task(Adder(100))
    fresh = task(Plain, args="two")
    shared = task(Plain())
    method_step = step(lambda self: self.ctx.n + 1)

    def two(self) -> tuple[int, ...]:
        return (self.ctx.n, 2)


CTX = Namespace(n=1)


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("method", 1), ("plain", 1), ("static", 1), ("lambda_", 1), ("partial", 11), ("instance", 101),
        ("method_step", 2),
    ],
)  # fmt: skip
def test_every_form_of_a_step_is_called_with_ctx(name: str, result: int) -> None:
    assert run(program_of(Every), name, CTX) == result


def test_coroutines_are_returned_to_be_awaited() -> None:
    program = program_of(Every)
    asynchronous = [name for name, code in program.steps.items() if code.call_is_async]
    assert asynchronous == ["coroutine", "awaited"]
    assert [asyncio.run(run(program, name, CTX)) for name in asynchronous] == [1, 2]


def test_args_take_the_place_of_ctx() -> None:
    program = program_of(Every)
    args = program.steps["with_args"].args
    assert args is not None
    assert run(program, "with_args", CTX, args(CTX)) == 4
    assert run(program, "fresh", CTX, (5, 6)) == (5, 6, 1)


def test_a_task_class_is_made_anew_for_each_attempt_and_an_instance_kept() -> None:
    program = program_of(Every)
    assert [run(program, "fresh", CTX, ()) for _ in range(2)] == [(1,), (1,)]
    assert [run(program, "shared", CTX, ()) for _ in range(2)] == [(1,), (2,)]


def test_each_attempt_has_an_instance_of_its_own_that_keeps_nothing() -> None:
    seen = []

    class Flow(Workflow):
        @step
        def pay(self) -> None:
            seen.append(self)
            self.payment = 3

        @step
        def drop(self) -> None:
            del self.ctx

    with pytest.raises(ReadOnlyError, match=r"self\.payment would be lost.*write self\.ctx\.payment"):
        run(program_of(Flow), "pay", CTX)
    with pytest.raises(AttributeError, match=r"can't be deleted"):
        run(program_of(Flow), "drop", CTX)
    with pytest.raises(ReadOnlyError):
        run(program_of(Flow), "pay", CTX)
    assert seen[0] is not seen[1]


def test_a_step_can_t_be_called_and_a_workflow_can_t_be_made() -> None:
    class Flow(Workflow):
        a = task(do)

        @step
        def b(self) -> None:
            self.a()  # type: ignore[operator]

    with pytest.raises(MisuseError, match="'a' is a step of Flow: the engine calls it"):
        run(program_of(Flow), "b", CTX)
    with pytest.raises(MisuseError, match="'a' is a step of Flow"):
        Flow.a()  # type: ignore[operator]
    with pytest.raises(MisuseError, match=r"write Flow\.start\("):
        Flow()


def test_a_step_object_stands_for_its_name() -> None:
    class Flow(Workflow):
        a = task(do, name="first")

    class Child(Flow):
        pass

    assert isinstance(Flow.a, StepRef)
    assert (Flow.a.name, Flow.a.workflow, repr(Flow.a)) == ("first", Flow, "<step Flow.first>")
    assert Flow.a == Flow.a
    assert Flow.a != Child.a
    assert len({Flow.a, Flow.a, Child.a}) == 2
    assert Flow.a != "first"


def test_an_undo_gets_the_result_if_it_wants_it() -> None:
    def undo_one(ctx: Any) -> Any:
        return ("one", ctx)

    def undo_two(ctx: Any, result: Any = None) -> Any:
        return ("two", ctx, result)

    def undo_named(ctx: Any, *, result: Any) -> Any:
        return ("named", ctx, result)

    async def undo_async(ctx: Any, *more: Any) -> Any:
        return ("async", ctx, *more)

    class Flow(Workflow):
        a = task(do, compensate=undo_one)
        b = task(do, compensate=undo_two)
        c = task(do, compensate=undo_named)
        d = task(do, compensate=undo_async)

        @step(compensate=lambda ctx: ("lambda", ctx))
        def e(self) -> None: ...

    codes = program_of(Flow).steps
    undos = {name: code.compensate(1, 2) for name, code in codes.items() if code.compensate}
    assert [codes[name].compensate_is_async for name in "abcde"] == [False, False, False, True, False]
    assert asyncio.run(undos.pop("d")) == ("async", 1, 2)
    assert undos == {"a": ("one", 1), "b": ("two", 1, 2), "c": ("named", 1, 2), "e": ("lambda", 1)}


def test_callables_of_other_kinds() -> None:
    class Flow(Workflow):
        @step
        @functools.lru_cache  # noqa: B019
        def cached(self) -> int:
            return 5

        mocked = task(Mock(return_value=7))
        by_task = task(do, compensate=Adder(3), when=Plain)

    program = program_of(Flow)
    assert (run(program, "cached", CTX), run(program, "mocked", CTX)) == (5, 7)
    code = program.steps["by_task"]
    assert code.compensate is not None
    assert code.when is not None
    assert (code.compensate(CTX, None), code.when(CTX)) == (4, (CTX, 1))


# --- Serving stored plans ---------------------------------------------------------------------------


def test_code_serves_its_own_plan_and_detached_ones() -> None:
    class Flow(Workflow):
        a = task(do)
        b = task(do, fire_and_forget=True)

    program = program_of(Flow)
    assert program.lacks(program.plan) == []
    assert program.lacks(detached(program.plan, "b")) == []


def test_code_that_lacks_something_says_what() -> None:
    def undo(ctx: Any) -> None: ...

    class Old(Workflow, name="Flow"):
        a = task(do)
        b = task(do, compensate=undo, verify=undo)
        c = sleep(until=do)
        d = task(do)
        e = wait_for_signal(when=do)
        unasked = wait_for_signal()

    class New(Workflow, name="Flow"):
        b = task(do)
        c = task(do)
        d = task(do, timeout="5s")
        e = wait_for_signal()
        f = task(do)

    assert [lack.reason for lack in program_of(New).lacks(program_of(Old).plan)] == [
        "Flow has no step 'a' any more",
        "step 'b' has no compensation any more",
        "step 'b' has no verify any more",
        "step 'c' was sleep and is call now",
        "step 'e' has no when, unless or until any more",
    ]
    assert program_of(Old).lacks(program_of(Old).plan) == []
