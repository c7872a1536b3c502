"""`stagepass revoke`: add to the policy set's signed list of what no longer counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import click

from stagepass import wholefile
from stagepass.attesting import seal
from stagepass.attestor import PublicKey
from stagepass.bundle import MAX_BYTES
from stagepass.cli import options
from stagepass.cli.files import content
from stagepass.cli.policy_stranded import stranded
from stagepass.cli.report import printable
from stagepass.cli.revocation_file import existing
from stagepass.cli.signer import Chosen, signing
from stagepass.digest import Digest
from stagepass.errors import InputError
from stagepass.policy.identity_forms import parse_issuer
from stagepass.policy.model import PolicySet
from stagepass.policy.revoking import everybody, misnamed, misses
from stagepass.policy.store import load_files, read_directory
from stagepass.policy.trust import in_force, verified_list
from stagepass.predicates.members import REVOCATION_LIST
from stagepass.predicates.revocation import Entry, RevocationList
from stagepass.signing import Signer
from stagepass.statement import compose

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("file", type=_PATH)
@signing("A private key (PEM) of the list's signers.", "--as-identity")
@click.option("--artifact", multiple=True, metavar="SHA256:HEX", help="An image digest.")
@click.option("--attestation", multiple=True, metavar="SHA256:HEX", help="A payload digest.")
@click.option(
    "--public-key", multiple=True, type=_PATH, metavar="PUB", help="A key, by its .pub file."
)
@click.option(
    "--identity",
    multiple=True,
    metavar="SUBJECT",
    help="An identity, by the whole subject of its certificates, in any case; or a pattern, as in a policy.",
)
@click.option(
    "--issuer", metavar="URL", help="With --identity: of this issuer alone, not of every one."
)
@click.option(
    "--compromised-since",
    type=options.TIME,
    metavar="RFC3339",
    help="What --public-key and --identity are proven to have signed before that still counts.",
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
    help="The set whose list FILE is, or is to be: warns of what revokes nobody, or not all that is meant.",
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
    chosen: Chosen,
    artifact: tuple[str, ...],
    attestation: tuple[str, ...],
    public_key: tuple[Path, ...],
    identity: tuple[str, ...],
    issuer: str | None,
    compromised_since: datetime | None,
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
    renewed. FILE must be signed by this key, by a --signer, or with --policy by whom the set lets revoke:
    whoever merges a commit could else take entries out. A revoked key or identity kills everything it
    ever signed, but for what a time stamp or log of the set's trust roots proves to be from before
    --compromised-since: sign again first what is to stay. Of two entries for one signer the stricter
    counts.

    With --policy, an entry that no key or identity of the set could be is warned of, and one that takes
    away a part of what a pattern of the policy lets in. With --running, what runs is judged with the list
    as it is and as it would be: what loses its admission is named, before FILE is written. It could not
    restart.
    """
    if None in (policy_directory, cluster) and running is not None:
        raise click.UsageError("--running needs --policy, and --cluster: the one it runs in")
    moment = options.current_time(now)
    _check_signers(bool(public_key), identity, issuer, compromised_since, moment)
    signer = chosen.open()
    new = [*_digests("artifact", artifact, reason), *_digests("attestation", attestation, reason)]
    new += _who(public_key, identity, issuer or "", reason, compromised_since)
    before = existing(file, signer.ring.also(map(_public, signers)), policy_directory)
    listed = _next(before, new, moment, valid_for)
    bundle = _signed(listed, signer)
    if policy_directory is None:
        _warn([*everybody(new), *misnamed(new)])
    else:
        with_list, without = _sets(policy_directory, file, bundle, before, listed)
        _warn([*everybody(new), *misses(with_list, new)])
        if running is not None and cluster is not None:
            sources = options.sources(evidence, offline=offline, hosts=with_list.hosts())
            stranded(without, with_list, sources, running, cluster, moment).show()
    if dry_run:
        click.echo(f"{file}: not written (--dry-run)")
        return 0
    _write(file, bundle)
    click.echo(f"{file}: sequence {listed.sequence}, {len(listed.entries)} entries")
    return 0


def _next(
    before: RevocationList | None, new: Iterable[Entry], moment: datetime, valid_for: timedelta
) -> RevocationList:
    """What was listed stays; what stands there already is not added again."""
    sequence, old = (before.sequence, before.entries) if before else (0, ())
    entries = tuple(dict.fromkeys((*old, *new)))
    return RevocationList.of(sequence + 1, moment, moment + valid_for, entries)


def _warn(doubts: Iterable[str]) -> None:
    for doubt in doubts:
        click.secho(f"warning: {printable(doubt)}", err=True, fg="yellow")


def _write(file: Path, bundle: bytes) -> None:
    try:
        wholefile.replace(file, bundle)
    except OSError as error:
        raise InputError(f"cannot write: {error.strerror}", where=str(file)) from error


def _check_signers(
    has_key: bool,
    identities: tuple[str, ...],
    issuer: str | None,
    since: datetime | None,
    moment: datetime,
) -> None:
    """Raises `click.UsageError` or `InputError` for an option that would say nothing, or another thing."""
    if not all(subject.strip() for subject in identities):
        raise click.UsageError("--identity is blank: it would revoke nobody")
    if issuer is not None:
        parse_issuer(issuer)
        if not identities:
            raise click.UsageError("--issuer goes with --identity")
    if since is not None and not (has_key or identities):
        raise click.UsageError("--compromised-since goes with --public-key or --identity")
    if since is not None and since > moment:
        raise click.UsageError("--compromised-since is ahead of now: a planned end is validUntil")


def _signed(listed: RevocationList, signer: Signer) -> bytes:
    """The bundle, read back as its reader will."""
    payload = compose(
        name="revocations",
        digest=listed.digest,
        predicate_type=REVOCATION_LIST,
        predicate=listed.compose(),
    )
    bundle = seal(payload, signer, [listed.digest], where=REVOCATION_LIST)
    try:
        verified_list(bundle, signer.ring)
    except InputError as error:
        raise InputError(f"would be refused: {error.message}", hint=error.hint) from error
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


def _digests(kind: str, values: tuple[str, ...], reason: str | None) -> list[Entry]:
    return [Entry(kind, Digest.parse(value).hex, _stated(reason)) for value in values]


def _who(
    keys: tuple[Path, ...],
    identities: tuple[str, ...],
    issuer: str,
    reason: str | None,
    since: datetime | None,
) -> list[Entry]:
    """The entries of signers."""
    who = [("key", _public(path).id, "") for path in keys]
    who += [("identity", subject, issuer) for subject in identities]
    return [Entry(kind, value, _stated(reason), by, since) for kind, value, by in who]


def _public(path: Path) -> PublicKey:
    try:
        return PublicKey.parse(content(path, MAX_BYTES))
    except InputError as error:
        raise InputError(error.message, where=str(path), hint=error.hint) from error


def _stated(reason: str | None) -> str:
    if reason is None or not reason.strip():
        raise InputError("--reason is missing: whoever is refused wants to know")
    return reason
