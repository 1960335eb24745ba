"""The command line of every runner."""

import argparse
import json
import os
import platform
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from bench.runners import workloads
from bench.runners.options import Options
from bench.runners.runner import Runner

Measure = Callable[[Options], dict[str, Any]]


def main(kind: type[Runner], *, idle: type[Runner] | None = None) -> None:
    """Be the command of a system that the standard workloads fit; ``idle`` is its kind for that one."""

    def make(options: Options) -> Runner:
        return (idle if idle is not None and options.workload == "idle" else kind)(options.url)

    command(kind, standard(kind.WORKLOADS, make))


def standard(names: Iterable[str], make: Callable[[Options], Runner]) -> dict[str, Measure]:
    """Give the standard workloads of these names, each for a runner made for it."""
    return {name: partial(_measure, getattr(workloads, name), make) for name in names}


def _measure(
    workload: Callable[[Runner, Options], dict[str, Any]], make: Callable[[Options], Runner], options: Options
) -> dict[str, Any]:
    return workload(make(options), options)


def command(kind: Any, table: Mapping[str, Measure]) -> None:
    """Read the command line, measure, print one line of JSON, and end whatever still runs here."""
    parser = argparse.ArgumentParser(description=kind.__doc__, epilog=f"Tuned: {kind.TUNED}")
    parser.add_argument("--workload", required=True, choices=table)
    parser.add_argument("--url", required=True, help="the system's database or server, empty so far")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long a round lasts (default: 5)")
    parser.add_argument("--rounds", type=int, default=3, help="the median of so many is taken (default: 3)")
    parser.add_argument("--processes", type=int, default=1, help="worker processes (default: 1)")
    options = Options(**vars(parser.parse_args()))
    figures = table[options.workload](options)
    print(json.dumps({**figures, "python": platform.python_version(), "tuned": kind.TUNED}), flush=True)
    os._exit(0)  # no thread of a system is waited for
