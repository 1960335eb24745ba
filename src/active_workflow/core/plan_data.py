"""A plan as plain data, in one canonical form: what is stored once by hash, and what is hashed."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from active_workflow.core.plan import Plan, StepKind, StepPlan
from active_workflow.core.retry import RetryPolicy

FORMAT = 1
"""The format number of stored plans; a later one that renames or drops a field raises it."""


def plan_to_data(plan: Plan) -> dict[str, Any]:
    """Give the plan as JSON-ready data; fields that hold their default are left out."""
    return {
        "format": FORMAT,
        "workflow": plan.workflow,
        "version": plan.version,
        "timeout": plan.timeout,
        "steps": [_step_to_data(step) for step in plan.steps],
    }


def plan_from_data(data: Mapping[str, Any]) -> Plan:
    """Give the plan that ``plan_to_data`` wrote; an unknown format raises ValueError."""
    if data.get("format") != FORMAT:
        raise ValueError(f"plan format {data.get('format')!r}: this version reads {FORMAT}")
    return sealed(
        Plan(
            workflow=data["workflow"],
            version=data["version"],
            timeout=data["timeout"],
            steps=tuple(_step_from_data(step) for step in data["steps"]),
        )
    )


def sealed(plan: Plan) -> Plan:
    """Give the same plan with its hash filled in."""
    text = json.dumps(plan_to_data(plan), sort_keys=True, separators=(",", ":"))
    return replace(plan, hash=hashlib.sha256(text.encode()).hexdigest()[:32])


def detached(plan: Plan, name: str) -> Plan:
    """Give the plan of the execution that a fire-and-forget step becomes: that step alone.

    Its condition was asked before it became one, and is not asked again.
    """
    step = replace(plan.by_name[name], kind=StepKind.CALL, after=(), decides=False)
    return sealed(Plan(workflow=plan.workflow, version=plan.version, steps=(step,)))


def _step_to_data(step: StepPlan) -> dict[str, Any]:
    data = _moved_fields(step)
    for key in ("retry", "undo_retry"):
        if data.get(key) is not None:
            data[key] = [_moved_fields(policy) for policy in data[key]]
    return data


def _step_from_data(data: Mapping[str, Any]) -> StepPlan:
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in data.items()
    }
    for key in ("retry", "undo_retry"):
        if values.get(key) is not None:
            values[key] = tuple(_policy_from_data(policy) for policy in values[key])
    values["kind"] = StepKind(values.get("kind", StepKind.CALL))
    return StepPlan(**values)


def _policy_from_data(data: Mapping[str, Any]) -> RetryPolicy:
    values: dict[str, Any] = {**data, "on": tuple(data.get("on", ()))}
    return RetryPolicy(**values)


def _moved_fields(value: StepPlan | RetryPolicy) -> dict[str, Any]:
    """Give the fields that differ from their default: a new field with a default keeps every old hash."""
    return {
        item.name: getattr(value, item.name)
        for item in fields(value)
        if getattr(value, item.name) != item.default
    }
