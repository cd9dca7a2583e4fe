"""The keys of other issuers: fetched, kept, and fetched again before they are old (RFC 7517, section 5; RFC 9111).

Owns when a JWK Set is fetched, what an answer must look like, and for how long it is believed. Must not know tokens,
requests of our own, or settings: it is handed the terms of one issuer.

Whoever asks for a key reads the set that is known, and waits for nothing. All fetching is done by one thread at a
time, which is gone when it is done. The only ones that wait for it, and only as long as its deadline, are those who
have no set at all, and those whose token names a key that the set does not have.
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
from threading import Lock, Thread, Timer
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar
from urllib.parse import urlsplit
from weakref import WeakSet

from jwt.exceptions import DecodeError, InvalidKeyError

from .._jose.compact import parse_object
from .._jose.jwk_set import UnsupportedKeyError, WeakKeyError, brief, read_set
from .._jose.keys import Key, KeyRing
from .._settings.issuers import TrustedIssuer, is_fetchable
from .._settings.redaction import without_credentials
from ..exceptions import ConfigurationError, IssuerUnavailableError
from ..signals import logger

if TYPE_CHECKING:
    from urllib3 import HTTPResponse

#: Seconds that a fetch may take in all: the metadata and the set, names, handshakes and bodies.
TIMEOUT = 5.0
#: Bytes that a document may have, as it is sent and as it is meant.
MAX_BYTES = 1 << 20
#: Keys that a set may have. Each of them costs a moment to read.
MAX_KEYS = 100
#: Seconds for which an answer is good that does not say so, and the bounds for one that does (``max-age``).
USUAL_LIFE, SHORTEST_LIFE, LONGEST_LIFE = 600.0, 60.0, 86400.0
#: The part of its life after which a set is fetched again, while it is read on.
AHEAD = 0.8
#: Seconds past its life for which a set is believed if no other can be had. Then it is as if there were none.
STALE = 86400.0
#: Seconds after a fetch, good or bad, in which there is no other.
COOL_DOWN = 30.0
#: Seconds that a token with an unknown ``kid`` waits for a fetch that another reader began: who sends many such tokens
#: to an application whose issuer is slow must not hold all its threads. The one that began it waits to the end.
PATIENCE = 1.0
#: Unusable keys that are named in a message.
MAX_NAMED = 10

_T = TypeVar("_T")


class IssuerKeySet(NamedTuple):
    """What was read from the JWK Set of an issuer.

    :ivar ring: the keys that can be used
    :ivar unusable: the other keys, each with the reason
    :ivar malformed: those among them that are not valid JWKs
    """

    ring: KeyRing
    unusable: tuple[str, ...] = ()
    malformed: tuple[str, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Whether any token can be verified with these keys."""
        return bool(self.ring.algorithms)

    @property
    def reasons(self) -> str:
        """Why keys cannot be used, of bounded length."""
        named = "; ".join(self.unusable[:MAX_NAMED])
        more = len(self.unusable) - MAX_NAMED
        return (f"{named}; and {more} more" if more > 0 else named) or "the set is empty"


class IssuerKeys:
    """The keys that a foreign issuer signs with.

    May be used by many threads at once, and in the children of the process that made it.

    :param terms: where the keys are and which algorithms they are for; with ``keys`` nothing is ever fetched
    :param clock: seconds, from any beginning, that never go back
    :raises ConfigurationError: if the given keys cannot be used, or there is nothing to fetch with
    """

    def __init__(self, terms: TrustedIssuer, clock: Callable[[], float] = time.monotonic) -> None:
        self._terms = terms
        self._clock = clock
        self._known: _Answer[IssuerKeySet] | None = None
        self._metadata: _Answer[str] | None = None
        self._flight: _Fetch | None = None
        self._quiet_until = -math.inf
        self._reason = ""
        self._lock = Lock()
        if terms.keys is None:
            _require_client()
            _instances.add(self)
        else:
            self._known, self._quiet_until = _Answer("", self._given()), math.inf
        self._source = copy.deepcopy(_source_of(terms))

    def candidates(self, algorithm: str, kid: str | None = None) -> tuple[Key, ...]:
        """Return the keys that may have made a signature with this algorithm; none: there is no such key.

        A ``kid`` that the set does not have makes it be fetched again, once per :data:`COOL_DOWN`. A token without
        one may be verified where there is but one key.

        :raises IssuerUnavailableError: if no set is known, and none can be had
        """
        if algorithm not in self._terms.algorithms:
            return ()
        known = self._at_hand()
        found = known.content.ring.candidates(algorithm, kid)
        if found or kid is None:
            return found
        return self._refetch(known).content.ring.candidates(algorithm, kid)

    def current(self) -> IssuerKeySet:
        """Return the keys that are known, and fetch them first if there are none.

        :raises IssuerUnavailableError: if no set is known, and none can be had
        """
        return self._at_hand().content

    def are_for(self, terms: TrustedIssuer) -> bool:
        """Return whether an issuer with these settings has these keys: its other settings do not matter."""
        return self._source == _source_of(terms)

    def __repr__(self) -> str:
        return f"<IssuerKeys {without_credentials(self._terms.issuer)}>"

    def _at_hand(self) -> _Answer[IssuerKeySet]:
        known = self._usable()
        if known is None:
            return self._first()
        if self._clock() >= known.due:
            self._begin()
        return known

    def _usable(self) -> _Answer[IssuerKeySet] | None:
        known = self._known
        return None if known is None or self._clock() >= known.dead else known

    def _first(self) -> _Answer[IssuerKeySet]:
        flight, _ = self._begin()
        if flight is not None:
            flight.wait(TIMEOUT)
        known = self._usable()
        if known is None:
            raise IssuerUnavailableError(self._reason)
        return known

    def _refetch(self, known: _Answer[IssuerKeySet]) -> _Answer[IssuerKeySet]:
        flight, is_ours = self._begin()
        if flight is not None:
            flight.wait(TIMEOUT if is_ours else PATIENCE)
        return self._known or known

    def _begin(self) -> tuple[_Fetch | None, bool]:
        """Return the fetch that is under way, or begin one unless one has just ended; and whether it was begun here."""
        with self._lock:
            if self._flight is not None and self._flight.is_alive():  # in a child, no thread of its parent is
                return self._flight, False
            if self._clock() < self._quiet_until:
                return None, False
            self._reason = TimeoutError.__name__  # until the fetch says otherwise
            flight = _Fetch(self._fetch)
            try:
                flight.start()
            except RuntimeError as error:  # no thread is to be had
                self._end(error)
                return None, False
            self._flight = flight
            return flight, True

    def _fetch(self, flight: _Fetch) -> None:
        failure = None
        try:
            place = self._terms.jwks_uri or self._jwks_uri(flight)
            self._known = self._renewed(flight, place, self._known, self._read)
            self._report(self._known.content)
        except Exception as error:  # a server can provoke anything; whoever waits must hear of it
            failure = TimeoutError() if flight.late else error  # a cut looks like anything
            self._metadata = None  # the keys may have moved
        self._end(failure)

    def _end(self, failure: Exception | None) -> None:
        self._quiet_until = self._clock() + COOL_DOWN
        if failure is not None:
            self._reason = _reason(failure)
            logger.warning(
                "The keys of %s cannot be fetched: %s", without_credentials(self._terms.issuer), self._reason
            )

    def _report(self, found: IssuerKeySet) -> None:
        if not found.is_usable:
            logger.warning(
                "No key of %s can be used, so all its tokens are refused: %s",
                without_credentials(self._terms.issuer),
                found.reasons,
            )
        elif found.malformed:
            logger.warning(
                "A key of %s is malformed and ignored: %s", without_credentials(self._terms.issuer), found.reasons
            )
        elif found.unusable:
            logger.info("Some keys of %s are ignored: %s", without_credentials(self._terms.issuer), found.reasons)

    def _jwks_uri(self, flight: _Fetch) -> str:
        """Where the issuer says its keys are."""
        old = self._metadata
        if old is None or self._clock() >= old.due:
            old = self._metadata = self._renewed(flight, self._terms.discovery, old, self._place_in)
        return old.content

    def _place_in(self, metadata: Mapping[str, Any]) -> str:
        place = metadata.get("jwks_uri")
        if metadata.get("issuer") != self._terms.issuer:
            raise _RefusedError("the metadata are another issuer's")
        if not is_fetchable(place) or urlsplit(place).scheme not in ("https", urlsplit(self._terms.discovery).scheme):
            raise _RefusedError("the metadata name no https:// URL for the keys")
        return str(place)

    def _given(self) -> IssuerKeySet:
        try:
            found = self._read(self._terms.keys)
        except InvalidKeyError as error:
            raise self._unusable(error) from None
        if found.malformed:
            raise self._unusable(found.malformed[0])
        self._report(found)
        return found

    def check_given(self) -> None:
        """Refuse keys that are given and verify no token, when the application starts.

        :raises ConfigurationError: if none of them can be used
        """
        if self._terms.keys is not None and not self.current().is_usable:
            issuer, reasons = without_credentials(self._terms.issuer), self.current().reasons
            raise ConfigurationError(f"JWT_TRUSTED_ISSUERS: None of the keys of {issuer} can be used: {reasons}")

    def _unusable(self, reason: object) -> ConfigurationError:
        issuer = without_credentials(self._terms.issuer)
        return ConfigurationError(f"JWT_TRUSTED_ISSUERS: The keys of {issuer} cannot be used: {reason}")

    def _read(self, document: Any) -> IssuerKeySet:
        return _read_keys(document, self._terms.algorithms)

    def _renewed(
        self, flight: _Fetch, url: str | None, old: _Answer[_T] | None, read: Callable[[Any], _T]
    ) -> _Answer[_T]:
        """Ask for a document, or whether it is still the same."""
        asked = self._clock()
        old = old if old is not None and old.url == url else None
        status, headers, body = flight.get(url, old.etag if old else None)
        if status == 304 and old is not None and old.etag is not None:
            return replace(old, asked=asked, life=_life(headers) if "Cache-Control" in headers else old.life)
        if status != 200:
            raise _RefusedError(f"HTTP {status}")
        content = read(parse_object(_plain(body, headers.get("Content-Encoding", "")), "answer"))
        return _Answer(str(url), content, asked=asked, life=_life(headers), etag=headers.get("ETag"))


#: Those that may have a fetch under way when the process forks.
_instances: WeakSet[IssuerKeys] = WeakSet()


def _in_child() -> None:
    """Another thread may have held a lock when the process forked; in the child, nobody would let go of it."""
    for each in _instances:
        each._lock = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


@dataclass(frozen=True)
class _Answer(Generic[_T]):
    """A document, and for how long it is good: for ever, unless it was fetched."""

    url: str = field(repr=False)
    content: _T = field(repr=False)
    asked: float = 0.0
    life: float = math.inf
    etag: str | None = None

    @property
    def due(self) -> float:
        """When it is to be fetched again."""
        return self.asked + AHEAD * self.life

    @property
    def dead(self) -> float:
        """When it is believed no longer."""
        return self.asked + self.life + STALE


class _RefusedError(ValueError):
    """An answer that is not believed. The message holds nothing of it."""


class _Fetch(Thread):
    """A thread that fetches, and the one deadline that its requests share.

    A socket's timeout starts anew with every read, so a timer cuts the connection of a server that drips.

    :ivar late: whether the deadline has passed
    """

    def __init__(self, errand: Callable[[_Fetch], None]) -> None:
        super().__init__(name="jwt-issuer-keys", daemon=True)
        self._errand = errand
        self._ends = time.monotonic() + TIMEOUT
        self._timer = Timer(TIMEOUT, self._cut)
        self._timer.daemon = True
        self._socket: socket.socket | None = None
        self.late = False

    def start(self) -> None:
        self._timer.start()
        super().start()

    def run(self) -> None:
        try:
            self._errand(self)
        finally:
            self._timer.cancel()

    def wait(self, seconds: float) -> None:
        """Wait for the end of the fetch, but not past its deadline: looking up a name heeds none."""
        self.join(max(0.0, min(seconds, self._ends - time.monotonic())))

    def get(self, url: str | None, etag: str | None) -> tuple[int, Mapping[str, str], bytes]:
        """Return status, headers and body, as it was sent, of the answer. Redirects are not followed.

        :param etag: of the document that is known
        """
        if url is None or not is_fetchable(url):
            raise _RefusedError("there is no https:// URL to fetch from")
        parts = urlsplit(url)
        headers = {"Accept": "application/jwk-set+json, application/json"}
        headers.update({"If-None-Match": etag} if etag else {})
        with closing(_connection(parts.scheme, str(parts.hostname), parts.port)) as connection:
            connection.connect()
            self._socket = connection.sock  # the connection itself forgets it, once it is the last answer's
            self._check()
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", target, headers=headers, preload_content=False)
            with closing(connection.getresponse()) as response:
                body = _body(response)
        self._check()
        return response.status, response.headers, body

    def _check(self) -> None:
        # Also what came in time, if it was read later: behind a cut, TLS does not vouch for what is read.
        if self.late:
            raise TimeoutError

    def _cut(self) -> None:
        self.late = True
        if self._socket is not None:
            with suppress(OSError):  # closed meanwhile. Not the method of a TLS socket, which is for its own thread
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _require_client() -> None:
    try:
        import urllib3  # noqa: F401
    except ImportError:
        raise ConfigurationError(
            "Fetching the keys of an issuer takes urllib3: pip install 'flask-jwt-extended[issuers]'"
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


def _plain(body: bytes, encoding: str) -> bytes:
    """Undo compression. We ask for none; some servers do it all the same."""
    if encoding.lower() in ("", "identity"):
        return body
    if encoding.lower() != "gzip":
        raise _RefusedError("the answer is encoded in a way nobody asked for")
    plain = zlib.decompressobj(wbits=31).decompress(body, MAX_BYTES + 1)
    if len(plain) > MAX_BYTES:
        raise _RefusedError(f"the answer is longer than {MAX_BYTES} bytes")
    return plain


def _life(headers: Mapping[str, str]) -> float:
    """Seconds for which an answer is good (RFC 9111, section 4.2), within our bounds."""
    directives = headers.get("Cache-Control", "").lower()
    if "no-store" in directives or "no-cache" in directives:
        return SHORTEST_LIFE
    said = re.search(r'(?:^|[\s,])max-age="?([0-9]+)', directives)
    age = re.fullmatch(r"[0-9]{1,9}", headers.get("Age", ""))
    life = float(said[1]) - float(age[0] if age else 0) if said else USUAL_LIFE
    return min(max(life, SHORTEST_LIFE), LONGEST_LIFE)


def _source_of(terms: TrustedIssuer) -> tuple[Any, ...]:
    """The settings of an issuer that its keys depend on."""
    return terms.issuer, terms.jwks_uri, terms.discovery, terms.keys, terms.algorithms


def _read_keys(document: Any, algorithms: Sequence[str]) -> IssuerKeySet:
    """Read a JWK Set that is not ours: it may hold keys of kinds and members of names that we do not know.

    :raises InvalidKeyError: if it holds a secret, too many keys, or anything that :func:`read_set` refuses
    """
    if isinstance(document, (str, bytes)):
        raise InvalidKeyError("The JWK Set is text: parse it with json.loads")
    listed = document.get("keys") if isinstance(document, Mapping) else document
    if (
        not isinstance(listed, (list, tuple))
        or len(listed) > MAX_KEYS
        or not all(isinstance(each, Mapping) for each in listed)
    ):
        raise InvalidKeyError(f'This is not a JWK Set, {{"keys": [...]}}, of at most {MAX_KEYS} keys')
    if any(jwk.get("kty") == "oct" for jwk in listed):
        raise InvalidKeyError("A JWK Set of an issuer must not hold secrets")
    # "state" and "until" mean something in our own sets alone.
    bare = [{name: jwk[name] for name in jwk if name not in ("state", "until")} for jwk in listed]
    unusable: list[str] = []
    malformed: list[str] = []

    def note(jwk: Mapping[str, Any], error: InvalidKeyError) -> None:
        reason = f"key {brief(jwk.get('kid'))}: {error}"
        unusable.append(reason)
        if not isinstance(error, (UnsupportedKeyError, WeakKeyError)):
            malformed.append(reason)

    keys = read_set(bare, algorithms, on_unusable=note)
    if malformed and not keys:
        raise InvalidKeyError(malformed[0])
    ring = KeyRing((), ((each.kid, each.key) for each in keys))
    return IssuerKeySet(ring, tuple(unusable), tuple(malformed))


def _reason(error: Exception) -> str:
    """What to say of an error: never an address, and little of what a server wrote."""
    if isinstance(error, (_RefusedError, InvalidKeyError, DecodeError)):
        return ascii(str(error)[:120])[1:-1]
    return type(error).__name__
