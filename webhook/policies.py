"""The policy in force: loaded whole, watched by its content, and swapped whole or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from stagepass import log
from stagepass.attestor import PublicKey
from stagepass.clock import format_time
from stagepass.policy.load import PolicyError
from stagepass.policy.model import PolicySet
from stagepass.policy.store import load_files, read_directory, revision_of
from stagepass.policy.watermark import HighWater
from stagepass.verifier import Verifier
from webhook import inforce, metrics

POLL_SECONDS = 0.5
"""A change is in force after two polls that agree: at most two seconds, with a slow disk."""


class Policies:
    """
    Holds the `Verifier` of the last good set, or None while there never was one.

    A review takes `verifier` once and is judged by that set to its end. `problem` says why the files
    on disk are not in force, "" while they are.
    """

    def __init__(
        self,
        directory: Path,
        make_verifier: Callable[[PolicySet], Verifier],
        root_key: PublicKey | None = None,
        marks: HighWater | None = None,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self.verifier: Verifier | None = None
        self.problem = "not read yet"
        self._directory, self._make_verifier = directory, make_verifier
        self._root_key, self._marks = root_key, marks or HighWater(None)
        self._refused = self._pending = self._told = ""
        self._poll_seconds, self._stop = poll_seconds, threading.Event()

    def watch(self) -> None:
        """Read the set now, then poll it from a thread of its own until `close`."""
        self.poll()
        threading.Thread(target=self._run, name="stagepass-policy", daemon=True).start()

    def close(self) -> None:
        """End the polling."""
        self._stop.set()

    def poll(self) -> None:
        """
        Read the files; a set not seen before is loaded, and put in force if it loads.

        Never raises: a watcher that ended would keep an old set in force for ever, and look healthy.
        """
        loading = ""
        try:
            files = self._read()
            revision = revision_of(files)
            if self.verifier is not None and revision == self.verifier.policy.revision:
                self._whole()
            elif revision != self._refused and self._settled(revision):
                loading = revision
                policy = load_files(files, self._root_key)
                loading = ""
                self._swap(self._make_verifier(self._marks.pass_on(policy)))
        except Exception as error:
            # Only a set that was loaded counts as refused: one that could not be read is tried again.
            self._refused = loading
            self._refuse(error)

    def _settled(self, revision: str) -> bool:
        """
        Two equal reads, a poll apart: a set caught in the middle of being replaced is a mix of two.

        At start there is nothing to go on with, so the second read follows at once.
        """
        seen, self._pending = self._pending, revision
        if self.verifier is None and not seen:
            seen = revision_of(self._read())
        return revision == seen

    def _read(self) -> dict[str, bytes]:
        """A packed set was brought by somebody: without a root key, anybody could have."""
        return read_directory(self._directory, packed=self._root_key is not None)

    def _run(self) -> None:
        while not self._stop.wait(self._poll_seconds):
            self.poll()

    def _swap(self, verifier: Verifier) -> None:
        self.verifier = verifier
        self._whole()
        inforce.tell(verifier.policy.revision)
        metrics.POLICY_LOADS.labels("loaded").inc()
        metrics.POLICY_LOADED.set_to_current_time()
        expires = verifier.policy.expires
        metrics.POLICY_EXPIRY.set(expires.timestamp() if expires else 0)
        log.info("policy.loaded", revision=verifier.policy.revision)

    def _whole(self) -> None:
        """What is on disk is what is in force."""
        self._tell_of_age()
        self._refused = ""
        if self.problem:
            self.problem = ""
            metrics.POLICY_BROKEN.set(0)

    def _tell_of_age(self) -> None:
        """Once for each set: after its end every answer is undetermined."""
        policy = self.verifier.policy if self.verifier else None
        if policy is None or policy.expires is None or policy.revision == self._told:
            return
        if policy.is_ageing(datetime.now(UTC)):
            self._told = policy.revision
            log.error("policy.expiring", expires=format_time(policy.expires))

    def _refuse(self, error: Exception) -> None:
        known = error.errors if isinstance(error, PolicyError) else ()
        unknown = f"{self._directory}: {type(error).__name__}: {error}"
        # A file name need not be UTF-8, and JSON must be.
        texts = [str(e).encode(errors="backslashreplace").decode() for e in known or (unknown,)]
        problem = "\n".join(texts)
        if problem == self.problem:
            return
        self.problem = problem
        metrics.POLICY_LOADS.labels("refused").inc()
        metrics.POLICY_BROKEN.set(1)
        in_force = self.verifier.policy.revision if self.verifier else None
        tell = log.error if known else log.exception
        tell("policy.refused", errors=texts, in_force=in_force)
