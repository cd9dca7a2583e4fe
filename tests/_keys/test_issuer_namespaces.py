"""Equal identities and ``jti`` claims of two issuers are different: no issuer can reach sessions or tokens of
another.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request

from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_token,
    end_all_sessions,
    end_session,
    get_jwt,
    get_jwt_identity,
    jwt_required,
    list_sessions,
    refresh_expiring_cookies,
    refresh_session,
    revoke_token,
    start_session,
)
from flask_jwt_extended._context import get_state
from flask_jwt_extended._diagnostics.token import inspect_token
from flask_jwt_extended.stores.records import digest, owner_of

from ..conftest import MakeApp, bearer
from .test_issuer import ISSUER, OTHER, OTHER_KEY, OTHER_SETTINGS, SETTINGS, ask, foreign, refused

US = "https://us.example"


@pytest.fixture(params=["compat", "strict"])
def app(request: pytest.FixtureRequest, make_app: MakeApp, tmp_path: Path) -> Iterator[Flask]:
    """Return an application with sessions of its own that trusts two issuers."""
    made = make_app(
        PROFILE=request.param,
        TRUSTED_ISSUERS={ISSUER: SETTINGS, OTHER: OTHER_SETTINGS},
        ENCODE_ISSUER=US,
        STORE_URI="memory://" if request.param == "compat" else f"sqlite:///{tmp_path}/jwt.db",
    )
    add_views(made)
    yield made
    store = get_state(made).store
    assert store is not None
    store.close()


def add_views(app: Flask) -> None:
    """Add the views for sessions, each with a variant that passes on the identity of the token."""

    @app.get("/sessions")
    @jwt_required()
    def sessions() -> list[dict[str, Any]]:
        return [asdict(each) for each in list_sessions(*named())]

    @app.post("/end/<session_id>")
    @jwt_required()
    def end(session_id: str) -> dict[str, Any]:
        return {"ended": end_session(session_id)}

    @app.post("/end")
    @jwt_required()
    def end_own() -> dict[str, Any]:
        return {"ended": end_session()}

    @app.post("/end-all")
    @jwt_required()
    def end_all() -> dict[str, Any]:
        return {"ended": end_all_sessions(*named(), keep_current="keep" in request.args)}

    @app.post("/revoke")
    @jwt_required()
    def revoke() -> dict[str, Any]:
        return {"revoked": revoke_token(request.args.get("token"))}

    @app.post("/exchange")
    @jwt_required()
    def exchange() -> dict[str, Any]:
        return asdict(start_session(f"{get_jwt()['iss']} {get_jwt_identity()}"))

    def named() -> list[Any]:
        return [get_jwt_identity()] if "named" in request.args else []


def call(app: Flask, bearer_token: str, method: str, path: str, **query: str) -> Any:
    response = app.test_client().open(path, method=method, headers=bearer(bearer_token), query_string=query)
    assert response.status_code == 200, response.text
    return response.get_json()


def login(app: Flask, identity: str = "ada") -> Any:
    with app.test_request_context():
        return start_session(identity)


def foreign_tokens() -> list[str]:
    """Return a token of each issuer, with an identity that is equal to one of ours."""
    return [foreign(), foreign(OTHER_KEY, header={"kid": "other"}, iss=OTHER)]


@pytest.mark.parametrize("query", [{}, {"named": "1"}], ids=["of the token", "passed on by the view"])
def test_a_foreign_identity_lists_and_ends_no_session_of_ours(app: Flask, query: dict[str, str]) -> None:
    """Neither all sessions, nor a single one, nor the current one."""
    ours = login(app)
    for token in foreign_tokens():
        assert call(app, token, "GET", "/sessions", **query) == []
        assert call(app, token, "POST", f"/end/{ours.session_id}") == {"ended": False}
        assert call(app, token, "POST", "/end") == {"ended": False}
        assert call(app, token, "POST", "/end-all", **query) == {"ended": 0}
        assert call(app, token, "POST", "/end-all", keep="1", **query) == {"ended": 0}
    mine = call(app, ours.access_token, "GET", "/sessions", **query)
    assert [(each["session_id"], each["current"]) for each in mine] == [(ours.session_id, True)]
    assert call(app, ours.access_token, "POST", "/end-all", **query) == {"ended": 1}


def test_a_foreign_sid_makes_no_session_current(app: Flask) -> None:
    """It does not end one either."""
    ours = login(app)
    token = foreign(sid=ours.session_id)
    assert call(app, token, "GET", "/sessions") == []
    assert call(app, token, "POST", "/end") == {"ended": False}
    assert call(app, token, "POST", "/end-all", keep="1") == {"ended": 0}
    assert call(app, token, "POST", "/revoke") == {"revoked": True}
    assert ask(app, ours.access_token)[0] == 200


def test_another_local_identity_can_be_named_in_a_request_with_a_foreign_token(app: Flask) -> None:
    """start_session uses the identity it was called with, for example by a support desk that logs in elsewhere."""
    ours = login(app, "grace")
    app.add_url_rule("/of-grace", "of-grace", jwt_required()(lambda: {"n": end_all_sessions("grace")}))
    assert call(app, foreign(), "GET", "/of-grace") == {"n": 1}
    assert ask(app, ours.access_token)[0] == 401


def test_a_session_started_with_a_foreign_token_is_a_local_one(app: Flask) -> None:
    """It has the identity that the application named, and tokens of the application."""
    pair = call(app, foreign(), "POST", "/exchange")
    told = ask(app, pair["access_token"])[1]
    assert (told["identity"], told["claims"]["iss"]) == (f"{ISSUER} ada", US)
    assert call(app, foreign(), "POST", f"/end/{pair['session_id']}") == {"ended": False}
    assert call(app, pair["access_token"], "POST", f"/end/{pair['session_id']}") == {"ended": True}


def test_a_user_whose_identity_is_equal_can_be_meant(app: Flask) -> None:
    """With the object for user_identity_loader: the application has decided whose account it is."""
    manager: JWTManager = app.extensions["flask-jwt-extended"]
    manager.user_identity_loader(lambda user: user["id"] if isinstance(user, dict) else user)
    login(app)
    app.add_url_rule("/of-user", "of-user", jwt_required()(lambda: {"n": end_all_sessions({"id": "ada"})}))
    assert call(app, foreign(), "POST", "/end-all", named="1") == {"ended": 0}
    assert call(app, foreign(), "GET", "/of-user") == {"n": 1}


def test_a_foreign_identity_that_is_passed_on_to_start_session_is_warned_of(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    """Once for each issuer: otherwise it could take over a local user of the same name."""
    app.add_url_rule("/naive", "naive", jwt_required()(lambda: asdict(start_session(get_jwt_identity()))))
    for path, method in (("/naive", "GET"), ("/exchange", "POST")):
        call(app, login(app).access_token, method, path)  # each ends the session of its token
    for token in (*foreign_tokens(), *foreign_tokens()):
        call(app, token, "GET", "/naive")
        call(app, token, "POST", "/exchange")
    warnings = [record.getMessage() for record in caplog.records if "start_session" in record.getMessage()]
    assert [issuer in warning for issuer, warning in zip([ISSUER, OTHER], warnings, strict=True)] == [True, True]


@pytest.mark.parametrize("jti", ["theirs", "", "\x00", "é", "\ud800", f'["{ISSUER}","theirs"]'], ids=ascii)
def test_a_revocation_is_for_the_tokens_of_one_issuer(app: Flask, jti: str) -> None:
    """Of three tokens with the same ``jti``, only the revoked one is refused."""
    with app.app_context():
        own = create_access_token("ada", additional_claims={"jti": jti})
    tokens = [own, foreign(jti=jti), foreign(OTHER_KEY, header={"kid": "other"}, iss=OTHER, jti=jti)]
    for gone, token in enumerate(tokens):
        assert [refused(app, each) for each in tokens] == [number < gone for number in range(3)]
        assert call(app, token, "POST", "/revoke") == {"revoked": True}
    assert all(refused(app, token) for token in tokens)


def test_a_foreign_token_that_is_handed_over_revokes_nothing_of_ours(app: Flask) -> None:
    """Passed to revoke_token as text, in a request with our token or with its own."""
    with app.app_context():
        own, other = create_access_token("ada", additional_claims={"jti": "theirs"}), create_access_token("ada")
    for bearer_of in (other, foreign(jti="of the bearer")):
        call(app, bearer_of, "POST", "/revoke", token=foreign())
        assert ask(app, own)[0] == 200
        assert refused(app, foreign())
    assert ask(app, foreign(jti="another"))[0] == 200


def test_a_foreign_token_uses_up_no_single_use_token_of_ours(app: Flask) -> None:
    """It cannot be single-use itself: the claim is removed, and the token passes every time."""
    app.add_url_rule("/reset", "reset", jwt_required(token_type="reset")(lambda: {}))
    with app.app_context():
        single = create_token("reset", "ada", single_use=True)
        jti = inspect_token(single, get_state(app), 0).claims["jti"]  # type: ignore[index]  # it can be read
    twin = foreign(jti=jti, single_use=True)
    assert [ask(app, twin)[0] for _ in range(3)] == [200] * 3
    call(app, twin, "POST", "/revoke")
    assert [ask(app, single, "/reset")[0] for _ in range(2)] == [200, 401]


def test_what_was_stored_before_stays_ours(app: Flask) -> None:
    """The digests of our own tokens are the same with and without an ``iss``."""
    runtime = get_state(app)
    assert runtime.store is not None
    with app.app_context():
        own = create_access_token("ada", additional_claims={"jti": "known"})
    assert ask(app, own)[0] == 200
    runtime.store.revoke(hashlib.sha256(b"known").hexdigest(), 2**40, None)
    assert refused(app, own)
    app.config["JWT_ENCODE_ISSUER"] = None
    with app.app_context():
        assert refused(app, create_access_token("ada", additional_claims={"jti": "known"}))


def test_the_loaders_are_told_the_issuer(app: Flask) -> None:
    """An application's own blocklist can use issuer and ``jti`` together."""
    manager: JWTManager = app.extensions["flask-jwt-extended"]
    blocked = {(ISSUER, "theirs")}
    manager.token_in_blocklist_loader(lambda _header, claims: (claims["iss"], claims["jti"]) in blocked)
    with app.app_context():
        own = create_access_token("ada", additional_claims={"jti": "theirs"})
    assert refused(app, foreign())
    assert ask(app, own)[0] == 200
    assert ask(app, foreign_tokens()[1])[0] == 200


def test_foreign_cookies_are_not_prolonged(app: Flask) -> None:
    """They have no session here, and no token of ours replaces them."""
    app.config["JWT_TOKEN_LOCATION"] = ["cookies"]
    app.after_request(refresh_expiring_cookies)
    ours = login(app)
    client = app.test_client()
    client.set_cookie(app.config["JWT_ACCESS_COOKIE_NAME"], foreign(sid=ours.session_id, iat=1), secure=True)
    response = client.get("/access", base_url="https://localhost")
    assert response.status_code == 200
    assert "Set-Cookie" not in response.headers


def test_a_foreign_refresh_token_refreshes_no_session_of_ours(make_app: MakeApp) -> None:
    """Even if the settings of the issuer make it a refresh token."""
    app = make_app(TRUSTED_ISSUERS={ISSUER: SETTINGS | {"type": "refresh"}}, STORE_URI="memory://")
    app.add_url_rule("/renew", "renew", jwt_required(refresh=True)(lambda: asdict(refresh_session())))
    ours = login(app)
    assert ask(app, foreign(sid=ours.session_id), "/renew")[0] == 401
    assert ask(app, foreign(sid=ours.session_id), "/refresh")[0] == 200
    assert ask(app, ours.access_token)[0] == 200


def test_inspection_asks_for_the_token_of_that_issuer(app: Flask) -> None:
    """With the digest that a request uses."""
    runtime = get_state(app)
    assert runtime.store is not None
    runtime.store.revoke(digest("theirs"), 2**40, None)

    def accepted(token: str) -> bool:
        return inspect_token(token, runtime, time.time()).accepted

    with app.app_context():
        own = create_access_token("ada", additional_claims={"jti": "theirs"})
    assert not accepted(own)
    assert accepted(foreign())
    call(app, foreign(), "POST", "/revoke")
    assert not accepted(foreign())


NAMES = [None, "", "a", "a\x00", "https://login.example", "é", "\ud800"]


def test_digests_of_different_issuers_are_different() -> None:
    """However the text is divided between issuer and ``jti``."""
    pairs = [(issuer, text) for issuer in NAMES for text in NAMES if text is not None]
    assert len({digest(text, issuer) for issuer, text in pairs}) == len(pairs)
    assert len({owner_of(text, issuer) for issuer, text in pairs}) == len(pairs)
    assert digest("ab", "c") != digest("b", "ca") != digest("cab")


def test_an_own_token_of_an_issuer_that_is_trusted_is_refused(app: Flask) -> None:
    """A token that our key signed is never taken for one of theirs."""
    with app.app_context():
        assert refused(app, create_access_token("ada", additional_claims={"iss": ISSUER}))
        elsewhere = create_access_token("ada", additional_claims={"iss": "https://elsewhere.example"})
        expected = 401 if app.config["JWT_PROFILE"] == "strict" else 200  # strict requires the issuer that it encodes
        assert ask(app, elsewhere)[0] == expected
