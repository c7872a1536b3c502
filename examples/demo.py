"""
The main job, in one command: `make demo`.

Versions of a service go test → staging → production. Passes and releases are signed by the command
line, kept in a directory, and asked for by two real webhooks over TLS: the gates of the clusters
`staging` and `prod-eu`. Everything is made in a temporary directory and gone afterwards.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from examples.gate import Gate
from examples.shop import Shop, deployment

STAGING, PRODUCTION = "staging", "prod-eu"


@dataclass(frozen=True, slots=True)
class Scene:
    """Something happened to a version, a gate is asked for a Deployment, an answer is expected."""

    story: str
    cluster: str
    image: str
    expected: str
    codes: tuple[str, ...] = ()
    spec: Mapping[str, Any] = field(default_factory=dict)
    """Members that its Pods have besides; those of `container` are the container's."""
    container: Mapping[str, Any] = field(default_factory=dict)

    def deployment(self) -> dict[str, Any]:
        """What somebody sends."""
        found = deployment(self.image)
        pods = found["spec"]["template"]["spec"]
        pods.update(self.spec)
        pods["containers"][0].update(self.container)
        return found


def scenes(shop: Shop) -> list[Scene]:
    """Seven versions, from honest to hostile."""
    new = shop.build("1.0")
    tested = shop.build("1.1")
    shop.passes(tested, "test")
    proven = shop.build("1.2")
    shop.passes(proven, "test", "staging")
    shop.scan(proven)
    stranger = shop.build("1.3")
    shop.passes(stranger, "test", signed_by="stranger")
    stolen = shop.build("1.4")
    shop.passes(stolen, "test", "staging", signed_by="test-cluster")
    shop.scan(stolen)
    tampered = shop.build("1.5")
    shop.tamper_with_a_pass_of(tampered)
    borrowed = shop.build("1.6")
    shop.copy_evidence(proven, borrowed)
    missing, unknown = ("PASS_MISSING",), ("SIGNER_UNKNOWN",)
    return [
        Scene("1.0 was built, nothing else", STAGING, new, "denied", missing),
        Scene("1.1 passed test", STAGING, tested, "admitted"),
        Scene("1.1 passed test, not staging", PRODUCTION, tested, "denied", missing),
        Scene("1.2 passed both, and is as CI released it", PRODUCTION, proven, "admitted"),
        *changed(proven),
        Scene("1.3 has a pass signed by a stranger", STAGING, stranger, "denied", unknown),
        Scene("1.4: one stolen key signed every pass", PRODUCTION, stolen, "denied", unknown),
        Scene(
            *("1.5: a pass was changed after signing", STAGING, tampered, "denied"),
            ("SIGNATURE_INVALID",),
        ),
        Scene(
            *("1.2 asked for by tag", PRODUCTION, shop.by_tag(proven), "denied"),
            ("DIGEST_REQUIRED",),
        ),
        Scene(
            *("1.6 carries copies of 1.2's passes", PRODUCTION, borrowed, "denied"),
            ("SUBJECT_MISMATCH",),
        ),
    ]


def changed(image: str) -> Iterator[Scene]:
    """An image that has every pass, in Deployments that nobody released."""
    answer = PRODUCTION, image, "denied", ("MANIFEST_DIFFERS",)
    yield Scene("1.2 with another argument", *answer, container={"args": ["serve", "--debug"]})
    disk = {"name": "disk", "hostPath": {"path": "/"}}
    yield Scene("1.2 with the node's disk as a volume", *answer, spec={"volumes": [disk]})


def main() -> int:
    """Play every scene; 0 when each gate answered as it should."""
    console = Console(width=None if sys.stdout.isatty() else 132, highlight=False)
    console.print("[bold]No pass, no stage.[/] Making keys, a policy set and certificates ...")
    with tempfile.TemporaryDirectory(prefix="stagepass-demo-") as directory:
        shop = Shop(Path(directory))
        console.print(
            "Building seven versions of a service, signing what runs them and what each has passed ..."
        )
        played = scenes(shop)
        console.print(
            "Starting the gates of the clusters staging and prod-eu (gunicorn, TLS) ...\n"
        )
        with Gate(shop, STAGING) as staging, Gate(shop, PRODUCTION) as production:
            gates = {STAGING: staging, PRODUCTION: production}
            wrong = _play(console, played, gates)
        console.print("\nWhy is 1.1 not in production yet?\n")
        console.print(f"[dim]$ stagepass explain {played[2].image} --stage production ...[/]")
        print(shop.explain(played[2].image))
    if wrong:
        console.print(f"[red]{wrong} answers were not as expected[/]")
        return 1
    console.print("[green]All eleven answers as expected.[/]")
    return 0


def _play(console: Console, played: list[Scene], gates: dict[str, Gate]) -> int:
    table = Table(title="What the gates answered", title_justify="left", show_lines=True)
    for heading in ("WHAT HAPPENED", "ASKED OF", "ANSWER", "WHY, IN THE WORDS A USER SEES"):
        table.add_column(heading, overflow="fold")
    wrong = 0
    for scene in played:
        answer, message, codes = gates[scene.cluster].ask(scene.deployment())
        right = answer == scene.expected and set(scene.codes) <= set(codes)
        wrong += not right
        colour = "green" if answer == "admitted" else "red"
        mark = "" if right else f" [red](expected {scene.expected} {' '.join(scene.codes)})[/]"
        table.add_row(scene.story, scene.cluster, f"[{colour}]{answer}[/]{mark}", _short(message))
    console.print(table)
    return wrong


def _short(message: str) -> str:
    """Without the first line, which says what the row says, and with digests cut for reading."""
    first, _, rest = message.partition("\n")
    return re.sub(r"(sha256:[0-9a-f]{8})[0-9a-f]{56}", r"\1...", rest or first).replace("[", "\\[")


if __name__ == "__main__":
    sys.exit(main())
