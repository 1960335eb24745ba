"""Which options of a step go together, and which can't."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from active_workflow.core.plan import StepKind
from active_workflow.dsl import options
from active_workflow.dsl.collect import Place
from active_workflow.dsl.ctx_types import CtxType
from active_workflow.dsl.current import RESERVED
from active_workflow.dsl.program import StepCode

Given = Mapping[str, Any]


def check_step(place: Place, own: Given, given: Given) -> None:
    """Check the options of a step.

    Args:
        place: The step.
        own: The options said at the step and its task.
        given: The same over the workflow's defaults.

    Raises:
        DefinitionError: One is unknown, or two contradict each other; the message says what to do.
    """
    known, form = _FORMS[place.step.kind]
    options.check_names(own, known, form, place.where)
    options.read(given, place.where)
    for problem in _RULES[place.step.kind](place, own, given):
        raise place.where.error(problem)


def _called(place: Place, own: Given, given: Given) -> Iterator[str]:
    yield from _detached(given)
    yield from _effects(own, given)
    if given.get("transactional"):
        yield from _transactional(given)
    if own.get("heartbeat_timeout") and not given.get("external"):
        yield "heartbeat_timeout= is for external steps; add external=True, or say timeout="
    if own.get("abandon_after") is not None and not given.get("timeout"):
        yield "abandon_after= counts from the step's timeout, and it has none; add timeout="
    if own.get("on_timeout") == "continue":
        yield 'on_timeout="continue" is for wait_for_signal; a step that may fail catches its error itself'
    if given.get("external") and not own.get("store_result_as") and place.name in RESERVED:
        yield f"ctx.{place.name} is an engine's name and can't take its payload; add store_result_as="


def _detached(given: Given) -> Iterator[str]:
    if not given.get("fire_and_forget"):
        return
    if given.get("compensate") is not None:
        yield "fire_and_forget: nothing waits for the step, so nothing can undo it; drop one of the two"
    if given.get("external"):
        yield "fire_and_forget: nothing waits for the step, so it can't be external; drop one of the two"
    if given.get("pivot"):
        yield "fire_and_forget: nothing waits for the step, so it can't be the pivot; drop one of the two"


def _transactional(given: Given) -> Iterator[str]:
    if given.get("external"):
        yield "transactional: its commit is its completion, so it can't be external; drop one of the two"
    if given.get("at_most_once"):
        yield "transactional: the step is executed exactly once as it is; drop at_most_once="
    if given.get("verify") is not None:
        yield "transactional: what the step did is recorded with it: nothing is to be verified; drop verify="
    if given.get("compensate_on") == "attempted":
        yield 'transactional: an attempt that failed has written nothing; drop compensate_on="attempted"'


def check_transactional(place: Place, code: StepCode, known: CtxType | None) -> None:
    """Refuse what can't run in the thread that a transaction belongs to, or hides its connection.

    Raises:
        DefinitionError: The step or its compensation is a coroutine function, or works elsewhere, or the
            ctx type has a field that is called as the connection is.
    """
    if not code.transactional:
        return
    if known is not None and "connection" in known.defaults:
        raise place.where.error(
            f"transactional: ctx.connection is the step's connection, and the ctx type {known.type.__name__} "
            "has a field 'connection'; rename the field"
        )
    if place.step.undo_options.get("external"):
        raise place.where.error(
            "transactional: an undo that starts work elsewhere ends before that work does; drop its external="
        )
    for is_async, what in ((code.call_is_async, "the step"), (code.compensate_is_async, "its compensation")):
        if is_async:
            raise place.where.error(
                f"transactional: {what} is async def, and its transaction is used in one thread; write def"
            )


def _effects(own: Given, given: Given) -> Iterator[str]:
    undone = given.get("compensate") is not None
    if undone and given.get("no_undo"):
        yield "it has a compensation and a no_undo= that says why it needs none; drop one of the two"
    if not undone and own.get("compensate_on") == "attempted":
        yield 'compensate_on="attempted" says when to undo, and the step has no compensation; add compensate='
    if not undone and own.get("undo_retry") is not None:
        yield "undo_retry= is for the undo, and the step has no compensation; add compensate="


def _sleep(place: Place, own: Given, _given: Given) -> Iterator[str]:
    if (place.step.duration is None) == (own.get("until") is None):
        yield 'a sleep has a duration or until=; write sleep("1h") or sleep(until=lambda ctx: ctx.due)'


def _wait(place: Place, own: Given, _given: Given) -> Iterator[str]:
    if not own.get("store_result_as") and place.name in RESERVED:
        yield f"ctx.{place.name} is an engine's name and can't take its payload; add store_result_as="
    if own.get("on_timeout") is not None and own.get("timeout") is None:
        yield "on_timeout= says what a timeout means, and the wait has none; add timeout="


_FORMS = {
    StepKind.CALL: (options.STEP, "a step"),
    StepKind.SLEEP: (options.SLEEP, "sleep"),
    StepKind.SIGNAL: (options.WAIT, "wait_for_signal"),
}
_RULES: Mapping[StepKind, Callable[[Place, Given, Given], Iterator[str]]] = {
    StepKind.CALL: _called,
    StepKind.SLEEP: _sleep,
    StepKind.SIGNAL: _wait,
}
