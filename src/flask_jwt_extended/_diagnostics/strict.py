"""What ``JWT_PROFILE = "strict"`` would change for an application, option by option."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from typing import Any

from flask import Flask

from .._settings.settings import NAMES, OPTIONS, Option, Settings
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


@dataclass(frozen=True)
class _Facts:
    """What the effects depend on."""

    app: Flask
    state: ExtensionState

    @property
    def settings(self) -> Settings:
        return self.state.settings

    @property
    def locations(self) -> set[str]:
        return token_locations(self.app, self.state)

    @property
    def has_cookies(self) -> bool:
        return "cookies" in self.locations

    @property
    def other_methods(self) -> list[str]:
        """Methods of its routes that need a CSRF value only in strict."""
        methods = {method for rule in self.app.url_map.iter_rules() for method in rule.methods or ()}
        return sorted(methods - _SAME_METHODS)


@dataclass(frozen=True)
class _Effect:
    """What users or clients notice of an option.

    :ivar describe: ``None`` means that this application is not affected
    """

    describe: Callable[[_Facts], str | None]
    severity: Severity = "warning"


def _answers(facts: _Facts) -> str | None:
    if all(getattr(facts.state.loaders, name) is not None for name in _ERROR_LOADERS):
        return None
    return (
        "Clients see other statuses and bodies, unless a loader of yours makes the response: 401 for an invalid token "
        "(now 422), 400 for a missing CSRF value (now 401), 403 where token_verification_loader refuses (now 400)."
    )


def _required_claims(facts: _Facts) -> str:
    settings = facts.settings
    endless = [kind.name for kind in (settings.access, settings.refresh) if kind.token_expires is False]
    if endless:
        return f"Your {' and '.join(endless)} tokens never expire, so all of them are refused."
    return "Tokens without one of these claims are refused: those made elsewhere, or with expires_delta=False."


def _audience(facts: _Facts) -> str | None:
    if facts.settings.decode_audience is not None:
        return None
    if facts.settings.encode_audience is not None:
        return "Tokens whose aud does not name JWT_ENCODE_AUDIENCE are refused."
    return "Tokens with an aud are refused until JWT_DECODE_AUDIENCE names it: they are for another audience."


def _as_encoded(claim: str) -> Callable[[_Facts], str | None]:
    return lambda _facts: f"Tokens without the value of {claim} are refused."


def _weak_keys(facts: _Facts) -> str | None:
    weaknesses = [finding.message for finding in weak_keys(facts.state)]
    if weaknesses:
        return f"The key is refused: {' '.join(weaknesses)}"
    if facts.state.loaders.encode_key or facts.state.loaders.decode_key:
        return "Keys that your loaders return are refused if they are short or guessable."
    return None


def _several_tokens(facts: _Facts) -> str | None:
    if len(facts.locations) < 2:
        return None
    return "A request with tokens in two places is refused. Now the first one is used."


def _bound_tokens(facts: _Facts) -> str | None:
    if not facts.settings.trusted_issuers:
        return None
    return "Tokens of trusted issuers that are bound to a key (cnf) are refused."


def _with_cookies(text: str) -> Callable[[_Facts], str | None]:
    return lambda facts: text if facts.has_cookies else None


def _kept_cookies(facts: _Facts) -> str | None:
    if not facts.has_cookies or facts.settings.session_cookie:
        return None
    return "Browsers delete a cookie when its token expires, not after a year."


def _readable_cookies(facts: _Facts) -> str | None:
    settings = facts.settings
    if not (facts.has_cookies and settings.cookie_csrf_protect and settings.csrf_in_cookies):
        return None
    return "Scripts that read the cookie by its old name send no CSRF value, so their requests are refused."


def _methods(facts: _Facts) -> str | None:
    if not (facts.has_cookies and facts.other_methods):
        return None
    return f"Requests with {', '.join(facts.other_methods)} are refused without a CSRF value."


def _options_views(facts: _Facts) -> str | None:
    rules = facts.app.url_map.iter_rules()
    own = [rule.rule for rule in rules if "OPTIONS" in (rule.methods or ()) and not rule.provide_automatic_options]  # type: ignore[attr-defined]  # Flask sets it
    if not own:
        return None
    return f"OPTIONS requests without a token are refused by protected views, except CORS preflights: {', '.join(own)}."


_OLD_COOKIES = _Effect(_with_cookies("Users have to log in again, because their cookie has the old name."))
_READABLE = _Effect(_readable_cookies)

_EFFECTS: dict[str, _Effect] = {
    "error_style": _Effect(_answers, "info"),
    "required_claims": _Effect(_required_claims),
    "verify_aud": _Effect(_audience),
    "decode_audience": _Effect(_as_encoded("JWT_ENCODE_AUDIENCE")),
    "decode_issuer": _Effect(_as_encoded("JWT_ENCODE_ISSUER")),
    "max_token_bytes": _Effect(lambda _: "Longer tokens are refused: those with many claims, if you have any.", "info"),
    "key_strength": _Effect(_weak_keys),
    "single_token": _Effect(_several_tokens),
    "protect_options_method": _Effect(_options_views),
    "bound_tokens": _Effect(_bound_tokens),
    "cookie_secure": _Effect(
        _with_cookies(
            "Browsers accept the cookies over HTTPS and on localhost only: users cannot log in over plain HTTP."
        ),
        "info",
    ),
    "cookie_samesite": _Effect(
        _with_cookies(
            "Requests from other sites, for example embedded pages, come without the cookies. Links still work."
        ),
        "info",
    ),
    "cookie_outlives_token": _Effect(_kept_cookies, "info"),
    "access_cookie_name": _OLD_COOKIES,
    "refresh_cookie_name": _OLD_COOKIES,
    "access_csrf_cookie_name": _READABLE,
    "refresh_csrf_cookie_name": _READABLE,
    "csrf_methods": _Effect(_methods),
    "csrf_origin_check": _Effect(
        _with_cookies("Requests from other origins are refused, unless JWT_TRUSTED_ORIGINS names them.")
    ),
}


def what_changes(app: Flask, state: ExtensionState, left: Container[str]) -> Iterator[Finding]:
    """Find what the strict profile would change.

    :param left: the options that the application leaves at their defaults; the others keep their values
    """
    facts = _Facts(app, state)
    chosen = {name: app.config[name] for name in NAMES if name in app.config and name not in left}
    strict = {**chosen, "JWT_PROFILE": "strict"}
    for option in OPTIONS:
        before, after = app.config[option.name], option.default_for(strict)
        if option.name not in chosen and before != after:
            effect = _EFFECTS[option.attribute]
            why = effect.describe(facts)
            if why is not None:
                yield _change(option, before, after, effect.severity, why)


def _change(option: Option, before: Any, after: Any, severity: Severity, why: str) -> Finding:
    return Finding(
        severity,
        f"strict_{option.attribute}",
        f"{option.name}: {before!r} becomes {after!r}",
        why,
        f"To keep the current value: {option.name} = {before!r}",
    )
