"""What the judge says of a broken invariant."""


class Broken(AssertionError):
    """An invariant does not hold."""


def demand(holds: object, invariant: int, otherwise: str) -> None:
    """Raise Broken unless an invariant holds.

    Args:
        holds: Whether it does.
        invariant: Its number; see ``judge.py``.
        otherwise: What is wrong if not.
    """
    if not holds:
        raise Broken(f"INV{invariant}: {otherwise}")
