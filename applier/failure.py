"""Why a step did not succeed: a closed list of reasons, each with its phase and its class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import Enum, StrEnum

from stagepass.errors import StagepassError

_MAX_MESSAGE = 1024
_MAX_OBJECTS = 20
_MAX_MISSING = 20


class Kind(StrEnum):
    """What is done about it (DESIGN section 8.8)."""

    TRANSIENT = "transient"
    """Tried again, later and later."""
    BLOCKED = "blocked"
    """Waits for a pass, a window or a person: no failure, and no attempt is counted."""
    PERMANENT = "permanent"
    """A few tries, then a dead letter."""


class Phase(StrEnum):
    """The step of the loop."""

    FETCH = "Fetch"
    RENDER = "Render"
    DECIDE = "Decide"
    PLAN = "Plan"
    APPLY = "Apply"
    WATCH = "Watch"
    SIGN = "Sign"


class Reason(Enum):
    """Reason code -> (phase, class, what it means). The reference page is made from this."""

    GIT_UNAVAILABLE = (Phase.FETCH, Kind.TRANSIENT, "the Git server did not answer as one")
    GIT_REFUSED = (
        Phase.FETCH,
        Kind.PERMANENT,
        "the URL, the host key or the credentials are wrong",
    )
    REF_MISSING = (Phase.FETCH, Kind.PERMANENT, "the repository has no such ref")
    NOT_FAST_FORWARD = (
        Phase.FETCH,
        Kind.PERMANENT,
        "the ref moved to a commit that is no descendant",
    )
    COMMIT_UNSIGNED = (Phase.FETCH, Kind.PERMANENT, "no allowed signer signed the commit")
    HEARTBEAT_MISSING = (
        Phase.FETCH,
        Kind.BLOCKED,
        "no signed heartbeat is fresh and agrees with the head: the server may withhold commits",
    )
    PATH_MISSING = (Phase.FETCH, Kind.PERMANENT, "the commit has no such path")
    TREE_REFUSED = (
        Phase.FETCH,
        Kind.PERMANENT,
        "a link, submodule, LFS pointer, name or size is not allowed",
    )
    RENDER_REFUSED = (Phase.RENDER, Kind.PERMANENT, "the files ask for what a renderer may not do")
    RENDER_FAILED = (Phase.RENDER, Kind.PERMANENT, "the files do not render")
    RENDER_LIMIT = (
        Phase.RENDER,
        Kind.PERMANENT,
        "the renderer ran into a limit of time, memory or output",
    )
    RENDER_DIFFERS = (Phase.RENDER, Kind.PERMANENT, "rendered twice, the results differ")
    SANDBOX_MISSING = (
        Phase.RENDER,
        Kind.TRANSIENT,
        "the kernel does not give the sandbox",
    )
    OBJECT_REFUSED = (Phase.PLAN, Kind.PERMANENT, "an object that this source may not bring")
    EMPTY_RENDER = (Phase.PLAN, Kind.PERMANENT, "nothing was rendered, and objects are managed")
    MASS_PRUNE = (
        Phase.PLAN,
        Kind.PERMANENT,
        "too large a part of the managed objects would be deleted",
    )
    PROTECTED_PRUNE = (Phase.PLAN, Kind.PERMANENT, "an object of a protected kind would be deleted")
    OWNED_BY_ANOTHER = (Phase.PLAN, Kind.PERMANENT, "another application owns the object")
    NOT_ADMITTED = (Phase.DECIDE, Kind.BLOCKED, "passes or other evidence are missing")
    RELEASE_MISSING = (
        Phase.DECIDE,
        Kind.BLOCKED,
        "manifests are required, and nobody who may has signed the release of this very set of objects",
    )
    RELEASE_REFUSED = (
        Phase.DECIDE,
        Kind.PERMANENT,
        "manifests are required, and no release can be made of what was rendered",
    )
    UNDETERMINED = (Phase.DECIDE, Kind.TRANSIENT, "the evidence could not be read")
    NOT_NATIVE = (
        Phase.DECIDE,
        Kind.BLOCKED,
        "admitted by an exception: never signed for",
    )
    POLICY_INVALID = (Phase.DECIDE, Kind.TRANSIENT, "no valid policy set is in force")
    SUSPENDED = (Phase.DECIDE, Kind.BLOCKED, "the application is suspended")
    DUPLICATE_APPLICATION = (
        Phase.DECIDE,
        Kind.BLOCKED,
        "an older one names the same pipeline and stage",
    )
    SOURCE_MISSING = (
        Phase.DECIDE,
        Kind.BLOCKED,
        "policy gives this cluster no source for the stage",
    )
    CONFLICT = (Phase.APPLY, Kind.PERMANENT, "another field manager owns a field")
    INVALID = (Phase.APPLY, Kind.PERMANENT, "the API server does not accept the object")
    FORBIDDEN = (Phase.APPLY, Kind.PERMANENT, "the service account may not do it")
    GATE_DENIED = (Phase.APPLY, Kind.PERMANENT, "an admission webhook denied it")
    KIND_UNKNOWN = (Phase.APPLY, Kind.TRANSIENT, "the API server does not know the kind")
    MISSING = (Phase.APPLY, Kind.TRANSIENT, "there is no such object")
    NAMESPACE_MISSING = (Phase.APPLY, Kind.TRANSIENT, "the namespace is missing or going")
    STALE_WRITE = (Phase.APPLY, Kind.TRANSIENT, "somebody wrote in between")
    API_UNAVAILABLE = (Phase.APPLY, Kind.TRANSIENT, "the API server did not answer as one")
    UNHEALTHY = (Phase.WATCH, Kind.PERMANENT, "an object failed, or its Pods did")
    PROGRESSING = (Phase.WATCH, Kind.BLOCKED, "not healthy yet")
    SOAKING = (Phase.WATCH, Kind.BLOCKED, "healthy, and watched until the soak time is over")
    NOTHING_RAN = (
        Phase.WATCH,
        Kind.BLOCKED,
        "no Pod of ours ran the digest, so there is nothing to pass",
    )
    NOT_AS_RELEASED = (
        Phase.WATCH,
        Kind.BLOCKED,
        "somebody changed or added a field in scope of the release: never signed for",
    )
    SIGNING_FAILED = (Phase.SIGN, Kind.TRANSIENT, "the pass could not be stored and read back")
    PASS_REFUSED = (Phase.SIGN, Kind.PERMANENT, "the next stage would not take the pass")
    SIGNER_UNKNOWN = (Phase.SIGN, Kind.PERMANENT, "the key may not sign for the stage")
    INTERNAL = (Phase.PLAN, Kind.TRANSIENT, "an error of ours; the log has the trace")

    @property
    def phase(self) -> Phase:
        """The step it belongs to."""
        return self.value[0]

    @property
    def kind(self) -> Kind:
        """What is done about it."""
        return self.value[1]

    @property
    def meaning(self) -> str:
        """One line for people."""
        return self.value[2]


@dataclass(frozen=True, slots=True)
class Missing:
    """One requirement that an image does not meet, as `stagepass explain` names it. `code` says why."""

    image: str
    pipeline: str
    stage: str
    requirement: str
    code: str

    def to_document(self) -> dict[str, str]:
        """Its members."""
        return asdict(self)


class Failure(StagepassError):
    """
    A step that did not succeed. Never holds a secret's content.

    `objects` are identities (group/Kind/namespace/name) and `missing` is what a decision asks for;
    `wakes` is when a blocked one will change by the clock alone, None where only an event can do it.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        objects: Sequence[str] = (),
        wakes: datetime | None = None,
        missing: Sequence[Missing] = (),
    ) -> None:
        self.reason, self.wakes = reason, wakes
        self.message = message if len(message) <= _MAX_MESSAGE else f"{message[:_MAX_MESSAGE]}..."
        self.objects = tuple(objects[:_MAX_OBJECTS])
        self.missing = tuple(missing[:_MAX_MISSING])
        super().__init__(f"{reason.name}: {self.message}")

    @property
    def is_missing(self) -> bool:
        """Whether the API server said that the object is not there."""
        return self.reason in (Reason.MISSING, Reason.NAMESPACE_MISSING)

    @property
    def is_unserved(self) -> bool:
        """Whether the API server said that it serves no such path."""
        return self.reason in (Reason.MISSING, Reason.KIND_UNKNOWN)
