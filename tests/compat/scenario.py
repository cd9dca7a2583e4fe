"""Runs a long list of requests and calls against whatever ``flask_jwt_extended`` is importable, and prints what came
of each as a line of JSON: ``[scenario, outcome]``.

``test_differential.py`` runs it twice, once with this package and once with the released 4.7.4, and compares. So it
uses nothing but what both have, and nothing random or bound to the present shows in an outcome: tokens are made here,
claim by claim, with times long past or far ahead.
"""

from __future__ import annotations

import base64
import builtins
import hmac
import inspect
import itertools
import json
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import jwt as pyjwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from flask import Blueprint, Flask, Response, got_request_exception, jsonify
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

import flask_jwt_extended as package
from flask_jwt_extended import JWTManager, jwt_required
from flask_jwt_extended.exceptions import CSRFError, JWTExtendedException, NoAuthorizationError, RevokedTokenError

Outcome = Any
Line = tuple[str, Outcome]
Json = dict[str, Any]
#: Arguments of Werkzeug's test client.
SqlConnection = dict[str, Any]
Setup = Callable[[JWTManager], object]

SECRET = "the secret of the scenarios, long enough for every HMAC there is: 64"
OTHER_SECRET = "some other secret, as long as the first one, known to strangers: 64"
PAST, FUTURE = 1_000_000_000, 4_000_000_000
CSRF = "csrf-value"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "REPORT")


# --- tokens ---------------------------------------------------------------------------------------------------------


def segment(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def signed(header: bytes, payload: bytes, secret: str = SECRET, digest: str = "sha256") -> str:
    signing_input = f"{segment(header)}.{segment(payload)}"
    return f"{signing_input}.{segment(hmac.digest(secret.encode(), signing_input.encode(), digest))}"


def raw_claims(changes: Mapping[str, Any]) -> Json:
    """Good claims with changes; ``...`` takes a claim away."""
    good = {"fresh": False, "iat": PAST, "nbf": PAST, "exp": FUTURE, "jti": "j", "type": "access", "sub": "u"}
    return {name: value for name, value in {**good, "csrf": CSRF, **changes}.items() if value is not ...}


def token(header: Mapping[str, Any] | None = None, /, **changes: Any) -> str:
    full = {"alg": "HS256", "typ": "JWT", **(header or {})}
    return signed(json.dumps(full).encode(), json.dumps(raw_claims(changes)).encode())


GOOD = token()
HEAD, PAYLOAD, SIGNATURE = GOOD.split(".")

HONEST = {
    "good": GOOD,
    "refresh": token(type="refresh"),
    "fresh": token(fresh=True),
    "fresh-until-future": token(fresh=FUTURE),
    "fresh-until-future-float": token(fresh=FUTURE + 0.5),
    "fresh-until-past": token(fresh=PAST),
    "fresh-refresh": token(fresh=True, type="refresh"),
    "expired": token(exp=PAST + 900),
    "expired-refresh": token(exp=PAST + 900, type="refresh"),
    "no-exp": token(exp=...),
    "no-iat": token(iat=...),
    "no-nbf": token(nbf=...),
    "no-jti": token(jti=...),
    "no-type": token(type=...),
    "no-fresh": token(fresh=...),
    "no-csrf": token(csrf=...),
    "no-sub": token(sub=...),
    "no-claims": signed(b'{"alg":"HS256"}', b"{}"),
    "only-sub": signed(b'{"alg":"HS256"}', b'{"sub":"u"}'),
    "float-times": token(iat=PAST + 0.5, nbf=PAST + 0.5, exp=FUTURE + 0.5),
    "nbf-future": token(nbf=FUTURE),
    "iat-future": token(iat=FUTURE),
    "sub-int": token(sub=7),
    "sub-null": token(sub=None),
    "sub-list": token(sub=["u"]),
    "sub-object": token(sub={"id": 7}),
    "sub-empty": token(sub=""),
    "sub-unicode": token(sub="Zoë ☃ \U0001f510"),
    "jti-int": token(jti=7),
    "jti-null": token(jti=None),
    "aud-of-others": token(aud="others"),
    "iss-of-others": token(iss="others"),
    "extra-claims": token(roles=["admin"], nested={"a": [1, None, True]}),
    "extra-header": token({"kid": "k1", "x": 1}),
    "no-typ": signed(b'{"alg":"HS256"}', json.dumps(raw_claims({})).encode()),
    "typ-lower": token({"typ": "jwt"}),
    "typ-access": token({"typ": "at+jwt"}),
    "spaced-json": signed(b' {"alg" : "HS256"}\n', json.dumps(raw_claims({}), indent=2).encode()),
}

#: Malformed, forged, or of claims that mean nothing.
HOSTILE = {
    "other-secret": signed(b'{"alg":"HS256"}', json.dumps(raw_claims({})).encode(), OTHER_SECRET),
    "hs512": signed(b'{"alg":"HS512"}', json.dumps(raw_claims({})).encode(), SECRET, "sha512"),
    "alg-none": f"{segment(json.dumps({'alg': 'none'}).encode())}.{PAYLOAD}.",
    "alg-none-signed": signed(b'{"alg":"none"}', json.dumps(raw_claims({})).encode()),
    "alg-rs256": signed(b'{"alg":"RS256"}', json.dumps(raw_claims({})).encode()),
    "alg-unknown": token({"alg": "HS257"}),
    "alg-lower": token({"alg": "hs256"}),
    "alg-list": token({"alg": ["HS256"]}),
    "alg-null": token({"alg": None}),
    "alg-missing": signed(b'{"typ":"JWT"}', b'{"sub":"u"}'),
    "no-signature": f"{HEAD}.{PAYLOAD}.",
    "short-signature": GOOD[:-4],
    "swapped-payload": f"{HEAD}.{segment(json.dumps(raw_claims({'sub': 'root'})).encode())}.{SIGNATURE}",
    "word": "word",
    "one-dot": f"{HEAD}.{PAYLOAD}",
    "three-dots": f"{GOOD}.{SIGNATURE}",
    "five-parts": f"{HEAD}.a.{PAYLOAD}.b.{SIGNATURE}",
    "two-dots": "..",
    "letters": "a.b.c",
    "padded": f"{GOOD}=",
    "standard-alphabet": f"{HEAD}.{PAYLOAD}.{SIGNATURE[:-2]}+/",
    "percent": f"{HEAD}.{PAYLOAD}.%00",
    "empty-header": f".{PAYLOAD}.{SIGNATURE}",
    "empty-payload": f"{HEAD}..{SIGNATURE}",
    "header-no-json": f"{segment(b'{')}.{PAYLOAD}.{SIGNATURE}",
    "header-list": f"{segment(b'[]')}.{PAYLOAD}.{SIGNATURE}",
    "header-no-utf8": f"{segment(bytes([0xFF]))}.{PAYLOAD}.{SIGNATURE}",
    "payload-no-json": signed(b'{"alg":"HS256"}', b"{"),
    "payload-list": signed(b'{"alg":"HS256"}', b"[1]"),
    "payload-string": signed(b'{"alg":"HS256"}', b'"x"'),
    "payload-utf16": signed(b'{"alg":"HS256"}', json.dumps(raw_claims({})).encode("utf-16")),
    "payload-trailing": signed(b'{"alg":"HS256"}', b'{"sub":"u"} x'),
    "payload-nan": token(extra=float("nan")),
    "fresh-infinity": token(fresh=float("inf")),
    "fresh-text": token(fresh="yes"),
    "fresh-null": token(fresh=None),
    "fresh-list": token(fresh=[]),
    "exp-text": token(exp=str(FUTURE)),
    "exp-text-past": token(exp=str(PAST)),
    "exp-word": token(exp="soon"),
    "exp-true": token(exp=True),
    "exp-null": token(exp=None),
    "exp-list": token(exp=[FUTURE]),
    "nbf-text": token(nbf=str(PAST)),
    "nbf-word": token(nbf="now"),
    "nbf-true": token(nbf=True),
    "nbf-null": token(nbf=None),
    "iat-text": token(iat=str(PAST)),
    "iat-word": token(iat="now"),
    "iat-true": token(iat=True),
    "iat-null": token(iat=None),
    "exp-arabic-digits": token(exp="٤٠٠٠٠٠٠٠٠٠"),
    "type-password-reset": token(type="password_reset"),
    "type-refresh-space": token(type="refresh "),
    "type-upper": token(type="ACCESS"),
    "type-null": token(type=None),
    "type-list": token(type=["access"]),
    "type-true": token(type=True),
    "kid-int": token({"kid": 7}),
    "crit": token({"crit": ["exp"], "exp": FUTURE}),
    "crit-empty": token({"crit": []}),
    "b64-false": token({"b64": False}),
    "typ-dpop": token({"typ": "dpop+jwt"}),
    "typ-logout": token({"typ": "logout+jwt"}),
    "typ-int": token({"typ": 7}),
}
TOKENS = HONEST | HOSTILE

#: The tokens of everyday life, for the loops that vary something else.
EVERYDAY = ("good", "refresh", "fresh", "expired", "no-exp", "no-type", "no-sub", "nbf-future", "other-secret", "word")


# --- applications ---------------------------------------------------------------------------------------------------

ALL_LOCATIONS = ["headers", "cookies", "query_string", "json"]
VIEWS: dict[str, Json] = {
    "access": {},
    "refresh": {"refresh": True},
    "fresh": {"fresh": True},
    "optional": {"optional": True},
    "any": {"verify_type": False},
    "unrevoked": {"skip_revocation_check": True},
    "optional-refresh": {"optional": True, "refresh": True},
    "fresh-refresh": {"fresh": True, "refresh": True},
    "fresh-any": {"fresh": True, "verify_type": False},
    "at-headers": {"locations": "headers"},
    "at-cookies-headers": {"locations": ["cookies", "headers"]},
    "at-nowhere": {"locations": []},
    "at-attic": {"locations": ["attic"]},
}


def seen() -> ResponseReturnValue:
    """Show all that a protected view can ask for."""
    return jsonify(
        identity=package.get_jwt_identity(),
        claims=package.get_jwt(),
        header=package.get_jwt_header(),
        location=package.get_jwt_request_location(),
    )


def make_app(options: Mapping[str, Any], *setups: Setup) -> Flask:
    app = Flask("app")
    app.config["JWT_SECRET_KEY"] = SECRET
    app.config.update({f"JWT_{name}": value for name, value in options.items()})
    manager = JWTManager(app)
    for setup in setups:
        setup(manager)
    for name, demands in VIEWS.items():
        app.add_url_rule(f"/{name}", name, jwt_required(**demands)(seen), methods=METHODS)
    app.add_url_rule("/silent", "silent", jwt_required()(lambda: "passed"), methods=METHODS)
    app.add_url_rule("/user", "user", jwt_required()(lambda: jsonify(user=str(package.current_user))))
    app.add_url_rule("/user-optional", "user2", jwt_required(True)(lambda: jsonify(user=package.get_current_user())))
    app.add_url_rule("/async", "async", jwt_required()(async_view))
    app.add_url_rule("/open", "open", lambda: jsonify(identity=package.get_jwt_identity()))
    return app


async def async_view() -> ResponseReturnValue:
    return seen()


class Client:
    """Sends requests to one application and describes the answers."""

    def __init__(self, options: Mapping[str, Any] | None = None, *setups: Setup) -> None:
        self.app = make_app(options or {}, *setups)
        self.client = self.app.test_client(use_cookies=False)
        self.error: Exception | None = None
        got_request_exception.connect(self._note, self.app)

    def _note(self, _app: Flask, exception: Exception) -> None:
        self.error = exception

    def send(self, path: str, method: str, wire: SqlConnection) -> Outcome:
        response = self.client.open(f"/{path}", method=method, **wire)
        if response.status_code == 500:
            return [500, type_name(self.error)]
        return [response.status_code, response.content_type, response.get_data(as_text=True), set_cookies(response)]


def type_name(error: BaseException | None) -> str:
    """The class of an error: by name if applications catch it by that name, else the nearest of Python's own."""
    if isinstance(error, (JWTExtendedException, pyjwt.PyJWTError)):
        return type(error).__name__
    return next(each.__name__ for each in type(error).__mro__ if each.__module__ == builtins.__name__)


def set_cookies(response: Any) -> list[Any]:
    """What every Set-Cookie says; but for an expiry that is counted from now, which Max-Age says as well."""
    cookies = []
    for header in response.headers.getlist("Set-Cookie"):
        pair, *attributes = header.split("; ")
        if "Max-Age=" in header:
            attributes = [each for each in attributes if not each.startswith("Expires=")]
        cookies.append([pair, sorted(attributes)])
    return cookies


def carry(location: str, encoded: Any, kind: str = "access") -> SqlConnection:
    """A request that holds a token, and the double submit value if it is in a cookie."""
    if location == "headers":
        return {"headers": {"Authorization": f"Bearer {encoded}"}}
    if location == "cookies":
        return {"headers": {"Cookie": f"{kind}_token_cookie={encoded}", "X-CSRF-TOKEN": CSRF}}
    if location == "query_string":
        return {"query_string": {"jwt": encoded}}
    return {"json": {f"{kind}_token": encoded}}


# --- requests -------------------------------------------------------------------------------------------------------


def tokens_at_views() -> Iterator[Line]:
    client = Client()
    views = ("access", "refresh", "fresh", "optional", "any", "fresh-refresh", "fresh-any")
    for view, (name, encoded) in itertools.product(views, TOKENS.items()):
        yield f"token/{name}/{view}", client.send(view, "GET", carry("headers", encoded))


def nothing_at_views() -> Iterator[Line]:
    places: dict[str, Any] = {location: location for location in ALL_LOCATIONS}
    places |= {"all": ALL_LOCATIONS, "json-headers": ("json", "headers")}
    for name, locations in places.items():
        client = Client({"TOKEN_LOCATION": locations})
        for view in (*VIEWS, "silent", "user", "user-optional", "async", "open"):
            yield f"none/{name}/{view}", client.send(view, "GET", {})


def locations_and_methods() -> Iterator[Line]:
    client = Client({"TOKEN_LOCATION": ALL_LOCATIONS})
    for location, method, name in itertools.product(ALL_LOCATIONS, METHODS, EVERYDAY):
        if method != "OPTIONS":
            wire = carry(location, TOKENS[name])
            yield f"location/{location}/{method}/{name}", client.send("access", method, wire)
    for location, name, view in itertools.product(ALL_LOCATIONS, EVERYDAY, ("refresh", "optional-refresh")):
        wire = carry(location, TOKENS[name], "refresh")
        yield f"location/{location}/{view}/{name}", client.send(view, "POST", wire)


def hostile_at_locations() -> Iterator[Line]:
    """What a header cannot hold, too: white space and the like at either end."""
    odd = {"space-before": f" {GOOD}", "space-after": f"{GOOD} ", "newline": f"{GOOD}\n", "nul": f"{GOOD}\0"}
    client = Client({"TOKEN_LOCATION": ["query_string", "json"]})
    for location, (name, encoded) in itertools.product(("query_string", "json"), (odd | HOSTILE).items()):
        yield f"hostile/{location}/{name}", client.send("access", "POST", carry(location, encoded))


def options_requests() -> Iterator[Line]:
    for locations in (["headers"], ALL_LOCATIONS):
        client = Client({"TOKEN_LOCATION": locations})
        for view, name in itertools.product(("silent", "access", "optional"), ("none", "good", "word")):
            wire = {} if name == "none" else carry("headers", TOKENS[name])
            yield f"options/{len(locations)}/{view}/{name}", client.send(view, "OPTIONS", wire)


CSRF_OPTIONS: dict[str, Json] = {
    "default": {},
    "form": {"CSRF_CHECK_FORM": True},
    "off": {"COOKIE_CSRF_PROTECT": False},
    "on-get": {"CSRF_METHODS": ["GET"]},
    "never": {"CSRF_METHODS": []},
    "renamed": {"ACCESS_CSRF_HEADER_NAME": "X-A", "REFRESH_CSRF_HEADER_NAME": "X-R"},
    "fields": {"CSRF_CHECK_FORM": True, "ACCESS_CSRF_FIELD_NAME": "a", "REFRESH_CSRF_FIELD_NAME": "r"},
}
CSRF_WIRES: dict[str, SqlConnection] = {
    "none": {},
    "right": {"headers": {"X-CSRF-TOKEN": CSRF}},
    "lower-name": {"headers": {"x-csrf-token": CSRF}},
    "wrong": {"headers": {"X-CSRF-TOKEN": "wrong"}},
    "upper": {"headers": {"X-CSRF-TOKEN": CSRF.upper()}},
    "empty": {"headers": {"X-CSRF-TOKEN": ""}},
    "non-ascii": {"headers": {"X-CSRF-TOKEN": "\xe9"}},
    "other-headers": {"headers": {"X-A": CSRF, "X-R": "wrong"}},
    "form": {"data": {"csrf_token": CSRF}},
    "form-wrong": {"data": {"csrf_token": "wrong"}},
    "form-non-ascii": {"data": {"csrf_token": "☃"}},
    "form-fields": {"data": {"a": CSRF, "r": "wrong"}},
    "form-beside-wrong": {"headers": {"X-CSRF-TOKEN": "wrong"}, "data": {"csrf_token": CSRF}},
}


def csrf() -> Iterator[Line]:
    methods = ("GET", "POST", "PUT", "PATCH", "DELETE", "REPORT")
    for option, options in CSRF_OPTIONS.items():
        client = Client({"TOKEN_LOCATION": "cookies", **options})
        for kind, method, (name, wire) in itertools.product(("access", "refresh"), methods, CSRF_WIRES.items()):
            cookie = {"Cookie": f"{kind}_token_cookie={token(type=kind)}"}
            sent = {**wire, "headers": {**cookie, **wire.get("headers", {})}}
            yield f"csrf/{option}/{kind}/{method}/{name}", client.send(kind, method, sent)


def csrf_claims() -> Iterator[Line]:
    """Cookies whose token holds another value, or none."""
    client = Client({"TOKEN_LOCATION": "cookies"})
    values = {"missing": ..., "other": "other", "null": None, "int": 7, "empty": "", "non-ascii": "\xe9"}
    for name, value in values.items():
        for method in ("GET", "POST"):
            wire = carry("cookies", token(csrf=value))
            yield f"csrf-claim/{name}/{method}", client.send("access", method, wire)


HEADER_FORMS = {
    "plain": "Bearer {}",
    "lower": "bearer {}",
    "upper": "BEARER {}",
    "two-spaces": "Bearer  {}",
    "tab": "Bearer\t{}",
    "around": " Bearer {} ",
    "bare": "{}",
    "glued": "Bearer{}",
    "comma-glued": "Bearer,{}",
    "only-type": "Bearer",
    "only-type-space": "Bearer ",
    "three-words": "Bearer {} more",
    "empty": "",
    "space": " ",
    "comma": ",",
    "commas": ", ,",
    "basic": "Basic dTpw",
    "digest": 'Digest username="u", realm="r"',
    "after-basic": "Basic dTpw, Bearer {}",
    "after-basic-no-space": "Basic dTpw,Bearer {}",
    "before-basic": "Bearer {}, Basic dTpw",
    "comma-before": ",Bearer {}",
    "comma-after": "Bearer {},",
    "empty-field": "Basic dTpw, , Bearer {}",
    "twice": "Bearer {0}, Bearer {0}",
    "jwt": "JWT {}",
    "jwt-bearer": "JWT {0}, Bearer {0}",
    "quoted": 'Bearer "{}"',
    "non-ascii": "Bearer \xe9",
    "non-ascii-type": "\xe9 {}",
}


def headers() -> Iterator[Line]:
    variants: dict[str, Json] = {
        "default": {},
        "jwt": {"HEADER_TYPE": "JWT"},
        "bare": {"HEADER_TYPE": ""},
        "name": {"HEADER_NAME": "X-Auth"},
    }
    for variant, options in variants.items():
        client = Client(options)
        name = options.get("HEADER_NAME", "Authorization")
        for form, view in itertools.product(HEADER_FORMS, ("access", "optional")):
            wire = {"headers": {name: HEADER_FORMS[form].format(GOOD)}}
            yield f"header/{variant}/{form}/{view}", client.send(view, "GET", wire)


def query_strings() -> Iterator[Line]:
    forms = {
        "plain": f"jwt={GOOD}",
        "prefixed": f"jwt=Bearer%20{GOOD}",
        "only-prefix": "jwt=Bearer%20",
        "empty": "jwt=",
        "no-value": "jwt",
        "twice": f"jwt={GOOD}&jwt=word",
        "twice-word-first": f"jwt=word&jwt={GOOD}",
        "other-name": f"token={GOOD}",
        "bad-utf8": "jwt=%ff",
    }
    variants: dict[str, Json] = {
        "default": {},
        "prefix": {"QUERY_STRING_VALUE_PREFIX": "Bearer "},
        "name": {"QUERY_STRING_NAME": "token"},
    }
    for variant, options in variants.items():
        client = Client({"TOKEN_LOCATION": "query_string", **options})
        for (form, query), view in itertools.product(forms.items(), ("access", "optional")):
            yield f"query/{variant}/{form}/{view}", client.send(view, "GET", {"query_string": query})


def json_bodies() -> Iterator[Line]:
    bodies: dict[str, str] = {
        "access": json.dumps({"access_token": GOOD}),
        "refresh": json.dumps({"refresh_token": token(type="refresh")}),
        "refresh-under-access": json.dumps({"access_token": token(type="refresh")}),
        "both": json.dumps({"access_token": GOOD, "refresh_token": token(type="refresh")}),
        "own": json.dumps({"own": GOOD}),
        "empty-token": '{"access_token": ""}',
        "null-token": '{"access_token": null}',
        "int-token": '{"access_token": 7}',
        "list-token": '{"access_token": ["x"]}',
        "true-token": '{"access_token": true}',
        "object-token": '{"access_token": {"a": 1}}',
        "surrogate-token": '{"access_token": "\\ud800"}',
        "empty-object": "{}",
        "null": "null",
        "false": "false",
        "list": "[1]",
        "int": "5",
        "text": '"x"',
        "empty": "",
        "no-json": "{",
        "deep": "[" * 100_000,
    }
    types = {"json": "application/json", "charset": "application/json; charset=utf-8", "suffix": "application/x+json"}
    types |= {"text": "text/plain", "form": "application/x-www-form-urlencoded"}
    client = Client({"TOKEN_LOCATION": "json"})
    for (name, body), view in itertools.product(bodies.items(), ("access", "refresh", "optional")):
        wire = {"data": body, "content_type": "application/json"}
        yield f"json/{name}/{view}", client.send(view, "POST", wire)
    for name, content_type in types.items():
        wire = {"data": bodies["access"], "content_type": content_type}
        yield f"json-type/{name}", client.send("access", "POST", wire)
    own = Client({"TOKEN_LOCATION": "json", "JSON_KEY": "own", "REFRESH_JSON_KEY": "own"})
    for name, view in itertools.product(bodies, ("access", "refresh")):
        wire = {"data": bodies[name], "content_type": "application/json"}
        yield f"json-own/{name}/{view}", own.send(view, "POST", wire)


def cookies() -> Iterator[Line]:
    forms = {
        "plain": f"access_token_cookie={GOOD}",
        "quoted": f'access_token_cookie="{GOOD}"',
        "empty": "access_token_cookie=",
        "no-value": "access_token_cookie",
        "twice": f"access_token_cookie={GOOD}; access_token_cookie=word",
        "twice-word-first": f"access_token_cookie=word; access_token_cookie={GOOD}",
        "among-others": f"a=1; access_token_cookie={GOOD}; b=2",
        "no-space": f"a=1;access_token_cookie={GOOD};b=2",
        "spaces": f"a=1 ;  access_token_cookie = {GOOD} ; b=2",
        "other-case": f"Access_Token_Cookie={GOOD}",
        "refresh": f"refresh_token_cookie={GOOD}",
        "refresh-token": f"access_token_cookie={token(type='refresh')}",
        "comma": f"a=1, access_token_cookie={GOOD}",
        "quoted-neighbour": f'a="x\\073 y"; access_token_cookie={GOOD}',
        "non-ascii-neighbour": f"a=\xe9; access_token_cookie={GOOD}",
        "own": f"own={GOOD}",
    }
    for variant, options in {"default": {}, "name": {"ACCESS_COOKIE_NAME": "own"}}.items():
        client = Client({"TOKEN_LOCATION": ["cookies"], **options})
        for (form, cookie), view in itertools.product(forms.items(), ("access", "optional")):
            yield f"cookie/{variant}/{form}/{view}", client.send(view, "GET", {"headers": {"Cookie": cookie}})


def precedence() -> Iterator[Line]:
    """Several tokens in one request: which one counts, and what is said where none does."""
    contents = {"none": None, "good": GOOD, "expired": TOKENS["expired"], "word": "word"}
    for order in (["headers", "cookies"], ["cookies", "headers"], ("cookies", "headers")):
        client = Client({"TOKEN_LOCATION": order})
        for (one, header), (two, cookie), view in itertools.product(
            contents.items(), contents.items(), ("access", "optional", "at-headers", "at-cookies-headers")
        ):
            sent = {"Authorization": f"Bearer {header}"} if header else {}
            sent |= {"Cookie": f"access_token_cookie={cookie}"} if cookie else {}
            name = f"order/{type(order).__name__}-{'-'.join(order)}/{one}+{two}/{view}"
            yield name, client.send(view, "GET", {"headers": sent})


def malformed_beside_good() -> Iterator[Line]:
    forms = {"three-words": "Bearer a b", "only-type": "Bearer", "basic": "Basic x", "comma": ", ,", "missing-csrf": ""}
    for locations in (["headers", "cookies"], ["cookies", "headers"], ["query_string", "cookies"]):
        client = Client({"TOKEN_LOCATION": locations, "QUERY_STRING_VALUE_PREFIX": "P"})
        for (form, header), method in itertools.product(forms.items(), ("GET", "POST")):
            sent = {"Cookie": f"access_token_cookie={GOOD}", "Authorization": header}
            name = f"beside/{'-'.join(locations)}/{form}/{method}"
            yield name, client.send("access", method, {"headers": sent, "query_string": "jwt=word"})


def claim_options() -> Iterator[Line]:
    variants: dict[str, Json] = {
        "aud": {"DECODE_AUDIENCE": "me"},
        "aud-list": {"DECODE_AUDIENCE": ["me", "us"]},
        "aud-tuple": {"DECODE_AUDIENCE": ("me", "us")},
        "aud-none": {},
        "iss": {"DECODE_ISSUER": "me"},
        "iss-list": {"DECODE_ISSUER": ["me", "us"]},
        "iss-and-aud": {"DECODE_ISSUER": "me", "DECODE_AUDIENCE": "me"},
        "leeway": {"DECODE_LEEWAY": 3_100_000_000},
        "leeway-delta": {"DECODE_LEEWAY": timedelta(days=36_000)},
        "identity": {"IDENTITY_CLAIM": "user"},
        "sub-off": {"VERIFY_SUB": False},
        "message": {"ERROR_MESSAGE_KEY": "Meldung für alle"},
    }
    values: dict[str, Any] = {"none": ..., "me": "me", "us": "us", "others": "others", "prefix": "m", "longer": "mee"}
    values |= {"list": ["me"], "list-others": ["others", "us"], "list-empty": [], "empty": ""}
    values |= {"int": 7, "null": None, "list-int": ["me", 7], "object": {"me": 1}}
    for variant, options in variants.items():
        client = Client(options)
        if variant[:3] in ("aud", "iss"):
            for claim, (name, value) in itertools.product(("aud", "iss"), values.items()):
                wire = carry("headers", token(**{claim: value}))
                yield f"option/{variant}/{claim}-{name}", client.send("access", "GET", wire)
        else:
            for name in (*HONEST, "other-secret", "word"):
                yield f"option/{variant}/{name}", client.send("access", "GET", carry("headers", TOKENS[name]))
    client = Client(variants["identity"])
    yield "option/identity/user", client.send("access", "GET", carry("headers", token(user="u", sub=...)))
    yield "option/identity/user-int", client.send("access", "GET", carry("headers", token(user=7)))


def algorithms() -> Iterator[Line]:
    key = ec.derive_private_key(0x5CE7A210, ec.SECP256R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    tokens = {name: TOKENS[name] for name in ("good", "hs512", "alg-none", "alg-rs256", "alg-unknown", "alg-missing")}
    tokens["es256"] = pyjwt.encode(raw_claims({}), private, "ES256")
    tokens["es256-of-hs256"] = signed(b'{"alg":"ES256"}', json.dumps(raw_claims({})).encode())
    tokens["public-as-secret"] = signed(b'{"alg":"HS256"}', json.dumps(raw_claims({})).encode(), public)
    es256 = {"ALGORITHM": "ES256", "PRIVATE_KEY": private, "PUBLIC_KEY": public}
    variants: dict[str, Json] = {
        "hs256": {},
        "hs512": {"ALGORITHM": "HS512"},
        "hs256+hs512": {"DECODE_ALGORITHMS": ["HS256", "HS512"]},
        "hs512-also": {"DECODE_ALGORITHMS": ["HS512"]},
        "tuple": {"DECODE_ALGORITHMS": ("HS512",)},
        "es256": es256,
        "es256+hs256": {**es256, "DECODE_ALGORITHMS": ["ES256", "HS256"]},
        "hs256+es256": {"DECODE_ALGORITHMS": ["HS256", "ES256"]},
    }
    for variant, options in variants.items():
        client = Client(options)
        for name, encoded in tokens.items():
            yield f"algorithm/{variant}/{name}", client.send("access", "GET", carry("headers", encoded))


# --- loaders --------------------------------------------------------------------------------------------------------

RESPONSES = (
    "expired_token",
    "invalid_token",
    "needs_fresh_token",
    "revoked_token",
    "token_verification_failed",
    "unauthorized",
    "user_lookup_error",
)


def answering(names: tuple[str, ...]) -> Setup:
    """Loaders that answer with what they were told."""

    def setup(manager: JWTManager) -> None:
        for code, name in enumerate(names, start=410):
            getattr(manager, f"{name}_loader")(lambda *told, n=name, c=code: (jsonify(loader=n, told=told), c))

    return setup


def judging(manager: JWTManager) -> None:
    """Loaders that judge by the claims ``revoked``, ``refused`` and ``gone``, and show what they were told."""
    manager.token_in_blocklist_loader(lambda header, claims: bool(claims.get("revoked")))
    manager.token_verification_loader(lambda header, claims: not claims.get("refused"))
    manager.user_lookup_loader(lambda header, claims: None if claims.get("gone") else [header, claims])


#: What may be wrong with one token, for every pair of it.
FAULTS: dict[str, Json] = {
    "expired": {"exp": PAST + 900},
    "refresh": {"type": "refresh"},
    "stale": {"fresh": False},
    "revoked": {"revoked": True},
    "refused": {"refused": True},
    "gone": {"gone": True},
    "aud": {"aud": "others"},
    "no-aud": {"aud": ...},
    "iss": {"iss": "others"},
    "no-iss": {"iss": ...},
    "nbf": {"nbf": FUTURE},
    "iat": {"iat": FUTURE},
    "sub-int": {"sub": 7},
    "no-sub": {"sub": ...},
    "jti-int": {"jti": 7},
    "csrf": {"csrf": "other"},
    "no-csrf": {"csrf": ...},
}
ALL_CHECKS = {"DECODE_AUDIENCE": "me", "DECODE_ISSUER": "me", "TOKEN_LOCATION": "cookies"}


def order_of_checks() -> Iterator[Line]:
    for loaders, setups in {"defaults": (judging,), "custom": (judging, answering(RESPONSES))}.items():
        client = Client(ALL_CHECKS, *setups)
        for one, two in itertools.combinations_with_replacement(FAULTS, 2):
            encoded = token(**{"fresh": True, "aud": "me", "iss": "me", **FAULTS[one], **FAULTS[two]})
            wire = carry("cookies", encoded)
            yield f"faults/{loaders}/{one}+{two}", client.send("fresh", "POST", wire)


def custom_loaders() -> Iterator[Line]:
    client = Client(None, judging, answering(RESPONSES))
    changes: dict[str, Json] = {"good": {}, "revoked": {"revoked": 1}, "refused": {"refused": 1}, "gone": {"gone": 1}}
    views = ("access", "optional", "unrevoked", "user", "user-optional", "fresh")
    for view, (name, change) in itertools.product(views, changes.items()):
        yield f"judged/{name}/{view}", client.send(view, "GET", carry("headers", token(**change)))
    for name in (*EVERYDAY, "sub-int", "alg-none"):
        yield f"answered/{name}", client.send("access", "GET", carry("headers", TOKENS[name]))
    for form in ("empty", "basic", "three-words", "only-type"):
        wire = {"headers": {"Authorization": HEADER_FORMS[form]}}
        yield f"answered/header-{form}", client.send("access", "GET", wire)
    for view in ("user", "user-optional", "access"):
        yield f"judged/none/{view}", client.send(view, "GET", {})
        yield f"no-lookup/{view}", Client().send(view, "GET", carry("headers", GOOD))
    for name in RESPONSES:
        yield from one_custom_loader(name)


def one_custom_loader(name: str) -> Iterator[Line]:
    client = Client(None, judging, answering((name,)))
    for claim in ("exp", "revoked", "refused", "gone"):
        wire = carry("headers", token(**{claim: PAST}))
        yield f"answered-by/{name}/{claim}", client.send("access", "GET", wire)
    yield f"answered-by/{name}/none", client.send("access", "GET", {})
    yield f"answered-by/{name}/word", client.send("access", "GET", carry("headers", "word"))
    yield f"answered-by/{name}/stale", client.send("fresh", "GET", carry("headers", GOOD))


def falsy_loaders() -> Iterator[Line]:
    """A loader's answer is judged by its truth; a user by not being None."""
    values: dict[str, Any] = {"none": None, "zero": 0, "empty": "", "text": "no", "list": []}
    for (name, value), loader in itertools.product(
        values.items(), ("token_in_blocklist", "token_verification", "user_lookup")
    ):
        client = Client(None, constant(loader, value))
        for view in ("access", "user"):
            yield f"falsy/{loader}/{name}/{view}", client.send(view, "GET", carry("headers", GOOD))


def constant(loader: str, value: Any) -> Setup:
    """A loader that always says the same."""

    def setup(manager: JWTManager) -> None:
        getattr(manager, f"{loader}_loader")(lambda *_: value)

    return setup


def key_loaders() -> Iterator[Line]:
    def by_kid(header: Json, _claims: Json) -> str:
        return {"k1": SECRET, "k2": OTHER_SECRET}[header["kid"]]

    def by_issuer(_header: Json, claims: Json) -> str:
        return SECRET if claims.get("iss") == "me" else OTHER_SECRET

    loaders: dict[str, Callable[..., Any]] = {"kid": by_kid, "issuer": by_issuer, "none": lambda *_: None}
    tokens = {
        "k1": token({"kid": "k1"}),
        "k2": token({"kid": "k2"}),
        "k3": token({"kid": "k3"}),
        "me": token(iss="me"),
        "not-me": token(iss="others"),
        "other-secret": TOKENS["other-secret"],
        "expired": token({"kid": "k1"}, iss="me", exp=PAST),
        "word": "word",
    }
    for loader, callback in loaders.items():
        client = Client(None, partial(JWTManager.decode_key_loader, callback=callback))
        for name, encoded in tokens.items():
            yield f"key/{loader}/{name}", client.send("access", "GET", carry("headers", encoded))


def own_handlers() -> Iterator[Line]:
    """Handlers of the application for some of the errors, beside those that the manager registers."""
    errors: tuple[Any, ...] = (Exception, JWTExtendedException, NoAuthorizationError, CSRFError, RevokedTokenError)
    errors += (pyjwt.PyJWTError, pyjwt.InvalidTokenError, pyjwt.DecodeError, pyjwt.InvalidSignatureError)
    errors += (pyjwt.ExpiredSignatureError, pyjwt.ImmatureSignatureError, HTTPException, 401, 422, 500)
    tokens = {name: TOKENS[name] for name in ("expired", "no-sub", "nbf-future", "other-secret", "word", "refresh")}
    tokens["revoked"] = token(revoked=True)
    for error, place in itertools.product(errors, ("application", "blueprint")):
        client = Client(None, judging)
        inner = Blueprint("inner", "inner", url_prefix="/inner")
        inner.add_url_rule("/view", "view", jwt_required(locations=["headers", "cookies"])(seen), methods=METHODS)
        owner: Any = client.app if place == "application" else inner
        owner.errorhandler(error)(lambda error: (f"own: {type_name(error)}: {error}", 418))
        client.app.register_blueprint(inner)
        name = f"handler/{place}/{getattr(error, '__name__', error)}"
        for each, encoded in tokens.items():
            yield f"{name}/{each}", client.send("inner/view", "GET", carry("headers", encoded))
        yield f"{name}/none", client.send("inner/view", "GET", {})
        cookie = {"Cookie": f"access_token_cookie={GOOD}"}
        yield f"{name}/no-csrf", client.send("inner/view", "POST", {"headers": cookie})


def views_of_all_kinds() -> Iterator[Line]:
    client = Client()
    for view, name in itertools.product((*VIEWS, "silent", "async", "open"), ("good", "refresh", "fresh", "expired")):
        yield f"view/{view}/{name}", client.send(view, "GET", carry("headers", TOKENS[name]))


# --- calls ----------------------------------------------------------------------------------------------------------


def attempt(function: Callable[[], Any]) -> Outcome:
    """The result of a call, or its error: with its message, but where it tells the developer what to fix."""
    try:
        return function()
    except (JWTExtendedException, pyjwt.PyJWTError) as error:
        return ["raised", type_name(error), str(error)]
    except Exception as error:
        return ["raised", type_name(error)]


def described(encoded: str, algorithm: str = "HS256", key: Any = SECRET) -> Outcome:
    """A new token, with what is random or of the present replaced by what can be told of it."""
    claims = pyjwt.decode(encoded, key, [algorithm], options={"verify_aud": False, "verify_sub": False})
    issued = claims.pop("iat")
    for name in {"nbf", "exp"} & claims.keys():
        claims[name] = round(claims[name] - issued, -1) if claims[name] not in (PAST, FUTURE) else claims[name]
    for name in {"jti", "csrf"} & claims.keys():
        if len(str(claims[name])) == 36:
            claims[name] = "random"
    if type(claims.get("fresh")) is float:
        claims["fresh"] = ["until", int(claims["fresh"] - issued)]
    return [pyjwt.get_unverified_header(encoded), type(issued).__name__, dict(sorted(claims.items()))]


def within(function: Callable[[], Any], options: Mapping[str, Any] | None = None, *setups: Setup) -> Outcome:
    """The outcome of a call in the context of an application of its own."""

    def call() -> Any:
        with make_app(options or {}, *setups).test_request_context():
            return function()

    return attempt(call)


ISSUE_ARGUMENTS: dict[str, Json] = {
    "nothing": {},
    "delta": {"expires_delta": timedelta(seconds=300)},
    "seconds": {"expires_delta": 300},
    "never": {"expires_delta": False},
    "claims": {"additional_claims": {"role": "admin", "aud": "x"}},
    "over-claims": {"additional_claims": {"jti": "own", "type": "own", "sub": "own", "exp": FUTURE, "fresh": True}},
    "headers": {"additional_headers": {"kid": "k1", "typ": "at+jwt"}},
    "header-typ-none": {"additional_headers": {"typ": None}},
    "header-alg": {"additional_headers": {"alg": "HS512"}},
    "bad-delta": {"expires_delta": "soon"},
    "iss-int": {"additional_claims": {"iss": 7}},
    "set-claim": {"additional_claims": {"x": {1, 2}}},
    "date-claim": {"additional_claims": {"x": timedelta(1)}},
}
ISSUE_OPTIONS: dict[str, Json] = {
    "default": {},
    "lifetimes": {"ACCESS_TOKEN_EXPIRES": timedelta(hours=2), "REFRESH_TOKEN_EXPIRES": timedelta(days=2)},
    "seconds": {"ACCESS_TOKEN_EXPIRES": 7200, "REFRESH_TOKEN_EXPIRES": 172_800},
    "never": {"ACCESS_TOKEN_EXPIRES": False, "REFRESH_TOKEN_EXPIRES": False},
    "zero": {"ACCESS_TOKEN_EXPIRES": 0, "REFRESH_TOKEN_EXPIRES": 0},
    "aud": {"ENCODE_AUDIENCE": "me"},
    "aud-list": {"ENCODE_AUDIENCE": ["me", "us"]},
    "iss": {"ENCODE_ISSUER": "me"},
    "no-nbf": {"ENCODE_NBF": False},
    "identity": {"IDENTITY_CLAIM": "user"},
    "no-csrf": {"COOKIE_CSRF_PROTECT": False},
    "hs512": {"ALGORITHM": "HS512"},
    "no-secret": {"SECRET_KEY": None},
    "es256-no-key": {"ALGORITHM": "ES256"},
}


def issue(make: Callable[..., str], *arguments: Any, algorithm: str = "HS256", **named: Any) -> Outcome:
    return described(make(*arguments, **named), algorithm)


def issued() -> Iterator[Line]:
    makers: dict[str, Callable[..., str]] = {
        "access": package.create_access_token,
        "refresh": package.create_refresh_token,
    }
    identities: dict[str, Any] = {"int": 7, "none": None, "list": ["u"], "object": {"a": 1}, "set": {1}}
    for kind, make in makers.items():
        for name, arguments in ISSUE_ARGUMENTS.items():
            algorithm = "HS512" if name == "header-alg" else "HS256"
            yield f"issue/{kind}/{name}", within(partial(issue, make, "u", algorithm=algorithm, **arguments))
        for name, options in ISSUE_OPTIONS.items():
            algorithm = options.get("ALGORITHM", "HS256")
            yield f"issue/{kind}/option-{name}", within(partial(issue, make, "u", algorithm=algorithm), options)
        for name, identity in identities.items():
            yield f"issue/{kind}/identity-{name}", within(partial(issue, make, identity))
        plain = partial(issue, make, {"id": 7})
        yield f"issue/{kind}/loaders", within(plain, None, adding)
        more = partial(plain, additional_claims={"a": "argument"}, additional_headers={"h": "argument"})
        yield f"issue/{kind}/loaders-and-arguments", within(more, None, adding)
    freshness: dict[str, Any] = {"true": True, "false": False, "delta": timedelta(minutes=10), "time": FUTURE}
    for name, fresh in freshness.items():
        yield f"issue/fresh/{name}", within(partial(issue, makers["access"], "u", fresh=fresh))


def adding(manager: JWTManager) -> None:
    manager.additional_claims_loader(lambda identity: {"a": "loader", "given": identity})
    manager.additional_headers_loader(lambda identity: {"h": "loader", "given": identity})
    manager.user_identity_loader(lambda identity: str(identity["id"]))
    manager.encode_key_loader(lambda identity: SECRET)


def read() -> Iterator[Line]:
    decode: Callable[..., Any] = package.decode_token
    odd: dict[str, Any] = {"bytes": GOOD.encode(), "none": None, "int": 7}
    for name, encoded in (TOKENS | odd).items():
        yield f"call/decode_token/{name}", within(partial(decode, encoded))
    for name, encoded in TOKENS.items():
        outcome = attempt(partial(package.get_unverified_jwt_headers, encoded))
        yield f"call/get_unverified_jwt_headers/{name}", outcome
    for name in ("good", "no-jti", "no-csrf", "expired", "word"):
        encoded = TOKENS[name]
        yield f"call/get_jti/{name}", within(partial(package.get_jti, encoded))
        yield f"call/get_csrf_token/{name}", within(partial(package.get_csrf_token, encoded))
        yield f"call/allow_expired/{name}", within(partial(decode, encoded, allow_expired=True))
        for value in (CSRF, "wrong", ""):
            yield f"call/csrf_value/{value}/{name}", within(partial(decode, encoded, value))


def unready() -> Iterator[Line]:
    """Calls where nothing was verified, no manager is there, or no application."""
    for name in ("get_jwt", "get_jwt_header", "get_jwt_identity", "get_jwt_request_location", "get_current_user"):
        yield f"call/unverified/{name}", within(getattr(package, name))
    make = partial(package.create_access_token, "u")
    with Flask("bare").app_context():
        yield "call/no-manager", attempt(make)
    yield "call/no-context", attempt(make)


def verified() -> Iterator[Line]:
    """What ``verify_jwt_in_request`` returns or raises."""
    app = make_app({})
    calls: dict[str, Json] = {"plain": {}, "optional": {"optional": True}, "refresh": {"refresh": True}}
    for method, (name, arguments), encoded in itertools.product(
        ("GET", "OPTIONS"), calls.items(), ("none", "good", "refresh", "fresh", "expired", "word")
    ):
        wire = {} if encoded == "none" else carry("headers", TOKENS[encoded])
        with app.test_request_context(method=method, **wire):
            outcome = attempt(partial(package.verify_jwt_in_request, **arguments))
        yield f"call/verify_jwt_in_request/{method}/{name}/{encoded}", outcome


COOKIE_OPTIONS: dict[str, Json] = {
    "default": {},
    "secure": {"COOKIE_SECURE": True, "COOKIE_DOMAIN": "example.com", "COOKIE_SAMESITE": "Lax"},
    "strict-lower": {"COOKIE_SAMESITE": "strict"},
    "none-secure": {"COOKIE_SECURE": True, "COOKIE_SAMESITE": "None"},
    "kept": {"SESSION_COOKIE": False},
    "no-csrf": {"COOKIE_CSRF_PROTECT": False},
    "csrf-elsewhere": {"CSRF_IN_COOKIES": False},
    "names": {
        "ACCESS_COOKIE_NAME": "a",
        "ACCESS_COOKIE_PATH": "/api",
        "ACCESS_CSRF_COOKIE_NAME": "ac",
        "ACCESS_CSRF_COOKIE_PATH": "/app",
        "REFRESH_COOKIE_NAME": "r",
        "REFRESH_COOKIE_PATH": "/renew",
        "REFRESH_CSRF_COOKIE_NAME": "rc",
        "REFRESH_CSRF_COOKIE_PATH": "/renewal",
    },
}
COOKIE_ARGUMENTS: dict[str, Json] = {
    "nothing": {},
    "max-age": {"max_age": 60},
    "max-age-zero": {"max_age": 0},
    "domain": {"domain": "other.example"},
    "domain-empty": {"domain": ""},
}


def written_cookies() -> Iterator[Line]:
    for (option, options), (name, arguments) in itertools.product(COOKIE_OPTIONS.items(), COOKIE_ARGUMENTS.items()):
        for kind in ("access", "refresh"):
            yield f"cookies/set-{kind}/{option}/{name}", with_cookies(f"set_{kind}_cookies", options, GOOD, **arguments)
        if "max_age" not in arguments:
            for function in ("unset_access_cookies", "unset_refresh_cookies", "unset_jwt_cookies"):
                yield f"cookies/{function}/{option}/{name}", with_cookies(function, options, **arguments)
    for name in ("expired", "no-csrf", "word"):
        yield f"cookies/set-access/token-{name}", with_cookies("set_access_cookies", {}, TOKENS[name])
        elsewhere = with_cookies("set_access_cookies", {"CSRF_IN_COOKIES": False}, TOKENS[name])
        yield f"cookies/set-access/csrf-elsewhere/token-{name}", elsewhere


def with_cookies(function: str, options: Json, *tokens: str, **arguments: Any) -> Outcome:
    response = Response()

    def call() -> Outcome:
        getattr(package, function)(response, *tokens, **arguments)
        return set_cookies(response)

    return within(call, options)


def misuse() -> Iterator[Line]:
    """What a developer may get wrong, each as the error it ends in, at once or with the first request."""
    variants: dict[str, Json] = {
        "location-unknown": {"TOKEN_LOCATION": ["attic"]},
        "location-empty": {"TOKEN_LOCATION": []},
        "location-int": {"TOKEN_LOCATION": 7},
        "header-name-empty": {"HEADER_NAME": ""},
        "no-secret": {"SECRET_KEY": None},
        "es256-no-key": {"ALGORITHM": "ES256"},
    }
    for name, options in variants.items():
        outcome = attempt(partial(first_answer, options))
        # At once or later, as an answer or as an exception: what counts is the class.
        yield f"misuse/{name}", outcome[-1] if outcome[0] in (500, "raised") else outcome
    yield "misuse/samesite-none-insecure", attempt(partial(first_answer, {"COOKIE_SAMESITE": "None"}))
    yield "misuse/location-set-of-one", Client({"TOKEN_LOCATION": {"headers"}}).send("access", "GET", {})
    yield "misuse/location-set-of-two", Client({"TOKEN_LOCATION": {"headers", "json"}}).send("access", "GET", {})


def first_answer(options: Json) -> Outcome:
    return Client(options).send("access", "GET", carry("headers", GOOD))


# --- names ----------------------------------------------------------------------------------------------------------


def signatures() -> Iterator[Line]:
    functions = {name: value for name, value in vars(package).items() if inspect.isfunction(value)}
    methods = {name: value for name, value in vars(JWTManager).items() if inspect.isfunction(value) and name[0] != "_"}
    for name, function in (functions | methods | {"JWTManager": JWTManager.__init__}).items():
        for place, each in enumerate(inspect.signature(function).parameters.values()):
            default = "required" if each.default is each.empty else repr(each.default)
            yield f"signature/{name}/{each.name}", [place, each.kind.name, default]


def defaults() -> Iterator[Line]:
    config = Client().app.config
    for name in sorted(config):
        if name.startswith("JWT_"):
            yield f"default/{name}", repr(config[name])


def template() -> Iterator[Line]:
    """``current_user`` in templates, where the manager was asked for it."""
    for added in (True, False):
        app = Flask("app")
        app.config["JWT_SECRET_KEY"] = SECRET
        manager = JWTManager(app, add_context_processor=added)
        manager.user_lookup_loader(lambda _header, claims: claims["sub"])
        render = app.jinja_env.from_string("[{{ current_user }}]")

        def view(render: Any = render, app: Flask = app) -> str:
            context: Json = {}
            app.update_template_context(context)
            return str(render.render(context))

        app.add_url_rule("/protected", "protected", jwt_required()(view))
        app.add_url_rule("/open", "open", view)
        for path in ("protected", "open"):
            answer = app.test_client().get(f"/{path}", **carry("headers", GOOD))
            yield f"template/{added}/{path}", [answer.status_code, answer.status_code == 200 and answer.text]


ALL: tuple[Callable[[], Iterator[Line]], ...] = (
    tokens_at_views,
    nothing_at_views,
    locations_and_methods,
    hostile_at_locations,
    options_requests,
    csrf,
    csrf_claims,
    headers,
    query_strings,
    json_bodies,
    cookies,
    precedence,
    malformed_beside_good,
    claim_options,
    algorithms,
    order_of_checks,
    custom_loaders,
    falsy_loaders,
    key_loaders,
    own_handlers,
    views_of_all_kinds,
    issued,
    read,
    unready,
    verified,
    written_cookies,
    misuse,
    signatures,
    defaults,
    template,
)


def main() -> None:
    """Print the version of the package, then a line for each scenario."""
    warnings.simplefilter("ignore")
    lines: Iterator[Line] = itertools.chain.from_iterable(each() for each in ALL)
    for line in itertools.chain([("version", package.__version__)], lines):
        sys.stdout.write(json.dumps(line, default=repr) + "\n")


if __name__ == "__main__":
    main()
