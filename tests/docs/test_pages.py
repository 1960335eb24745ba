"""The documentation is whole: what the code has is there, and what is made from the code is up to date."""

import inspect
import re
from dataclasses import fields
from pathlib import Path

import click
import pytest

import active_workflow as aw
from active_workflow import errors
from active_workflow.cli.app import cli
from active_workflow.core import notices
from active_workflow.core.states import State, StepState
from active_workflow.dsl import options
from active_workflow.dsl.starting import ManyKeywords, StartKeywords
from active_workflow.engine.options import EngineOptions
from active_workflow.engine.settings import PREFIX, Settings
from tests.docs.generated import pages, renewed
from tests.docs.pages import PAGES, ROOT, name_of

DOCS = ROOT / "docs"
DECISIONS = sorted(DOCS.glob("decisions/0*.md"))


def text_of(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def lacking(names: object, text: str) -> list[str]:
    """Give the names that are nowhere in the text as code."""
    known = {word for code in re.findall(r"`([^`\n]+)`", text) for word in re.findall(r"[\w.-]+", code)}
    return sorted(name for name in names if name not in known)  # type: ignore[attr-defined]


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_generated_parts_are_up_to_date(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert renewed(text) == text, "run: .venv/bin/python -m tests.docs.generated"


def test_every_option_is_told() -> None:
    starts = StartKeywords.__annotations__ | ManyKeywords.__annotations__
    known = options.STEP | options.WAIT | options.SLEEP | options.WORKFLOW | frozenset(starts)
    assert not lacking(known, text_of("reference/options.md"))
    assert not lacking(options.STEP, text_of("howto/write-a-workflow.md"))


def test_every_argument_of_retry_is_told() -> None:
    names = {item.name for item in fields(aw.Retry) if item.init}
    assert not lacking(names, text_of("howto/retries.md"))


def test_every_error_is_told() -> None:
    names = {
        name for name, cls in vars(errors).items() if isinstance(cls, type) and issubclass(cls, Exception)
    }
    assert not lacking(names, text_of("reference/errors.md").replace("aw.", ""))


def test_every_state_is_told() -> None:
    assert not lacking([*State, *StepState], text_of("explanation/states.md"))


def test_every_event_is_told() -> None:
    source = inspect.getsource(notices)
    names = set(re.findall(r'"((?:step|execution|retry|signal)\.\w+)"', source))
    turns = inspect.getsource(notices._heads) + inspect.getsource(notices._tails)
    names |= {f"execution.{name}" for name in re.findall(r'yield "(\w+)"', turns)}
    names |= {f"execution.{state}" for state in State if state.terminal}
    names |= {"execution.compensating", "execution.compensation_failed", "signal.received"}
    assert not lacking(names, text_of("reference/events.md"))


def test_every_setting_is_told() -> None:
    names = {item.name for item in fields(Settings)} | {"store"}
    variables = {PREFIX + name.upper() for name in names}
    told = names | set(EngineOptions.__annotations__) | variables
    assert not lacking(told, text_of("reference/settings.md"))


def test_the_defaults_of_settings_are_right() -> None:
    told = dict(
        re.findall(r"^\| `(\w+)` \| `\w+` \| `(\w+)` \|", text_of("reference/settings.md"), re.MULTILINE)
    )
    plain = Settings()
    assert told == {
        "embedded": str(plain.embedded).lower(),
        "listen": str(plain.listen).lower(),
        "concurrency": str(plain.concurrency),
        **{name: f"{getattr(plain, name) // 1_000_000}s" for name in ("lease", "poll_interval", "grace")},
    }


def test_every_command_and_its_options_are_told() -> None:
    rows = {}
    for row in text_of("reference/cli.md").splitlines():
        if row.startswith("| `"):
            rows.update(dict.fromkeys(re.findall(r"`(\w+)[^`]*`", row.split("|")[1]), row))
    context = click.Context(cli)
    names = cli.list_commands(context)
    assert rows.keys() == set(names)
    for name in names:
        command = cli.get_command(context, name)
        assert command is not None
        flags = {flag for option in command.params for flag in option.opts if flag.startswith("--")}
        assert not [flag for flag in flags - {"--store", "--json", "--help"} if flag not in rows[name]], name
        assert ("--json" in flags) == (name not in {"worker", "demo"}), name


def test_every_public_name_is_told() -> None:
    told = " ".join(page.read_text(encoding="utf-8") for page in PAGES)
    names = {name.removesuffix("_async") for name in aw.__all__}
    assert not [name for name in sorted(names) if not re.search(rf"\b{name}\b", told)]


@pytest.mark.parametrize("page", DECISIONS, ids=name_of)
def test_decisions_have_their_form(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.match(r"# \d+\. .+\n\n\d{4}-\d\d-\d\d · (accepted|replaced by \d+)\n\n## Context\n", text)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert int(page.name[:4]) == int(text[2 : text.index(".")])
