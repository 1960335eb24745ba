"""Instants and spans in words. Pure arithmetic, as the law has no clock and no calendar of its own."""

from active_workflow.core.retry import SECOND

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
_UNITS = ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s"))


def utc(instant: int) -> str:
    """Give an instant as ``2026-11-24 05:18:02 UTC``."""
    days, rest = divmod(instant, DAY)
    year, month, day = _civil(days)
    hours, rest = divmod(rest, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    return f"{year:04}-{month:02}-{day:02} {hours:02}:{minutes:02}:{rest // SECOND:02} UTC"


def span(length: int) -> str:
    """Give a length of time in its largest unit: ``3 min``, or ``1 h 30 min`` where that says more."""
    if length < SECOND:
        return f"{max(length, 0) // 1000} ms"
    number = next(n for n, (unit, _) in enumerate(_UNITS) if length >= unit)
    unit, name = _UNITS[number]
    many, rest = divmod(length, unit)
    if many < 10 and number + 1 < len(_UNITS):  # noqa: PLR2004 - of few large units the smaller ones matter
        smaller, small_name = _UNITS[number + 1]
        if rest >= smaller:
            return f"{many} {name} {rest // smaller} {small_name}"
    return f"{many} {name}"


def when(instant: int, now: int) -> str:
    """Give an instant and how far off it is: ``2026-11-24 05:18:02 UTC (in 3 min)``."""
    if instant > now:
        return f"{utc(instant)} (in {span(instant - now)})"
    return f"{utc(instant)} ({span(now - instant)} ago)"


def _civil(days: int) -> tuple[int, int, int]:
    """Give the date so many days after 1970-01-01 (Howard Hinnant's ``civil_from_days``)."""
    era, day_of_era = divmod(days + 719_468, 146_097)  # eras of 400 years that begin on a 1st of March
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153  # months since March
    month = shifted + 3 if shifted < 10 else shifted - 9  # noqa: PLR2004
    year = year_of_era + era * 400 + (month <= 2)  # noqa: PLR2004 - January and February end the year before
    return year, month, day_of_year - (153 * shifted + 2) // 5 + 1
