"""A private PgBouncer in transaction mode, where one is installed."""

import shutil
import socket
from contextlib import suppress
from urllib.parse import urlsplit

from tests.servers.processes import Server, free_port, make_folder, unprivileged

_SETTINGS = """
[databases]
* = user=postgres host=127.0.0.1 port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
auth_file =
pool_mode = transaction
default_pool_size = 4
max_client_conn = 200
"""


class PgBouncer(Server):
    """Hands few connections of a server to many clients, another one for each transaction."""

    def __init__(self, server_port: int) -> None:
        binary = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
        folder = make_folder("pgbouncer", unprivileged())
        self.port = free_port()
        settings = folder / "pgbouncer.ini"
        settings.write_text(_SETTINGS.format(server=server_port, port=self.port))
        settings.chmod(0o644)
        super().__init__("PgBouncer", folder, [binary, str(settings)], self._up)

    def _up(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def url(self, direct: str) -> str:
        """The URL of a database by way of this pooler."""
        return f"postgresql://postgres@127.0.0.1:{self.port}{urlsplit(direct).path}"


def is_installed() -> bool:
    """Whether there is one on this machine."""
    return shutil.which("pgbouncer") is not None or shutil.which("/usr/sbin/pgbouncer") is not None
