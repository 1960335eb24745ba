"""Moves executions from one store to another, over nothing but the stores' contract."""

from active_workflow.engine.copying.copy import copy_executions as copy_executions
from active_workflow.engine.copying.report import Copied as Copied
