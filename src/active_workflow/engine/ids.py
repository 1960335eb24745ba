"""Names for executions and workers."""

import os
import secrets
import socket
import time


def new_execution_id() -> str:
    """Give a UUID of version 7: unique, and sorted by the time it was made (which keeps indexes warm)."""
    milliseconds = time.time_ns() // 1_000_000
    number = (milliseconds & 0xFFFF_FFFF_FFFF) << 80 | secrets.randbits(80)
    number = number & ~(0xF << 76) | 0x7 << 76  # the version
    number = number & ~(0x3 << 62) | 0x2 << 62  # the variant
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_worker_name(given: str | None = None) -> str:
    """Give a name that no other start of a worker has, however often processes and hosts are re-used."""
    return f"{given or socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
