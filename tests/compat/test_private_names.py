"""Private functions of 4.7 that public code imports, calls and patches."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any
from unittest import mock

import jwt as pyjwt
import pytest
from flask import Flask, g, request

import flask_jwt_extended
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    create_token,
    exceptions,
    get_current_user,
    get_jwt,
    get_jwt_header,
    get_jwt_identity,
    get_jwt_request_location,
    internal_utils,
    jwt_required,
    revoke_token,
    tokens,
    utils,
    verify_jwt_in_request,
)
from flask_jwt_extended import view_decorators as module

from ..conftest import SECRET, MakeApp, bearer

view_decorators: Any = module
EVERYWHERE = ["headers", "cookies", "query_string", "json"]
VIEW_DECORATORS = "flask_jwt_extended.view_decorators"

#: The parameters of each, with their defaults, as in 4.7.
SIGNATURES: list[tuple[Any, str]] = [
    (view_decorators._decode_jwt_from_headers, "()"),
    (view_decorators._decode_jwt_from_cookies, "(refresh)"),
    (view_decorators._decode_jwt_from_query_string, "()"),
    (view_decorators._decode_jwt_from_json, "(refresh)"),
    (
        view_decorators._decode_jwt_from_request,
        "(locations, fresh, refresh=False, verify_type=True, skip_revocation_check=False)",
    ),
    (view_decorators._load_user, "(jwt_header, jwt_data)"),
    (view_decorators._verify_token_is_fresh, "(jwt_header, jwt_data)"),
    (internal_utils.verify_token_type, "(decoded_token, refresh)"),
    (internal_utils.custom_verification_for_token, "(jwt_header, jwt_data)"),
    (internal_utils.verify_token_not_blocklisted, "(jwt_header, jwt_data)"),
    (internal_utils.has_user_lookup, "()"),
    (internal_utils.user_lookup, "(*args, **kwargs)"),
    (internal_utils.get_jwt_manager, "()"),
    (internal_utils.get_json_encoder, "(app)"),
    (
        tokens._encode_jwt,
        "(algorithm, audience, claim_overrides, csrf, expires_delta, fresh, header_overrides, identity, "
        "identity_claim_key, issuer, json_encoder, secret, token_type, nbf)",
    ),
    (
        tokens._decode_jwt,
        "(algorithms, allow_expired, audience, csrf_value, encoded_token, identity_claim_key, issuer, leeway, secret, "
        "verify_aud, verify_sub)",
    ),
    (JWTManager._decode_jwt_from_config, "(self, encoded_token, csrf_value=None, allow_expired=False)"),
    (
        JWTManager._encode_jwt_from_config,
        "(self, identity, token_type, claims=None, fresh=False, expires_delta=None, headers=None)",
    ),
    (JWTManager._set_default_configuration_options, "(app)"),
    (JWTManager._set_error_handler_callbacks, "(self, app)"),
]


@pytest.mark.parametrize(("function", "expected"), SIGNATURES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_private_function_takes_what_it_took(function: Any, expected: str) -> None:
    """Names, order and defaults of its parameters are those of 4.7."""
    signature = inspect.signature(function)
    bare = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()]
    assert str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty)) == expected


@pytest.mark.parametrize(
    "name",
    [
        "custom_verification_for_token",
        "decode_token",
        "get_unverified_jwt_headers",
        "has_user_lookup",
        "user_lookup",
        "verify_token_not_blocklisted",
        "verify_token_type",
    ],
)
def test_names_that_view_decorators_imports_are_found_there(name: str) -> None:
    """They are the same objects as where they are defined."""
    home = utils if hasattr(utils, name) else internal_utils
    assert getattr(view_decorators, name) is getattr(home, name)
    assert utils.get_jwt_manager is internal_utils.get_jwt_manager


#: Exceptions that 4.7 imports into other modules, where applications have found them.
ELSEWHERE = {
    "internal_utils": "RevokedTokenError UserClaimsVerificationError WrongTokenError",
    "jwt_manager": "CSRFError DecodeError ExpiredSignatureError FreshTokenRequired InvalidAudienceError "
    "InvalidHeaderError InvalidIssuerError InvalidQueryParamError InvalidTokenError JWTDecodeError "
    "MissingRequiredClaimError NoAuthorizationError RevokedTokenError UserClaimsVerificationError UserLookupError "
    "WrongTokenError",
    "tokens": "CSRFError JWTDecodeError",
    "view_decorators": "CSRFError FreshTokenRequired InvalidHeaderError InvalidQueryParamError NoAuthorizationError "
    "UserLookupError",
}


@pytest.mark.parametrize(("name", "errors"), ELSEWHERE.items())
def test_exceptions_can_be_imported_from_the_modules_that_raise_or_handle_them(name: str, errors: str) -> None:
    """Each module has the same classes."""
    there = importlib.import_module(f"flask_jwt_extended.{name}")
    for each in errors.split():
        assert getattr(there, each) is getattr(exceptions, each, None) or getattr(pyjwt, each)


def answer_of(response: Any) -> Any:
    return response.json


# --- calling them ----------------------------------------------------------------------------------------------------


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return make_app(TOKEN_LOCATION=EVERYWHERE)


def token_of(app: Flask, identity: str = "u", **arguments: Any) -> str:
    with app.app_context():
        return create_access_token(identity, **arguments)


@pytest.mark.parametrize(
    ("name", "location", "places", "error"),
    [
        ("headers", "headers", {"headers": {"Authorization": "Bearer tok"}}, "Missing Authorization Header"),
        ("cookies", "cookies", {"headers": {"Cookie": "access_token_cookie=tok"}}, "Missing cookie"),
        ("query_string", "query_string", {"query_string": {"jwt": "tok"}}, "Missing 'jwt' query paramater"),
        ("json", "json", {"json": {"access_token": "tok"}}, 'Missing "access_token" key|Invalid content-type'),
    ],
)
def test_a_reader_returns_the_token_unverified(
    app: Flask, name: str, location: str, places: dict[str, Any], error: str
) -> None:
    """It also returns the CSRF value or ``None``, and raises 4.7's error if there is no token."""
    read = getattr(view_decorators, f"_decode_jwt_from_{name}")
    arguments = (False,) if name in ("cookies", "json") else ()
    with app.test_request_context(**places):
        assert read(*arguments) == ("tok", None)
    with app.test_request_context(), pytest.raises(exceptions.NoAuthorizationError, match=error):
        read(*arguments)


def test_the_reader_of_cookies_returns_the_csrf_value(app: Flask) -> None:
    """It returns the value for the required type, and raises if there is none."""
    headers = {"Cookie": "refresh_token_cookie=tok", "X-CSRF-TOKEN": "value"}
    with app.test_request_context(method="POST", headers=headers):
        assert view_decorators._decode_jwt_from_cookies(True) == ("tok", "value")
        assert view_decorators._decode_jwt_from_cookies(refresh=True) == ("tok", "value")
        with pytest.raises(exceptions.NoAuthorizationError):
            view_decorators._decode_jwt_from_cookies(False)
    del headers["X-CSRF-TOKEN"]
    with app.test_request_context(method="POST", headers=headers), pytest.raises(exceptions.CSRFError):
        view_decorators._decode_jwt_from_cookies(True)


def test_a_decorator_of_an_application_may_be_built_of_them(app: Flask) -> None:
    """Public code does so: it verifies, loads the user and writes into ``g``."""
    manager: JWTManager = app.extensions["flask-jwt-extended"]
    manager.user_lookup_loader(lambda _header, claims: f"user {claims['sub']}")

    @app.get("/own")
    def own() -> list[Any]:
        claims, header, location = view_decorators._decode_jwt_from_request(
            locations=None, fresh=False, refresh=False, verify_type=True, skip_revocation_check=False
        )
        g._jwt_extended_jwt_user = view_decorators._load_user(header, claims)
        g._jwt_extended_jwt_header, g._jwt_extended_jwt = header, claims
        g._jwt_extended_jwt_location = location
        return [get_jwt_identity(), get_current_user(), get_jwt_request_location(), get_jwt_header()["alg"]]

    client = app.test_client()
    assert client.get("/own", headers=bearer(token_of(app))).json == ["u", "user u", "headers", "HS256"]
    assert client.get(f"/own?jwt={token_of(app)}").json == ["u", "user u", "query_string", "HS256"]
    assert client.get("/own").status_code == 401
    assert client.get("/own", headers=bearer("no.to.ken")).status_code == 422


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"locations": None, "fresh": True}, exceptions.FreshTokenRequired),
        ({"locations": None, "fresh": False, "refresh": True}, exceptions.WrongTokenError),
        ({"locations": "json", "fresh": False}, exceptions.NoAuthorizationError),
        ({"locations": ["json", "cookies"], "fresh": False}, exceptions.NoAuthorizationError),
        ({"locations": "nowhere", "fresh": False}, RuntimeError),
        ({"locations": "headers", "fresh": False}, exceptions.RevokedTokenError),
        ({"locations": None, "fresh": False, "skip_revocation_check": True}, None),
        ({"locations": None, "fresh": False, "refresh": True, "verify_type": False}, exceptions.RevokedTokenError),
    ],
)
def test_decode_jwt_from_request_makes_the_checks_of_a_view(
    app: Flask, arguments: dict[str, Any], error: type[Exception] | None
) -> None:
    """The order is the same: type, freshness, revocation."""
    app.extensions["flask-jwt-extended"].token_in_blocklist_loader(lambda _header, _claims: True)
    with app.test_request_context(headers=bearer(token_of(app))):
        if error is None:
            assert view_decorators._decode_jwt_from_request(**arguments)[0]["sub"] == "u"
        else:
            with pytest.raises(error):
                view_decorators._decode_jwt_from_request(**arguments)


def test_decode_jwt_from_request_asks_the_store(make_app: MakeApp) -> None:
    """A token that was revoked in the store is refused."""
    app = make_app(STORE_URI="memory://")
    token = token_of(app)
    with app.test_request_context(headers=bearer(token)):
        assert view_decorators._decode_jwt_from_request(None, False)[0]["sub"] == "u"
        assert revoke_token(token)
        with pytest.raises(exceptions.RevokedTokenError):
            view_decorators._decode_jwt_from_request(None, False)
        claims = pyjwt.decode(token, SECRET, ["HS256"])
        with pytest.raises(exceptions.RevokedTokenError):
            internal_utils.verify_token_not_blocklisted({}, claims)
        internal_utils.verify_token_not_blocklisted({}, {**claims, "jti": "other"})
        internal_utils.verify_token_not_blocklisted({}, {})


@pytest.mark.parametrize(
    ("claims", "refresh", "message"),
    [
        ({"type": "access"}, False, None),
        ({"type": "refresh"}, True, None),
        ({"type": "refresh"}, False, "Only non-refresh tokens are allowed"),
        ({"type": "access"}, True, "Only refresh tokens are allowed"),
        ({"type": "password_reset"}, False, "Only access tokens are allowed"),
        ({}, False, "Only access tokens are allowed"),
    ],
)
def test_verify_token_type_compares_by_equality(claims: dict[str, Any], refresh: bool, message: str | None) -> None:
    """It needs no application."""
    if message is None:
        internal_utils.verify_token_type(claims, refresh)
    else:
        with pytest.raises(exceptions.WrongTokenError, match=message):
            internal_utils.verify_token_type(decoded_token=claims, refresh=refresh)


def test_verify_token_is_fresh_takes_a_bool_or_a_time() -> None:
    """Any other value is not fresh."""
    later = datetime.now(timezone.utc).timestamp() + 60
    for fresh in (True, later):
        view_decorators._verify_token_is_fresh({}, {"fresh": fresh})
    odd: tuple[Any, ...] = (False, later - 120, "yes", None, [True])
    for fresh in odd:
        with pytest.raises(exceptions.FreshTokenRequired, match="Fresh token required"):
            view_decorators._verify_token_is_fresh({}, {"fresh": fresh})
    with pytest.raises(exceptions.FreshTokenRequired):
        view_decorators._verify_token_is_fresh({}, {})


def test_the_functions_of_the_loaders_ask_the_loaders(app: Flask) -> None:
    """Without loaders they return ``None`` or do nothing."""
    manager: JWTManager = app.extensions["flask-jwt-extended"]
    header, claims = {"alg": "HS256"}, {"sub": "u"}
    with app.app_context():
        assert internal_utils.get_jwt_manager() is manager
        assert not internal_utils.has_user_lookup()
        assert internal_utils.user_lookup(header, claims) is None
        assert view_decorators._load_user(header, claims) is None
        internal_utils.custom_verification_for_token(header, claims)
        internal_utils.verify_token_not_blocklisted(header, claims)
        manager.user_lookup_loader(lambda _header, claims: claims.get("user"))
        manager.token_verification_loader(lambda _header, _claims: False)
        assert internal_utils.has_user_lookup()
        assert internal_utils.user_lookup(header, {"user": 1}) == 1
        assert view_decorators._load_user(header, {"user": 1}) == {"loaded_user": 1}
        with pytest.raises(exceptions.UserLookupError, match="user_lookup returned None for u"):
            view_decorators._load_user(header, claims)
        with pytest.raises(exceptions.UserClaimsVerificationError, match="User claims verification failed"):
            internal_utils.custom_verification_for_token(header, claims)


# --- tokens ----------------------------------------------------------------------------------------------------------

ENCODE: dict[str, Any] = {
    "algorithm": "HS256",
    "audience": None,
    "claim_overrides": {},
    "csrf": True,
    "expires_delta": timedelta(minutes=5),
    "fresh": False,
    "header_overrides": None,
    "identity": "u",
    "identity_claim_key": "sub",
    "issuer": None,
    "json_encoder": json.JSONEncoder,
    "secret": SECRET,
    "token_type": "access",
    "nbf": True,
}
DECODE: dict[str, Any] = {
    "algorithms": ["HS256"],
    "allow_expired": False,
    "audience": None,
    "csrf_value": None,
    "identity_claim_key": "sub",
    "issuer": None,
    "leeway": 0,
    "secret": SECRET,
    "verify_aud": False,
    "verify_sub": True,
}


@pytest.mark.parametrize(
    ("changed", "claims"),
    [
        ({}, {"sub": "u", "type": "access", "fresh": False}),
        ({"audience": ["a", "b"], "issuer": "me"}, {"aud": ["a", "b"], "iss": "me"}),
        ({"claim_overrides": {"sub": "v", "own": 1}}, {"sub": "v", "own": 1}),
        ({"identity_claim_key": "user", "token_type": "refresh", "fresh": True}, {"user": "u", "type": "refresh"}),
        ({"claim_overrides": None, "fresh": True}, {"fresh": True}),
        ({"algorithm": "HS512", "header_overrides": {"kid": "k"}}, {"sub": "u"}),
    ],
)
def test_encode_jwt_makes_the_token_it_is_told_to(changed: dict[str, Any], claims: dict[str, Any]) -> None:
    """It needs no application."""
    token = tokens._encode_jwt(**ENCODE | changed)
    found = pyjwt.decode(token, SECRET, ["HS256", "HS512"], options={"verify_aud": False})
    assert found.items() >= claims.items()
    assert {"jti", "csrf", "iat", "nbf", "exp"} <= found.keys()
    header = pyjwt.get_unverified_header(token)
    assert header == {"typ": "JWT", "alg": changed.get("algorithm", "HS256"), **(changed.get("header_overrides") or {})}


def test_encode_jwt_leaves_out_what_is_switched_off() -> None:
    """It omits the CSRF value, ``nbf`` and ``exp``, and uses the JSON encoder it gets."""

    class Encoder(json.JSONEncoder):
        def default(self, o: Any) -> str:
            return "encoded"

    arguments: dict[str, Any] = {**ENCODE, "csrf": False, "nbf": False, "expires_delta": False}
    arguments |= {"json_encoder": Encoder, "claim_overrides": {"own": object()}}
    found = pyjwt.decode(tokens._encode_jwt(**arguments), SECRET, ["HS256"])
    assert found.keys() == {"sub", "type", "fresh", "iat", "jti", "own"}
    assert found["own"] == "encoded"


@pytest.mark.parametrize(
    ("made", "asked", "error"),
    [
        ({}, {}, None),
        ({"audience": "a"}, {}, None),
        ({"audience": "a"}, {"audience": "b"}, None),
        ({"audience": "a"}, {"audience": "b", "verify_aud": True}, pyjwt.InvalidAudienceError),
        ({"audience": "a"}, {"audience": ["a", "b"], "verify_aud": True}, None),
        ({"issuer": "me"}, {"issuer": "you"}, pyjwt.InvalidIssuerError),
        ({"expires_delta": timedelta(-1)}, {}, pyjwt.ExpiredSignatureError),
        ({"expires_delta": timedelta(-1)}, {"allow_expired": True}, None),
        ({"expires_delta": timedelta(seconds=-5)}, {"leeway": 60}, None),
        ({"identity": 5}, {}, pyjwt.exceptions.InvalidSubjectError),
        ({"identity": 5}, {"verify_sub": False}, None),
        ({}, {"identity_claim_key": "user"}, exceptions.JWTDecodeError),
        ({}, {"csrf_value": "other"}, exceptions.CSRFError),
        ({"csrf": False}, {"csrf_value": "other"}, exceptions.JWTDecodeError),
        ({}, {"secret": "x" * 64}, pyjwt.InvalidSignatureError),
        ({}, {"algorithms": ["HS512"]}, pyjwt.InvalidAlgorithmError),
    ],
)
def test_decode_jwt_verifies_as_it_is_told_to(
    made: dict[str, Any], asked: dict[str, Any], error: type[Exception] | None
) -> None:
    """It needs no application, and raises the errors of 4.7."""
    arguments: dict[str, Any] = ENCODE | made
    token = tokens._encode_jwt(**arguments)
    if error is None:
        assert tokens._decode_jwt(encoded_token=token, **DECODE | asked)["type"] == "access"
    else:
        with pytest.raises(error):
            tokens._decode_jwt(encoded_token=token, **DECODE | asked)


# --- patching them ---------------------------------------------------------------------------------------------------


@pytest.fixture
def views(make_app: MakeApp) -> Flask:
    """An application whose views return everything they know about the token."""
    app = make_app(TOKEN_LOCATION=EVERYWHERE)

    def seen() -> dict[str, Any]:
        user = (g._jwt_extended_jwt_user or {}).get("loaded_user")
        return {"identity": get_jwt_identity(), "location": get_jwt_request_location(), "user": user}

    requirements: dict[str, dict[str, Any]] = {
        "seen": {},
        "seen-refresh": {"refresh": True, "locations": "headers"},
        "seen-fresh": {"fresh": True},
        "seen-optional": {"optional": True},
        "seen-scope": {"scopes": "read"},
        "seen-role": {"roles": "reader"},
        "seen-reset": {"token_type": "reset"},
        "seen-any": {"verify_type": False, "skip_revocation_check": True},
    }
    for name, each in requirements.items():
        app.add_url_rule(f"/{name}", name, jwt_required(**each)(seen))
    return app


PATCHED = {"identity": "patched", "location": "elsewhere", "user": None}
CLAIMS = {"sub": "patched", "type": "access", "fresh": False, "jti": "1"}
RESULT = (CLAIMS, {"alg": "HS256"}, "elsewhere")


@pytest.mark.parametrize("path", ["/seen", "/seen-refresh", "/seen-fresh", "/seen-optional", "/seen-any"])
def test_patching_decode_jwt_from_request_logs_in(views: Flask, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests use its result, as in 4.7, until the patch ends."""
    client = views.test_client()
    with mock.patch(f"{VIEW_DECORATORS}._decode_jwt_from_request", return_value=RESULT) as patched:
        assert client.get(path).json == PATCHED
        with views.test_request_context(path):
            verify_jwt_in_request()
            assert get_jwt() == CLAIMS
    refresh, locations = path == "/seen-refresh", ["headers"] if path == "/seen-refresh" else None
    assert patched.call_args_list[0] == mock.call(
        locations,
        path == "/seen-fresh",
        refresh=refresh,
        verify_type=path != "/seen-any",
        skip_revocation_check=path == "/seen-any",
    )
    with monkeypatch.context() as patch:
        patch.setattr(view_decorators, "_decode_jwt_from_request", lambda *_args, **_kwargs: RESULT)
        assert client.get(path).json == PATCHED
    assert client.get(path).status_code == (200 if path == "/seen-optional" else 401)


@pytest.mark.parametrize(
    ("error", "path", "status"),
    [
        (exceptions.NoAuthorizationError("none"), "/seen", 401),
        (exceptions.NoAuthorizationError("none"), "/seen-optional", 200),
        (pyjwt.DecodeError("bad"), "/seen", 422),
        (pyjwt.DecodeError("bad"), "/seen-optional", 422),
        (exceptions.RevokedTokenError({}, {}), "/seen", 401),
    ],
)
def test_an_error_of_a_patched_function_is_answered(views: Flask, error: Exception, path: str, status: int) -> None:
    """It is answered like an error of the function itself."""
    token = token_of(views)
    with mock.patch(f"{VIEW_DECORATORS}._decode_jwt_from_request", side_effect=error):
        response = views.test_client().get(path, headers=bearer(token))
    assert response.status_code == status
    if status == 200:
        assert answer_of(response)["identity"] is None


def test_patching_decode_jwt_from_request_leaves_new_requirements_in_force(views: Flask) -> None:
    """Requirements that 4.7 lacks are checked on the claims that the patch returns."""
    client = views.test_client()
    good = {"scope": "read", "roles": ["reader"], "type": "reset"}
    for path, claim in (("/seen-scope", "scope"), ("/seen-role", "roles"), ("/seen-reset", "type")):
        for claims, status in (({}, {"type": 422}.get(claim, 403)), ({claim: good[claim]}, 200)):
            result = ({**CLAIMS, **claims}, *RESULT[1:])
            with mock.patch(f"{VIEW_DECORATORS}._decode_jwt_from_request", return_value=result):
                assert client.get(path).status_code == status


def test_patching_load_user_puts_somebody_there(views: Flask) -> None:
    """The token is verified as usual; no ``user_lookup_loader`` is needed."""
    client, headers = views.test_client(), bearer(token_of(views))
    with mock.patch(f"{VIEW_DECORATORS}._load_user", return_value={"loaded_user": "somebody"}) as patched:
        assert client.get("/seen", headers=headers).json == {"identity": "u", "location": "headers", "user": "somebody"}
        assert [type(each) for each in patched.call_args.args] == [dict, dict]
        assert client.get("/seen").status_code == 401
        assert answer_of(client.get("/seen-optional"))["user"] is None
    with mock.patch(f"{VIEW_DECORATORS}._load_user", return_value=None):
        views.extensions["flask-jwt-extended"].user_lookup_loader(lambda _header, _claims: None)
        assert client.get("/seen", headers=headers).status_code == 200
    assert client.get("/seen", headers=headers).status_code == 401


def refuse(*_told: Any, **_named: Any) -> Any:
    raise exceptions.JWTDecodeError("patched")


def find(*_told: Any) -> tuple[str, None]:
    return FOUND["token"], None


FOUND: dict[str, str] = {}

#: A name, what it is patched with, and what the request is answered with then: without a token, and with a good one.
STEPS: list[tuple[str, Callable[..., Any], str, int, int]] = [
    ("_decode_jwt_from_headers", find, "/seen", 200, 200),
    ("_decode_jwt_from_cookies", find, "/seen", 200, 200),
    ("_decode_jwt_from_query_string", find, "/seen", 200, 200),
    ("_decode_jwt_from_json", find, "/seen", 200, 200),
    ("_decode_jwt_from_headers", refuse, "/seen", 422, 422),
    ("decode_token", lambda *_told: CLAIMS, "/seen", 401, 200),
    ("decode_token", lambda *_told: {}, "/seen", 401, 401),
    ("decode_token", refuse, "/seen", 401, 422),
    ("get_unverified_jwt_headers", lambda _token: {"patched": True}, "/seen", 401, 200),
    ("verify_token_type", refuse, "/seen", 401, 422),
    ("verify_token_type", lambda *_told: None, "/seen-refresh", 401, 200),
    ("_verify_token_is_fresh", lambda *_told: None, "/seen-fresh", 401, 200),
    ("_verify_token_is_fresh", refuse, "/seen-fresh", 401, 422),
    ("verify_token_not_blocklisted", refuse, "/seen", 401, 422),
    ("verify_token_not_blocklisted", refuse, "/seen-any", 401, 200),
    ("custom_verification_for_token", refuse, "/seen", 401, 422),
    ("has_user_lookup", lambda: False, "/seen", 401, 200),
]


@pytest.mark.parametrize(("name", "patch", "path", "anonymous", "authenticated"), STEPS)
def test_patching_a_single_step_replaces_it_alone(
    views: Flask, name: str, patch: Callable[..., Any], path: str, anonymous: int, authenticated: int
) -> None:
    """All other checks are made."""
    token = FOUND["token"] = token_of(views)
    client = views.test_client()
    with mock.patch.object(view_decorators, name, patch):
        assert client.get(path).status_code == anonymous
        assert client.get(path, headers=bearer(token)).status_code == authenticated
        if patch not in (find, refuse) and name != "decode_token":
            assert client.get(path, headers=bearer(token[:-6] + "AAAAAA")).status_code == 422
    assert client.get(path).status_code == 401


def test_patching_user_lookup_replaces_the_loader(views: Flask) -> None:
    """``has_user_lookup`` decides whether it is called."""
    headers = bearer(token_of(views))
    with mock.patch.multiple(
        view_decorators, has_user_lookup=lambda: True, user_lookup=lambda _h, claims: claims["sub"]
    ):
        assert answer_of(views.test_client().get("/seen", headers=headers))["user"] == "u"


def test_patching_request_replaces_what_is_read(views: Flask) -> None:
    """A test without a request patches it with an object that has the attributes it needs."""
    token = token_of(views)
    fake = SimpleNamespace(
        method="GET", headers={"Authorization": f"Bearer {token}"}, cookies={}, args={}, is_json=False, environ={}
    )
    with views.app_context(), mock.patch(f"{VIEW_DECORATORS}.request", fake):
        verify_jwt_in_request()
        assert get_jwt_identity() == "u"
        fake.headers = {}
        with pytest.raises(exceptions.NoAuthorizationError):
            verify_jwt_in_request()


def test_a_request_is_counted_for_several_tokens_while_a_step_is_patched(make_app: MakeApp) -> None:
    """JWT_SINGLE_TOKEN is checked as without the patch."""
    app = make_app(TOKEN_LOCATION=["headers", "query_string"], SINGLE_TOKEN=True)
    token = token_of(app)
    with mock.patch(f"{VIEW_DECORATORS}.user_lookup"):
        client = app.test_client()
        assert client.get("/access", headers=bearer(token)).status_code == 200
        assert client.get(f"/access?jwt={token}", headers=bearer(token)).status_code == 422


def test_a_socket_of_another_origin_is_refused_while_a_step_is_patched(make_app: MakeApp) -> None:
    """The origin of a WebSocket handshake with a cookie is checked too."""
    app = make_app(TOKEN_LOCATION=["cookies"])
    headers = {"Cookie": f"access_token_cookie={token_of(app)}", "Connection": "Upgrade", "Upgrade": "websocket"}
    with mock.patch(f"{VIEW_DECORATORS}.user_lookup"):
        with app.test_request_context(headers={**headers, "Origin": "http://localhost"}):
            assert verify_jwt_in_request()
        evil = app.test_request_context(headers={**headers, "Origin": "https://evil.example"})
        with evil, pytest.raises(exceptions.CSRFError):
            verify_jwt_in_request()


def test_a_single_use_token_passes_once_while_a_step_is_patched(make_app: MakeApp) -> None:
    """Checks that are new in 5.0 are made too."""
    app = make_app(STORE_URI="memory://")
    app.add_url_rule("/reset", "reset", jwt_required(token_type="reset")(lambda: ""))
    with app.app_context():
        token = create_token("reset", "u", single_use=True)
        refresh = create_refresh_token("u")
    with mock.patch(f"{VIEW_DECORATORS}.user_lookup"):
        client = app.test_client()
        assert client.get("/reset", headers=bearer(refresh)).status_code == 422
        assert [client.get("/reset", headers=bearer(token)).status_code for _ in range(2)] == [200, 401]


def test_a_patch_is_noticed_only_while_it_lasts(app: Flask) -> None:
    """Nested patches end one after the other."""
    token = token_of(app)
    for name in ("_load_user", "_decode_jwt_from_request"):
        before = getattr(view_decorators, name)
        with mock.patch.object(view_decorators, name, return_value=RESULT):
            with mock.patch.object(view_decorators, "user_lookup"):
                pass
            assert view_decorators._is_patched
        assert getattr(view_decorators, name) is before
        assert not view_decorators._is_patched
    assert answer_of(app.test_client().get("/access", headers=bearer(token)))["identity"] == "u"


def test_patches_of_the_public_functions_still_work(views: Flask) -> None:
    """They are in the module where 4.7 defines them."""
    with (
        mock.patch(f"{VIEW_DECORATORS}.verify_jwt_in_request"),
        mock.patch("flask_jwt_extended.utils.get_jwt", return_value={"sub": "patched"}),
        views.test_request_context("/"),
    ):
        view_decorators.verify_jwt_in_request()
        assert flask_jwt_extended.get_jwt_identity() == "patched"
        assert request.path == "/"
