from datetime import UTC, datetime, timedelta, timezone

import pytest

from active_workflow.dsl.durations import as_datetime, parse_duration, parse_instant
from active_workflow.errors import ConfigurationError


@pytest.mark.parametrize(
    ("given", "micros"),
    [
        (0, 0),
        (90, 90_000_000),
        (0.25, 250_000),
        (timedelta(minutes=1), 60_000_000),
        ("500ms", 500_000),
        ("30s", 30_000_000),
        ("15m", 900_000_000),
        ("2h", 7_200_000_000),
        ("7d", 604_800_000_000),
        (" 1.5 h ", 5_400_000_000),
    ],
)
def test_durations_in_every_notation(given: object, micros: int) -> None:
    assert parse_duration(given, "timeout") == micros


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (-1, "negative"),
        (timedelta(seconds=-1), "negative"),
        (float("nan"), "no duration"),
        (float("inf"), "thousand years"),
        (float("-inf"), "negative"),
        (10**30, "thousand years"),
        (True, "no duration"),
        (None, "no duration"),
        ("30", "with a unit"),
        ("-5s", "no duration"),
        ("5 weeks", "no duration"),
        ("٣s", "no duration"),
        ("", "no duration"),
    ],
)
def test_what_is_no_duration_says_so(given: object, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as raised:
        parse_duration(given, "timeout")
    assert str(raised.value).startswith("timeout: ")
    assert repr(given) in str(raised.value)


def test_instants_are_aware() -> None:
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    assert as_datetime(parse_instant(noon, "run_at")) == noon
    assert parse_instant(noon.astimezone(timezone(timedelta(hours=5))), "run_at") == parse_instant(
        noon, "run_at"
    )
    with pytest.raises(ConfigurationError, match="no time zone"):
        parse_instant(datetime(2030, 1, 1), "run_at")  # noqa: DTZ001
    with pytest.raises(ConfigurationError, match="no datetime"):
        parse_instant(12, "run_at")
