"""How a workflow is written down. The public names are re-exported at the front door."""

from active_workflow.dsl.client import Client, StartOptions, set_client, set_client_factory
from active_workflow.dsl.context import Ctx, Serializer
from active_workflow.dsl.ctx_view import CtxInfo
from active_workflow.dsl.current import StepInfo, current
from active_workflow.dsl.handle import Execution
from active_workflow.dsl.program import Program, StepCode
from active_workflow.dsl.retry import Retry
from active_workflow.dsl.step_def import StepDef, StepRef
from active_workflow.dsl.step_view import ErrorInfo, StepView
from active_workflow.dsl.steps import parallel, sleep, step, task, wait_for_signal
from active_workflow.dsl.tasks import Task
from active_workflow.dsl.verdict import NOT_LANDED, UNKNOWN, Landed
from active_workflow.dsl.workflow import Workflow, program_of

__all__ = [  # noqa: RUF022 - grouped by what they are for
    # Writing a workflow
    "Workflow",
    "Task",
    "step",
    "task",
    "sleep",
    "wait_for_signal",
    "parallel",
    "Retry",
    # ctx, and what runs now
    "Ctx",
    "CtxInfo",
    "StepInfo",
    "current",
    # What verify may answer
    "Landed",
    "NOT_LANDED",
    "UNKNOWN",
    # What start gives
    "Execution",
    "StepView",
    "ErrorInfo",
    "StepRef",
    "StepDef",
    # For the engine
    "Client",
    "Program",
    "Serializer",
    "StartOptions",
    "StepCode",
    "program_of",
    "set_client",
    "set_client_factory",
]
