# mypy: disable-error-code="import-untyped,misc,untyped-decorator"
# The libraries have no types.
"""An application with a WebSocket that is protected in one of many ways. Gunicorn can import it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flask_sock
import simple_websocket
from flask import Blueprint, Flask, request

from flask_jwt_extended import JWTManager, get_jwt_identity, jwt_required, verify_jwt_in_request
from flask_jwt_extended.sockets import sock_required

from ..conftest import SECRET


def make_echo() -> Callable[[Any], None]:
    """Make a handler that greets the user, then sends everything back. Decorators leave marks on it."""

    def echo(ws: Any) -> None:
        ws.send(get_jwt_identity())
        while True:
            ws.send(ws.receive())

    return echo


def by_decorator(app: Flask, _jwt: JWTManager) -> None:
    flask_sock.Sock(app).route("/ws")(jwt_required()(make_echo()))


def by_sock_required(app: Flask, _jwt: JWTManager) -> None:
    flask_sock.Sock(app).route("/ws")(sock_required()(make_echo()))


def by_protect(app: Flask, jwt: JWTManager) -> None:
    flask_sock.Sock(app).route("/ws")(make_echo())
    jwt.protect(app)


def by_protected_blueprint(app: Flask, jwt: JWTManager) -> None:
    blueprint = Blueprint("live", "live")
    flask_sock.Sock(app).route("/ws", bp=blueprint)(make_echo())
    jwt.protect(blueprint)
    app.register_blueprint(blueprint)


def by_protect_and_sock_required(app: Flask, jwt: JWTManager) -> None:
    by_sock_required(app, jwt)
    jwt.protect(app)


def by_hook(app: Flask, _jwt: JWTManager) -> None:
    flask_sock.Sock(app).route("/ws")(make_echo())
    app.before_request(jwt_required()(lambda: None))


def by_hook_of_a_blueprint(app: Flask, _jwt: JWTManager) -> None:
    blueprint = Blueprint("live", "live")
    flask_sock.Sock(app).route("/ws", bp=blueprint)(make_echo())
    blueprint.before_request(lambda: verify_jwt_in_request() and None)
    app.register_blueprint(blueprint)


def by_call(app: Flask, _jwt: JWTManager) -> None:
    def checked(ws: Any) -> None:
        verify_jwt_in_request()
        make_echo()(ws)

    flask_sock.Sock(app).route("/ws")(checked)


def above_the_upgrade(app: Flask, _jwt: JWTManager) -> None:
    """Without flask-sock: the view itself answers the handshake."""

    @app.route("/ws", websocket=True)
    @jwt_required()
    def upgrade() -> Any:
        ws = simple_websocket.Server.accept(request.environ)
        try:
            make_echo()(ws)
        except simple_websocket.ConnectionClosed:
            return ""


WAYS: dict[str, Callable[[Flask, JWTManager], None]] = {
    each.__name__: each
    for each in (
        by_decorator,
        by_sock_required,
        by_protect,
        by_protected_blueprint,
        by_protect_and_sock_required,
        by_hook,
        by_hook_of_a_blueprint,
        by_call,
        above_the_upgrade,
    )
}


def make_app(way: str, profile: str = "compat", **options: Any) -> Flask:
    app = Flask("app")
    known = {
        "SECRET_KEY": SECRET,
        "PROFILE": profile,
        "TOKEN_LOCATION": ["headers", "cookies", "query_string"],
        "STORE_URI": "memory://",
    }
    app.config.update({f"JWT_{name}": value for name, value in (known | options).items()})
    WAYS[way](app, JWTManager(app))
    return app
