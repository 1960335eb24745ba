"""A virtual environment for each peer, made once from its pinned list in `requirements/`."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
MADE = HERE / ".venvs"
PATIENCE = 600


class MissingError(Exception):
    """A peer, or a server, can't be had here. Says why."""


def python_of(peer: str | None) -> Path:
    """Give the interpreter that has a peer's packages; None is the one that runs this."""
    if peer is None:
        return Path(sys.executable)
    wanted = HERE / "requirements" / f"{peer}.txt"
    folder, stamp = MADE / peer, MADE / peer / "made-from"
    digest = hashlib.sha256(wanted.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        shutil.rmtree(folder, ignore_errors=True)
        _run(_interpreter(wanted), "-m", "venv", folder)
        _run(
            folder / "bin" / "python",
            "-m",
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            "-r",
            wanted,
        )
        stamp.write_text(digest)
    return folder / "bin" / "python"


def _interpreter(wanted: Path) -> Path:
    """Give a Python that is new enough: the one that runs this, unless the first line asks for more."""
    first = wanted.read_text().splitlines()[0]
    least = tuple(map(int, first.removeprefix("# Python ").split("."))) if "Python" in first else (3, 11)
    for python in _interpreters():
        told = subprocess.run(
            [python, "-c", "import sys, venv, ensurepip; print(list(sys.version_info[:2]))"],
            capture_output=True,
            text=True,
            check=False,
        )
        if told.returncode == 0 and tuple(json.loads(told.stdout)) >= least:
            return python
    raise MissingError(f"needs Python {'.'.join(map(str, least))} or newer, which isn't here")


def _interpreters() -> Iterator[Path]:
    yield Path(sys.executable)
    for name in ("python3.14", "python3.13", "python3.12"):
        if (found := shutil.which(name)) is not None:
            yield Path(found)
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    yield from sorted(versions.glob("3.1[2-9]*/bin/python"))


def node_package(package: str, binary: str) -> Path:
    """Give a program of a package of npm, installed here once."""
    folder = MADE / package.rpartition("/")[2].replace("@", "-")
    found = list(folder.glob(f"node_modules/**/bin/{binary}"))
    if not found:
        if shutil.which("npm") is None:
            raise MissingError("needs npm, which isn't here")
        folder.mkdir(parents=True, exist_ok=True)
        _run("npm", "install", "--no-audit", "--no-fund", "--prefix", folder, package)
        found = list(folder.glob(f"node_modules/**/bin/{binary}"))
    if not found:
        raise MissingError(f"{package} has no {binary} for this machine")
    return found[0]


def _run(*command: str | Path) -> None:
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    if told.returncode:
        lines = (told.stderr or told.stdout).strip().splitlines()
        raise MissingError(f"can't be installed: {lines[-1] if lines else told.returncode}")
