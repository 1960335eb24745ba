"""Puts a worker together: scheduler, driver, pool and the calls of today's code."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from active_workflow.core.needs import needs
from active_workflow.core.plan import Plan
from active_workflow.core.snapshot import Execution
from active_workflow.dsl import registry
from active_workflow.dsl.program import Program
from active_workflow.engine.call import Call, Report
from active_workflow.engine.calls import Caller
from active_workflow.engine.clock import StoreClock
from active_workflow.engine.driver import Driver
from active_workflow.engine.ids import new_worker_name
from active_workflow.engine.inline import InlineRunner
from active_workflow.engine.pool import Pool
from active_workflow.engine.scheduler import Scheduler, Transition, WorkerSettings
from active_workflow.engine.settings import Settings
from active_workflow.engine.transactional import Transactional
from active_workflow.engine.worker import Worker
from active_workflow.store.base import Store
from active_workflow.store.serializer import Serializer


@dataclass(frozen=True, slots=True)
class Parts:
    """What every worker of an engine shares."""

    store: Store
    settings: Settings
    serializer: Serializer
    clock: StoreClock
    on_recorded: Callable[[Sequence[Transition]], None]
    own_workflows_only: bool = True

    def scheduler(self) -> Scheduler:
        """Make the mind of a worker."""
        queues = self.settings.queues
        settings = WorkerSettings(
            name=new_worker_name(self.settings.worker_name),
            lease=self.settings.lease,
            poll_interval=self.settings.poll_interval,
            concurrency=self.settings.concurrency,
            queues=None if queues is None else frozenset(queues),
            workflows=_defined if self.own_workflows_only else None,
            one_transaction=getattr(self.store, "one_at_a_time", False),
        )
        return Scheduler(settings, why_not_served, random.random)

    def driver(self, scheduler: Scheduler) -> Driver:
        """Make the hands of a scheduler."""
        return Driver(scheduler, self.store, self.clock.now, self.on_recorded, self.clock.set)

    def caller(self, wait_for: Callable[[Awaitable[Any]], Any]) -> Caller:
        """Make what calls user code."""
        now, roll = self.clock.now, random.random
        transactional = Transactional(self.store, now, roll, self.settings.lease)
        return Caller(program_of, self.serializer, now, roll, wait_for, transactional=transactional)


def make_worker(parts: Parts, loop: asyncio.AbstractEventLoop | None = None) -> Worker:
    """Make a worker with threads; ``loop`` is where its async steps run, None makes one."""
    scheduler = parts.scheduler()

    def wait_for(awaitable: Awaitable[Any]) -> Any:
        return worker.pool.loop.wait_for(awaitable)

    caller = parts.caller(wait_for)

    def make_pool(report: Callable[[Report], Call | None], report_async: Callable[[Report], None]) -> Pool:
        return Pool(
            parts.settings.concurrency,
            "active-workflow",
            is_async=caller.is_async,
            call=caller.call,
            call_async=caller.call_async,
            report=report,
            report_async=report_async,
            loop=loop,
        )

    worker = Worker(scheduler, parts.driver(scheduler), parts.clock, make_pool)
    return worker


def make_inline_runner(parts: Parts) -> InlineRunner:
    """Make a worker without threads."""
    return InlineRunner(parts.driver(parts.scheduler()), parts.caller(_run_to_end))


def program_of(plan: Plan) -> Program:
    """Give today's code of a workflow; raise UnknownWorkflow where there is none."""
    return registry.lookup(plan.workflow, plan.version) or registry.find(plan.workflow)


def why_not_served(execution: Execution) -> str | None:
    """Say why the code of this process can't run an execution; None: it can."""
    plan = execution.plan
    program = registry.lookup(plan.workflow, plan.version)
    if program is None:
        return f"no workflow {plan.workflow!r} is defined in this process: import its module"
    if plan.hash == program.plan.hash:
        return None
    return "; ".join(lack.reason for lack in program.lacks(plan, needs(execution))) or None


def _defined() -> frozenset[str]:
    return frozenset(program.name for program in registry.programs())


def _run_to_end(awaitable: Awaitable[Any]) -> Any:
    async def awaited() -> Any:
        return await awaitable

    return asyncio.run(awaited())
