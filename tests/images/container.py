"""
A container as the kubelet would have it made for our Pods: an OCI bundle, run by runc or crun.

Uid 65532, a read-only root, no capabilities, `no_new_privs`, 64 MiB of /dev/shm; the network is the
machine's, so that servers on loopback are reached.
"""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

USER = 65532
"""As `runAsUser` in our Deployments, and as `USER` in our images."""

_MASKED = ("acpi", "kcore", "keys", "latency_stats", "timer_list", "sched_debug", "scsi")
_READ_ONLY = ("bus", "fs", "irq", "sys", "sysrq-trigger")
_STRICT = ["nosuid", "noexec", "nodev"]


@dataclass(frozen=True, slots=True)
class Image:
    """An image that was unpacked: its root directory and its `config`, as OCI has it."""

    root: Path
    config: Mapping[str, Any]

    @property
    def command(self) -> list[str]:
        """What it runs when it is told nothing."""
        return [*self.config["Entrypoint"], *self.config.get("Cmd", [])]


class Running:
    """A container's process; a context manager, after which nothing of it is left."""

    def __init__(self, runtime: str, bundle: Path, output: Path) -> None:
        self._runtime, self._name = runtime, f"stagepass-{secrets.token_hex(6)}"
        self._output = output
        with output.open("ab") as file:
            self.process = subprocess.Popen(
                [runtime, "run", "--bundle", str(bundle), self._name],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """SIGKILL: `runc run` alone would leave the container behind."""
        for words in (("kill", self._name, "KILL"), ("delete", "--force", self._name)):
            subprocess.run([self._runtime, *words], capture_output=True, timeout=30)
        self.process.wait()

    @property
    def text(self) -> str:
        """What it printed so far."""
        return self._output.read_text(errors="replace")


@dataclass(frozen=True, slots=True)
class Container:
    """
    What differs between containers. `mounts` maps a path inside to a directory or a file outside;
    `writable` are those of them that are not read-only. `seccomp` is OCI's `linux.seccomp`, None for
    none.
    """

    image: Image
    runtime: str
    mounts: Mapping[str, Path] = field(default_factory=dict)
    writable: frozenset[str] = frozenset()
    environment: Mapping[str, str] = field(default_factory=dict)
    seccomp: Mapping[str, Any] | None = None

    def with_mounts(self, mounts: Mapping[str, Path]) -> Container:
        """The same with more of them, which cannot be written to."""
        return replace(self, mounts={**self.mounts, **mounts})

    def run(self, bundle: Path, *command: str) -> tuple[int, str]:
        """The exit code of `command`, 120 s at most, and what it printed."""
        with self.start(bundle, *command) as running:
            return running.process.wait(120), running.text

    def start(self, bundle: Path, *command: str, output: Path | None = None) -> Running:
        """`command`, or what the image runs by itself. `bundle` is a directory to be made."""
        bundle.mkdir()
        spec = self._spec(list(command) or self.image.command)
        (bundle / "config.json").write_text(json.dumps(spec))
        return Running(self.runtime, bundle, output or bundle / "output")

    def _spec(self, command: Sequence[str]) -> dict[str, Any]:
        linux: dict[str, Any] = {
            "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")],
            "maskedPaths": ["/sys/firmware", *(f"/proc/{name}" for name in _MASKED)],
            "readonlyPaths": [f"/proc/{name}" for name in _READ_ONLY],
        }
        if self.seccomp is not None:
            linux["seccomp"] = self.seccomp
        own = [f"{name}={value}" for name, value in self.environment.items()]
        return {
            "ociVersion": "1.0.2",
            "root": {"path": str(self.image.root), "readonly": True},
            "hostname": "stagepass",
            "process": {
                "user": {"uid": USER, "gid": USER, "additionalGids": [USER]},
                "args": list(command),
                "env": [*self.image.config["Env"], *own],
                "cwd": self.image.config["WorkingDir"],
                "noNewPrivileges": True,
                "capabilities": {kind: [] for kind in ("bounding", "effective", "permitted")},
            },
            "mounts": [*_SYSTEM, *map(self._mount, self.mounts)],
            "linux": linux,
        }

    def _mount(self, inside: str) -> dict[str, Any]:
        mode = "rw" if inside in self.writable else "ro"
        return {
            "destination": inside,
            "source": str(self.mounts[inside]),
            "type": "bind",
            "options": ["rbind", "rprivate", mode],
        }


def _tmpfs(destination: str, *options: str) -> dict[str, Any]:
    return {
        "destination": destination,
        "type": "tmpfs",
        "source": "tmpfs",
        "options": list(options),
    }


_SYSTEM = [
    {"destination": "/proc", "type": "proc", "source": "proc", "options": _STRICT},
    _tmpfs("/dev", "nosuid", "strictatime", "mode=755", "size=65536k"),
    {
        "destination": "/dev/pts",
        "type": "devpts",
        "source": "devpts",
        "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
    },
    _tmpfs("/dev/shm", *_STRICT, "mode=1777", "size=65536k"),  # noqa: S108  # inside a container
    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": [*_STRICT, "ro"]},
]
