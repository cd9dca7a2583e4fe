"""The four cookies, two for each kind of token, and the one writer that sets and unsets them."""

from __future__ import annotations

from typing import Any

from flask import Response

from ..settings import COOKIE_YEAR, Settings, TokenKind


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
    """
    if max_age is None and not settings.session_cookie:
        max_age = COOKIE_YEAR
    if max_age is not None and longest is not None:
        max_age = min(max_age, longest)
    values = (encoded, csrf_value)
    _write(response, kind, settings, values=values, domain=domain, lifetime={"max_age": max_age})


def unset_cookies(response: Response, kind: TokenKind, settings: Settings, *, domain: str | None = None) -> None:
    """Delete the cookies of one kind of token.

    :param domain: ``None``: as JWT_COOKIE_DOMAIN says
    """
    values = ("", "" if with_csrf_cookie(settings) else None)
    _write(response, kind, settings, values=values, domain=domain, lifetime={"expires": 0})


def with_csrf_cookie(settings: Settings) -> bool:
    """Whether the double submit value travels in a cookie of its own."""
    return settings.cookie_csrf_protect and settings.csrf_in_cookies


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
    shared = {
        "secure": settings.cookie_secure,
        "domain": domain or settings.cookie_domain,
        "samesite": settings.cookie_samesite,
        **lifetime,
    }
    if settings.cookie_partitioned:
        shared["partitioned"] = True
    response.set_cookie(kind.cookie_name, token, path=kind.cookie_path, httponly=True, **shared)
    if csrf_value is not None:  # scripts must be able to read this one
        response.set_cookie(kind.csrf_cookie_name, csrf_value, path=kind.csrf_cookie_path, **shared)
