"""The scripts of the store: each ``.lua`` file, with what all of them share before it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

FORMAT = 1
"""The number of the layout that ``lua/common.lua`` describes. A store of a later one is refused."""
_STANDS_ALONE = "prepare"
_SHARED = "common"


@dataclass(frozen=True, slots=True)
class Script:
    """A script and the digest by which a server that has it already knows it."""

    name: str
    text: bytes
    digest: bytes


def _read() -> Mapping[str, Script]:
    folder = resources.files("active_workflow.store.redis") / "lua"
    texts = {
        file.name.removesuffix(".lua"): file.read_bytes()
        for file in folder.iterdir()
        if file.name.endswith(".lua")
    }
    shared = texts.pop(_SHARED)
    return {
        name: _script(name, text if name == _STANDS_ALONE else shared + text) for name, text in texts.items()
    }


def _script(name: str, text: bytes) -> Script:
    return Script(name, text, hashlib.sha1(text, usedforsecurity=False).hexdigest().encode())


SCRIPTS = _read()
