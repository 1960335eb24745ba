"""Retry policies: when to try again, and after how long. Pure arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass

SECOND = 1_000_000
"""All instants are integer microseconds since the Unix epoch, all durations integer microseconds."""
DAY = 86_400 * SECOND
DEFAULT_DELAY = 5 * SECOND
_LARGEST_EXPONENT = 62  # 2**62 microseconds is 146,000 years: past every cap, and still cheap to compute


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how soon a failed attempt is followed by another.

    Attributes:
        max: Attempts in all, the first included; None is without end.
        backoff: ``"exponential"`` or ``"fixed"``.
        first_delay: Microseconds before the second attempt; None takes ``delay``.
        delay: Microseconds that later delays are built on; None takes ``first_delay``.
        max_delay: No delay is longer than this, jitter included.
        jitter: Whether a delay is spread over 50 to 150 % of itself.
        on: Qualified names of the error classes it is for; empty is every error.
        max_elapsed: No attempt starts later than this after the first one started.
    """

    max: int | None = 5
    backoff: str = "exponential"
    first_delay: int | None = None
    delay: int | None = None
    max_delay: int = DAY
    jitter: bool = False
    on: tuple[str, ...] = ()
    max_elapsed: int | None = None

    def delay_after(self, failures: int, roll: float) -> int:
        """Give the delay after the given number of failed attempts.

        Args:
            failures: Attempts that have ended badly so far; 1 after the first.
            roll: A number in [0, 1) that spreads the delay where ``jitter`` is on.

        Returns:
            Microseconds, never more than ``max_delay``.
        """
        first, later = self._delays()
        if failures <= 1:
            base = first
        elif self.backoff == "fixed":
            base = later
        else:
            base = later << min(failures - 1, _LARGEST_EXPONENT)
        if self.jitter:
            base = int(base * (0.5 + roll))
        return min(base, self.max_delay)

    def _delays(self) -> tuple[int, int]:
        first = self.first_delay if self.first_delay is not None else self.delay
        first = DEFAULT_DELAY if first is None else first
        return first, first if self.delay is None else self.delay

    def covers(self, names: Sequence[str]) -> bool:
        """Tell whether the policy is for an error whose classes (along its MRO) have these names."""
        return not self.on or any(name in self.on for name in names)


ONCE = RetryPolicy(max=1)
"""Without any policy a step has one attempt."""


def policy_for(policies: Sequence[RetryPolicy], names: Sequence[str]) -> RetryPolicy:
    """Give the first policy that covers an error, or the one that allows a single attempt."""
    return next((policy for policy in policies if policy.covers(names)), ONCE)
