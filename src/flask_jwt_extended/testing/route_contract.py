"""Tests of your own application that need no line of yours: every bad token there is, sent to every protected route.

::

    from flask_jwt_extended.testing.route_contract import RouteContract

    class TestRoutes(RouteContract):
        url_values = {"order_id": 5}

It needs a fixture ``app`` that returns your application. No view runs: each of these requests has to be refused before.
"""

# ruff: noqa: S101  # tests assert

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

import pytest
from flask import Flask
from jwt.exceptions import PyJWTError
from werkzeug.routing import Rule

from .._context import get_state
from .._diagnostics.routes import Route, routes
from .._jose.compact import encode_segment
from .._protection.decisions import decide
from .._request.policy import Policy
from ..sessions import revoke_token
from ..utils import create_access_token, create_refresh_token, create_token
from .clients import carry

#: Makes a bad token for what a view demands; ``None``: there is none.
Maker = Callable[[Policy], "str | None"]

#: The guards of routes that refuse bad tokens.
PROTECTED = ("decorator", "default", "hook")
#: What refuses: nothing else counts, a crash least of all.
REFUSED = (400, 401, 403, 422)
#: Values for the variable parts of rules, by the name of their converter.
SAMPLES: dict[str, Any] = {
    "IntegerConverter": 1,
    "FloatConverter": 1.5,
    "UUIDConverter": UUID(int=1),
    "PathConverter": "a/b",
}


class RouteContract:
    """The contract. Each test goes through all routes, and names those that fail.

    :cvar url_values: values for variable parts of rules, by their names; others are made up
    :cvar skip: endpoints that are left out
    """

    url_values: ClassVar[dict[str, Any]] = {}
    skip: ClassVar[tuple[str, ...]] = ()

    def test_without_a_token(self, app: Flask) -> None:
        """Nobody gets in, but for views that are optional."""
        self._all_refuse(app, lambda _policy: None, lambda policy: not policy.optional)

    def test_a_token_that_has_expired(self, app: Flask) -> None:
        """However good it was."""
        self._all_refuse(app, lambda policy: _made(policy, expires_delta=timedelta(seconds=-3600)))

    def test_a_token_without_a_signature(self, app: Flask) -> None:
        """``alg`` is ``none`` (RFC 8725, section 3.1)."""
        self._all_refuse(app, lambda policy: _unsigned(_made(policy)))

    def test_a_token_whose_signature_is_wrong(self, app: Flask) -> None:
        """Signed by somebody else."""
        self._all_refuse(app, lambda policy: _forged(_made(policy)))

    def test_a_token_of_another_kind(self, app: Flask) -> None:
        """A refresh token where an access token is asked for, and the other way round; one to reset a password."""
        self._all_refuse(app, _of_another_kind, lambda policy: policy.verify_type)
        self._all_refuse(
            app, lambda _policy: create_token("some_other_kind", "somebody"), lambda policy: policy.verify_type
        )

    def test_a_token_for_another_audience(self, app: Flask) -> None:
        """Where an audience is looked at: JWT_DECODE_AUDIENCE, or JWT_VERIFY_AUD."""
        with app.app_context():
            settings = get_state(app).settings
        if settings.audience is not None:
            self._all_refuse(app, lambda policy: _made(policy, aud="urn:somebody-else"))

    def test_a_token_without_what_is_demanded(self, app: Flask) -> None:
        """No scope, no role, not fresh, nor authenticated."""
        self._all_refuse(
            app,
            lambda policy: _made(policy, scope="", scp=[], roles=[], groups=[], auth_time=None),
            lambda policy: bool(policy.scopes or policy.fresh or policy.max_age is not None or policy.acr),
        )

    def test_a_token_that_was_revoked(self, app: Flask) -> None:
        """Where there is a store to revoke it in."""
        with app.app_context():
            has_store = get_state(app).store is not None
        if has_store:
            self._all_refuse(app, _revoked, lambda policy: not policy.skip_revocation_check)

    def test_what_is_no_token(self, app: Flask) -> None:
        """Rubbish is refused, and crashes nothing."""
        for rubbish in ("nonsense", "a.b.c", "....", "eyJhbGciOiJIUzI1NiJ9.e30."):
            self._all_refuse(app, lambda _policy, rubbish=rubbish: rubbish)  # type: ignore[misc]

    # --- how ------------------------------------------------------------------------------------------------------

    def _all_refuse(self, app: Flask, make: Maker, applies: Callable[[Policy], bool] = lambda _policy: True) -> None:
        answered = {
            f"{route.method} {url}": status
            for route, url, policy in self._protected(app)
            if applies(policy) and (status := self._status(app, route, url, policy, make)) not in REFUSED
        }
        assert not answered, f"These should have been refused: {answered}"

    def _protected(self, app: Flask) -> Iterator[tuple[Route, str, Policy]]:
        """Every protected route with a URL of it and what it demands; not those that let bad tokens pass on purpose."""
        for route in routes(app):
            policies = decide(app, route.endpoint, route.method).policies
            lenient = any(policy.report_only or policy.optional == "if-valid" for policy in policies)
            if route.guard in PROTECTED and route.endpoint not in self.skip and not lenient:
                yield route, self._url(app, route), policies[0]

    def _url(self, app: Flask, route: Route) -> str:
        rule = next(each for each in app.url_map.iter_rules(route.endpoint) if each.rule == route.rule)
        built = rule.build({name: self._value(rule, name) for name in rule.arguments}, append_unknown=False)
        if built is None:
            pytest.fail(f"Give a value for each part of {route.rule}: url_values = {{...}}")
        return built[1]

    def _value(self, rule: Rule, name: str) -> Any:
        converter = rule._converters.get(name)
        return self.url_values.get(name, (rule.defaults or {}).get(name, SAMPLES.get(type(converter).__name__, "x")))

    def _status(self, app: Flask, route: Route, url: str, policy: Policy, make: Maker) -> int:
        with app.app_context():
            token, client = make(policy), app.test_client()
            if token is not None:
                carry(client, app, token, refresh=policy.refresh)
        response = client.open(url, method=route.method)
        response.close()
        return response.status_code


def _made(policy: Policy, expires_delta: Any = None, **claims: Any) -> str:
    """A token that the view asks for, but for what is changed."""
    said = {name: value for name, value in claims.items() if value is not None}
    if policy.token_type == "refresh":
        return create_refresh_token("somebody", expires_delta, said)
    if policy.token_type == "access":
        return create_access_token("somebody", expires_delta=expires_delta, additional_claims=said)
    return create_token(str(policy.token_type), "somebody", expires_delta=expires_delta, additional_claims=said)


def _of_another_kind(policy: Policy) -> str:
    return create_access_token("somebody", fresh=True) if policy.refresh else create_refresh_token("somebody")


def _unsigned(token: str) -> str:
    _, payload, _ = token.split(".")
    return f"{encode_segment(json.dumps({'alg': 'none', 'typ': 'JWT'}).encode()).decode()}.{payload}."


def _forged(token: str) -> str:
    head, payload, signature = token.split(".")
    return f"{head}.{payload}.{'A' * len(signature)}"


def _revoked(policy: Policy) -> str:
    token = _made(policy)
    try:
        revoke_token(token)
    except PyJWTError as error:  # pragma: no cover  # a token of the application's own cannot be invalid
        raise AssertionError("The application refuses its own tokens") from error
    return token
