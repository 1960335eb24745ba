"""PostgreSQL's own load generator, one commit for each step: what the server does without Python."""

import re
import subprocess
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from bench.runners.bare import ACTIVE, AHEAD, PATCH
from bench.runners.bare_postgres import EXECUTIONS, TABLES
from bench.runners.command import command
from bench.runners.figures import short
from bench.runners.options import Options
from tests.servers.postgres import find_binaries


def quoted(text: str) -> str:
    """Write a text so that pgbench takes no part of it for a variable of its own."""
    return "E'" + text.replace(":", "\\x3a") + "'"


SCRIPT = f"""
WITH turn AS (SELECT nextval('turns') AS n),
e AS (UPDATE executions
         SET state = 'running', active = {quoted(ACTIVE)}, seq = (SELECT n FROM turn), revision = revision + 1
       WHERE id = '01a20bf3-' || lpad(((SELECT n FROM turn) % {AHEAD})::text, 27, '0') RETURNING id, seq)
INSERT INTO steps SELECT id, 'step' || seq, seq, 'completed', seq, 1, {quoted(PATCH)}, 1790000000000000,
                         1790000000000000 FROM e;
"""


class Pgbench:
    """pgbench: one commit for each step, as many clients as there are processes."""

    TUNED = (
        "both rows in one prepared statement, which is its own transaction; the clients never meet in a row"
    )


def throughput(options: Options) -> dict[str, Any]:
    """Commits per second."""
    with psycopg.connect(options.url, autocommit=True) as connection:
        connection.execute(TABLES)
        connection.execute(EXECUTIONS)
        connection.execute("CREATE SEQUENCE turns CACHE 1000")
        connection.execute("ANALYZE")
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(SCRIPT)
        script.flush()
        once(options, script.name, 1.0)
        rates = [once(options, script.name, options.seconds) for _ in range(options.rounds)]
    return {"steps_per_s": short(median(rates)), "rounds": [short(rate) for rate in rates]}


def once(options: Options, script: str, seconds: float) -> float:
    """Run pgbench for so long (whole seconds only); give the transactions per second."""
    clients = str(options.processes)
    command = [Path(find_binaries()) / "pgbench", "-n", "-M", "prepared", "-c", clients, "-j", clients]
    told = subprocess.run(
        [*command, "-T", str(max(1, round(seconds))), "-f", script, options.url],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"tps = ([\d.]+)", told.stdout)
    if found is None:
        raise RuntimeError(f"pgbench tells no rate: {told.stdout}{told.stderr}")
    return float(found[1])


if __name__ == "__main__":
    command(Pgbench, {"throughput": throughput})
