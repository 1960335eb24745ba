"""Everything that the documentation shows runs, and prints what it says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, blocks, name_of

STUBS = Path(__file__).parent / "stubs"
RUNNABLE = [page for page in PAGES if any(block.language in {"python", "console"} for block in blocks(page))]


@pytest.mark.slow
@pytest.mark.parametrize("page", RUNNABLE, ids=name_of)
def test_what_it_shows_runs(page: Path, tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("ACTIVE_WORKFLOW_")}
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.docs.run_page", str(page)],
        cwd=tmp_path, env={**env, "PYTHONPATH": f"{ROOT}{os.pathsep}{STUBS}"},
        capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
