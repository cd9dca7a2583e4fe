"""What ``flask jwt inspect`` finds in a token: the same as a request, check by check."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest.mock import patch

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask, request

from flask_jwt_extended import (
    create_access_token,
    create_refresh_token,
    decode_token,
    end_session,
    jwt_required,
    refresh_session,
    revoke_token,
    start_session,
)
from flask_jwt_extended._context import get_state
from flask_jwt_extended._diagnostics.token import Inspection, Verdict, inspect_token
from flask_jwt_extended.exceptions import StoreUnavailableError
from flask_jwt_extended.stores.base import SessionStore, Status
from flask_jwt_extended.stores.memory import MemoryStore

from ..axes import rotated
from ..conftest import SECRET, MakeApp, bearer
from ..tokens import claims, genuine
from .test_application import RSA_KEYS, set_later

NOW = 1_700_000_000


def claims_at_now(**changes: Any) -> dict[str, Any]:
    """Good claims at NOW, with changes; ``...`` leaves a claim out."""
    return claims(**{"iat": NOW - 60, "nbf": NOW - 60, "exp": NOW + 840} | changes)


def inspect(app: Flask, token: str, now: float = NOW) -> Inspection:
    with app.app_context():
        return inspect_token(token, get_state(app), now)


def verdict(inspection: Inspection, name: str) -> Verdict:
    return next(verdict for verdict in inspection.verdicts if verdict.name == name)


def failures(inspection: Inspection) -> set[str]:
    return {verdict.name for verdict in inspection.verdicts if verdict.passed is False}


def test_a_good_token_passes_every_check(app: Flask) -> None:
    """Header, claims, and a verdict on each check."""
    inspection = inspect(app, genuine(claims_at_now()))
    assert inspection.accepted
    assert inspection.header == {"alg": "HS256", "typ": "JWT"}
    assert inspection.claims == claims_at_now()
    names = [verdict.name for verdict in inspection.verdicts]
    assert names[:5] == ["form", "header", "algorithm", "signature", "payload"]
    assert {"exp", "nbf", "iat", "iss", "aud", "sub", "jti", "required claims", "type"} < set(names)
    assert verdict(inspection, "exp").why == "valid for 14 minutes"


@pytest.mark.parametrize(
    ("token", "failed"),
    [
        ("", {"form"}),
        ("a.b", {"form"}),
        ("a.b.c.d.e", {"form"}),
        ("é.é.é", {"form"}),
        ("\x1b[31m.\ud800.x", {"form"}),
        ("e30.e30.x", {"form"}),
        ("A" * 20_000, {"form"}),
        (genuine(claims_at_now()) + "=", {"form"}),
        (genuine(claims_at_now(), header=[1]), {"header"}),
        (genuine(claims_at_now(), header=b"{"), {"header"}),
        (genuine(claims_at_now(), header={"alg": "HS256", "crit": ["x"]}), {"header"}),
        (genuine(claims_at_now(), header={}), {"algorithm"}),
        (genuine(claims_at_now(), header={"alg": "none"}), {"algorithm"}),
        (genuine(claims_at_now(), header={"alg": ["HS256"]}), {"algorithm"}),
        (genuine(claims_at_now(), header={"alg": "HS256", "typ": "dpop+jwt"}), {"algorithm"}),
        (genuine(claims_at_now(), secret="another"), {"signature"}),
        (genuine(b"[]"), {"payload"}),
        (genuine(b'{"sub": NaN}'), {"payload"}),
        (genuine(b"[" * 5000), {"payload"}),
        (genuine(b'{"exp": ' + b"9" * 5000 + b"}"), {"payload"}),
        (genuine(claims_at_now(exp=NOW)), {"exp"}),
        (genuine(claims_at_now(exp="soon")), {"exp"}),
        (genuine(claims_at_now(exp=True)), {"exp"}),
        (genuine(claims_at_now(exp=-(10**400))), {"exp"}),
        (genuine(claims_at_now(nbf=NOW + 5)), {"nbf"}),
        (genuine(claims_at_now(nbf=10**400)), {"nbf"}),
        (genuine(claims_at_now(iat=NOW + 5)), {"iat"}),
        (genuine(claims_at_now(iat=None)), {"iat"}),
        (genuine(claims_at_now(sub=7)), {"sub"}),
        (genuine(claims_at_now(jti=[])), {"jti"}),
        (genuine(claims_at_now(sub=...)), {"required claims"}),
        (genuine(claims_at_now(type="password_reset")), {"type"}),
        (genuine(claims_at_now(type={})), {"type"}),
        (genuine(claims_at_now(exp=NOW - 1, nbf=NOW + 1, sub=1), secret="another"), {"signature", "exp", "nbf", "sub"}),
    ],
)
def test_what_fails_is_named(app: Flask, token: str, failed: set[str]) -> None:
    """Each check runs on its own: one failure does not hide the next, and none ends in a traceback."""
    inspection = inspect(app, token)
    assert failures(inspection) == failed
    assert not inspection.accepted


@pytest.mark.parametrize(
    ("options", "claims", "failed"),
    [
        ({"DECODE_ISSUER": "us"}, {"iss": "us"}, set()),
        ({"DECODE_ISSUER": "us"}, {"iss": "them"}, {"iss"}),
        ({"DECODE_ISSUER": "us"}, {}, {"iss"}),
        ({"DECODE_AUDIENCE": "us"}, {"aud": ["them", "us"]}, set()),
        ({"DECODE_AUDIENCE": "us"}, {"aud": "them"}, {"aud"}),
        ({"DECODE_AUDIENCE": "us"}, {}, {"aud"}),
        ({"VERIFY_AUD": True}, {"aud": "them"}, {"aud"}),
        ({"REQUIRED_CLAIMS": ["exp", "role"]}, {}, {"required claims"}),
        ({"REQUIRED_CLAIMS": ["exp", "role"]}, {"role": "admin"}, set()),
        ({"IDENTITY_CLAIM": "user"}, {}, {"required claims"}),
        ({"IDENTITY_CLAIM": "user"}, {"user": None, "sub": ...}, set()),
        ({"IDENTITY_CLAIM": "iss", "DECODE_ISSUER": "us"}, {"iss": "us"}, set()),
        ({"VERIFY_SUB": False}, {"sub": 7}, set()),
        ({"DECODE_LEEWAY": 10}, {"exp": NOW - 9}, set()),
        ({"DECODE_LEEWAY": 10}, {"exp": NOW - 10}, {"exp"}),
        ({"PROFILE": "strict"}, {"jti": ...}, {"required claims"}),
    ],
)
def test_claims_are_checked_by_the_settings(
    make_app: MakeApp, options: dict[str, Any], claims: dict[str, Any], failed: set[str]
) -> None:
    """The verdicts follow the settings of the application."""
    assert failures(inspect(make_app(**options), genuine(claims_at_now(**claims)))) == failed


@pytest.mark.parametrize("change", [-1e9, -1, -0.4, 0, 0.4, 1, 1e9, 1e300])
@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
def test_the_verdict_is_that_of_a_request(app: Flask, claim: str, change: float) -> None:
    """``inspect`` and ``decode_token`` agree about every token, also at the edge of a second."""
    token = genuine(claims_at_now(**{claim: NOW + change}))
    for now in (NOW - 0.3, NOW, NOW + 0.3):
        with app.app_context(), patch("time.time", return_value=now):
            try:
                accepted = bool(decode_token(token))
            except pyjwt.InvalidTokenError:
                accepted = False
        inspection = inspect(app, token, now)
        assert inspection.accepted is accepted
        assert ("expired" in verdict(inspection, "exp").why) is (not accepted and claim == "exp")


def test_a_time_within_the_leeway_is_described(make_app: MakeApp) -> None:
    """The text does not contradict the verdict."""
    app = make_app(DECODE_LEEWAY=30)
    inspection = inspect(app, genuine(claims_at_now(exp=NOW - 10, nbf=NOW + 10)))
    assert inspection.accepted
    assert verdict(inspection, "exp").why == "expired 10 seconds ago, within the leeway of 30 seconds"
    assert verdict(inspection, "nbf").why == "starts in 10 seconds, within the leeway of 30 seconds"
    assert verdict(inspection, "iat").why == "issued 60 seconds ago"


def test_own_tokens_are_accepted(make_app: MakeApp) -> None:
    """Access and refresh tokens, symmetric and asymmetric."""
    for options in ({"PROFILE": "strict"}, RSA_KEYS):
        app = make_app(**options)
        for create in (create_access_token, create_refresh_token):
            with app.app_context():
                token = create("ada")
                issued = decode_token(token)["iat"]
            assert inspect(app, token, issued + 1).accepted


def test_without_a_key_no_signature_is_good(make_app: MakeApp) -> None:
    """The reason is a missing key, or one that is too weak for the profile."""
    inspection = inspect(make_app(SECRET_KEY=None), genuine(claims_at_now()))
    assert "JWT_SECRET_KEY" in verdict(inspection, "signature").why
    strict = set_later(make_app, {"SECRET_KEY": "secret", "PROFILE": "strict"})
    weak = inspect(strict, genuine(claims_at_now(), secret="secret"))
    assert failures(weak) == {"signature"}
    assert inspect(make_app(SECRET_KEY="secret"), genuine(claims_at_now(), secret="secret")).accepted


def _key_by_issuer(_header: dict[str, Any], claims: dict[str, Any]) -> Any:
    return {"us": SECRET, "broken": ec.generate_private_key(ec.SECP256R1())}[claims["iss"]]


def _key_of_a_request(_header: dict[str, Any], _claims: dict[str, Any]) -> Any:
    return request.headers["X-Key"]


@pytest.mark.parametrize(
    ("loader", "issuer", "failed"),
    [
        (_key_by_issuer, "us", set()),
        (_key_by_issuer, "them", {"signature"}),
        (_key_by_issuer, "broken", {"signature"}),
        (_key_of_a_request, "us", {"signature"}),
    ],
)
def test_decode_key_loader_is_called(app: Flask, loader: Any, issuer: str, failed: set[str]) -> None:
    """The loader chooses the key. If it fails, the signature check fails."""
    app.extensions["flask-jwt-extended"].decode_key_loader(loader)
    assert failures(inspect(app, genuine(claims_at_now(iss=issuer)))) == failed


@pytest.mark.parametrize("secret", [SECRET, "another"])
@pytest.mark.parametrize(
    ("name", "refusal", "consent"),
    [("token_in_blocklist", True, False), ("token_verification", False, True), ("user_lookup", None, "ada")],
)
def test_loaders_see_genuine_tokens_only(app: Flask, name: str, refusal: Any, consent: Any, secret: str) -> None:
    """They can refuse a genuine token, and never see a forged one."""
    asked: list[str] = []

    def answer(_header: dict[str, Any], claims: dict[str, Any]) -> Any:
        asked.append(claims["jti"])
        return refusal if claims["jti"] == "bad" else consent

    getattr(app.extensions["flask-jwt-extended"], f"{name}_loader")(answer)
    is_genuine = secret == SECRET
    assert inspect(app, genuine(claims_at_now(), secret=secret)).accepted is is_genuine
    refused = inspect(app, genuine(claims_at_now(jti="bad"), secret=secret))
    assert failures(refused) == ({f"{name}_loader"} if is_genuine else {"signature"})
    assert asked == (["one", "bad"] if is_genuine else [])


def test_a_loader_that_fails_leaves_the_verdict_open(app: Flask) -> None:
    """A loader that needs a request leaves its verdict open."""
    broken: Callable[..., bool] = lambda _header, _claims: bool(request.path)  # noqa: E731
    app.extensions["flask-jwt-extended"].token_in_blocklist_loader(broken)
    inspection = inspect(app, genuine(claims_at_now()))
    assert verdict(inspection, "token_in_blocklist_loader").passed is None
    assert inspection.accepted


# --- a token, and the store -----------------------------------------------------------------------------------------


@pytest.fixture
def store() -> SessionStore:
    """A store for the sessions of :func:`shop`."""
    return MemoryStore()


@pytest.fixture
def shop(make_app: MakeApp, store: SessionStore) -> Flask:
    """An application with sessions and a view that refreshes them."""
    app = make_app(STORE_URI=store)

    @app.post("/rotate")
    @jwt_required(refresh=True)
    def rotate() -> dict[str, str]:
        return vars(refresh_session())

    return app


ACTIVE = "active for another 29 days unless it is refreshed"


def tokens_in_all_states(app: Flask) -> list[tuple[str, str]]:
    """Tokens of active, refreshed, ended and revoked sessions, each with the expected reason."""
    with app.test_request_context():
        current, refreshed, stolen, ended, revoked = (start_session("ada") for _ in range(5))
        alone, alone_revoked = create_access_token("ada"), create_access_token("ada")
        end_session(ended.session_id)
        for token in (revoked.access_token, alone_revoked):
            revoke_token(token)
    rotate = partial(app.test_client().post, "/rotate")
    rotate(headers=bearer(refreshed.refresh_token))
    successor = rotate(headers=bearer(stolen.refresh_token)).get_json()["refresh_token"]
    rotate(headers=bearer(successor))
    return [
        (current.access_token, ACTIVE),
        (current.refresh_token, f"{ACTIVE}; this is its current refresh token"),
        (refreshed.access_token, ACTIVE),
        (refreshed.refresh_token, f"{ACTIVE}; the token was just used: a retry gets the same successor"),
        (stolen.refresh_token, f"{ACTIVE}; the token was already used: using it again ends the session"),
        (ended.access_token, "the session has ended or does not exist"),
        (ended.refresh_token, "the session has ended or does not exist"),
        (revoked.access_token, "the token is revoked"),
        (alone, "not revoked"),
        (alone_revoked, "the token is revoked"),
    ]


def test_a_session_has_the_verdict_of_a_request(shop: Flask, store: SessionStore) -> None:
    """The verdict is that of a view, and the store does not change."""
    for token, why in tokens_in_all_states(shop):
        before = list(store.sessions())
        inspection = inspect(shop, token, time.time() + 1)
        claims = inspection.claims or {}
        assert verdict(inspection, "session" if "sid" in claims else "revoked").why == why
        assert list(store.sessions()) == before
        answer = shop.test_client().get(f"/{claims['type']}", headers=bearer(token)).status_code
        assert inspection.accepted is (answer == 200), why


def test_an_idle_session_has_ended(make_app: MakeApp) -> None:
    """The idle timeout ends it, although its refresh token has not expired."""
    app = make_app(STORE_URI="memory://", SESSION_IDLE_TIMEOUT=1000)
    with app.test_request_context():
        pair = start_session("ada")
    for token in (pair.access_token, pair.refresh_token):
        session = verdict(inspect(app, token, time.time() + 1000 + 200), "session")
        assert (session.passed, session.why) == (False, "the session ended 3 minutes ago")


@pytest.mark.parametrize("type_", ["access", "refresh"])
@pytest.mark.parametrize("sid", ["unknown", 5, None, [], {"a": 1}, "\ud800", ""])
def test_an_odd_sid_has_the_verdict_of_a_request(shop: Flask, type_: str, sid: Any) -> None:
    """A ``sid`` may be anything: it is not found, and nothing crashes."""
    now = time.time()
    token = genuine(claims_at_now(type=type_, sid=sid, iat=now - 1, nbf=now - 1, exp=now + 60))
    answer = shop.test_client().get(f"/{type_}", headers=bearer(token)).status_code
    assert inspect(shop, token, now).accepted is (answer == 200)


@rotated("error", [StoreUnavailableError("TimeoutError"), ZeroDivisionError()], type_=["access", "refresh"])
def test_an_unavailable_store_leaves_the_verdict_open(make_app: MakeApp, error: Exception, type_: str) -> None:
    """The verdict is left open, with the reason."""

    class Unavailable(MemoryStore):
        def status(self, session_id: str | None, token: str | None) -> Status:
            raise error

        def get(self, session_id: str) -> Any:
            raise error

    inspection = inspect(make_app(STORE_URI=Unavailable()), genuine(claims_at_now(type=type_, sid="s")))
    session = verdict(inspection, "session")
    assert session.passed is None
    assert session.why in ("the store is unavailable: TimeoutError", "the store is unavailable: ZeroDivisionError")
    assert inspection.accepted


def test_the_store_sees_genuine_tokens_only(shop: Flask) -> None:
    """A forged token reveals nothing about sessions."""
    names = {verdict.name for verdict in inspect(shop, genuine(claims_at_now(sid="s"), secret="another")).verdicts}
    assert not names & {"session", "revoked"}
