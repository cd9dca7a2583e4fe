"""Set and delete the cookies: for each kind of token one with the token, and one with its CSRF value."""

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
    """Set the cookies of a token and of its double submit value, if there is one.

    :param longest: the maximum of ``max_age``. It does not apply to session cookies
    """
    if domain:
        check_domain(domain, "domain")
        _refuse_host_prefix(kind, settings)
    if max_age is None and not settings.session_cookie:
        max_age = COOKIE_YEAR
    if max_age is not None and longest is not None:
        max_age = min(max_age, longest)
    _write(response, kind, settings, encoded, csrf_value, domain=domain, max_age=max_age)


def unset_cookies(response: Response, kind: TokenKind, settings: Settings, *, domain: str | None = None) -> None:
    """Delete the cookies of one kind of token."""
    if domain:
        check_domain(domain, "domain")
    _write(response, kind, settings, "", "" if settings.with_csrf_cookie else None, domain=domain, expires=0)


def _refuse_host_prefix(kind: TokenKind, settings: Settings) -> None:
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
    token: str,
    csrf_value: str | None,
    *,
    domain: str | None,
    **attributes: Any,
) -> None:
    domain = domain or settings.cookie_domain
    attributes |= {"secure": settings.cookie_secure, "samesite": settings.cookie_samesite}
    if settings.cookie_partitioned:
        attributes["partitioned"] = True

    def write(name: str, value: str, path: str, *, httponly: bool) -> None:
        its_domain = None if is_bound_to_host(name) else domain
        response.set_cookie(name, value, path=path, domain=its_domain, httponly=httponly, **attributes)

    write(kind.cookie_name, token, kind.cookie_path, httponly=True)
    if csrf_value is not None:
        write(kind.csrf_cookie_name, csrf_value, kind.csrf_cookie_path, httponly=False)  # scripts read it
