"""Everything that is known of a kind, put together once: its table, its written rules. Pure."""

from __future__ import annotations

from functools import lru_cache

from stagepass.manifest import BUILT_IN, Path
from stagepass.manifests import conditional_pods, metadata
from stagepass.manifests.conditional import LATER, RULES
from stagepass.manifests.fields import Frame, ItemRule, KindRules, MemberRule, Place
from stagepass.manifests.table import table
from stagepass.policy.releases import Kind

_MAX_KINDS = 256
_CONTAINER_LISTS = ("containers", "initContainers")


@lru_cache(maxsize=_MAX_KINDS)
def root(kind: Kind) -> Place:
    """Where the objects of `kind` begin."""
    members: dict[Path, MemberRule] = metadata.rules(kind)
    items: dict[Path, ItemRule] = {}
    for path, rule in RULES.get(kind, {}).items():
        members[path] = _either(members[path], rule) if path in members else rule
    specs = [(*template, "spec") for template in pod_templates(kind)]
    for spec in specs:
        members |= conditional_pods.member_rules(spec, of_pod=kind == ("", "Pod"))
        items |= conditional_pods.item_rules(spec, of_pod=kind == ("", "Pod"))
    containers = frozenset((*spec, name) for spec in specs for name in _CONTAINER_LISTS)
    later = LATER.get(kind, frozenset())
    return Place(KindRules(table(*kind), members, items, containers, later), ())


def pod_templates(kind: Kind) -> tuple[Path, ...]:
    """The paths of the Pod templates in a built-in kind; () is a Pod itself."""
    paths = BUILT_IN.get(kind)
    return paths.templates if paths else ()


def _either(first: MemberRule, second: MemberRule) -> MemberRule:
    def rule(name: str, value: object, frame: Frame) -> bool:
        return first(name, value, frame) or second(name, value, frame)

    return rule
