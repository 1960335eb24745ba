"""How each golden execution comes to its end, and that nothing of it is done twice on the way."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

import active_workflow as aw
from active_workflow.core.states import StepState
from tests.golden import flows
from tests.golden.stories import UNUSUAL, Clock

Act = Callable[[aw.Engine, aw.Execution], Any]

ACTS: Mapping[str, Act] = {
    "unusual_values": lambda _, x: x.signal("approval", True),
    "waits_for_signal": lambda _, x: x.signal("approval"),
    "waits_for_completion": lambda _, x: x.complete_step("ship", [1], correlation_id="job-1"),
    "failed_outside": lambda engine, x: engine.retry(x.id),
    "in_doubt": lambda engine, x: engine.resolve(x.id, "charge", landed=True, result={"charge": 5}),
    "compensation_failed": lambda engine, x: engine.retry(x.id),
    "past_the_pivot": lambda engine, x: engine.retry(x.id),
    "paused": lambda engine, x: engine.resume(x.id) and x.signal("approval"),
    "parallel": lambda _, x: x.complete_step("right", {"a": 1}) and x.signal("answer"),
}
"""What somebody outside does about it."""

ENDS = {
    "failed_outside": "failed",
    "lost_and_cancelled": "cancelled",
    "compensating": "failed",
    "compensation_failed": "failed",
    "moved": "paused",
    "failed": "failed",
    "cancelled": "cancelled",
}
"""Where it ends, if not completed."""

ODD_ATTEMPTS = {("lost", "charge"): 2, ("lost_and_cancelled", "charge"): 1, ("retry_delay", "reserve"): 2}


def finish_all(engine: aw.Engine, clock: Clock, *, moved: bool = True) -> None:
    """Bring every story of a store to its end, and check how it got there."""
    flows.BROKEN.clear()
    flows.LEDGER.clear()
    before = {x.id: x for x in engine.find()}
    clock.advance("2h")  # leases are over, and what was to be tried again has been
    engine.run_until_idle()
    for x in before.values():
        if x.parent_id is None and (act := ACTS.get(x.tags["story"])) is not None:
            assert act(engine, engine.get(x.id)), x.explain()
    for _ in range(5):
        engine.run_until_idle()
        clock.advance("1d")
    engine.run_until_idle()
    for x in engine.find():
        _check_end(x, before.get(x.id))
    if moved:
        [gone] = [x for x in before.values() if x.tags["story"] == "moved"]
        with pytest.raises(aw.ExecutionMoved, match="postgresql://elsewhere/db"):
            gone.signal("approval")


def _check_end(x: aw.Execution, before: aw.Execution | None) -> None:
    name = x.tags["story"]
    end = "completed" if x.parent_id else ENDS.get(name, "completed")
    assert x.state == end, f"{name}: {x.explain()}"
    if name == "unusual_values" and x.parent_id is None:
        assert {key: x.ctx[key] for key in UNUSUAL} == UNUSUAL
    for step in x.steps.values():
        key, odd = f"{x.id}:{step.name}", ODD_ATTEMPTS.get((name, step.name))
        earlier = before.steps[step.name] if before is not None else None
        over = earlier is not None and earlier.state in {StepState.COMPLETED, StepState.WAITING}
        assert flows.LEDGER[key] <= (0 if over else 1), (name, step)
        assert flows.LEDGER[f"{key}:undo"] <= 1, (name, step)
        if odd is not None:
            assert step.attempts == odd, (name, step)
