"""What the documentation has that is made from the code; ``python -m tests.docs.generated`` renews them."""

import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from active_workflow.core.diagram import moves_diagram
from bench.figures import figures
from bench.tables import page as bench_page
from tests.chaos import matrix
from tests.docs.pages import PAGES, ROOT

PART = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- /generated -->)", re.DOTALL)


def checkout_plan() -> str:
    """Draw the workflow of the example, by the command that users have for it."""
    command = [sys.executable, "-m", "active_workflow", "graph", "Checkout", "--module", "checkout"]
    drawn = subprocess.run(command, cwd=ROOT / "examples", capture_output=True, text=True, check=True)
    return drawn.stdout


def fenced(text: str) -> str:
    return f"```mermaid\n{text}```\n"


PARTS: Mapping[str, Callable[[], str]] = {
    "step-moves": lambda: fenced(moves_diagram()),
    "checkout-plan": lambda: fenced(checkout_plan()),
    "bench": bench_page,
    "bench-figures": figures,
    "fault-matrix": matrix.table,
}


def renewed(text: str) -> str:
    """Give a page's text with its generated parts made anew."""
    return PART.sub(lambda part: f"{part[1]}{PARTS[part[2]]()}{part[3]}", text)


def pages() -> list[Path]:
    """Give the pages that have such parts."""
    return [page for page in PAGES if PART.search(page.read_text(encoding="utf-8"))]


def renew() -> None:
    """Make the generated parts of all pages anew."""
    for page in pages():
        page.write_text(renewed(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    renew()
