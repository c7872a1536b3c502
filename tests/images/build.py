"""Images by buildah, without a daemon: a base, and ours from what Git knows of the working tree."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import tools
from tests.images.container import Image

ROOT = Path(__file__).parents[2]
_SUITE = "bookworm"
"""The Debian release whose python3 is 3.11."""
_PACKAGES = "ca-certificates,netbase,tzdata,python3,python3-venv,python-is-python3"
DOCKERFILES = {"webhook": "deploy/Dockerfile", "applier": "deploy/applier.Dockerfile"}


@dataclass(frozen=True, slots=True)
class Builder:
    """`store` is a directory of its own for images, kept; `options` go to every `buildah build`."""

    store: Path
    options: Sequence[str] = ()

    def buildah(self, *words: str) -> str:
        """What it printed; raises `CalledProcessError`, with its messages on our own standard error."""
        command = ["buildah", "--storage-driver", "vfs", "--root", str(self.store / "images")]
        command += ["--runroot", str(self.store / "run"), *words]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=None, text=True, check=True)
        return done.stdout.strip()

    def base(self) -> str:
        """The name of an image that stands for python:3.11-slim, made by debootstrap once."""
        name = f"localhost/stagepass-base:{_SUITE}"
        if self.buildah("images", "--quiet", "--filter", f"reference={name}"):
            return name
        root = self.store / "base"
        shutil.rmtree(root, ignore_errors=True)
        words = ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", _SUITE, str(root)]
        subprocess.run(words, stdout=sys.stderr, check=True)
        shutil.rmtree(root / "var" / "cache" / "apt" / "archives")
        container = self.buildah("from", "scratch")
        self.buildah("add", "--quiet", container, str(root), "/")
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        self.buildah("config", "--env", path, container)
        self.buildah("commit", "--quiet", "--rm", container, name)
        shutil.rmtree(root)
        return name

    def build(self, name: str, context: Path, base: str) -> Image:
        """One of ours, built and unpacked until `clean`."""
        tag = f"localhost/stagepass/{name}:checked"
        words = ["build", "--quiet", "--isolation", "chroot", "--build-arg", f"BASE={base}"]
        words += [*self.options, "--file", str(context / DOCKERFILES[name]), "--tag", tag]
        self.buildah(*words, str(context))
        root = self.buildah("mount", self.buildah("from", tag))
        config = json.loads(self.buildah("inspect", "--type", "image", tag))["OCIv1"]["config"]
        return Image(Path(root), config)

    def clean(self) -> None:
        """What was unpacked, and images that no name is left of."""
        self.buildah("rm", "--all")
        self.buildah("rmi", "--prune")


def make_context(directory: Path) -> Path:
    """
    What a person has who followed deploy/README.md, in a clone made under umask 077.

    A private key lies in it, as it may in theirs.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    old = os.umask(0o077)
    try:
        for name in filter(None, listed.stdout.decode().split("\0")):
            if (ROOT / name).is_file():
                (directory / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, directory / name)
        for place in (".", "webhook", "applier", "requirements"):
            (directory / place / "secret.key").write_text("not for an image\n")
        wheel = [sys.executable, "-m", "build", "--wheel", "--no-isolation", str(directory)]
        subprocess.run(wheel, stdout=subprocess.DEVNULL, check=True)
        shutil.copyfile(tools.binaries()["kubectl"], directory / "dist" / "kubectl")
    finally:
        os.umask(old)
    return directory
