"""init and new: what they write works as it stands, and nothing is written over."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from active_workflow.cli.app import cli
from active_workflow.cli.new import _snake


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str):
    return CliRunner().invoke(cli, [*arguments], prog_name="active-workflow", catch_exceptions=False)


def python(*arguments: str):
    ran = subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize("where", ["", "app/flows"])
@pytest.mark.parametrize("name", ["Go", "Extraordinarily" + "Long" * 4 + "y"])
def test_what_new_writes_is_sound(folder, name, where) -> None:
    to = folder / where
    to.mkdir(parents=True, exist_ok=True)
    if where:
        for package in ("app", "app/flows"):
            (folder / package / "__init__.py").touch()
    told = json.loads(run("new", "workflow", name, "--folder", str(to), "--json").stdout)
    assert told["module"] == ".".join([*Path(where).parts, _snake(name)])
    python("ruff", "format", "--isolated", "--check", ".")
    python("ruff", "check", "--isolated", "--extend-select=I", ".")
    python("active_workflow", "check", told["module"])
    python("pytest", "-q", "-p", "no:cacheprovider", ".")


@pytest.mark.parametrize("name", ["Checkout", "HTTPCall", "Order2Cash", "A"])
def test_names(folder, name) -> None:
    assert run("new", "workflow", name).exit_code == 0
    assert _snake("HTTPCall") == "http_call"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("checkout", "write Checkout"),
        ("order-checkout", "write OrderCheckout"),
        ("Größe", "is no name for a class"),
        ("1st", "write one like Checkout"),
        ("", "write one like Checkout"),
        ("../Evil", "write Evil"),
        ("Json", "would hide another module"),
        ("Class", "would hide another module"),
        ("Pytest", "would hide another module"),
        ("Partner", "is taken"),
        ("X" * 37, "shorter"),
        ("Xx" * 13, "shorter"),
    ],
)
def test_names_that_are_none(folder, name, told) -> None:
    result = run("new", "workflow", name)
    assert result.exit_code == 2
    assert told in result.stderr
    assert not list(folder.iterdir())


@pytest.mark.parametrize("there", ["checkout.py", "test_checkout.py"])
def test_new_overwrites_nothing_and_writes_no_half(folder, there) -> None:
    (folder / there).write_text("mine")
    result = run("new", "workflow", "Checkout")
    assert result.exit_code == 1
    assert f"{there} is there already: nothing is overwritten" in result.stderr
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [(there, "mine")]


def test_init_in_an_empty_folder(folder) -> None:
    result = run("init")
    assert result.exit_code == 0
    assert tomllib.loads(Path("pyproject.toml").read_text()) == {
        "tool": {"active_workflow": {"store": "sqlite:///active_workflow.db"}}
    }
    python("active_workflow", "check", "workflows")
    python("ruff", "format", "--isolated", "--check", "workflows.py")
    again = run("init", "--json")
    assert json.loads(again.stdout) == {"written": [], "kept": ["pyproject.toml", "workflows.py"]}


def test_init_adds_to_a_project_and_keeps_what_there_is(folder) -> None:
    text = '[project]\nname = "shop"  # mine\n\n[tool.ruff]\nline-length = 100\n\n\n'
    Path("pyproject.toml").write_text(text)
    Path("workflows.py").write_text("mine = 1\n")
    result = run("init", "--store", "sqlite:////tmp/x.db")
    assert "workflows.py is there already: it stays as it is." in result.stdout
    assert Path("workflows.py").read_text() == "mine = 1\n"
    now = Path("pyproject.toml").read_text()
    assert now == f'{text.rstrip()}\n\n[tool.active_workflow]\nstore = "sqlite:////tmp/x.db"\n'


@pytest.mark.parametrize(
    ("store", "migrate"),
    [
        ("sqlite:///x.db", False),
        ("postgresql://host/db", True),
        ("mysql://host/db", True),
        ("redis://host/0", True),
    ],
)
def test_init_says_what_is_next(folder, store, migrate) -> None:
    lines = run("init", "--store", store).stdout.splitlines()
    first = lines[lines.index("Next:") + 1]
    assert first == ("  active-workflow migrate" if migrate else "  active-workflow worker workflows")


@pytest.mark.parametrize(
    ("store", "told"),
    [
        ("sqlite:/x.db", "is no URL"),
        ("memory://", "is gone with each process"),
        ("postgresql://ada:secret@host/db", "put it into ACTIVE_WORKFLOW_STORE instead"),
        ('sqlite:///a"b.db', "escape it with %"),
    ],
)
def test_init_with_a_store_that_is_none(folder, store, told) -> None:
    result = run("init", "--store", store)
    assert result.exit_code == 1
    assert told in result.stderr
    assert "secret" not in result.output
    assert not list(folder.iterdir())


def test_init_with_a_file_that_it_can_not_add_to(folder) -> None:
    for text in ("[broken", "tool = {ruff = {}}\n"):
        Path("pyproject.toml").write_text(text)
        result = run("init")
        assert result.exit_code == 1
        assert "can't be added to" in result.stderr
        assert Path("pyproject.toml").read_text() == text
        assert not Path("workflows.py").exists()
