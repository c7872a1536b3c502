"""The hostile content as rows: applications of one running applier, each with what must come of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from tests.applier import hostile
from tests.applier.hostile import CANARY
from tests.applier.hostile_limits import GREEDY
from tests.applier.hostile_objects import OBJECTS
from tests.cluster.delivery import HOST, Team, config_map

_FETCHING = ("GIT_REFUSED", "TREE_REFUSED")


@dataclass(frozen=True, slots=True)
class Row:
    """An application that must stand still for one of `reasons`; `says` is part of a refusal of ours."""

    name: str
    title: str
    reasons: tuple[str, ...]
    says: str = ""


@dataclass(frozen=True, slots=True)
class Files:
    """A branch of one repository."""

    id: str
    name: str
    files: Mapping[str, bytes]
    says: str
    reason: str = "RENDER_REFUSED"


def _files() -> Iterator[Files]:
    """G12-G34."""
    for vector in hostile.KUSTOMIZATIONS:
        yield Files(vector.id, vector.name, vector.files, vector.says)
    for name, content, says in hostile.YAML:
        for field in ("", "resources"):
            files = {"a.yaml": content}
            if field:
                files["kustomization.yaml"] = f"{field}: [a.yaml]\n".encode()
            yield Files("G17", f"{name} {field}".rstrip(), files, says)
    for name, content, says in hostile.OBJECTS:
        yield Files("G18", name, {"a.yaml": content}, says)
    for greedy in GREEDY:
        yield Files("G28", greedy.name, greedy.files, greedy.says, "RENDER_LIMIT")
    for each in OBJECTS:
        # Beside it an innocent one: refused is the version as a whole.
        text = yaml.safe_dump(each.document) + "---\n" + config_map("escaped-beside", a=CANARY)
        yield Files(each.id, each.name, {"a.yaml": text.encode()}, each.says, "OBJECT_REFUSED")


FILES = {f"{v.id.lower()}-files-{number}": v for number, v in enumerate(_files())}
TREES = {f"{v.id.lower()}-tree-{number}": v for number, v in enumerate(hostile.TREES)}
SERVERS = {"g09-redirect": "redirect", "g09-alternates": "dumb", "g11-checksum": "flip"}

ROWS = (
    *(Row(n, f"{v.id} {v.name}", _FETCHING, v.says) for n, v in TREES.items()),
    *(Row(n, f"{v.id} {v.name}", (v.reason,), v.says) for n, v in FILES.items()),
    *(Row(n, n, ("GIT_REFUSED", "GIT_UNAVAILABLE")) for n in SERVERS),
)


def canaries() -> dict[str, bytes]:
    """Above every root: what a path that leaves it would bring."""
    text = config_map("escaped", a=CANARY).encode()
    kustomization = b"resources: [x.yaml]\n"
    names = ("x", "x.yaml", "schema.json", "other.yaml")
    return {
        "other-team/kustomization.yaml": kustomization,
        "other-team/x.yaml": text,
        "teams/kustomization.yaml": kustomization,
        **{f"teams/{name}": text for name in names},
        "other.yaml": text,
    }


Source = tuple[str, str, str]
"""(URL, ref, path)"""


def write_policy(team: Team, sources: Mapping[str, Source]) -> None:
    """A pipeline with one stage for each of them."""
    team.write_policy()
    path = team.policy / "policy.yaml"
    documents = list(yaml.safe_load_all(path.read_text()))
    sample = next(each for each in documents if each["kind"] == "Pipeline")
    rest = [each for each in documents if each["kind"] != "Pipeline"]
    pipelines = [_pipeline(sample, name, *where) for name, where in sources.items()]
    path.write_text(yaml.safe_dump_all([*rest, *pipelines]))


def _pipeline(sample: dict[str, Any], name: str, url: str, ref: str, path: str) -> dict[str, Any]:
    first = sample["stages"][0]
    source = {**first["source"], "git": url, "ref": ref, "path": path, "root": path}
    return {
        **sample,
        "metadata": {"name": name},
        "images": [f"{HOST}/{name}/*"],
        "stages": [{**first, "source": source}],
    }
