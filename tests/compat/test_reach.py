"""Names of 4.7 beside the public ones that applications use: each is as it was."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from unittest import mock

import jwt as pyjwt
import pytest
from flask import Flask, Response, g

import flask_jwt_extended
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    default_callbacks,
    exceptions,
    internal_utils,
    jwt_required,
    typing,
    utils,
    verify_jwt_in_request,
    view_decorators,
)
from flask_jwt_extended.config import config

from ..conftest import PRIVATE_KEYS, SECRET, MakeApp, bearer, pem

# --- config ---------------------------------------------------------------------------------------------------------

#: Every public attribute of 4.7's config object, as it is where nothing but a secret was configured.
DEFAULTS: dict[str, Any] = {
    "access_cookie_name": "access_token_cookie",
    "access_cookie_path": "/",
    "access_csrf_cookie_name": "csrf_access_token",
    "access_csrf_cookie_path": "/",
    "access_csrf_field_name": "csrf_token",
    "access_csrf_header_name": "X-CSRF-TOKEN",
    "access_expires": timedelta(minutes=15),
    "algorithm": "HS256",
    "cookie_csrf_protect": True,
    "cookie_domain": None,
    "cookie_max_age": None,
    "cookie_samesite": None,
    "cookie_secure": False,
    "csrf_check_form": False,
    "csrf_in_cookies": True,
    "csrf_request_methods": ["POST", "PUT", "PATCH", "DELETE"],
    "decode_algorithms": ["HS256"],
    "decode_audience": None,
    "decode_issuer": None,
    "decode_key": SECRET,
    "encode_audience": None,
    "encode_issuer": None,
    "encode_key": SECRET,
    "encode_nbf": True,
    "error_msg_key": "msg",
    "exempt_methods": {"OPTIONS"},
    "header_name": "Authorization",
    "header_type": "Bearer",
    "identity_claim_key": "sub",
    "is_asymmetric": False,
    "json_encoder": internal_utils.JSONEncoder,
    "json_key": "access_token",
    "jwt_in_cookies": False,
    "jwt_in_headers": True,
    "jwt_in_json": False,
    "jwt_in_query_string": False,
    "leeway": 0,
    "query_string_name": "jwt",
    "query_string_value_prefix": "",
    "refresh_cookie_name": "refresh_token_cookie",
    "refresh_cookie_path": "/",
    "refresh_csrf_cookie_name": "csrf_refresh_token",
    "refresh_csrf_cookie_path": "/",
    "refresh_csrf_field_name": "csrf_token",
    "refresh_csrf_header_name": "X-CSRF-TOKEN",
    "refresh_expires": timedelta(days=30),
    "refresh_json_key": "refresh_token",
    "session_cookie": True,
    "token_location": ("headers",),
    "verify_sub": True,
}

ES256_PRIVATE, ES256_PUBLIC = pem(PRIVATE_KEYS["ES256"])

#: An option changed after init_app, and what the attribute reads then.
CHANGED: list[tuple[str, Any, str, Any]] = [
    ("ACCESS_COOKIE_NAME", "a", "access_cookie_name", "a"),
    ("ACCESS_COOKIE_PATH", "/a", "access_cookie_path", "/a"),
    ("ACCESS_CSRF_COOKIE_NAME", "a", "access_csrf_cookie_name", "a"),
    ("ACCESS_CSRF_COOKIE_PATH", "/a", "access_csrf_cookie_path", "/a"),
    ("ACCESS_CSRF_FIELD_NAME", "a", "access_csrf_field_name", "a"),
    ("ACCESS_CSRF_HEADER_NAME", "X-A", "access_csrf_header_name", "X-A"),
    ("ACCESS_TOKEN_EXPIRES", timedelta(1), "access_expires", timedelta(1)),
    ("ACCESS_TOKEN_EXPIRES", 60, "access_expires", timedelta(minutes=1)),
    ("ACCESS_TOKEN_EXPIRES", False, "access_expires", False),
    ("ALGORITHM", "HS512", "algorithm", "HS512"),
    ("ALGORITHM", "HS512", "decode_algorithms", ["HS512"]),
    ("ALGORITHM", "ES256", "is_asymmetric", True),
    ("COOKIE_CSRF_PROTECT", False, "cookie_csrf_protect", False),
    ("COOKIE_DOMAIN", "example.com", "cookie_domain", "example.com"),
    ("COOKIE_SAMESITE", "Lax", "cookie_samesite", "Lax"),
    ("COOKIE_SECURE", True, "cookie_secure", True),
    ("CSRF_CHECK_FORM", True, "csrf_check_form", True),
    ("CSRF_IN_COOKIES", False, "csrf_in_cookies", False),
    ("CSRF_METHODS", ["GET"], "csrf_request_methods", ["GET"]),
    ("DECODE_ALGORITHMS", ["HS384"], "decode_algorithms", ["HS384", "HS256"]),
    ("DECODE_ALGORITHMS", ["HS256", "HS384"], "decode_algorithms", ["HS256", "HS384"]),
    ("DECODE_AUDIENCE", ["me"], "decode_audience", ["me"]),
    ("DECODE_AUDIENCE", "me", "decode_audience", "me"),
    ("DECODE_ISSUER", "me", "decode_issuer", "me"),
    ("DECODE_LEEWAY", 7, "leeway", 7),
    ("ENCODE_AUDIENCE", ["me"], "encode_audience", ["me"]),
    ("ENCODE_ISSUER", "me", "encode_issuer", "me"),
    ("ENCODE_NBF", False, "encode_nbf", False),
    ("ERROR_MESSAGE_KEY", "error", "error_msg_key", "error"),
    ("HEADER_NAME", "X-Auth", "header_name", "X-Auth"),
    ("HEADER_TYPE", "JWT", "header_type", "JWT"),
    ("HEADER_TYPE", "", "header_type", ""),
    ("IDENTITY_CLAIM", "user", "identity_claim_key", "user"),
    ("JSON_KEY", "own", "json_key", "own"),
    ("QUERY_STRING_NAME", "token", "query_string_name", "token"),
    ("QUERY_STRING_VALUE_PREFIX", "Bearer ", "query_string_value_prefix", "Bearer "),
    ("REFRESH_COOKIE_NAME", "r", "refresh_cookie_name", "r"),
    ("REFRESH_COOKIE_PATH", "/r", "refresh_cookie_path", "/r"),
    ("REFRESH_CSRF_COOKIE_NAME", "r", "refresh_csrf_cookie_name", "r"),
    ("REFRESH_CSRF_COOKIE_PATH", "/r", "refresh_csrf_cookie_path", "/r"),
    ("REFRESH_CSRF_FIELD_NAME", "r", "refresh_csrf_field_name", "r"),
    ("REFRESH_CSRF_HEADER_NAME", "X-R", "refresh_csrf_header_name", "X-R"),
    ("REFRESH_JSON_KEY", "own", "refresh_json_key", "own"),
    ("REFRESH_JSON_KEY", ("one", "two"), "refresh_json_key", "one"),
    ("REFRESH_TOKEN_EXPIRES", timedelta(1), "refresh_expires", timedelta(1)),
    ("REFRESH_TOKEN_EXPIRES", 60, "refresh_expires", timedelta(minutes=1)),
    ("SECRET_KEY", "another" * 9, "encode_key", "another" * 9),
    ("SECRET_KEY", "another" * 9, "decode_key", "another" * 9),
    ("SESSION_COOKIE", False, "session_cookie", False),
    ("SESSION_COOKIE", False, "cookie_max_age", 31_540_000),
    ("TOKEN_LOCATION", "json", "token_location", ("json",)),
    ("TOKEN_LOCATION", ["cookies", "json"], "token_location", ["cookies", "json"]),
    ("TOKEN_LOCATION", {"cookies"}, "token_location", {"cookies"}),
    ("TOKEN_LOCATION", ["cookies"], "jwt_in_cookies", True),
    ("TOKEN_LOCATION", ["cookies"], "jwt_in_headers", False),
    ("TOKEN_LOCATION", ["json"], "jwt_in_json", True),
    ("TOKEN_LOCATION", ["query_string"], "jwt_in_query_string", True),
    ("VERIFY_SUB", False, "verify_sub", False),
]


def test_config_reads_the_default_of_every_attribute_of_4_7(app: Flask) -> None:
    """Every attribute of 4.7 has its value."""
    with app.app_context():
        assert {name: getattr(config, name) for name in DEFAULTS} == DEFAULTS


def test_config_follows_a_change_after_init_app(app: Flask) -> None:
    """The view is live, also after it was read, and follows the change back."""
    with app.app_context():
        for option, value, attribute, expected in CHANGED:
            default = app.config[f"JWT_{option}"]
            app.config[f"JWT_{option}"] = value
            assert (attribute, getattr(config, attribute)) == (attribute, expected) != (attribute, DEFAULTS[attribute])
            app.config[f"JWT_{option}"] = default
            assert getattr(config, attribute) == DEFAULTS[attribute]


def test_every_attribute_but_those_that_nothing_changes_is_tried_changed() -> None:
    """The table of changes is complete."""
    assert {attribute for _, _, attribute, _ in CHANGED} == DEFAULTS.keys() - {"exempt_methods", "json_encoder"}


def test_config_reads_the_two_keys_of_an_asymmetric_algorithm(make_app: MakeApp) -> None:
    """The private key signs, the public key verifies."""
    app = make_app(ALGORITHM="ES256", PRIVATE_KEY=ES256_PRIVATE, PUBLIC_KEY=ES256_PUBLIC)
    with app.app_context():
        assert (config.encode_key, config.decode_key) == (ES256_PRIVATE, ES256_PUBLIC)


@pytest.mark.parametrize("attribute", ["encode_key", "decode_key"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"SECRET_KEY": None}, 'JWT_SECRET_KEY or flask SECRET_KEY must be set .* algorithm "HS256"'),
        ({"ALGORITHM": "ES256"}, 'JWT_(PRIVATE|PUBLIC)_KEY must be set .* algorithm "ES256"'),
    ],
)
def test_config_raises_runtime_error_for_a_key_that_is_not_set(
    make_app: MakeApp, attribute: str, options: dict[str, Any], message: str
) -> None:
    """The error and its message are those of 4.7."""
    with make_app(**options).app_context(), pytest.raises(RuntimeError, match=message):
        getattr(config, attribute)


def test_config_falls_back_to_the_secret_of_flask(make_app: MakeApp) -> None:
    """SECRET_KEY is the key if JWT_SECRET_KEY is not set, even if it is set after init_app."""
    app = make_app(SECRET_KEY=None)
    app.config["SECRET_KEY"] = "of Flask" * 8
    with app.app_context():
        assert config.encode_key == config.decode_key == "of Flask" * 8


@pytest.mark.parametrize(
    ("option", "value", "attribute"),
    [
        ("TOKEN_LOCATION", ["cookies", "headers"], "token_location"),
        ("TOKEN_LOCATION", {"cookies", "headers"}, "token_location"),
        ("CSRF_METHODS", ["POST"], "csrf_request_methods"),
        ("CSRF_METHODS", {"POST"}, "csrf_request_methods"),
    ],
)
def test_config_hands_out_the_container_of_the_application(
    make_app: MakeApp, option: str, value: Any, attribute: str
) -> None:
    """It is the very object that the application configured."""
    with make_app(**{option: value}).app_context():
        assert getattr(config, attribute) is value


def test_a_change_in_place_of_the_container_is_seen(make_app: MakeApp) -> None:
    """Appending to a container of config changes the option."""
    app = make_app(TOKEN_LOCATION=["headers"], CSRF_METHODS=["POST"])
    with app.app_context():
        config.token_location.append("query_string")
        config.csrf_request_methods.append("GET")
        assert config.jwt_in_query_string
        token = create_access_token("u")
    assert app.test_client().get(f"/access?jwt={token}").status_code == 200


def test_config_hands_out_a_fresh_list_of_algorithms(make_app: MakeApp) -> None:
    """Changing the list changes neither the option nor the accepted algorithms."""
    algorithms = ["HS384"]
    with make_app(DECODE_ALGORITHMS=algorithms).app_context():
        config.decode_algorithms.append("HS512")
        assert config.decode_algorithms == ["HS384", "HS256"]
        assert config.decode_algorithms is not config.decode_algorithms
    assert algorithms == ["HS384"]


@pytest.mark.parametrize("attribute", ["header_name", "decode_key", "jwt_in_cookies", "leeway", "token_location"])
def test_config_is_read_only(app: Flask, attribute: str) -> None:
    """Setting an attribute raises an error, as in 4.7."""
    with app.app_context():
        try:
            with pytest.raises(AttributeError):
                setattr(config, attribute, "own")
            assert getattr(config, attribute) == DEFAULTS[attribute]
        finally:
            vars(config).pop(attribute, None)


def test_config_has_no_attribute_that_nobody_declared(app: Flask) -> None:
    """An unknown name raises AttributeError, so that hasattr and getattr work."""
    with app.app_context():
        assert not hasattr(config, "attic")


def test_config_reads_the_application_at_hand(make_app: MakeApp) -> None:
    """Each application reads its own options."""
    one, two = make_app(HEADER_NAME="X-One"), make_app(HEADER_NAME="X-Two")
    with one.app_context():
        assert config.header_name == "X-One"
        with two.app_context():
            assert config.header_name == "X-Two"
        assert config.header_name == "X-One"


# --- exceptions -----------------------------------------------------------------------------------------------------

HEADER, CLAIMS = {"alg": "HS256"}, {"sub": "u"}


PLAIN = ("CSRFError", "InvalidHeaderError", "InvalidQueryParamError", "JWTDecodeError", "NoAuthorizationError")


@pytest.mark.parametrize("name", [*PLAIN, "WrongTokenError"])
def test_an_exception_takes_its_message(name: str) -> None:
    """These take a message like any exception, and derive from JWTExtendedException."""
    error = getattr(exceptions, name)("why")
    assert isinstance(error, exceptions.JWTExtendedException)
    assert (str(error), error.args) == ("why", ("why",))


@pytest.mark.parametrize("by_name", [False, True], ids=["by position", "by name"])
@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("FreshTokenRequired", {"message": "why"}, "why"),
        ("UserClaimsVerificationError", {"message": "why"}, "why"),
        ("UserLookupError", {"message": "why"}, "why"),
        ("RevokedTokenError", {}, "Token has been revoked"),
    ],
)
def test_an_exception_of_a_token_takes_its_header_and_claims(
    name: str, arguments: dict[str, Any], message: str, by_name: bool
) -> None:
    """Order and names are those of 4.7. RevokedTokenError has its own message."""
    arguments = {**arguments, "jwt_header": HEADER, "jwt_data": CLAIMS}
    kind: Any = getattr(exceptions, name)
    error = kind(**arguments) if by_name else kind(*arguments.values())
    assert issubclass(kind, exceptions.JWTExtendedException)
    assert (str(error), error.jwt_header, error.jwt_data) == (message, HEADER, CLAIMS)


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (exceptions.CSRFError("why"), 401, "why"),
        (exceptions.InvalidHeaderError("why"), 422, "why"),
        (exceptions.InvalidQueryParamError("why"), 422, "why"),
        (exceptions.JWTDecodeError("why"), 422, "why"),
        (exceptions.NoAuthorizationError("why"), 401, "why"),
        (exceptions.WrongTokenError("why"), 422, "why"),
        (exceptions.RevokedTokenError(HEADER, CLAIMS), 401, "Token has been revoked"),
        (exceptions.FreshTokenRequired("why", HEADER, CLAIMS), 401, "Fresh token required"),
        (exceptions.UserClaimsVerificationError("why", HEADER, CLAIMS), 400, "User claims verification failed"),
        (exceptions.UserLookupError("why", HEADER, CLAIMS), 401, "Error loading the user u"),
        (pyjwt.InvalidTokenError("why"), 422, "why"),
        (pyjwt.ImmatureSignatureError("why"), 422, "why"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_exception_that_a_view_raises_is_answered(app: Flask, error: Exception, status: int, message: str) -> None:
    """Applications may raise them; the registered handlers answer."""

    @app.get("/raises")
    def raises() -> str:
        raise error

    response = app.test_client().get("/raises")
    assert (response.status_code, response.json) == (status, {"msg": message})


# --- internal_utils and typing --------------------------------------------------------------------------------------


def test_get_jwt_manager_returns_the_manager_of_the_application(app: Flask) -> None:
    """It is the one that init_app put among the extensions."""
    with app.app_context():
        assert internal_utils.get_jwt_manager() is app.extensions["flask-jwt-extended"]


def test_get_jwt_manager_raises_runtime_error_where_there_is_none() -> None:
    """The message is that of 4.7."""
    with Flask("bare").app_context(), pytest.raises(RuntimeError, match="must initialize a JWTManager with this flask"):
        internal_utils.get_jwt_manager()


def test_json_encoder_writes_what_the_application_can(app: Flask) -> None:
    """json.dumps serialises with it what the JSON provider of the application does."""
    with app.app_context():
        text = json.dumps({"price": Decimal("1.5"), "day": date(2020, 1, 2)}, cls=internal_utils.JSONEncoder)
        assert json.loads(text) == app.json.loads(app.json.dumps({"price": Decimal("1.5"), "day": date(2020, 1, 2)}))
        with pytest.raises(TypeError, match="not JSON serializable"):
            json.dumps(object(), cls=internal_utils.JSONEncoder)


def test_json_encoder_asks_the_provider_of_the_application(app: Flask) -> None:
    """The encoder and tokens use the ``default`` of the application's JSON provider."""

    class Provider(type(app.json)):  # type: ignore[misc]  # its class is what the application has
        default = staticmethod(lambda value: f"own: {type(value).__name__}")

    app.json_provider_class = Provider
    with app.app_context():
        assert json.dumps({1}, cls=internal_utils.JSONEncoder) == '"own: set"'
        assert utils.decode_token(create_access_token("u", additional_claims={"x": {1}}))["x"] == "own: set"


@pytest.mark.parametrize("name", ["ExpiresDelta", "Fresh"])
def test_typing_has_the_alias_of_4_7(name: str) -> None:
    """Annotations of applications import it."""
    assert timedelta in getattr(typing, name).__args__


def test_view_decorators_has_the_alias_location_type() -> None:
    """4.7 defines it there."""
    alias = vars(view_decorators)["LocationType"]
    assert {str, type(None)} < set(alias.__args__)


# --- default_callbacks ----------------------------------------------------------------------------------------------

#: What a default callback returns for these arguments.
VALUES: list[tuple[str, tuple[Any, ...], Any]] = [
    ("default_additional_claims_callback", ("u",), {}),
    ("default_jwt_headers_callback", ("u",), {}),
    ("default_user_identity_callback", ("u",), "u"),
    ("default_blocklist_callback", (HEADER, CLAIMS), False),
    ("default_token_verification_callback", (HEADER, CLAIMS), True),
    ("default_decode_key_callback", (HEADER, CLAIMS), SECRET),
    ("default_encode_key_callback", ("u",), SECRET),
]
#: Status and message of the answer of a default callback for these arguments.
ANSWERS: list[tuple[str, tuple[Any, ...], int, str]] = [
    ("default_expired_token_callback", (HEADER, CLAIMS), 401, "Token has expired"),
    ("default_invalid_token_callback", ("why",), 422, "why"),
    ("default_unauthorized_callback", ("why",), 401, "why"),
    ("default_needs_fresh_token_callback", (HEADER, CLAIMS), 401, "Fresh token required"),
    ("default_revoked_token_callback", (HEADER, CLAIMS), 401, "Token has been revoked"),
    ("default_user_lookup_error_callback", (HEADER, CLAIMS), 401, "Error loading the user u"),
    ("default_token_verification_failed_callback", (HEADER, CLAIMS), 400, "User claims verification failed"),
]


def test_default_callbacks_are_those_of_4_7() -> None:
    """The two tables are complete."""
    names = {
        name for name, value in vars(default_callbacks).items() if inspect.isfunction(value) and "callback" in name
    }
    assert {name for name, *_ in (*VALUES, *ANSWERS)} == names


@pytest.mark.parametrize(("name", "arguments", "expected"), VALUES)
def test_a_default_callback_returns_what_4_7_returned(
    app: Flask, name: str, arguments: tuple[Any, ...], expected: Any
) -> None:
    """Applications call it from their own loaders."""
    with app.app_context():
        assert getattr(default_callbacks, name)(*arguments) == expected


@pytest.mark.parametrize("name", ["default_additional_claims_callback", "default_jwt_headers_callback"])
def test_a_default_callback_returns_a_dictionary_of_its_own(name: str) -> None:
    """The next call returns an empty dictionary again."""
    callback = getattr(default_callbacks, name)
    callback("u")["own"] = 1
    assert callback("u") == {}


@pytest.mark.parametrize(("name", "arguments", "status", "message"), ANSWERS)
def test_a_default_callback_answers_with_a_response_and_its_status(
    make_app: MakeApp, name: str, arguments: tuple[Any, ...], status: int, message: str
) -> None:
    """Applications unpack the pair to set a header, or return it from a view or a loader."""
    app = make_app(ERROR_MESSAGE_KEY="error")
    with app.test_request_context():
        response, code = getattr(default_callbacks, name)(*arguments)
        assert isinstance(response, Response)
        assert (code, response.json) == (status, {"error": message})
    app.add_url_rule("/answer", "answer", lambda: getattr(default_callbacks, name)(*arguments))
    answer = app.test_client().get("/answer")
    assert (answer.status_code, answer.json) == (status, {"error": message})


def test_a_loader_can_defer_to_the_default_callback(app: Flask) -> None:
    """The application may log the refusal and return the default answer."""
    seen: list[str] = []

    @app.extensions["flask-jwt-extended"].unauthorized_loader  # type: ignore[untyped-decorator]
    def answer(message: str) -> Any:
        seen.append(message)
        return default_callbacks.default_unauthorized_callback(message)

    response = app.test_client().get("/access")
    assert (response.status_code, response.json) == (401, {"msg": "Missing Authorization Header"})
    assert seen == ["Missing Authorization Header"]


# --- patches --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("locations", [None, "headers", ["headers", "cookies"]])
def test_patching_verify_jwt_in_request_opens_views_that_are_decorated_already(app: Flask, locations: Any) -> None:
    """jwt_required looks the function up in its module at each request, and passes its six arguments in order."""
    app.add_url_rule("/closed", "closed", jwt_required(True, locations=locations)(lambda: "passed"))
    client = app.test_client()
    with mock.patch("flask_jwt_extended.view_decorators.verify_jwt_in_request") as verify:
        assert client.get("/closed").text == "passed"
    arguments = (
        inspect.signature(verify_jwt_in_request).bind(*verify.call_args.args, **verify.call_args.kwargs).arguments
    )
    assert arguments == {
        "optional": True,
        "fresh": False,
        "refresh": False,
        "locations": locations,
        "verify_type": True,
        "skip_revocation_check": False,
    }
    assert client.get("/access").status_code == 401


def test_patching_verify_jwt_in_request_to_raise_closes_views(app: Flask) -> None:
    """An error of the patch is answered like one of the function."""
    error = exceptions.NoAuthorizationError("patched")
    with mock.patch("flask_jwt_extended.view_decorators.verify_jwt_in_request", side_effect=error):
        response = app.test_client().get("/optional")
    assert (response.status_code, response.json) == (401, {"msg": "patched"})


def test_patching_get_jwt_changes_what_the_other_functions_see(app: Flask) -> None:
    """The identity and the user are read through it."""
    with app.test_request_context(), mock.patch("flask_jwt_extended.utils.get_jwt", return_value={"sub": "patched"}):
        assert flask_jwt_extended.get_jwt_identity() == "patched"
        g._jwt_extended_jwt_user = {"loaded_user": "somebody"}
        assert flask_jwt_extended.get_current_user() == "somebody"


def test_patching_both_makes_a_protected_view_see_the_patched_identity(app: Flask) -> None:
    """Tests of applications log a user in this way."""
    app.add_url_rule("/who", "who", jwt_required()(lambda: flask_jwt_extended.get_jwt_identity()))
    with (
        mock.patch("flask_jwt_extended.view_decorators.verify_jwt_in_request"),
        mock.patch("flask_jwt_extended.utils.get_jwt", return_value={"sub": "patched"}),
    ):
        response = app.test_client().get("/who")
    assert (response.status_code, response.text) == (200, "patched")


def test_patching_get_jwt_identity_changes_it_where_it_is_defined(app: Flask) -> None:
    """A call through the module sees the patch; a name that was imported before does not."""
    with app.test_request_context(), mock.patch("flask_jwt_extended.utils.get_jwt_identity", return_value="patched"):
        assert utils.get_jwt_identity() == "patched"
        with pytest.raises(RuntimeError, match="You must call"):
            flask_jwt_extended.get_jwt_identity()


def test_patching_get_current_user_changes_current_user(app: Flask) -> None:
    """The proxy calls the function at each use."""
    with app.test_request_context(), mock.patch("flask_jwt_extended.utils.get_current_user", return_value="patched"):
        assert flask_jwt_extended.current_user == "patched"


# --- g --------------------------------------------------------------------------------------------------------------

REMEMBERED = (
    "_jwt_extended_jwt",
    "_jwt_extended_jwt_header",
    "_jwt_extended_jwt_user",
    "_jwt_extended_jwt_location",
)


def remembered() -> tuple[Any, ...]:
    """The values under the names of 4.7; ``...`` for those that are not set."""
    return tuple(g.get(name, ...) for name in REMEMBERED)


@pytest.mark.parametrize("user", [None, "somebody"])
def test_g_keeps_the_token_of_the_request(app: Flask, user: str | None) -> None:
    """It keeps claims, header, user and location. The user is a dictionary, or None without a user_lookup_loader."""
    manager: JWTManager = app.extensions["flask-jwt-extended"]
    if user:
        manager.user_lookup_loader(lambda _header, _claims: user)
    with app.app_context():
        token = create_access_token("u", additional_headers={"kid": "k"})
    with app.test_request_context(headers=bearer(token)):
        verified = verify_jwt_in_request()
        assert verified is not None
        header, claims = verified
        assert remembered() == (claims, header, {"loaded_user": user} if user else None, "headers")
        assert claims["sub"] == "u"
        assert header == {"alg": "HS256", "typ": "JWT", "kid": "k"}
        assert g._jwt_extended_jwt is flask_jwt_extended.get_jwt()


@pytest.mark.parametrize(
    ("location", "request_"),
    [
        ("headers", lambda token: {"headers": bearer(token)}),
        ("cookies", lambda token: {"headers": {"Cookie": f"access_token_cookie={token}"}}),
        ("query_string", lambda token: {"query_string": {"jwt": token}}),
        ("json", lambda token: {"json": {"access_token": token}}),
    ],
)
def test_g_keeps_the_location_by_its_name(
    make_app: MakeApp, location: str, request_: Callable[[str], dict[str, Any]]
) -> None:
    """It is the name in JWT_TOKEN_LOCATION."""
    app = make_app(TOKEN_LOCATION=["headers", "cookies", "query_string", "json"])
    with app.app_context():
        token = create_access_token("u")
    with app.test_request_context(**request_(token)):
        verify_jwt_in_request()
        assert g._jwt_extended_jwt_location == location


def test_g_keeps_empty_values_for_an_anonymous_request(app: Flask) -> None:
    """The user is None, not missing."""
    with app.test_request_context():
        verify_jwt_in_request(optional=True)
        assert remembered() == ({}, {}, {"loaded_user": None}, None)


@pytest.mark.parametrize("loader", ["token_in_blocklist", "token_verification", "user_lookup"])
def test_g_keeps_nothing_of_a_request_that_is_refused(app: Flask, loader: str) -> None:
    """It keeps nothing even if the last loader refuses."""
    answer = True if loader == "token_in_blocklist" else None
    getattr(app.extensions["flask-jwt-extended"], f"{loader}_loader")(lambda _header, _claims: answer)
    with app.app_context():
        token = create_access_token("u")
    with app.test_request_context(headers=bearer(token)):
        with pytest.raises(exceptions.JWTExtendedException):
            verify_jwt_in_request()
        assert remembered() == (..., ..., ..., ...)


def test_what_a_test_puts_into_g_is_what_the_functions_return(app: Flask) -> None:
    """Tests of applications log in this way."""
    with app.test_request_context():
        g._jwt_extended_jwt = {"sub": "written"}
        g._jwt_extended_jwt_header = {"kid": "written"}
        g._jwt_extended_jwt_user = {"loaded_user": "somebody"}
        g._jwt_extended_jwt_location = "cookies"
        assert flask_jwt_extended.get_jwt_identity() == "written"
        assert flask_jwt_extended.get_jwt_header() == {"kid": "written"}
        assert flask_jwt_extended.current_user == "somebody"
        assert flask_jwt_extended.get_jwt_request_location() == "cookies"


# --- the manager ----------------------------------------------------------------------------------------------------


def test_the_manager_is_an_extension_of_its_application() -> None:
    """It has the name of 4.7. One manager may serve several applications."""
    one, two = Flask("one"), Flask("two")
    manager = JWTManager(one)
    manager.init_app(two)
    assert one.extensions["flask-jwt-extended"] is two.extensions["flask-jwt-extended"] is manager


def test_the_callbacks_of_a_manager_without_loaders_are_the_defaults(app: Flask) -> None:
    """The keys are those of the configuration; no user is looked up."""
    manager: Any = app.extensions["flask-jwt-extended"]
    with app.app_context():
        assert manager._decode_key_callback(HEADER, CLAIMS) == SECRET
        assert manager._encode_key_callback("u") == SECRET
        assert manager._user_lookup_callback is None


def test_the_key_callbacks_of_a_manager_follow_the_application_at_hand() -> None:
    """One manager bound to two applications finds the keys of each, whichever was bound last."""
    manager: Any = JWTManager()
    apps = [Flask("one"), Flask("two")]
    for app in apps:
        app.config["JWT_SECRET_KEY"] = f"the secret of {app.name}, long enough for every HMAC: 64 bytes or more"
        manager.init_app(app)
    for app in apps:
        with app.app_context():
            keys = {manager._decode_key_callback(HEADER, CLAIMS), manager._encode_key_callback("u")}
            assert keys == {app.config["JWT_SECRET_KEY"]}


# --- the error handlers ---------------------------------------------------------------------------------------------

SIXTEEN = {
    exceptions.CSRFError,
    exceptions.FreshTokenRequired,
    exceptions.InvalidHeaderError,
    exceptions.InvalidQueryParamError,
    exceptions.JWTDecodeError,
    exceptions.NoAuthorizationError,
    exceptions.RevokedTokenError,
    exceptions.UserClaimsVerificationError,
    exceptions.UserLookupError,
    exceptions.WrongTokenError,
    pyjwt.DecodeError,
    pyjwt.ExpiredSignatureError,
    pyjwt.InvalidAudienceError,
    pyjwt.InvalidIssuerError,
    pyjwt.InvalidTokenError,
    pyjwt.MissingRequiredClaimError,
}


def test_sixteen_exception_classes_have_a_handler_of_the_application(app: Flask) -> None:
    """Another number would change which of an application's handlers answers."""
    assert len(SIXTEEN) == 16
    assert app.error_handler_spec[None].keys() == {None}
    assert app.error_handler_spec[None][None].keys() == SIXTEEN


def test_the_same_sixteen_are_registered_on_what_a_caller_passes(app: Flask) -> None:
    """``_set_error_handler_callbacks`` takes any object with an ``errorhandler``, such as the Api of flask-restx."""
    api = mock.Mock(spec=["errorhandler"])
    app.extensions["flask-jwt-extended"]._set_error_handler_callbacks(api)
    assert {call.args[0] for call in api.errorhandler.call_args_list} == SIXTEEN
    assert api.errorhandler.call_count == 16
