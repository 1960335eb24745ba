"""``python -m active_workflow.testing.simulation --seeds 0:1000``."""

import argparse
import sys
import time

from active_workflow.testing.simulation import simulate, story_of


def main() -> int:
    """Run seeds and print what they find and how fast they ran; 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m active_workflow.testing.simulation", description=__doc__)
    parser.add_argument("--seeds", default="0:1000", help="one seed, or FIRST:END")
    parser.add_argument("--most", type=int, default=1, help="stop after so many findings")
    parser.add_argument("--story", action="store_true", help="tell the story of the (single) seed")
    options = parser.parse_args()
    first, _, end = options.seeds.partition(":")
    if options.story:
        sys.stdout.write(story_of(int(first)) + "\n")
    began, found = time.perf_counter(), 0
    seeds = range(int(first), int(end) if end else int(first) + 1)
    done = 0
    for seed in seeds:
        finding = simulate(seed)
        done += 1
        if finding is not None:
            found += 1
            sys.stdout.write(f"{finding if found == 1 else f'seed {seed}: {finding.what}'}\n")
            if found >= options.most:
                break
    took = time.perf_counter() - began
    sys.stdout.write(f"{done} seeds, {found} findings, {done / took:.0f} seeds/s\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
