"""One script for each system, all with the same command line: ``python -m bench.runners.NAME --help``.

Each measures one workload and prints one line of JSON. Each runs in a virtual environment of its own, so
what they share (`harness`, `workloads`, `workers`) needs the standard library alone.
"""
