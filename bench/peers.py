"""
Other gates' figures, as constants: measured earlier and elsewhere, on a machine such as this one.

Two shared cores, one image, one ECDSA key, an in-memory registry; CPU-ms of the gate a review, by 1,
3 and 6 attestations. Not comparable to the digit: different clients, days and loads.
"""

from __future__ import annotations

from dataclasses import dataclass

NOTE = (
    "Measured earlier, elsewhere, on such a machine (23 Nov 2026, two shared cores): for the order of"
    " magnitude, not comparable to the digit."
)


@dataclass(frozen=True, slots=True)
class Peer:
    """CPU-ms a review with 1, 3 and 6 attestations. `source` is the line the figures stand in."""

    gate: str
    cpu_ms: tuple[str, str, str]
    requests: str
    source: str


PEERS = (
    Peer(
        "policy-controller 0.13.1, paced (it has no cache)",
        ("6.4", "8.0", "10.6"),
        "3 / 5 / 8",
        "peers-baseline section 3, as shipped, R2 paced",
    ),
    Peer(
        "Kyverno 1.19.1 ClusterPolicy, cold, 1 client",
        ("5.2", "17.2", "46.8"),
        "3 / 15 / 48",
        "peers-baseline section 4, cache off, R2, 1 client",
    ),
    Peer(
        "Kyverno 1.19.1 ClusterPolicy, hot, cache size raised",
        ("2.0-2.4", "2.0-2.3", "2.2-2.5"),
        "0",
        "peers-baseline section 4, hot, 1 to 50 clients",
    ),
)
