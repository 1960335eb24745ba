"""start: plain JSON becomes what the ctx type has."""

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

AT = datetime(2026, 11, 24, 8, tzinfo=UTC)


@pytest.fixture
def start(run, engine):
    def start(workflow, *values, ctx=None):
        more = ["--ctx", json.dumps(ctx)] if ctx is not None else []
        result = run("start", workflow, *values, *more, "--module", "typed_flows")
        assert result.exit_code == 0, result.output
        return dict(engine.get(result.stdout.strip()).ctx)

    return start


@pytest.mark.parametrize("workflow", ["TypedData", "TypedStruct", "TypedModel", "TypedTD"])
def test_each_kind_of_ctx_type(start, workflow) -> None:
    ctx = start(workflow, ctx={"total": "9.99", "at": "2026-11-24T08:00:00Z"})
    assert (ctx["total"], ctx["at"]) == (Decimal("9.99"), AT)
    ctx = start(workflow, "total=9.99", "at=2026-11-24T08:00:00+00:00")
    assert (ctx["total"], ctx["at"]) == (Decimal("9.99"), AT)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"total": 9.99}, Decimal("9.99")),
        ({"total": 3}, Decimal(3)),
        ({"on": "2026-11-24"}, date(2026, 11, 24)),
        ({"opens": "08:30"}, time(8, 30)),
        ({"wait": "15m"}, timedelta(minutes=15)),
        ({"wait": 1.5}, timedelta(seconds=1.5)),
        ({"id": "12345678-1234-5678-1234-567812345678"}, UUID("12345678123456781234567812345678")),
        ({"either": "1.5"}, "1.5"),
        ({"first": "1.5"}, Decimal("1.5")),
        ({"first": 2}, 2),
        ({"prices": {"a": "1.5"}}, {"a": Decimal("1.5")}),
        ({"pair": ["1.5", "x"]}, (Decimal("1.5"), "x")),
        ({"days": ["2026-11-24"]}, {date(2026, 11, 24)}),
        ({"rate": "0.19"}, Decimal("0.19")),
        ({"lines": [{"price": "2.50", "due": "2026-11-24"}]},
         [{"price": Decimal("2.50"), "due": date(2026, 11, 24)}]),
    ],
)  # fmt: skip
def test_each_type(start, given, wanted) -> None:
    [key] = given
    assert start("TypedData", ctx={"total": "1", **given})[key] == wanted


def test_a_field_that_is_text_takes_what_looks_like_a_number(start) -> None:
    ctx = start("TypedData", "total=1", "name=0123", "code=42")
    assert (ctx["name"], ctx["code"]) == ("0123", "42")
    ctx = start("TypedData", "total=1", 'name="42"', "code=null", "either=42")
    assert (ctx["name"], ctx["code"], ctx["either"]) == ("42", None, Decimal(42))


def test_without_a_type_nothing_is_guessed(start) -> None:
    assert start("Untyped", "total=9.99", "at=2026-11-24") == {"total": 9.99, "at": "2026-11-24"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"total": "much"}, """ctx.total must be a Decimal, written "9.99", not 'much'"""),
        ({"total": "NaN"}, """ctx.total must be a Decimal, written "9.99", not 'NaN'"""),
        ({"total": True}, "ctx.total must be Decimal, not bool True"),
        ({"total": 1, "at": "yesterday"}, "ctx.at must be a datetime, written"),
        ({"total": 1, "wait": "soon"}, "ctx.wait must be a timedelta, written"),
        ({"total": 1, "id": "x"}, "ctx.id must be a UUID, written"),
        ({"total": 1, "lines": [{"price": "x"}]}, "ctx.lines[0].price must be a Decimal"),
        ({"total": 1, "size": "large"}, "ctx.size must be one of 'small'"),
        ({"total": 1, "pair": ["1"]}, "a tuple of 2"),
        ({"total": 1, "totle": 1}, "has no field 'totle' (did you mean \"total\"?)"),
        ({}, "lacks total"),
    ],
)
def test_what_does_not_fit_is_told(run, given, told) -> None:
    result = run("start", "TypedData", "--ctx", json.dumps(given), "--module", "typed_flows")
    assert result.exit_code == 1
    assert told in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_workflow_without_its_module(run) -> None:
    for command in ("start", "graph"):
        result = run(command, "Nowhere")
        assert result.exit_code == 1
        assert "name the module that defines it, --module app.workflows" in result.stderr
    told = run("start", "TypedDta", "--module", "typed_flows").stderr
    assert 'did you mean "TypedData"' in told
