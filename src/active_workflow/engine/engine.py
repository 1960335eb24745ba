"""The engine: starts executions, runs them, and answers for them, over one store."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from logging import Logger
from typing import Any, Self, Unpack

from active_workflow.core.snapshot import Execution as Snapshot
from active_workflow.dsl.client import StartOptions
from active_workflow.dsl.durations import Duration
from active_workflow.dsl.handle import Execution
from active_workflow.dsl.program import Program
from active_workflow.dsl.starting import ManyKeywords, StartKeywords, start_options
from active_workflow.dsl.workflow import Workflow, program_of
from active_workflow.engine.hosting import Host
from active_workflow.engine.joining import Joining
from active_workflow.engine.notices import publish
from active_workflow.engine.options import EngineOptions, check_names
from active_workflow.engine.settings import (
    DEFAULT_STORE,
    clock_in_micros,
    configured,
    default_logger,
    settings_from,
)
from active_workflow.engine.starting import Accepted, Owner, Starter
from active_workflow.engine.transactional import inside
from active_workflow.engine.twins import AsyncTwins
from active_workflow.engine.worker import Worker
from active_workflow.errors import ConfigurationError
from active_workflow.store.base import Lease, Store
from active_workflow.store.serializer import JsonSerializer, Serializer, embeddable
from active_workflow.store.url import open_store

MOST_TAKEN_AT_ONCE = 100
"""A start of more executions than this leaves them to whoever claims them."""


class Engine(AsyncTwins):
    """Starts executions, runs them and answers for them. May be used from many threads, and after a fork.

    Args:
        store: A store, or its URL: ``"sqlite:///workflows.db"``, ``"memory://"``; None asks the settings.
        embedded: Whether this process runs executions itself once it starts or awaits one.
        dispatcher: Who wakes a runner, in place of the embedded worker.
        serializer: ``"json"`` or an object with ``dump(value) -> str`` and ``load(text) -> value``.
        clock: A callable that gives an aware UTC datetime, which then decides everywhere.
        logger: Where to log; ``logging.getLogger("active_workflow")`` unless given.
        lease: How long a claim lasts without being renewed.
        poll_interval: How often to look for due executions when nothing hints at any.
        grace: How long running steps are given when the process ends.
        concurrency: How many steps run at once.
        listen: Whether to take the store's hints.
        worker_name: The readable part of the worker's name.
        redact: Keys of ctx that are never shown.
        queues: Whose steps the worker runs; None is all.

    Raises:
        ConfigurationError: A setting can't be used, or there is none of this name.
    """

    def __init__(self, store: Store | str | None = None, **options: Unpack[EngineOptions]) -> None:
        check_names(options)
        self._options = options
        clock, dispatcher = clock_in_micros(options.get("clock")), options.get("dispatcher")
        self.logger = options.get("logger") or default_logger
        self.settings = settings_from(options)
        self.store = _store_from(store, clock, self.logger)
        super().__init__(
            Host(
                self.store,
                _serializer_from(options.get("serializer")),
                self.settings,
                clock=clock,
                logger=self.logger,
                dispatcher=dispatcher,
            )
        )
        self._starter = Starter(self.store, self.serializer)
        self._joining = Joining(self._host, self._starter)

    def like(self, store: Store | str | None = None, **options: Unpack[EngineOptions]) -> "Engine":
        """Make an engine that is set up like this one, but for what is given."""
        merged: EngineOptions = {**self._options, **options}
        return Engine(store or self.store, **merged)

    def _handle(self, snapshot: Snapshot) -> Execution:
        return Execution(snapshot, self)

    # --- Starting -----------------------------------------------------------------------------------

    def start_program(self, program: Program, ctx: object, options: StartOptions) -> Execution:
        """Start one execution of a program; users write ``Checkout.start(…)``."""
        return self.start_programs(program, [ctx], options)[0]

    def start_programs(
        self, program: Program, ctxs: Sequence[object], options: StartOptions
    ) -> list[Execution]:
        """Start executions in one transaction and answer in order."""
        if options.connection is not None or inside(self.store):
            return [self._handle(x) for x in self._joining.start(program, ctxs, options)]
        now = self._host.now()
        worker = self._host.ensure_worker()
        owner = self._owner(worker, program, len(ctxs))
        accepted = self._starter.start(program, ctxs, options, now=now, owner=owner)
        self._take_over(accepted, now, worker)
        return self._handles(accepted)

    async def start_program_async(self, program: Program, ctx: object, options: StartOptions) -> Execution:
        """Do what ``start_program`` does, awaited."""
        return (await self.start_programs_async(program, [ctx], options))[0]

    async def start_programs_async(
        self, program: Program, ctxs: Sequence[object], options: StartOptions
    ) -> list[Execution]:
        """Do what ``start_programs`` does, awaited."""
        if options.connection is not None:
            return [self._handle(x) for x in await self._joining.start_async(program, ctxs, options)]
        return await asyncio.to_thread(self.start_programs, program, ctxs, options)

    def start(
        self, workflow: type[Workflow[Any]] | str, ctx: object, **options: Unpack[StartKeywords]
    ) -> Execution:
        """Start an execution of a workflow given by class or registered name.

        Args:
            workflow: The class or its name.
            ctx: A mapping, or an instance of the workflow's ctx type.
            options: ``idempotency_key, key_reuse, connection, run_at, tags``.
        """
        return self.start_program(program_of(workflow), ctx, start_options(options))

    def start_many(
        self,
        workflow: type[Workflow[Any]] | str,
        ctxs: Sequence[object],
        **options: Unpack[ManyKeywords],
    ) -> list[Execution]:
        """Start many executions of a workflow given by class or name, in one transaction."""
        return self.start_programs(program_of(workflow), ctxs, start_options(options, ManyKeywords))

    async def start_async(
        self, workflow: type[Workflow[Any]] | str, ctx: object, **options: Unpack[StartKeywords]
    ) -> Execution:
        """Do what ``start`` does, awaited; ``connection`` may be an asynchronous one then."""
        return await self.start_program_async(program_of(workflow), ctx, start_options(options))

    async def start_many_async(
        self,
        workflow: type[Workflow[Any]] | str,
        ctxs: Sequence[object],
        **options: Unpack[ManyKeywords],
    ) -> list[Execution]:
        """Do what ``start_many`` does, awaited; ``connection`` may be an asynchronous one then."""
        return await self.start_programs_async(
            program_of(workflow), ctxs, start_options(options, ManyKeywords)
        )

    def _owner(self, worker: Worker | None, program: Program, count: int) -> Owner | None:
        """Give the worker that takes new executions over with the insert itself, if it may and has room."""
        if worker is None or count > min(worker.room, MOST_TAKEN_AT_ONCE):
            return None
        queues = self.settings.queues
        if queues is not None and any(s.queue not in queues for s in program.plan.steps if not s.after):
            return None
        return Owner(worker.name, self.settings.lease, self.settings.queues)

    def _take_over(self, accepted: Sequence[Accepted], now: int, worker: Worker | None) -> None:
        new = [one.new for one in accepted if one.new is not None]
        publish([(None, execution) for execution in new], now, self.serializer)
        held = [one.new for one in accepted if one.new is not None and one.held]
        if worker is not None:
            good_until = now + self.settings.lease
            self._give_back([x for x in held if not worker.adopt(x, good_until)])
        self._host.wake([x.id for x in new], hint=not all(one.held for one in accepted))

    def _give_back(self, new: Sequence[Snapshot]) -> None:
        """Let others run what was to be taken over by a worker that has ended meanwhile."""
        if new:
            self.store.release([Lease(x.id, x.token) for x in new], {x.id: x.run_at for x in new})

    def _handles(self, accepted: Sequence[Accepted]) -> list[Execution]:
        holders = [one.id for one in accepted if one.new is None]
        found: Mapping[str, Snapshot] = (
            {x.id: x for x in self.store.load(list(dict.fromkeys(holders)))} if holders else {}
        )
        return [self._handle(one.new or found[one.id]) for one in accepted]

    # --- Running ------------------------------------------------------------------------------------

    def run_until_idle(self) -> int:
        """Run everything that is due in this thread, and come back when nothing is; give the calls made."""
        return self._host.run_until_idle()

    def start_worker(self) -> None:
        """Start this process's worker now, for every workflow it can serve."""
        self._host.start_worker(own_workflows_only=False)

    def drain(self, grace: Duration | None = None) -> bool:
        """Stop this process's worker; True when nothing that ran was cut off."""
        return self._host.drain(grace)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[Self]:
        """Run this process's worker with async steps on the caller's loop, until the block ends."""
        loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._host.drain)  # one that runs already has another loop
        await asyncio.to_thread(self._host.start_worker, loop=loop)
        try:
            yield self
        finally:
            await asyncio.to_thread(self._host.drain)

    @property
    def has_worked(self) -> bool:
        """Whether a worker of this process has run."""
        return self._host.worker is not None

    def close(self) -> None:
        """Drain the worker and close the store."""
        self._host.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _store_from(given: Store | str | None, clock: Callable[[], int] | None, logger: Logger) -> Store:
    if given is not None and not isinstance(given, str):
        return given
    url = given or configured().get("store")
    if url is None:
        url = DEFAULT_STORE
        logger.info("no store is configured: executions are kept in %s", url)
    return open_store(url, clock)


def _serializer_from(given: str | Serializer | None) -> Serializer:
    if given is None or given == "json":
        return JsonSerializer()
    if isinstance(given, str) or not (hasattr(given, "dump") and hasattr(given, "load")):
        raise ConfigurationError(
            f'serializer={given!r}: write "json", or give an object with dump(value) -> str and load(text)'
        )
    return embeddable(given)
