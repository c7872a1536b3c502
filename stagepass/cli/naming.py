"""`--release`: the release that a statement about one of its images names."""

from __future__ import annotations

from pathlib import Path

import click

from stagepass.digest import Digest, ImageRef
from stagepass.errors import AttestationError, InputError
from stagepass.policy.model import Stage
from stagepass.policy.releases import Attested, ManifestMode
from stagepass.predicates.named_release import NamedRelease
from stagepass.predicates.release import Named, image_set, parse_resource_list

_MAX_BYTES = 8 << 20
_FILE = "release.json"

option = click.option(
    "--release",
    "release_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The release.json, or the directory with it: of which release this is said.",
)


def read(path: Path | None, image: ImageRef) -> NamedRelease | None:
    """The release in `path`, which has `image` in it; None without a path. Raises `InputError`."""
    if path is None:
        return None
    file = path / _FILE if path.is_dir() else path
    try:
        data = file.read_bytes()
        _, images = parse_resource_list(data, _MAX_BYTES)
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", where=str(file)) from error
    except AttestationError as error:
        hint = f"the {_FILE} that `stagepass release build` wrote"
        raise InputError(error.message, where=str(file), hint=hint) from error
    if image.digest is None or Named(image.name, image.digest) not in images:
        raise InputError(f"{image} is no image of this release", where=str(file))
    return NamedRelease(Digest.of(data), image_set(images))


def demand(stage: Stage, release: NamedRelease | None) -> None:
    """Raises `InputError` where a statement about `stage` counts only if it names its release."""
    if stage.manifests is ManifestMode.REQUIRED and release is None:
        raise InputError(
            f"stage {stage.name!r} admits objects of a signed release, and this would name none",
            hint=f"give --release {_FILE}",
        )


def claim(release: NamedRelease) -> Attested:
    """What is to be judged when a statement about `release` is asked for."""
    return Attested(release.digest, release.image_set)
