"""
OpenSSH's own sshd on a free port of 127.0.0.1, which lets one key do one thing: `git-shell`.

    with SshServer(directory) as server:
        server.create("deploy").commit("main", {"a": b"1"})
        Mirror(server.url("deploy"), ..., GitCredentials(server.key, server.known_hosts()))
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Self

from tests.debian import program
from tests.simulators.git_store import Repository

_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {directory}/host
AuthorizedKeysFile {directory}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
DisableForwarding yes
PermitTTY no
PermitUserRC no
AcceptEnv GIT_PROTOCOL
LogLevel VERBOSE
ForceCommand {shell} -c "$SSH_ORIGINAL_COMMAND"
"""
_START_SECONDS = 20.0


def make_key(path: Path) -> Path:
    """A key of its own at `path`, its public half beside it."""
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)]
    subprocess.run(argv, check=True)
    return path


class SshServer:
    """Serves the bare repositories below `directory`; `key` may log in. A context manager."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            self.port: int = free.getsockname()[1]
        make_key(directory / "host")
        self.key = make_key(directory / "user")
        shutil.copy(directory / "user.pub", directory / "authorized_keys")
        if os.geteuid() == 0:  # sshd's privilege separation wants it, and no service made it
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        config = directory / "sshd_config"
        shell = program("git-shell", "git")
        config.write_text(_CONFIG.format(port=self.port, directory=directory, shell=shell))
        self._log = directory / "sshd.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [program("sshd", "openssh-server"), "-D", "-e", "-f", str(config)],
                env={"PATH": os.defpath},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def __enter__(self) -> Self:
        """When it answers."""
        until = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                self.__exit__()
                raise RuntimeError(f"sshd did not start: {self.log()}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def url(self, name: str) -> str:
        """By the name of the user who runs it: nobody else can be logged in by everybody."""
        user = pwd.getpwuid(os.geteuid()).pw_name
        return f"ssh://{user}@127.0.0.1:{self.port}{self.directory}/{name}.git"

    def create(self, name: str) -> Repository:
        """A new, empty bare repository."""
        return Repository.create(self.directory / f"{name}.git")

    def known_hosts(self, key: Path | None = None) -> Path:
        """A file that knows this server, by its own host key or by another."""
        kind, blob, _ = (key or self.directory / "host").with_suffix(".pub").read_text().split()
        path = self.directory / f"known_hosts_{(key or Path('own')).name}"
        path.write_text(f"[127.0.0.1]:{self.port} {kind} {blob}\n")
        return path

    def log(self) -> str:
        """What the server said."""
        return self._log.read_text()

    def _answers(self) -> bool:
        try:
            with closing(socket.create_connection(("127.0.0.1", self.port), timeout=1)) as asked:
                return asked.recv(4) == b"SSH-"
        except OSError:
            return False
