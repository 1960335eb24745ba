"""ctx: what steps see of it, what is recorded of what they do to it, and what can't be in it."""

import dataclasses
import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from uuid import UUID

import pytest

import active_workflow as aw
from active_workflow.errors import ContextError, ReadOnlyError
from tests.semantics.until import until


class Colour(Enum):
    RED = "red"


VALUES = {
    "none": None,
    "true": True,
    "int": 2**70,
    "float": -0.5,
    "text": "é\U0001f600 \u2028",
    "list": [1, [2, {"a": []}]],
    "dict": {"b": 1, "a": {"deep": None}},
    "datetime": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    "date": date(2026, 1, 2),
    "time": time(3, 4, 5),
    "timedelta": timedelta(days=1, microseconds=3),
    "decimal": Decimal("1.10"),
    "uuid": UUID("12345678-1234-5678-1234-567812345678"),
    "bytes": b"\x00\xff",
    "enum": Colour.RED,
    "set": {1, 2},
    "tuple": (1, ("a",)),
}


def just(function, **more):
    class Flow(aw.Workflow):
        work = aw.task(function, **more)
        last = aw.task(lambda ctx: {"seen": dict(ctx)} if ctx.get("look") else None)

    return Flow


@pytest.mark.parametrize("name", VALUES)
def test_values_come_back_as_they_went_in(engine, name):
    value = VALUES[name]
    seen = []

    class Flow(aw.Workflow):
        copy = aw.task(lambda ctx: {"copy": ctx.value}, store_result_as=None)
        look = aw.task(lambda ctx: seen.append(ctx.copy))

    execution = engine.run(Flow.start(value=value))

    assert execution.state == "completed", execution.error
    assert seen == [value]
    assert type(seen[0]) is type(value)
    assert execution.ctx.copy == value
    assert execution.steps["copy"].result == {"copy": value}


def test_nested_changes_and_deletions_are_recorded(engine):
    def work(ctx):
        ctx.cart["qty"] = 2
        ctx["list"].append(3)
        del ctx.gone
        del ctx["gone_too"]
        ctx.pop("popped")

    execution = engine.run(
        just(work).start(cart={"qty": 1, "sku": "x"}, list=[1], gone=1, gone_too=2, popped=3, kept=4)
    )

    assert dict(execution.ctx) == {"cart": {"qty": 2, "sku": "x"}, "list": [1, 3], "kept": 4}


def test_a_failed_attempt_leaves_no_trace_in_ctx(engine):
    def work(ctx):
        assert "n" not in ctx
        ctx.n = ctx.attempt
        if ctx.attempt == 1:
            raise ValueError("once")

    flow = just(work, retry=aw.Retry(max=2, first_delay=1))
    execution = flow.start(a=1)
    engine.run()
    assert dict(engine.get(execution.id).ctx) == {"a": 1}
    engine.after(1, execution)

    assert dict(execution.ctx) == {"a": 1, "n": 2}


def test_a_returned_mapping_wins_over_a_change_in_place(engine):
    def work(ctx):
        ctx.n = 1
        return {"n": 2}

    assert engine.run(just(work).start()).ctx.n == 2


def test_a_value_that_is_no_mapping_is_only_the_result(engine):
    execution = engine.run(just(lambda ctx: 42).start(a=1))

    assert dict(execution.ctx) == {"a": 1}
    assert execution.steps["work"].result == 42


def test_the_engine_s_own_names(engine):
    seen = []

    def work(ctx):
        seen.append((ctx.execution_id, ctx.step_name, ctx.step_key, ctx.attempt))
        for name in ("execution_id", "step_name", "step_key", "attempt"):
            with pytest.raises(ReadOnlyError):
                setattr(ctx, name, 1)
            with pytest.raises(ContextError):
                ctx[name] = 1

    execution = engine.run(just(work).start())

    assert execution.state == "completed", execution.error
    assert seen == [(execution.id, "work", f"{execution.id}:work", 1)]


@pytest.mark.parametrize("name", ["execution_id", "step_name", "step_key", "attempt"])
def test_reserved_names_are_no_keys(engine, name):
    with pytest.raises(ContextError, match=name):
        just(lambda ctx: None).start({name: 1})
    execution = engine.run(just(lambda ctx: {name: 1}).start())
    assert execution.state == "failed"
    assert name in execution.error.message


@pytest.mark.parametrize("key", ["idempotency_key", "key_reuse", "connection", "run_at", "tags"])
def test_option_names_never_become_ctx_in_silence(engine, key):
    with pytest.raises(TypeError, match=r"one argument|positional"):
        just(lambda ctx: None).start(**{key: "x"})


def test_items_is_the_user_s_key_if_there_is_one(engine):
    assert engine.run(just(lambda ctx: {"got": list(ctx.items)}).start(items=[1])).ctx.got == [1]
    assert engine.run(just(lambda ctx: {"got": sorted(ctx.items())}).start(a=1)).ctx.got == [("a", 1)]


def test_a_missing_key_says_what_there_is_and_what_is_near(engine):
    execution = engine.run(just(lambda ctx: ctx.order_idd).start(order_id=1, total=2))

    assert execution.state == "failed"
    assert "order_id" in execution.error.message
    assert "total" in execution.error.message
    with pytest.raises(AttributeError):
        execution.ctx.nothing
    with pytest.raises(KeyError):
        execution.ctx["nothing"]


def test_the_ctx_of_a_handle_can_only_be_read(engine):
    execution = engine.run(just(lambda ctx: None).start(a=1))

    with pytest.raises(ReadOnlyError):
        execution.ctx.a = 2


def test_writing_after_the_step_has_ended_raises(engine):
    kept = []
    engine.run(just(kept.append).start(a={"b": 1}))

    with pytest.raises(ReadOnlyError, match="ended"):
        kept[0].a = 2
    with pytest.raises(ReadOnlyError):
        del kept[0]["a"]


class Unprintable:
    pass


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (math.nan, "bad"),
        (math.inf, "bad"),
        ({1: 2}, "bad"),
        (Unprintable(), "bad"),
        ({"in": [0, Unprintable()]}, "bad.in[1]"),
        (lambda: None, "bad"),
    ],
)
@pytest.mark.parametrize("how", ["returned", "set", "nested", "result"])
def test_what_cannot_be_stored_fails_the_step_for_good_and_is_undone(engine, log, value, path, how):
    def work(ctx):
        log.append("did")
        if how == "returned":
            return {"bad": value}
        if how == "result":
            return [value]
        if how == "set":
            ctx.bad = value
        else:
            ctx.there["bad"] = value
        return None

    class Flow(aw.Workflow):
        first = aw.task(lambda ctx: 1, compensate=lambda ctx, result: log.append(("undo first", result)))
        work_ = aw.task(
            work,
            retry=aw.Retry(max=5, first_delay=1),
            compensate=lambda ctx, result: log.append(("undo", result)),
        )

    execution = Flow.start(there={})
    engine.run()
    engine.after("1h", execution)

    assert execution.state == "failed"
    assert execution.error.type == "SerializationError"
    if how in ("returned", "set"):
        assert path in execution.error.message
    assert log == ["did", ("undo", None), ("undo first", 1)]
    assert execution.steps["work_"].attempts == 1


def test_what_cannot_be_stored_at_start_raises_and_starts_nothing(engine):
    for value in (math.nan, Unprintable(), {1: 2}):
        with pytest.raises(aw.SerializationError, match="bad"):
            just(lambda ctx: None).start(bad=value)
    with pytest.raises(aw.SerializationError):
        just(lambda ctx: None).start({1: 2})
    assert list(engine.find()) == []


@pytest.mark.parametrize("text", ["nul \x00 in", "\ud800 alone"])
def test_text_that_some_database_refuses_is_refused_by_all(engine, text):
    with pytest.raises(aw.SerializationError, match="given"):
        just(lambda ctx: None).start(given=text)

    execution = engine.run(just(lambda ctx: {"text": text}).start())
    assert execution.state == "failed"
    assert execution.error.type == "SerializationError"

    def raises(ctx):
        raise ValueError(text)

    assert engine.run(just(raises).start()).error.type == "ValueError"


# --- Typed ctx ----------------------------------------------------------------------------------------


@dataclasses.dataclass
class Line:
    sku: str
    count: int = 1


@dataclasses.dataclass
class Order(aw.CtxInfo):
    order_id: int
    lines: list[Line] = dataclasses.field(default_factory=list)
    paid: Decimal | None = None


class CtxTyped(aw.Workflow[Order]):
    @aw.step
    def work(self):
        assert isinstance(self.ctx, Order)
        assert isinstance(self.ctx.lines[0], Line)
        self.ctx.lines[0].count += 1
        self.ctx.lines.append(Line("b"))
        self.ctx.paid = Decimal("1.5")
        return {"order_id": self.ctx["order_id"] + 1}

    @aw.step(when=lambda ctx: isinstance(ctx, Order))
    def info(self):
        assert self.ctx.step_name == "info"
        assert self.ctx.step_key == f"{self.ctx.execution_id}:info"


def test_a_typed_ctx_is_an_instance_nested_types_included(engine):
    execution = engine.run(CtxTyped.start(order_id=1, lines=[Line("a")]))

    assert execution.state == "completed", execution.error
    assert execution.steps["info"].state == "completed"
    assert execution.ctx.order_id == 2
    assert execution.ctx.paid == Decimal("1.5")
    assert [line["count"] for line in execution.ctx.lines] == [2, 1]


def test_a_typed_ctx_by_instance(engine):
    execution = engine.run(CtxTyped.start(Order(order_id=1, lines=[Line("a")]), tags={"a": "b"}))

    assert execution.state == "completed", execution.error
    assert execution.tags == {"a": "b"}


def test_a_key_that_the_type_lacks_is_an_error_at_start_and_in_a_merge(engine):
    with pytest.raises(ContextError, match="other"):
        CtxTyped.start(order_id=1, other=2)
    with pytest.raises(ContextError):
        CtxTyped.start(lines=[])

    class Merges(aw.Workflow[Order]):
        work = aw.task(lambda ctx: {"other": 1})

    execution = engine.run(Merges.start(order_id=1))
    assert execution.state == "failed"
    assert "other" in execution.error.message


def test_the_wrong_type_is_an_error_at_start(engine):
    with pytest.raises(ContextError, match="order_id"):
        CtxTyped.start(order_id="one")


def test_a_frozen_type_is_read_only(engine):
    @dataclasses.dataclass(frozen=True)
    class Frozen:
        n: int

    class Flow(aw.Workflow[Frozen]):
        @aw.step
        def refused(self):
            with pytest.raises(AttributeError):
                self.ctx.n = 2

        @aw.step
        def work(self):
            return {"n": self.ctx.n + 1}

    execution = engine.run(Flow.start(n=1))
    assert execution.state == "completed", execution.error
    assert execution.ctx.n == 2


# --- Steps that run side by side ----------------------------------------------------------------------


def test_parallel_steps_with_one_value_agree_and_with_two_conflict(engine, log):
    class Flow(aw.Workflow):
        with aw.parallel():
            left = aw.task(
                lambda ctx: {"k": ctx.l, "left": 1},
                compensate=lambda ctx, result: log.append(("left", result)),
            )
            right = aw.task(
                lambda ctx: {"k": ctx.r, "right": 1},
                retry=aw.Retry(max=5, first_delay=1),
                compensate=lambda ctx, result: log.append(("right", result)),
            )

    assert engine.run(Flow.start(l=1, r=1)).state == "completed"
    assert log == []

    execution = engine.run(Flow.start(l=1, r=2))
    assert execution.state == "failed"
    assert execution.error.type == "ContextConflict"
    assert "ctx.k" in execution.error.message
    failing = execution.error.step
    other = {"left": "right", "right": "left"}[failing]
    value = {"left": 1, "right": 2}
    assert log == [(failing, {"k": value[failing], failing: 1}), (other, {"k": value[other], other: 1})]


def test_a_parallel_step_sees_what_was_recorded_when_it_started(live, gate):
    class Flow(aw.Workflow):
        with aw.parallel():
            slow = aw.task(lambda ctx: (gate.enter(), {"saw": "quick" in ctx})[1])
            quick = aw.task(lambda ctx: {"quick": 1})

    execution = Flow.start()
    gate.wait_entered()
    until(lambda: "quick" in execution.refresh().ctx)
    gate.open()

    assert execution.wait(20).ctx.saw is False
