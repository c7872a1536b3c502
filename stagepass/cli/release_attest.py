"""`stagepass release attest`: sign a built release, store it with its objects, and read it back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click

from stagepass import strictjson
from stagepass.attesting import seal
from stagepass.attestor import KeyRing
from stagepass.cli import options, release_files
from stagepass.cli.keys import passphrase
from stagepass.cli.release_build import unsigned
from stagepass.cli.release_place import default_repository, repository
from stagepass.cli.release_sources import SECONDS, release_sources, required
from stagepass.cli.release_verify import Answered
from stagepass.decision import Answer, Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError, Unavailable
from stagepass.evidence import Deadline, Rejection
from stagepass.predicates.release import RELEASE
from stagepass.release.find import may_attest, signed_before
from stagepass.release.model import Release, subjects
from stagepass.release.pushed import push_release
from stagepass.release.store import NOWHERE, ReleaseSource, read_back, write_directory
from stagepass.signing import PrivateKey
from stagepass.statement import MAX_BYTES, MAX_DEPTH, Statement, Subject

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("directory", type=_PATH, metavar="DIR")
@click.option("--key", "key_file", required=True, type=_PATH, help="The private key (PEM).")
@click.option("--passphrase-env", metavar="VAR", help="The variable with the key's passphrase.")
@click.option(
    "--policy",
    "policy_directory",
    type=_PATH,
    metavar="DIR",
    help="Check first that the key is one of the stage's `release.from`.",
)
@repository
@options.evidence
@options.offline
@options.now
@options.output
def attest(
    directory: Path,
    key_file: Path,
    passphrase_env: str | None,
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
    key, moment = PrivateKey.read(key_file, passphrase(passphrase_env)), options.current_time(now)
    if policy and (why := may_attest(policy, release.statement, key.public.id, moment)):
        refused = Rejection(Code.SIGNER_UNKNOWN, why, RELEASE, str(key_file))
        return Answered(Answer.DENIED, release, rejections=[refused]).show(str(directory), output)
    where = repository or default_repository(policy, release.pipeline, release.stage)
    if "registry" in evidence:
        required(where)
        if offline:
            raise InputError("--offline cannot push to a registry", hint="use --evidence dir:PATH")
    payload = unsigned(release, where.name, _commit(built))
    deadline = Deadline.after(SECONDS)
    with release_sources(evidence, where, offline=offline) as sources:
        ring, about = KeyRing.of([(key.public, "")]), subjects(release.statement)
        old = signed_before(ring, sources, where, about["artifact"], payload, deadline)
        bundle = old or seal(payload, key, list(about.values()), where=RELEASE)
        stored: list[str] = []
        for name, source in zip(evidence, sources, strict=True):
            if old is None or not _is_there(source, where, release, bundle):
                stored += _store(name, release, bundle, where, moment)
                read_back(source, where, release, bundle)
    Signed(release, where, Digest.of(payload), stored).show(output)
    return 0


@dataclass(frozen=True, slots=True)
class Signed:
    """What was signed and where it lies."""

    release: Release
    repository: ImageRef
    payload_digest: Digest
    stored: list[str]

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
            }
            click.echo(json.dumps(line))
            return
        click.echo(f"signed {RELEASE} of {self.release.pipeline}/{self.release.stage}")
        click.echo(f"  release  {digests['release']}")
        name = "" if self.repository == NOWHERE else f"{self.repository.name}@"
        click.echo(f"  artifact {name}{digests['artifact']}")
        for place in self.stored:
            click.echo(f"  stored in {place}")
        if not self.stored:
            click.echo("  it was signed before and is all there")


def _is_there(source: ReleaseSource, where: ImageRef, release: Release, bundle: bytes) -> bool:
    try:
        read_back(source, where, release, bundle)
    except Unavailable:
        return False
    return True


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
