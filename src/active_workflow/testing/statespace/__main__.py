"""``python -m active_workflow.testing.statespace``: explore all small configurations, or those named."""

import argparse
import sys
import time

from active_workflow.testing.statespace.configurations import CONFIGURATIONS
from active_workflow.testing.statespace.search import explore_states


def main() -> int:
    """Explore, print what there was, and give 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m active_workflow.testing.statespace", description=__doc__)
    parser.add_argument("names", nargs="*", help="words that must be in a configuration's name")
    parser.add_argument("--large", action="store_true", help="those with two troubles in one run, too")
    parser.add_argument("--limit", type=int, default=10**9, help="so many states of each at most")
    options = parser.parse_args()
    chosen = [
        c for c in CONFIGURATIONS if (options.large or not c.large) and all(n in c.name for n in options.names)
    ]
    began, explored = time.perf_counter(), []
    for configuration in chosen:
        explored.append(explore_states(configuration, options.limit))
        sys.stdout.write(f"{explored[-1]}\n")
        sys.stdout.flush()
    states, moves = sum(e.states for e in explored), sum(e.transitions for e in explored)
    found = sum(e.finding is not None for e in explored)
    took = time.perf_counter() - began
    sys.stdout.write(f"in all {states} states, {moves} transitions, {found} findings, {took:.1f} s\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
