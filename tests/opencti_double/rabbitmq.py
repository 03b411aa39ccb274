"""A real RabbitMQ node of our own: free ports, own data, own cookie, gone with the test run.

The node never meets the machine's: it has its own name, its own Erlang port mapper on a free
port, its own HOME and its own directories. It is started below a shell that waits on a pipe
from this process; when the pipe closes, whether by ``stop`` or because this process was killed,
the shell takes the whole process group down. So nothing is left behind.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pika
import pika.exceptions

SERVER_SCRIPTS = (Path("/usr/lib/rabbitmq/bin/rabbitmq-server"),)
INSTALL_HINT = "rabbitmq-server is missing: apt-get install rabbitmq-server"
START_TIMEOUT = 240.0  # on a machine that is busy with other things

# The first two commands live until `cat` sees the end of our pipe.
_SUPERVISOR = """
"$EPMD" -address 127.0.0.1 </dev/null >>"$LOGS/epmd.log" 2>&1 &
"$SERVER" </dev/null >>"$LOGS/console.log" 2>&1 &
cat >/dev/null
kill -KILL 0
"""


def find_server() -> Path | None:
    """Return the script that starts a node, or None where RabbitMQ is not installed.

    Debian's ``/usr/sbin/rabbitmq-server`` is a wrapper that insists on the system's user and
    directories; the script behind it takes everything from the environment.
    """
    for script in SERVER_SCRIPTS:
        if script.exists():
            return script
    found = shutil.which("rabbitmq-server")
    return Path(found) if found else None


def free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago on 127.0.0.1, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class RabbitMQ:
    """One node. ``start``, ``kill``, ``restart`` and ``stop`` may be called in any order.

    Attributes
    ----------
    host, port, user, password, vhost : the address that the platform hands to connectors.
    """

    host = "127.0.0.1"
    user = "guest"
    password = "guest"  # noqa: S105  the node's default, reachable from loopback only
    vhost = "/"

    def __init__(self) -> None:
        self.port, self._distribution_port, self._mapper_port = free_ports(3)
        self._home = Path(tempfile.mkdtemp(prefix="rabbitmq-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.begun = False

    def start(self) -> None:
        """Start the node and return when it takes connections; data of an earlier run is kept."""
        server, mapper = find_server(), shutil.which("epmd")
        if server is None or mapper is None:
            raise RuntimeError(INSTALL_HINT)
        self.begun = True
        logs = self._home / "logs"
        logs.mkdir(exist_ok=True)
        (self._home / "enabled_plugins").write_text("[].\n")
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", _SUPERVISOR],
            env=self._environment(server, mapper, logs),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._wait_until_ready(logs)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Take the node away at once, as a power cut would."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=30)

    def restart(self) -> None:
        """Shut the node down properly, so that durable messages survive, and start it again."""
        pid = int((self._home / "pid").read_text())
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and Path(f"/proc/{pid}").exists():
            time.sleep(0.05)
        self.kill()
        self.start()

    def stop(self) -> None:
        """Stop the node and remove its files."""
        self.kill()
        shutil.rmtree(self._home, ignore_errors=True)

    def connect(self) -> pika.BlockingConnection:
        """Return a new connection; the caller closes it."""
        return pika.BlockingConnection(
            pika.ConnectionParameters(
                host=self.host,
                port=self.port,
                virtual_host=self.vhost,
                credentials=pika.PlainCredentials(self.user, self.password),
            )
        )

    def _environment(self, server: Path, mapper: str, logs: Path) -> dict[str, str]:
        home = str(self._home)
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": home,
            "SERVER": str(server),
            "EPMD": mapper,
            "LOGS": str(logs),
            "ERL_EPMD_PORT": str(self._mapper_port),
            "RABBITMQ_NODENAME": f"double-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": self.host,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_MNESIA_BASE": f"{home}/data",
            "RABBITMQ_LOG_BASE": str(logs),
            "RABBITMQ_LOGS": str(logs / "node.log"),
            "RABBITMQ_PID_FILE": f"{home}/pid",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/enabled_plugins",
            "RABBITMQ_CONFIG_FILE": f"{home}/none",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{home}/none.config",
            "RABBITMQ_CONF_ENV_FILE": f"{home}/none.conf",
            "RABBITMQ_GENERATED_CONFIG_DIR": f"{home}/generated",
            # Two cores are shared with the tests: no busy waiting in the schedulers.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
        }

    def _wait_until_ready(self, logs: Path) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            try:
                self.connect().close()
            except pika.exceptions.AMQPError:
                time.sleep(0.2)
            else:
                return
        console = (logs / "console.log").read_text(errors="replace")[-2000:]
        self.kill()
        raise RuntimeError(f"RabbitMQ did not start within {START_TIMEOUT:.0f} s:\n{console}")
