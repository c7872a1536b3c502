"""Files of `stagepass release`: rendered objects that come in, a built release that goes out."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from stagepass import strictjson, strictyaml, wholefile
from stagepass.errors import AttestationError, InputError
from stagepass.objects import Object, flattened
from stagepass.release.model import MAX_BYTES, RELEASE_FILE, Release
from stagepass.statement import MAX_BYTES as MAX_STATEMENT
from stagepass.statement import Statement

OBJECTS_FILE, STATEMENT_FILE = "objects.json", "statement.json"


def rendered(names: Sequence[str]) -> Iterator[tuple[str, Object]]:
    """
    Every object in these files, `-` for standard input, with the name of its file.

    Raises `InputError` for what cannot be read, and past 32 MiB in all.
    """
    left = MAX_BYTES
    for name in names:
        data = _read(name, left)
        left -= len(data)
        try:
            for document in _documents(data, name):
                for each in flattened(document):
                    yield name, each
        except InputError as error:
            raise InputError(error.message, where=error.where or name, hint=error.hint) from error


def write(directory: Path, release: Release, payload: bytes) -> list[Path]:
    """Put a built release and its unsigned statement into a directory. Raises `InputError`."""
    files = {
        RELEASE_FILE: release.statement.resource_list,
        OBJECTS_FILE: release.data,
        STATEMENT_FILE: payload,
    }
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            wholefile.replace(directory / name, data)
    except OSError as error:
        raise InputError(f"cannot write: {error.strerror}", where=str(directory)) from error
    return [directory / name for name in files]


def read(directory: Path) -> tuple[Release, Statement]:
    """What `build` wrote there, every digest checked. Raises `InputError`."""
    texts = {
        name: _read(str(directory / name), limit)
        for name, limit in (
            (RELEASE_FILE, MAX_BYTES),
            (OBJECTS_FILE, MAX_BYTES),
            (STATEMENT_FILE, MAX_STATEMENT),
        )
    }
    try:
        statement = Statement.parse(texts[STATEMENT_FILE])
        release = Release.load(statement, texts[OBJECTS_FILE])
    except AttestationError as error:
        raise InputError(error.message, where=str(directory), hint="build it again") from error
    if release.statement.resource_list != texts[RELEASE_FILE]:
        raise InputError(f"{RELEASE_FILE} is not what the statement names", where=str(directory))
    return release, statement


def _read(name: str, limit: int) -> bytes:
    try:
        with (
            contextlib.nullcontext(sys.stdin.buffer)
            if name == "-"
            else Path(name).open("rb") as file
        ):
            data = file.read(limit + 1)
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", where=name) from error
    if len(data) > limit:
        raise InputError(f"over {limit} bytes, with what came before it", where=name)
    return data


def _documents(data: bytes, name: str) -> Iterator[Any]:
    if data.lstrip()[:1] in (b"{", b"["):
        yield strictjson.loads(data, max_bytes=MAX_BYTES, max_depth=strictyaml.MAX_DEPTH)
        return
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 text at byte {error.start}", where=name) from error
    documents = strictyaml.load_all(text, where=name, anchors=True, max_bytes=MAX_BYTES)
    yield from (document for document in documents if document is not None)
