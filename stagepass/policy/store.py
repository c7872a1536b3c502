"""Policy on disk: a directory read once into bytes, so that what is hashed is what is parsed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from stagepass import wholefile
from stagepass.attestor import PublicKey
from stagepass.errors import InputError
from stagepass.policy.load import PolicyError, load
from stagepass.policy.model import PolicySet
from stagepass.policy.packed import PACKED_FILE, records, unpack
from stagepass.policy.trust import SIGNATURE_FILE, SetSignature, read_signature, verified_signature
from stagepass.predicates.members import POLICY_SET
from stagepass.signing import PrivateKey
from stagepass.statement import compose

_MAX_FILES, _MAX_BYTES, _MAX_DEPTH = 2_000, 16 << 20, 16


def read_directory(root: Path, *, packed: bool = True) -> dict[str, bytes]:
    """
    Every file below `root`, by path relative to it; hidden files and directories are left out.

    A packed set is unpacked, except with `packed=False`: whoever is fed one, and has no root key to
    check it by, must not take it. Raises `PolicyError` for a link out of the directory, an unreadable
    file, a name that cannot be printed, or more than a policy set could need.
    """
    files = _read(root)
    if PACKED_FILE not in files:
        return files
    if not packed:
        raise _refused(PACKED_FILE, "a packed set, and STAGEPASS_POLICY_ROOT_KEY is not set")
    if len(files) > 1:
        beside = ", ".join(sorted(files.keys() - {PACKED_FILE})[:5])
        raise _refused(PACKED_FILE, f"stands for a whole set, and beside it are {beside}")
    try:
        return unpack(files[PACKED_FILE])
    except InputError as error:
        raise PolicyError([InputError(str(error), where=PACKED_FILE)]) from error


def _read(root: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    size = 0
    try:
        for path in _walk(root, root.resolve(strict=True)):
            data = path.read_bytes()
            size += len(data)
            name = path.relative_to(root).as_posix()
            if (
                not name.isprintable()
            ):  # nor is half a surrogate, which is how bytes beyond UTF-8 read
                raise _refused(ascii(name), "a file name that cannot be printed")
            files[name] = data
            if len(files) > _MAX_FILES or size > _MAX_BYTES:
                raise _refused(root, f"over {_MAX_FILES} files or {_MAX_BYTES} bytes")
    except OSError as error:
        raise _refused(error.filename or root, error.strerror or "unreadable") from error
    except RuntimeError as error:  # what pathlib makes of a link to itself, up to Python 3.12
        raise _refused(root, str(error)) from error
    return files


def revision_of(files: dict[str, bytes]) -> str:
    """Hex sha256 over every path and content, in path order."""
    total = hashlib.sha256()
    for record in records(files):
        total.update(record)
    return total.hexdigest()


def load_directory(root: Path, root_key: PublicKey | None = None) -> PolicySet:
    """The set in `root`, whole. Raises `PolicyError` with every problem."""
    return load_files(read_directory(root), root_key)


def load_files(files: dict[str, bytes], root_key: PublicKey | None = None) -> PolicySet:
    """
    The set that `files` make up; with a root key, only as that key signed it.

    Raises `PolicyError`. A signature is looked at before anything it covers is read.
    """
    revision = revision_of(files)
    if root_key is None:
        return load(files, revision)
    try:
        signature = read_signature(files, root_key)
    except InputError as error:
        raise PolicyError(
            [InputError(error.message, where=SIGNATURE_FILE, hint=error.hint)]
        ) from error
    policy = load(files, revision)
    return replace(
        policy, issued=signature.issued, expires=signature.expires, sequence=signature.sequence
    )


def sign_directory(
    root: Path, key: PrivateKey, *, issued: datetime, expires: datetime, at_least: int = 1
) -> SetSignature:
    """
    Sign every file below `root` and put the signature beside them, one higher than the last.

    `at_least` is for where the last is gone, or another key's: gates take no lower one than they saw.
    Raises `PolicyError` where the set does not load: a broken set is never signed.
    """
    files = _read(root)
    if PACKED_FILE in files:
        raise _refused(PACKED_FILE, "sign the directory it was packed from, not a packed set")
    load(files, revision_of(files))
    sequence = max(at_least, _last_sequence(files, key.public) + 1)
    signature = SetSignature.over(files, sequence=sequence, issued=issued, expires=expires)
    payload = compose(
        name="policy-set",
        digest=signature.digest,
        predicate_type=POLICY_SET,
        predicate=signature.compose(),
    )
    target = root / SIGNATURE_FILE
    try:
        wholefile.replace(target, key.sign(payload).to_bytes())
    except OSError as error:
        raise _refused(target, f"cannot write: {error.strerror}") from error
    return signature


def _last_sequence(files: dict[str, bytes], root_key: PublicKey) -> int:
    """
    That of the present signature, if the same key made it.

    Whoever merges a commit could else write one so high that no set after it would count.
    """
    if SIGNATURE_FILE not in files:
        return 0
    try:
        return verified_signature(files[SIGNATURE_FILE], root_key).sequence
    except InputError as error:
        hint = "move it away, and give the next sequence with --sequence"
        raise PolicyError([InputError(error.message, where=SIGNATURE_FILE, hint=hint)]) from error


def _walk(folder: Path, real_root: Path, depth: int = 0) -> Iterator[Path]:
    """Files, through links that stay below the root: that is how Kubernetes mounts a ConfigMap."""
    if depth > _MAX_DEPTH:
        raise _refused(folder, f"over {_MAX_DEPTH} directories deep, or a link that leads back")
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if not path.resolve(strict=True).is_relative_to(real_root):
            raise _refused(path, "links out of the policy directory")
        if path.is_dir():
            yield from _walk(path, real_root, depth + 1)
        elif path.is_file():
            yield path


def _refused(where: object, message: str) -> PolicyError:
    return PolicyError([InputError(message, where=str(where))])
