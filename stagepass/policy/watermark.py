"""
The highest sequence seen of the policy set and of its revocation list: what keeps old ones out.

Without a persistent directory a roll-back is bounded only by what expires.
"""

from __future__ import annotations

from pathlib import Path

from stagepass import strictjson, wholefile
from stagepass.errors import InputError
from stagepass.policy.load import PolicyError
from stagepass.policy.model import PolicySet

_FILE = "high-water.json"
_MAX_BYTES = 4096


class HighWater:
    """The marks kept in `directory` (None: nowhere), and for the life of the process in any case."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._seen: dict[str, int] = {}

    def pass_on(self, policy: PolicySet) -> PolicySet:
        """
        The same set, once it is known to be no older than any before it; its marks are kept.

        Raises `PolicyError` for an older one, and where the marks cannot be read or written.
        """
        revocations = policy.revocations.sequence if policy.revocations else 0
        new = {"set": policy.sequence, "revocations": revocations}
        try:
            self._compare(new, self._seen)
            if self._directory is not None:
                self._keep(new, self._directory / _FILE)
        except OSError as error:
            raise _refused(self._directory, f"the high-water marks: {error.strerror}") from error
        except InputError as error:
            raise _refused(self._directory, f"the high-water marks: {error}") from error
        self._seen = new
        return policy

    def _keep(self, new: dict[str, int], path: Path) -> None:
        marks = self._read(path)
        self._compare(new, marks)
        if new != marks:
            wholefile.replace(path, strictjson.dumps(dict(new)), durable=True)

    def _compare(self, new: dict[str, int], marks: dict[str, int]) -> None:
        for what, sequence in new.items():
            if sequence < marks.get(what, 0):
                raise _refused(
                    self._directory or "the policy set",
                    f"sequence {sequence} of the {what} is older than {marks[what]}, seen before",
                )

    def _read(self, path: Path) -> dict[str, int]:
        if not path.exists():
            return {}
        marks = strictjson.loads_object(path.read_bytes(), max_bytes=_MAX_BYTES, max_depth=2)
        return {name: mark for name, mark in marks.items() if isinstance(mark, int)}


def _refused(where: object, message: str) -> PolicyError:
    return PolicyError([InputError(message, where=str(where))])
