"""The policy in force: swapped whole or not at all, and read from a directory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from stagepass import log
from stagepass.attestor import PublicKey
from stagepass.errors import StagepassError
from stagepass.policy.load import PolicyError
from stagepass.policy.model import PolicySet
from stagepass.policy.store import load_files, read_directory, revision_of
from stagepass.policy.watermark import HighWater
from stagepass.verifier import Verifier


class Feed(Protocol):
    """Where policy comes from."""

    def poll(self) -> Verifier | None:
        """Look for a new set; the verifier in force, None while there never was a good one."""


class InForce:
    """The verifier of the last good set, and what is wrong with the one after it."""

    def __init__(
        self,
        root_key: PublicKey | None,
        marks: HighWater,
        make_verifier: Callable[[PolicySet], Verifier],
    ) -> None:
        self.verifier: Verifier | None = None
        self.root_key, self._marks, self._make = root_key, marks, make_verifier
        self._told: dict[str, tuple[str, ...]] = {}

    def take(
        self, files: dict[str, bytes], check: Callable[[PolicySet], None] = lambda _: None
    ) -> None:
        """
        Put `files` in force, unless they are.

        The signature is verified first, then `check` is asked, and the high-water marks last: what was
        refused leaves no mark. Raises `StagepassError`; the set before stays in force then.
        """
        revision = revision_of(files)
        if self.verifier is not None and revision == self.verifier.policy.revision:
            return
        policy = load_files(files, self.root_key)
        check(policy)
        self.verifier = self._make(self._marks.pass_on(policy))
        log.info("policy.loaded", revision=revision)

    def tell(self, event: str, problem: StagepassError | None) -> None:
        """Log what is wrong, once for as long as it stays the same; None where nothing is."""
        errors: Sequence[StagepassError] = () if problem is None else (problem,)
        texts = tuple(map(str, problem.errors if isinstance(problem, PolicyError) else errors))
        if texts and texts != self._told.get(event):
            in_force = self.verifier.policy.revision if self.verifier else None
            log.error(event, errors=texts, in_force=in_force)
        self._told[event] = texts


class PolicyFeed:
    """The last good set of a directory. Thread-safe."""

    def __init__(self, directory: Path, in_force: InForce) -> None:
        self._directory, self._in_force = directory, in_force
        self._lock = threading.Lock()

    def poll(self) -> Verifier | None:
        """Look at the files; the verifier in force, None while there never was a good set."""
        with self._lock:
            try:
                packed = self._in_force.root_key is not None
                self._in_force.take(read_directory(self._directory, packed=packed))
                self._in_force.tell("policy.refused", None)
            except StagepassError as error:
                self._in_force.tell("policy.refused", error)
            return self._in_force.verifier
