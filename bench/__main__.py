"""The command: measure, and print the tables. ``python -m bench --help``, or ``make bench ARGS=--help``."""

import argparse
import sys
from collections.abc import Sequence

from bench import measuring, sqlite_ratio, tables
from bench.systems import SUITES, SYSTEMS, System, at

WORKLOADS = ("throughput", "start", "latency", "park", "idle", "poll")
EPILOG = """
examples:
  make bench                                  this library and the physical limits, in under five minutes
  make bench ARGS=peers                       everything, in 25; results/peers.jsonl feeds the docs
  make bench ARGS="peers --only ours-postgres,dbos,pgbench --workload throughput"
  make bench ARGS=sqlite                      SQLite against bare commits of sqlite3, in one
  make bench ARGS="own --store redis://127.0.0.1:6379/9 --workload throughput,latency"
  make bench ARGS=report                      print the tables again, and renew those in the docs

A whole run is kept in bench/results, named as its suite, one line of JSON for each result; a part of one in
part.jsonl. peers.jsonl is committed, and sqlite.json, the summary of `sqlite`. Each peer gets a virtual
environment in bench/.venvs.
"""


def main() -> None:
    """Do what the command line says."""
    options = parser().parse_args()
    if options.suite == "report":
        report()
        return
    systems = chosen(options)
    whole = not (options.only or options.store or options.workload or options.seconds or options.rounds)
    name = options.suite if whole else "part"
    seconds = options.seconds or (5.0 if options.suite == "peers" else 3.0)
    wish = measuring.Wish(systems, options.workload, seconds, options.rounds or 3)
    lines = measuring.measure(wish, measuring.RESULTS / f"{name}.jsonl")
    print()
    print(tables.everything(lines))
    if name == "peers":
        print("`make bench ARGS=report` puts this into the docs.")
    if name == "sqlite":
        print(sqlite_ratio.keep(lines))


def parser() -> argparse.ArgumentParser:
    """Give the command line."""
    made = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure this library, the physical limits of this machine, and its peers.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("suite", nargs="?", default="own", choices=[*SUITES, "report"], help="default: own")
    made.add_argument("--only", type=words, help=f"only these systems, of {', '.join(SYSTEMS)}")
    made.add_argument("--workload", type=words, help=f"only these workloads, of {', '.join(WORKLOADS)}")
    made.add_argument("--seconds", type=float, help="how long a round lasts (default: 3; peers: 5)")
    made.add_argument("--rounds", type=int, help="the median of so many is taken (default: 3)")
    made.add_argument("--store", action="append", help="this library on this empty store; others by --only")
    return made


def words(text: str) -> list[str]:
    """Read a list with commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def chosen(options: argparse.Namespace) -> Sequence[System]:
    """Give the systems that are asked for."""
    wrong = [name for name in options.only or () if name not in SYSTEMS]
    wrong += [name for name in options.workload or () if name not in WORKLOADS]
    if wrong:
        sys.exit(f"there is no {', '.join(wrong)}: python -m bench --help lists what there is")
    stores = [at(url) for url in options.store or ()]
    if options.only:
        return [*stores, *[SYSTEMS[name] for name in options.only]]
    return stores or SUITES[options.suite]


def report() -> None:
    """Print the tables of the last whole run, and renew those in the docs."""
    from tests.docs import generated  # noqa: PLC0415 - it imports the tables

    print(tables.everything(measuring.read("peers")))
    generated.renew()


if __name__ == "__main__":
    main()
