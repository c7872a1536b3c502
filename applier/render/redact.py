"""Kustomize quotes what it could not use; what it quotes may be a secret, and messages are kept (G40)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from applier.render.documents import load
from applier.render.plugins import paths_of

_SHORT = 4
# Configurations stand between back quotes, patches and file contents in Go's %q.
_QUOTED = re.compile(
    r"`[^`]*`|\[patch: .*\]|\"(?:[^\"\\]|\\.){60,}\"|\"(?:[^\"\\]|\\.)*\\n(?:[^\"\\]|\\.)*\"",
    re.DOTALL,
)
_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")
_WORDS = re.compile(r"[\s'\",{}\[\]]+")


def without_quotes(text: str) -> str:
    """`text` without the passages that quote content, and without addresses: they differ each time."""
    return _ADDRESS.sub("0x...", _QUOTED.sub("(...)", text))


def redact(message: str, files: Mapping[str, bytes]) -> str:
    """`message` without any value of a Secret, or of a generator of Secrets, in `files`."""
    found = {value for value in _secrets(files) if len(value) >= _SHORT}
    for value in sorted(found, key=len, reverse=True):
        message = message.replace(value, "***")
    return message


def _secrets(files: Mapping[str, bytes]) -> Iterator[str]:
    for name, content in files.items():
        if name.endswith((".yaml", ".yml", "Kustomization")):
            for document in load(content, name):
                yield from _of_document(document, files)


def _of_document(document: Any, files: Mapping[str, bytes]) -> Iterator[str]:
    if not isinstance(document, dict):
        return
    generators = document.get("secretGenerator")
    for generator in generators if isinstance(generators, list) else []:
        yield from _of_generator(generator, files)
    if document.get("kind") == "SecretGenerator":
        yield from _of_generator(document, files)
    if document.get("kind") == "Secret":
        for member in ("data", "stringData"):
            yield from _pieces(_leaves(document.get(member)))


def _of_generator(generator: Any, files: Mapping[str, bytes]) -> Iterator[str]:
    if not isinstance(generator, dict):
        return
    yield from _pieces(_leaves(generator.get("literals")))
    ends = tuple(str(path).rpartition("/")[2] for _, path in paths_of(generator))
    for name, content in files.items():
        if name.endswith(ends) and ends:
            yield from _pieces([content.decode("utf-8", "replace")])


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for each in value.values():
            yield from _leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each)
    elif value is not None:
        yield str(value)


def _pieces(values: Iterable[str]) -> Iterator[str]:
    """Each value, its words, what stands after `=`, and what base64 hides."""
    for value in values:
        for piece in {value, *_WORDS.split(value)}:
            yield piece
            yield piece.partition("=")[2]
            try:
                yield base64.b64decode(piece, validate=True).decode("utf-8")
            except (binascii.Error, ValueError):
                continue
