"""`stagepass evidence copy` and `mirror`: what was signed, in another registry or in a directory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import click

from stagepass.cli import options
from stagepass.cli.evidence_releases import copy_releases, mirror_releases
from stagepass.cli.report import named, printable, tell
from stagepass.digest import ImageRef
from stagepass.errors import InputError, Unavailable
from stagepass.evidence import Candidate, Deadline, DirectorySource, EvidenceSource
from stagepass.registry.transfer import Put, Transfer, gather, transfer

_policy = click.option(
    "--policy",
    "policy_directory",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Take along the releases of all stages whose pipeline covers the image, verified by this set.",
)


@click.command("copy")
@click.argument("image", type=options.IMAGE)
@click.argument("target", type=options.ANY_IMAGE, metavar="REPOSITORY")
@_policy
@click.option(
    "--releases-to",
    type=options.ANY_IMAGE,
    metavar="REPO",
    help="The repository for these releases; with --policy.",
)
@options.evidence
@options.output
def copy_evidence(
    image: ImageRef,
    target: ImageRef,
    policy_directory: Path | None,
    releases_to: ImageRef | None,
    evidence: tuple[str, ...],
    output: str,
) -> int:
    """
    Copy what was signed about IMAGE (repository@sha256:...) to another REPOSITORY.

    The same image has to be there already. What REPOSITORY holds is not stored again, and what no
    policy would accept is left behind. `--evidence dir:PATH` brings back what `mirror` took out.

    With --policy and --releases-to the releases go along, as of `mirror`.
    """
    for each in filter(None, (target, releases_to)):
        if each.tag is not None or each.digest is not None:
            raise InputError(f"{each} is not a repository", hint="the digest is IMAGE's")
    if (policy_directory is None) != (releases_to is None):
        hint = "which releases count is the policy's word, and where they go is yours"
        raise InputError("--policy and --releases-to go together", hint=hint)
    policy = options.load_policy(policy_directory) if policy_directory else None
    code = _copy(image, target, evidence, output)
    if policy is None or releases_to is None:
        return code
    return max(code, copy_releases(policy, image, releases_to, evidence, output))


@click.command()
@click.argument("images", type=options.IMAGE, nargs=-1, required=True)
@click.option("--to", required=True, metavar="dir:PATH", help="The directory to fill.")
@_policy
@options.evidence
@options.output
def mirror(
    images: tuple[ImageRef, ...],
    to: str,
    policy_directory: Path | None,
    evidence: tuple[str, ...],
    output: str,
) -> int:
    """
    Copy what was signed about each of IMAGES (repository@sha256:...) into a directory.

    A gate without a registry reads it there: `--evidence dir:PATH`. To run it again adds what is new.

    With --policy the releases go along that count by it: of each stage the newest, as many as a gate
    reads (50), with their objects. What could not be moved is said, and the exit code is then 2.
    """
    if not (directories := options.directories([to])):
        raise InputError(f"--to {to!r}", hint="write 'dir:PATH'")
    policy = options.load_policy(policy_directory) if policy_directory else None
    hosts = frozenset(image.host for image in images)
    sources = options.sources(evidence, offline=False, hosts=hosts)
    codes = [_mirror(image, sources, directories[0], output) for image in images]
    if policy is not None:
        codes.append(mirror_releases(policy, images, directories[0].root, evidence, output))
    return max(codes)


def _copy(image: ImageRef, target: ImageRef, evidence: Sequence[str], output: str) -> int:
    from stagepass.registry.push import push_bundle
    from stagepass.registry.source import RegistrySource

    digest, moment = options.digest_of(image), options.current_time(None)
    to = replace(target, digest=digest)
    client = options.registry_client(frozenset({to.host}))

    def push(data: bytes, kind: str) -> str:
        deadline = Deadline.after(options.DEADLINE_SECONDS)
        return f"{to.name}@{push_bundle(client, to, digest, data, kind, moment, deadline)}"

    sources = options.sources(evidence, offline=False, hosts=frozenset({image.host}))
    with RegistrySource(client) as there:
        present, failures = _gather(to, [there])
        if failures:
            return tell(failures)
        return _move(image, sources, push, output, present)


def _gather(
    image: ImageRef, sources: Iterable[EvidenceSource]
) -> tuple[list[Candidate], list[Unavailable]]:
    return gather(image, options.digest_of(image), sources, options.DEADLINE_SECONDS)


def _mirror(
    image: ImageRef, sources: Iterable[EvidenceSource], target: DirectorySource, output: str
) -> int:
    def put(data: bytes, _: str) -> str:
        return str(target.write(options.digest_of(image), data))

    return _move(image, sources, put, output)


def _move(
    image: ImageRef,
    sources: Iterable[EvidenceSource],
    put: Put,
    output: str,
    present: Sequence[Candidate] = (),
) -> int:
    candidates, failures = _gather(image, sources)
    try:
        for moved in transfer(candidates, options.digest_of(image), put, present):
            click.echo(_moved_json(image, moved) if output == "json" else _moved_text(image, moved))
    except Unavailable as error:
        failures.append(error)
    return tell(failures)


def _moved_json(image: ImageRef, moved: Transfer) -> str:
    why = {"code": moved.code, "message": moved.message}
    line = {"image": named(image), "origin": moved.origin, **moved.claim.identity()}
    return json.dumps({**line, "stored": moved.stored, **why})


def _moved_text(image: ImageRef, moved: Transfer) -> str:
    if moved.code:
        return printable(f"left out {moved.origin}: {moved.code}: {moved.message}")
    where = f"to {moved.stored}" if moved.stored else "is there already"
    return printable(f"{moved.claim.predicate_type} of {named(image)} {where}")
