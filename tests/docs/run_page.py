"""Runs everything on a page, in order: ``python -m tests.docs.run_page docs/tutorial.md``.

What the blocks of a page mean:

* ``python`` runs, all blocks of a page in one namespace. ``python file=shop.py`` is written to that file.
  ``python not-run`` is only compiled.
* ``console`` runs line by line in one bash: lines that begin with ``$ `` are commands, the others what they
  print. ``console not-run`` does not run.
* ``text output`` is what the ``python`` block before it prints.

In what is printed, ``…`` in the documentation stands for anything. Everything runs in the current folder.
"""

import ast
import contextlib
import io
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from tests.docs.pages import Block, blocks

KILLED = re.compile(r"^.*: line \d+: +\d+ Killed.*$", re.MULTILINE)
TIMEOUT = 60


class Bash:
    """One bash for all console blocks of a page, so that variables and jobs stay."""

    def __init__(self) -> None:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        env = {**os.environ, "PATH": path, "COLUMNS": "120", "PYTHONUNBUFFERED": "1"}
        self._process = subprocess.Popen(
            ["bash", "--norc"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env,
        )  # fmt: skip

    def run(self, command: str) -> str:
        """Run a command; give what it printed."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{command}\nprintf '\\n=== over ===\\n'\n")
        stdin.flush()
        printed = []
        for line in stdout:
            if line == "=== over ===\n":
                break
            printed.append(line)
        return KILLED.sub("Killed", "".join(printed).removesuffix("\n"))

    def close(self) -> None:
        """End it, and what it left running."""
        self._process.communicate("kill $(jobs -p) 2>/dev/null; wait; exit\n", timeout=TIMEOUT)


def run(page: Path) -> None:
    """Run a page.

    Raises:
        AssertionError: Something printed something else than the page says.
        Exception: Whatever a block raises.
    """
    bash = Bash()
    printed = ""
    try:
        for block in blocks(page):
            if "not-run" in block.marks:
                if block.language == "python":
                    compile(textwrap.dedent(block.text), str(page), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            elif block.language == "python" and block.file:
                Path(block.file).write_text(block.text, encoding="utf-8")
            elif block.language == "python":
                printed = _run_python(page, block)
            elif block.language == "console":
                _run_console(page, block, bash)
            elif block.marks == ("output",):
                _compare(page, block.line, block.text, printed)
    finally:
        bash.close()


def _run_python(page: Path, block: Block) -> str:
    text = "\n" * (block.line - 1) + block.text  # so that errors name the page's own lines
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(text, str(page), "exec", dont_inherit=True), vars(sys.modules["__main__"]))
    return printed.getvalue()


def _run_console(page: Path, block: Block, bash: Bash) -> None:
    for command, expected in _commands(block.text):
        _compare(page, block.line, expected, bash.run(command), command)


def _commands(text: str) -> Iterator[tuple[str, str]]:
    command, expected = "", ""
    for line in text.splitlines(keepends=True):
        if line.startswith("$ "):
            if command:
                yield command, expected
            command, expected = line[2:].strip(), ""
        else:
            expected += line
    if command:
        yield command, expected


def _compare(page: Path, line: int, expected: str, printed: str, command: str = "") -> None:
    wanted, got = _tidy(expected), _tidy(printed)
    pattern = ".*".join(re.escape(part) for part in wanted.split("…"))
    if not re.fullmatch(pattern, got, re.DOTALL):
        raise AssertionError(f"{page}:{line}: {command}\nsays\n{wanted}\n\nand prints\n{got}")


def _tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


if __name__ == "__main__":
    run(Path(sys.argv[1]).resolve())
