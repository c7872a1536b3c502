"""
docs/applier-reference.md, made from the program and its CRDs:
`python -m tests.docs.applier > docs/applier-reference.md`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from prometheus_client import Counter, Gauge

from applier import metrics
from applier.__main__ import make_parser
from applier.failure import Reason
from tests.repository.sources import ROOT

_HEAD = """\
# Reference of the applier

Commands, objects, reason codes and metrics of `python -m applier`, made from the program and
`deploy/crds` by `python -m tests.docs.applier > docs/applier-reference.md`. Its variables are in the
[settings](settings.md).

| exit code | meaning |
|---|---|
| 0 | of `status`: every application is ready; of `plan`: nothing stands in the way; of `dlq`: none is open |
| 1 | of `status`: one is not ready; of `plan`: something stands in the way; of `dlq`: one is open |
| 2 | it could not be found out |
| 64 | usage, settings, or no such application or dead letter |

`plan` reads the applier's own settings, so it runs where the applier does (`kubectl exec`); the others
need a kubeconfig that may read the applier's namespace. `--output json` prints one object a line.

## Commands
"""
_OBJECTS = """
## Objects

`kubectl apply -k deploy/crds` installs both kinds, of `stagepass.dev/v1alpha1`; without them the
applier runs as well, and keeps dead letters as ConfigMaps. They count in the applier's own namespace
alone, and are looked for when it starts.

An `Application` is optional: what is applied comes from policy. Of two for the same stage the oldest
counts. Its conditions are read by kstatus and `kubectl wait --for=condition=Ready`: `Ready` says that
the newest version that may run here does, healthy; `Reconciling` that it is on its way; `Stalled` that
only a person can help; `Passed` that the pass of what runs is signed; `Released`, where the stage looks
at releases, that what runs is a signed one. A newer version that waits for a pass, a window or its soak
does not make it less ready.

A `DeadLetter` is `Ready` once it is resolved or closed. The applier writes it after the fourth failure
of a permanent kind, and resolves it by itself when the version is fixed or overtaken. `dlq redrive` and
`dlq close` set `spec.redrive` and `spec.close`, which the applier notices within five seconds.
"""
_REASONS = """
## Reason codes

A *transient* failure is tried again, later and later. *Blocked* is no failure: it waits for a pass, a
window or a person. A *permanent* one is tried four times, and then becomes a dead letter.

| code | phase | class | meaning |
|---|---|---|---|
"""
_METRICS = """
## Metrics

`GET /metrics` on `STAGEPASS_METRICS_BIND`, over plain HTTP.

| metric | labels | meaning |
|---|---|---|
"""


def page() -> str:
    """The whole page."""
    parts = [_HEAD, *_commands(make_parser(), "python -m applier"), _OBJECTS]
    for name in ("applications", "deadletters"):
        parts += _kind(yaml.safe_load((ROOT / "deploy" / "crds" / f"{name}.yaml").read_text()))
    parts.append(_REASONS)
    parts += (f"| `{r.name}` | {r.phase} | {r.kind} | {_cell(r.meaning)} |\n" for r in Reason)
    parts.append(_METRICS)
    parts += _metrics()
    return "".join(parts)


def _commands(parser: argparse.ArgumentParser, path: str) -> Iterator[str]:
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            continue
        helps = {each.dest: each.help or "" for each in action._choices_actions}
        for name, command in action.choices.items():
            words = f"{path} {name}"
            if any(isinstance(a, argparse._SubParsersAction) for a in command._actions):
                yield from _commands(command, words)
            else:
                said = helps[name][:1].upper() + helps[name][1:]
                yield f"\n### {words.removeprefix('python -m applier ')}\n\n{said}.\n"
                yield "\n| option | meaning |\n|---|---|\n"
                yield from map(_option, command._actions)


def _option(action: argparse.Action) -> str:
    if action.dest == "help":
        return ""
    value = action.metavar or "|".join(map(str, action.choices or ()))
    name = f"{action.option_strings[-1]} {value}" if action.option_strings else str(value)
    return f"| `{_cell(name.strip())}` | {_cell(action.help or '')} |\n"


def _kind(crd: Mapping[str, Any]) -> Iterator[str]:
    names, [version] = crd["spec"]["names"], crd["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    short = ", ".join(f"`{each}`" for each in names["shortNames"])
    yield f"\n### {names['kind']}\n\n{schema['description']} Short name: {short}.\n"
    yield "\n| field | type | meaning |\n|---|---|---|\n"
    for field, value, required in _fields(schema, ""):
        kind = value["type"] + (", required" if required else "")
        text = value.get("description") or ", ".join(value.get("enum", ()))
        yield f"| `{field}` | {kind} | {_cell(text)} |\n"


def _fields(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    for name, value in schema.get("properties", {}).items():
        inner = f"{path}.{name}" if path else name
        yield inner, value, name in schema.get("required", ()) and not inner.startswith("status")
        yield from _fields(value, inner)
        yield from _fields(value.get("items", {}), f"{inner}[]")


def _metrics() -> Iterator[str]:
    for each in vars(metrics).values():
        if isinstance(each, Counter | Gauge):
            [family] = each.describe()
            name = f"{family.name}_total" if isinstance(each, Counter) else family.name
            labels = ", ".join(f"`{label}`" for label in each._labelnames)
            yield f"| `{name}` | {labels} | {_cell(family.documentation)} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    print(page(), end="")
