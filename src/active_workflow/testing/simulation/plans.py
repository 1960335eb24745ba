"""Random plans: small graphs in which every kind of step, policy and combination comes up."""

from functools import lru_cache
from random import Random
from typing import Any

from active_workflow.core.plan import Plan, StepKind, StepPlan
from active_workflow.core.plan_data import sealed
from active_workflow.core.retry import RetryPolicy

SECOND = 1_000_000
DIFFERENT_PLANS = 5_000
_KINDS = (
    *([StepKind.CALL] * 12),
    *([StepKind.EXTERNAL] * 3),
    *([StepKind.SIGNAL] * 2),
    *([StepKind.SLEEP] * 2),
    StepKind.DETACHED,
)


@lru_cache(maxsize=DIFFERENT_PLANS)
def numbered_plan(number: int) -> Plan:
    """Give the plan with a number: the same one always."""
    return _plan(Random(number), number)


def _plan(random: Random, number: int) -> Plan:
    steps: list[StepPlan] = []
    before: tuple[str, ...] = ()
    pivot_at = random.randrange(1, 5) if random.random() < 0.15 else None  # noqa: PLR2004
    for layer in range(random.choice((1, 2, 3, 3, 4, 5))):
        width = 1 if layer == pivot_at else random.choice((1, 1, 1, 2, 3))
        queue = random.choice(("default", "default", "default", "other"))
        names = tuple(f"s{layer}{'abc'[place]}" for place in range(width))
        for name in names:
            kind = StepKind.CALL if layer == pivot_at else random.choice(_KINDS)
            options = {"pivot": True} if layer == pivot_at else {}
            steps.append(_step(random, name, kind, after=before, queue=queue, **options))
        before = names
    timeout = random.randrange(15, 60) * SECOND if random.random() < 0.15 else None  # noqa: PLR2004
    return sealed(Plan(f"Flow{number}", tuple(steps), timeout=timeout))


def _step(random: Random, name: str, kind: StepKind, **options: Any) -> StepPlan:
    def chance(share: float) -> bool:
        return random.random() < share

    if kind is StepKind.SLEEP:
        return StepPlan(name, kind, duration=random.randrange(1, 8) * SECOND, decides=chance(0.2), **options)
    if kind is StepKind.SIGNAL:
        options["signals"] = random.choice((("go",), ("go", "stop"), ("stop",)))
        options["on_timeout"] = random.choice(("fail", "continue"))
        options["store_as"] = "shared" if chance(0.15) else None
        timeout = random.randrange(3, 15) * SECOND if chance(0.4) else None
        return StepPlan(name, kind, timeout=timeout, decides=chance(0.2), **options)
    options["retry"] = _policy(random, most=4)
    if kind is StepKind.DETACHED:
        return StepPlan(name, kind, **options)
    options |= _external_options(random) if kind is StepKind.EXTERNAL else _call_options(random)
    if chance(0.6):
        options |= _undo_options(random)
        if options.get("transactional"):
            options |= {"compensate_on": "completed", "undo_external": False}
    return StepPlan(name, kind, max_interruptions=3, **options)


def _call_options(random: Random) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if random.random() < 0.4:  # noqa: PLR2004
        options["timeout"] = random.randrange(1, 6) * SECOND
        options["abandon_after"] = random.choice((None, 0, 3 * SECOND))
    options["transactional"] = random.random() < 0.2  # noqa: PLR2004
    if options["transactional"]:
        return options
    options["verifies"] = random.random() < 0.2  # noqa: PLR2004
    options["at_most_once"] = random.random() < 0.15  # noqa: PLR2004
    return options


def _external_options(random: Random) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if random.random() < 0.5:  # noqa: PLR2004
        options["timeout"] = random.randrange(1, 15) * SECOND
        options["abandon_after"] = random.choice((None, 0, 3 * SECOND))
    options["verifies"] = random.random() < 0.2  # noqa: PLR2004
    options["at_most_once"] = random.random() < 0.2  # noqa: PLR2004
    options["store_as"] = "shared" if random.random() < 0.3 else None  # noqa: PLR2004
    if random.random() < 0.2:  # noqa: PLR2004
        options["heartbeat_timeout"] = random.randrange(2, 6) * SECOND
    return options


def _undo_options(random: Random) -> dict[str, Any]:
    return {
        "compensates": True,
        "compensate_on": "attempted" if random.random() < 0.15 else "completed",  # noqa: PLR2004
        "undo_external": random.random() < 0.15,  # noqa: PLR2004
        "undo_retry": _policy(random, most=5) if random.random() < 0.7 else None,  # noqa: PLR2004
    }


def _policy(random: Random, *, most: int) -> tuple[RetryPolicy, ...]:
    if random.random() < 0.2:  # noqa: PLR2004
        return ()
    delay = random.choice((0, 100_000, SECOND, 2 * SECOND))
    kind = random.choice(("fixed", "exponential"))
    jitter = random.random() < 0.5  # noqa: PLR2004
    return (RetryPolicy(random.randrange(2, most + 1), kind, delay, max_delay=8 * SECOND, jitter=jitter),)
