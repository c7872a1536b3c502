"""What must hold of the two images, each by running it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.images.container import USER, Container, Image
from tests.images.deployment import directories
from tests.images.gate import check_gate
from tests.images.rollout import check_applier
from tests.images.seccomp import DOCKER, OURS, PODMAN, read

Images = Mapping[str, Image]
_INSIDE = Path(__file__).parent / "inside"


def _run(directory: Path, image: Image, runtime: str, profile: Path, *command: str) -> str:
    """What `command` prints under a profile, with a /tmp of its own."""
    directories(directory, "tmp")
    container = Container(
        image,
        runtime,
        mounts={"/tmp": directory / "tmp", "/inside": _INSIDE},  # noqa: S108  # of the container
        writable=frozenset({"/tmp"}),  # noqa: S108
        environment={"HOME": "/tmp", "PYTHONPATH": "/app"},  # noqa: S108
        seccomp=read(profile),
    )
    code, text = container.run(directory / "bundle", *command)
    assert code == 0, text
    return text


def _layers(_directory: Path, images: Images, _runtime: str) -> None:
    """No private key and nothing but the application, all of it readable, none of it writable."""
    for name, image in images.items():
        assert image.config["User"] == f"{USER}:{USER}"
        assert [path.name for path in (image.root / "app").iterdir()] == [name]
        assert not [*(image.root / "app").rglob("*.key"), *(image.root / "opt").rglob("*.key")]
        assert not (image.root / "build").exists()
        for path in (image.root / "app").rglob("*"):
            mode = path.stat().st_mode
            assert mode & 0o004, path
            assert not mode & 0o022, path


def _programs(directory: Path, images: Images, runtime: str) -> None:
    """Each is there, and none asks who uid 65532 is."""
    lines = (  # one command each: `sh -e` looks at the last of `a && b` alone
        "git --version",
        "gpg --version",
        "kubectl version --client",
        "python -m applier plan --help",
        "ssh -F none -p 1 -o BatchMode=yes 127.0.0.1 2>&1 | grep refused",
        "ssh-keygen -Y find-principals -s /dev/null -f /dev/null 2>&1 | grep 'missing header'",
        "test $(id -u) = 65532",
        "if touch /x; then exit 1; fi",
        "grep -E 'NoNewPrivs:.1|Seccomp:.2|CapEff:.0000000000000000' /proc/self/status",
    )
    text = _run(directory, images["applier"], runtime, OURS, "sh", "-ec", "\n".join(lines))
    assert len(re.findall("NoNewPrivs|Seccomp:|CapEff", text)) == 3, text


def _refused(profile: Path, package: str, why: str) -> Callable[[Path, Images, str], None]:
    def check(directory: Path, images: Images, runtime: str) -> None:
        if not profile.is_file():
            print(f"         (not checked: apt-get install {package})")
            return
        text = _run(directory, images["applier"], runtime, profile, "python", "/inside/sandbox.py")
        assert text.startswith("SANDBOX_MISSING"), text
        assert why in text, text

    return check


def _sandbox(directory: Path, images: Images, runtime: str) -> None:
    text = _run(directory, images["applier"], runtime, OURS, "python", "/inside/sandbox.py")
    assert text == "isolated\n", text


def _escapes(directory: Path, images: Images, runtime: str) -> None:
    text = _run(directory, images["applier"], runtime, OURS, "python", "/inside/escapes.py")
    done = dict(line.split(": ") for line in text.splitlines())
    assert len(done) > 15
    assert {name for name, end in done.items() if end == "done"} == {"unshare user+net+ipc"}, text


CHECKS: Mapping[str, Callable[[Path, Images, str], None]] = {
    "both images hold the application, readable, and no key": _layers,
    "webhook: ready, judges, ends by SIGTERM (RuntimeDefault)": lambda directory, images, runtime: (
        check_gate(directory, images["webhook"], runtime)
    ),
    "applier: programs (Localhost)": _programs,
    "applier: signed commits, Kustomize, pass (Localhost)": lambda directory, images, runtime: (
        check_applier(directory, images["applier"], runtime, read(OURS))
    ),
    "renderer: isolated under stagepass-applier.json": _sandbox,
    "renderer: stands still under Podman's default": _refused(
        PODMAN, "golang-github-containers-common", "cannot change root directory"
    ),
    "renderer: stands still under Docker's and containerd's default": _refused(
        DOCKER, "golang-github-docker-docker-dev", "unshare failed: Operation not permitted"
    ),
    "stagepass-applier.json opens nothing else": _escapes,
}
