"""Mutations of a JSON document that know its structure, and of its text that do not."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from random import Random
from typing import Any

Parent = dict[str, Any] | list[Any]
Slot = tuple[Parent, Any]
"""A container and a key or index in it."""

_HUGE = (1_000, 70_000)
_DEEP = (100, 260, 600)
_MARK = "@nested:"
"""Stands for so many levels until the text is written: nothing here recurses as far."""
_TEXTS = (
    *("", " ", "*", "x", "null", "\x00", "\n", "\u202e", "\ufeff", "é", "e\u0301", "\U0001f600"),
    *("\u017fhop", "shop ", "SHOP", "../shop", "shop/staging", "preview\x00", "a" * 300),
    *("CREATE", "UPDATE", "DELETE", "CONNECT", "create", "v1", "v1beta1", "apps", "batch"),
    *("Pod", "pod", "ConfigMap", "Namespace", "Deployment", "CronJob", "Binding", "List", "Scale"),
)
_OTHERS: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    2**53,
    10**30,
    [],
    {},
    [None],
    {"": None},
)
_KEYS = (
    *("object", "oldObject", "spec", "template", "jobTemplate", "containers", "initContainers"),
    *("ephemeralContainers", "volumes", "image", "reference", "name", "kind", "group"),
    *("deletionTimestamp", "ownerReferences", "dryRun", "subResource", "namespace", "metadata"),
    *("Containers", "IMAGE", "", "__proto__", "payload", "sig", "signatures", "keyid", "critical"),
)


def slots(document: Parent) -> list[Slot]:
    """Every place in it that holds a value."""
    found: list[Slot] = []
    queue: list[Any] = [document]
    while queue:
        node = queue.pop()
        names = list(node) if isinstance(node, dict) else range(len(node))
        for name in names:
            found.append((node, name))
            if isinstance(node[name], (dict, list)):
                queue.append(node[name])
    return found


def mutated(rng: Random, document: dict[str, Any], texts: tuple[str, ...]) -> dict[str, Any]:
    """A copy of `document` with one to four changes; `texts` are strings worth trying anywhere."""
    result = copy.deepcopy(document)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        places = slots(result)
        if not places:
            break
        change = rng.choice(_CHANGES)
        change(rng, *rng.choice(places), result, texts)
    return result


def text_of(rng: Random, document: dict[str, Any]) -> bytes:
    """As JSON: compact or not, escaped or not."""
    separators = rng.choice(((",", ":"), (", ", ": "), (",\n", ":\t")))
    text = json.dumps(document, separators=separators, ensure_ascii=rng.random() < 0.5)
    for levels in _DEEP:
        nested = '{"spec":[' * (levels // 2) + "]}" * (levels // 2)
        text = text.replace(f'"{_MARK}{levels}"', nested)
    return text.encode(errors="surrogatepass")


def with_duplicate(rng: Random, text: bytes) -> bytes:
    """The text with some member written twice, the first time with another value."""
    opened = [index for index, byte in enumerate(text) if byte == ord("{")]
    at = rng.choice(opened)
    key, colon, _ = text[at + 1 :].partition(b":")
    if not colon or not key.strip().startswith(b'"'):
        return text
    value = rng.choice((b"null", b"{}", b"[]", b'"x"', b"0"))
    return text[: at + 1] + key + b":" + value + b"," + text[at + 1 :]


def damaged(rng: Random, text: bytes) -> bytes:
    """The text with bytes gone, flipped, added or moved."""
    at = rng.randrange(len(text))
    to = min(len(text), at + rng.choice((1, 2, 8, 64)))
    match rng.randrange(5):
        case 0:
            return text[:at]
        case 1:
            return text[:at] + text[to:]
        case 2:
            return text[:at] + bytes([text[at] ^ 1 << rng.randrange(8)]) + text[at + 1 :]
        case 3:
            return text[:at] + rng.choice((b"\xff", b"\xed\xa0\x80", b"\0", b"NaN")) + text[at:]
        case _:
            return rng.choice((b"\xef\xbb\xbf" + text, text + text, b"[" * 5000, text + b"x"))


def _replace(rng: Random, parent: Parent, key: Any, _: Parent, texts: tuple[str, ...]) -> None:
    parent[key] = copy.deepcopy(rng.choice((*_OTHERS, *_TEXTS, *texts, *texts)))


def _delete(_: Random, parent: Parent, key: Any, __: Parent, ___: tuple[str, ...]) -> None:
    del parent[key]


def _repeat(rng: Random, parent: Parent, key: Any, _: Parent, __: tuple[str, ...]) -> None:
    """An element once more, or a member under another name as well."""
    value = copy.deepcopy(parent[key])
    if isinstance(parent, list):
        parent.extend([value] * rng.choice((1, 1, 2, 600)))
    else:
        parent[rng.choice(_KEYS)] = value


def _rename(rng: Random, parent: Parent, key: Any, _: Parent, __: tuple[str, ...]) -> None:
    if isinstance(parent, dict):
        value = parent.pop(key)
        parent[rng.choice((*_KEYS, key.upper(), key.title(), f"{key} "))] = value


def _add(rng: Random, parent: Parent, _: Any, __: Parent, texts: tuple[str, ...]) -> None:
    value = copy.deepcopy(rng.choice((*_OTHERS, *_TEXTS, *texts)))
    if isinstance(parent, dict):
        parent[rng.choice(_KEYS)] = value
    else:
        parent.insert(rng.randint(0, len(parent)), value)


def _graft(rng: Random, parent: Parent, key: Any, root: Parent, _: tuple[str, ...]) -> None:
    """Some other part of the document, here."""
    source, name = rng.choice(slots(root))
    parent[key] = copy.deepcopy(source[name])


def _swell(rng: Random, parent: Parent, key: Any, _: Parent, __: tuple[str, ...]) -> None:
    """A huge string, or what was there below many levels."""
    match rng.randrange(3):
        case 0:
            parent[key] = rng.choice(("a", "/", "é", "\x1b", "a/")) * rng.choice(_HUGE)
        case 1:
            parent[key] = f"{_MARK}{rng.choice(_DEEP)}"
        case _:
            for _level in range(rng.randint(1, 5)):
                parent[key] = [parent[key]] if rng.random() < 0.5 else {"spec": parent[key]}


def _bend(rng: Random, parent: Parent, key: Any, _: Parent, texts: tuple[str, ...]) -> None:
    """A string with a small change: a case, a space, a piece of another."""
    value = parent[key]
    if not isinstance(value, str) or not value:
        return
    at = rng.randrange(len(value))
    parent[key] = rng.choice(
        (
            value.upper(),
            value + rng.choice((" ", "\n", "x", ":1", "\u200b")),
            value[:at] + rng.choice((*_TEXTS, "@", ":", "/", "sha256:")) + value[at:],
            value[:at] + value[at + 1 :],
            value.partition("@")[0],
            value + "@" + rng.choice(texts or ("x",)).partition("@")[2],
        )
    )


_Change = Callable[[Random, Parent, Any, Parent, tuple[str, ...]], None]
_CHANGES: tuple[_Change, ...] = (
    *(_replace, _replace, _delete, _repeat, _rename, _add, _graft, _swell, _bend, _bend),
)
