"""The digest of the signing key, by which ``flask jwt check`` compares two processes."""

from __future__ import annotations

from typing import Any

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from flask_jwt_extended._context import get_state
from flask_jwt_extended._diagnostics.key_digest import key_digest
from flask_jwt_extended.exceptions import ConfigurationError

from ..conftest import PRIVATE_KEYS, SECRET, MakeApp, pem
from .test_application import RSA_KEYS, RSA_PRIVATE


def _jwk(key: rsa.RSAPrivateKey) -> dict[str, Any]:
    return dict(RSAAlgorithm.to_jwk(key, as_dict=True))


_OTHER_RSA = rsa.generate_private_key(65537, 2048)


@pytest.mark.parametrize(
    ("key", "same", "other"),
    [
        (SECRET, SECRET.encode(), SECRET + "!"),
        (RSA_PRIVATE, RSA_PRIVATE.encode(), pem(_OTHER_RSA)[0]),
        (_jwk(PRIVATE_KEYS["RS256"]), dict(reversed(_jwk(PRIVATE_KEYS["RS256"]).items())), _jwk(_OTHER_RSA)),
        (PRIVATE_KEYS["RS256"], pyjwt.PyJWK(_jwk(PRIVATE_KEYS["RS256"])), _OTHER_RSA),
    ],
    ids=["secret", "PEM", "JWK", "object"],
)
def test_a_digest_identifies_a_key(make_app: MakeApp, key: Any, same: Any, other: Any) -> None:
    """Equal for the same key and salt, different otherwise."""

    def digest(material: Any, salt: bytes = b"salt") -> str:
        options = {"SECRET_KEY": material} if key is SECRET else {**RSA_KEYS, "PRIVATE_KEY": material}
        return key_digest(get_state(make_app(**options)), salt)

    assert digest(key) == digest(same)
    assert digest(key) != digest(other)
    assert digest(key) != digest(key, b"pepper")


def test_a_key_that_cannot_be_compared_is_an_error(make_app: MakeApp) -> None:
    """An object of unknown type, no key, and a loader each have an error."""
    for options in ({"SECRET_KEY": object()}, {"SECRET_KEY": None}):
        with pytest.raises(ConfigurationError):
            key_digest(get_state(make_app(**options)), b"salt")
    app = make_app()
    app.extensions["flask-jwt-extended"].encode_key_loader(lambda _identity: SECRET)
    with pytest.raises(ConfigurationError, match="encode_key_loader"):
        key_digest(get_state(app), b"salt")
