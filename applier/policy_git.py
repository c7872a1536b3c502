"""
The signed policy set out of its Git repository: put in force here, and brought to the gate.

Whoever may push to that repository, or move its branch, changes nothing: the root key's signature is
verified before anything else is read, and no set older than the last is taken.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from applier.delivery import Delivery
from applier.policy import InForce
from applier.repositories import Repositories
from stagepass import log
from stagepass.errors import InputError, StagepassError
from stagepass.policy.load import PolicyError
from stagepass.policy.model import PolicySet
from stagepass.policy.packed import pack, unpack
from stagepass.policy.source import Source
from stagepass.verifier import Verifier


class GitPolicyFeed:
    """
    The last good set of the directory `source.path` at `source.ref`, looked at every `pace` seconds.

    Nobody waits for Git: `poll` answers with what is in force, and has a thread of its own look again
    when it is time. After a restart, the set that was delivered last is in force until Git answers.
    """

    def __init__(
        self,
        source: Source,
        repositories: Repositories,
        in_force: InForce,
        delivery: Delivery,
        pace: float,
    ) -> None:
        self._source, self._repositories, self._pace = source, repositories, pace
        self._in_force, self._delivery = in_force, delivery
        self._good, self._tree, self._recalled = b"", "", False
        self._looking, self._looked = False, float("-inf")
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, "policy")

    def poll(self) -> Verifier | None:
        """The verifier in force, None while there never was a good set. Never waits, never raises."""
        with self._lock:
            if not self._looking and time.monotonic() - self._looked >= self._pace:
                self._looking = True
                self._thread.submit(self._look)
        return self._in_force.verifier

    def _look(self) -> None:
        try:
            self._attempt("policy.refused", self._renew)
            self._attempt("policy.undelivered", self._deliver)
        finally:
            with self._lock:
                self._looking, self._looked = False, time.monotonic()

    def _attempt(self, event: str, step: Callable[[], None]) -> None:
        try:
            step()
            self._in_force.tell(event, None)
        except StagepassError as error:
            self._in_force.tell(event, error)
        except Exception:  # a thread that ended would keep an old set in force for ever
            log.exception(event)

    def _renew(self) -> None:
        """Nothing is taken before it is known what was delivered last: a mark that no disk can lose."""
        if not self._recalled:
            packed = self._delivery.read()
            self._recalled = True
            if packed is not None:
                self._attempt("policy.delivered_is_bad", lambda: self._recall(packed))
        self._take()

    def _recall(self, packed: bytes) -> None:
        self._in_force.take(unpack(packed), self._check)
        self._good = packed

    def _take(self) -> None:
        """The set at the head, if its tree is another one than before."""
        source = self._source
        self._repositories.fetch(source.git, frozenset({source.ref}))
        tree = self._repositories.tree(source, self._repositories.head(source))
        if tree != self._tree:
            found = self._repositories.mirror(source.git).read(tree)
            files = {name: data for name, data in found.items() if not _is_hidden(name)}
            packed = pack(files)
            self._in_force.take(files, self._check)
            self._good, self._tree = packed, tree
        if trouble := self._repositories.trouble(source):
            raise trouble

    def _deliver(self) -> None:
        """Also what somebody else has changed there since."""
        if self._good:
            self._delivery.write(self._good)

    def _check(self, policy: PolicySet) -> None:
        """Whoever may merge a deployment must not be who may merge what it needs."""
        for pipeline in policy.pipelines:
            for stage in pipeline.stages:
                if stage.source and _place(stage.source.git) == _place(self._source.git):
                    where = f"pipeline {pipeline.name}, stage {stage.name}"
                    message = f"its source is the policy repository, {self._source.git}"
                    raise PolicyError([InputError(message, where=where)])


def _is_hidden(name: str) -> bool:
    """As a policy directory leaves it out."""
    return any(part.startswith(".") for part in name.split("/"))


def _place(url: str) -> tuple[str, str]:
    """Host and path: what two URLs of one repository have in common, whatever the scheme."""
    parts = urlsplit(url)
    return (parts.hostname or "").rstrip("."), parts.path.strip("/").removesuffix(".git").strip("/")
