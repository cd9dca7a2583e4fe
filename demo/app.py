"""A page and a small JSON API that show the extension at work: ``make demo``.

A browser carries its tokens in cookies, guarded by a CSRF token. A program such as curl carries
them in the ``Authorization`` header. Both reach the same views. Each login is a session, kept in
SQLite, that its owner can see and end. All of it is gone when the process ends.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, cast

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    jsonify,
    render_template,
    request,
)
from flask.json.provider import DefaultJSONProvider
from jwt import InvalidTokenError
from werkzeug.exceptions import BadRequest, HTTPException
from werkzeug.security import check_password_hash, generate_password_hash
from werkzeug.serving import make_server

from flask_jwt_extended import (
    ConfigurationError,
    JWTManager,
    SessionInfo,
    TokenPair,
    current_user,
    end_all_sessions,
    end_session,
    get_jwt,
    get_jwt_header,
    get_jwt_request_location,
    jwt_required,
    list_sessions,
    refresh_session,
    revoke_token,
    set_session_cookies,
    start_session,
    unset_jwt_cookies,
    verify_jwt_in_request,
)
from flask_jwt_extended.exceptions import NoAuthorizationError, RevokedTokenError

# So short that the countdown is worth watching. Real applications choose minutes.
ACCESS_LIFETIME = timedelta(seconds=60)
REFRESH_LIFETIME = timedelta(hours=1)

# RFC 7518, section 3.2: an HS256 key has at least as many bits as the hash, that is 32 bytes.
KEY_BYTES = 32
MAX_TEXT = 200
MAX_LABEL = 40
MAX_NOTES = 10
LAST_PORT = 65535

jwt = JWTManager()
api = Blueprint("api", __name__, url_prefix="/api")
page = Blueprint("page", __name__)


# Users ------------------------------------------------------------------------------------------


@dataclass
class User:
    """Someone who can log in, and the notes they wrote."""

    username: str
    name: str
    password_hash: str
    notes: list[str] = field(default_factory=list)


class Seed(NamedTuple):
    """A user of the demo. The password is no secret: the page and the terminal show it."""

    username: str
    name: str
    password: str


SEEDS = (Seed("ada", "Ada Lovelace", "lovelace"), Seed("grace", "Grace Hopper", "hopper"))

# Hashing is slow on purpose, so it is done once.
HASHES = {seed.username: generate_password_hash(seed.password) for seed in SEEDS}

# Compared with when nobody has the given name, so that the answer takes as long as for a real user and its timing does
# not tell who exists.
NOBODY_HASH = generate_password_hash(secrets.token_hex())


def seed_users() -> dict[str, User]:
    """Return the two users, by name."""
    return {seed.username: User(seed.username, seed.name, HASHES[seed.username]) for seed in SEEDS}


def find_user(username: str) -> User | None:
    """Return the user of this name, if there is one."""
    users = cast("dict[str, User]", current_app.extensions["demo-users"])
    return users.get(username)


@jwt.user_identity_loader
def identity_of(user: User) -> str:
    """Say what stands in the ``sub`` claim when a token is made for ``user``."""
    return user.username


@jwt.user_lookup_loader
def user_of(_header: dict[str, object], claims: dict[str, object]) -> User | None:
    """Find whom ``current_user`` means in a protected view."""
    return find_user(str(claims["sub"]))


# Input ------------------------------------------------------------------------------------------


def text_fields(*names: str) -> list[str]:
    """Return these fields of the JSON body; what is not a line of text is a 400."""
    try:
        body = request.get_json()
    except (BadRequest, RecursionError):  # the second: JSON nested a thousand levels deep
        abort(400, "The body is not valid JSON.")
    if not isinstance(body, dict):
        abort(400, "The body must be a JSON object.")
    return [text_field(name, body.get(name)) for name in names]


def text_field(name: str, value: object) -> str:
    """Return ``value`` if it is one line of printable text, not blank and not too long."""
    if not isinstance(value, str) or not value.isprintable() or value.isspace():
        abort(400, f"{name} must be one line of text.")
    if not 0 < len(value) <= MAX_TEXT:
        abort(400, f"{name} must be 1 to {MAX_TEXT} characters long.")
    return value


def check_password() -> User:
    """Return the user whose name and password the body holds; anything else is a 401.

    A real application also limits how often one may try.
    """
    username, password = text_fields("username", "password")
    user = find_user(username)
    correct = check_password_hash(user.password_hash if user else NOBODY_HASH, password)
    if user is None or not correct:
        abort(401, "Wrong username or password.")
    return user


# Sessions ---------------------------------------------------------------------------------------

# What a User-Agent says, and what people call it. The first that is found counts: Edge says Chrome too.
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
    """Return a name by which its owner will know a session: "Firefox on Linux", "curl"."""
    browser = called(user_agent, BROWSERS) or user_agent.split("/", 1)[0].strip()[:MAX_LABEL] or "Unknown program"
    system = called(user_agent, SYSTEMS)
    return f"{browser} on {system}" if system else browser


def called(user_agent: str, names: dict[str, str]) -> str | None:
    """Return the name of the first mark that a User-Agent has."""
    return next((name for mark, name in names.items() if mark in user_agent), None)


def new_session(user: User) -> TokenPair:
    """Start a session for whoever has just typed a password: its first access token is fresh."""
    label = device_name(request.headers.get("User-Agent", ""))
    return start_session(user, label=label, additional_claims={"name": user.name})


@api.post("/login")
def log_in() -> Response:
    """Give a program both tokens in the body; it sends them in the Authorization header."""
    return jsonify(new_session(check_password()))


@api.post("/session")
def open_session() -> Response:
    """Give a browser both tokens in HttpOnly cookies, and not in the body: no script reads them.

    A form on another site cannot post here and log someone in: a form cannot send JSON.
    """
    user = check_password()
    end_overwritten_session()
    response = jsonify(msg=f"Welcome, {user.name}.")
    set_session_cookies(response, new_session(user))
    return response


def end_overwritten_session() -> None:
    """End the session this browser had: nobody could use it once its cookies are overwritten."""
    token = request.cookies.get(current_app.config["JWT_REFRESH_COOKIE_NAME"])
    if token:
        with suppress(InvalidTokenError):  # of an earlier run, or no token at all
            revoke_token(token)


@api.post("/session/refresh")
@jwt_required(refresh=True)
def refresh() -> Response:
    """Trade a refresh token for the next two tokens, carried the way it came. It is good for one trade."""
    pair = refresh_session()
    if get_jwt_request_location() != "cookies":
        return jsonify(pair)
    response = jsonify(msg="Here are two new tokens.")
    set_session_cookies(response, pair)
    return response


@api.delete("/session")
def log_out() -> Response:
    """End the session and delete the cookies.

    It asks for the refresh token, since whose access token has expired wants to leave too; and where that is missing
    or no longer counts, there is nothing left to end.
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
@jwt_required()
def list_devices() -> Response:
    """List one's own sessions, the youngest first."""
    return devices()


def devices() -> Response:
    """Write the sessions of whoever asks."""
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
@jwt_required()
def end_device(session_id: str) -> Response:
    """End one of one's own sessions; somebody else's is a 404, as if it were not there."""
    if not end_session(session_id):
        abort(404, "You have no such session.")
    return goodbye() if session_id == get_jwt()["sid"] else devices()


@api.delete("/devices")
@jwt_required()
def end_other_devices() -> Response:
    """End all of one's sessions but this one."""
    end_all_sessions(keep_current=True)
    return devices()


# Protected views --------------------------------------------------------------------------------


@api.get("/me")
@jwt_required()
def me() -> Response:
    """Show the token of this request, and the server's clock to measure its expiry with."""
    return jsonify(
        location=get_jwt_request_location(),
        header=get_jwt_header(),
        claims=get_jwt(),
        now=time.time(),
    )


@api.get("/notes")
@jwt_required()
def list_notes() -> Response:
    """Read one's own notes."""
    return jsonify(notes=current_user.notes)


@api.post("/notes")
@jwt_required()
def add_note() -> tuple[Response, int]:
    """Write a note. From a browser this needs the CSRF token, as every change does."""
    notes: list[str] = current_user.notes
    notes.extend(text_fields("text"))
    del notes[:-MAX_NOTES]
    return jsonify(notes=notes), 201


@api.delete("/notes")
@jwt_required(fresh=True)
def delete_notes() -> Response:
    """Delete one's notes. A refreshed token does not do: log in again first."""
    current_user.notes.clear()
    return jsonify(notes=current_user.notes)


# Page and answers -------------------------------------------------------------------------------


@page.get("/")
def index() -> str:
    """Serve the page."""
    return render_template(
        "index.html",
        seeds=SEEDS,
        lines=curl_lines(request.host_url.rstrip("/")),
        seconds=int(ACCESS_LIFETIME.total_seconds()),
        max_text=MAX_TEXT,
    )


def error_as_json(error: HTTPException) -> Response:
    """Answer 400, 401, 404 and the like in the form the extension uses for its own errors."""
    response = current_app.make_response(error.get_response(request.environ))
    response.data = jsonify(msg=error.description).get_data()
    response.content_type = "application/json"
    return response


def add_security_headers(response: Response) -> Response:
    """Let the page load its own files and nothing else; keep the API's answers out of caches."""
    response.headers["Content-Security-Policy"] = (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    if request.path.startswith("/api/"):
        response.headers["Cache-Control"] = "no-store"
    return response


def name_cookies(response: Response) -> Response:
    """Name the cookies that came and went, for the log of the page. Only a demo does this.

    Browsers hide ``Cookie`` and ``Set-Cookie`` from scripts. Here are the names, not the values.
    """
    ours = {
        current_app.config[f"JWT_{kind}_COOKIE_NAME"] for kind in ("ACCESS", "REFRESH", "ACCESS_CSRF", "REFRESH_CSRF")
    }
    received = sorted(ours.intersection(request.cookies))
    written = sorted(line.split("=", 1)[0] for line in response.headers.getlist("Set-Cookie"))
    if received:
        response.headers["Demo-Cookies-Received"] = ", ".join(received)
    if written:
        response.headers["Demo-Cookies-Written"] = ", ".join(written)
    return response


# Application ------------------------------------------------------------------------------------


def create_app(secret: bytes | None = None, store: str = "memory://") -> Flask:
    """Return the demo, ready to serve.

    :param secret: the key that signs; ``None``: a random one
    :param store: the URI of the store that keeps the sessions
    :raises ConfigurationError: if there is no such store
    """
    app = Flask(__name__)
    app.config.update(
        # One process that forgets everything when it ends may invent its key. Several processes,
        # or one whose tokens outlive a restart, must be given the same key from outside.
        JWT_SECRET_KEY=secret or secrets.token_bytes(KEY_BYTES),
        JWT_STORE_URI=store,
        # In this order: a request that has both is judged by its header.
        JWT_TOKEN_LOCATION=["headers", "cookies"],
        JWT_ACCESS_TOKEN_EXPIRES=ACCESS_LIFETIME,
        JWT_REFRESH_TOKEN_EXPIRES=REFRESH_LIFETIME,
        JWT_COOKIE_CSRF_PROTECT=True,
        JWT_COOKIE_SAMESITE="Strict",
        # Plain HTTP, so False. Anywhere but on your own machine: HTTPS and True.
        JWT_COOKIE_SECURE=False,
        # Each token cookie goes only where it is of use: the refresh token to where a session starts, goes on and ends.
        JWT_ACCESS_COOKIE_PATH="/api",
        JWT_REFRESH_COOKIE_PATH="/api/session",
        MAX_CONTENT_LENGTH=16 * 1024,
    )
    app.json = readable_json(app)
    app.extensions["demo-users"] = seed_users()
    jwt.init_app(app)
    app.register_blueprint(api)
    app.register_blueprint(page)
    app.register_error_handler(HTTPException, error_as_json)
    app.after_request(add_security_headers)
    app.after_request(name_cookies)
    return app


def readable_json(app: Flask) -> DefaultJSONProvider:
    """Return a JSON writer for people: indented, in the order the views gave."""
    provider = DefaultJSONProvider(app)
    provider.compact = False
    provider.sort_keys = False
    return provider


# Command line -----------------------------------------------------------------------------------


class Line(NamedTuple):
    """A command to paste into a terminal, and what it shows."""

    purpose: str
    command: str


def curl_lines(address: str) -> list[Line]:
    """Return four commands that show the API from a terminal, to be pasted in this order."""
    seed = SEEDS[0]
    body = f'{{"username": "{seed.username}", "password": "{seed.password}"}}'
    return [
        Line(
            "Log in and keep what comes back: an access token and a refresh token.",
            f"LOGIN=$(curl -sS {address}/api/login -H 'Content-Type: application/json' -d '{body}')",
        ),
        Line(
            "Call a protected endpoint, with the access token in the header.",
            f'TOKEN=$({taken_from_login("access_token")}); curl -sS {address}/api/me -H "Authorization: Bearer $TOKEN"',
        ),
        Line(
            "Without a token the same call is refused: 401.",
            f"curl -sS -i {address}/api/me",
        ),
        Line(
            "Trade the refresh token for the next two. It is good for one trade.",
            f"REFRESH=$({taken_from_login('refresh_token')});"
            f' curl -sS -X POST {address}/api/session/refresh -H "Authorization: Bearer $REFRESH"',
        ),
    ]


def taken_from_login(name: str) -> str:
    """Return a shell command that prints one field of the login's answer."""
    return f"""echo "$LOGIN" | python3 -c 'import json, sys; print(json.load(sys.stdin)["{name}"])'"""


def banner(address: str) -> str:
    """Return what the terminal shows at the start."""
    blocks = [
        f"# {number}. {purpose}\n{command}" for number, (purpose, command) in enumerate(curl_lines(address), start=1)
    ]
    return "\n\n".join(
        [
            f"The demo is on {address} until you press Ctrl+C.",
            "Open it in a browser, or paste these lines into another terminal:",
            *blocks,
            f"(An access token lives {ACCESS_LIFETIME.total_seconds():.0f} seconds here."
            " After that, start again with line 1.)\n",
        ]
    )


def port_number(text: str) -> int:
    """Parse ``--port``."""
    if text.isdecimal() and int(text) <= LAST_PORT:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a port: give a number from 0 to {LAST_PORT}")


def signing_key(text: str) -> bytes:
    """Parse ``--secret``."""
    key = os.fsencode(text)
    if len(key) >= KEY_BYTES:
        return key
    raise argparse.ArgumentTypeError(f"{len(key)} bytes are too few: HS256 needs {KEY_BYTES}")


def main(arguments: list[str] | None = None) -> None:
    """Serve the demo on this machine only, until Ctrl+C."""
    parser = argparse.ArgumentParser(description="Serve the demo on http://127.0.0.1.")
    parser.add_argument("--port", type=port_number, default=8000, help="0 takes a free one")
    parser.add_argument("--secret", type=signing_key, help="the signing key; random when absent")
    parser.add_argument("--store", metavar="URI", help="where sessions are kept; a temporary SQLite file when absent")
    options = parser.parse_args(arguments)
    # kill ends it as Ctrl+C does, or the folder would stay.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), TemporaryDirectory(prefix="jwt-demo-", ignore_cleanup_errors=True) as folder:
        serve(options.port, options.secret, options.store or f"sqlite:///{folder}/jwt.db")


def serve(port: int, secret: bytes | None, store: str) -> None:
    """Serve until interrupted."""
    try:
        app = create_app(secret, store)
    except ConfigurationError as error:
        sys.exit(f"--store: {error}")
    server = make_server("127.0.0.1", port, app, threaded=True)
    print(banner(f"http://127.0.0.1:{server.port}"), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
