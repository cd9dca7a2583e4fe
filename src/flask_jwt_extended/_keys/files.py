"""The sources of JWT_KEYS: a JWK Set in the configuration or in a file. Files are replaced as a whole, under a lock."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from jwt.exceptions import InvalidKeyError

from .._jose import jwk_set as jwks
from .._jose.jwk import ALGORITHMS
from .._jose.jwk_set import JWK
from ..exceptions import ConfigurationError

#: Bytes of the largest file that is read.
MAX_BYTES = 8 * 1024 * 1024
#: Seconds for which a command waits for another one that changes the same file.
LOCK_TIMEOUT = 10.0


class Source:
    """A JWK Set in the configuration, or in a file if it is given as a path."""

    def __init__(self, keys: Path | Any) -> None:
        self._keys = keys

    def stamp(self) -> object:
        """Return a value that changes when the file does; ``None``: there is no file."""
        if not isinstance(self._keys, Path):
            return True  # a change of the configuration makes a new source
        try:
            status = self._keys.stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns

    def read(self, algorithms: Sequence[str] = ALGORITHMS) -> list[JWK]:
        """Read the keys. A key without ``alg`` is bound to the first of the algorithms that fits."""
        return jwks.read_set(load(self._keys) if isinstance(self._keys, Path) else self._keys, algorithms)


def source_of(keys: Any) -> Source:
    """Return the source of JWT_KEYS: a JWK Set, or the path of one."""
    if isinstance(keys, (Mapping, list)):
        return Source(keys)
    if not isinstance(keys, (str, os.PathLike)):
        raise ConfigurationError(f"JWT_KEYS must be a JWK Set, or the path of one, not a {type(keys).__name__}")
    if isinstance(keys, str) and keys.lstrip().startswith(("{", "[", "-----")):
        # Not treated as a path: a message about a missing file would show it.
        raise ConfigurationError(
            "JWT_KEYS is the text of a key or of a JWK Set: parse a JWK Set with json.loads, or name the file"
        )
    path = Path(keys)
    if os.path.isdir(path):  # Path.is_dir raises for a name that is too long
        raise ConfigurationError(
            f"JWT_KEYS is a folder, {path}: name a JWK Set file in it, for example {path / 'keys.json'}, and add each "
            "PEM file to it: flask jwt keys import FILE --state active, next or retiring"
        )
    return Source(path)


def load(path: Path) -> Any:
    """Read a JWK Set. Duplicate members are refused (RFC 7517, section 4)."""
    with path.open("rb") as file:
        octets = file.read(MAX_BYTES)  # a truncated JSON object is not valid
    try:
        return json.loads(octets, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise InvalidKeyError(f"{path} does not contain a JWK Set") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise InvalidKeyError("A JWK Set has the same member twice")
    return members


def from_pem(octets: bytes, passphrase: str | None = None) -> dict[str, Any]:
    """Read PEM as a JWK. Of a certificate, only the key is read: its issuer and its dates are not checked."""
    try:
        key = _key_in(octets, passphrase.encode() if passphrase is not None else None)
    except Exception as error:  # cryptography raises many types
        hint = ", or the passphrase is wrong" if is_encrypted(octets) else ""
        raise InvalidKeyError(f"The PEM does not contain a usable key{hint} ({type(error).__name__})") from None
    return jwks.to_jwk(jwks.usual_algorithm_of(key), key)


def is_encrypted(octets: bytes) -> bool:
    """Return whether PEM is encrypted with a passphrase."""
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
    """Replace a file as a whole by one with the same owner, who alone may read it (mode 0600)."""
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
    """Lock a file with another one beside it, which only its owner may open. Without POSIX locks, do nothing."""
    try:
        import fcntl
    except ImportError:  # Windows: do not run two of the commands at the same time there
        yield
        return
    lock = path.with_name(f".{path.name}.lock")  # not the file itself, which is replaced
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
