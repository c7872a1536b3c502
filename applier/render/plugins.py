"""Kustomize's plugin configurations: which are built in, and which files they name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# Helm charts are fetched, and run a program; everything that is not listed runs one too.
_BUILT_IN = frozenset(
    {
        "AnnotationsTransformer", "ConfigMapGenerator", "HashTransformer", "IAMPolicyGenerator",
        "ImageTagTransformer", "LabelTransformer", "NamespaceTransformer", "PatchJson6902Transformer",
        "PatchStrategicMergeTransformer", "PatchTransformer", "PrefixSuffixTransformer",
        "PrefixTransformer", "ReplacementTransformer", "ReplicaCountTransformer", "SecretGenerator",
        "SortOrderTransformer", "SuffixTransformer", "ValueAddTransformer",
    }
)  # fmt: skip
_FUNCTIONS = ("config.kubernetes.io/function", "config.k8s.io/function")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a configuration is refused; `needle` is the text that says so in its file."""

    needle: str
    message: str


def check_plugin(document: Any) -> Problem | None:
    """A configuration that would run a program or a container, or None."""
    if not isinstance(document, dict):
        return Problem("", "a plugin's configuration is not a mapping")
    kind, version = str(document.get("kind")), document.get("apiVersion")
    metadata = document.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    for name in _FUNCTIONS:
        if isinstance(annotations, dict) and name in annotations:
            return Problem(name, f"{kind} is a function; programs and containers are not run")
    if version != "builtin" or kind not in _BUILT_IN:
        return Problem(kind, f"{kind} of {version!r} is not a built-in plugin that may run")
    return None


def paths_of(value: Any) -> Iterator[tuple[str, Any]]:
    """Every file that a generator or a transformer names: (member, path)."""
    if not isinstance(value, dict):
        return
    for member in ("env", "path"):
        if isinstance(value.get(member), str) and value[member]:
            yield member, value[member]
    for member in ("envs", "files", "paths"):
        entries = value.get(member)
        for entry in entries if isinstance(entries, list) else []:
            # `key=path` in `files` alone; a path may have `=` itself, and then Kustomize refuses it
            named = member == "files" and isinstance(entry, str)
            yield member, entry.partition("=")[2] or entry if named else entry
    for each in value.get("replacements") or ():
        yield from paths_of(each)
