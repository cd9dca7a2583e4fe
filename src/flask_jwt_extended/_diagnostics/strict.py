"""What ``JWT_PROFILE = "strict"`` would change for an application, option by option."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator

from flask import Flask

from .._settings.options import NAMES, OPTIONS
from .._state import ExtensionState
from ..stores.findings import Finding, Severity
from .application import token_locations
from .keys import weak_keys

#: The loaders that replace the default error responses.
_ERROR_LOADERS = (
    "expired_token",
    "invalid_token",
    "needs_fresh_token",
    "revoked_token",
    "token_verification_failed",
    "unauthorized",
    "user_lookup_error",
)
#: Methods that both profiles treat alike: safe ones need no CSRF value, the others do.
_SAME_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE", "POST", "PUT", "PATCH", "DELETE"}


Effect = Callable[[Flask, ExtensionState], "str | None"]


def _always(text: str) -> Effect:
    return lambda _app, _state: text


def _with_cookies(text: str) -> Effect:
    return lambda app, state: text if "cookies" in token_locations(app, state) else None


def _error_responses(_app: Flask, state: ExtensionState) -> str | None:
    if all(getattr(state.loaders, name) is not None for name in _ERROR_LOADERS):
        return None
    return (
        "Clients see other statuses and bodies, unless a loader of yours makes the response: 401 for an invalid token "
        "(now 422), 400 for a missing CSRF value (now 401), 403 where token_verification_loader refuses (now 400)."
    )


def _required_claims(_app: Flask, state: ExtensionState) -> str:
    kinds = (state.settings.access, state.settings.refresh)
    endless = [kind.name for kind in kinds if kind.token_expires is False]
    if endless:
        return f"Your {' and '.join(endless)} tokens never expire, so all of them are refused."
    return "Tokens without one of these claims are refused: those made elsewhere, or with expires_delta=False."


def _audience(_app: Flask, state: ExtensionState) -> str | None:
    if state.settings.decode_audience is not None:
        return None
    if state.settings.encode_audience is not None:
        return "Tokens whose aud does not name JWT_ENCODE_AUDIENCE are refused."
    return "Tokens with an aud are refused until JWT_DECODE_AUDIENCE names it: they are for another audience."


def _weak_keys(_app: Flask, state: ExtensionState) -> str | None:
    weaknesses = [finding.message for finding in weak_keys(state)]
    if weaknesses:
        return f"The key is refused: {' '.join(weaknesses)}"
    if state.loaders.encode_key or state.loaders.decode_key:
        return "Keys that your loaders return are refused if they are short or guessable."
    return None


def _several_tokens(app: Flask, state: ExtensionState) -> str | None:
    if len(token_locations(app, state)) < 2:
        return None
    return "A request with tokens in two places is refused. Now the first one is used."


def _bound_tokens(_app: Flask, state: ExtensionState) -> str | None:
    if not state.settings.trusted_issuers:
        return None
    return "Tokens of trusted issuers that are bound to a key (cnf) are refused."


def _cookie_lifetime(app: Flask, state: ExtensionState) -> str | None:
    if "cookies" not in token_locations(app, state) or state.settings.session_cookie:
        return None
    return "Browsers delete a cookie when its token expires, not after a year."


def _csrf_cookie_name(app: Flask, state: ExtensionState) -> str | None:
    settings = state.settings
    if not (settings.cookie_csrf_protect and settings.csrf_in_cookies and "cookies" in token_locations(app, state)):
        return None
    return "Scripts that read the cookie by its old name send no CSRF value, so their requests are refused."


def _csrf_methods(app: Flask, state: ExtensionState) -> str | None:
    methods = {method for rule in app.url_map.iter_rules() for method in rule.methods or ()} - _SAME_METHODS
    if not methods or "cookies" not in token_locations(app, state):
        return None
    return f"Requests with {', '.join(sorted(methods))} are refused without a CSRF value."


def _options_views(app: Flask, _state: ExtensionState) -> str | None:
    rules = (rule for rule in app.url_map.iter_rules() if "OPTIONS" in (rule.methods or ()))
    own = [rule.rule for rule in rules if not getattr(rule, "provide_automatic_options", False)]
    if not own:
        return None
    return f"OPTIONS requests without a token are refused by protected views, except CORS preflights: {', '.join(own)}."


_COOKIE_NAME = _with_cookies("Users have to log in again, because their cookie has the old name.")

#: What users or clients notice of each option, and how severe that is. ``None``: this application is not affected.
_EFFECTS: dict[str, tuple[Severity, Effect]] = {
    "error_style": ("info", _error_responses),
    "required_claims": ("warning", _required_claims),
    "verify_aud": ("warning", _audience),
    "decode_audience": ("warning", _always("Tokens without the value of JWT_ENCODE_AUDIENCE are refused.")),
    "decode_issuer": ("warning", _always("Tokens without the value of JWT_ENCODE_ISSUER are refused.")),
    "max_token_bytes": ("info", _always("Longer tokens are refused: those with many claims, if you have any.")),
    "key_strength": ("warning", _weak_keys),
    "single_token": ("warning", _several_tokens),
    "protect_options_method": ("warning", _options_views),
    "bound_tokens": ("warning", _bound_tokens),
    "cookie_secure": (
        "info",
        _with_cookies(
            "Browsers accept the cookies over HTTPS and on localhost only: users cannot log in over plain HTTP."
        ),
    ),
    "cookie_samesite": (
        "info",
        _with_cookies(
            "Requests from other sites, for example embedded pages, come without the cookies. Links still work."
        ),
    ),
    "cookie_outlives_token": ("info", _cookie_lifetime),
    "access_cookie_name": ("warning", _COOKIE_NAME),
    "refresh_cookie_name": ("warning", _COOKIE_NAME),
    "access_csrf_cookie_name": ("warning", _csrf_cookie_name),
    "refresh_csrf_cookie_name": ("warning", _csrf_cookie_name),
    "csrf_methods": ("warning", _csrf_methods),
    "csrf_origin_check": (
        "warning",
        _with_cookies("Requests from other origins are refused, unless JWT_TRUSTED_ORIGINS names them."),
    ),
}


def what_changes(app: Flask, state: ExtensionState, left: Container[str]) -> Iterator[Finding]:
    """Find what the strict profile would change.

    :param left: the options that the application leaves at their defaults; the others keep their values
    """
    chosen = {name: app.config[name] for name in NAMES if name in app.config and name not in left}
    for option in OPTIONS:
        before, after = app.config[option.name], option.default_for({**chosen, "JWT_PROFILE": "strict"})
        if option.name in chosen or before == after:
            continue
        severity, effect = _EFFECTS[option.attribute]
        why = effect(app, state)
        if why is not None:
            message = f"{option.name}: {before!r} becomes {after!r}"
            fix = f"To keep the current value: {option.name} = {before!r}"
            yield Finding(severity, f"strict_{option.attribute}", message, why, fix)
