"""What one policy set lets in that another does not: every difference, in words and by its effect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stagepass.clock import format_time
from stagepass.decision import Enforcement
from stagepass.identity import Identity
from stagepass.manifest import EACH, Custom
from stagepass.policy.attestors import Attestor, Key
from stagepass.policy.diff_pipelines import pipelines, requirements
from stagepass.policy.diff_rules import (
    Both,
    Change,
    Effect,
    Items,
    Other,
    Scale,
    Table,
    silent,
    text_of,
    texts,
    walk,
)
from stagepass.policy.model import Baseline, Exemption, PolicySet
from stagepass.policy.revocations import Revocations, Revoked

_UNLISTED = {Enforcement.ENFORCE: "deny", Enforcement.WARN: "warn", Enforcement.AUDIT: "audit"}
_EXPIRES = Scale("expires", Effect.LOOSER, format_time, none_is_most=True)
KEY: Table = {
    "public": silent,
    "owner": Other("owner"),
    "clusters": Items("clusters", Effect.LOOSER),
    "valid_from": Scale("validFrom", Effect.STRICTER, format_time),
    "valid_until": Scale("validUntil", Effect.LOOSER, format_time, none_is_most=True),
    # A root more proves more: that a key signed in time, and that it did not.
    "roots": Items("trustRoots", Effect.CHANGED),
    "allow_wide": Other("allowWide"),
}
BASELINE: Table = {
    "name": silent,
    "images": Items("images", Effect.STRICTER, text_of),
    "namespaces": Items("namespaces", Effect.STRICTER, text_of),
    "clusters": Items("clusters", Effect.STRICTER),
    "requires": requirements,
}
EXEMPTION: Table = {
    "namespaces": silent,
    "images": silent,
    "allow_tags": Scale("allowTags", Effect.LOOSER, lambda value: str(value).lower()),
    "reason": Other("reason"),
    "expires": _EXPIRES,
}


def diff(old: PolicySet, new: PolicySet) -> list[Change]:
    """Every change from `old` to `new` that bears on a decision, sorted."""
    return sorted(walk(POLICY_SET, Both(old, new), "set", old, new))


def _attestors(
    both: Both, where: str, old: Mapping[str, Attestor], new: Mapping[str, Attestor]
) -> Iterator[Change]:
    """What uses a new one is a change of its own."""
    for name in sorted(old.keys() | new.keys()):
        where = f"attestor {name}"
        if name not in old:
            yield Change(
                where, Effect.CHANGED, f"is new, with {_word(new[name])} of {_owners(new[name])}"
            )
        elif name not in new:
            yield Change(
                where, Effect.CHANGED, f"is gone, with {_word(old[name])} of {_owners(old[name])}"
            )
        else:
            table = attestor_table(barring=name in both.barring)
            yield from walk(table, both, where, old[name], new[name])


def attestor_table(*, barring: bool) -> Table:
    """For an attestor; `barring` where the approvals of its owners do not count."""
    return {"name": silent, "keys": _Keys(barring)}


@dataclass(frozen=True, slots=True)
class _Keys:
    """The keys of one attestor: the more, the looser."""

    barring: bool

    def __call__(
        self, both: Both, where: str, old: tuple[Key, ...], new: tuple[Key, ...]
    ) -> Iterator[Change]:
        """What happened to each."""
        before, after = ({key.public.id: key for key in keys} for keys in (old, new))
        for key_id in sorted(before.keys() | after.keys()):
            if key_id not in before:
                yield self._change(where, after[key_id], old, Effect.LOOSER, "is added")
            elif key_id not in after:
                yield self._change(where, before[key_id], new, Effect.STRICTER, "is gone")
            else:
                here = f"{where}, {_named(before[key_id])}"
                yield from walk(KEY, both, here, before[key_id], after[key_id])

    def _change(
        self, where: str, key: Key, others: tuple[Key, ...], effect: Effect, what: str
    ) -> Change:
        # One owner more is looser where they sign, and stricter where they are barred.
        both_ways = self.barring and key.owner not in {other.owner for other in others}
        return Change(where, Effect.CHANGED if both_ways else effect, f"{_named(key)} {what}")


def _baselines(
    both: Both, where: str, old: tuple[Baseline, ...], new: tuple[Baseline, ...]
) -> Iterator[Change]:
    before, after = ({floor.name: floor for floor in floors} for floors in (old, new))
    for name in sorted(before | after):
        where = f"baseline {name}"
        if name not in before:
            yield Change(where, Effect.STRICTER, "is new")
        elif name not in after:
            yield Change(where, Effect.LOOSER, "is gone")
        else:
            yield from walk(BASELINE, both, where, before[name], after[name])


def _exemptions(
    both: Both,
    where: str,  # noqa: ARG001
    old: tuple[Exemption, ...],
    new: tuple[Exemption, ...],
) -> Iterator[Change]:
    """They have no names: a pair for the same images and namespaces is the same one, changed."""
    gone = [exemption for exemption in old if exemption not in new]
    come = [exemption for exemption in new if exemption not in old]
    for exemption in come:
        twins = [each for each in gone if _scope(each) == _scope(exemption)]
        if twins:
            gone.remove(twins[0])
            yield from walk(EXEMPTION, both, _exempt(exemption), twins[0], exemption)
        else:
            yield Change(_exempt(exemption), Effect.LOOSER, f"is new: {exemption.reason}")
    for exemption in gone:
        yield Change(_exempt(exemption), Effect.STRICTER, f"is gone: {exemption.reason}")


def _custom_resources(both: Both, where: str, old: Custom, new: Custom) -> Iterator[Change]:
    """Each path more is an image more that is judged."""
    yield from Items("custom resources", Effect.STRICTER)(both, where, _paths(old), _paths(new))


def _trust_roots(
    both: Both,  # noqa: ARG001
    where: str,  # noqa: ARG001
    old: Mapping[str, str],
    new: Mapping[str, str],
) -> Iterator[Change]:
    """By digest: another file under the same name may trust more, less, or something else."""
    for name in sorted(old.keys() | new.keys()):
        at = f"trust root {name}"
        if name not in old:
            yield Change(at, Effect.LOOSER, "is new")
        elif name not in new:
            yield Change(at, Effect.STRICTER, "is gone")
        elif old[name] != new[name]:
            what = f"is another file, {new[name][:12]}..., was {old[name][:12]}..."
            yield Change(at, Effect.CHANGED, what)


def _paths(custom: Custom) -> set[str]:
    return {
        f"{kind}.{group} {word} {'.'.join(path).replace(f'.{EACH}', f'[{EACH}]')}"
        for (group, kind), held in custom.items()
        for word, paths in (("podTemplates", held.templates), ("images", held.images))
        for path in paths
    }


def _revocations(
    both: Both,
    where: str,  # noqa: ARG001
    old: Revocations | None,
    new: Revocations | None,
) -> Iterator[Change]:
    if old is None or new is None:
        effect = Effect.STRICTER if old is None else Effect.LOOSER
        yield Change("revocations", effect, "are in force" if new else "are no longer in force")
        return
    table = revocation_table(denying=old.deny_when_expired and new.deny_when_expired)
    yield from walk(table, both, "revocations", old, new)


@dataclass(frozen=True, slots=True)
class _Revoked:
    """Revoked signers: one more is stricter, and so is to distrust one since earlier, or altogether."""

    word: str

    def __call__(
        self,
        both: Both,
        where: str,
        old: Mapping[Any, Revoked],
        new: Mapping[Any, Revoked],
    ) -> Iterator[Change]:
        for signer in sorted(old.keys() | new.keys()):
            name = (
                signer if isinstance(signer, str) else " of ".join(part for part in signer if part)
            )
            if signer not in old or signer not in new:
                effect, done = (
                    (Effect.LOOSER, "is gone") if signer in old else (Effect.STRICTER, "is added")
                )
                yield Change(where, effect, f"{self.word}: {name} {done}")
            elif old[signer].since != new[signer].since:
                since = Scale(f"{self.word}: {name}: compromisedSince", Effect.LOOSER, format_time)
                yield from since(both, where, old[signer].since, new[signer].since)


def revocation_table(*, denying: bool) -> Table:
    """For two lists; `denying` where everything is denied once one of them is over."""
    return {
        "sequence": silent,
        "expires": _EXPIRES if denying else Other("expires", format_time),
        "deny_when_expired": Scale(
            "onExpired", Effect.STRICTER, lambda value: "deny" if value else "warn"
        ),
        "artifacts": Items("revoked images", Effect.STRICTER),
        "attestations": Items("revoked attestations", Effect.STRICTER),
        "keys": _Revoked("revoked keys"),
        "identities": _Revoked("revoked identities"),
        "signers": Other("from", ", ".join),
    }


def _word(attestor: Attestor) -> str:
    words = {key.word for key in attestor.keys}
    plural = {"key": "keys", "identity": "identities"}
    return " and ".join(plural[word] for word in sorted(words, reverse=True))


def _owners(attestor: Attestor) -> str:
    return ", ".join(sorted({key.owner for key in attestor.keys}))


def _named(key: Key) -> str:
    if isinstance(key.public, Identity):
        return f"the identity of {key.owner} ({key.public.id})"
    return f"the key of {key.owner} ({key.public.id[:8]}...)"


def _exempt(exemption: Exemption) -> str:
    return f"exemption of {texts(exemption.images)} in {texts(exemption.namespaces)}"


def _scope(exemption: Exemption) -> tuple[Any, ...]:
    return exemption.namespaces, exemption.images


POLICY_SET: Table = {
    "revision": silent,
    "attestors": _attestors,
    "pipelines": pipelines,
    "unlisted": Scale("unlisted", Effect.STRICTER, lambda value: _UNLISTED[value]),
    "keys": silent,
    "baselines": _baselines,
    "exempt": _exemptions,
    "revocations": _revocations,
    "expires": _EXPIRES,
    "sequence": silent,
    "issued": silent,
    "csi_drivers": Items("csiDrivers", Effect.LOOSER),
    "custom_resources": _custom_resources,
    "trust_roots": _trust_roots,
}
