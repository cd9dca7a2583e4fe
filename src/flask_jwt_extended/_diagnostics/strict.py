"""What ``JWT_PROFILE = "strict"`` would change for the application at hand, option by option.

Judges and explains, and prints nothing: ``cli`` does. Changes nothing either.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from typing import Any

from flask import Flask

from .._settings.options import NAMES, OPTIONS, Option
from .._settings.settings import Settings
from .._state import ExtensionState
from ..stores.findings import Finding, Severity
from .application import token_locations
from .keys import weak_keys

#: The loaders that answer instead of the default errors.
_ANSWERING = (
    "expired_token",
    "invalid_token",
    "needs_fresh_token",
    "revoked_token",
    "token_verification_failed",
    "unauthorized",
    "user_lookup_error",
)
#: Methods that ask for no CSRF value in either profile, and those that do so in both.
_SAME_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE", "POST", "PUT", "PATCH", "DELETE"}


@dataclass(frozen=True)
class _Facts:
    """What is known of an application."""

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
        """Methods of its routes that only strict asks for a CSRF value on."""
        methods = {method for rule in self.app.url_map.iter_rules() for method in rule.methods or ()}
        return sorted(methods - _SAME_METHODS)

    @property
    def unanswered(self) -> list[str]:
        """Loaders that it does not have, so that the default answers."""
        return [name for name in _ANSWERING if getattr(self.state.loaders, name) is None]


@dataclass(frozen=True)
class _Effect:
    """What somebody notices of an option; ``None``: nobody does in this application."""

    of: Callable[[_Facts], str | None]
    severity: Severity = "warning"


def _answers(facts: _Facts) -> str | None:
    if not facts.unanswered:
        return None
    return (
        "Where no loader of yours answers, clients see other statuses and bodies: 401 for a token that is not valid "
        "(422 now), 400 for a missing CSRF value (401 now), 403 where token_verification_loader refuses (400 now)."
    )


def _required_claims(facts: _Facts) -> str:
    settings = facts.settings
    endless = [kind.name for kind in (settings.access, settings.refresh) if kind.token_expires is False]
    if endless:
        return f"Your {' and '.join(endless)} tokens never expire, so each of them is refused."
    return "Tokens that others made, or expires_delta=False, are refused if one of these claims is missing."


def _audience(facts: _Facts) -> str | None:
    if facts.settings.decode_audience is not None:
        return None
    if facts.settings.encode_audience is not None:
        return "Tokens whose aud does not name JWT_ENCODE_AUDIENCE are refused."
    return "Tokens with an aud are refused: those are for somebody else, as long as JWT_DECODE_AUDIENCE is not set."


def _as_encoded(claim: str) -> Callable[[_Facts], str | None]:
    return lambda _facts: f"Tokens without {claim}, or with another one, are refused."


def _weak_keys(facts: _Facts) -> str | None:
    weaknesses = [finding.message for finding in weak_keys(facts.state)]
    if weaknesses:
        return f"The key cannot be used any more: {' '.join(weaknesses)}"
    if facts.state.loaders.encode_key or facts.state.loaders.decode_key:
        return "Keys that your loaders return are refused if they are short or can be guessed."
    return None


def _several_tokens(facts: _Facts) -> str | None:
    if len(facts.locations) < 2:
        return None
    return "A request that carries a token in two places is refused, where the first counts now."


def _bound_tokens(facts: _Facts) -> str | None:
    if not facts.settings.trusted_issuers:
        return None
    return "Tokens of trusted issuers that are bound to a key (cnf) are refused."


def _with_cookies(text: str) -> Callable[[_Facts], str | None]:
    return lambda facts: text if facts.has_cookies else None


def _kept_cookies(facts: _Facts) -> str | None:
    if not facts.has_cookies or facts.settings.session_cookie:
        return None
    return "Browsers forget a cookie when its token expires, and not after a year."


def _readable_cookies(facts: _Facts) -> str | None:
    settings = facts.settings
    if not (facts.has_cookies and settings.cookie_csrf_protect and settings.csrf_in_cookies):
        return None
    return "Scripts that read the cookie by its old name send no CSRF value, and are refused."


def _methods(facts: _Facts) -> str | None:
    if not (facts.has_cookies and facts.other_methods):
        return None
    return f"Requests with {', '.join(facts.other_methods)} are refused without a CSRF value."


def _options_views(facts: _Facts) -> str | None:
    rules = facts.app.url_map.iter_rules()
    own = [rule.rule for rule in rules if "OPTIONS" in (rule.methods or ()) and not rule.provide_automatic_options]  # type: ignore[attr-defined]  # Flask sets it
    if not own:
        return None
    return f"OPTIONS requests without a token are refused by protected views, CORS preflights apart: {', '.join(own)}."


_OLD_COOKIES = _Effect(_with_cookies("Who is logged in has the cookie with the old name, and has to log in again."))
_READABLE = _Effect(_readable_cookies)

_EFFECTS: dict[str, _Effect] = {
    "error_style": _Effect(_answers, "info"),
    "required_claims": _Effect(_required_claims),
    "verify_aud": _Effect(_audience),
    "decode_audience": _Effect(_as_encoded("JWT_ENCODE_AUDIENCE")),
    "decode_issuer": _Effect(_as_encoded("JWT_ENCODE_ISSUER")),
    "max_token_bytes": _Effect(lambda _: "Tokens that are longer are refused: those with many claims, if any.", "info"),
    "key_strength": _Effect(_weak_keys),
    "single_token": _Effect(_several_tokens),
    "protect_options_method": _Effect(_options_views),
    "bound_tokens": _Effect(_bound_tokens),
    "cookie_secure": _Effect(
        _with_cookies("Browsers keep the cookies over HTTPS and on localhost only; over plain HTTP nobody can log in."),
        "info",
    ),
    "cookie_samesite": _Effect(
        _with_cookies("Requests that other sites start come without the cookies, links apart: embedded pages, say."),
        "info",
    ),
    "cookie_outlives_token": _Effect(_kept_cookies, "info"),
    "access_cookie_name": _OLD_COOKIES,
    "refresh_cookie_name": _OLD_COOKIES,
    "access_csrf_cookie_name": _READABLE,
    "refresh_csrf_cookie_name": _READABLE,
    "csrf_methods": _Effect(_methods),
    "csrf_origin_check": _Effect(
        _with_cookies("Requests of pages of other origins are refused, unless JWT_TRUSTED_ORIGINS names them.")
    ),
}


def what_changes(app: Flask, state: ExtensionState, left: Container[str]) -> Iterator[Finding]:
    """Tell what the strict profile would change.

    :param left: the options that the application has left to their defaults; the others stay as they are
    """
    facts = _Facts(app, state)
    chosen = {name: app.config[name] for name in NAMES if name in app.config and name not in left}
    strict = {**chosen, "JWT_PROFILE": "strict"}
    for option in OPTIONS:
        before, after = app.config[option.name], option.default_for(strict)
        if option.name not in chosen and before != after:
            effect = _EFFECTS[option.attribute]
            why = effect.of(facts)
            if why is not None:
                yield _change(option, before, after, effect.severity, why)


def _change(option: Option, before: Any, after: Any, severity: Severity, why: str) -> Finding:
    return Finding(
        severity,
        f"strict_{option.attribute}",
        f"{option.name}: {before!r} becomes {after!r}",
        why,
        f"To keep what you have: {option.name} = {before!r}",
    )
