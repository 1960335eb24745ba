"""The mark of an execution that is moved from one store to another: nothing happens to it here."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Where an execution is, if that is another store than this.

    Such an execution is paused as well, so that no worker has anything to do with it; and nothing that comes
    from outside is taken, lest it be recorded where nobody will look.

    Attributes:
        place: The other store, for people.
        ticket: The same in both stores: which two marks belong to one move.
        arrives: Whether this is what will become of it here; else it was here and has left.
        paused_at: Since when an operator held it before the mark was made.
    """

    place: str
    ticket: str
    arrives: bool = False
    paused_at: int | None = None
