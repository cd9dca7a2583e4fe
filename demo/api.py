"""The API of the demo: sessions, devices, notes, a theft, keys and the audit."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from commands import rotate_keys
from flask import Blueprint, Response, abort, current_app, jsonify, request
from jwt import InvalidTokenError
from people import User, check_password, find_user, text_fields

from flask_jwt_extended import (
    SessionInfo,
    TokenPair,
    create_access_token,
    current_user,
    end_all_sessions,
    end_session,
    get_jwt,
    get_jwt_header,
    get_jwt_request_location,
    get_unverified_jwt_headers,
    jwt_exempt,
    jwt_required,
    list_sessions,
    refresh_session,
    set_session_cookies,
    start_session,
    unset_jwt_cookies,
    verify_jwt_in_request,
)
from flask_jwt_extended.audit import routes
from flask_jwt_extended.exceptions import NoAuthorizationError, RevokedTokenError

MAX_LABEL = 40
MAX_NOTES = 10

api = Blueprint("api", __name__, url_prefix="/api")

# Sessions ---------------------------------------------------------------------------------------

# A part of the User-Agent, and the usual name. The first match counts, because Edge also contains "Chrome".
BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "Chrome/": "Chrome",
    "CriOS/": "Chrome",
    "Safari/": "Safari",
}
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}


def device_name(user_agent: str) -> str:
    """Return a name that users recognise: "Firefox on Linux", "curl"."""
    browser = called(user_agent, BROWSERS) or user_agent.split("/", 1)[0].strip()[:MAX_LABEL] or "Unknown program"
    system = called(user_agent, SYSTEMS)
    return f"{browser} on {system}" if system else browser


def called(user_agent: str, names: dict[str, str]) -> str | None:
    """Return the name of the first match in a User-Agent."""
    return next((name for mark, name in names.items() if mark in user_agent), None)


def new_session(user: User, *, keep_previous: bool = False) -> TokenPair:
    """Start a session for a user who has just typed a password: its first access token is fresh.

    It replaces the browser's previous session, unless ``keep_previous`` is set.
    """
    label = device_name(request.headers.get("User-Agent", ""))
    claims = {"name": user.name, "roles": user.roles}
    return start_session(user, label=label, additional_claims=claims, keep_previous=keep_previous)


@api.post("/login")
@jwt_exempt
def log_in() -> Response:
    """Log in a program: both tokens are in the body, for the Authorization header."""
    return jsonify(new_session(check_password(), keep_previous=True))  # this request may have the cookies of a browser


@api.post("/session")
@jwt_exempt
def open_session() -> Response:
    """Log in a browser: both tokens are in HttpOnly cookies, which no script can read.

    A form on another site cannot log a user in here, because forms cannot send JSON.
    """
    user = check_password()
    response = jsonify(msg=f"Welcome, {user.name}.")
    set_session_cookies(response, new_session(user))
    return response


@api.post("/session/refresh")
@jwt_required(refresh=True)
def refresh() -> Response:
    """Exchange a refresh token for two new tokens, sent back in the same way. It is single-use."""
    pair = refresh_session()
    if get_jwt_request_location() != "cookies":
        return jsonify(pair)
    response = jsonify(msg="Here are two new tokens.")
    set_session_cookies(response, pair)
    return response


@api.delete("/session")
@jwt_exempt
def log_out() -> Response:
    """End the session and delete the cookies.

    The refresh token is enough, so that users can log out after their access token has expired. If it is missing or
    invalid, there is no session to end.
    """
    with suppress(NoAuthorizationError, RevokedTokenError, InvalidTokenError):
        verify_jwt_in_request(refresh=True)
        end_session()
    return goodbye()


def goodbye() -> Response:
    """Tell a browser to delete the cookies."""
    response = jsonify(msg="Goodbye.")
    unset_jwt_cookies(response)
    return response


@api.get("/devices")
def list_devices() -> Response:
    """List your own sessions, newest first."""
    return devices()


def devices() -> Response:
    """Return the sessions of the current user."""
    return jsonify(devices=[device(session) for session in list_sessions()])


def device(session: SessionInfo) -> dict[str, Any]:
    """Return what the page shows of a session. Times are seconds since the epoch, as in a token."""
    return {
        "id": session.session_id,
        "label": session.label,
        "browser": session.user_agent,
        "address": session.address,
        "started": session.created_at.timestamp(),
        "refreshed": session.last_refreshed_at.timestamp(),
        "current": session.current,
    }


@api.delete("/devices/<session_id>")
def end_device(session_id: str) -> Response:
    """End one of your own sessions. Sessions of other users are a 404."""
    if not end_session(session_id):
        abort(404, "You have no such session.")
    return goodbye() if session_id == get_jwt()["sid"] else devices()


@api.delete("/devices")
def end_other_devices() -> Response:
    """End all of your sessions except this one."""
    end_all_sessions(keep_current=True)
    return devices()


# Notes ------------------------------------------------------------------------------------------


@api.get("/me")
def me() -> Response:
    """Show the token of this request, and the server's time to compare its expiry with."""
    return jsonify(
        location=get_jwt_request_location(),
        header=get_jwt_header(),
        claims=get_jwt(),
        now=time.time(),
    )


@api.get("/notes")
def list_notes() -> Response:
    """Read your own notes."""
    return jsonify(notes=current_user.notes)


@api.post("/notes")
def add_note() -> tuple[Response, int]:
    """Write a note. From a browser this needs the CSRF token, as every change does."""
    notes: list[str] = current_user.notes
    notes.extend(text_fields("text"))
    del notes[:-MAX_NOTES]
    return jsonify(notes=notes), 201


@api.delete("/notes")
@jwt_required(fresh=True)
def delete_notes() -> Response:
    """Delete your notes. This needs a fresh token: log in again first."""
    current_user.notes.clear()
    return jsonify(notes=current_user.notes)


# A theft ----------------------------------------------------------------------------------------


@api.post("/session/theft")
@jwt_required(refresh=True)
def hand_over() -> Response:
    """Return the refresh token of this request, so that the page can act as the thief. Only a demo does this."""
    return jsonify(refresh_token=request.cookies[current_app.config["JWT_REFRESH_COOKIE_NAME"]])


# Keys and routes --------------------------------------------------------------------------------


@api.get("/keys")
@jwt_exempt
def signing_key() -> Response:
    """Return the kid of the signing key. All published keys are at ``/.well-known/jwks.json``."""
    return jsonify(signs=get_unverified_jwt_headers(create_access_token(find_user("ada")))["kid"])


@api.post("/keys")
@jwt_required(roles="keeper of keys")
def rotate() -> Response:
    """Rotate the keys as an operator does: another process changes the key file."""
    return jsonify(terminal=rotate_keys(current_app.config["JWT_KEYS"]))


@api.get("/routes")
@jwt_exempt
def audit() -> Response:
    """List what each route requires, read from the decorators: what ``flask jwt routes`` prints."""
    return jsonify(routes=[route._asdict() for route in routes()])
