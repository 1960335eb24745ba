"""Random plans: chains and parallel groups of every kind of step, with every policy that the law knows."""

from typing import Any

from hypothesis import strategies as st

from active_workflow.core.plan import Plan, StepKind, StepPlan
from active_workflow.core.plan_data import sealed
from active_workflow.core.retry import RetryPolicy

_policies = st.sampled_from(
    [
        (),
        (),
        (RetryPolicy(max=2, backoff="fixed", delay=3),),
        (RetryPolicy(max=3, first_delay=1, jitter=True),),
        (RetryPolicy(max=None, delay=2, max_elapsed=20),),
        (RetryPolicy(max=2, delay=1, on=("app.Boom",)), RetryPolicy(max=1)),
    ]
)
_rarely = st.sampled_from([True, False, False, False])
_limits = st.sampled_from([None, None, 4, 11])
_kinds = st.sampled_from([*StepKind, StepKind.CALL, StepKind.CALL, StepKind.EXTERNAL, StepKind.SIGNAL])


@st.composite
def steps(draw: st.DrawFn, name: str, after: tuple[str, ...], *, alone: bool) -> StepPlan:
    kind = draw(_kinds)
    options: dict[str, Any] = {"name": name, "after": after, "kind": kind}
    if kind.calls:
        options |= {
            "retry": draw(_policies),
            "timeout": draw(_limits),
            "compensates": not draw(_rarely),
            "compensate_on": "attempted" if draw(_rarely) else "completed",
            "undo_retry": draw(st.one_of(st.none(), _policies)),
            "undo_external": draw(_rarely),
            "undo_timeout": draw(_limits),
            "verifies": draw(_rarely),
            "at_most_once": draw(_rarely),
            "transactional": draw(_rarely),
            "pivot": alone and draw(_rarely),
            "abandon_after": draw(_limits),
            "max_interruptions": draw(st.sampled_from([1, 5])),
            "heartbeat_timeout": draw(_limits),
        }
    elif kind is StepKind.SIGNAL:
        options |= {
            "signals": draw(st.sampled_from([("go",), ("stop",), ("go", "stop")])),
            "timeout": draw(_limits),
            "on_timeout": draw(st.sampled_from(["fail", "continue"])),
            "decides": draw(_rarely),
            "retry": draw(_policies),
        }
    elif kind is StepKind.SLEEP:
        options |= {"duration": draw(st.sampled_from([0, 5, None])), "decides": draw(_rarely)}
    else:
        options |= {"decides": draw(_rarely)}
    return StepPlan(**options)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Draw groups that follow each other; the steps of a group may run side by side."""
    planned: list[StepPlan] = []
    before: tuple[str, ...] = ()
    for size in draw(st.lists(st.sampled_from([1, 1, 1, 2, 3]), min_size=1, max_size=4)):
        names = tuple(f"s{len(planned) + n}" for n in range(size))
        pivots = size == 1 and not any(step.pivot for step in planned)
        planned += [draw(steps(name, before, alone=pivots)) for name in names]
        before = names
    return sealed(Plan("Flow", tuple(planned), timeout=draw(st.sampled_from([None, None, 30, 90]))))
