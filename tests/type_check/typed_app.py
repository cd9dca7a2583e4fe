"""The public API as an application uses it. mypy in strict mode and pyright accept this file as it is.

An assignment with a declared type claims what the right-hand side is. A line that a user should not be able to write
ends in an ignore with its code: mypy complains about one that is not needed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import jwt as pyjwt
from flask import Blueprint, Flask, Response, jsonify
from flask.typing import ResponseReturnValue

from flask_jwt_extended import (
    ConfigurationError,
    JWTManager,
    SessionInfo,
    TokenPair,
    all_of,
    create_access_token,
    create_refresh_token,
    create_token,
    current_user,
    decode_token,
    end_all_sessions,
    end_session,
    get_csrf_token,
    get_current_user,
    get_jti,
    get_jwt,
    get_jwt_header,
    get_jwt_identity,
    get_jwt_request_location,
    get_unverified_jwt_headers,
    has_scope,
    jwt_exempt,
    jwt_required,
    list_sessions,
    refresh_expiring_cookies,
    refresh_session,
    revoke_token,
    set_access_cookies,
    set_refresh_cookies,
    set_session_cookies,
    start_session,
    unset_access_cookies,
    unset_jwt_cookies,
    unset_refresh_cookies,
    verify_jwt_in_request,
)
from flask_jwt_extended.exceptions import (
    JWTExtendedException,
    RefreshTokenReusedError,
    RevokedTokenError,
    SessionEndedError,
    StoreUnavailableError,
)

app = Flask(__name__)
pages = Blueprint("pages", __name__)
jwt = JWTManager(app)
factory_made = JWTManager()
factory_made.init_app(app, add_context_processor=True)


class User:
    """A row of the users table."""

    id: int
    name: str


# --- views keep their signature -------------------------------------------------------------------------------------


@app.get("/users/<int:user_id>")
@jwt_required()
def show_user(user_id: int, verbose: bool = False) -> Response:
    """A view with arguments."""
    return jsonify(id=user_id, verbose=verbose)


@pages.post("/tokens")
@jwt_required(refresh=True, locations=["cookies", "headers"], verify_type=True, skip_revocation_check=False)
def refresh() -> dict[str, str]:
    """A view with every argument of the decorator by name."""
    return {"access_token": create_access_token(get_jwt_identity(), fresh=False)}


@app.get("/slow")
@jwt_required(optional=True, locations="headers")
async def slow(page: int) -> str:
    """A coroutine function."""
    return str(page)


@jwt_required(False, True, False, ("headers",), True, False)
def positional() -> tuple[str, int]:
    """Every argument of the decorator by position."""
    return "", 204


kept: Callable[[int, bool], Response] = show_user
kept_without_arguments: Callable[[], dict[str, str]] = refresh
kept_coroutine: Callable[[int], Awaitable[str]] = slow
kept_tuple: Callable[[], tuple[str, int]] = positional
answer: Response = show_user(5, verbose=True)

show_user("five")  # type: ignore[arg-type]
show_user(5, loud=True)  # type: ignore[call-arg]
refresh(1)  # type: ignore[call-arg]
changed: Callable[[], Response] = show_user  # type: ignore[assignment]
wrong_answer: str = show_user(5)  # type: ignore[assignment]


@jwt_required(fresh="yes")  # type: ignore[arg-type]
def fresh_of_another_type() -> str:
    """Demands have types."""
    return ""


@jwt_required(scopes=5)  # type: ignore[arg-type]
def scopes_of_another_type() -> str:
    """Scopes are strings."""
    return ""


@jwt_required(optional="if_valid")  # type: ignore[arg-type]
def misspelt_leave() -> str:
    """There is one word."""
    return ""


jwt_exempt(5)  # type: ignore[type-var]
create_token(5, "ada")  # type: ignore[arg-type]
create_token("invite", "ada", 60)  # type: ignore[call-arg]


@jwt_required(scope="admin")  # type: ignore[call-arg]
def unknown_demand() -> str:
    """And names."""
    return ""


@jwt_required(locations=[b"headers"])  # type: ignore[list-item]
def locations_of_another_type() -> str:
    """Locations are strings."""
    return ""


@jwt_required  # type: ignore[arg-type]
def forgotten_parentheses() -> str:
    """The commonest mistake of all."""
    return ""


@app.post("/orders/<int:order>")
@jwt_required(scopes=all_of("orders:read", "orders:write"), roles=["clerk"], max_age=timedelta(minutes=5), acr="gold")
def pay(order: int) -> Response:
    """Demands leave the signature alone."""
    return jsonify(order=order, may=has_scope("orders:write"))


@app.get("/health")
@jwt_exempt
def health(deep: bool = False) -> str:
    """So does being exempt."""
    return "well"


paid: Response = pay(5)
well: str = health(deep=True)
invitation: str = create_token("invite", "ada", expires_delta=60, single_use=True, additional_claims={"to": "x"})
pay("five")  # type: ignore[arg-type]
health(deep="very")  # type: ignore[arg-type]


@jwt_required(optional="if-valid", token_type="invite", report_only=True, scopes=("a", "b"), max_age=60)
def invited() -> str:
    """Every other demand."""
    return ""


# --- tokens ---------------------------------------------------------------------------------------------------------

access: str = create_access_token("me")
from_object: str = create_access_token(User(), fresh=timedelta(minutes=5), expires_delta=timedelta(hours=1))
for_seconds: str = create_access_token(5, True, 60, {"role": "admin"}, {"kid": "k"})
for_ever: str = create_refresh_token("me", expires_delta=False, additional_claims={"a": 1}, additional_headers={})

create_access_token()  # type: ignore[call-arg]
create_access_token("me", expires_delta="1h")  # type: ignore[arg-type]
create_access_token("me", expires_delta=True)  # an int to type checkers, refused when called
create_access_token("me", additional_claims=[("a", 1)])  # type: ignore[arg-type]
create_refresh_token("me", fresh=True)  # type: ignore[call-arg]
create_access_token("me").decode()  # type: ignore[attr-defined]

claims: dict[str, Any] = decode_token(access, csrf_value=None, allow_expired=True)
header: dict[str, Any] = get_unverified_jwt_headers(access)
csrf: str = get_csrf_token(access)
identifier: str | None = get_jti(access)

length: int = len(get_jti(access))  # type: ignore[arg-type]
decode_token(b"bytes")  # type: ignore[arg-type]
decode_token(access, allow_expired="yes")  # type: ignore[arg-type]


# --- the request ----------------------------------------------------------------------------------------------------


@app.get("/me")
@jwt_required()
def me() -> ResponseReturnValue:
    """Everything that is known about the token of a request."""
    location: str | None = get_jwt_request_location()
    whole: dict[str, Any] = get_jwt()
    its_header: dict[str, Any] = get_jwt_header()
    user: User = get_current_user()
    name: str = current_user.name
    return {"location": location, "claims": whole, "header": its_header, "user": [user.id, name]}


verified: tuple[dict[str, Any], dict[str, Any]] | None = verify_jwt_in_request(optional=True, locations=("headers",))
verified_header, _ = verify_jwt_in_request()  # type: ignore[misc]
verify_jwt_in_request(fresh=1.5)  # type: ignore[arg-type]

# --- cookies --------------------------------------------------------------------------------------------------------

set_access_cookies(answer, access, max_age=60, domain="example.com")
set_refresh_cookies(answer, for_ever)
unset_access_cookies(answer)
unset_refresh_cookies(answer, domain="example.com")
unset_jwt_cookies(answer)

set_access_cookies(access, answer)  # type: ignore[arg-type]
set_refresh_cookies(answer, for_ever, max_age="60")  # type: ignore[arg-type]
unset_jwt_cookies()  # type: ignore[call-arg]

# --- sessions -------------------------------------------------------------------------------------------------------


@app.post("/login")
def login() -> Response:
    """A login, with everything that can be said of it."""
    pair = start_session(
        User(), fresh=timedelta(minutes=5), additional_claims={"role": "admin"}, label="phone", keep_previous=True
    )
    response = jsonify(pair)
    set_session_cookies(response, pair)
    return response


@app.post("/sessions/refresh")
@jwt_required(refresh=True)
def next_pair() -> Response:
    """A refresh."""
    pair: TokenPair = refresh_session()
    texts: list[str] = [pair.access_token, pair.refresh_token, pair.session_id]
    return jsonify(texts)


app.after_request(refresh_expiring_cookies)
renewed: Response = refresh_expiring_cookies(answer, within=timedelta(minutes=5))

sessions: list[SessionInfo] = list_sessions()
labels: list[str | None] = [each.label for each in list_sessions(User())]
times: list[datetime] = [sessions[0].created_at, sessions[0].last_refreshed_at]
ends: datetime | None = sessions[0].expires_at
is_this_one: bool = sessions[0].current
was_there: bool = end_session() and end_session("id") and end_session(session_id=sessions[0].session_id)
how_many: int = end_all_sessions() + end_all_sessions(User(), keep_current=True)
was_news: bool = revoke_token() and revoke_token(access)

start_session()  # type: ignore[call-arg]
start_session("me", True)  # type: ignore[call-arg]
start_session("me", fresh="yes")  # type: ignore[arg-type]
start_session("me", additional_claims=[("a", 1)])  # type: ignore[arg-type]
start_session("me", label=5)  # type: ignore[arg-type]
start_session("me").access_token = ""  # type: ignore[misc]
refresh_session("me")  # type: ignore[call-arg]
set_session_cookies(answer, access)  # type: ignore[arg-type]
refresh_expiring_cookies(answer, within=60)  # type: ignore[arg-type]
end_session(5)  # type: ignore[arg-type]
end_all_sessions("me", True)  # type: ignore[call-arg]
end_sooner: datetime = sessions[0].expires_at  # type: ignore[assignment]
revoke_token(b"bytes")  # type: ignore[arg-type]

# --- loaders --------------------------------------------------------------------------------------------------------


@jwt.user_identity_loader
def identity_of(user: User) -> str:
    """The identity of a user."""
    return str(user.id)


@jwt.user_lookup_loader
async def find_user(jwt_header: dict[str, Any], jwt_data: dict[str, Any]) -> User | None:
    """The user of a token, found asynchronously."""
    return None


@jwt.user_lookup_error_loader
@jwt.expired_token_loader
@jwt.needs_fresh_token_loader
@jwt.revoked_token_loader
@jwt.token_verification_failed_loader
def refused(jwt_header: dict[str, Any], jwt_data: dict[str, Any]) -> ResponseReturnValue:
    """The answer to a token that may not pass."""
    return {"error": jwt_data["sub"]}, 401


@jwt.invalid_token_loader
@jwt.unauthorized_loader
def answered(message: str) -> tuple[Response, int]:
    """The answer to a request without a valid token."""
    return jsonify(error=message), 401


@jwt.token_in_blocklist_loader
@jwt.token_verification_loader
def judged(jwt_header: dict[str, Any], jwt_data: dict[str, Any]) -> bool:
    """A yes or no about a token."""
    return jwt_data["jti"] is None


@jwt.additional_claims_loader
@jwt.additional_headers_loader
def added(identity: str) -> dict[str, Any]:
    """What is added to each token."""
    return {"for": identity}


@jwt.encode_key_loader
def signing_key(identity: str) -> str:
    """The key of a tenant."""
    return identity


@jwt.decode_key_loader
async def verifying_key(jwt_header: dict[str, Any], jwt_data: dict[str, Any]) -> bytes:
    """The key of a tenant, found asynchronously."""
    return b""


# A loader stays the function it was.
still_a_loader: Callable[[User], str] = identity_of
still_a_coroutine: Callable[[dict[str, Any], dict[str, Any]], Awaitable[User | None]] = find_user
still_an_answer: Callable[[str], tuple[Response, int]] = answered


@jwt.token_in_blocklist_loader  # type: ignore[type-var]
def wrong_number_of_arguments(jwt_data: dict[str, Any]) -> bool:
    """A loader that cannot be called as it will be."""
    return True


@jwt.additional_claims_loader  # type: ignore[type-var]
def wrong_result(identity: str) -> list[str]:
    """A loader whose result cannot be used."""
    return [identity]


@jwt.invalid_token_loader  # type: ignore[type-var]
def wrong_argument(message: bytes) -> str:
    """A loader for something it is not given."""
    return message.decode()


# --- errors ---------------------------------------------------------------------------------------------------------


def describe(error: Exception) -> str:
    """What an error handler of an application can rely on."""
    if isinstance(error, StoreUnavailableError):
        reason: str = error.reason
        return reason
    if isinstance(error, (SessionEndedError, RefreshTokenReusedError)):
        whose: dict[str, Any] = error.jwt_data
        return f"{whose['sid']} {error.jwt_header}"
    if isinstance(error, RevokedTokenError):
        revoked: dict[str, Any] = error.jwt_data
        return str(revoked)
    if isinstance(error, JWTExtendedException):
        code: str = error.code
        status: int = error.status
        return f"{code} {status}"
    if isinstance(error, (pyjwt.InvalidTokenError, ConfigurationError)):
        return str(error)
    return ""
