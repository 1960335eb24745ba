"""Every mistake in a definition is told at import: file, line, class, step, and what to do."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from active_workflow.dsl import Retry, Task, Workflow, parallel, sleep, step, task, wait_for_signal
from active_workflow.dsl.current import StepInfo, enter, leave
from active_workflow.errors import DefinitionError, MisuseError

CASES: list[Any] = []
Case = TypeVar("Case", bound=Callable[[], object])


def mistake(subject: str, problem: str, remedy: str) -> Callable[[Case], Case]:
    """Note a definition that must fail: the class and step it names, what is wrong and what to do."""

    def note(case: Case) -> Case:
        CASES.append(pytest.param(case, subject, problem, remedy, id=case.__name__))
        return case

    return note


def do(ctx: Any) -> Any:
    return None


def undo(ctx: Any) -> Any:
    return None


class Reserve(Task):
    def call(self, ctx: Any) -> Any:
        return None


# --- Steps that would be lost -----------------------------------------------------------------------


@mistake("Flow", "ends under no name", "assign it to one")
def bare_sleep() -> None:
    class Flow(Workflow):
        a = task(do)
        sleep("1h")


@mistake("Flow.a", "defined twice, again on line", "another name")
def assigned_twice() -> None:
    class Flow(Workflow):
        a = task(do)
        a = task(undo)  # noqa: PIE794


@mistake("Flow.pay", "defined twice", "another name")
def defined_twice() -> None:
    class Flow(Workflow):
        @step
        def pay(self) -> None: ...

        @step  # type: ignore[no-redef]
        def pay(self) -> None: ...  # noqa: F811


@mistake("Flow.a", "was assigned again, to 3", "a name of its own")
def assigned_over() -> None:
    class Flow(Workflow):
        a = task(do)
        a = 3  # type: ignore[assignment]  # noqa: PIE794


@mistake("Flow", "ends under no name", "not in a list")
def steps_in_a_list() -> None:
    class Flow(Workflow):
        steps = [
            task(do),
            task(undo),
        ]


@mistake("Flow", "ends under no name", "each step by itself")
def steps_from_a_helper() -> None:
    def helper() -> list[Any]:
        return [task(do) for _ in range(2)]

    class Flow(Workflow):
        steps = helper()


@mistake("Mixin.a", "defined twice", "another name")
def lost_in_a_mixin() -> None:
    class Mixin:
        a = task(do)
        a = task(do)  # noqa: PIE794

    class Flow(Mixin, Workflow):
        b = task(do)


@mistake("Flow.a", "has nothing to run", "Task class, an instance or a function")
def task_of_none() -> None:
    class Flow(Workflow):
        a = task(None)


@mistake("Flow.a", "task(…) with options alone", "above a def")
def unused_task() -> None:
    class Flow(Workflow):
        a = task(retry=3)


@mistake("Flow", "step(…) with options alone", "above a def")
def unused_step() -> None:
    class Flow(Workflow):
        step(timeout=3)


@mistake("Flow.a", "one step object is in 2 places (Flow.a, Flow.b)", "write task(X) again")
def two_names() -> None:
    class Flow(Workflow):
        a = b = task(do)


@mistake("B.a", "one step object is in 2 places (A.a, B.a)", "write task(X) again")
def two_classes() -> None:
    shared = task(do)

    class A(Workflow):
        a = shared

    class B(Workflow):
        a = shared


@mistake("B.b", "<step A.a> is a step already", "write task(X) again")
def a_step_of_another_class() -> None:
    class A(Workflow):
        a = task(do)

    class B(Workflow):
        b = A.a


# --- Names and inheritance --------------------------------------------------------------------------


@mistake("Child.a", "a plain def redefines the step of", "add @step")
def plain_override() -> None:
    class Base(Workflow):
        @step
        def a(self) -> None: ...

    class Child(Base):
        def a(self) -> None: ...  # type: ignore[override]


@mistake("Child.a", "redefines the step of", "a = None to remove it")
def value_override() -> None:
    class Base(Workflow):
        a = task(do)

    class Child(Base):
        a = 3  # type: ignore[assignment]


@mistake("Flow.start", "is a name of Workflow itself", "choose another name")
def taken_name() -> None:
    class Flow(Workflow):
        start = task(do)  # type: ignore[assignment]


@mistake("Flow.ctx", "is a name of Workflow itself", "choose another name")
def taken_ctx() -> None:
    class Flow(Workflow):
        ctx = wait_for_signal()


@mistake("Flow.b", "'a' has the step name 'b' too", "change one name=")
def same_name() -> None:
    class Flow(Workflow):
        a = task(do, name="b")
        b = task(do)


@mistake("Flow.a", "name=3 is no text", "in quotes")
def name_no_text() -> None:
    class Flow(Workflow):
        a = task(do, name=3)  # type: ignore[call-overload]


# --- What is called ---------------------------------------------------------------------------------


@mistake("Flow.a", "@step takes a method of self", "write @task")
def step_of_ctx() -> None:
    class Flow(Workflow):
        @step
        def a(ctx) -> None: ...  # noqa: N805


@mistake("Flow.a", "@step takes a method of self", "write @task")
def step_of_static() -> None:
    class Flow(Workflow):
        @step
        @staticmethod
        def a(ctx: Any) -> None: ...


@mistake("Flow.a", "@step takes a method of self", "task(X) for a Task")
def step_of_a_task() -> None:
    class Flow(Workflow):
        a = step(Reserve)


@mistake("Flow.a", "@task takes a function of ctx", "write @step")
def task_of_self() -> None:
    class Flow(Workflow):
        @task
        def a(self) -> None: ...


@mistake("Flow.a", "must take self alone", "args=")
def step_of_nothing() -> None:
    class Flow(Workflow):
        @step
        def a() -> None: ...  # type: ignore[misc]


@mistake("Flow.a", "must take ctx alone", "args=")
def task_of_two() -> None:
    class Flow(Workflow):
        a = task(lambda ctx, more: None)


@mistake("Flow.a", "generator function can't be a step", "return the result")
def generator_step() -> None:
    class Flow(Workflow):
        @step
        def a(self) -> Iterator[int]:
            yield 1


@mistake("Flow.a", "generator function can't be a step", "return the result")
def async_generator_step() -> None:
    class Flow(Workflow):
        @step
        async def a(self) -> Any:
            yield 1


@mistake("Flow.a", "when= is a generator function", "plain def or async def")
def generator_condition() -> None:
    def when(ctx: Any) -> Iterator[bool]:
        yield True

    class Flow(Workflow):
        a = task(do, when=when)


@mistake("Lazy.call", "generator function can't be a step", "return the answer")
def generator_task() -> None:
    class Lazy(Task):
        def call(self, ctx: Any) -> Iterator[int]:
            yield 1


@mistake("Flow.a", "verify= is a generator function", "plain def or async def")
def generator_hook() -> None:
    class Lazy:
        def call(self, ctx: Any) -> None: ...

        def verify(self, ctx: Any) -> Iterator[int]:
            yield 1

    class Flow(Workflow):
        a = task(Lazy)


@mistake("Odd.verify", "verify must be a method", "class keywords")
def task_hook_no_method() -> None:
    class Odd(Task):
        verify = True


@mistake("Flow.a", "the class int has no method call", "derive it from Task")
def task_of_a_plain_class() -> None:
    class Flow(Workflow):
        a = task(int)


@mistake("Flow.a", "7 can't be called", "a function of ctx")
def task_of_a_number() -> None:
    class Flow(Workflow):
        a = task(7)


@mistake("Flow.a", "Picky() needs arguments", "task(Picky(…))")
def task_with_arguments() -> None:
    class Picky(Task):
        def __init__(self, api: Any) -> None: ...

        def call(self, ctx: Any) -> None: ...

    class Flow(Workflow):
        a = task(Picky)


@mistake("Flow.a", 'compensate="refnd" names no method of Flow (did you mean "refund"?)', "def refnd(self)")
def compensate_unknown() -> None:
    class Flow(Workflow):
        a = task(do, compensate="refnd")

        def refund(self) -> None: ...


@mistake("Flow.a", 'compensate="b" is no plain method', "def b(self)")
def compensate_a_step() -> None:
    class Flow(Workflow):
        a = task(do, compensate="b")
        b = task(do)


@mistake("Flow.a", "compensate= must take (self) or (self, result)", "a default")
def compensate_of_three() -> None:
    class Flow(Workflow):
        @step(compensate="undo")
        def a(self) -> None: ...

        def undo(self, result: Any, more: Any) -> None: ...


@mistake("Flow.a", "when= must take ctx alone", "a default")
def condition_of_nothing() -> None:
    class Flow(Workflow):
        a = task(do, when=lambda: True)


@mistake("Flow.a", "when= is True, which can't be called", "a function of ctx or a method's name")
def condition_no_function() -> None:
    class Flow(Workflow):
        a = task(do, when=True)  # type: ignore[call-overload]


@mistake("Flow.a", "unless= is the class bool", "a function of ctx")
def condition_a_class() -> None:
    class Flow(Workflow):
        a = task(do, unless=bool)


# --- compensate and verify --------------------------------------------------------------------------


@mistake("Flow.a", "a second compensate", "keep one")
def second_compensate() -> None:
    class Flow(Workflow):
        @step(compensate=undo)
        def a(self) -> None: ...

        @a.compensate
        def undo_a(self) -> None: ...


@mistake("Flow.a", "its compensate has the step's own name", "undo_a")
def compensate_named_as_its_step() -> None:
    class Flow(Workflow):
        @step
        def a(self) -> None: ...

        @a.compensate  # type: ignore[no-redef]
        def a(self) -> None: ...


@mistake("Flow.reserve", "its compensate has the step's own name", "undo_reserve")
def compensate_named_as_its_task() -> None:
    class Flow(Workflow):
        reserve = task(lambda ctx: None)

        @reserve.compensate  # type: ignore[no-redef]
        def reserve(self) -> None: ...


@mistake("Flow.a", "its verify has the step's own name", "verify_a")
def verify_named_as_its_step() -> None:
    class Flow(Workflow):
        @step
        def a(self) -> None: ...

        @a.verify  # type: ignore[no-redef]
        def a(self) -> None: ...


@mistake("Flow.a", "a second verify", "keep one")
def second_verify() -> None:
    class Flow(Workflow):
        @step
        def a(self) -> None: ...

        @a.verify
        def b(self) -> None: ...

        @a.verify
        def c(self) -> None: ...


@mistake("Flow.a", "decorates a function", 'compensate="name"')
def compensate_by_a_name() -> None:
    class Flow(Workflow):
        @step
        def a(self) -> None: ...

        a.compensate("undo")  # type: ignore[call-overload]


@mistake("Flow.a", "compensate has no option 'extrnal' (did you mean \"external\"?)", "external")
def compensate_option() -> None:
    class Flow(Workflow):
        @step
        def a(self) -> None: ...

        @a.compensate(extrnal=True)  # type: ignore[call-overload]
        def b(self) -> None: ...


@mistake("Flow.a", "a step is called by the engine only", "step(retry=…)")
def step_called_in_the_body() -> None:
    class Flow(Workflow):
        @step
        def a(self) -> None: ...

        a()  # type: ignore[operator]


# --- Options ----------------------------------------------------------------------------------------


@mistake("Flow.a", "no option 'retires' (did you mean \"retry\"?)", "it has ")
def unknown_option() -> None:
    class Flow(Workflow):
        a = task(do, retires=3)  # type: ignore[call-overload]


@mistake("Flow.a", "sleep has no option 'retry'", "it has after, name, unless, until, when")
def sleep_option() -> None:
    class Flow(Workflow):
        a = sleep("1h", retry=3)  # type: ignore[call-overload]


@mistake("Flow.a", "wait_for_signal has no option 'timout' (did you mean \"timeout\"?)", "it has ")
def wait_option() -> None:
    class Flow(Workflow):
        a = wait_for_signal(timout=3)  # type: ignore[call-arg]


@mistake("Odd", "a Task class has no option 'asynch'", "it has ")
def task_keyword() -> None:
    class Odd(Task, asynch=True):  # type: ignore[call-arg]
        pass


@mistake("Flow", "no option 'idempotency' (did you mean \"idempotency_key\"?)", "it has ")
def class_keyword() -> None:
    class Flow(Workflow, idempotency="k"):  # type: ignore[call-arg]
        a = task(do)


@mistake("Flow", "defaults= has no option 'name'", "it has ")
def default_option() -> None:
    class Flow(Workflow, defaults={"name": "x"}):  # type: ignore[typeddict-unknown-key]
        a = task(do)


@mistake("Flow", "defaults=3 is no mapping", 'defaults={"retry"')
def defaults_no_mapping() -> None:
    class Flow(Workflow, defaults=3):  # type: ignore[arg-type]
        a = task(do)


@mistake("Flow", "retry: 'often' is no policy", "Retry(max=5")
def default_value() -> None:
    class Flow(Workflow, defaults={"retry": "often"}):  # type: ignore[typeddict-item]
        a = task(do)


@mistake("Flow.a", "timeout: 'soon' is no duration", '"30s"')
def no_duration() -> None:
    class Flow(Workflow):
        a = task(do, timeout="soon")


@mistake("Flow.a", "timeout: 0 leaves no time", "None for no end")
def no_time() -> None:
    class Flow(Workflow):
        a = task(do, timeout=0)


@mistake("Flow.a", "sleep: -1 is negative", "zero or more")
def negative_sleep() -> None:
    class Flow(Workflow):
        a = sleep(-1)


@mistake("Flow.a", "external: 1 is neither", "True nor False")
def no_bool() -> None:
    class Flow(Workflow):
        a = task(do, external=1)  # type: ignore[call-overload]


@mistake("Flow.a", "compensate_on: 'always' is none of", "'completed', 'attempted'")
def no_choice() -> None:
    class Flow(Workflow):
        a = task(do, compensate=undo, compensate_on="always")  # type: ignore[call-overload]


@mistake("Flow.a", "no_undo: '' says nothing", "why no undo is needed")
def no_reason() -> None:
    class Flow(Workflow):
        a = task(do, no_undo="")


@mistake("Flow.a", "queue: '' is no name", "write text")
def no_queue() -> None:
    class Flow(Workflow):
        a = task(do, queue="")


@mistake("Flow.a", "store_result_as: 'attempt' is the engine's own name", "choose another")
def reserved_result() -> None:
    class Flow(Workflow):
        a = task(do, store_result_as="attempt")


@mistake("Flow.attempt", "ctx.attempt is an engine's name", "store_result_as=")
def reserved_wait() -> None:
    class Flow(Workflow):
        attempt = wait_for_signal()


@mistake("Flow.attempt", "ctx.attempt is an engine's name", "store_result_as=")
def reserved_external() -> None:
    class Flow(Workflow):
        attempt = task(do, external=True)


@mistake("Flow.a", "Retry(max=): 0", "1 or more")
def retry_zero() -> None:
    class Flow(Workflow):
        a = task(do, retry=0)


# --- Options that contradict each other -------------------------------------------------------------


@mistake("Flow.a", "fire_and_forget", "drop one")
def detached_with_undo() -> None:
    class Flow(Workflow):
        a = task(do, fire_and_forget=True, compensate=undo)


@mistake("Flow.a", "fire_and_forget", "drop one")
def detached_and_external() -> None:
    class Flow(Workflow):
        a = task(do, fire_and_forget=True, external=True)


@mistake("Flow.a", "fire_and_forget", "drop one")
def detached_pivot() -> None:
    class Flow(Workflow):
        a = task(do, fire_and_forget=True, pivot=True)


@mistake("Flow.a", "transactional: its commit is its completion", "drop one")
def transactional_and_external() -> None:
    class Flow(Workflow):
        a = task(do, transactional=True, external=True)


@mistake("Flow.a", "transactional: the step is executed exactly once as it is", "drop at_most_once=")
def transactional_and_at_most_once() -> None:
    class Flow(Workflow):
        a = task(do, transactional=True, at_most_once=True)


@mistake("Flow.a", "transactional: what the step did is recorded with it", "drop verify=")
def transactional_and_verified() -> None:
    class Flow(Workflow):
        a = task(do, transactional="session", verify=do)


@mistake("Flow.a", "transactional: an attempt that failed has written nothing", "drop compensate_on=")
def transactional_and_undone_if_attempted() -> None:
    class Flow(Workflow):
        a = task(do, transactional=True, compensate=do, compensate_on="attempted")


@mistake("Flow.a", "transactional: the step is async def", "write def")
def transactional_and_async() -> None:
    class Flow(Workflow):
        @step(transactional=True)
        async def a(self) -> None: ...


@mistake("Flow.a", "transactional: its compensation is async def", "write def")
def transactional_with_an_async_undo() -> None:
    class Flow(Workflow):
        @step(transactional=True)
        def a(self) -> None: ...

        @a.compensate
        async def undo(self) -> None: ...


@mistake("Flow.a", "transactional: an undo that starts work elsewhere", "external")
def transactional_with_an_external_undo() -> None:
    class Flow(Workflow):
        @step(transactional=True)
        def a(self) -> None: ...

        @a.compensate(external=True)
        def undo(self) -> None: ...


@mistake("Flow.a", "transactional: 'yes' is neither", "True")
def transactional_and_neither() -> None:
    class Flow(Workflow):
        a = task(do, transactional="yes")  # type: ignore[call-overload]


@mistake("Flow.a", "has a field 'connection'", "rename")
def transactional_with_a_field_connection() -> None:
    @dataclass
    class Connected:
        connection: str = ""

    class Flow(Workflow[Connected]):
        a = task(do, transactional=True)


@mistake("Flow.a", "heartbeat_timeout= is for external steps", "external=True")
def heartbeat_of_a_call() -> None:
    class Flow(Workflow):
        a = task(do, heartbeat_timeout=5)


@mistake("Flow.a", "abandon_after= counts from the step's timeout", "add timeout=")
def abandon_without_timeout() -> None:
    class Flow(Workflow):
        a = task(do, abandon_after=5)


@mistake("Flow.a", 'on_timeout="continue" is for wait_for_signal', "catches its error itself")
def continue_of_a_call() -> None:
    class Flow(Workflow):
        a = task(do, timeout=5, on_timeout="continue")


@mistake("Flow.a", "on_timeout= says what a timeout means", "add timeout=")
def on_timeout_without_timeout() -> None:
    class Flow(Workflow):
        a = wait_for_signal(on_timeout="continue")


@mistake("Flow.a", "a compensation and a no_undo=", "drop one")
def undo_and_no_undo() -> None:
    class Flow(Workflow):
        a = task(do, compensate=undo, no_undo="only reads")


@mistake("Flow.a", 'compensate_on="attempted"', "add compensate=")
def attempted_without_undo() -> None:
    class Flow(Workflow):
        a = task(do, compensate_on="attempted")


@mistake("Flow.a", "undo_retry= is for the undo", "add compensate=")
def undo_retry_without_undo() -> None:
    class Flow(Workflow):
        a = task(do, undo_retry=3)


@mistake("Flow.a", "a sleep has a duration or until=", 'sleep("1h")')
def sleep_without_end() -> None:
    class Flow(Workflow):
        a = sleep()


@mistake("Flow.a", "a sleep has a duration or until=", "until=lambda ctx")
def sleep_with_two_ends() -> None:
    class Flow(Workflow):
        a = sleep(3, until=do)


@mistake("Flow.a", "wait_for_signal(3) names no signal", "in quotes")
def signal_no_text() -> None:
    class Flow(Workflow):
        a = wait_for_signal(3)  # type: ignore[arg-type]


# --- The graph --------------------------------------------------------------------------------------


@mistake("Flow.b", "after='charg' names no step of it (did you mean \"charge\"?)", "its steps are charge, b")
def after_unknown() -> None:
    class Flow(Workflow):
        charge = task(do)
        b = task(do, after="charg")


@mistake("Flow.a", "after= names the step itself", "come before it")
def after_itself() -> None:
    class Flow(Workflow):
        a = task(do, after="a")


@mistake("Flow.a", "3 is no step", "(Checkout.fulfil)")
def after_no_step() -> None:
    class Flow(Workflow):
        a = task(do, after=3)


@mistake("Flow.b", "the steps b, c wait for each other", "one of the after= away")
def cycle() -> None:
    class Flow(Workflow):
        a = task(do, after="c")
        b = task(do, after="c")
        c = task(do, after="b")
        d = task(do)


@mistake("Flow.b", "the steps a, b are all pivots", "the one point of no return")
def two_pivots() -> None:
    class Flow(Workflow):
        a = task(do, pivot=True)
        b = task(do, pivot=True)


@mistake("Flow.a", "every other step before or after it, but b may run beside it", 'after="b"')
def pivot_beside() -> None:
    class Flow(Workflow):
        with parallel():
            a = task(do, pivot=True)
            b = task(do)


@mistake("Flow.a", "it may run beside 'b', but one is on 'x', one on 'default'", "one after the other")
def queues_beside() -> None:
    class Flow(Workflow):
        with parallel():
            a = task(do, queue="x")
            b = task(do)
            c = sleep("1s")


@mistake("Flow", "a parallel() inside another", "use after=")
def nested_parallel() -> None:
    class Flow(Workflow):
        with parallel():
            a = task(do)
            with parallel():
                b = task(do)


@mistake("", "parallel() groups steps in a class body", "there")
def parallel_outside() -> None:
    parallel()


@mistake("Flow", "task() takes one class, instance or function", "options are keywords")
def task_of_two_targets() -> None:
    class Flow(Workflow):
        a = task(do, Reserve)  # type: ignore[call-overload]


# --- The class --------------------------------------------------------------------------------------


@mistake("Flow", "version=True is no label", "version=2")
def version_bool() -> None:
    class Flow(Workflow, version=True):
        a = task(do)


@mistake("Flow", "name: '' is no name", "write text")
def empty_name() -> None:
    class Flow(Workflow, name=""):
        a = task(do)


@mistake("Flow", "idempotency_key='order' can't be called", "lambda ctx")
def key_no_function() -> None:
    class Flow(Workflow, idempotency_key="order"):  # type: ignore[arg-type]
        a = task(do)


@mistake("Flow", "idempotency_key= is asked before anything runs", "plain def")
def key_async() -> None:
    async def key(ctx: Any) -> str:
        return "k"

    class Flow(Workflow, idempotency_key=key):  # type: ignore[arg-type]
        a = task(do)


@mistake("Flow", "idempotency_key= must take ctx alone", "a default")
def key_of_nothing() -> None:
    class Flow(Workflow, idempotency_key=lambda: "k"):  # type: ignore[arg-type, misc]
        a = task(do)


@mistake("Flow", "key_reuse: 'always' is none of", "'never', 'failed', 'terminal'")
def key_reuse() -> None:
    class Flow(Workflow, key_reuse="always"):  # type: ignore[arg-type]
        a = task(do)


@mistake(
    "Flow", "<class 'int'> can't be a ctx type", "dataclass, TypedDict, msgspec Struct or pydantic model"
)
def ctx_no_type() -> None:
    class Flow(Workflow[int]):
        a = task(do)


@mistake("Flow", "the ctx type is given as text", "give it itself")
def ctx_text() -> None:
    class Flow(Workflow["Later"]):  # type: ignore[name-defined]
        a = task(do)


@mistake("Flow", "contradict each other", "drop one")
def ctx_twice() -> None:
    class Flow(Workflow[Order], ctx=Attempted):
        a = task(do)


@mistake(
    "Flow.a", "store_result_as='order' is no field of Order (did you mean \"order_id\"?)", "with a default"
)
def result_without_field() -> None:
    class Flow(Workflow[Order]):
        ask = task(do, external=True, store_result_as="asked")
        a = task(do, store_result_as="order")


@mistake("Flow", "the ctx type Attempted has the engine's own names as fields", "rename attempt")
def ctx_reserved() -> None:
    class Flow(Workflow[Attempted]):
        a = task(do)


@mistake("", "Retry(backoff=): 'linear' is neither", '"fixed"')
def retry_alone() -> None:
    Retry(backoff="linear")  # type: ignore[arg-type]


@dataclass
class Order:
    order_id: int


@dataclass
class Attempted:
    attempt: int


@pytest.mark.parametrize(("case", "subject", "problem", "remedy"), CASES)
def test_a_mistake_is_told(case: Callable[[], object], subject: str, problem: str, remedy: str) -> None:
    with pytest.raises(DefinitionError) as raised:
        case()
    assert isinstance(raised.value, TypeError)
    place, _, said = str(raised.value).partition(": ")
    file, _, line = place.rpartition(":")
    assert file == __file__
    lines, first = inspect.getsourcelines(case)
    assert first <= int(line) < first + len(lines)
    assert said.startswith(f"{subject}: " if subject else problem)
    assert problem in said
    assert remedy in said


@pytest.mark.parametrize(
    "make", [lambda: sleep(1), lambda: task(do), lambda: step(timeout=1), wait_for_signal, parallel]
)
def test_definitions_can_t_be_made_while_a_step_runs(make: Callable[[], object]) -> None:
    token = enter(StepInfo("e", "charge", 1))
    try:
        with pytest.raises(MisuseError, match=r"while step 'charge' runs.*time\.sleep.*RetryAfter"):
            make()

        class Nested(Workflow):  # a module with a workflow may be imported by a step
            a = task(do)
    finally:
        leave(token)
