"""`stagepass release attest`: sign a built release, store it with its objects, and read it back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click

from stagepass import strictjson
from stagepass.attesting import seal
from stagepass.cli import options, release_files
from stagepass.cli.release_build import unsigned
from stagepass.cli.release_place import default_repository, repository
from stagepass.cli.release_sources import release_sources, required
from stagepass.cli.release_verify import Answered
from stagepass.cli.signed import show_signer, signer_json
from stagepass.cli.signer import Chosen, signing
from stagepass.cli.standing import Standing
from stagepass.decision import Answer, Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError
from stagepass.evidence import Deadline, Rejection
from stagepass.identity import Certified
from stagepass.policy.model import PolicySet
from stagepass.predicates.release import RELEASE
from stagepass.release.find import may_attest, signed_before
from stagepass.release.model import Release, subjects
from stagepass.release.pushed import push_release
from stagepass.release.store import NOWHERE, SECONDS, holds, read_back, write_directory
from stagepass.signing import Signer
from stagepass.statement import MAX_BYTES, MAX_DEPTH, Statement, Subject

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("directory", type=_PATH, metavar="DIR")
@signing()
@click.option(
    "--policy",
    "policy_directory",
    type=_PATH,
    metavar="DIR",
    help="Check first that the signer is one of the stage's `release.from`.",
)
@repository
@options.evidence
@options.offline
@options.now
@options.output
def attest(
    directory: Path,
    chosen: Chosen,
    policy_directory: Path | None,
    repository: ImageRef | None,
    evidence: tuple[str, ...],
    offline: bool,
    now: datetime | None,
    output: str,
) -> int:
    """
    Sign the release that `release build` wrote into DIR, and store it where --evidence says.

    To run it again adds nothing. The objects are stored with it: whoever can read the repository or the
    directory can read them.
    """
    release, built = release_files.read(directory)
    policy = options.load_policy(policy_directory) if policy_directory else None
    signer, moment = chosen.open(), options.current_time(now)
    if policy and (why := _refusal(policy, release, signer, moment)):
        return _denied(release, why, Standing(policy, signer)).show(str(directory), output)
    where = repository or default_repository(policy, release.pipeline, release.stage)
    if "registry" in evidence:
        required(where)
        if offline:
            raise InputError("--offline cannot push to a registry", hint="use --evidence dir:PATH")
    payload = unsigned(release, where.name, _commit(built))
    deadline = Deadline.after(SECONDS)
    with release_sources(evidence, where, offline=offline) as sources:
        about = subjects(release.statement)
        old = signed_before(signer.ring, sources, where, about["artifact"], payload, deadline)
        bundle = old or seal(payload, signer, list(about.values()), where=RELEASE)
        if policy and (why := _refusal(policy, release, signer, moment, bundle)):
            return _denied(release, why, Standing(policy, signer)).show(str(directory), output)
        stored: list[str] = []
        for name, source in zip(evidence, sources, strict=True):
            if old is None or not holds(source, where, release.statement, bundle):
                stored += _store(name, release, bundle, where, moment)
                read_back(source, where, release, bundle)
    Signed(release, where, Digest.of(payload), stored, bundle, signer.certified).show(output)
    return 0


def _refusal(
    policy: PolicySet, release: Release, signer: Signer, now: datetime, bundle: bytes | None = None
) -> str:
    """Why the policy does not count this signer; with the `bundle`, as the set itself sees that."""
    who, statement = Standing(policy, signer), release.statement
    if why := may_attest(policy, statement, who.key_id, now, who.certified, who.signed):
        return (
            f"{who.name}: {why}{who.wanted(_signers(policy, release))}" if signer.issuers else why
        )
    if bundle is None or who.certified is None:
        return ""
    artifact = subjects(statement)["artifact"]
    return who.refusal(
        bundle,
        artifact,
        lambda by: not may_attest(policy, statement, by.key_id, now, by.certified, by.signed),
    )


def _signers(policy: PolicySet, release: Release) -> tuple[str, ...]:
    """The attestors of `release.from` at the release's stage; none where there is no such stage."""
    here = (release.pipeline, release.stage)
    stages = (s for p in policy.pipelines for s in p.stages if (p.name, s.name) == here)
    return next((stage.release.signers for stage in stages if stage.release is not None), ())


def _denied(release: Release, why: str, who: Standing) -> Answered:
    refused = Rejection(Code.SIGNER_UNKNOWN, why, RELEASE, who.key_id or who.name)
    return Answered(Answer.DENIED, release, rejections=[refused])


@dataclass(frozen=True, slots=True)
class Signed:
    """What was signed and where it lies."""

    release: Release
    repository: ImageRef
    payload_digest: Digest
    stored: list[str]
    bundle: bytes
    certified: Certified | None

    def show(self, output: str) -> None:
        """Say so."""
        digests = {name: str(digest) for name, digest in subjects(self.release.statement).items()}
        if output == "json":
            line = {
                "predicateType": RELEASE,
                "payloadDigest": str(self.payload_digest),
                **digests,
                "imageSet": str(self.release.image_set),
                "repository": "" if self.repository == NOWHERE else self.repository.name,
                "stored": self.stored,
                **signer_json(self.certified, self.bundle),
            }
            click.echo(json.dumps(line))
            return
        click.echo(f"signed {RELEASE} of {self.release.pipeline}/{self.release.stage}")
        click.echo(f"  release  {digests['release']}")
        name = "" if self.repository == NOWHERE else f"{self.repository.name}@"
        click.echo(f"  artifact {name}{digests['artifact']}")
        show_signer(self.certified, self.bundle)
        for place in self.stored:
            click.echo(f"  stored in {place}")
        if not self.stored:
            click.echo("  it was signed before and is all there")


def _store(name: str, release: Release, bundle: bytes, where: ImageRef, now: datetime) -> list[str]:
    """Put it into the source `name`, and say where."""
    if found := options.directories([name]):
        return [str(path) for path in write_directory(found[0].root, release, bundle)]
    with options.registry_client(frozenset({where.host})) as client:
        return push_release(client, where, release, bundle, now, Deadline.after(SECONDS))


def _commit(built: Statement) -> Subject | None:
    """The commit that `build` was told, from its unsigned statement: the subject without a sha256."""
    document = strictjson.loads_object(built.payload, max_bytes=MAX_BYTES, max_depth=MAX_DEPTH)
    for subject in document["subject"]:
        digests = subject.get("digest") or {}
        if "gitCommit" in digests:
            return Subject(str(subject.get("name", "")), digests)
    return None
