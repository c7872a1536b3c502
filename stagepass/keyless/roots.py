"""Trust roots by TUF: what a Sigstore instance trusts now, as the holders of its root keys sign it."""

from __future__ import annotations

import fcntl
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPException
from importlib import resources
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from tuf.api import exceptions
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.updater import Updater

from stagepass.decision import Code
from stagepass.errors import InputError, StagepassError, Unavailable

PUBLIC_GOOD = "https://tuf-repo-cdn.sigstore.dev"
TRUSTED_ROOT, SIGNING_CONFIG = "trusted_root.json", "signing_config.v0.2.json"

_SECONDS = 60.0  # for all of it; the public instance's is four files of 200 kB together
_STALL = 20.0  # seconds without a byte
_CHUNK = 1 << 16
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class Untrusted(StagepassError):
    """The repository answered, and what it says does not verify: older, expired, wrongly signed, changed."""


def fetch(
    url: str, names: Sequence[str], state: Path, root: bytes | None, root_from: str = ""
) -> dict[str, bytes]:
    """
    The targets `names` of the TUF repository at `url`, verified from `root` (its first root.json, which
    is the file `root_from`) on.

    `state` keeps the newest metadata seen, so that none older counts (V93). `root` may be None for the
    instances whose root comes with sigstore. Raises `Untrusted`, `Unavailable`, and `InputError` for
    what the caller gave.
    """
    url = url.rstrip("/")
    _check(url)
    root = _embedded(url) if root is None else root
    directory = state / quote(url, safe="")
    try:
        with _locked(directory):
            return _fetched(url, names, directory, root, root_from)
    except exceptions.DownloadLengthMismatchError as error:
        raise Untrusted(f"{url}: {error}") from error
    except exceptions.DownloadError as error:
        raise Unavailable(Code.REGISTRY_UNAVAILABLE, f"{url}: {_told(error)}") from error
    except exceptions.RepositoryError as error:
        raise Untrusted(f"{url}: {_told(error)}") from error
    except OSError as error:
        hint = "set XDG_CONFIG_HOME to a directory that can be written"
        raise InputError(
            f"cannot write: {error.strerror}", where=str(directory), hint=hint
        ) from error


def _fetched(
    url: str, names: Sequence[str], directory: Path, root: bytes, root_from: str
) -> dict[str, bytes]:
    try:
        updater = Updater(
            str(directory), url, None, f"{url}/targets/", _Fetcher(_SECONDS), bootstrap=root
        )
    except exceptions.RepositoryError as error:
        message = f"not the root of a TUF repository: {_told(error)}"
        raise InputError(message, where=root_from or url) from error
    updater.refresh()
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            info = updater.get_targetinfo(name)
            if info is None:
                raise Untrusted(
                    f"{url}: names no {name}: not the repository of a Sigstore instance"
                )
            path = updater.download_target(info, str(Path(scratch) / "target"))
            found[name] = Path(path).read_bytes()
    return found


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One at a time: the updater expects to be alone with its files."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (directory / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class _NoRedirects(HTTPRedirectHandler):
    """What leads elsewhere is not followed: trust material comes from where it was asked for (V34)."""

    def redirect_request(
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> None:
        """Never another request: the answer stays an error."""


class _Fetcher(FetcherInterface):
    """HTTP of the standard library, with one time limit for all that is fetched."""

    def __init__(self, seconds: float) -> None:
        self._opener = build_opener(_NoRedirects())
        self._end = time.monotonic() + seconds

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            response = self._opener.open(Request(url), timeout=self._remaining())  # noqa: S310  # _check
        except HTTPError as error:
            with error:
                where = error.headers.get("Location")
            leads = f", to {where}: redirects are not followed" if where else ""
            message = f"{url} answers {error.code}{leads}"
            raise exceptions.DownloadHTTPError(message, error.code) from error
        except (URLError, HTTPException, OSError) as error:
            raise exceptions.DownloadError(f"{url}: {getattr(error, 'reason', error)}") from error
        return self._chunks(url, response)

    def _chunks(self, url: str, response: Any) -> Iterator[bytes]:
        with response:
            while True:
                self._remaining()
                try:
                    # read1: a chunk as it comes, so that a server of one byte a second meets the limit.
                    chunk = response.read1(_CHUNK)
                except (HTTPException, OSError) as error:
                    raise exceptions.DownloadError(f"{url}: {error}") from error
                if not chunk:
                    return
                yield chunk

    def _remaining(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise exceptions.SlowRetrievalError(f"took over {_SECONDS:.0f} seconds")
        return min(left, _STALL)


def _check(url: str) -> None:
    parts = urlsplit(url)
    is_local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not parts.hostname or not (parts.scheme == "https" or is_local):
        raise InputError(f"{url!r} is no https URL", where="--url")


def _embedded(url: str) -> bytes:
    with suppress(FileNotFoundError):
        store = resources.files("sigstore").joinpath("_store", quote(url, safe=""))
        return store.joinpath("root.json").read_bytes()
    hint = "give its first root.json, had from whoever runs it, with --root"
    raise InputError(f"nothing is known of {url}", hint=hint)


def _told(error: Exception) -> str:
    """The reason, which the library sometimes leaves to the cause."""
    cause = error.__cause__
    deeper = cause is not None and not isinstance(cause, OSError)
    return f"{error}: {cause}" if deeper and str(cause) not in str(error) else str(error)
