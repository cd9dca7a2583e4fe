"""A page and a small JSON API that show the extension at work: ``make demo``.

A browser sends its tokens in cookies, protected by a CSRF token. A program such as curl sends them
in the ``Authorization`` header. Both use the same views. Each login is a session in SQLite, which
its owner can see and end. The signing keys are in a file and can be rotated while the demo runs.
All of it is deleted when the process ends.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

# As a script, the demo imports its other modules from its own folder.
from api import api
from commands import curl_lines, type_keys
from flask import Blueprint, Flask, Response, current_app, jsonify, render_template, request
from flask.json.provider import DefaultJSONProvider
from people import MAX_TEXT, SEEDS, jwt, seed_users
from werkzeug.exceptions import HTTPException
from werkzeug.serving import make_server

from flask_jwt_extended import ConfigurationError, jwt_exempt

# Short, so that you can watch the countdown. Real applications use minutes.
ACCESS_LIFETIME = timedelta(seconds=60)
REFRESH_LIFETIME = timedelta(hours=1)
# Short, so that you do not wait long until theft is detected. The default is ten.
GRACE = 3

LAST_PORT = 65535

page = Blueprint("page", __name__)

# Page and answers -------------------------------------------------------------------------------


@page.get("/")
@jwt_exempt
def index() -> str:
    """Serve the page."""
    return render_template(
        "index.html",
        seeds=SEEDS,
        lines=curl_lines(request.host_url.rstrip("/")),
        seconds=int(ACCESS_LIFETIME.total_seconds()),
        grace=GRACE,
        max_text=MAX_TEXT,
    )


def error_as_json(error: HTTPException) -> Response:
    """Answer 400, 401, 404 and others in the form of the extension's own errors."""
    response = current_app.make_response(error.get_response(request.environ))
    response.data = jsonify(msg=error.description).get_data()
    response.content_type = "application/json"
    return response


def add_security_headers(response: Response) -> Response:
    """Let the page load only its own files, and keep responses of the API out of caches."""
    response.headers["Content-Security-Policy"] = (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    if request.path.startswith("/api/"):
        response.headers["Cache-Control"] = "no-store"
    return response


def name_cookies(response: Response) -> Response:
    """List the names of received and written cookies for the log of the page. Only a demo does this.

    Browsers hide ``Cookie`` and ``Set-Cookie`` from scripts.
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


def create_app(keys: str | None = None, store: str = "memory://") -> Flask:
    """Return the demo, ready to serve.

    :param keys: the file of the signing keys; ``None``: the file that ``FLASK_JWT_KEYS`` names
    :param store: the URI of the store that keeps the sessions
    :raises ConfigurationError: if the store is unknown
    """
    app = Flask(__name__)
    app.config.update(
        JWT_KEYS=keys,
        JWT_JWKS_PATH="/.well-known/jwks.json",
        JWT_STORE_URI=store,
        JWT_REFRESH_GRACE=GRACE,
        # The order counts: if a request has both, its header is used.
        JWT_TOKEN_LOCATION=["headers", "cookies"],
        JWT_ACCESS_TOKEN_EXPIRES=ACCESS_LIFETIME,
        JWT_REFRESH_TOKEN_EXPIRES=REFRESH_LIFETIME,
        JWT_COOKIE_CSRF_PROTECT=True,
        JWT_COOKIE_SAMESITE="Strict",
        # False for plain HTTP on your own machine. Everywhere else: HTTPS and True.
        JWT_COOKIE_SECURE=False,
        # Each token is sent only where it is needed: the refresh token to log in, refresh and log out.
        JWT_ACCESS_COOKIE_PATH="/api",
        JWT_REFRESH_COOKIE_PATH="/api/session",
        MAX_CONTENT_LENGTH=16 * 1024,
    )
    if keys is None:
        app.config.from_prefixed_env()
    app.json = readable_json(app)
    app.extensions["demo-users"] = seed_users()
    jwt.init_app(app)
    jwt.protect(app)  # public views are marked with @jwt_exempt
    app.register_blueprint(api)
    app.register_blueprint(page)
    app.register_error_handler(HTTPException, error_as_json)
    app.after_request(add_security_headers)
    app.after_request(name_cookies)
    return app


def readable_json(app: Flask) -> DefaultJSONProvider:
    """Return a JSON provider for readable output: indented, in the order of the view."""
    provider = DefaultJSONProvider(app)
    provider.compact = False
    provider.sort_keys = False
    return provider


# Command line -----------------------------------------------------------------------------------


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
            f"(Access tokens are valid for {ACCESS_LIFETIME.total_seconds():.0f} seconds here."
            " After that, start again with line 1.)\n",
        ]
    )


def port_number(text: str) -> int:
    """Parse ``--port``."""
    if text.isdecimal() and int(text) <= LAST_PORT:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a port: give a number from 0 to {LAST_PORT}")


def main(arguments: list[str] | None = None) -> None:
    """Serve the demo on this machine only, until Ctrl+C."""
    parser = argparse.ArgumentParser(description="Serve the demo on http://127.0.0.1.")
    parser.add_argument("--port", type=port_number, default=8000, help="0 selects a free port")
    parser.add_argument("--keys", metavar="FILE", type=Path, help="the file of the signing keys; by default a new one")
    parser.add_argument("--store", metavar="URI", help="the store of the sessions; by default a temporary SQLite file")
    options = parser.parse_args(arguments)
    # End on SIGTERM as on Ctrl+C, so that the folder is deleted.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), TemporaryDirectory(prefix="jwt-demo-", ignore_cleanup_errors=True) as folder:
        keys = (options.keys or Path(folder, "keys.json")).resolve()
        serve(options.port, keys, options.store or f"sqlite:///{folder}/jwt.db")


def serve(port: int, keys: Path, store: str) -> None:
    """Serve until interrupted."""
    try:
        type_keys(str(keys), "list" if keys.exists() else "generate")
        app = create_app(str(keys), store)
    except subprocess.CalledProcessError as error:
        sys.exit(f"--keys: {error.stderr.strip().removeprefix('Error: ')}")
    except ConfigurationError as error:
        sys.exit(f"--store: {error}")
    server = make_server("127.0.0.1", port, app, threaded=True)
    print(banner(f"http://127.0.0.1:{server.port}"), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
