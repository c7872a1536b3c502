"""`stagepass revoke`: add to the policy set's signed list of what no longer counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import click

from stagepass import wholefile
from stagepass.attestor import KeyRing, PublicKey
from stagepass.cli import options
from stagepass.cli.keys import passphrase
from stagepass.cli.policy_stranded import stranded
from stagepass.digest import Digest
from stagepass.errors import InputError
from stagepass.evidence import Candidate, Rejection
from stagepass.policy.model import PolicySet
from stagepass.policy.store import load_files, read_directory
from stagepass.policy.trust import in_force, verified_list
from stagepass.predicates.members import REVOCATION_LIST
from stagepass.predicates.revocation import Entry, RevocationList
from stagepass.signing import PrivateKey
from stagepass.statement import compose

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("file", type=_PATH)
@click.option("--key", "key_file", required=True, type=_PATH, help="A key of the list's signers.")
@click.option("--passphrase-env", metavar="VAR", help="The variable with the key's passphrase.")
@click.option("--artifact", multiple=True, metavar="SHA256:HEX", help="An image digest.")
@click.option("--attestation", multiple=True, metavar="SHA256:HEX", help="A payload digest.")
@click.option(
    "--public-key", multiple=True, type=_PATH, metavar="PUB", help="A key, by its .pub file."
)
@click.option(
    "--signer",
    "signers",
    multiple=True,
    type=_PATH,
    metavar="PUB",
    help="Another key that may have signed what FILE holds, by its .pub file. Repeatable.",
)
@click.option("--reason", help="Why; shown to whoever is refused.")
@click.option(
    "--valid-for",
    type=options.DURATION,
    default="30d",
    show_default=True,
    help="Until when the list holds; then every image is denied, or with onExpired: warn none.",
)
@click.option("--dry-run", is_flag=True, help="Write nothing: only say what would die.")
@click.option(
    "--policy",
    "policy_directory",
    type=_PATH,
    metavar="DIR",
    help="With --running: the set whose list FILE is, or is to be.",
)
@click.option(
    "--running",
    metavar="FILE",
    help="What runs, to name what would die: 'kubectl get pods -A -o json', or '-'.",
)
@click.option("--cluster", help="The cluster it runs in.")
@options.evidence
@options.offline
@options.now
def revoke(
    file: Path,
    key_file: Path,
    passphrase_env: str | None,
    artifact: tuple[str, ...],
    attestation: tuple[str, ...],
    public_key: tuple[Path, ...],
    signers: tuple[Path, ...],
    reason: str | None,
    valid_for: timedelta,
    dry_run: bool,
    policy_directory: Path | None,
    running: str | None,
    cluster: str | None,
    evidence: tuple[str, ...],
    offline: bool,
    now: datetime | None,
) -> int:
    """
    Write the next revocation list into FILE, which a `kind: Revocations` of the policy set names.

    What FILE holds already stays in it, with the sequence one higher; with nothing to add, the list is
    renewed. FILE must be signed by this key, or by a --signer: whoever merges a commit could else take
    entries out. A revoked key kills everything it ever signed: sign again first what is to stay.

    With --running, what runs is judged with the list as it is and as it would be: what loses its
    admission is named, before FILE is written. It could not restart.
    """
    if None in (policy_directory, cluster) and running is not None:
        raise click.UsageError("--running needs --policy, and --cluster: the one it runs in")
    moment = options.current_time(now)
    key = PrivateKey.read(key_file, passphrase(passphrase_env))
    new = [*_digests("artifact", artifact, reason), *_digests("attestation", attestation, reason)]
    new += [Entry("key", _public(path).id, _stated(reason)) for path in public_key]
    before = _existing(file, [key.public, *map(_public, signers)])
    listed = RevocationList.of(
        before.sequence + 1 if before else 1,
        moment,
        moment + valid_for,
        tuple(dict.fromkeys((*(before.entries if before else ()), *new))),
    )
    bundle = _signed(listed, key)
    if policy_directory is not None and running is not None and cluster is not None:
        with_list, without = _sets(policy_directory, file, bundle, before, listed)
        sources = options.sources(evidence, offline=offline, hosts=with_list.hosts())
        stranded(without, with_list, sources, running, cluster, moment).show()
    if dry_run:
        click.echo(f"{file}: not written (--dry-run)")
        return 0
    try:
        wholefile.replace(file, bundle)
    except OSError as error:
        raise InputError(f"cannot write: {error.strerror}", where=str(file)) from error
    click.echo(f"{file}: sequence {listed.sequence}, {len(listed.entries)} entries")
    return 0


def _signed(listed: RevocationList, key: PrivateKey) -> bytes:
    """The bundle, read back as its reader will."""
    payload = compose(
        name="revocations",
        digest=listed.digest,
        predicate_type=REVOCATION_LIST,
        predicate=listed.compose(),
    )
    bundle = key.sign(payload).to_bytes()
    ring = KeyRing.of([(key.public, "")])
    if isinstance(found := ring.verify(Candidate(bundle, ""), listed.digest), Rejection):
        raise InputError(f"would be refused: {found.message}")
    return bundle


def _sets(
    directory: Path,
    file: Path,
    bundle: bytes,
    before: RevocationList | None,
    listed: RevocationList,
) -> tuple[PolicySet, PolicySet]:
    """The set in `directory` with the list as it will be, and as it was. Raises `PolicyError`."""
    files = read_directory(directory)
    try:
        files[file.resolve().relative_to(directory.resolve()).as_posix()] = bundle
    except ValueError as error:
        hint = "give the directory that FILE lies in"
        raise InputError(f"{file} is not in {directory}", hint=hint) from error
    new = load_files(files)
    if new.revocations is None:
        hint = "add a document of kind: Revocations"
        raise InputError(f"{directory} names no revocation list", hint=hint)
    if new.revocations.sequence != listed.sequence:
        raise InputError(f"{directory} names another revocation list than {file}")
    denies = new.revocations.deny_when_expired
    old = None if before is None else in_force(before, before.expires, deny_when_expired=denies)
    return new, replace(new, revocations=old)


def _existing(file: Path, signers: Sequence[PublicKey]) -> RevocationList | None:
    if not file.exists():
        return None
    ring = KeyRing.of([(key, "") for key in signers])
    try:
        return verified_list(_content(file), ring)[0]
    except InputError as error:
        hint = "give the key that signed it with --signer, or bring the file back from Git"
        raise InputError(error.message, where=str(file), hint=hint) from error


def _digests(kind: str, values: tuple[str, ...], reason: str | None) -> list[Entry]:
    return [Entry(kind, Digest.parse(value).hex, _stated(reason)) for value in values]


def _public(path: Path) -> PublicKey:
    try:
        return PublicKey.parse(_content(path))
    except InputError as error:
        raise InputError(error.message, where=str(path), hint=error.hint) from error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", where=str(path)) from error


def _stated(reason: str | None) -> str:
    if not reason:
        raise InputError("--reason is missing: whoever is refused wants to know")
    return reason
