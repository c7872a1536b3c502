"""Where a Kyverno rule applies, as far as that is a matter of namespaces."""

from __future__ import annotations

from stagepass.errors import InputError
from stagepass.importing.common import Node, Report
from stagepass.stage import NamespacePattern

_EVERY = ("*",)


def namespaces_of(rule: Node, report: Report) -> tuple[str, ...]:
    """
    Patterns of at least all namespaces that `match` names.

    What narrows it otherwise (kinds, names, labels, users, operations) is passed over and listed: the
    rule then asks of more.
    """
    match = rule.get("match")
    if match is None:
        return _EVERY
    some, all_of = match.each("any"), match.each("all")
    filters = some or all_of or [match]
    found = [_namespaces(one) for one in filters]
    if _narrows(match):
        report.stricter(
            match,
            "a rule holds for whatever runs images in a namespace: kinds, names, labels, users and"
            " operations make no difference",
            "give what is to be spared a namespace of its own",
        )
    if all_of and not some:
        return next((names for names in found if names != _EVERY), _EVERY)
    if _EVERY in found:
        return _EVERY
    return tuple(dict.fromkeys(name for names in found for name in names))


def _namespaces(one: Node) -> tuple[str, ...]:
    resources = one.get("resources")
    names = [] if resources is None else [str(node.text()) for node in resources.each("namespaces")]
    if not names:
        return _EVERY
    try:
        return tuple(NamespacePattern.parse(name.replace("?", "*")).text for name in names)
    except InputError:
        return _EVERY


def _narrows(match: Node) -> bool:
    """Whether something but kinds, Pods among them, and namespaces is asked of an object."""
    return any(map(_asks_more, [*match.each("any"), *match.each("all")] or [match]))


def _asks_more(one: Node) -> bool:
    resources = one.get("resources")
    if {name for name, _ in one.items()} - {"resources"}:
        return True
    if resources is None:
        return False
    kinds = [node.text() for node in resources.each("kinds")]
    others = {name for name, _ in resources.items()} - {"kinds", "namespaces"}
    return bool(others) or (bool(kinds) and "Pod" not in kinds)
