"""The keys of external issuers: fetched, cached, and refreshed before they expire (RFC 7517, section 5; RFC 9111).

One thread at a time fetches. A request waits for it only if there are no keys, or the ``kid`` of the token is unknown.
"""

from __future__ import annotations

import copy
import math
import os
import re
import socket
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock, Thread, Timer
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar
from urllib.parse import urlsplit
from weakref import WeakSet

from jwt.exceptions import DecodeError, InvalidKeyError

from .._jose.compact import parse_object
from .._jose.jwk_set import UnsupportedKeyError, WeakKeyError, read_set, shorten
from .._jose.keys import Key, KeyRing
from .._settings.issuers import TrustedIssuer, is_fetchable
from .._settings.redaction import without_credentials
from ..exceptions import ConfigurationError, IssuerUnavailableError
from ..signals import logger

if TYPE_CHECKING:
    from urllib3 import HTTPResponse

#: Seconds for a whole fetch: the metadata and the keys, with name resolution, handshakes and bodies.
TIMEOUT = 5.0
#: Bytes of the largest document, compressed and decompressed.
MAX_BYTES = 1 << 20
#: The largest number of keys in a set. To load each of them takes time.
MAX_KEYS = 100
#: Seconds for which a response without ``max-age`` is valid, and the bounds for one with it.
DEFAULT_LIFETIME, MIN_LIFETIME, MAX_LIFETIME = 600.0, 60.0, 86400.0
#: The part of its lifetime after which a response is refreshed in the background.
REFRESH_AFTER = 0.8
#: Seconds after its lifetime for which a response is still used if it cannot be refreshed.
MAX_STALE = 86400.0
#: Seconds between the end of a fetch, successful or not, and the next one.
COOL_DOWN = 30.0
#: Seconds for which a token with an unknown ``kid`` waits for the fetch of another request, so that few threads block.
WAIT = 1.0
#: Unusable keys that a message names.
MAX_NAMED = 10

_T = TypeVar("_T")


class IssuerKeySet(NamedTuple):
    """The usable keys of an issuer, and the reasons why others are not: all, and those about invalid JWKs."""

    ring: KeyRing
    unusable: tuple[str, ...] = ()
    malformed: tuple[str, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Whether there is a key that can be used."""
        return bool(self.ring.algorithms)

    @property
    def reasons(self) -> str:
        """Why keys cannot be used, as text of bounded length."""
        named = "; ".join(self.unusable[:MAX_NAMED])
        more = len(self.unusable) - MAX_NAMED
        return (f"{named}; and {more} more" if more > 0 else named) or "the set is empty"


class IssuerKeys:
    """The keys of an external issuer. Safe for threads, and in forked children. Configured keys are not fetched."""

    def __init__(self, config: TrustedIssuer, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._name = without_credentials(config.issuer)
        self._clock = clock
        self._cached: _Response[IssuerKeySet] | None = None
        self._metadata: _Response[str] | None = None
        self._fetch: _Fetch | None = None
        self._next_fetch = -math.inf
        self._failure = ""
        self._lock = Lock()
        if config.keys is None:
            _require_client()
            _instances.add(self)
        else:
            self._cached, self._next_fetch = _Response("", self._configured()), math.inf
        self._source = copy.deepcopy(_source_of(config))

    def candidates(self, algorithm: str, kid: str | None = None) -> tuple[Key, ...]:
        """Return the keys that may have made a signature with this algorithm.

        An unknown ``kid`` fetches the keys again, at most once per :data:`COOL_DOWN`. A token without a ``kid`` is
        verified only if there is a single key for the algorithm.

        :raises IssuerUnavailableError: if no keys are known, and they cannot be fetched
        """
        if algorithm not in self._config.algorithms:
            return ()
        cached = self._available()
        found = cached.content.ring.candidates(algorithm, kid)
        if found or kid is None:
            return found
        return self._refetch(cached).content.ring.candidates(algorithm, kid)

    def current(self) -> IssuerKeySet:
        """Return the keys, and fetch them first if they are not known."""
        return self._available().content

    def are_for(self, config: TrustedIssuer) -> bool:
        """Return whether these are the keys for these settings. Only some of the settings matter."""
        return self._source == _source_of(config)

    def check_configured(self) -> None:
        """Check the configured keys when the application starts."""
        if self._config.keys is not None and not self.current().is_usable:
            reasons = self.current().reasons
            raise ConfigurationError(f"JWT_TRUSTED_ISSUERS: None of the keys of {self._name} can be used: {reasons}")

    def __repr__(self) -> str:
        return f"<IssuerKeys {self._name}>"

    def _configured(self) -> IssuerKeySet:
        problem = f"JWT_TRUSTED_ISSUERS: The keys of {self._name} cannot be used: "
        try:
            found = _read_keys(self._config.keys, self._config.algorithms)
        except InvalidKeyError as error:
            raise ConfigurationError(f"{problem}{error}") from None
        if found.malformed:
            raise ConfigurationError(problem + found.malformed[0])
        self._report(found)
        return found

    def _available(self) -> _Response[IssuerKeySet]:
        cached = self._not_expired()
        if cached is None:
            return self._wait_for_first()
        if self._clock() >= cached.refresh_at:
            self._start_fetch()
        return cached

    def _not_expired(self) -> _Response[IssuerKeySet] | None:
        cached = self._cached
        return None if cached is None or self._clock() >= cached.expires_at else cached

    def _wait_for_first(self) -> _Response[IssuerKeySet]:
        fetch, _ = self._start_fetch()
        if fetch is not None:
            fetch.wait(TIMEOUT)
        cached = self._not_expired()
        if cached is None:
            raise IssuerUnavailableError(self._failure)
        return cached

    def _refetch(self, cached: _Response[IssuerKeySet]) -> _Response[IssuerKeySet]:
        fetch, is_new = self._start_fetch()
        if fetch is not None:
            fetch.wait(TIMEOUT if is_new else WAIT)
        return self._cached or cached

    def _start_fetch(self) -> tuple[_Fetch | None, bool]:
        """Return the running fetch, or a new one unless the last one has just ended; and whether it is new."""
        with self._lock:
            if self._fetch is not None and self._fetch.is_alive():  # never in a forked child
                return self._fetch, False
            if self._clock() < self._next_fetch:
                return None, False
            self._failure = TimeoutError.__name__  # unless the fetch ends with another result
            fetch = _Fetch(self._fetch_keys)
            try:
                fetch.start()
            except RuntimeError as error:  # the system has no more threads
                self._finish(error)
                return None, False
            self._fetch = fetch
            return fetch, True

    def _fetch_keys(self, fetch: _Fetch) -> None:
        failure = None
        try:
            url = self._config.jwks_uri or self._jwks_uri(fetch)
            self._cached = self._get(fetch, url, self._cached, partial(_read_keys, algorithms=self._config.algorithms))
            self._report(self._cached.content)
        except Exception as error:  # a server can provoke any error, and requests wait for the result
            failure = TimeoutError() if fetch.timed_out else error  # an aborted connection can raise any error
            self._metadata = None  # the keys may have moved
        self._finish(failure)

    def _finish(self, failure: Exception | None) -> None:
        self._next_fetch = self._clock() + COOL_DOWN
        if failure is not None:
            self._failure = _describe(failure)
            logger.warning("The keys of %s cannot be fetched: %s", self._name, self._failure)

    def _report(self, found: IssuerKeySet) -> None:
        if not found.is_usable:
            logger.warning("No key of %s can be used, so all its tokens are refused: %s", self._name, found.reasons)
        elif found.malformed:
            logger.warning("A key of %s is malformed and ignored: %s", self._name, found.reasons)
        elif found.unusable:
            logger.info("Some keys of %s are ignored: %s", self._name, found.reasons)

    def _jwks_uri(self, fetch: _Fetch) -> str:
        """Return the URL of the keys according to the metadata of the issuer."""
        cached = self._metadata
        if cached is None or self._clock() >= cached.refresh_at:
            cached = self._metadata = self._get(fetch, self._config.discovery, cached, self._check_metadata)
        return cached.content

    def _check_metadata(self, metadata: Mapping[str, Any]) -> str:
        url = metadata.get("jwks_uri")
        if metadata.get("issuer") != self._config.issuer:
            raise _RefusedError("the metadata are those of another issuer")
        if not is_fetchable(url) or urlsplit(url).scheme not in ("https", urlsplit(self._config.discovery).scheme):
            raise _RefusedError("the metadata contain no https:// URL of the keys")
        return str(url)

    def _get(
        self, fetch: _Fetch, url: str | None, cached: _Response[_T] | None, read: Callable[[Any], _T]
    ) -> _Response[_T]:
        """Fetch a document, unless the server answers that the cached one has not changed."""
        requested_at = self._clock()
        if cached is not None and cached.url != url:
            cached = None
        status, headers, body = fetch.get(url, cached.etag if cached else None)
        if status == 304 and cached is not None and cached.etag is not None:
            lifetime = _lifetime(headers) if "Cache-Control" in headers else cached.lifetime
            return replace(cached, requested_at=requested_at, lifetime=lifetime)
        if status != 200:
            raise _RefusedError(f"HTTP {status}")
        content = read(parse_object(_decompress(body, headers.get("Content-Encoding", "")), "answer"))
        return _Response(str(url), content, requested_at, _lifetime(headers), headers.get("ETag"))


#: The instances that fetch.
_instances: WeakSet[IssuerKeys] = WeakSet()


def _renew_locks() -> None:
    """In a forked child, a lock that another thread held would never be released."""
    for each in _instances:
        each._lock = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)


@dataclass(frozen=True)
class _Response(Generic[_T]):
    """A document and its lifetime. What was not fetched never expires."""

    url: str = field(repr=False)
    content: _T = field(repr=False)
    requested_at: float = 0.0
    lifetime: float = math.inf
    etag: str | None = None

    @property
    def refresh_at(self) -> float:
        return self.requested_at + REFRESH_AFTER * self.lifetime

    @property
    def expires_at(self) -> float:
        return self.requested_at + self.lifetime + MAX_STALE


class _RefusedError(ValueError):
    """A response that is not accepted. The message contains nothing of it."""


class _Fetch(Thread):
    """A thread that fetches, with one deadline for all its requests.

    The timeout of a socket starts again with every read. A timer aborts the connection, however slowly data arrive.
    """

    def __init__(self, target: Callable[[_Fetch], None]) -> None:
        super().__init__(target=target, args=(self,), name="jwt-issuer-keys", daemon=True)
        self._deadline = time.monotonic() + TIMEOUT
        self._timer = Timer(TIMEOUT, self._abort)
        self._timer.daemon = True
        self._socket: socket.socket | None = None
        self.timed_out = False

    def start(self) -> None:
        self._timer.start()
        super().start()

    def run(self) -> None:
        try:
            super().run()
        finally:
            self._timer.cancel()

    def wait(self, seconds: float) -> None:
        """Wait for the end of the fetch, at most until its deadline, which a look-up of a name can exceed."""
        self.join(max(0.0, min(seconds, self._deadline - time.monotonic())))

    def get(self, url: str | None, etag: str | None) -> tuple[int, Mapping[str, str], bytes]:
        """Return status, headers and raw body of a response. Redirects are not followed."""
        if url is None or not is_fetchable(url):
            raise _RefusedError("there is no https:// URL to fetch from")
        parts = urlsplit(url)
        headers = {"Accept": "application/jwk-set+json, application/json"}
        headers.update({"If-None-Match": etag} if etag else {})
        with closing(_connection(parts.scheme, str(parts.hostname), parts.port)) as connection:
            connection.connect()
            self._socket = connection.sock  # the connection forgets it after the last response
            self._check_deadline()
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", target, headers=headers, preload_content=False)
            with closing(connection.getresponse()) as response:
                body = _body(response)
        self._check_deadline()
        return response.status, response.headers, body

    def _check_deadline(self) -> None:
        # After an abort, TLS does not detect a truncated body, even if all of it came in time.
        if self.timed_out:
            raise TimeoutError

    def _abort(self) -> None:
        self.timed_out = True
        if self._socket is not None:
            with suppress(OSError):  # closed already. Not the method of a TLS socket, which only its thread may call
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _require_client() -> None:
    try:
        # Before the first fetch: a process that forks while a thread imports cannot import in the child.
        import urllib3.connection  # noqa: F401  # _connection uses it
    except ImportError:
        raise ConfigurationError(
            "Fetching the keys of an issuer requires urllib3: pip install 'flask-jwt-extended[issuers]'"
        ) from None


def _connection(scheme: str, host: str, port: int | None) -> Any:
    from urllib3.connection import HTTPConnection, HTTPSConnection

    if scheme == "https":
        return HTTPSConnection(host, port or 443, timeout=TIMEOUT)
    return HTTPConnection(host, port or 80, timeout=TIMEOUT)


def _body(response: HTTPResponse) -> bytes:
    body = b""
    while piece := response.read(MAX_BYTES + 1 - len(body), decode_content=False):
        body += piece
        if len(body) > MAX_BYTES:
            raise _RefusedError(f"the answer is longer than {MAX_BYTES} bytes")
    return body


def _decompress(body: bytes, encoding: str) -> bytes:
    """Decompress a body. Some servers compress although no ``Accept-Encoding`` was sent."""
    if encoding.lower() in ("", "identity"):
        return body
    if encoding.lower() != "gzip":
        raise _RefusedError("the answer has an encoding that was not requested")
    plain = zlib.decompressobj(wbits=31).decompress(body, MAX_BYTES + 1)
    if len(plain) > MAX_BYTES:
        raise _RefusedError(f"the answer is longer than {MAX_BYTES} bytes")
    return plain


def _lifetime(headers: Mapping[str, str]) -> float:
    """Return the seconds for which a response is valid (RFC 9111, section 4.2), within bounds."""
    directives = headers.get("Cache-Control", "").lower()
    if "no-store" in directives or "no-cache" in directives:
        return MIN_LIFETIME
    max_age = re.search(r'(?:^|[\s,])max-age="?([0-9]+)', directives)
    age = re.fullmatch(r"[0-9]{1,9}", headers.get("Age", ""))
    lifetime = float(max_age[1]) - float(age[0] if age else 0) if max_age else DEFAULT_LIFETIME
    return min(max(lifetime, MIN_LIFETIME), MAX_LIFETIME)


def _source_of(config: TrustedIssuer) -> tuple[Any, ...]:
    """Return the settings of an issuer that its keys depend on."""
    return config.issuer, config.jwks_uri, config.discovery, config.keys, config.algorithms


def _read_keys(document: Any, algorithms: Sequence[str]) -> IssuerKeySet:
    """Read a JWK Set of an issuer. Keys that cannot be used are reported and ignored (RFC 7517, section 5)."""
    # "state" and "until" have a meaning only in our own sets.
    members = [{name: jwk[name] for name in jwk if name not in ("state", "until")} for jwk in _members(document)]
    unusable: list[str] = []
    malformed: list[str] = []

    def note(jwk: Mapping[str, Any], error: InvalidKeyError) -> None:
        reason = f"key {shorten(jwk.get('kid'))}: {error}"
        unusable.append(reason)
        if not isinstance(error, (UnsupportedKeyError, WeakKeyError)):
            malformed.append(reason)

    keys = read_set(members, algorithms, on_unusable=note)
    if malformed and not keys:
        raise InvalidKeyError(malformed[0])
    ring = KeyRing((), ((each.kid, each.key) for each in keys))
    return IssuerKeySet(ring, tuple(unusable), tuple(malformed))


def _members(document: Any) -> Sequence[Mapping[str, Any]]:
    if isinstance(document, (str, bytes)):
        raise InvalidKeyError("The JWK Set is text: parse it with json.loads")
    members = document.get("keys") if isinstance(document, Mapping) else document
    if (
        not isinstance(members, (list, tuple))
        or len(members) > MAX_KEYS
        or not all(isinstance(each, Mapping) for each in members)
    ):
        raise InvalidKeyError(f'This is not a JWK Set, {{"keys": [...]}}, of at most {MAX_KEYS} keys')
    if any(jwk.get("kty") == "oct" for jwk in members):
        raise InvalidKeyError("A JWK Set of an issuer must not hold secrets")
    return members


def _describe(error: Exception) -> str:
    """Return an error as text without URLs, and with little of what a server sent."""
    if isinstance(error, (_RefusedError, InvalidKeyError, DecodeError)):
        return ascii(str(error)[:120])[1:-1]
    return type(error).__name__
