"""What `attest` and its like have signed: stored, and shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import click

from stagepass.attesting import Signed
from stagepass.bundle import Bundle
from stagepass.cli import options
from stagepass.cli.report import printable
from stagepass.errors import InputError
from stagepass.evidence import Deadline, DirectorySource
from stagepass.identity import Certified

F = TypeVar("F", bound=Callable[..., Any])

_STORAGE = "stagepass.storage"


@dataclass(frozen=True, slots=True)
class Storage:
    """How a registry keeps a bundle: as what cosign 2 reads too, and inside its manifest."""

    is_legacy: bool = False
    is_inline: bool = False

    @classmethod
    def asked_for(cls) -> Storage:
        """What the options of the command that runs say."""
        context = click.get_current_context(silent=True)
        asked = context.meta.get(_STORAGE, {}) if context else {}
        return cls(asked.get("layout") == "legacy", bool(asked.get("inline")))


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    ctx.meta.setdefault(_STORAGE, {})[param.name] = value


def storing(command: F) -> F:
    """Add --layout and --inline; `publish` reads them by itself, so the command has no parameter."""
    inline = click.option(
        "--inline",
        is_flag=True,
        expose_value=False,
        callback=_remember,
        help="Put the bundle into its manifest as well: readers need a request less.",
    )
    layout = click.option(
        "--layout",
        type=click.Choice(["bundle", "legacy"]),
        default="bundle",
        show_default=True,
        expose_value=False,
        callback=_remember,
        help="'legacy' stores it as cosign 2 and the policy-controller read it, beside the bundle.",
    )
    return layout(inline(command))


def storable(evidence: Sequence[str], *, offline: bool) -> tuple[list[DirectorySource], Storage]:
    """Where and how it is to be stored. Raises `InputError` for what contradicts itself."""
    if offline and "registry" in evidence:
        raise InputError("--offline cannot push to a registry", hint="use --evidence dir:PATH")
    storage = Storage.asked_for()
    if storage != Storage() and "registry" not in evidence:
        raise InputError("--layout and --inline say how a registry keeps it, and none is named")
    return options.directories(evidence), storage


def store(signed: Signed, evidence: Sequence[str], *, offline: bool, now: datetime) -> list[str]:
    """Put the bundle into every source named; returns where it lies, for people."""
    directories, storage = storable(evidence, offline=offline)
    if storage.is_legacy and Bundle.parse(signed.bundle).certificate is not None:
        raise InputError(
            "the legacy layout has no room for a certificate", hint="leave --layout legacy out"
        )
    stored = [str(directory.write(signed.digest, signed.bundle)) for directory in directories]
    if "registry" in evidence:
        stored += _push(signed, now, storage)
    return stored


def publish(
    signed: Signed,
    evidence: Sequence[str],
    *,
    offline: bool,
    now: datetime,
    output: str,
    verb: str = "signed",
) -> int:
    """Store it, say so, and succeed."""
    report(signed, store(signed, evidence, offline=offline, now=now), output, verb)
    return 0


def signer_json(certified: Certified | None, bundle: bytes) -> dict[str, Any]:
    """The members that tell of an identity and of the log's entry; none of a key."""
    if certified is None:
        return {}
    said = {"identity": {"issuer": certified.issuer, "subject": certified.subject}}
    entries = Bundle.parse(bundle).log_entries
    indexes = [int(entry["logIndex"]) for entry in entries if "logIndex" in entry]
    return {**said, **({"logIndex": indexes[0]} if indexes else {})}


def show_signer(certified: Certified | None, bundle: bytes) -> None:
    """The same for people."""
    said = signer_json(certified, bundle)
    if certified is not None:
        logged = f", log index {said['logIndex']}" if "logIndex" in said else ""
        click.echo(f"  as {printable(certified.subject)} ({printable(certified.issuer)}){logged}")


def _push(signed: Signed, now: datetime, storage: Storage) -> list[str]:
    from stagepass.registry.legacy import attachments_tag, push_attachment
    from stagepass.registry.push import push_bundle

    image, digest, bundle = signed.image, signed.digest, signed.bundle
    kind, deadline = signed.predicate_type, Deadline.after(options.DEADLINE_SECONDS)
    with options.registry_client(frozenset({image.host})) as client:
        inline = storage.is_inline
        manifest = push_bundle(client, image, digest, bundle, kind, now, deadline, inline=inline)
        stored = [f"{image.name}@{manifest}"]
        if storage.is_legacy:
            push_attachment(client, image, digest, bundle, kind, deadline)
            stored.append(f"{image.name}:{attachments_tag(digest)}")
    return stored


def report(signed: Signed, stored: Sequence[str], output: str, verb: str = "signed") -> None:
    """Say what was signed and where it is."""
    if output == "json":
        click.echo(
            json.dumps(
                {
                    "image": f"{signed.image.name}@{signed.digest}",
                    "predicateType": signed.predicate_type,
                    "payloadDigest": str(signed.payload_digest),
                    "stored": list(stored),
                    **signer_json(signed.certified, signed.bundle),
                }
            )
        )
        return
    click.echo(f"{verb} {signed.predicate_type} of {signed.image.name}@{signed.digest}")
    show_signer(signed.certified, signed.bundle)
    for place in stored:
        click.echo(f"  stored in {place}")
