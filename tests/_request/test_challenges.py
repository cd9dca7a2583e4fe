"""WWW-Authenticate can always be sent, and clients can parse it (RFC 9110, sections 5.6.4 and 11.6.1)."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import pytest
from flask import Flask
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.serving import make_server

from flask_jwt_extended import JWTManager, jwt_required
from flask_jwt_extended.exceptions import (
    ConfigurationError,
    InsufficientAuthenticationError,
    InsufficientScopeError,
)

from ..axes import PROFILES, rotated
from ..conftest import SECRET

#: Names of applications, and the realm that a client reads.
REALMS = {
    "app": "app",
    'x"y': 'x"y',
    '"': '"',
    "back\\slash": "back\\slash",
    'both\\"': 'both\\"',
    'x", error="invalid_token': 'x", error="invalid_token',
    "with a space, a comma = and more": "with a space, a comma = and more",
    "100%": "100%",
    "two\nlines": "two%0Alines",
    "carriage\rreturn": "carriage%0Dreturn",
    "x\r\nSet-Cookie: a=b": "x%0D%0ASet-Cookie: a=b",
    "tab\tstop": "tab%09stop",
    "null\0": "null%00",
    "delete\x7f": "delete%7F",
    "bücher": "b%C3%BCcher",
    "магазин": "%D0%BC%D0%B0%D0%B3%D0%B0%D0%B7%D0%B8%D0%BD",
    "店": "%E5%BA%97",
    "😀": "%F0%9F%98%80",
    "lone \ud800 surrogate": "lone ? surrogate",
    "": "",
}


def make(name: str, **options: Any) -> Flask:
    app = Flask("app")
    vars(app)["name"] = name  # a cached property
    app.config.update({"JWT_SECRET_KEY": SECRET, "JWT_PROFILE": "strict", **options})
    JWTManager(app)
    app.add_url_rule("/", view_func=jwt_required()(lambda: ""))
    return app


@contextmanager
def served(app: Flask) -> Iterator[int]:
    """Serve an application, and return its port."""
    server = make_server("127.0.0.1", 0, app)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()


def challenge(app: Flask) -> WWWAuthenticate:
    response = app.test_client().get("/")
    assert response.status_code in (401, 403)
    parsed = WWWAuthenticate.from_header(response.headers["WWW-Authenticate"])
    assert parsed is not None
    return parsed


@pytest.mark.parametrize(("name", "realm"), REALMS.items())
def test_the_realm_is_what_the_application_is_called(name: str, realm: str) -> None:
    """The realm is the name of the application, quoted; what a header cannot contain is percent-encoded."""
    parsed = challenge(make(name))
    assert (parsed.type, parsed.realm, set(parsed.parameters)) == ("bearer", realm, {"realm"})


@pytest.mark.parametrize("name", REALMS)
def test_a_real_server_can_send_every_realm(name: str) -> None:
    """A real server sends the challenge as exactly one header."""
    with served(make(name)) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/")
        response = connection.getresponse()
        response.read()
        connection.close()
    assert response.status == 401
    assert len(response.headers.get_all("WWW-Authenticate", [])) == 1
    assert "Set-Cookie" not in response.headers


@rotated("text", ['a"b', "a\\b", "a\nb", "bücher", "店"], profile=PROFILES)
def test_what_errors_of_the_application_ask_for_is_escaped_too(text: str, profile: str) -> None:
    """A view may raise the errors of this package with scopes and contexts that need escaping."""
    app = make("app", JWT_PROFILE=profile)
    errors = [
        InsufficientScopeError({}, {}, scopes=(text,)),
        InsufficientAuthenticationError({}, {}, max_age=60.5, acr_values=(text, "b")),
    ]

    def view(number: int) -> str:
        raise errors[number]

    app.add_url_rule("/<int:number>", view_func=view)
    for error in (InsufficientScopeError, InsufficientAuthenticationError):
        app.register_error_handler(error, app.extensions["flask-jwt-extended"]._answer)
    headers = [app.test_client().get(f"/{number}").headers["WWW-Authenticate"] for number in (0, 1)]
    scope, authentication = (WWWAuthenticate.from_header(header) for header in headers)
    assert scope is not None
    assert authentication is not None
    expected = {'a"b': 'a"b', "a\\b": "a\\b", "a\nb": "a%0Ab", "bücher": "b%C3%BCcher", "店": "%E5%BA%97"}[text]
    assert scope.parameters["scope"] == expected
    assert authentication.parameters["acr_values"] == f"{expected} b"
    assert authentication.parameters["max_age"] == "60"
    assert scope.parameters["error"] == "insufficient_scope"


@rotated("scheme", ["Bea\nrer", "Bearer\r\nX: y", "Bearer\0", "Bea\trer", "令牌", "\x7f"], profile=PROFILES)
def test_a_scheme_that_no_header_can_hold_is_refused_by_init_app(scheme: str, profile: str) -> None:
    """Otherwise every refusal would be a 500, and no token would be found."""
    with pytest.raises(ConfigurationError, match="JWT_HEADER_TYPE"):
        make("app", JWT_HEADER_TYPE=scheme, JWT_PROFILE=profile)


@pytest.mark.parametrize("scheme", ["Bearer", "JWT", "Token", "X-Y", "Bücher", ""])
def test_every_other_scheme_is_asked_for(scheme: str) -> None:
    """The challenge names the configured scheme, and Bearer if that is empty."""
    with served(make("app", JWT_HEADER_TYPE=scheme)) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/")
        header = connection.getresponse().headers["WWW-Authenticate"]
        connection.close()
    assert header == f'{scheme or "Bearer"} realm="app"'
