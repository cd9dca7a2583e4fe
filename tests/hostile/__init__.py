"""What the tests of hostile requests share.

Every request goes through a real application in one of the profiles, and three things are checked: the status, the
stable code in the signal, and whether a view ran.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from flask import Flask, request
from hypothesis import HealthCheck, settings
from werkzeug.test import TestResponse

from flask_jwt_extended import JWTManager, jwt_required
from flask_jwt_extended.signals import token_refused

from ..axes import LOCATIONS, PROFILES
from ..conftest import IN_CI, SECRET
from ..tokens import claims

#: The status of each stable code: in compat, in strict.
STATUS = {
    "missing_token": (401, 401),
    "csrf": (401, 400),
    "malformed_header": (422, 400),
    "malformed_query": (422, 400),
    "multiple_tokens": (422, 400),
    "malformed_token": (422, 401),
    "invalid_token": (422, 401),
    "invalid_signature": (422, 401),
    "wrong_algorithm": (422, 401),
    "malformed_claim": (422, 401),
    "missing_claim": (422, 401),
    "not_yet_valid": (422, 401),
    "wrong_audience": (422, 401),
    "wrong_issuer": (422, 401),
    "wrong_token_type": (422, 401),
    "expired_token": (401, 401),
    "fresh_token_required": (401, 401),
}
#: The error code of RFC 6750 for a status; a 401 without a token has no code.
ERRORS = {400: "invalid_request", 401: "invalid_token"}


def examples(number: int, **options: Any) -> Callable[[Any], Any]:
    """Try this number of examples in CI and half of them elsewhere, without a time limit."""
    count, fixtures = number if IN_CI else number // 2, HealthCheck.function_scoped_fixture
    return settings(max_examples=count, deadline=None, suppress_health_check=[fixtures], **options)


# --- tokens ----------------------------------------------------------------------------------------------------------


def claims_json(**literals: str) -> bytes:
    """The claims of a valid token as JSON, some of them written as given."""
    written = {name: json.dumps(value) for name, value in claims().items()} | literals
    return ("{" + ",".join(f'"{name}":{value}' for name, value in written.items()) + "}").encode()


# --- applications ----------------------------------------------------------------------------------------------------


@dataclass
class Target:
    """An application under attack. Its views record that they ran."""

    app: Flask
    profile: str
    manager: JWTManager
    ran: list[str]

    def cookie(self, kind: str = "access") -> str:
        """The name of a cookie."""
        return str(self.app.config[f"JWT_{kind.upper()}_COOKIE_NAME"])


#: Every method an attacker may think of, safe or not.
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "REPORT", "PROPFIND", "MKCOL", "LOCK", "QUERY", "X-NEW"]


def make_target(profile: str, **options: Any) -> Target:
    """Make an application of this profile that looks for tokens in every location."""
    app = Flask("app", static_folder=None)
    app.config["PROPAGATE_EXCEPTIONS"] = False  # as in production: an unhandled exception is a 500
    app.config["JWT_SECRET_KEY"] = SECRET
    app.config["JWT_TOKEN_LOCATION"] = list(LOCATIONS)
    app.config["JWT_PROFILE"] = profile
    app.config.update({f"JWT_{name}": value for name, value in options.items()})
    target = Target(app, profile, JWTManager(app), [])

    def view() -> str:
        target.ran.append(request.path)
        return "ran"

    requirements: dict[str, dict[str, Any]] = {
        "access": {},
        "refresh": {"refresh": True},
        "fresh": {"fresh": True},
        "optional": {"optional": True},
    }
    for name, required in requirements.items():
        app.add_url_rule(f"/{name}", name, jwt_required(**required)(view), methods=METHODS)
    return target


@cache
def target_of(profile: str, **options: Any) -> Target:
    """Like :func:`make_target`, but made once. Tests must not change it."""
    return make_target(profile, **options)


# --- attacks and verdicts --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """The outcome of a request."""

    profile: str
    method: str
    status: int
    codes: tuple[str, ...]
    ran: bool
    response: TestResponse

    @property
    def accepted(self) -> bool:
        """Whether a view ran and nothing was refused."""
        return self.ran and self.status == 200 and not self.codes


def attack(target: Target, path: str = "/access", **sent: Any) -> Verdict:
    """Send a request as it is, and return the outcome."""
    codes: list[str] = []

    def note(_app: Flask, code: str, **_rest: Any) -> None:
        codes.append(code)

    target.ran.clear()
    with token_refused.connected_to(note, sender=target.app):
        response = target.app.test_client(use_cookies=False).open(path, **sent)
    method = response.request.method
    return Verdict(target.profile, method, response.status_code, tuple(codes), bool(target.ran), response)


def carrying(target: Target, token: Any, location: str = "headers", kind: str = "access") -> dict[str, Any]:
    """The arguments of a request with a token in this location."""
    if location == "json":
        return {"json": {f"{kind}_token": token}}
    if location == "query_string":
        return {"query_string": {"jwt": token}}
    value = f"{target.cookie(kind)}={token}" if location == "cookies" else f"Bearer {token}"
    return {"headers": {"Cookie" if location == "cookies" else "Authorization": value}}


def present(target: Target, token: Any, location: str = "headers", path: str = "/access") -> Verdict:
    """Send a token in a location."""
    kind = "refresh" if path == "/refresh" else "access"
    return attack(target, path, **carrying(target, token, location, kind))


def code_in(profile: str, code: str | Mapping[str, str]) -> str:
    """A code that is the same in both profiles, or that of one of them."""
    return code if isinstance(code, str) else code[profile]


def assert_refused(verdict: Verdict, code: str | Mapping[str, str]) -> None:
    """No view ran, the refusal was signalled once with this code, and the answer is the one of the profile."""
    expected = code_in(verdict.profile, code)
    assert verdict.codes == (expected,), (verdict.status, verdict.codes, verdict.response.get_data(as_text=True))
    assert not verdict.ran
    assert verdict.status == STATUS[expected][PROFILES.index(verdict.profile)]
    challenge = verdict.response.headers.get("WWW-Authenticate", "")
    assert challenge.startswith("Bearer") == (verdict.status == 401 or verdict.profile == "strict")
    if verdict.profile == "strict":
        body = verdict.response.get_json()
        assert body is not None or verdict.method == "HEAD"
        allowed = set() if expected == "missing_token" else {ERRORS[verdict.status]}
        if expected != "fresh_token_required":
            assert {(body or {}).get("error")} - {None} <= allowed


def assert_accepted(verdict: Verdict) -> None:
    """The view ran."""
    assert verdict.accepted, (verdict.status, verdict.codes, verdict.response.get_data(as_text=True))
