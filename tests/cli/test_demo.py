"""The demo: the story and a file of orders, as a user runs them."""

import os
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "active_workflow", "demo", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "TMPDIR": str(folder), "ACTIVE_WORKFLOW_LEASE": "1h"},
        check=False,
    )


def left(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.slow
def test_the_story(tmp_path) -> None:
    done = demo(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("Verdict: the ledger agrees.\n")
    # On a busy machine the second worker may lose its lease, too, and the bank be asked once more.
    assert re.search(r"yes  order 1003: the bank was asked [2-5] times and charged 1 time", done.stdout)
    assert re.search(r"charge_card +completed +[2-5] \([1-4] interrupted\)", done.stdout)
    assert done.stdout.index("  release  ") < done.stdout.index("  refund  ")
    assert "\x1b" not in done.stdout
    assert left(tmp_path) == []


@pytest.mark.slow
def test_orders(tmp_path) -> None:
    done = demo(tmp_path, "--orders", str(ROOT / "examples" / "orders.csv"), "--keep")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["completed", "3", "1001,", "1002,", "1005"] in lines
    assert ["undone:", "CardDeclined", "in", "charge_card", "1", "1003"] in lines
    assert ["undone:", "OutOfStock", "in", "reserve_stock", "1", "1004"] in lines
    assert ["undone:", "CourierRefused", "in", "book_courier", "1", "1006"] in lines
    assert "Verdict: the ledger agrees." in done.stdout
    [look] = [line for line in done.stdout.splitlines() if line.startswith("  active-workflow list")]
    listed = subprocess.run(
        [
            sys.executable,
            "-m",
            *look.replace("active-workflow", "active_workflow", 1).split(),
            "--workflow",
            "DemoCheckout",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "checkout" in listed.stdout.lower()
    [look] = [line for line in done.stdout.splitlines() if line.startswith("  active-workflow show")]
    command = [sys.executable, "-m", *look.replace("active-workflow", "active_workflow", 1).split()]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith(
        "DemoCheckout "
    )


@pytest.mark.slow
@pytest.mark.skipif(
    not hasattr(os, "pidfd_open"), reason="only Linux tells of the end of a process that isn't ours"
)
def test_nothing_outlives_a_demo_that_is_killed(tmp_path) -> None:
    command = [sys.executable, "-m", "active_workflow", "demo"]
    env = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=env) as process:
        line = next(line for line in process.stdout if line.startswith("Worker A is process"))
        worker = os.pidfd_open(int(line.split()[-1].rstrip(".")))
        process.kill()
        ended, _, _ = select.select([worker], [], [], 30)
        os.close(worker)
    assert ended


BAD = "order_id,total,payment_token,sku\n1,5,tok,pen\n2,[b]free,tok,pen\n"


def test_bad_orders_start_nothing(tmp_path) -> None:
    (tmp_path / "bad.csv").write_text(BAD)
    done = demo(tmp_path, "--orders", "bad.csv")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "bad.csv, line 3: total '[b]free' is no amount: write it like 1299.90",
        "Error: bad.csv has 1 bad line: nothing was started. Mend it, or pass over them with --skip-bad.",
    ]
    assert left(tmp_path) == ["bad.csv"]


@pytest.mark.slow
def test_bad_orders_can_be_passed_over(tmp_path) -> None:
    (tmp_path / "bad.csv").write_text(BAD)
    done = demo(tmp_path, "--orders", "bad.csv", "--skip-bad")
    assert done.returncode == 0, done.stdout + done.stderr
    assert ["bad", "lines,", "passed", "over", "1", "line", "3"] in [
        line.split() for line in done.stdout.splitlines()
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--orders", "missing.csv"], 1, "Error: missing.csv can't be read: No such file or directory."),
        (["--order", "x"], 2, "Did you mean"),
    ],
)
def test_the_demo_misused(run, arguments, code, told) -> None:
    result = run("demo", *arguments)
    assert result.exit_code == code
    assert told in result.stderr
