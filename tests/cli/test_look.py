"""list, show, explain, graph: what is there is shown, and nothing in it is taken for markup."""

import io
import subprocess
import sys

import pytest
from rich.console import Console

from active_workflow.cli import output

UNKNOWN = "01a20bf4-0000-7000-a000-000000000000"


def test_list_is_a_table_and_an_array(run, run_json, parcel) -> None:
    table = run("list").stdout.splitlines()
    assert table[0].split() == ["id", "workflow", "state", "accepted", "tags", "error"]
    assert table[1].startswith(f"{parcel}  Parcel    waiting")
    [found] = run_json("list")
    assert (found["id"], found["workflow"], found["state"]) == (parcel, "Parcel", "waiting")
    assert found["tags"] == {"shop": "eu"}


def test_children_say_whose_they_are(run, run_json, engine, flows) -> None:
    parent = engine.start("Mails", {}).id
    engine.run_until_idle()
    lines = run("list").stdout.splitlines()
    assert lines[0].endswith("child of")
    assert [line.endswith(parent) for line in lines[1:]] == [True, False]
    assert [one["parent_id"] for one in run_json("list")] == [parent, None]
    assert [one["id"] for one in run_json("list", "--no-children")] == [parent]
    assert "child of" not in run("list", "--no-children").stdout
    result = run("list", "--no-children", "--limit", "1")
    assert (len(result.stdout.splitlines()), result.stderr) == (2, "")


def test_an_empty_list(run, run_json) -> None:
    run("migrate")
    assert run_json("list") == []
    result = run("list")
    assert (result.exit_code, result.stdout) == (0, "")


@pytest.mark.parametrize(
    ("filters", "matches"),
    [
        (["--state", "waiting"], True),
        (["--state", "failed", "--state", "waiting"], True),
        (["--state", "completed"], False),
        (["--workflow", "Parcel"], True),
        (["--workflow", "Other"], False),
        (["--tag", "shop=eu"], True),
        (["--tag", "shop=us"], False),
        (["--since", "1h"], True),
        (["--since", "2020-01-01"], True),
        (["--since", "2999-01-01T00:00+01:00"], False),
    ],
)
def test_filters(run_json, parcel, filters, matches) -> None:
    assert [found["id"] for found in run_json("list", *filters)] == [parcel] * matches


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--state", "gone"], "'gone' is not one of"),
        (["--since", "yesterday"], "'yesterday' is no time: write 2h"),
        (["--tag", "eu"], "'eu' is no key=value"),
        (["--limit", "0"], "0 is not in the range"),
        (["--workflow", "\udcff"], "is no text in UTF-8"),
        (["--sate", "failed"], "No such option"),
    ],
)
def test_filters_that_are_none(run, arguments, told) -> None:
    result = run("list", *arguments)
    assert result.exit_code == 2
    assert told in result.stderr


def test_limit_says_that_there_are_more(run, run_json, flows) -> None:
    for number in range(3):
        run("start", "Parcel", f"order_id={number}", "--module", "flows")
    result = run("list", "--limit", "2", "--json")
    assert result.stdout.count('"id"') == 2
    assert "There are more" in result.stderr
    assert [found["idempotency_key"] for found in run_json("list", "--limit", "3")] == [
        "parcel:2",
        "parcel:1",
        "parcel:0",
    ]


def test_show_tells_each_step(run, parcel) -> None:
    page = run("show", parcel).stdout
    assert page.startswith(f"Parcel {parcel}  waiting\n")
    assert "pay       completed  1" in page
    assert "waits for its completion (job-1) until" in page
    assert "payment_id  pay_7" in page


def test_show_tells_where_an_error_was_raised(run, run_json, engine, flows) -> None:
    id = engine.start("Unrefundable", {}).id
    engine.run_until_idle()
    raised = 'raise ValueError("no\\nway")'
    assert raised not in run("show", id).stdout
    page = run("show", id, "--traceback").stdout
    assert raised in page
    assert 'raise ConnectionError("the bank is [red]closed[/red]")' in page
    assert raised in run_json("show", id)["steps"]["fail"]["error"]["traceback"]


def test_show_as_json(run_json, parcel) -> None:
    found = run_json("show", parcel)
    assert (found["id"], found["workflow"], found["state"]) == (parcel, "Parcel", "waiting")
    assert found["ctx"] == {"order_id": 7, "payment_id": "pay_7"}
    assert list(found["steps"]) == ["pay", "ship", "approval", "done"]
    ship = found["steps"]["ship"]
    assert (ship["state"], ship["attempts"], ship["correlation_id"]) == ("waiting", 1, "job-1")
    assert ship["timeout_at"] > ship["waiting_since"]


@pytest.mark.parametrize(
    "arguments", [["show"], ["show", "--json"], ["explain"], ["cancel"], ["retry"], ["pause"], ["resume"]]
)
def test_an_unknown_id_is_one_line_on_stderr(run, arguments) -> None:
    run("migrate")
    result = run(*arguments, UNKNOWN)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: there is no execution '{UNKNOWN}'")
    assert result.stderr.count("\n") == 1


def test_users_data_is_neither_markup_nor_control(run, run_json, engine, flows) -> None:
    who = "[bold red]Ada[/bold red]\x1b[2J\nsecond :smile: line"
    id = engine.start("Parcel", {"order_id": who}, tags={"[b]tag": "x\ny"}).id
    page = run("show", id).stdout
    assert r"[bold red]Ada[/bold red]\x1b[2J\nsecond :smile: line" in page
    assert r"[b]tag=x\ny" in run("list").stdout
    assert "\x1b" not in page
    assert run_json("show", id)["ctx"]["order_id"] == who


def test_errors_with_markup_and_lines(run, engine, flows) -> None:
    id = engine.start("Unrefundable", {}).id
    engine.run_until_idle()
    page = run("show", id).stdout
    assert "ConnectionError: the bank is [red]closed[/red]" in page
    assert r"ValueError: no\nway" in page
    assert run("list").stdout.count("\n") == 2


def test_redacted_keys_are_hidden_everywhere(run, run_json, engine, parcel, monkeypatch) -> None:
    monkeypatch.setenv("ACTIVE_WORKFLOW_REDACT", "token,payment_id")
    engine.complete_step(parcel, "ship", {"token": "t0ps3cret", "kept": 1})
    engine.signal(parcel, "approval")
    engine.run_until_idle()
    for arguments in (["show", parcel], ["show", parcel, "--json"], ["list", "--json"], ["list"]):
        assert "t0ps3cret" not in run(*arguments).output
    found = run_json("show", parcel)
    assert found["ctx"]["payment_id"] == "…"
    assert found["ctx"]["ship"] == {"token": "…", "kept": 1}
    assert found["result"] == {"token": "…", "seen": ["x"]}
    assert found["ctx"]["size"] == "small"


def test_a_result_that_is_the_value_of_a_redacted_key(run, run_json, engine, flows, monkeypatch) -> None:
    monkeypatch.setenv("ACTIVE_WORKFLOW_REDACT", "token")
    id = engine.start("Secretive", {}, tags={"token": "t0ps3cret"}).id
    engine.run_until_idle()
    for arguments in (["show", id], ["show", id, "--json"], ["list"], ["list", "--json"]):
        assert "t0ps3cret" not in run(*arguments).output
    assert run_json("show", id)["result"] == "…"


def test_ids_are_never_cut_on_a_narrow_terminal(monkeypatch) -> None:
    narrow = Console(width=40, file=io.StringIO(), force_terminal=True, color_system=None)
    monkeypatch.setattr(output, "console", lambda: narrow)
    output.show(
        output.table(("id", "error"), [(UNKNOWN, "a long story about what went wrong")], long=("error",))
    )
    lines = narrow.file.getvalue().splitlines()
    assert lines[1].startswith(f"{UNKNOWN}  a long story about")
    assert lines[2].split() == ["what", "went", "wrong"]


def test_an_enum_of_the_users_code_can_be_looked_at_without_it(run, engine, parcel, store) -> None:
    engine.complete_step(parcel, "ship")
    engine.signal(parcel, "approval")
    engine.run_until_idle()
    command = [sys.executable, "-m", "active_workflow", "show", parcel, "--store", store]
    page = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "size        (can't be read here: " in page
    assert page.startswith(f"Parcel {parcel}  completed\n")


def test_explain(run, run_json, parcel) -> None:
    told = run("explain", parcel)
    assert told.exit_code == 0
    assert "ship" in told.stdout
    assert run_json("explain", parcel) == {"id": parcel, "explanation": told.stdout.strip()}


def test_graph(run, run_json, flows) -> None:
    drawn = run("graph", "Parcel", "--module", "flows")
    assert drawn.exit_code == 0
    assert "approval" in drawn.stdout
    assert run_json("graph", "Parcel", "--module", "flows")["mermaid"] == drawn.stdout


def test_graph_of_an_unknown_workflow(run, flows) -> None:
    result = run("graph", "Parcle", "--module", "flows")
    assert result.exit_code == 1
    assert 'did you mean "Parcel"?' in result.stderr
