"""What `stagepass evidence copy` and `mirror` take along by a policy: the releases of its stages."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path

import click

from stagepass.cli import options
from stagepass.cli.release_sources import release_sources, stored_at
from stagepass.cli.report import printable, tell
from stagepass.clock import parse_time
from stagepass.decision import Code
from stagepass.digest import ImageRef
from stagepass.errors import InputError, Unavailable
from stagepass.policy.model import PolicySet
from stagepass.predicates.release import RELEASE
from stagepass.release.model import subjects
from stagepass.release.moving import (
    DirectoryTarget,
    Line,
    Listing,
    Move,
    Moved,
    Target,
    lines,
    listing,
)
from stagepass.release.store import NOWHERE

_Opened = AbstractContextManager[Target]


def mirror_releases(
    policy: PolicySet, images: Sequence[ImageRef], root: Path, evidence: Sequence[str], output: str
) -> int:
    """Into the directory `root`; the exit code is that of `tell`."""
    return _all(policy, images, lambda: nullcontext(DirectoryTarget(root)), evidence, output)


def copy_releases(
    policy: PolicySet, image: ImageRef, to: ImageRef, evidence: Sequence[str], output: str
) -> int:
    """Into the repository `to`; the exit code is that of `tell`."""
    return _all(policy, [image], lambda: _registry(to), evidence, output)


@contextmanager
def _registry(to: ImageRef) -> Iterator[Target]:
    from stagepass.release.pushed import RegistryTarget

    with (
        release_sources(["registry"], to, offline=False) as (source,),
        options.registry_client(frozenset({to.host})) as client,
    ):
        yield RegistryTarget(client, to, source)


def _all(
    policy: PolicySet,
    images: Sequence[ImageRef],
    target: Callable[[], _Opened],
    evidence: Sequence[str],
    output: str,
) -> int:
    if not (found := lines(policy, images)):
        click.echo("no stage takes releases of a pipeline that covers the image", err=True)
    with target() as opened:
        failures = [
            failure for line in found for failure in _one(policy, line, opened, evidence, output)
        ]
    return tell(failures)


def _one(
    policy: PolicySet, line: Line, target: Target, evidence: Sequence[str], output: str
) -> list[Unavailable]:
    """Every release of a line, and what could not be read or written."""
    names = [name for name in evidence if name != "registry" or line.repository != NOWHERE]
    if not names:
        message = f"the policy names no repository for the releases of {line}"
        return [Unavailable(Code.REGISTRY_UNAVAILABLE, message)]
    with release_sources(names, line.repository, offline=False) as sources:
        with _busy(f"reading the releases of {line}"):
            shown = listing(line, sources)
        move = Move(policy, line, sources, target, _clock(line.repository))
        results = []
        for number, lying in enumerate(shown.found, 1):
            with _busy(f"release {number} of {len(shown.found)} of {line}"):
                results.append(move.one(lying))
            click.echo(_json(line, results[-1]) if output == "json" else _text(line, results[-1]))
            if results[-1].is_last:
                break
    if output != "json":
        click.echo(_summary(line, shown, results))
    return [*shown.failures, *_failures(line, shown, results)]


def _failures(line: Line, shown: Listing, results: Sequence[Moved]) -> list[Unavailable]:
    """Of the items; and where more are listed than are read, and none of these counts."""
    failures = [moved.failure for moved in results if moved.failure is not None]
    if shown.is_cut and not any(moved.release for moved in results):
        message = (
            f"over {len(shown.found)} bundles are listed for {line}; none of those read counts"
        )
        failures.append(Unavailable(Code.EVIDENCE_LIMIT, message))
    return failures


def _clock(repository: ImageRef) -> Callable[[str], datetime]:
    """
    When a release was stored where it lies: the order in which the next reader will see them.

    Nobody signs that; what is no time, or is ahead of the clock, is now.
    """
    now = options.current_time(None)

    def time_of(origin: str) -> datetime:
        try:
            return min(now, parse_time(stored_at(origin, repository)))
        except InputError:
            return now

    return time_of


@contextmanager
def _busy(text: str) -> Iterator[None]:
    """`text` on standard error for as long as it takes, where that is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    click.echo(printable(text), nl=False, err=True)
    try:
        yield
    finally:
        click.echo("\r\x1b[K", nl=False, err=True)


def _json(line: Line, moved: Moved) -> str:
    release = moved.release
    about = subjects(release.statement) if release else {}
    return json.dumps(
        {
            "predicateType": RELEASE,
            "pipeline": line.pipeline.name,
            "stage": line.stage.name,
            "origin": moved.origin,
            "payloadDigest": str(release.payload_digest) if release else "",
            "signer": release.owner if release else "",
            **{name: str(about.get(name, "")) for name in ("release", "artifact")},
            "stored": moved.stored,
            "code": moved.code,
            "message": moved.message,
        }
    )


def _text(line: Line, moved: Moved) -> str:
    if moved.code or moved.release is None:
        return printable(f"left out {moved.origin}: {moved.code}: {moved.message}")
    where = f"to {moved.stored}" if moved.stored else "is there already"
    return printable(f"release {moved.release.digest} of {line} {where}")


def _summary(line: Line, shown: Listing, results: Sequence[Moved]) -> str:
    moved = sum(bool(each.stored) for each in results)
    out = sum(bool(each.code) for each in results)
    text = f"{line}: {moved} moved, {len(results) - moved - out} there already, {out} left out"
    if left := len(shown.found) - len(results):
        text += f", {left} not tried"
    return printable(f"{text}; older ones are not read" if shown.is_cut else text)
