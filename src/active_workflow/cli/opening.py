"""The engine of a command, and the user's modules that it needs."""

import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click

from active_workflow.dsl import Program, registry
from active_workflow.engine.default import configured_engine
from active_workflow.engine.engine import Engine
from active_workflow.errors import UnknownWorkflow
from active_workflow.store import MemoryStore
from active_workflow.store.readiness import ChecksTables


def import_modules(names: Sequence[str]) -> None:
    """Import the user's modules from the current folder or PYTHONPATH, in a project of Django's after setup.

    An error in one is printed whole, for it is the user's own code that has to be mended.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    _set_up_django()
    for name in names:
        try:
            import_module(name)
        except (Exception, SystemExit) as error:
            click.echo(_told(error), err=True, nl=False)
            raise click.ClickException(f"{name} can't be imported{_hint(name)}.") from error


def _set_up_django() -> None:
    """Do as ``manage.py`` does where the environment names Django's settings: models are ready then."""
    settings = os.environ.get("DJANGO_SETTINGS_MODULE")
    if not settings or find_spec("django") is None:
        return
    try:
        import_module("django").setup()
    except (Exception, SystemExit) as error:
        click.echo(_told(error), err=True, nl=False)
        raise click.ClickException(
            f"Django can't be set up with DJANGO_SETTINGS_MODULE={settings}{_hint(settings)}; "
            "unset it where Django is not wanted."
        ) from error


def _told(error: BaseException) -> str:
    """Give the traceback without the frames of this file and of the import itself."""
    told = traceback.TracebackException.from_exception(error)
    _shorten(told)
    return "".join(told.format())


def _shorten(told: traceback.TracebackException) -> None:
    kept = [frame for frame in told.stack if frame.filename != __file__ and not _is_importing(frame.filename)]
    told.stack = traceback.StackSummary.from_list(kept)
    for earlier in (told.__cause__, told.__context__):
        if earlier is not None:
            _shorten(earlier)


def _is_importing(filename: str) -> bool:
    return filename.startswith("<frozen importlib") or Path(filename).parent.name == "importlib"


def _hint(name: str) -> str:
    if name.endswith(".py") or "/" in name:
        dotted = name.removesuffix(".py").strip("./").replace("/", ".")
        return f": a module is named by dots, {dotted}"
    return f" (from {Path.cwd()} or PYTHONPATH)"


def needs_workflows(modules: Sequence[str]) -> None:
    """Refuse to go on where the modules that were imported define no workflow."""
    if not registry.programs():
        raise click.ClickException(f"{' and '.join(modules)} define no workflow: name the modules that do.")


def program_named(workflow: str, modules: Sequence[str]) -> Program:
    """Give a workflow by name; where no module was named, say that one is needed."""
    try:
        return registry.find(workflow)
    except UnknownWorkflow as error:
        if modules:
            raise
        raise click.ClickException(
            f"no workflow {workflow!r} is known here: name the module that defines it, --module app.workflows"
        ) from error


@contextmanager
def opened(store: str | None, modules: Sequence[str] = (), *, makes: bool = False) -> Iterator[Engine]:
    """Give an engine that runs nothing itself, and close it in the end.

    Args:
        store: From ``--store``; None takes what the modules have configured, else the settings.
        modules: Imported first.
        makes: Whether the store may be made or brought up to date; else it has to be there.
    """
    import_modules(modules)
    configured = configured_engine()
    if store is None and configured is not None:
        engine = configured.like(embedded=False)
    else:
        engine = Engine(store, embedded=False)
    with engine:
        refuse_memory(engine)
        if not makes and isinstance(engine.store, ChecksTables):
            engine.store.check()
        yield engine


def refuse_memory(engine: Engine) -> None:
    """Refuse a store that is gone with this process."""
    if isinstance(engine.store, MemoryStore):
        raise click.ClickException(
            "memory:// is a store inside one process: there is nothing in it here, and what this command did "
            "would be gone with it; name another with --store, such as sqlite:///workflows.db"
        )
