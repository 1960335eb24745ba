"""``start`` and the client's slot: what a caller gives, and what reaches the engine."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from active_workflow.core.retry import SECOND
from active_workflow.dsl import StartOptions, Task, Workflow, program_of, set_client, set_client_factory, task
from active_workflow.dsl import wait_for_signal as wait
from active_workflow.dsl.client import client
from active_workflow.dsl.current import StepInfo, enter, leave
from active_workflow.dsl.program import Program
from active_workflow.dsl.starting import prepare_start, validate_input
from active_workflow.errors import (
    ConfigurationError,
    ContextError,
    MisuseError,
    SerializationError,
    UnknownWorkflow,
)


def do(ctx: Any) -> Any:
    return None


class Ask(Task, external=True):
    def call(self, ctx: Any) -> Any:
        return None


class Ship(Workflow):
    ask = task(Ask)
    approval = wait()
    note = wait("noted", store_result_as="noted")


class Keyed(Workflow, idempotency_key=lambda ctx: f"order:{ctx.order_id}" if ctx.order_id else None):
    a = task(do)


class Recorder:
    """A client that only notes what it is asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[Program, Any, StartOptions]] = []

    def start_program(self, program: Program, ctx: object, options: StartOptions) -> Any:
        self.calls.append((program, ctx, options))
        return "execution"

    async def start_program_async(self, program: Program, ctx: object, options: StartOptions) -> Any:
        return self.start_program(program, ctx, options)

    def start_programs(self, program: Program, ctxs: Sequence[object], options: StartOptions) -> Any:
        return [self.start_program(program, ctx, options) for ctx in ctxs]

    async def start_programs_async(
        self, program: Program, ctxs: Sequence[object], options: StartOptions
    ) -> Any:
        return self.start_programs(program, ctxs, options)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    found = Recorder()
    set_client(found)  # type: ignore[arg-type]
    yield found
    set_client(None)


def test_keywords_are_ctx(recorder: Recorder) -> None:
    assert Ship.start(order_id=42) == "execution"
    assert asyncio.run(Ship.start_async(order_id=43)) == "execution"
    Ship.start()
    assert [(p.name, ctx, options) for p, ctx, options in recorder.calls] == [
        ("Ship", {"order_id": 42}, StartOptions()),
        ("Ship", {"order_id": 43}, StartOptions()),
        ("Ship", {}, StartOptions()),
    ]


def test_one_positional_ctx_makes_keywords_options(recorder: Recorder) -> None:
    at = datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC)
    Ship.start(
        {"order_id": 1}, idempotency_key="k", key_reuse="failed", connection=9, run_at=at, tags={"shop": "x"}
    )
    [(_, ctx, options)] = recorder.calls
    assert ctx == {"order_id": 1}
    assert options == StartOptions(
        idempotency_key="k", key_reuse="failed", connection=9, run_at=5 * SECOND, tags={"shop": "x"}
    )


def test_many_starts_share_their_options(recorder: Recorder) -> None:
    Ship.start_many(({"n": n} for n in range(2)), on_conflict="skip")
    asyncio.run(Ship.start_many_async([{"n": 2}]))
    assert [ctx["n"] for _, ctx, _ in recorder.calls] == [0, 1, 2]
    assert [options.on_conflict for _, _, options in recorder.calls] == ["skip", "skip", "raise"]


@pytest.mark.parametrize("name", ["idempotency_key", "key_reuse", "connection", "run_at", "tags"])
def test_an_option_in_the_keyword_form_never_becomes_ctx(recorder: Recorder, name: str) -> None:
    with pytest.raises(TypeError, match=rf"{name} is an option of start.*start\(\{{…\}}, {name}=…\)"):
        Ship.start(order_id=1, **{name: 1})
    assert recorder.calls == []


def test_wrong_arguments_of_start(recorder: Recorder) -> None:
    with pytest.raises(TypeError, match=r"no option 'idempotencykey' \(did you mean \"idempotency_key\"\?\)"):
        Ship.start({}, idempotencykey="k")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="takes one ctx, not 2"):
        Ship.start({}, {})  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="no option 'idempotency_key'"):
        Ship.start_many([], idempotency_key="k")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="key_reuse: 'always' is none of 'never', 'failed', 'terminal'"):
        Ship.start({}, key_reuse="always")  # type: ignore[call-overload]
    with pytest.raises(ConfigurationError, match="run_at"):
        Ship.start({}, run_at=datetime(2030, 1, 1))  # noqa: DTZ001
    assert recorder.calls == []


def test_a_base_can_t_be_started() -> None:
    class Base(Workflow):
        pass

    with pytest.raises(MisuseError, match="Base has no steps"):
        Base.start()


def test_programs_are_found_by_class_or_name() -> None:
    assert program_of("Ship") is program_of(Ship)
    with pytest.raises(UnknownWorkflow, match=r"'Shipp'.*did you mean"):
        program_of("Shipp")
    with pytest.raises(TypeError, match="its class or its name"):
        program_of(3)


# --- The slot ----------------------------------------------------------------------------------------


def test_without_a_client_start_says_what_to_do() -> None:
    set_client(None)
    set_client_factory(None)
    with pytest.raises(ConfigurationError, match=r"call active_workflow\.configure"):
        Ship.start()


def test_a_client_is_made_once_at_first_use() -> None:
    made = []

    def make() -> Any:
        made.append(Recorder())
        return made[-1]

    set_client_factory(make)
    try:
        assert client() is client() is made[0]
        assert len(made) == 1
    finally:
        set_client(None)
        set_client_factory(None)


# --- The input ---------------------------------------------------------------------------------------


def test_the_input_is_given_back_as_it_is() -> None:
    assert validate_input(program_of(Ship), {"order_id": 1}) == ({"order_id": 1}, {"order_id": 1})


def test_values_reach_the_serializer_as_they_are() -> None:
    @dataclass
    class Money:
        cents: int

    assert validate_input(program_of(Ship), {"total": Money(3)})[0] == {"total": Money(3)}
    assert validate_input(program_of(Ship), Money(3))[0] == {"cents": 3}


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"attempt": 1}, ContextError, "engine's own name"),
        ({"ask": 1}, ContextError, r"ctx\.ask: Ship has a step of that name"),
        ({"approval": 1}, ContextError, r"ctx\.approval: Ship has a step of that name"),
        ({3: 1}, SerializationError, "must be text"),
        ([1], ContextError, "give a mapping"),
        (None, ContextError, "give a mapping"),
    ],
)
def test_an_impossible_input(given: object, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        validate_input(program_of(Ship), given)


def key(workflow: type[Workflow[Any]], given: object = None, **options: Any) -> str | None:
    return prepare_start(program_of(workflow), given or {}, StartOptions(**options)).key


def test_the_key_is_the_caller_s_else_the_workflow_s_else_none() -> None:
    assert key(Ship) is None
    assert key(Keyed, {"order_id": 7}) == "order:7"
    assert key(Keyed, {"order_id": 0}) is None
    assert key(Keyed, {"order_id": 7}, idempotency_key="mine") == "mine"


def test_a_key_must_be_text() -> None:
    class Odd(Workflow, idempotency_key=lambda ctx: ctx.order_id):
        a = task(do)

    with pytest.raises(ContextError, match="the idempotency key is 7; it must be text"):
        key(Odd, {"order_id": 7})
    with pytest.raises(AttributeError, match="ctx has no key 'order_id'"):
        key(Odd, {})


def test_a_start_inside_a_step_is_a_child_with_a_key_of_its_own() -> None:
    def attempt() -> list[str | None]:
        token = enter(StepInfo("e1", "charge", 1))
        try:
            keys = [key(Ship), key(Ship), key(Keyed, {"order_id": 0}), key(Keyed, {"order_id": 1})]
            assert prepare_start(program_of(Ship), {}, StartOptions()).parent_id == "e1"
            assert prepare_start(program_of(Ship), {}, StartOptions(idempotency_key="k")).parent_id == "e1"
        finally:
            leave(token)
        return keys

    assert attempt() == ["e1:charge:Ship:1", "e1:charge:Ship:2", "e1:charge:Keyed:1", "order:1"]
    assert attempt() == attempt()
    assert prepare_start(program_of(Ship), {}, StartOptions()).parent_id is None
