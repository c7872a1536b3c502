"""
The stage's allow-list, as comparing asks it: what anybody may add, change or remove. Pure.

- A pointer opens the subtree it names, and nothing beside or above it. What stands above may be added
  or removed only together with it, and may hold nothing else.
- `*` is any one member or item, never several levels. `name=web` is an item by its member `name`;
  a digit is an item by its place; in a map both are a member of exactly that name.
- Items are named by what the release says, or, where an item was added, by what it says itself.
- A container is opened by its image: host, repository and digest, all three. It runs what its image
  runs: with a `command`, an `exec` in a hook or probe, `privileged: true` or what comes to the same
  (a strong capability, an unmasked /proc, no seccomp or AppArmor profile, SELinux or Windows options),
  or on a port of the host it is not opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError
from stagepass.objects import entries, members
from stagepass.policy.releases import Kind, ReleaseRule

Pointer = tuple[str, ...]
Open = tuple[Pointer, ...]
"""What is left of the pointers at one place: () is none, an empty pointer opens all that is below."""

_EACH = "*"
_HOOKS = ("postStart", "preStop")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_PROFILES = ("seccompProfile", "appArmorProfile")
# Those of the Pod Security Standard "baseline", and the two by which a mesh redirects traffic.
_CAPABILITIES = {
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD"),
    *("NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    *("NET_ADMIN", "NET_RAW"),
}


@dataclass(frozen=True, slots=True)
class Allowed:
    """For one object: its pointers, and the images whose containers may be added."""

    pointers: Open = ()
    images: frozenset[tuple[str, Digest]] = frozenset()

    @classmethod
    def of(cls, rule: ReleaseRule, kind: Kind) -> Allowed:
        """What `rule` opens in objects of `kind`."""
        images = frozenset(
            (each.image.name, each.image.digest) for each in rule.containers if each.image.digest
        )
        return cls(tuple(f.pointer for f in rule.fields if kind in f.kinds and f.pointer), images)

    def container(self, item: Mapping[str, Any]) -> bool:
        """Whether it may be added to a Pod or template."""
        image = item.get("image")
        if not self.images or not isinstance(image, str) or _runs_its_own(item):
            return False
        try:
            reference = ImageRef.parse(image)
        except InputError:
            return False
        return (reference.name, reference.digest) in self.images


def member(opened: Open, name: str) -> Open:
    """What is left of the pointers below the member `name` of a map."""
    return tuple(each[1:] for each in opened if each and each[0] in (_EACH, name))


def item(opened: Open, index: int, value: Any) -> Open:
    """What is left of them below one item of a list."""
    return tuple(each[1:] for each in opened if each and _is_item(each[0], index, value))


def all_open(opened: Open) -> bool:
    """Whether a pointer ends here: nothing from here on is compared."""
    return () in opened


def reaches(opened: Open, value: Any) -> bool:
    """Whether something in the map or list `value` is opened, so that it may be there at all."""
    if isinstance(value, dict):
        parts = [(member(opened, name), each) for name, each in value.items()] if opened else []
    elif isinstance(value, list):
        parts = [(item(opened, i, each), each) for i, each in enumerate(value)] if opened else []
    else:
        return False
    return any(rest and (all_open(rest) or reaches(rest, each)) for rest, each in parts)


def below(pointers: Open, path: Iterable[str]) -> Open:
    """
    The pointers of an owner as those of what it makes from the template at `path`.

    One that ends at the template or above it opens only the owner: else any Pod at all were allowed.
    """
    left = pointers
    for name in path:
        left = member(left, name)
    return tuple(each for each in left if each)


def _is_item(step: str, index: int, value: Any) -> bool:
    if step in (_EACH, str(index)):
        return True
    name, equals, wanted = step.partition("=")
    return bool(equals) and isinstance(value, dict) and value.get(name) == wanted


def _runs_its_own(item: Mapping[str, Any]) -> bool:
    hooks = members(item.get("lifecycle"))
    actions = [members(hooks.get(name)) for name in _HOOKS]
    actions += [members(item.get(name)) for name in _PROBES]
    return (
        bool(item.get("command"))
        or any(action.get("exec") is not None for action in actions)
        or any(port.get("hostPort") for port in entries(item.get("ports")))
        or _is_as_good_as_privileged(members(item.get("securityContext")))
    )


def _is_as_good_as_privileged(security: Mapping[str, Any]) -> bool:
    added = members(security.get("capabilities")).get("add") or []
    types = [members(security.get(name)).get("type") for name in _PROFILES]
    return (
        security.get("privileged") not in (None, False)
        or not isinstance(added, list)
        or any(each not in _CAPABILITIES for each in map(str, added))
        or security.get("procMount") not in (None, "Default")
        or "Unconfined" in types
        or any(security.get(name) is not None for name in ("seLinuxOptions", "windowsOptions"))
    )
