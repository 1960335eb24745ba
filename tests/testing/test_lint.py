"""check: each finding where it belongs, and nowhere else."""

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

import active_workflow as aw
from active_workflow.dsl.workflow import program_of
from active_workflow.testing import check
from active_workflow.testing.lint.rules import RULES
from tests.testing import lint_flows as flows

ROOT = Path(__file__).parents[2]


def found(*what, **more):
    """Give the steps by finding."""
    steps = defaultdict(list)
    for finding in check(*what, **more):
        steps[finding.id].append(finding.step)
    return dict(steps)


@pytest.mark.parametrize(
    ("workflow", "expected"),
    [
        (flows.Bare, {"AW101": ["charge"]}),
        (flows.Early, {"AW102": ["first", "second"]}),
        (flows.Typed, {}),
        (flows.Endless, {"AW103": ["job"], "AW104": ["word"]}),
        (flows.Ends, {}),
        (flows.Again, {"AW105": ["api"]}),
        (flows.Crossing, {"AW106": ["left"]}),
        (flows.Doubt, {"AW107": ["letter"]}),
        (flows.Astray, {"AW108": ["lost"]}),
        (flows.Clean, {}),
    ],
)
def test_each_finding_is_where_it_belongs(workflow, expected):
    assert found(workflow, queues=["default", "slow"]) == expected


def test_what_a_finding_says():
    [finding, second] = check(flows.Early)
    line = Path(flows.__file__).read_text().splitlines()[finding.line - 1 :][:2]
    assert "def first(self):" in "".join(line)
    assert (
        str(finding)
        == repr(finding)
        == (
            f"{flows.__file__}:{finding.line}: AW102 Early.first: its undo reads ctx.later, which only third "
            "writes, after it; write ctx.get(…) and cope with None; "
            "or find it by ctx.step_key in the other system"
        )
    )
    assert "also runs for failed attempts, which have not written ctx.maybe" in second.problem


def test_modules_classes_and_programs():
    assert found(flows) == found(flows.__name__) == found(flows.Bare, flows)
    assert found(program_of(flows.Bare)) == found(flows.Bare)
    assert set(found(flows, queues=["default"])) == set(RULES)


def test_queues_are_those_of_the_setting_unless_given(monkeypatch):
    assert not check(flows.Astray)
    monkeypatch.setenv("ACTIVE_WORKFLOW_QUEUES", "default, slow")
    [finding] = check(flows.Astray)
    assert "no worker serves its queue 'slwo' (did you mean \"slow\"?): it would never run" in str(finding)
    assert not check(flows.Astray, queues=["default", "slwo"])


@pytest.mark.parametrize("ignore", ["AW101", "AW101:Bare", "AW101:Bare.charge"])
def test_what_is_ignored(ignore):
    assert not check(flows.Bare, ignore=[ignore])


@pytest.mark.parametrize("ignore", ["AW102", "AW101:Early", "AW101:Bare.other"])
def test_what_is_not_ignored(ignore):
    assert check(flows.Bare, ignore=[ignore])


def test_an_unknown_finding_to_ignore():
    with pytest.raises(ValueError, match="there is no finding 'AW999:Bare'; there are AW101"):
        check(flows, ignore=["AW999:Bare"])


def test_code_that_cannot_be_read_is_believed():
    source = """
import active_workflow as aw
class Nowhere(aw.Workflow):
    go = aw.task(lambda ctx: x(), retry=3)
"""
    names = {"__name__": "nowhere"}
    exec(source, names)
    assert found(names["Nowhere"]) == {"AW101": ["go"]}


def test_the_docs_explain_every_finding():
    page = (ROOT / "docs/howto/check-definitions.md").read_text()
    assert [line.split()[1] for line in page.splitlines() if line.startswith("## AW")] == list(RULES)


def test_the_examples_are_clean():
    def run(*arguments):
        command = [sys.executable, "-m", "active_workflow", "check", *arguments]
        return subprocess.run(command, cwd=ROOT / "examples", capture_output=True, text=True, check=False)

    assert run("checkout").returncode == run("broken.sound").returncode == 0


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "shop_flows.py").write_text(
        "import active_workflow as aw\n\n\ndef bank(): ...\n\n\n"
        "class Shop(aw.Workflow):\n    pay = aw.task(lambda ctx: bank())\n    word = aw.wait_for_signal()\n"
    )
    (tmp_path / "nothing_here.py").write_text("")

    def run(*arguments):
        command = [sys.executable, "-m", "active_workflow", "check", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def test_the_command(project):
    ran = project("shop_flows")
    assert ran.returncode == 1
    assert [line.split(": ")[1] for line in ran.stdout.splitlines()] == ["AW101 Shop.pay", "AW104 Shop.word"]
    assert "shop_flows.py:8: AW101" in ran.stdout
    assert ran.stderr == "2 findings: 1 of AW101, 1 of AW104\n"


def test_the_command_with_nothing_left(project):
    ran = project("shop_flows", "--ignore", "AW101:Shop.pay,AW104")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "Nothing found.\n")


def test_the_command_is_told_the_queues(project):
    told = project("shop_flows", "--queues", "slow", "--ignore", "AW101,AW104").stdout
    assert "AW108 Shop.pay: no worker serves its queue 'default'" in told


def test_the_pre_commit_hook_runs_as_it_stands(project):
    text = (ROOT / ".pre-commit-hooks.yaml").read_text()
    hook = dict(line.strip("- ").split(": ", 1) for line in text.splitlines() if line[:2] in {"- ", "  "})
    assert (hook["entry"], hook["language"], hook["pass_filenames"]) == (
        "active-workflow check",
        "system",
        "false",
    )
    assert project("shop_flows").returncode == 1


def test_the_command_as_json(project):
    ran = project("shop_flows", "--json", "--ignore", "AW104")
    assert ran.returncode == 1
    [finding] = json.loads(ran.stdout)
    assert (finding["id"], finding["workflow"], finding["step"], finding["line"]) == (
        "AW101",
        "Shop",
        "pay",
        8,
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nothing_here",), "define no workflow"),
        (("no_such_module",), "can't be imported"),
        (("shop_flows", "--ignore", "AW999"), "there is no finding 'AW999'"),
    ],
)
def test_the_command_says_what_is_wrong(project, arguments, told):
    ran = project(*arguments)
    assert ran.returncode in {1, 2}
    assert told in ran.stderr


def test_a_base_has_nothing_to_check():
    class Base(aw.Workflow): ...

    with pytest.raises(aw.MisuseError):
        check(Base)
