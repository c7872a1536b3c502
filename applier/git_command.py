"""
The system's git, run so that neither a repository nor the machine has a say in how.

No hooks, no configuration but ours, no credential helper, no prompt, no protocol but the URL's own, no
redirect, no bundle or packfile URI (CVE-2024-32002, CVE-2025-48384, CVE-2021-21300: all need a checkout,
a hook or a second transport).
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from applier.failure import Failure, Reason
from applier.git_auth import Access, scrub
from applier.process import Finished, TimedOutError, run

NO_ACCESS = Access({}, (), ())
_BUSY = 0.05
"""Of what a fetch may compute: who is at it at the deadline did not wait for the server."""
_PROGRAMS = "/usr/local/bin:/usr/bin:/bin"
_OPTIONS = (
    "advice.detachedHead=false",
    "core.alternateRefsCommand=",
    "core.askPass=",
    "core.attributesFile=/dev/null",
    "core.bigFileThreshold=16m",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.logAllRefUpdates=false",
    "core.packedGitLimit=256m",
    "credential.helper=",
    "fetch.fsckObjects=true",
    "fetch.recurseSubmodules=false",
    "fetch.unpackLimit=1",
    "fetch.uriProtocols=",
    "fetch.writeCommitGraph=false",
    "gc.auto=0",
    "http.followRedirects=false",
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=20",
    "http.sslVerify=true",
    "http.sslVersion=tlsv1.2",
    "log.showSignature=false",
    "maintenance.auto=false",
    "pack.threads=1",
    "protocol.allow=never",
    "protocol.version=2",
    "safe.bareRepository=explicit",
    "submodule.recurse=false",
    "transfer.bundleURI=false",
    "transfer.credentialsInUrl=die",
    "transfer.fsckObjects=true",
    "uploadpack.packObjectsHook=",
)
# What the pack itself says comes before what the connection says: a pack that we refuse ends it too.
_BAD_PACK = re.compile(
    r"fsck error|died of signal|pack is corrupted|pack signature|bad object|inflate returned|out of memory",
    re.I,
)
# At a limit; an index-pack that says nothing itself was killed.
_ENDED = re.compile(
    r"died of signal|out of memory|^fatal: fetch-pack: invalid index-pack output$", re.I
)
_BROKEN = re.compile(
    r"could not resolve|couldn't connect|failed to connect|connection (?:refused|reset|timed out|closed)"
    r"|timed out|early eof|hung up|unexpected disconnect|rpc failed|empty reply|error: (?:408|429|5\d\d)"
    r"|network is unreachable|transfer closed|too slow|kex_exchange"
    r"|unable to access.*: (?:recv|send) failure",
    re.I,
)
_REFUSED = re.compile(
    r"authentication failed|could not read (?:username|password)|prompts disabled|permission denied"
    r"|host key verification failed|certificate|ssl ca cert|not found|does not appear to be a git repository"
    r"|not allowed|redirect|error: (?:3\d\d|4\d\d)|algorithm|not valid: is this a git repository"
    r"|bad config|dubious ownership|protocol error|bad line length|invalid index-pack output",
    re.I,
)
# What ssh spreads over ten lines, the last of which say nothing.
_HOST_KEYS = {
    "the host key is in no known_hosts": re.compile(r"^No \S+ host key is known for ", re.M),
    "the host key is not the one in known_hosts": re.compile(r"^Host key for .* has changed", re.M),
}
_FINGERPRINT = re.compile(r"^(SHA256:[A-Za-z0-9+/]{43})\.?$", re.M)
_ADVICE = ("remote:", "hint:", "Please make sure you have the correct", "and the repository exists")


def environment(home: Path, scheme: str, access: Access) -> dict[str, str]:
    """The whole environment of a call; nothing is inherited."""
    return {
        "PATH": _PROGRAMS,
        "LC_ALL": "C",
        "TZ": "UTC",
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "GNUPGHOME": str(home),
        "GIT_ALLOW_PROTOCOL": scheme,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_SSH_COMMAND": "false",
        **access.env,
    }


def git(
    arguments: Sequence[str],
    *,
    git_dir: Path | None,
    timeout: float,
    max_output: int,
    scheme: str = "none",
    access: Access = NO_ACCESS,
    stdin: bytes = b"",
    pass_fds: Sequence[int] = (),
    max_file: int | None = None,
    max_memory: int | None = None,
    max_cpu: int | None = None,
) -> Finished:
    """
    One call of git, whatever its exit code. Raises GIT_UNAVAILABLE at the deadline, GIT_REFUSED where
    it was reached by computing.

    `process.OutputLimitError` is the caller's to name. `scheme` is the only transport that it may use.
    """
    options = [*_OPTIONS, *access.config]
    argv = ["git", *(word for option in options for word in ("-c", option))]
    with tempfile.TemporaryDirectory(prefix="stagepass-git-") as name:
        home = Path(name)
        if git_dir is not None:
            argv += ["-c", f"safe.directory={git_dir}", f"--git-dir={git_dir}"]
        try:
            return run(
                [*argv, *arguments],
                env=environment(home, scheme, access),
                cwd=home,
                timeout=timeout,
                max_output=max_output,
                stdin=stdin,
                pass_fds=pass_fds,
                max_file=max_file,
                max_memory=max_memory,
                max_cpu=max_cpu,
            )
        except TimedOutError as error:
            if max_cpu is not None and error.computed >= max_cpu * _BUSY:
                text = f"git {arguments[0]}: unpacking it takes more time than allowed: {error}"
                raise Failure(Reason.GIT_REFUSED, text) from error
            raise Failure(Reason.GIT_UNAVAILABLE, f"git {arguments[0]}: {error}") from error
        except OSError as error:
            raise Failure(
                Reason.GIT_UNAVAILABLE, f"git does not start: {error.strerror}"
            ) from error


def failure(done: Finished, url: str, secrets: tuple[str, ...]) -> Failure:
    """What a transport's complaint means; whatever is not known to be for good is tried again."""
    text = done.stderr.decode("utf-8", "replace")
    # "remote:" is what the server likes us to read: it names nothing that we know to be true.
    lines = [line for line in text.splitlines() if line and not line.startswith(_ADVICE)]
    said = scrub("; ".join(lines[-6:]), secrets)[-600:] or f"git ended with {done.code}"
    said = _host_key(text.replace("\r", "")) or said
    if _ENDED.search(said):
        said = f"unpacking it takes more time, memory or room than allowed: {said}"
    if _BAD_PACK.search(said):
        reason = Reason.GIT_REFUSED
    elif _BROKEN.search(said) or not _REFUSED.search(said):
        reason = Reason.GIT_UNAVAILABLE
    else:
        reason = Reason.GIT_REFUSED
    return Failure(reason, f"{scrub(url, secrets)}: {said}")


def _host_key(text: str) -> str:
    """Of a host key that ssh did not accept: which of the two it is, and what the host sent."""
    if "Host key verification failed" not in text:
        return ""
    said = next((words for words, line in _HOST_KEYS.items() if line.search(text)), "")
    sent = _FINGERPRINT.search(text)
    told = f"host key verification failed: {said}" if said else ""
    return f"{told}; it sent {sent[1]}" if told and sent else told
