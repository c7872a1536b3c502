"""What `attest` and its like have signed: stored, and shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import click

from stagepass.attesting import Signed
from stagepass.cli import options
from stagepass.errors import InputError
from stagepass.evidence import Deadline

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


def store(signed: Signed, evidence: Sequence[str], *, offline: bool, now: datetime) -> list[str]:
    """Put the bundle into every source named; returns where it lies, for people."""
    if offline and "registry" in evidence:
        raise InputError("--offline cannot push to a registry", hint="use --evidence dir:PATH")
    storage = Storage.asked_for()
    if storage != Storage() and "registry" not in evidence:
        raise InputError("--layout and --inline say how a registry keeps it, and none is named")
    stored = [
        str(directory.write(signed.digest, signed.bundle))
        for directory in options.directories(evidence)
    ]
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
                }
            )
        )
        return
    click.echo(f"{verb} {signed.predicate_type} of {signed.image.name}@{signed.digest}")
    for place in stored:
        click.echo(f"  stored in {place}")
