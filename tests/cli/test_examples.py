"""The examples run as they are."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def example(name: str, folder: Path) -> str:
    command = [sys.executable, str(EXAMPLES / name)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=True).stdout


def test_quickstart(tmp_path) -> None:
    assert example("quickstart.py", tmp_path) == "hello Ada\n"


@pytest.mark.slow
def test_checkout_and_once_more(tmp_path) -> None:
    told = example("checkout.py", tmp_path)
    assert "order 1001 is completed" in told
    assert "order 1002 is failed CourierRefused: 200 pieces are too heavy" in told
    assert told.index("release") < told.index("refund")
    again = example("checkout.py", tmp_path)
    assert [line for line in again.splitlines() if not line.startswith("order")] == []
