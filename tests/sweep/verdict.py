"""The verdict on one run, from the ledger of its steps and what the store has in the end."""

from collections import Counter

from active_workflow.dsl.handle import Execution
from tests.ledger import Entry
from tests.sweep.scenarios import Scenario


def judge(scenario: Scenario, execution: Execution, child: Execution | None, lines: list[Entry], repeats: int) -> None:
    """Fail where the promise was not kept; ``repeats`` calls may have been made in vain."""
    told = f"{execution.state} {execution.steps!r}\n" + "\n".join(map(str, lines))
    assert execution.state == scenario.state, told
    spare = repeats
    for name in scenario.done:
        step = child.steps[name] if child is not None and name == "letter" else execution.steps[name]
        mine = [line for line in lines if line.step == name]
        spare -= _check_run(step, mine, told)
        undone = [line for line in mine if line.phase.startswith("undo")]
        assert bool(undone) == (name in scenario.undone), told
        spare -= _check_undo(step, undone, told) if undone else 0
    assert spare >= 0, f"more than {repeats} calls in vain: {told}"
    known = [line for line in lines if line.step in scenario.done or line.phase in ("begin", "raise")]
    assert known == lines, told
    _check_order(scenario, lines, told)
    if child is not None:
        assert child.state == "completed", told


def _check_run(step, lines: list[Entry], told: str) -> int:
    """What is recorded of a step is what its last call did; give how many calls were in vain."""
    begins = [line.attempt for line in lines if line.phase == "begin"]
    assert begins, told
    assert begins == sorted(set(begins)), told
    assert begins[-1] == step.attempts, told
    ends = [line for line in lines if line.phase == "end"]
    assert ends[-1].attempt == step.attempts, told
    assert step.result in ([*ends[-1].seen], {"n": 1}), told
    return len(begins) - 1 - sum(line.phase == "raise" for line in lines)


def _check_undo(step, lines: list[Entry], told: str) -> int:
    assert step.state == "compensated", told
    counts = Counter(line.phase for line in lines)
    assert lines[-1].phase == "undo-end", told
    assert all(line.seen[0] == step.name for line in lines), told
    return counts["undo-begin"] - 1


def _check_order(scenario: Scenario, lines: list[Entry], told: str) -> None:
    """No step began before the one that it comes after was recorded for good; undo went backwards."""
    first_undo = next((n for n, line in enumerate(lines) if line.phase.startswith("undo")), len(lines))
    assert not [line for line in lines[first_undo:] if not line.phase.startswith("undo")], told
    undone = [line.step for line in lines[first_undo:] if line.phase == "undo-begin"]
    assert [name for n, name in enumerate(undone) if name not in undone[:n]] == list(scenario.undone), told
    assert undone == sorted(undone, key=scenario.undone.index), told
    if scenario.together == 1:
        begun = [line.step for line in lines[:first_undo] if line.phase == "begin"]
        assert begun == sorted(begun), told  # once a later step has begun, an earlier one never runs again
