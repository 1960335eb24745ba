"""A worker of the demo: ``active-workflow worker``, that ends with whoever started it, however that ends."""

import os
import signal
import sys
import threading

from active_workflow.cli.app import main


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_input, daemon=True).start()
    main()
