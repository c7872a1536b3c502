"""
Policy files to a `PolicySet`: every error at once, each with file and path, or the whole set.

Shapes are read first (`fields`), names put together afterwards (`build`, `checks`), both always: an
unknown attestor and a misspelt key are reported in the same run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from stagepass import strictyaml
from stagepass.attestor import KeyRing
from stagepass.errors import InputError, StagepassError, did_you_mean
from stagepass.identity import Identity
from stagepass.policy.build import Builder, Document
from stagepass.policy.checks import check_pipeline
from stagepass.policy.custom import custom_resources
from stagepass.policy.fields import KINDS
from stagepass.policy.model import PolicySet
from stagepass.policy.revocations import Revocations
from stagepass.policy.schema import At, Problems
from stagepass.policy.trust import read_revocations


class PolicyError(StagepassError):
    """A set that does not load. `errors` are all of its problems, in file order."""

    def __init__(self, errors: Iterable[InputError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(map(str, self.errors)))


class _Named(Protocol):
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=_Named)


def load(files: Mapping[str, bytes], revision: str) -> PolicySet:
    """
    The set that `files` (path relative to the set's root → content) make up.

    Every `*.yaml`/`*.yml` is a policy file, the rest are what they name. Raises `PolicyError`.
    """
    problems = Problems()
    documents = _read(files, problems)
    builder = Builder(files, problems)
    builder.read_attestors(documents["Attestors"])
    pipelines = _named(documents["Pipeline"], builder.pipeline, "pipelines", problems)
    for document, pipeline in zip(documents["Pipeline"], pipelines, strict=True):
        check_pipeline(pipeline, document["@"].member("stages"), problems)
    baselines = _named(documents["Baseline"], builder.baseline, "baselines", problems)
    defaults = _only_one(documents["Defaults"], "Defaults", problems)
    custom = custom_resources(documents["CustomResources"], problems)
    keys = _key_ring(builder, problems)
    revocations = _revocations(documents["Revocations"], builder, keys, problems)
    if problems.found:
        raise PolicyError(problems.found)
    return PolicySet(
        revision=revision,
        attestors=builder.attestors,
        pipelines=tuple(sorted(pipelines, key=lambda p: p.name)),
        unlisted=defaults["unlisted"],
        keys=keys,
        baselines=tuple(sorted(baselines, key=lambda b: b.name)),
        exempt=tuple(builder.exemption(raw) for raw in defaults["exempt"]),
        revocations=revocations,
        csi_drivers=frozenset(defaults["csiDrivers"]),
        custom_resources=custom,
        trust_roots=builder.roots.digests(),
    )


def _read(files: Mapping[str, bytes], problems: Problems) -> dict[str, list[Document]]:
    documents: dict[str, list[Document]] = defaultdict(list)
    for name in sorted(files):
        if not name.endswith((".yaml", ".yml")):
            continue
        try:
            for document in strictyaml.load_all(files[name].decode(), where=name):
                _read_document(document, At(name), documents, problems)
        except UnicodeDecodeError:
            problems.add(At(name), "not UTF-8 text")
        except InputError as error:
            problems.found.append(error)
    return documents


def _read_document(
    document: Any, at: At, documents: dict[str, list[Document]], problems: Problems
) -> None:
    if document is None:
        return
    kind = document.get("kind") if isinstance(document, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        problems.add(at, f"kind {kind!r} is not a policy kind", did_you_mean(str(kind), KINDS))
        return
    documents[kind].append(KINDS[kind](document, at, problems))


def _named(
    documents: list[Document], build: Callable[[Document], N], what: str, problems: Problems
) -> list[N]:
    found: list[N] = []
    for document in documents:
        built = build(document)
        if built.name is not None and built.name in {other.name for other in found}:
            at = document["@"].member("metadata.name")
            problems.add(at, f"two {what} are called {built.name!r}")
        found.append(built)
    return found


def _only_one(documents: list[Document], kind: str, problems: Problems) -> Document:
    if len(documents) != 1:
        where = ", ".join(str(d["@"]) for d in documents) or "the set"
        problems.add(At(where), f"{len(documents)} documents of kind {kind}; exactly one is wanted")
    return documents[0] if documents else {}


def _key_ring(builder: Builder, problems: Problems) -> KeyRing:
    """What verifies bundles; a set without trust roots loads neither of the libraries for them."""
    keys = [key for attestor in builder.attestors.values() for key in attestor.keys]
    named = any(isinstance(key.public, Identity) for key in keys)
    certificates = builder.roots.certificates(problems) if named else None
    ring = KeyRing.of(
        ((key.public, key.owner) for key in keys), certificates, builder.roots.times(problems)
    )
    bound = {key.public.id: key.roots for key in keys if key.roots is not None}
    return replace(ring, roots=bound)


def _revocations(
    documents: list[Document], builder: Builder, keys: KeyRing, problems: Problems
) -> Revocations | None:
    if not documents:
        return None
    document = _only_one(documents, "Revocations", problems)
    at: At = document["@"]
    builder.check_attestors(document["from"], at.member("from"))
    content = builder.file(at.member("file"), document["file"]) if document["file"] else None
    if content is None:
        return None
    signers = [builder.attestors[n] for n in document["from"] if n in builder.attestors]
    try:
        return read_revocations(content, keys, signers, deny_when_expired=document["onExpired"])
    except InputError as error:
        problems.add(at.member("file"), error.message, error.hint)
        return None
