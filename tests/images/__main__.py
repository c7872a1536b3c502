"""
Build both images by deploy/*Dockerfile, and run them as their Deployments do, under seccomp.

    python -m tests.images [--base IMAGE] [--build-option WORD...] [--runtime runc|crun]

Needs root, buildah, debootstrap (without --base), runc or crun, and the tools of `make tools`. Exits 1
where a check fails, 2 where something is not there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tests.images.build import DOCKERFILES, Builder, make_context
from tests.images.checks import CHECKS
from tests.images.container import Image
from tests.images.seccomp import PODMAN

_T = TypeVar("_T")


def missing(options: argparse.Namespace) -> str:
    """What is not there, and where to have it from; "" where all is."""
    if os.geteuid() != 0:
        return "needs root: containers for another user are made"
    for name in ("buildah", options.runtime, *(() if options.base else ("debootstrap",))):
        if shutil.which(name) is None:
            return f"needs {name}: apt-get install {name}"
    if not PODMAN.is_file():
        return f"needs {PODMAN}: apt-get install golang-github-containers-common"
    return ""


def main(arguments: list[str] | None = None) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.images", description=__doc__)
    parser.add_argument("--base", default="", help="instead of one made by debootstrap")
    parser.add_argument("--build-option", action="append", default=[], help="for buildah build")
    parser.add_argument("--runtime", default="runc")
    options = parser.parse_args(arguments)
    if why := missing(options):
        print(why, file=sys.stderr)
        return 2
    builder = Builder(_store(), options.build_option)
    with tempfile.TemporaryDirectory(prefix="images-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        context = directory / "clone"
        context.mkdir()
        try:
            base = options.base or builder.base()
            make_context(context)
            images = {
                each: _told(f"build {each}", lambda each=each: builder.build(each, context, base))
                for each in DOCKERFILES
            }
            return _check(directory, images, options.runtime)
        finally:
            builder.clean()


def _check(directory: Path, images: dict[str, Image], runtime: str) -> int:
    failed = 0
    for number, (title, check) in enumerate(CHECKS.items()):
        place = directory / str(number)
        place.mkdir()
        try:
            _told(title, lambda check=check, place=place: check(place, images, runtime))
        except AssertionError as error:
            failed += 1
            print(f"FAILED   {title}: {str(error)[-4000:]}", flush=True)
    return 1 if failed else 0


def _told(title: str, what: Callable[[], _T]) -> _T:
    start = time.monotonic()
    found = what()
    print(f"{time.monotonic() - start:6.1f} s {title}", flush=True)
    return found


def _store() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    store = cache / "stagepass" / "images"
    store.mkdir(parents=True, exist_ok=True)
    return store


if __name__ == "__main__":
    sys.exit(main())
