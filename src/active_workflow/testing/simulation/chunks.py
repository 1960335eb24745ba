"""Many seeds in several processes, which find what they run by its module: that can't be ``__main__``."""

import logging
from collections.abc import Iterator
from multiprocessing import get_context

from active_workflow.testing.simulation import Finding, Tally, counted_law, simulate

CHUNK = 50
"""So many seeds a process takes at once."""

Chunk = tuple[int, list[Finding], Tally]


def run_chunks(seeds: range, jobs: int, coverage: bool) -> Iterator[Chunk]:
    """Run seeds in order, in so many processes; give of each chunk how many, what they found, a tally."""
    chunks = [(seeds[at : at + CHUNK], coverage) for at in range(0, len(seeds), CHUNK)]
    if jobs <= 1:
        yield from map(_run, chunks)
        return
    with get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(_run, chunks)


def _run(chunk: tuple[range, bool]) -> Chunk:
    seeds, coverage = chunk
    logging.getLogger("active_workflow").setLevel(logging.CRITICAL)
    tally = Tally()
    if not coverage:
        found = [finding for seed in seeds if (finding := simulate(seed)) is not None]
        return len(seeds), found, tally
    with counted_law(tally):
        found = [finding for seed in seeds if (finding := simulate(seed, tally)) is not None]
    return len(seeds), found, tally
