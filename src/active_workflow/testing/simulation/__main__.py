"""``python -m active_workflow.testing.simulation``: run seeds, or tell the story of one."""

import argparse
import logging
import sys
import time
from collections.abc import Iterator
from multiprocessing import get_context

from active_workflow.testing.simulation import Finding, Tally, counted_law, simulate, story_of

CHUNK = 50
"""So many seeds a process takes at once."""


def main() -> int:
    """Run seeds and print what they find and how fast they ran; 1 if anything was found."""
    options = _parser().parse_args()
    logging.getLogger("active_workflow").setLevel(logging.CRITICAL)
    if options.seed is not None:
        return _tell(options.seed)
    first, _, end = options.seeds.partition(":")
    seeds = range(int(first), int(end) if end else int(first) + 1)
    began, done, found, tally = time.perf_counter(), 0, 0, Tally()
    for number, findings, counted in _chunks(seeds, options.jobs, options.coverage):
        done += number
        tally.update(counted)
        for finding in findings:
            found += 1
            _write(f"seed {finding.seed}: {finding.what}")
        _show_progress(done, len(seeds), found, began)
        if found >= options.most:
            break
    took = time.perf_counter() - began
    if options.coverage:
        _write(f"{tally}\n\nnever: {', '.join(tally.missing()) or 'nothing'}\n")
    _write(f"{done} seeds, {found} findings, {done / took:.0f} seeds/s in {options.jobs} processes")
    if found:
        _write("tell the story of one with --seed NUMBER")
    return 1 if found else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m active_workflow.testing.simulation", description=__doc__)
    parser.add_argument("--seeds", default="0:1000", help="FIRST:END, without the last")
    parser.add_argument("--seed", type=int, help="tell the story of this one")
    parser.add_argument("--most", type=int, default=1, help="stop after so many findings")
    parser.add_argument("--jobs", type=int, default=1, help="processes to run them in")
    parser.add_argument("--coverage", action="store_true", help="tell how often what has happened")
    return parser


def _tell(seed: int) -> int:
    finding = simulate(seed)
    _write(str(finding) if finding is not None else f"{story_of(seed)}\n\nseed {seed}: all is well")
    return 1 if finding else 0


Chunk = tuple[int, list[Finding], Tally]


def _chunks(seeds: range, jobs: int, coverage: bool) -> Iterator[Chunk]:
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


def _show_progress(done: int, all_seeds: int, found: int, began: float) -> None:
    if not sys.stderr.isatty():
        return
    pace = done / max(time.perf_counter() - began, 0.001)
    bar = "#" * (30 * done // all_seeds)
    sys.stderr.write(f"\r[{bar:30}] {done}/{all_seeds} seeds, {found} findings, {pace:.0f} seeds/s ")
    if done == all_seeds:
        sys.stderr.write("\n")
    sys.stderr.flush()


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
