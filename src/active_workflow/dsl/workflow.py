"""``Workflow``: the base class of workflows. A subclass is compiled when it is made."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NoReturn, TypeGuard, Unpack, overload

from active_workflow.dsl.client import client
from active_workflow.dsl.compile import compile_workflow, read_settings
from active_workflow.dsl.ctx_argument import ctx_of
from active_workflow.dsl.ctx_var import CtxT
from active_workflow.dsl.handle import Execution
from active_workflow.dsl.options import WorkflowOptions
from active_workflow.dsl.program import Program
from active_workflow.dsl.registry import find, register
from active_workflow.dsl.starting import ManyKeywords, StartKeywords, split, start_options
from active_workflow.dsl.where import here
from active_workflow.errors import MisuseError, ReadOnlyError


class Workflow(Generic[CtxT]):
    """The base class of workflows; ``Workflow[CheckoutCtx]`` says the type of ctx.

    A subclass writes its steps in order. Class keywords: ``idempotency_key`` (a function of ctx),
    ``key_reuse``, ``defaults`` (options for all steps that call something), ``timeout`` (of the whole flow),
    ``version``, ``name`` (unless given the class's), ``queue``, ``ctx`` (its type, at run time only).

    Raises:
        DefinitionError: When a subclass is made and something in it can't be.
    """

    ctx: CtxT

    __aw_program__: ClassVar[Program | None] = None
    __aw_given__: ClassVar[Mapping[str, Any]] = {}

    def __init_subclass__(cls, **options: Unpack[WorkflowOptions]) -> None:
        super().__init_subclass__()
        where = here(cls.__qualname__)
        cls.__aw_given__ = options
        chain = [vars(base).get("__aw_given__", {}) for base in reversed(cls.__mro__)]
        settings = read_settings(chain, where)
        cls.__aw_program__ = compile_workflow(cls, settings, ctx_of(cls, Workflow, settings, where), where)
        if cls.__aw_program__ is not None:
            register(cls.__aw_program__, where)

    if not TYPE_CHECKING:  # type checkers would take the class for a function that never returns

        def __new__(cls, *_args: object, **_named: object) -> NoReturn:
            name = cls.__name__
            raise MisuseError(
                f"{name} is run by the engine, which makes its instances; write {name}.start(…)"
            )

    def __setattr__(self, name: str, value: object) -> None:
        raise ReadOnlyError(
            f"self.{name} would be lost, as each attempt has an instance of its own; write self.ctx.{name}"
        )

    def __delattr__(self, name: str) -> None:
        raise ReadOnlyError(f"self.{name} can't be deleted; to delete a key of ctx write del self.ctx.{name}")

    @overload
    @classmethod
    def start(cls, ctx: CtxT | Mapping[str, Any], /, **options: Unpack[StartKeywords]) -> Execution: ...
    @overload
    @classmethod
    def start(cls, **ctx: Any) -> Execution: ...
    @classmethod
    def start(cls, *given: Any, **keywords: Any) -> Execution:
        """Start an execution: ``Checkout.start(order_id=42)``, or ``Checkout.start({…}, run_at=…)``.

        Args:
            *given: ctx as one argument, a mapping or an instance of the ctx type; keywords are options then:
                ``idempotency_key``, ``key_reuse``, ``connection`` (whose transaction the start joins),
                ``run_at`` (an aware ``datetime``), ``tags``.
            **keywords: Without a positional argument, the keys of ctx.

        Returns:
            The execution; with an idempotency key used before, the one that holds it.

        Raises:
            ContextError: ctx or an option can't be.
            IdempotencyConflict: The key is held by an execution of another workflow or with another input.
        """
        program = program_of(cls)
        return client().start_program(program, *split(given, keywords))

    @overload
    @classmethod
    async def start_async(
        cls, ctx: CtxT | Mapping[str, Any], /, **options: Unpack[StartKeywords]
    ) -> Execution: ...
    @overload
    @classmethod
    async def start_async(cls, **ctx: Any) -> Execution: ...
    @classmethod
    async def start_async(cls, *given: Any, **keywords: Any) -> Execution:
        """Do what ``start`` does, awaited."""
        program = program_of(cls)
        return await client().start_program_async(program, *split(given, keywords))

    @classmethod
    def start_many(
        cls, ctxs: Iterable[CtxT | Mapping[str, Any]], /, **options: Unpack[ManyKeywords]
    ) -> list[Execution]:
        """Start many executions in one transaction.

        Args:
            ctxs: A mapping or an instance of the ctx type for each.
            **options: ``key_reuse``, ``connection``, ``run_at``, ``tags``, and ``on_conflict``: ``"raise"``
                (start nothing) or ``"skip"`` where an idempotency key is in conflict.

        Returns:
            The executions, in order.

        Raises:
            ContextError: A ctx or an option can't be.
            IdempotencyConflict: Keys are in conflict; the message lists every one.
        """
        program = program_of(cls)
        return client().start_programs(program, list(ctxs), start_options(options, ManyKeywords))

    @classmethod
    async def start_many_async(
        cls, ctxs: Iterable[CtxT | Mapping[str, Any]], /, **options: Unpack[ManyKeywords]
    ) -> list[Execution]:
        """Do what ``start_many`` does, awaited."""
        program = program_of(cls)
        return await client().start_programs_async(program, list(ctxs), start_options(options, ManyKeywords))


def _is_workflow(given: object) -> TypeGuard[type[Workflow[Any]]]:
    return isinstance(given, type) and issubclass(given, Workflow)


def program_of(workflow: object) -> Program:
    """Give the program of a workflow class, or of the workflow registered under a name.

    Raises:
        MisuseError: The class has no steps: it is a base for others.
        UnknownWorkflow: This process has defined none of that name.
        TypeError: It is neither.
    """
    if isinstance(workflow, str):
        return find(workflow)
    if not _is_workflow(workflow):
        raise TypeError(f"{workflow!r} is no workflow; give its class or its name")
    program = workflow.__aw_program__
    if program is None:
        raise MisuseError(
            f"{workflow.__name__} has no steps, so nothing to run; start a subclass that has some"
        )
    return program
