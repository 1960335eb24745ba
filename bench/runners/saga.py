"""python-saga-orchestrator: sagas in the application's own PostgreSQL, by SQLAlchemy and asyncio."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from typing import Any

from loguru import logger
from pydantic import BaseModel
from saga_orchestrator import BaseStep, SagaBuilder, SagaOrchestrator, SagaStateMixin, SagaStepHistoryMixin
from sqlalchemy import ForeignKey
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from bench.runners.command import main
from bench.runners.loops import Loop, endlessly
from bench.runners.runner import STEPS, VALUE, PostgresRunner

AT_ONCE = 16


class Base(DeclarativeBase):
    pass


class History(Base, SagaStepHistoryMixin):
    __tablename__ = "saga_history"
    saga_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("saga.id", ondelete="CASCADE"), index=True)


class Saga(Base, SagaStateMixin):
    __tablename__ = "saga"
    step_history: Mapped[list[History]] = relationship(
        "History", cascade="all, delete-orphan", order_by="History.id"
    )


class Input(BaseModel):
    n: str


class Output(BaseModel):
    value: str


class Step(BaseStep[Input, Output]):
    async def execute(self, inp: Input, event_type: str | None = None, event_payload: Any = None) -> Output:
        del inp, event_type, event_payload
        return Output(value=VALUE)


class SagaRunner(PostgresRunner):
    """python-saga-orchestrator."""

    TUNED = (
        f"{AT_ONCE} sagas at once in each process, on asyncpg with a pool as large; no log; a start runs the"
        " saga in the caller, so there is nothing to start ahead"
    )
    WORKLOADS = ("throughput", "latency")
    QUEUED = False
    DONE = "SELECT count(*) FROM saga WHERE status = 'COMPLETED'"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        logger.remove()
        self._loop = Loop()
        self._engine = create_async_engine(
            url.replace("postgresql:", "postgresql+asyncpg:"), pool_size=AT_ONCE, max_overflow=0
        )
        self._orchestrator = SagaOrchestrator[Saga, History](
            model_class=Saga,
            history_model_class=History,
            session_maker=async_sessionmaker(self._engine, expire_on_commit=False),
        )
        builder = SagaBuilder()
        for name in STEPS:
            builder.add_step(step=Step(), step_id=name, input_map=lambda ctx: Input(n=ctx.initial_data["n"]))
        self._orchestrator.register("five_steps", builder.build())

    def prepare(self) -> None:
        async def make() -> None:
            async with self._engine.begin() as connection:
                await connection.run_sync(Base.metadata.create_all)

        self._loop(make())

    async def _one(self) -> None:
        n = uuid.uuid4().hex
        await self._orchestrator.start(saga_name="five_steps", initial_data={"n": n}, aggregation_id=n)

    def work(self, stop: Event) -> None:
        self._loop(endlessly(self._one, AT_ONCE, stop))

    @contextmanager
    def serve(self) -> Iterator[None]:
        yield

    def one(self) -> None:
        self._loop(self._one())


if __name__ == "__main__":
    main(SagaRunner)
