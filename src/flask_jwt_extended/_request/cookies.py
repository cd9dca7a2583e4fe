"""The four cookies, two for each kind of token, and the one writer that sets and unsets them."""

from __future__ import annotations

from typing import Any

from flask import Response

from .._settings.cookie_rules import check_domain, is_bound_to_host
from .._settings.settings import COOKIE_YEAR, Settings, TokenKind
from ..exceptions import ConfigurationError


def set_cookies(
    response: Response,
    kind: TokenKind,
    settings: Settings,
    *,
    encoded: str,
    csrf_value: str | None,
    max_age: int | None = None,
    longest: int | None = None,
    domain: str | None = None,
) -> None:
    """Put a token and its double submit value into cookies.

    :param csrf_value: ``None`` if the value is not set as a cookie
    :param max_age: seconds that the cookies live; ``None``: as JWT_SESSION_COOKIE says
    :param longest: seconds that they live at most, unless they end with the browser session; ``None``: no limit
    :param domain: ``None``: as JWT_COOKIE_DOMAIN says
    :raises ConfigurationError: if browsers would drop a cookie with that domain
    """
    if domain:
        check_domain(domain, "domain")
        _refuse_bound_names(kind, settings)
    if max_age is None and not settings.session_cookie:
        max_age = COOKIE_YEAR
    if max_age is not None and longest is not None:
        max_age = min(max_age, longest)
    values = (encoded, csrf_value)
    _write(response, kind, settings, values=values, domain=domain, lifetime={"max_age": max_age})


def unset_cookies(response: Response, kind: TokenKind, settings: Settings, *, domain: str | None = None) -> None:
    """Delete the cookies of one kind of token. A ``__Host-`` cookie has no domain and is deleted without one.

    :param domain: ``None``: as JWT_COOKIE_DOMAIN says
    :raises ConfigurationError: if browsers accept no cookie with that domain
    """
    if domain:
        check_domain(domain, "domain")
    values = ("", "" if settings.with_csrf_cookie else None)
    _write(response, kind, settings, values=values, domain=domain, lifetime={"expires": 0})


def _refuse_bound_names(kind: TokenKind, settings: Settings) -> None:
    names = (kind.cookie_name, *((kind.csrf_cookie_name,) if settings.with_csrf_cookie else ()))
    for name in filter(is_bound_to_host, names):
        raise ConfigurationError(
            f"The cookie {name!r} cannot have a domain (RFC 6265bis, section 4.1.3.2): leave out domain, or set "
            f"JWT_COOKIE_DOMAIN, or name it '__Secure-{name[len('__Host-') :]}'"
        )


def _write(
    response: Response,
    kind: TokenKind,
    settings: Settings,
    *,
    values: tuple[str, str | None],
    domain: str | None,
    lifetime: dict[str, Any],
) -> None:
    token, csrf_value = values
    domain = domain or settings.cookie_domain
    shared = {
        "secure": settings.cookie_secure,
        "samesite": settings.cookie_samesite,
        **lifetime,
    }
    if settings.cookie_partitioned:
        shared["partitioned"] = True
    token_domain = None if is_bound_to_host(kind.cookie_name) else domain
    response.set_cookie(kind.cookie_name, token, path=kind.cookie_path, domain=token_domain, httponly=True, **shared)
    if csrf_value is not None:  # scripts must be able to read this one
        csrf_domain = None if is_bound_to_host(kind.csrf_cookie_name) else domain
        response.set_cookie(kind.csrf_cookie_name, csrf_value, path=kind.csrf_cookie_path, domain=csrf_domain, **shared)
