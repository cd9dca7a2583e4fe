"""Checks: what is wrong with the way an application is set up.

Each check is one function from the application and its :class:`ExtensionState` to findings; :data:`CHECKS` lists them.
The texts are in ``findings.py``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

from flask import Flask

from .._protection.decisions import Decision, decide, protections_of
from .._protection.view_metadata import idle_decorator, is_bypassed, is_exempt, raw, unwrap
from .._settings.options import option_name, unknown_options
from .._state import ExtensionState
from ..exceptions import StoreUnavailableError
from ..stores.findings import Finding
from .findings import finding
from .humanize import DAY, duration
from .keys import KEY_CHECKS, key_errors, mixed_algorithms
from .own_tokens import claims_refused_at_start, missing_oauth_claims, refused_claims, refused_tokens
from .routes import methods_of

#: Seconds of leeway beyond any usual difference between clocks.
LARGE_LEEWAY = 300
#: Seconds of grace beyond any race between two tabs.
LONG_GRACE = 60

#: The guards of routes that anonymous clients may call.
_OPEN = ("none", "below", "exempt")

Check = Callable[[Flask, ExtensionState], Iterator[Finding]]


def check(app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """Run every check."""
    for key_check in KEY_CHECKS:
        yield from key_check(state)
    for each in CHECKS:
        yield from each(app, state)


def startup_checks(app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """Run the checks that are cheap and certain: unprotected views, exemptions of everything, keys that are missing or
    unusable, settings that refuse every token, and algorithms that must not share a key.
    """
    for each in (unprotected_views, idle_decorators, wide_exemptions):
        yield from (found for found in each(app, state) if found.severity == "error")
    yield from mixed_algorithms(state)
    yield from claims_refused_at_start(app, state)
    yield from key_errors(state)


# --- options --------------------------------------------------------------------------------------------------------


def misspelt_options(app: Flask, _state: ExtensionState) -> Iterator[Finding]:
    """The configuration has a ``JWT_*`` name that is not an option."""
    for name, fix in unknown_options(app.config):
        text = fix[:1].upper() + fix[1:] if fix else "Nothing, if it is an option of your own."
        yield finding("unknown_option", None if fix else "info", name=name, fix=text)


def doubtful_cookies(app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """Browsers may not treat a cookie's name or path as expected, or Flask's session has the same name."""
    doubts = list(state.settings.cookie_problems)
    session = app.config.get("SESSION_COOKIE_NAME")
    for kind in (state.settings.access, state.settings.refresh):
        if session in (kind.cookie_name, kind.csrf_cookie_name):
            doubts.append(f"SESSION_COOKIE_NAME is {session!r}, which is also the name of a {kind.name} token cookie")
    for doubt in doubts:
        yield finding("doubtful_cookie", doubt=doubt)


def long_lifetimes(_app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """Tokens never expire, or access tokens are valid for more than a day."""
    for kind in (state.settings.access, state.settings.refresh):
        option = option_name(f"{kind.name}_token_expires")
        if kind.token_expires is False:
            yield finding("never_expires", option=option, kind=kind.name)
        elif kind.name == "access" and (lifetime := _seconds(kind.token_expires)) > DAY:
            yield finding("long_access_lifetime", option=option, duration=duration(lifetime))


def _seconds(delta: Any) -> float:
    """The length of a ``timedelta`` or ``relativedelta``; ``False`` is without end."""
    if delta is False:
        return math.inf
    moment = datetime(2000, 1, 1, tzinfo=timezone.utc)
    length: float = (moment + delta - moment).total_seconds()
    return length


def large_leeway(_app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """JWT_DECODE_LEEWAY is more than clocks differ, or than an access token's lifetime."""
    leeway = state.settings.decode_leeway
    if leeway > LARGE_LEEWAY or leeway > _seconds(state.settings.access_token_expires) > 0:
        yield finding("large_leeway", duration=duration(leeway))


def token_locations(app: Flask, state: ExtensionState) -> set[str]:
    """Where tokens are looked for: by default, and by views with locations of their own."""
    policies = (policy for _, _, decision in _decisions(app) for policy in decision.policies)
    return set(state.settings.token_location).union(*(policy.locations for policy in policies))


def exposed_tokens(app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """Cookies can be read or sent by others, or tokens are part of URLs."""
    settings, locations = state.settings, token_locations(app, state)
    if "cookies" in locations:
        if not settings.cookie_secure:
            yield finding("insecure_cookies")
        if settings.cookie_samesite in (None, "None"):
            yield finding("cross_site_cookies", value='"None"' if settings.cookie_samesite else "not set")
        protects = settings.cookie_csrf_protect or settings.csrf_origin_check
        if not protects or settings.csrf_methods == frozenset():
            yield finding("no_csrf_protection")
    if "query_string" in locations:
        yield finding("token_in_url")


def compat_profile(_app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """JWT_PROFILE keeps the defaults of 4.7."""
    if state.settings.profile == "compat":
        yield finding("compat_profile")


# --- sessions -------------------------------------------------------------------------------------------------------


def unhealthy_store(_app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """The store is unavailable, or less safe than it should be."""
    if state.store is None:
        return
    try:
        yield from state.store.findings(time.time())
    except Exception as error:  # of the engine, or of a third-party store; its text may contain a password
        reason = error.reason if isinstance(error, StoreUnavailableError) else type(error).__name__
        yield finding("store_unreachable", reason=reason)


def session_settings(_app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """An outage lets tokens pass, the grace is long or missing, or sessions end before their tokens are refreshed."""
    settings = state.settings
    if state.store is None:
        return
    if settings.store_outage == "allow":
        yield finding("outage_allows")
    if settings.refresh_grace > LONG_GRACE:
        yield finding("long_grace", duration=duration(settings.refresh_grace))
    elif settings.refresh_grace == 0:
        yield finding("no_grace")
    idle, access = _seconds(settings.session_idle_timeout), _seconds(settings.access_token_expires)
    if idle <= access and idle < math.inf:
        lifetime = "never expires" if access == math.inf else f"is valid for {duration(access)}"
        yield finding("short_idle_timeout", idle=duration(idle), lifetime=lifetime)
    whole, refresh = _seconds(settings.session_lifetime), _seconds(settings.refresh_token_expires)
    if whole < refresh < math.inf:
        yield finding("short_session_lifetime", lifetime=duration(whole), refresh=duration(refresh))


# --- views ----------------------------------------------------------------------------------------------------------


def unprotected_views(app: Flask, _state: ExtensionState) -> Iterator[Finding]:
    """``@jwt_required()`` is above the route, so that the bare function is served.

    The decorator leaves a reference to its wrapper on the function. A wrapper that no rule serves, or that is gone,
    protects nothing.
    """
    served = {id(layer) for view in app.view_functions.values() for layer in unwrap(view)}
    for endpoint, rules in _rules(app).items():
        view = raw(app.view_functions.get(endpoint))
        if is_bypassed(view, served):
            guards = {decision.guard for name, _, decision in _decisions(app) if name == endpoint}
            yield finding(
                "unprotected_view" if not guards.isdisjoint(_OPEN) else "unenforced_decorator",
                rules=rules,
                view=getattr(view, "__qualname__", endpoint),
                reason="its @jwt_required() is above the route",
                why="The route serves the function below it, without the decorator.",
                fix="Put @jwt_required() below the route, next to the function.",
            )


def idle_decorators(app: Flask, _state: ExtensionState) -> Iterator[Finding]:
    """Flask does not run a class's ``@jwt_required()``: it is in the ``method_decorators`` of a ``MethodView``, or on a
    method that ``dispatch_request`` does not call.
    """
    rules = _rules(app)
    found = {
        (where, idle_decorator(app.view_functions[where], how), each.guard) for where, how, each in _decisions(app)
    }
    for endpoint, name, guard in sorted((where, name, guard) for where, name, guard in found if name is not None):
        rename = "Rename it to decorators: method_decorators belongs to flask-restful and flask-restx."
        yield finding(
            "unprotected_view" if guard in _OPEN else "unenforced_decorator",
            rules=rules[endpoint],
            view=endpoint,
            reason=f"the @jwt_required() of {name} has no effect",
            why="Flask does not run it there.",
            fix=rename if name.endswith(".method_decorators") else "Put it on dispatch_request, or into decorators.",
        )


#: Why a decorator above ``@jwt_required()`` is a risk, by whether it may answer anonymous clients.
_WHY_COVERED = {
    True: "It runs before the token is checked and may answer itself: a cache serves to anonymous clients what it "
    "stored for a user.",
    False: "It may answer instead of the view: a cache serves to one user what it stored for another.",
}


def covered_decorators(app: Flask, _state: ExtensionState) -> Iterator[Finding]:
    """Another decorator is above ``@jwt_required()``: a cache, for example."""
    rules = _rules(app)
    found: dict[tuple[str, str], bool] = {}
    for endpoint, _, decision in _decisions(app):
        if decision.above:
            found.setdefault((endpoint, decision.above), decision.guard == "below")
    for (endpoint, decorator), is_open in found.items():
        yield finding("covered_decorator", rules=rules[endpoint], decorator=decorator, why=_WHY_COVERED[is_open])


def idle_exemptions(app: Flask, _state: ExtensionState) -> Iterator[Finding]:
    """A view is ``@jwt_exempt``, but ``@jwt_required`` or a ``before_request`` function still requires a token."""
    rules = _rules(app)
    found = (
        endpoint
        for endpoint, method, decision in _decisions(app)
        # The class does not count: single methods of it may be protected.
        if is_exempt(app.view_functions[endpoint], method, with_class=False)
        and decision.guard in ("decorator", "below", "hook")
    )
    for endpoint in dict.fromkeys(found):
        yield finding("unused_exemption", rules=rules[endpoint])


def wide_exemptions(app: Flask, _state: ExtensionState) -> Iterator[Finding]:
    """``jwt.protect`` has an exemption that matches everything."""
    for guarding in protections_of(app):
        what = "the application" if guarding.blueprint is None else f"the blueprint {guarding.blueprint}"
        for pattern in guarding.exempt:
            if not pattern.strip("*?."):
                yield finding("exempts_everything", what=what, pattern=pattern)


def _decisions(app: Flask) -> Iterator[tuple[str, str, Decision]]:
    """What each endpoint requires, by method."""
    known = {(rule.endpoint, method) for rule in app.url_map.iter_rules() for method in methods_of(app, rule)}
    return ((endpoint, method, decide(app, endpoint, method)) for endpoint, method in sorted(known))


def _rules(app: Flask) -> dict[str, str]:
    """The rules of each endpoint, separated by commas."""
    rules: dict[str, list[str]] = {}
    for rule in app.url_map.iter_rules():
        rules.setdefault(rule.endpoint, []).append(rule.rule)
    return {endpoint: ", ".join(each) for endpoint, each in rules.items()}


#: Every check of an application, apart from those of its keys.
CHECKS: tuple[Check, ...] = (
    misspelt_options,
    doubtful_cookies,
    long_lifetimes,
    large_leeway,
    refused_claims,
    refused_tokens,
    missing_oauth_claims,
    exposed_tokens,
    compat_profile,
    unhealthy_store,
    session_settings,
    unprotected_views,
    idle_decorators,
    covered_decorators,
    idle_exemptions,
    wide_exemptions,
)
