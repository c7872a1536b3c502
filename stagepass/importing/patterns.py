"""
Image patterns of other gates in our own: what ours covers, compared with what theirs did.

Ours name repositories; theirs are matched with text that has a tag or digest behind it. So each
pattern has two readings. `within` matches nothing that the source did not match: for what lets in.
`covering` matches everything that it did: for what asks for something. None is every image.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from stagepass.digest import is_host
from stagepass.errors import InputError
from stagepass.stage import ImagePattern

_GLOB = re.compile(r"[a-zA-Z0-9_:/*.-]+", re.ASCII)
_WILD = re.compile(r"[*?\[\]{}\\]")
_HUB = ("docker.io", "index.docker.io")


@dataclass(frozen=True, slots=True)
class Images:
    """The two readings of one pattern, or of several."""

    within: tuple[str, ...]
    covering: tuple[str, ...] | None

    @property
    def exact(self) -> bool:
        """Whether ours match what theirs did, no more and no less."""
        return self.within == self.covering

    @classmethod
    def any_of(cls, several: Iterable[Images]) -> Images:
        """What one of them matches."""
        within: dict[str, None] = {}
        covering: dict[str, None] | None = {}
        for images in several:
            within |= dict.fromkeys(images.within)
            if covering is not None and images.covering is not None:
                covering |= dict.fromkeys(images.covering)
            else:
                covering = None
        return cls(tuple(within), None if covering is None else tuple(covering))


EVERY = Images((), None)
"""A pattern that ours cannot come near."""


def of_policy_controller(glob: str) -> Images:
    """
    `*` is anything but `/`, `**` anything, over the whole reference with its digest.

    policy-controller resolves tags first, so a pattern that ends in a name or a tag matches no image
    that it judges; ours asks for something all the same, and lets nothing in by it.
    """
    glob = {"*": "index.docker.io/library/*", "*/*": "index.docker.io/*/*"}.get(glob, glob)
    host, slash, path = glob.partition("/")
    if not _GLOB.fullmatch(glob) or ("*" in host if slash else "**" in host):
        return EVERY
    if not slash or not is_host(host):
        return _checked((), _below("docker.io", _covering(glob.split("/"))))
    segments = path.split("/")
    within = () if host == "docker.io" else _below(host, _within(segments))
    return _checked(within, _below(host, _covering(segments)))


def of_kyverno(pattern: str) -> Images:
    """
    `*` is anything, `/` too, and `?` one character; what is matched ends in a tag or a digest.

    Kyverno asks nothing of an image that no pattern matches, so ours may let in by the wider reading:
    an image is never asked for less.
    """
    wild = _WILD.search(pattern)
    prefix = pattern[: wild.start()] if wild else pattern
    host, slash, path = prefix.partition("/")
    if not slash or not is_host(host):
        if wild:
            return EVERY
        host, path = "docker.io", prefix
    name = re.split("[:@]", path)[0]
    if wild is None or name != path:
        found = [name]
    else:
        found = [f"{name}**"] if name.endswith("/") or not name else [f"{name}*", f"{name}*/**"]
    patterns = _below(host, tuple(found))
    return _checked(patterns, patterns)


def is_plain_prefix(pattern: str) -> bool:
    """Whether a Kyverno pattern is a name with one `*` behind it, which ours match exactly."""
    return bool(re.fullmatch(r"[^*?\[\]{}\\:@]+(:[0-9]+/[^*?\[\]{}\\:@]*)?\*", pattern))


def of_whitelist(pattern: str) -> tuple[str, ...]:
    """
    Of Binary Authorization's allowlist: a wildcard at the end alone, `*` within a directory.

    Only what ours match exactly, since it lets in: () for one with a tag or digest, or without a
    wildcard (of which Google does not say whether it is every tag of the image).
    """
    host, slash, path = pattern.partition("/")
    stem = path.rstrip("*")
    stars = len(path) - len(stem)
    if not slash or not is_host(host) or stars not in (1, 2) or set(stem) & set("*:@"):
        return ()
    if stars == 1:
        found: tuple[str, ...] = (f"{stem}*",)
    elif stem.endswith("/") or not stem:
        found = (f"{stem}**",)
    else:
        found = (f"{stem}*", f"{stem}*/**")
    return _checked(_below(host, found), ()).within


def _within(segments: list[str]) -> tuple[str, ...]:
    *above, last = segments
    if any("**" in segment for segment in above) or ":" in "".join(segments):
        return ()
    if "**" in last:
        return _covering(segments) if re.fullmatch(r"[^*]*\*\*", last) else ()
    return ("/".join(segments),) if last.endswith("*") else ()


def _covering(segments: list[str]) -> tuple[str, ...]:
    """A `*` of the last segment may have matched the digest: what stands behind it decides nothing."""
    for index, segment in enumerate(segments):
        is_last = index == len(segments) - 1
        stem = re.split("[*:]", segment)[0] if is_last else segment.partition("**")[0]
        before = "".join(f"{s}/" for s in segments[:index])
        if "**" in segment:
            stem = stem.partition("*")[0]
            return (f"{before}{stem}*", f"{before}{stem}*/**") if stem else (f"{before}**",)
        if is_last:
            wild = "*" in segment.partition(":")[0]
            return (f"{before}{stem}*" if wild else f"{before}{stem}",)
    return ()


def _below(host: str, paths: tuple[str, ...]) -> tuple[str, ...]:
    """Docker Hub has one name here, and its images without an owner lie below `library`."""
    if host not in _HUB:
        return tuple(f"{host}/{path}" for path in paths)
    return tuple(
        f"docker.io/{path}" if "/" in path or path == "**" else f"docker.io/library/{path}"
        for path in paths
    )


def _checked(within: tuple[str, ...], covering: tuple[str, ...]) -> Images:
    try:
        for pattern in (*within, *covering):
            ImagePattern.parse(pattern)
    except InputError:
        return EVERY
    return Images(within, covering)
