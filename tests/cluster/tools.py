"""
The real programs that tests run against: etcd, the control plane, kubectl and cosign.

Each is built from its published Go module, pinned by the go.mod beside this file, into a per-user
cache outside the clone. The cache key covers everything that decides the bytes (go.mod, go.sum, Go
version, link flags), so a fresh clone on the same machine builds nothing.

    python -m tests.cluster.tools          build what is missing, with progress; print the directory
    python -m tests.cluster.tools --check  exit 1 if anything is missing; build nothing

Standard library only: `make tools` runs it before `.venv/` exists, beside the rest of the set-up.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent

_KUBERNETES = "v1.37.2"
_VERSION_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
# Without these, `kubectl version` exits 1: the unset version string does not parse.
_VERSION_FIELDS = {
    "gitVersion": _KUBERNETES,
    "gitMajor": "1",
    "gitMinor": "37",
    "gitTreeState": "clean",
    "gitCommit": "module",
    "buildDate": "2026-11-22T00:00:00Z",
}


@dataclass(frozen=True, slots=True)
class Module:
    """One Go module of ours and the commands (import path → file name) it pins."""

    directory: str
    commands: dict[str, str]
    ldflags: str = "-s -w"


MODULES = (
    Module("etcd", {"go.etcd.io/etcd/server/v3": "etcd"}),
    Module("cosign", {"github.com/sigstore/cosign/v3/cmd/cosign": "cosign"}),
    Module(
        "kubernetes",
        {
            f"k8s.io/kubernetes/cmd/{name}": name
            for name in ("kube-apiserver", "kube-controller-manager", "kubectl")
        },
        ldflags=" ".join(
            [
                "-s -w",
                *(
                    f"-X {package}.{field}={value}"
                    for package in _VERSION_PACKAGES
                    for field, value in _VERSION_FIELDS.items()
                ),
            ]
        ),
    ),
)


def cache_root() -> Path:
    """`$XDG_CACHE_HOME/stagepass`, by default in the home directory."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stagepass"


def has_go() -> bool:
    """Whether a Go toolchain is on PATH; without one, the tests that need these programs skip."""
    return shutil.which("go") is not None


def _go(*arguments: str, cwd: Path) -> str:
    return subprocess.run(
        ["go", *arguments], cwd=cwd, check=True, text=True, stdout=subprocess.PIPE
    ).stdout.strip()


def _bin(module: Module) -> Path:
    source = HERE / module.directory
    key = hashlib.sha256()
    for part in ((source / "go.mod").read_bytes(), (source / "go.sum").read_bytes()):
        key.update(part + b"\0")
    key.update(f"{_go('env', 'GOVERSION', cwd=source)}\0{module.ldflags}".encode())
    return cache_root() / "tools" / f"{module.directory}-{key.hexdigest()[:16]}"


def _is_built(module: Module) -> bool:
    return all((_bin(module) / name).is_file() for name in module.commands.values())


def binaries() -> dict[str, Path]:
    """Every program that is already built, by name. Builds nothing."""
    if not has_go():
        return {}
    return {
        name: _bin(module) / name
        for module in MODULES
        if _is_built(module)
        for name in module.commands.values()
    }


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def build(module: Module) -> None:
    """
    Compile one module's commands into the cache; a second caller waits for the first.

    The build cache (3.9 GB for the control plane) is kept only until the build succeeds, so that a
    build cut short goes on where it stopped. Raises `CalledProcessError` when Go refuses.
    """
    target = _bin(module)
    with _locked(target.with_suffix(".lock")):
        if _is_built(module):
            return
        source, scratch = HERE / module.directory, target.with_suffix(".build")
        scratch.mkdir(exist_ok=True)
        total = len(_go("list", "-deps", *module.commands, cwd=source).splitlines())
        _say(f"{module.directory}: compiling {total} Go packages (once per machine)")
        environment = {**os.environ, "GOCACHE": str(scratch / "cache"), "GOFLAGS": "-mod=readonly"}
        for package, name in module.commands.items():
            _compile(module, package, scratch / name, source, environment, total)
        target.mkdir(exist_ok=True)
        for name in module.commands.values():
            (scratch / name).replace(target / name)
        shutil.rmtree(scratch)


def _compile(
    module: Module, package: str, out: Path, source: Path, environment: dict[str, str], total: int
) -> None:
    command = ["go", "build", "-v", "-trimpath", "-buildvcs=false", f"-ldflags={module.ldflags}"]
    started, done, told = time.monotonic(), 0, 0.0
    with subprocess.Popen(
        [*command, "-o", str(out), package],
        cwd=source,
        env=environment,
        text=True,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        tail: list[str] = []
        for line in process.stderr:
            done, tail = done + 1, [*tail[-19:], line]
            if time.monotonic() - told > 10:
                told = time.monotonic()
                _say(f"  {out.name}: {done} of at most {total} packages, {told - started:.0f} s")
    if process.returncode != 0:
        _say("".join(tail))
        raise subprocess.CalledProcessError(process.returncode, command)
    _say(f"  {out.name}: built in {time.monotonic() - started:.0f} s")


def main(arguments: list[str]) -> int:
    """Build (or with `--check` only look); 0 = all there, 1 = not, with the reason on stderr."""
    if not has_go():
        _say("no Go toolchain on PATH: the control-plane and cosign tests cannot run here")
        return 1
    missing = [module for module in MODULES if not _is_built(module)]
    if "--check" in arguments:
        return 1 if missing else 0
    for module in missing:
        build(module)
    print(cache_root() / "tools")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
