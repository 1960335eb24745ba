"""A deterministic simulation of a whole cluster: many workers, one store, virtual time, seeded faults.

Workers are the real schedulers and drivers on the real memory store; only threads, time, user code and
trouble are simulated. Every write and every call is judged by what the store and a ledger of effects
say. A seed that breaks an invariant breaks it again each time: its number is all that is needed.
"""

from dataclasses import dataclass

from active_workflow.testing.simulation.cluster import Cluster
from active_workflow.testing.simulation.tally import Tally, counted_law


@dataclass(frozen=True, slots=True)
class Finding:
    """What a seed brought to light.

    Attributes:
        seed: Its number.
        what: Which invariant was broken, and how.
        story: Everything that happened until then.
    """

    seed: int
    what: str
    story: str

    def __str__(self) -> str:
        return f"{self.story}\n\nseed {self.seed}: {self.what}"


def simulate(seed: int, tally: Tally | None = None) -> Finding | None:
    """Run one seed.

    Args:
        seed: Any number; it decides everything that happens.
        tally: Counts what happens, if that is wanted; see ``counted_law`` for the law's own moves.

    Returns:
        What is wrong, with the whole story, or None.
    """
    try:
        Cluster(seed, tally=tally).run()
    except Exception as error:  # noqa: BLE001 - whatever goes wrong is a finding
        return Finding(seed, f"{type(error).__name__}: {error}", story_of(seed))
    return None


def story_of(seed: int) -> str:
    """Run one seed again and tell what happens in it."""
    cluster = Cluster(seed, traced=True)
    try:
        cluster.run()
    except Exception:  # noqa: BLE001 - the story ends where it goes wrong
        return cluster.world.story()
    return cluster.world.story()


__all__ = ["Finding", "Tally", "counted_law", "simulate", "story_of"]
