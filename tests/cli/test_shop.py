"""The demo's shop and the judge over its ledger."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from active_workflow.cli.demo.books import Books, Rules
from active_workflow.cli.demo.verdict import judge, judge_all, read_ledger

ORDER = {"order": "1", "article": "lamp", "pieces": 2, "amount": "5", "token": "tok"}


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    with Books(tmp_path / "ledger.jsonl", Rules(stock=3, most_pieces=4)) as opened:
        yield opened


def lines(tmp_path: Path) -> list[str]:
    return [line["what"] for line in read_ledger(tmp_path / "ledger.jsonl")]


def test_the_same_key_charges_once(books, tmp_path) -> None:
    assert books.ask("charge", ORDER, "k") == books.ask("charge", ORDER, "k")
    assert lines(tmp_path) == ["charge", "charge asked again"]


def test_a_refund_happens_once_whatever_the_key(books, tmp_path) -> None:
    payment = books.ask("charge", ORDER, "k").body
    books.ask("refund", payment, "r1")
    books.ask("refund", payment, "r2")
    assert lines(tmp_path) == ["charge", "refund"]


def test_released_goods_can_be_reserved_again(books, tmp_path) -> None:
    first = books.ask("reserve", ORDER, "a")
    assert books.ask("reserve", ORDER, "b").status == 409
    books.ask("release", first.body, "c")
    assert books.ask("reserve", ORDER, "d").status == 200
    assert lines(tmp_path) == ["reserve", "reserve refused", "release", "reserve"]


def test_refusals(books) -> None:
    assert books.ask("charge", {**ORDER, "token": "tok_declined_1"}, "a").status == 402
    assert books.ask("reserve", {**ORDER, "article": "sold-out-lamp"}, "b").status == 409
    assert books.ask("book", {**ORDER, "pieces": 5}, "c").status == 422


def line(what: str, order: str = "1") -> dict[str, str]:
    return {"what": what, "order": order}


def test_a_good_ending_is_found_good() -> None:
    done = [line("charge"), line("charge asked again"), line("reserve"), line("book"), line("receipt")]
    undone = [line("charge", "2"), line("reserve", "2"), line("release", "2"), line("refund", "2")]
    findings = judge_all(done + undone, {"1": True, "2": False})
    assert [finding.true for finding in findings] == [True, True]


@pytest.mark.parametrize(
    ("whats", "completed"),
    [
        (["charge", "charge", "reserve", "book"], True),
        (["charge", "reserve"], True),
        (["charge", "reserve", "book", "refund"], True),
        (["charge", "reserve", "book", "receipt", "receipt"], True),
        (["charge", "reserve", "book"], True),
        (["charge"], False),
        (["charge", "refund", "refund"], False),
        (["charge", "reserve", "refund", "release"], False),
        (["charge", "refund", "receipt"], False),
    ],
)
def test_a_bad_ending_is_found_bad(whats, completed) -> None:
    assert judge("1", [line(what) for what in whats], completed=completed)


def test_a_charge_that_nobody_ordered_is_found() -> None:
    assert not judge_all([line("charge", "9")], {})[0].true


def test_the_service_answers_over_http_and_ends_with_its_input(tmp_path, monkeypatch) -> None:
    from active_workflow.cli.demo import shop  # noqa: PLC0415 - its address comes from the environment

    command = [sys.executable, "-m", "active_workflow.cli.demo.service", str(tmp_path / "ledger.jsonl")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as service:
        monkeypatch.setenv(shop.URL, service.stdout.readline().strip())
        payment = shop.charge("1", 5, "tok", key="k")
        assert shop.charge("1", 5, "tok", key="k") == payment
        assert shop.wait_for("charge", "1")
        with pytest.raises(shop.CardDeclined):
            shop.charge("2", 5, "tok_declined", key="k2")
        with pytest.raises(shop.OutOfStock):
            shop.reserve("1", "sold-out", 1, key="k")
        with pytest.raises(shop.ShopTrouble):
            shop.book_courier("1", 1, key="")
        service.stdin.close()
        assert service.wait(timeout=10) == 0
    with pytest.raises(shop.ShopTrouble):
        shop.refund(payment, key="k")
