"""The revocation list that a file holds, for whoever continues it."""

from __future__ import annotations

from pathlib import Path

from stagepass.attestor import KeyRing
from stagepass.bundle import MAX_BYTES, Bundle
from stagepass.cli.files import content
from stagepass.errors import AttestationError, InputError
from stagepass.policy.load import PolicyError
from stagepass.policy.store import load_files, read_directory
from stagepass.policy.trust import read_revocations, verified_list
from stagepass.predicates.revocation import RevocationList


def existing(file: Path, ring: KeyRing, policy_directory: Path | None) -> RevocationList | None:
    """
    What `file` holds, None where there is none: signed by one of `ring`, or by whom the policy set names.

    Raises `InputError` for a list by anybody else, as whoever merges a commit could take entries out.
    """
    if not file.exists():
        return None
    data = content(file, MAX_BYTES)
    try:
        return verified_list(data, ring)[0]
    except InputError as error:
        refused = error
    if policy_directory is not None:
        try:
            return _by_policy(data, policy_directory)
        except (InputError, PolicyError) as error:
            refused = InputError(f"{refused.message}; nor by the policy: {error}")
    raise InputError(refused.message, where=str(file), hint=_hint(data)) from refused


def _by_policy(data: bytes, directory: Path) -> RevocationList:
    """As the gate reads it. Raises `InputError`, or `PolicyError` where the set does not load."""
    policy = load_files(read_directory(directory))
    if policy.revocations is None:
        raise InputError(f"{directory} names no revocation list")
    signers = [policy.attestors[name] for name in policy.revocations.signers]
    read_revocations(
        data, policy.keys, signers, deny_when_expired=policy.revocations.deny_when_expired
    )
    return verified_list(data, policy.keys)[0]


def _hint(data: bytes) -> str:
    """Whose word would do."""
    back = "or bring the file back from Git"
    try:
        is_certified = Bundle.parse(data).certificate is not None
    except AttestationError:
        is_certified = False
    if is_certified:
        return f"an identity signed it: give the set that names it with --policy DIR, {back}"
    return f"give the key that signed it with --signer, {back}"
