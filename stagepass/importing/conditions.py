"""
Kyverno's conditions on a predicate, as CEL: the few whose CEL never says yes where Kyverno says no.

A key must be `{{ member.of.the.predicate }}`. Of the operators, those of equality to a text without
wildcards (Kyverno compares `1h` with `60m` as well: ours is narrower), membership, and order of whole
numbers; no negation, which would turn narrower into wider.
"""

from __future__ import annotations

import json
import re
from typing import Any

from stagepass.importing.common import Node, Untranslatable

_KEY = re.compile(r"\{\{\s*([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\s*\}\}", re.ASCII)
_RESERVED = {
    "as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let",
    "loop", "namespace", "null", "package", "return", "true", "var", "void", "while",
}  # fmt: skip
_ORDER = {
    "GreaterThan": ">",
    "GreaterThanOrEquals": ">=",
    "LessThan": "<",
    "LessThanOrEquals": "<=",
}
_INSTEAD = "write where: in CEL, in place of what nothing meets"


def to_cel(blocks: list[Node]) -> str:
    """All of `blocks`, each with `any` and `all`. Raises `Untranslatable`."""
    return " && ".join(part for block in blocks for part in _block(block))


def _block(block: Node) -> list[str]:
    if strange := [child for name, child in block.items() if name not in ("any", "all")]:
        raise Untranslatable(strange[0], "neither any nor all", _INSTEAD)
    found = [_condition(entry)[1] for entry in block.each("all")]
    ways = [_condition(entry) for entry in block.each("any")]
    if len(ways) > 1:
        # One member that is absent fails Kyverno's rule, and not CEL's `||`.
        found += [f"has({key})" for key in dict.fromkeys(key for key, _ in ways)]
    if ways:
        found.append(" || ".join(text for _, text in ways))
        found[-1] = f"({found[-1]})" if len(ways) > 1 else found[-1]
    return found


def _condition(node: Node) -> tuple[str, str]:
    """The member that is asked about, and the question."""
    if strange := [
        c for name, c in node.items() if name not in ("key", "operator", "value", "message")
    ]:
        raise Untranslatable(strange[0], "this field is not known here", _INSTEAD)
    key, operator, value = node.get("key"), node.says("operator"), node.get("value")
    match = _KEY.fullmatch(key.text().strip()) if key is not None else None
    if key is None or match is None or set(match[1].split(".")) & _RESERVED:
        raise Untranslatable(
            key or node, "only {{ a.member }} of the predicate is translated", _INSTEAD
        )
    member = f"predicate.{match[1]}"
    wanted = None if value is None else value.plain()
    if operator in ("Equals", "Equal") and _is_plain(wanted):
        return member, f"{member} == {_cel(wanted)}"
    if (
        operator in ("In", "AnyIn")
        and isinstance(wanted, list)
        and wanted
        and all(map(_is_plain, wanted))
    ):
        return member, f"{member} in [{', '.join(map(_cel, wanted))}]"
    if operator in _ORDER and isinstance(wanted, int) and not isinstance(wanted, bool):
        return member, f"{member} {_ORDER[operator]} {wanted}"
    raise Untranslatable(node, f"{operator} of this value is not translated", _INSTEAD)


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return not set(value) & set("*?") and "{{" not in value and value.isprintable()
    return isinstance(value, (bool, int))


def _cel(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
