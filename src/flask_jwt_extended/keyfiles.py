"""Key sets on disk: read a JWK Set or a folder of PEM files, notice that they changed, write them so that nobody sees
half of one.

Owns files alone: what a set means is :mod:`.core.jwks`'s business.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from jwt.exceptions import InvalidKeyError

from .core import jwks
from .core.jwks import SetKey
from .exceptions import ConfigurationError

#: Bytes above which a file is no key set.
MAX_BYTES = 8 * 1024 * 1024


class Source(Protocol):
    """Where the keys of JWT_KEYS come from."""

    def stamp(self) -> object:
        """Something that is not equal any more once the keys have changed. Cheap."""
        ...

    def read(self) -> list[SetKey]:
        """Read the keys.

        :raises InvalidKeyError: if they are none
        :raises OSError: if they cannot be read
        """
        ...


def source_of(keys: Any, passphrase: str | bytes | None = None) -> Source:
    """Return the source that JWT_KEYS names: a JWK Set, the path of one, or of a folder of PEM files.

    :raises ConfigurationError: if it is none of them
    """
    if isinstance(keys, (Mapping, list)):
        return Document(keys)
    if isinstance(keys, (str, os.PathLike)):
        path = Path(keys)
        return Folder(path, passphrase) if path.is_dir() else File(path)
    raise ConfigurationError(
        f"JWT_KEYS must be a JWK Set, or the path of one or of a folder of PEM files, not a {type(keys).__name__}"
    )


class Document:
    """A JWK Set in the configuration: it changes with that."""

    def __init__(self, document: Any) -> None:
        self._document = document

    def stamp(self) -> object:
        """It stays as it is."""
        return True

    def read(self) -> list[SetKey]:
        """Read the keys."""
        return jwks.read_set(self._document)


class File:
    """A JWK Set in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def stamp(self) -> object:
        """Identity, size and time of the file."""
        return _stamp(self._path)

    def read(self) -> list[SetKey]:
        """Read the keys."""
        return jwks.read_set(load(self._path))


class Folder:
    """A folder of PEM files, one key in each: ``NAME.pem``, ``NAME.next.pem``, or ``NAME.until-2027-01-31.pem``."""

    def __init__(self, path: Path, passphrase: str | bytes | None) -> None:
        self._path = path
        self._passphrase = passphrase

    def stamp(self) -> object:
        """Names, identities, sizes and times of the files."""
        return tuple((path.name, _stamp(path)) for path in self._files())

    def read(self) -> list[SetKey]:
        """Read the keys, in the order of their files' names."""
        return jwks.read_set([from_pem(path, self._passphrase) for path in self._files()])

    def _files(self) -> list[Path]:
        return sorted(self._path.glob("*.pem"))


def _stamp(path: Path) -> object:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def load(path: Path) -> Any:
    """Read a JWK Set.

    :raises InvalidKeyError: if the file holds no JSON
    :raises OSError: if it cannot be read
    """
    with path.open("rb") as file:
        octets = file.read(MAX_BYTES + 1)
    try:
        return json.loads(octets[:MAX_BYTES])  # what is longer is no JSON any more
    except (ValueError, RecursionError):
        raise InvalidKeyError(f"{path} holds no JWK Set") from None


def from_pem(path: Path, passphrase: str | bytes | None) -> dict[str, Any]:
    """Read a PEM file as a JWK; the state and the end of its key are in its name. Of a certificate, the key is read:
    who vouches for it, and until when, is not looked at.

    :raises InvalidKeyError: if it holds no key, or the passphrase is wrong or missing
    :raises OSError: if it cannot be read
    """
    octets = path.read_bytes()
    try:
        key = _key_in(octets, passphrase.encode() if isinstance(passphrase, str) else passphrase)
    except Exception as error:  # cryptography raises all sorts
        hint = ": JWT_KEYS_PASSPHRASE is missing or wrong" if b"ENCRYPTED" in octets else ""
        raise InvalidKeyError(f"{path.name} holds no key that can be used{hint} ({type(error).__name__})") from None
    jwk = jwks.to_jwk(jwks.usual_algorithm_of(key), key)
    _, _, life = path.name.removesuffix(".pem").partition(".")
    if life == "next":
        return {**jwk, "state": "next"}
    if life.startswith("until-"):
        return {**jwk, "state": "retiring", "until": life.removeprefix("until-")}
    return jwk


def _key_in(octets: bytes, passphrase: bytes | None) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
    from cryptography.x509 import load_pem_x509_certificate

    if b"PRIVATE KEY" in octets:
        return load_pem_private_key(octets, passphrase if b"ENCRYPTED" in octets else None)
    if b"BEGIN CERTIFICATE" in octets:
        return load_pem_x509_certificate(octets).public_key()
    return load_pem_public_key(octets)


def write_private(path: Path, octets: bytes) -> None:
    """Write a file that only its owner may read (mode 0600), at once and as a whole: nobody sees half of it.

    :raises OSError: if it cannot be written; the old one stays as it was
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:  # mkstemp has made it with mode 0600
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes from changing a file meanwhile, where the system has locks for that (POSIX).

    :raises OSError: if its folder cannot be written to
    """
    try:
        import fcntl
    except ImportError:  # Windows: who runs two commands at once there has to look at the outcome
        yield
        return
    with path.with_name(f".{path.name}.lock").open("ab") as file:  # the file itself is replaced under the lock
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
