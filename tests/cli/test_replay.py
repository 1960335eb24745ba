"""replay on the command line: a table, JSON, an exit code; the findings themselves are tested below it."""

import json


def test_nothing_found(run, parcel) -> None:
    result = run("replay", "flows")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "1 in flight: nothing found.\n")


def test_what_is_found(run, parcel) -> None:
    result = run("replay", "flows", "--queues", "slow, fast")
    assert result.exit_code == 1
    heads, *rows = result.stdout.splitlines()
    assert heads.split()[:4] == ["outcome", "id", "step", "executions"]
    assert [row.split()[:4] for row in rows[:3]] == [
        ["block", "AW207", f"Parcel.{step}", "1"] for step in ("pay", "ship", "done")
    ]
    assert rows[3:] == [
        "AW207: have a worker serve it until nothing is on it: worker --queues …",
        *(f"AW207 Parcel.{step}, such as {parcel}" for step in ("pay", "ship", "done")),
    ]
    assert result.stderr == "1 in flight: block 3.\n"


def test_json(run, parcel) -> None:
    result = run(
        "replay", "flows", "--queues", "slow", "--ignore", "AW207:Parcel.ship,AW207:Parcel.done", "--json"
    )
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert (told["clean"], told["checked"], told["unblocked"]) == (False, 1, 0)
    [found] = told["findings"]
    assert found["examples"] == [parcel]
    assert (found["id"], found["outcome"], found["workflow"], found["step"], found["executions"]) == (
        "AW207",
        "block",
        "Parcel",
        "pay",
        1,
    )


def test_the_setting_says_which_queues_there_are(run, parcel, monkeypatch) -> None:
    monkeypatch.setenv("ACTIVE_WORKFLOW_QUEUES", "slow")
    assert run("replay", "flows").exit_code == 1
    assert run("replay", "flows", "--queues", "default").exit_code == 0


def test_wrong_calls(run, parcel) -> None:
    assert "there is no finding 'AW9'" in run("replay", "flows", "--ignore", "AW9").stderr
