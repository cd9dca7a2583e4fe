"""JWK Sets on disk: read them, notice that they have changed, and replace them so that no reader sees half a file.

Owns files only: what a set means is the business of :mod:`.core.jwks`.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from jwt.exceptions import InvalidKeyError

from .._jose import jwk_set as jwks
from .._jose.jwk import ALGORITHMS
from .._jose.jwk_set import JWK
from ..exceptions import ConfigurationError

#: Bytes above which a file is no key set.
MAX_BYTES = 8 * 1024 * 1024
#: Seconds that a command waits for another one that changes the same file.
LOCK_TIMEOUT = 10.0


class Source(Protocol):
    """Where the keys of JWT_KEYS come from."""

    def stamp(self) -> object:
        """Return a value that compares unequal once the keys have changed. Cheap."""
        ...

    def read(self, algorithms: Sequence[str] = ALGORITHMS) -> list[JWK]:
        """Read the keys.

        :param algorithms: a key without ``alg`` is bound to the first of them that fits
        :raises InvalidKeyError: if it is not a valid JWK Set
        :raises OSError: if it cannot be read
        """
        ...


def source_of(keys: Any) -> Source:
    """Return the source that JWT_KEYS names: a JWK Set, or the path of one.

    :raises ConfigurationError: if it is neither
    """
    if isinstance(keys, (Mapping, list)):
        return Document(keys)
    if not isinstance(keys, (str, os.PathLike)):
        raise ConfigurationError(f"JWT_KEYS must be a JWK Set, or the path of one, not a {type(keys).__name__}")
    if isinstance(keys, str) and keys.lstrip().startswith(("{", "[", "-----")):  # not to be shown as a missing file
        raise ConfigurationError(
            "JWT_KEYS is the text of a key or of a JWK Set: parse a JWK Set with json.loads, or name the file"
        )
    path = Path(keys)
    if os.path.isdir(path):  # Path.is_dir raises for a name that is too long
        raise ConfigurationError(
            f"JWT_KEYS is a folder, {path}: name a JWK Set file in it, for example {path / 'keys.json'}, and add each "
            "PEM file to it: flask jwt keys import FILE --state active, next or retiring"
        )
    return File(path)


class Document:
    """A JWK Set in the configuration: it changes with that."""

    def __init__(self, document: Any) -> None:
        self._document = document

    def stamp(self) -> object:
        """It stays as it is."""
        return True

    def read(self, algorithms: Sequence[str] = ALGORITHMS) -> list[JWK]:
        """Read the keys."""
        return jwks.read_set(self._document, algorithms)


class File:
    """A JWK Set in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def stamp(self) -> object:
        """Identity, size and time of the file."""
        return _stamp(self._path)

    def read(self, algorithms: Sequence[str] = ALGORITHMS) -> list[JWK]:
        """Read the keys."""
        return jwks.read_set(load(self._path), algorithms)


def _stamp(path: Path) -> object:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def load(path: Path) -> Any:
    """Read a JWK Set. A member that is there twice is refused (RFC 7517, section 4).

    :raises InvalidKeyError: if the file does not contain JSON
    :raises OSError: if it cannot be read
    """
    with path.open("rb") as file:
        octets = file.read(MAX_BYTES + 1)
    try:
        return json.loads(octets[:MAX_BYTES], object_pairs_hook=_unique)  # cut off, it is not JSON any more
    except (ValueError, RecursionError):
        raise InvalidKeyError(f"{path} does not contain a JWK Set") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise InvalidKeyError("A member of a JWK Set is there twice")
    return members


def from_pem(octets: bytes, passphrase: str | None = None) -> dict[str, Any]:
    """Read PEM as a JWK. Of a certificate, only the key is read: who issued it, and when it expires, is not checked.

    :raises InvalidKeyError: if it does not contain a usable key, or the passphrase is wrong or missing
    """
    try:
        key = _key_in(octets, passphrase.encode() if passphrase is not None else None)
    except Exception as error:  # cryptography raises all sorts
        hint = ", or the passphrase is wrong" if is_encrypted(octets) else ""
        raise InvalidKeyError(f"The PEM does not contain a usable key{hint} ({type(error).__name__})") from None
    return jwks.to_jwk(jwks.usual_algorithm_of(key), key)


def is_encrypted(octets: bytes) -> bool:
    """Whether PEM has to be decrypted with a passphrase."""
    return b"ENCRYPTED" in octets


def _key_in(octets: bytes, passphrase: bytes | None) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
    from cryptography.x509 import load_pem_x509_certificate

    if b"PRIVATE KEY" in octets:
        return load_pem_private_key(octets, passphrase if is_encrypted(octets) else None)
    if b"BEGIN CERTIFICATE" in octets:
        return load_pem_x509_certificate(octets).public_key()
    return load_pem_public_key(octets)


def write_private(path: Path, octets: bytes) -> None:
    """Write a file that only its owner may read (mode 0600), and replace the old one as a whole. Its owner stays: an
    administrator may run the command, and another user the application.

    :raises OSError: if it cannot be written; the old one stays as it was
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:  # mkstemp has made it with mode 0600
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        _keep_owner(temporary, path)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _keep_owner(temporary: str, path: Path) -> None:
    if os.name != "posix" or not path.exists():
        return
    owner = path.stat()
    if owner.st_uid != os.geteuid():
        os.chown(temporary, owner.st_uid, owner.st_gid)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes from changing a file meanwhile, where the system has locks for that (POSIX). They meet at a
    file beside it, which only its owner may open (mode 0600).

    :raises ConfigurationError: if another process keeps the lock for :data:`LOCK_TIMEOUT` seconds
    :raises OSError: if the folder cannot be written to
    """
    try:
        import fcntl
    except ImportError:  # Windows has no such locks: do not run two of the commands at the same time there
        yield
        return
    lock = path.with_name(f".{path.name}.lock")  # the file itself is replaced under the lock
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.fchmod(descriptor, 0o600)  # an earlier version made it with the usual mode
        _acquire(partial(fcntl.flock, descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB), lock)
        yield
    finally:
        os.close(descriptor)


def _acquire(acquire: Callable[[], None], lock: Path) -> None:
    ends = time.monotonic() + LOCK_TIMEOUT
    while True:
        try:
            return acquire()
        except BlockingIOError:
            if time.monotonic() > ends:
                raise ConfigurationError(
                    f"Another process has kept {lock} locked for {LOCK_TIMEOUT:.0f} seconds. Let the other flask jwt "
                    "keys command finish, or end it, and try again; do not delete the file"
                ) from None
            time.sleep(0.05)
