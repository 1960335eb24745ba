"""start, signal, complete, fail, cancel, retry, resolve, pause, resume, migrate, prune."""

import json

import pytest
from click.testing import CliRunner

from active_workflow.cli.app import COMMANDS, cli
from active_workflow.core.states import State


def test_start_prints_the_id_alone(run, engine, flows) -> None:
    result = run("start", "Parcel", "order_id=7", "name=Ada", 'code="7"', "gift=true", "--module", "flows")
    assert result.exit_code == 0, result.output
    execution = engine.get(result.stdout.strip())
    assert dict(execution.ctx) == {"order_id": 7, "name": "Ada", "code": "7", "gift": True}
    assert execution.idempotency_key == "parcel:7"


def test_start_with_a_json_ctx(run, run_json, engine, flows, tmp_path) -> None:
    (tmp_path / "ctx.json").write_text('{"order_id": 3}')
    first = run_json("start", "Parcel", "--module", "flows", "--ctx", "@ctx.json", "more=[1]", "--key", "k")
    assert first["key"] == "k"
    assert dict(engine.get(first["id"]).ctx) == {"order_id": 3, "more": [1]}
    again = run(
        "start", "Parcel", "--module", "flows", "--ctx", "-", "--key", "k", stdin='{"more":[1],"order_id":3}'
    )
    assert again.stdout.strip() == first["id"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["Parcel", "order_id"], "'order_id' is no key=value"),
        (["Parcel", "--ctx", "{"], "'{' is no JSON"),
        (["Parcel", "--ctx", "[1]"], "'[1]' is no JSON object"),
        (["Parcel", "--ctx", '{"n": NaN}'], "NaN is no number in JSON"),
        (["Parcel", "--ctx", "@missing.json"], "missing.json can't be read: No such file"),
        ([], "Missing argument 'WORKFLOW'"),
    ],
)
def test_start_misused(run, flows, arguments, told) -> None:
    result = run("start", *arguments, "--module", "flows")
    assert result.exit_code == 2
    assert told in result.stderr


def test_start_of_an_unknown_workflow_names_the_nearest(run, flows) -> None:
    result = run("start", "Parsel", "--module", "flows")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no workflow 'Parsel' is defined here (did you mean \"Parcel\"?)" in result.stderr


def test_a_key_with_another_input(run, flows) -> None:
    for quantity, code in ((1, 0), (2, 1)):
        result = run("start", "Parcel", "order_id=7", f"quantity={quantity}", "--module", "flows")
        assert result.exit_code == code
    assert "is held by execution" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_module_with_an_error_is_told_whole(run, tmp_path, monkeypatch) -> None:
    (tmp_path / "broken_flows.py").write_text("def boom():\n    raise KeyError('oh no')\n\nboom()\n")
    result = run("start", "Parcel", "--module", "broken_flows")
    assert result.exit_code == 1
    assert 'broken_flows.py", line 2, in boom' in result.stderr
    assert "KeyError: 'oh no'" in result.stderr
    assert "importlib" not in result.stderr


@pytest.mark.parametrize("name", ["no_such_module", "app/workflows.py", ".app"])
def test_a_module_that_is_not_there(run, name) -> None:
    result = run("start", "Parcel", "--module", name)
    assert result.exit_code == 1
    assert f"Error: {name} can't be imported" in result.stderr
    if "/" in name:
        assert "named by dots, app.workflows" in result.stderr


def test_the_outside(run, run_json, engine, parcel) -> None:
    payload = '{"tracking": "[b]XYZ"}'
    complete = ["complete", parcel, "ship", "--payload", payload, "--key", "e1", "--correlation-id", "job-1"]
    assert run(*complete).stdout == "Completed.\n"
    assert run_json(*complete) == {"id": parcel, "changed": False}
    engine.run_until_idle()
    assert run("signal", parcel, "approval", "--payload", "true", "--key", "e2").stdout == "Sent.\n"
    assert run("signal", parcel, "approval", "--payload", "true", "--key", "e2").stdout.startswith(
        "Nothing changed"
    )
    engine.run_until_idle()
    execution = engine.get(parcel)
    assert execution.state is State.COMPLETED
    assert (execution.ctx.ship, execution.ctx.approval) == ({"tracking": "[b]XYZ"}, True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["complete", "ID", "shipp"], "shipp"),
        (["signal", "ID", "aproval"], "waits for no signal 'aproval'"),
        (["fail", "ID", "shipp"], "shipp"),
        (["complete", "ID", "ship", "--correlation-id", "job-2"], "job-"),
        (["resolve", "ID", "ship", "--landed"], "can be resolved"),
    ],
)
def test_what_the_library_refuses_is_one_line(run, parcel, arguments, told) -> None:
    result = run(*[parcel if argument == "ID" else argument for argument in arguments])
    assert (result.exit_code, result.stdout) == (1, "")
    assert told in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [["signal", "id", "name"], ["complete", "id", "step"]])
def test_a_payload_that_is_no_json(run, command) -> None:
    result = run(*command, "--payload", "{oops")
    assert result.exit_code == 2
    assert "'{oops' is no JSON" in result.stderr


def test_fail(run, engine, parcel) -> None:
    result = run(
        "fail", parcel, "ship", "--message", "lost at [sea]", "--error-class", "Lost", "--details", '{"n": 1}'
    )
    assert result.stdout == "Recorded: the attempt has failed.\n"
    engine.run_until_idle()
    execution = engine.get(parcel)
    assert execution.state is State.FAILED
    assert str(execution.error) == "Lost: lost at [sea] (in step 'ship')"
    assert "compensated" in run("show", parcel).stdout


def test_cancel(run, run_json, engine, parcel) -> None:
    assert run_json("cancel", parcel, "--reason", "changed my mind") == {"id": parcel, "changed": True}
    engine.run_until_idle()
    assert engine.get(parcel).state is State.CANCELLED
    late = run("cancel", parcel)
    assert late.exit_code == 1
    assert f"It can't be cancelled any more. Parcel {parcel} is cancelled." in late.stderr
    assert late.stderr.count("\n") == 1


def test_pause_and_resume(run, engine, parcel) -> None:
    assert run("pause", parcel).stdout == "Paused.\n"
    assert engine.get(parcel).state is State.PAUSED
    assert "Nothing changed" in run("pause", parcel).stdout
    assert run("resume", parcel).stdout == "It goes on.\n"
    assert "Nothing changed" in run("resume", parcel).stdout


def test_an_undo_that_failed_is_retried_and_then_done_by_hand(run, engine, flows) -> None:
    id = engine.start("Unrefundable", {}).id
    engine.run_until_idle()
    assert engine.get(id).state is State.COMPENSATION_FAILED
    assert run("retry", id).stdout == "It tries again.\n"
    engine.run_until_idle()
    assert run("resolve", id, "pay", "--undone").stdout == "Resolved.\n"
    engine.run_until_idle()
    assert engine.get(id).state is State.FAILED
    assert "nothing to retry" in run("retry", id).stdout


@pytest.mark.parametrize("said", [["--landed", "--result", '{"height": 400}'], ["--skip"]])
def test_a_step_past_the_pivot_is_resolved(run, engine, flows, said) -> None:
    id = engine.start("Launched", {}).id
    engine.run_until_idle()
    assert engine.get(id).state is State.BLOCKED
    assert "blocked" in run("show", id).stdout
    assert run("resolve", id, "orbit", *said).exit_code == 0
    engine.run_until_idle()
    execution = engine.get(id)
    assert execution.state is State.COMPLETED
    assert dict(execution.ctx) == ({"height": 400} if "--landed" in said else {})


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "Say what became of it: --landed, --not-landed, --skip or --undone."),
        (["--undone", "--result", "1"], "--result goes with --landed or --skip"),
        (["--landed", "--result", "x"], "'x' is no JSON"),
    ],
)
def test_resolve_misused(run, arguments, told) -> None:
    result = run("resolve", "id", "step", *arguments)
    assert result.exit_code == 2
    assert told in result.stderr


def test_migrate(run, run_json, tmp_path) -> None:
    assert run("migrate").stdout == "The store is ready.\n"
    assert run_json("migrate")["ready"] is True
    assert (tmp_path / "store.db").exists()


def test_prune(run, run_json, engine, parcel) -> None:
    assert run("prune", "--older-than", "0s").stdout == "0 executions deleted.\n"
    engine.cancel(parcel)
    engine.run_until_idle()
    assert run_json("prune", "--older-than", "30d") == {"pruned": 0}
    assert run("prune", "--older-than", "0s").stdout == "1 execution deleted.\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [([], "Missing option '--older-than'"), (["--older-than", "old"], "'old' is no duration")],
)
def test_prune_misused(run, arguments, told) -> None:
    result = run("prune", *arguments)
    assert result.exit_code == 2
    assert told in result.stderr


def test_a_store_that_is_none(run, store, monkeypatch) -> None:
    run("migrate")
    result = run("list", "--store", "sqlite://x", "--json")
    assert result.exit_code == 0  # the last --store counts
    monkeypatch.setenv("ACTIVE_WORKFLOW_STORE", "oracle://scott:tiger@db/x")

    result = CliRunner().invoke(cli, ["list"])
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "tiger" not in result.stderr


def test_the_store_comes_from_the_environment_too(run, parcel, store, monkeypatch) -> None:
    monkeypatch.setenv("ACTIVE_WORKFLOW_STORE", store)

    assert json.loads(CliRunner().invoke(cli, ["show", parcel, "--json"]).stdout)["id"] == parcel


def test_help_and_unknown_commands(run) -> None:

    told = CliRunner().invoke(cli, ["--help"]).stdout
    assert all(f"  {name} " in told for name in COMMANDS)
    result = CliRunner().invoke(cli, ["lst"])
    assert result.exit_code == 2
    assert "There is no command 'lst' (did you mean \"list\"?)" in result.stderr
    for name in COMMANDS:
        assert CliRunner().invoke(cli, [name, "--help"]).exit_code == 0
