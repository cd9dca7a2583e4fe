"""Tests for the routes of your application, ready to inherit: every kind of bad token, sent to every protected route.

::

    from flask_jwt_extended.testing.route_contract import RouteContract

    class TestRoutes(RouteContract):
        url_values = {"order_id": 5}

The tests need a fixture ``app`` that returns your application. No view runs: every request must be refused first.

.. versionadded:: 5.0
"""

# ruff: noqa: S101  # tests assert

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

import pytest
from flask import Flask

from .._context import get_state
from .._diagnostics.routes import Route, routes
from .._jose.compact import encode_segment
from .._protection.decisions import decide
from .._request.policy import Policy
from ..sessions import revoke_token
from ..utils import create_access_token, create_refresh_token, create_token
from .clients import client_with

#: Makes a bad token for the requirements of a view; ``None``: send no token.
Maker = Callable[[Policy], "str | None"]

#: The statuses of a refusal. Anything else fails a test, in particular a 500.
REFUSED = (400, 401, 403, 422)
#: Values for the variable parts of rules, by the name of their converter.
SAMPLES: dict[str, Any] = {"int": 1, "float": 1.5, "uuid": UUID(int=1), "path": "a/b"}
#: A variable part of a rule: ``<converter(arguments):name>``.
VARIABLE = re.compile(r"<(?:(\w+)(?:\([^)]*\))?:)?(\w+)>")


class RouteContract:
    """The tests. Each sends a bad token to all protected routes, and fails with the list of routes that accept it.

    Views with ``optional="if-valid"`` or ``report_only=True`` are left out, because they accept bad tokens.

    :cvar url_values: values for the variable parts of rules, by name; the others get sample values
    :cvar skip: endpoints to leave out

    .. versionadded:: 5.0
    """

    url_values: ClassVar[dict[str, Any]] = {}
    skip: ClassVar[tuple[str, ...]] = ()

    def test_without_a_token(self, app: Flask) -> None:
        """Requests without a token are refused, except by views with ``optional=True``."""
        self._all_refuse(app, lambda _policy: None, lambda policy: not policy.optional)

    def test_a_token_that_has_expired(self, app: Flask) -> None:
        """Expired tokens are refused."""
        self._all_refuse(app, lambda policy: _made(policy, expires_delta=timedelta(seconds=-3600)))

    def test_a_token_without_a_signature(self, app: Flask) -> None:
        """Tokens whose ``alg`` is ``none`` are refused (RFC 8725, section 3.1)."""
        header = encode_segment(b'{"alg": "none", "typ": "JWT"}').decode()
        self._all_refuse(app, lambda policy: f"{header}.{_made(policy).split('.')[1]}.")

    def test_a_token_whose_signature_is_wrong(self, app: Flask) -> None:
        """Forged tokens are refused."""
        self._all_refuse(app, lambda policy: f"{_made(policy)[:-8]}AAAAAAAA")

    def test_a_token_of_another_kind(self, app: Flask) -> None:
        """A view refuses tokens of other types: refresh for access tokens, access for refresh tokens, custom types."""
        for make in (
            lambda policy: create_access_token("u", fresh=True) if policy.refresh else create_refresh_token("u"),
            lambda _policy: create_token("some_other_kind", "u"),
        ):
            self._all_refuse(app, make, lambda policy: policy.verify_type)

    def test_a_token_for_another_audience(self, app: Flask) -> None:
        """Tokens for another audience are refused, if the application checks it (JWT_DECODE_AUDIENCE)."""
        if get_state(app).settings.audience is not None:
            self._all_refuse(app, lambda policy: _made(policy, aud="urn:another-audience"))

    def test_a_token_without_what_is_demanded(self, app: Flask) -> None:
        """Tokens without the required scopes, roles, freshness or authentication are refused."""
        self._all_refuse(
            app,
            lambda policy: _made(policy, scope="", scp=[], roles=[], groups=[]),
            lambda policy: bool(policy.scopes or policy.fresh or policy.max_age is not None or policy.acr),
        )

    def test_a_token_that_was_revoked(self, app: Flask) -> None:
        """Revoked tokens are refused, if the application has a store."""
        if get_state(app).store is not None:
            self._all_refuse(app, _revoked, lambda policy: not policy.skip_revocation_check)

    def test_what_is_no_token(self, app: Flask) -> None:
        """Malformed tokens are refused."""
        for malformed in ("nonsense", "a.b.c", "....", "eyJhbGciOiJIUzI1NiJ9.e30."):
            self._all_refuse(app, lambda _policy, malformed=malformed: malformed)  # type: ignore[misc]  # the default binds it

    def _all_refuse(self, app: Flask, make: Maker, applies: Callable[[Policy], bool] = lambda _policy: True) -> None:
        answered = {
            f"{route.method} {url}": status
            for route, url, policy in self._protected(app)
            if applies(policy) and (status := self._status(app, route, url, policy, make)) not in REFUSED
        }
        assert not answered, f"These should have been refused: {answered}"

    def _protected(self, app: Flask) -> Iterator[tuple[Route, str, Policy]]:
        """Find the routes that refuse bad tokens, with a URL and their requirements."""
        for route in routes(app):
            policies = decide(app, route.endpoint, route.method).policies
            lenient = any(policy.report_only or policy.optional == "if-valid" for policy in policies)
            is_protected = route.guard in ("decorator", "default", "hook") and not lenient
            if is_protected and route.endpoint not in self.skip:
                yield route, self._url(app, route), policies[0]

    def _url(self, app: Flask, route: Route) -> str:
        rule = next(each for each in app.url_map.iter_rules(route.endpoint) if each.rule == route.rule)
        variables = VARIABLE.findall(f"{rule.host} {rule.subdomain} {rule.rule}")
        samples = {name: SAMPLES.get(converter, "x") for converter, name in variables}
        values = dict.fromkeys(rule.arguments, "x") | samples | dict(rule.defaults or {}) | self.url_values
        built = rule.build({name: values[name] for name in rule.arguments}, append_unknown=False)
        if built is None:
            pytest.fail(f"Give a value for each part of {route.rule}: url_values = {{...}}")
        return built[1]

    def _status(self, app: Flask, route: Route, url: str, policy: Policy, make: Maker) -> int:
        with app.app_context():
            client = client_with(make(policy), app, refresh=policy.refresh)
        response = client.open(url, method=route.method)
        response.close()
        return response.status_code


def _made(policy: Policy, expires_delta: Any = None, **claims: Any) -> str:
    """Make a token of the type that the view requires, with these claims."""
    if policy.token_type == "refresh":
        return create_refresh_token("u", expires_delta, claims)
    if policy.token_type == "access":
        return create_access_token("u", expires_delta=expires_delta, additional_claims=claims)
    return create_token(str(policy.token_type), "u", expires_delta=expires_delta, additional_claims=claims)


def _revoked(policy: Policy) -> str:
    token = _made(policy)
    revoke_token(token)
    return token
