"""Checks: what is wrong with the way an application is set up.

Each check is one function from the application and its :class:`ExtensionState` to findings; :data:`CHECKS` lists them.
Prints nothing: the command line does. Starts no process.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from itertools import chain
from typing import Any

from flask import Flask

from .._protection.decisions import Decision, decide, protections_of
from .._protection.view_metadata import idle_decorator, is_bypassed, is_exempt, raw, unwrap
from .._settings.options import option_name, unknown_options
from .._state import ExtensionState
from ..exceptions import StoreUnavailableError
from ..stores.findings import Finding
from .humanize import DAY, duration
from .keys import KEY_CHECKS, key_errors, mixed_algorithms
from .own_tokens import claims_refused_at_start, missing_oauth_claims, refused_claims, refused_tokens
from .routes import methods_of

#: Seconds of leeway above which it is no difference between clocks any more.
LARGE_LEEWAY = 300
#: Seconds of grace above which it is no race between two tabs any more.
LONG_GRACE = 60

#: The guards of routes that anonymous clients may call.
_OPEN = ("none", "below", "exempt")

Check = Callable[[Flask, ExtensionState], Iterator[Finding]]


def check(app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """Run every check."""
    return chain(
        chain.from_iterable(each(state) for each in KEY_CHECKS),
        chain.from_iterable(each(app, state) for each in CHECKS),
    )


def startup_checks(app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """Run the checks that are cheap enough for the start of an application and leave no doubt: a view that is served
    unprotected, an exemption that opens everything, keys that are missing or cannot be used, settings that refuse every
    token, algorithms that must not share a key.
    """
    for each in (unprotected_views, idle_decorators, wide_exemptions):
        yield from (finding for finding in each(app, state) if finding.severity == "error")
    yield from mixed_algorithms(state)
    yield from claims_refused_at_start(app, state)
    yield from key_errors(state)


# --- options --------------------------------------------------------------------------------------------------------


def misspelt_options(app: Flask, _current_state: ExtensionState) -> Iterator[Finding]:
    """The configuration has a ``JWT_*`` name that is not an option."""
    for name, fix in unknown_options(app.config):
        yield Finding(
            "warning" if fix else "info",
            "unknown_option",
            f"{name} is not a known option of flask_jwt_extended",
            "It has no effect here: what it should change or protect stays as it is by default.",
            fix[:1].upper() + fix[1:] if fix else "Nothing, if it is an option of your own.",
        )


def doubtful_cookies(app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """Names or paths of cookies that browsers may not treat as expected, or that Flask's session has too."""
    doubts = list(state.settings.cookie_problems)
    session = app.config.get("SESSION_COOKIE_NAME")
    for kind in (state.settings.access, state.settings.refresh):
        if session in (kind.cookie_name, kind.csrf_cookie_name):
            doubts.append(f"SESSION_COOKIE_NAME is {session!r}, the name of a cookie of the {kind.name} token")
    for doubt in doubts:
        yield Finding(
            "warning",
            "doubtful_cookie",
            doubt,
            "Browsers may drop the cookie, keep it after a logout, or let one replace the other.",
            "Choose another name or path.",
        )


def long_lives(_app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """Tokens live for ever, or access tokens for more than a day."""
    for kind in (state.settings.access, state.settings.refresh):
        option = option_name(f"{kind.name}_token_expires")
        if kind.token_expires is False:
            yield Finding(
                "warning",
                "never_expires",
                f"{option} is False: {kind.name} tokens never expire",
                "A token that was stolen or logged once works for as long as the key does.",
                f"Set {option} to a timedelta.",
            )
        elif kind.name == "access" and (lifetime := _seconds(kind.token_expires)) > DAY:
            yield Finding(
                "warning",
                "long_access_lifetime",
                f"{option}: an access token lives for {duration(lifetime)}",
                "That is how long a stolen one works, and a user who was locked out stays in.",
                "Let it live for minutes, and renew it with a refresh token.",
            )


def _seconds(delta: Any) -> float:
    """The length of a lifetime: a ``relativedelta`` has none of its own, and ``False`` has no end."""
    if delta is False:
        return math.inf
    moment = datetime(2000, 1, 1, tzinfo=timezone.utc)
    length: float = (moment + delta - moment).total_seconds()
    return length


def large_leeway(_app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """JWT_DECODE_LEEWAY is more than clocks differ, or than an access token lives."""
    leeway = state.settings.decode_leeway
    if leeway > LARGE_LEEWAY or leeway > _seconds(state.settings.access_token_expires) > 0:
        yield Finding(
            "warning",
            "large_leeway",
            f"JWT_DECODE_LEEWAY lets expired tokens pass for {duration(leeway)}",
            "It is there for clocks that differ by seconds, and prolongs the life of every token.",
            "Set it to 60 or less, and synchronise the clocks.",
        )


def token_locations(app: Flask, state: ExtensionState) -> set[str]:
    """Where tokens are looked for: by default, and by views that choose for themselves."""
    policies = (policy for _, _, decision in _decisions(app) for policy in decision.policies)
    return set(state.settings.token_location).union(*(policy.locations for policy in policies))


def exposed_cookies(app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """Cookies carry tokens and browsers may send them over HTTP, or with requests that other sites start."""
    settings = state.settings
    if "cookies" not in token_locations(app, state):
        return
    if not settings.cookie_secure:
        yield Finding(
            "warning",
            "insecure_cookies",
            "Tokens travel in cookies, and JWT_COOKIE_SECURE is off",
            "Browsers send the cookies over plain HTTP too, where anybody on the way can read them.",
            "Set JWT_COOKIE_SECURE = True; browsers take such cookies from http://localhost as well.",
        )
    if settings.cookie_samesite in (None, "None"):
        yield Finding(
            "warning",
            "cross_site_cookies",
            'JWT_COOKIE_SAMESITE is "None"' if settings.cookie_samesite else "JWT_COOKIE_SAMESITE is not set",
            "Cookies may go along with requests that other sites start.",
            'Set JWT_COOKIE_SAMESITE = "Lax" or "Strict", unless other sites embed this one.',
        )


def forgeable_requests(app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """Cookies carry tokens, and nothing tells a request of this site from one of another."""
    settings = state.settings
    protects = (settings.cookie_csrf_protect or settings.csrf_origin_check) and settings.csrf_methods != frozenset()
    if "cookies" in token_locations(app, state) and not protects:
        yield Finding(
            "error",
            "no_csrf_protection",
            "Tokens travel in cookies without CSRF protection",
            "Any page can make a browser send a request with the cookie of its user.",
            "Set JWT_COOKIE_CSRF_PROTECT = True, and leave JWT_CSRF_METHODS alone.",
        )


def tokens_in_urls(app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """Tokens are taken from the query string."""
    if "query_string" in token_locations(app, state):
        yield Finding(
            "warning",
            "token_in_url",
            "Tokens are taken from the query string",
            "URLs are kept: in access logs, in the history of browsers, in Referer headers (RFC 6750, section 2.3).",
            "Take query_string off JWT_TOKEN_LOCATION, or name it in the locations of the views that need it alone, "
            "with short-lived tokens.",
        )


def compat_profile(_app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """JWT_PROFILE keeps the defaults of 4.7."""
    if state.settings.profile == "compat":
        yield Finding(
            "info",
            "compat_profile",
            'JWT_PROFILE is "compat", with the defaults of Flask-JWT-Extended 4.7',
            "Some of them are weaker than what is known to be good today.",
            'A new application should start with JWT_PROFILE = "strict". See docs/security.md.',
        )


# --- sessions -------------------------------------------------------------------------------------------------------


def unhealthy_store(_app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """The store cannot be reached, or is weaker than what is kept there deserves."""
    if state.store is None:
        return
    try:
        yield from state.store.findings(time.time())
    except Exception as error:  # of the engine, or of a store of the application's own; its text may hold a password
        reason = error.reason if isinstance(error, StoreUnavailableError) else type(error).__name__
        yield Finding(
            "error",
            "store_unreachable",
            f"The session store cannot be asked: {reason}",
            "Nobody can log in or refresh, and whether a token was revoked cannot be told.",
            "See that it runs, and that JWT_STORE_URI and JWT_STORE_TIMEOUT are right.",
        )


def outage_lets_pass(_app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """JWT_STORE_OUTAGE lets tokens pass that may have been revoked."""
    if state.store is not None and state.settings.store_outage == "allow":
        yield Finding(
            "warning",
            "outage_allows",
            'JWT_STORE_OUTAGE is "allow"',
            "While the store is unavailable, revoked access tokens pass, and those of sessions that were ended.",
            'Set it to "refuse", unless an outage is worse than a stolen token.',
        )


def odd_grace(_app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """JWT_REFRESH_GRACE is longer than a race takes, or there is none."""
    grace = state.settings.refresh_grace
    if state.store is not None and grace > LONG_GRACE:
        yield Finding(
            "warning",
            "long_grace",
            f"JWT_REFRESH_GRACE answers a used refresh token for {duration(grace)}",
            "So long after its use, whoever has stolen one gets into the session unnoticed.",
            "Set it to 10: it is for two tabs that refresh at once, and for answers that get lost.",
        )
    elif state.store is not None and grace == 0:
        yield Finding(
            "info",
            "no_grace",
            "JWT_REFRESH_GRACE is 0: a refresh token that comes twice ends its session",
            "Two tabs that refresh at once log their user out, and so does an answer that gets lost.",
            "Set it to 10, unless the client never does either.",
        )


def short_sessions(_app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """Sessions end before their tokens ask to be refreshed, or before their refresh tokens expire."""
    settings = state.settings
    idle, access = _seconds(settings.session_idle_timeout), _seconds(settings.access_token_expires)
    if state.store is not None and idle <= access and idle < math.inf:
        yield Finding(
            "warning",
            "short_idle_timeout",
            f"JWT_SESSION_IDLE_TIMEOUT ends a session {duration(idle)} after its last refresh, while its access token "
            + ("never expires" if access == math.inf else f"lives for {duration(access)}"),
            "A client that refreshes when its access token has expired comes too late: its user is logged out.",
            "Let access tokens live for less than half of JWT_SESSION_IDLE_TIMEOUT.",
        )
    lifetime, refresh = _seconds(settings.session_lifetime), _seconds(settings.refresh_token_expires)
    if state.store is not None and lifetime < refresh < math.inf:
        yield Finding(
            "info",
            "short_session_lifetime",
            f"JWT_SESSION_LIFETIME ends a session after {duration(lifetime)}, before JWT_REFRESH_TOKEN_EXPIRES "
            f"({duration(refresh)}) has an effect",
            "No token of a session outlives it.",
            "Nothing, if that is how long a login is meant to last.",
        )


# --- views ----------------------------------------------------------------------------------------------------------


def unprotected_views(app: Flask, _current_state: ExtensionState) -> Iterator[Finding]:
    """``@jwt_required()`` stands above the route, so that the bare function is served.

    The decorator leaves a trace of the wrapper on the function. If that wrapper serves no rule, or is gone, it guards
    nothing.
    """
    served = {id(layer) for view in app.view_functions.values() for layer in unwrap(view)}
    for endpoint, rules in _rules(app).items():
        view = raw(app.view_functions.get(endpoint))
        if is_bypassed(view, served):
            guards = {decision.guard for name, _, decision in _decisions(app) if name == endpoint}
            yield _above_its_route(", ".join(rules), getattr(view, "__qualname__", endpoint), guards)


def _above_its_route(where: str, name: str, guards: set[str]) -> Finding:
    """Where something else protects the view, only what its decorator requires is lost."""
    is_open = not guards.isdisjoint(_OPEN)
    return Finding(
        "error" if is_open else "warning",
        "unprotected_view" if is_open else "unenforced_decorator",
        f"{where}: anybody may call {name}, for its @jwt_required() stands above the route"
        if is_open
        else f"{where}: the @jwt_required() of {name} has no effect, because it stands above the route",
        "A route serves the function below it, here the one without protection.",
        "Put @jwt_required() below the route, next to the function.",
    )


def idle_decorators(app: Flask, _current_state: ExtensionState) -> Iterator[Finding]:
    """A class has ``@jwt_required()`` where Flask does not run it: in the ``method_decorators`` of a ``MethodView``, or
    on a method that ``dispatch_request`` does not call.
    """
    rules = _rules(app)
    found = {
        (where, idle_decorator(app.view_functions[where], how), each.guard) for where, how, each in _decisions(app)
    }
    for endpoint, name, guard in sorted((where, name, guard) for where, name, guard in found if name is not None):
        rename = "Rename it to decorators: method_decorators belongs to flask-restful and flask-restx."
        yield Finding(
            "error" if guard in _OPEN else "warning",
            "unprotected_view" if guard in _OPEN else "unenforced_decorator",
            f"{', '.join(rules[endpoint])}: the @jwt_required() of {name} has no effect",
            "Flask does not run it" + (", so anybody may call the view." if guard in _OPEN else "."),
            rename if name.endswith(".method_decorators") else "Put it on dispatch_request, or into decorators.",
        )


def covered_decorators(app: Flask, _current_state: ExtensionState) -> Iterator[Finding]:
    """A decorator of another origin stands above ``@jwt_required()``: a cache, for example."""
    rules, told = _rules(app), set()
    for endpoint, _, decision in _decisions(app):
        if decision.above and (endpoint, decision.above) not in told:
            told.add((endpoint, decision.above))
            is_open = decision.guard == "below"
            yield Finding(
                "warning",
                "covered_decorator",
                f"{', '.join(rules[endpoint])}: {decision.above} stands above @jwt_required()",
                "It runs before the token is checked and may answer itself: a cache, for example, gives anonymous "
                "clients what it kept for a user."
                if is_open
                else "It may answer in place of the view: a cache gives one user what it kept for another.",
                "Put @jwt_required() directly below the route, above every other decorator.",
            )


def idle_exemptions(app: Flask, _current_state: ExtensionState) -> Iterator[Finding]:
    """A view is ``@jwt_exempt``, but ``@jwt_required`` or a ``before_request`` function still asks for a token."""
    rules, told = _rules(app), set()
    for endpoint, method, decision in _decisions(app):
        # Not with its class, of which single methods may well be protected.
        is_marked = is_exempt(app.view_functions[endpoint], method, with_class=False)
        if is_marked and decision.guard in ("decorator", "below", "hook") and endpoint not in told:
            told.add(endpoint)
            yield Finding(
                "warning",
                "unused_exemption",
                f"{', '.join(rules[endpoint])}: @jwt_exempt has no effect, for the view is also protected",
                "It only exempts from jwt.protect. @jwt_required() and before_request functions still ask for a token.",
                "Remove one of the two.",
            )


def wide_exemptions(app: Flask, _current_state: ExtensionState) -> Iterator[Finding]:
    """``jwt.protect`` has an exemption that matches everything."""
    for guarding in protections_of(app):
        for pattern in guarding.exempt:
            if not pattern.strip("*?."):
                what = "the application" if guarding.blueprint is None else f"the blueprint {guarding.blueprint}"
                yield Finding(
                    "error",
                    "exempts_everything",
                    f"jwt.protect protects no view of {what}: its exempt has the pattern {pattern!r}",
                    "The pattern matches every endpoint.",
                    "Name the endpoints that are public, or decorate their views with @jwt_exempt.",
                )


def _decisions(app: Flask) -> Iterator[tuple[str, str, Decision]]:
    """What each endpoint requires, by method."""
    known = {(rule.endpoint, method) for rule in app.url_map.iter_rules() for method in methods_of(app, rule)}
    return ((endpoint, method, decide(app, endpoint, method)) for endpoint, method in sorted(known))


def _rules(app: Flask) -> dict[str, list[str]]:
    rules: dict[str, list[str]] = {}
    for rule in app.url_map.iter_rules():
        rules.setdefault(rule.endpoint, []).append(rule.rule)
    return rules


#: Every check of an application, beside those of its keys.
CHECKS: tuple[Check, ...] = (
    misspelt_options,
    doubtful_cookies,
    long_lives,
    large_leeway,
    refused_claims,
    refused_tokens,
    missing_oauth_claims,
    exposed_cookies,
    forgeable_requests,
    tokens_in_urls,
    compat_profile,
    unhealthy_store,
    outage_lets_pass,
    odd_grace,
    short_sessions,
    unprotected_views,
    idle_decorators,
    covered_decorators,
    idle_exemptions,
    wide_exemptions,
)
