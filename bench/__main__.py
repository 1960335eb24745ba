"""Runs benchmarks, all or the named ones; each prints a JSON line and keeps it in results/."""

import datetime as dt
import json
import platform
import sys
from pathlib import Path

from bench import parked, redis_rate, sqlite_ratio

BENCHES = {"sqlite": sqlite_ratio.main, "parked": parked.main, "redis": redis_rate.main}
RESULTS = Path(__file__).parent / "results"


def main(names: list[str]) -> None:
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        sys.exit(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    for name in names or BENCHES:
        line = json.dumps({**BENCHES[name](), "python": platform.python_version(), "date": str(today())})
        print(line, flush=True)
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}.json").write_text(line + "\n")


def today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


if __name__ == "__main__":
    main(sys.argv[1:])
