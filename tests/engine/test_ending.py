"""How a script ends: a second Ctrl-C ends it at once, and says so in a line."""

import signal
import subprocess
import sys
from pathlib import Path

from active_workflow.store import SqliteStore
from active_workflow.store.base import Query

SCRIPT = """
import sys, threading
import active_workflow as aw
from active_workflow.engine.scheduler import Scheduler

never = threading.Event()

class Slow(aw.Workflow):
    @aw.step
    def nap(self):
        print("runs", flush=True)
        never.wait()

aw.configure("sqlite:///slow.db", grace="100s")
execution = Slow.start()
drain = Scheduler.drain

def told(self):
    drain(self)
    print("drains", flush=True)

Scheduler.drain = told
try:
    execution.wait()
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_a_second_ctrl_c_ends_at_once_without_a_traceback(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in ("runs\n", "drains\n"):
        assert process.stdout.readline() == line
        process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told == "active_workflow: stopped at once: what still ran is left for another worker\n"
    store = SqliteStore(tmp_path / "slow.db")
    [left] = store.find(Query())
    assert store.lease_of(left.id) is None  # nobody has to wait for the lease to end
    store.close()
