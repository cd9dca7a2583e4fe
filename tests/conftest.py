"""What the tests share: an application factory with protected views, and keys that are made once.

Tests are marked ``server``, ``browser`` or ``slow`` (pyproject.toml); ``make test`` runs those that are not. In CI (if
the variable CI is set) all run, and a skipped test is a failure.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from flask import Flask
from hypothesis import settings

from flask_jwt_extended import JWTManager, get_jwt, get_jwt_identity, jwt_required

from . import servers
from .engines import (  # noqa: F401  # fixtures, for every folder
    contract_mariadb,
    contract_postgres,
    contract_redis,
    mariadb_uri,
    memory_uri,
    postgres_uri,
    redis_uri,
    sqlite_uri,
    store,
)

# A slow machine is not an error.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

#: When the tests started, the same in all processes of pytest-xdist: parameters must not differ between them.
STARTED = int(os.environ.setdefault("TESTS_STARTED", str(int(time.time()))))

IN_CI = bool(os.environ.get("CI"))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skip the browser tests if they are not selected and Playwright is not installed."""
    is_wanted = "not browser" not in str(config.getoption("markexpr"))
    return True if collection_path.name == "browser" and not is_wanted and find_spec("playwright") is None else None


#: Fixtures that start a server.
_SERVERS = {"contract_postgres", "contract_mariadb", "contract_redis", "postgres", "mariadb", "database"}


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the tests that need a server."""
    if _SERVERS.intersection(getattr(item, "fixturenames", ())):
        item.add_marker(pytest.mark.server)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let only tests that are marked ``server`` start one."""
    servers.unmarked_test = None if item.get_closest_marker("server") else item.nodeid


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail in CI if a test was skipped."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if IN_CI and reporter is not None and reporter.stats.get("skipped") and session.exitstatus == pytest.ExitCode.OK:
        reporter.write_line("\nA skipped test is a failure in CI", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


SECRET = "a secret for the tests, long enough for every HMAC: 64 bytes or more"

MakeApp = Callable[..., Flask]


@pytest.fixture
def make_app() -> MakeApp:
    """Make an application with the given ``JWT_*`` options (without their prefix) and a view for each requirement.

    ``/access``, ``/refresh``, ``/fresh``, ``/optional`` and ``/any`` answer every method with identity and claims.
    """

    def make(**options: Any) -> Flask:
        app = Flask("app")
        app.config["JWT_SECRET_KEY"] = SECRET
        app.config.update({f"JWT_{name}": value for name, value in options.items()})
        JWTManager(app)
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "REPORT"]
        requirements: dict[str, dict[str, Any]] = {
            "access": {},
            "refresh": {"refresh": True},
            "fresh": {"fresh": True},
            "optional": {"optional": True},
            "any": {"verify_type": False},
        }
        for name, required in requirements.items():
            app.add_url_rule(f"/{name}", name, jwt_required(**required)(_whoami), methods=methods)
        return app

    return make


def _whoami() -> dict[str, Any]:
    return {"identity": get_jwt_identity(), "claims": get_jwt()}


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """The application with default options."""
    return make_app()


def bearer(token: str) -> dict[str, str]:
    """The Authorization header with a token."""
    return {"Authorization": f"Bearer {token}"}


def pem(key: Any) -> tuple[str, str]:
    """The private and the public half of a key as PEM text."""
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


_RSA = rsa.generate_private_key(65537, 2048)
#: A private key for every asymmetric algorithm, by its JWS name.
PRIVATE_KEYS: dict[str, Any] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), _RSA),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
    "ES256K": ec.generate_private_key(ec.SECP256K1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
ED448 = ed448.Ed448PrivateKey.generate()
SYMMETRIC = ("HS256", "HS384", "HS512")
