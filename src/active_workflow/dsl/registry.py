"""The workflows that this process has defined: the only way from a stored name to code."""

from threading import Lock

from active_workflow.dsl.names import module_name
from active_workflow.dsl.program import Program
from active_workflow.dsl.where import Where, listed, nearest
from active_workflow.errors import UnknownWorkflow

Key = tuple[str, int | str]
_programs: dict[Key, Program] = {}
_lock = Lock()


def register(program: Program, where: Where) -> None:
    """Make a workflow known under its name and version.

    A class of the same module, or one that is defined inside a function, takes the place of its predecessor.

    Raises:
        DefinitionError: An importable class of another module has the same name and version.
    """
    key = (program.name, program.version)
    with _lock:
        old = _programs.get(key)
        if old is not None and _clash(old.workflow, program.workflow):
            raise where.error(
                f"{_full(old.workflow)} and {_full(program.workflow)} are both workflow {program.name!r}, "
                f"version {program.version!r}; give one of them another name=, or move on with version="
            )
        _programs.pop(key, None)  # so that the last one defined is last
        _programs[key] = program


def _clash(old: type, new: type) -> bool:
    local = "<locals>" in old.__qualname__ or "<locals>" in new.__qualname__
    return not local and module_name(old.__module__) != module_name(new.__module__)


def _full(cls: type) -> str:
    return f"{module_name(cls.__module__)}.{cls.__qualname__}"


def find(name: str, version: int | str | None = None) -> Program:
    """Give a workflow by name.

    Args:
        name: Its registered name.
        version: Its version; without one the version defined last.

    Raises:
        UnknownWorkflow: This process has not defined it.
    """
    with _lock:
        found = [
            program
            for (known, label), program in _programs.items()
            if known == name and version in {None, label}
        ]
    if not found:
        known = sorted({program.name for program in programs()})
        said = name if version is None else f"{name} version {version!r}"
        raise UnknownWorkflow(
            f"no workflow {said!r} is defined here{nearest(name, known)}; import the module that defines it. "
            f"Defined: {listed(known)}"
        )
    return found[-1]


def lookup(name: str, version: int | str) -> Program | None:
    """Give the workflow for a stored plan: of this version if it is defined here, else of any; or None."""
    exact = _programs.get((name, version))  # without the lock, which every call would pass through
    if exact is not None:
        return exact
    with _lock:
        return next((program for program in reversed(_programs.values()) if program.name == name), None)


def programs() -> list[Program]:
    """Give all that are defined, in the order they were."""
    with _lock:
        return list(_programs.values())
