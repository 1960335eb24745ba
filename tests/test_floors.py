"""The house rules that import-linter and ruff have no rule for."""

import ast
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1] / "src" / "active_workflow"
FILES = sorted(ROOT.rglob("*.py"))

THIRD_PARTY_HOMES = {
    "click": "cli",
    "rich": "cli",
    "psycopg": "store/postgres",
    "psycopg_pool": "store/postgres",
    "pymysql": "store/mysql",
    "redis": "store/redis",
    "pytest": "testing",
    "hypothesis": "testing/store_contract/model",
    "sqlalchemy": "store/joining/with_sqlalchemy",
    "django": "store/joining/with_django",
    "typing_extensions": "dsl/ctx_var",  # for type checkers only
}
"""Each third-party package and the one file (without .py) or folder that may import it."""

MAX_FILE_LINES = 320
MAX_FUNCTION_LINES = 40


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of each imported module, at any depth; ruff allows no relative imports."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "active_workflow":
            yield from ((node.lineno, floor_or_root(alias.name)) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module


def floor_or_root(name: str) -> str:
    """What `from active_workflow import name` imports: the floor of that name, else the root package."""
    is_floor = (ROOT / name).is_dir() or (ROOT / f"{name}.py").exists()
    return f"active_workflow.{name}" if is_floor else "active_workflow"


def functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_without_docstring(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    docstring = ast.get_docstring(function, clean=False)
    return function.end_lineno - function.lineno + 1 - (docstring.count("\n") + 1 if docstring else 0)


def place(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def assert_none(rule: str, offenders: list[str]) -> None:
    assert not offenders, "\n  ".join([rule, *offenders])


def test_nothing_inside_imports_the_front_door() -> None:
    assert_none(
        "the root package is for users; import from the module that defines the name:",
        [f"{place(file)}:{at}" for file in FILES for at, name in imports(file) if name == "active_workflow"],
    )


def test_third_party_packages_have_one_home_each() -> None:
    at_home = {*sys.stdlib_module_names, "active_workflow"}
    offenders = []
    for file in FILES:
        for line, name in imports(file):
            package = name.partition(".")[0]
            home = THIRD_PARTY_HOMES.get(package, "nowhere yet: give it a home in THIRD_PARTY_HOMES")
            if package not in at_home and not place(file).startswith((f"{home}.py", f"{home}/")):
                offenders.append(f"{place(file)}:{line}: {package} is at home in {home}")
    assert_none("a third-party package is imported in one file or folder only:", offenders)


def test_importing_the_library_imports_nothing_else() -> None:
    code = (
        "import sys; before = set(sys.modules)\n"
        "import active_workflow\n"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert_none(
        "`import active_workflow` pulls in:",
        sorted(set(loaded.split()) - sys.stdlib_module_names - {"active_workflow"}),
    )


def test_files_keep_to_their_budget() -> None:
    sizes = {file: file.read_text(encoding="utf-8").count("\n") for file in FILES}
    assert_none(
        f"files over {MAX_FILE_LINES} lines:",
        [f"{place(file)}: {lines}" for file, lines in sizes.items() if lines > MAX_FILE_LINES],
    )


def test_functions_keep_to_their_budget() -> None:
    assert_none(
        f"functions over {MAX_FUNCTION_LINES} lines without their docstring:",
        [
            f"{place(file)}:{function.lineno}: {function.name}: {lines_without_docstring(function)}"
            for file in FILES
            for function in functions(file)
            if lines_without_docstring(function) > MAX_FUNCTION_LINES
        ],
    )


def undocumented(owner: ModuleType | type, names: list[str]) -> Iterator[str]:
    """Functions and classes among an owner's names that say nothing, and the same among theirs."""
    for name in names:
        looked_up = isinstance(owner, ModuleType)  # the door's own names may be loaded when asked for
        value = getattr(owner, name) if looked_up else inspect.getattr_static(owner, name)
        is_class = inspect.isclass(value)
        if not is_class and not inspect.isroutine(value) and not isinstance(value, property):
            continue
        if not inspect.getdoc(getattr(owner, name) if inspect.isroutine(value) else value):
            yield f"{owner.__name__}.{name}"
        if is_class and value.__module__.startswith("active_workflow"):
            yield from undocumented(value, [own for own in vars(value) if not own.startswith("_")])


@pytest.mark.parametrize("door", ["active_workflow", "active_workflow.testing"])
def test_every_public_name_says_what_it_does(door: str) -> None:
    if not (ROOT.parent / door.replace(".", "/") / "__init__.py").exists():
        pytest.skip(f"{door} isn't built yet")
    module = importlib.import_module(door)
    names = getattr(module, "__all__", [])
    assert_none("public names without a docstring:", list(undocumented(module, names)))
