"""The laws that a step must keep so that the engine may run it again and undo it."""

from collections.abc import Callable, Collection, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

from active_workflow.dsl.context import Ctx
from active_workflow.dsl.step_def import StepRef
from active_workflow.dsl.workflow import program_of
from active_workflow.errors import ConfigurationError
from active_workflow.testing.ledger import Ledger
from active_workflow.testing.single import run_step, run_undo

LAWS = ("run twice", "undo restores", "undo twice", "undo without run")
"""What ``check_step_laws`` checks.

* ``"run twice"``: to run it twice is to run it once. A worker may die after the effect and before the record.
* ``"undo restores"``: after its undo, everything is as it was.
* ``"undo twice"``: to undo it twice is to undo it once. A worker may die there, too.
* ``"undo without run"``: its undo changes nothing where nothing was done. That matters where undo can't know:
  with ``compensate_on="attempted"``, and after a call of which only the start is recorded.
"""


def check_step_laws(
    step: StepRef,
    ctx: object = None,
    *,
    world: Callable[[], Any],
    observe: Callable[[Any], Any] | None = None,
    laws: Collection[str] | None = None,
    max_examples: int = 50,
) -> None:
    """Check that a step may be run again, undone, and undone again.

    Args:
        step: The step, by its object: ``Checkout.charge_card``.
        ctx: What it finds. A mapping; values in it may be strategies of hypothesis, which then tries many.
        world: Called before each check: resets the fake of the outside that the step uses, and gives it.
        observe: Gives what the world looks like, to be compared; a ``Ledger``'s balances unless given.
        laws: Which of ``LAWS``. Unless given all; without a compensation only the first, and the last only
            with ``compensate_on="attempted"``.
        max_examples: How many examples hypothesis tries.

    Raises:
        TypeError: The step is transactional.
        AssertionError: A law is broken; the message says which, and what was found.
    """
    if program_of(step.workflow).plan.by_name[step.name].transactional:
        raise TypeError(f"{step!r} is transactional: it keeps these laws by being executed exactly once")
    bench = _Bench(step, world, observe or _balances)
    wanted = _applicable(step) if laws is None else _known(laws)
    if not _has_strategies(ctx):
        bench.check_all(wanted, ctx)
        return
    _with_hypothesis(ctx, max_examples, partial(bench.check_all, wanted))


def _applicable(step: StepRef) -> list[str]:
    plan = program_of(step.workflow).plan.by_name[step.name]
    if not plan.compensates:
        return [LAWS[0]]
    return list(LAWS if plan.undone_if_attempted else LAWS[:3])


def _known(laws: Collection[str]) -> list[str]:
    unknown = [law for law in laws if law not in LAWS]
    if unknown:
        raise ValueError(f"there is no law {unknown[0]!r}; there are {', '.join(map(repr, LAWS))}")
    return [law for law in LAWS if law in laws]


def _balances(world: Any) -> Any:
    if isinstance(world, Ledger):
        return world.balances()
    raise TypeError(f"say with observe= what {type(world).__name__} looks like, so that it can be compared")


@dataclass(frozen=True)
class _Bench:
    step: StepRef
    world: Callable[[], Any]
    observe: Callable[[Any], Any]

    def check_all(self, laws: Collection[str], ctx: object) -> None:
        for law in laws:
            self.check(law, ctx)

    def check(self, law: str, ctx: object) -> None:
        """Raise AssertionError unless the step keeps a law."""
        world = self.world()
        before = self._look(world)
        for expected, found, meaning in _CHECKS[law](self, world, before, ctx):
            if expected != found:
                raise AssertionError(
                    f"{self.step!r} breaks the law {law!r} with ctx {ctx!r}: {meaning}\n"
                    f"  expected {expected!r}\n  found    {found!r}"
                )

    def _look(self, world: Any) -> Any:
        return deepcopy(self.observe(world))

    def _run(self, ctx: object) -> tuple[Any, Ctx]:
        return run_step(self.step, ctx)

    def run_twice(self, world: Any, _before: Any, ctx: object) -> "Found":
        self._run(ctx)
        once = self._look(world)
        run_step(self.step, ctx, attempt=2)  # with the ctx of before: nothing of the first was recorded
        yield once, self._look(world), "a second run, as after a crash, has changed the world again"

    def undo_restores(self, world: Any, before: Any, ctx: object) -> "Found":
        result, after = self._run(ctx)
        run_undo(self.step, after, result)
        yield before, self._look(world), "its undo does not restore what was before the step"

    def undo_twice(self, world: Any, _before: Any, ctx: object) -> "Found":
        result, after = self._run(ctx)
        run_undo(self.step, after, result)
        once = self._look(world)
        run_undo(self.step, after, result, attempt=2)
        yield once, self._look(world), "a second undo, as after a crash, has changed the world again"

    def undo_without_run(self, world: Any, before: Any, ctx: object) -> "Found":
        try:
            run_undo(self.step, ctx, None)
        except Exception as error:
            raise AssertionError(
                f"{self.step!r} breaks the law 'undo without run' with ctx {ctx!r}: its undo raises "
                f"{type(error).__name__}: {error}"
            ) from error
        yield before, self._look(world), "its undo has changed the world though nothing had been done"


Found = Iterator[tuple[Any, Any, str]]

_CHECKS: Mapping[str, Callable[[_Bench, Any, Any, object], Found]] = dict(
    zip(
        LAWS,
        (_Bench.run_twice, _Bench.undo_restores, _Bench.undo_twice, _Bench.undo_without_run),
        strict=True,
    )
)


# --- Many examples ----------------------------------------------------------------------------------


def _has_strategies(ctx: object) -> bool:
    values = ctx.values() if isinstance(ctx, Mapping) else [ctx]
    return any(hasattr(value, "example") and hasattr(value, "map") for value in values)


def _with_hypothesis(ctx: Any, max_examples: int, check: Callable[[Any], object]) -> None:
    try:
        hypothesis = import_module("hypothesis")
    except ImportError:
        raise ConfigurationError(
            "strategies in ctx need hypothesis: pip install hypothesis, or give plain values"
        ) from None
    strategies = import_module("hypothesis.strategies")
    strategy = ctx
    if isinstance(ctx, Mapping):
        parts = {
            key: value if hasattr(value, "example") else strategies.just(value) for key, value in ctx.items()
        }
        strategy = strategies.fixed_dictionaries(parts)

    def law_holds(example: Any) -> None:
        check(example)

    settings = hypothesis.settings(max_examples=max_examples, deadline=None, database=None)
    settings(hypothesis.given(strategy)(law_holds))()
