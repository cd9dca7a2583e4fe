"""Cross-site request forgery: the double submit value, compared with the claims elsewhere, and the origin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from flask import Request

from .._settings.settings import Settings, TokenKind
from ..exceptions import CSRFError

#: Methods that change nothing (RFC 9110, section 9.2.1).
SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))


def protect(request: Request, kind: TokenKind, settings: Settings) -> str | None:
    """Check a request whose token is in a cookie, and return the double submit value that its token needs, if any."""
    if is_handshake(request.environ):
        check_socket_origin(request, settings)
    methods = settings.csrf_methods
    if (request.method in SAFE_METHODS) if methods is None else (request.method not in methods):
        return None
    if settings.csrf_origin_check and not same_site(request, settings):
        raise CSRFError("Cross-site request refused")
    if not settings.cookie_csrf_protect:
        return None
    value = request.headers.get(kind.csrf_header_name)
    if not value and settings.csrf_check_form:
        value = request.form.get(kind.csrf_field_name)
    if not value:
        raise CSRFError("Missing CSRF token")
    return value


def same_site(request: Request, settings: Settings) -> bool:
    """Return whether a page of this site, or of a trusted origin, sent the request.

    Without ``Sec-Fetch-Site``, hosts are compared but not schemes, which a proxy that terminates TLS may hide.
    """
    origin = request.headers.get("Origin", "").lower()
    if origin in settings.trusted_origins:
        return True
    if (fetched := request.headers.get("Sec-Fetch-Site")) is not None:
        return fetched in ("same-origin", "none")
    source, host = origin or request.headers.get("Referer", "").lower(), request.host.lower()
    return not source or (bool(host) and _host_of(source) == host)


def is_handshake(environ: Mapping[str, Any]) -> bool:
    """Return whether a request opens a WebSocket (RFC 6455, section 4.1), to any of the server libraries."""
    return (
        "HTTP_SEC_WEBSOCKET_KEY" in environ
        or "wsgi.websocket" in environ  # gevent-websocket, Eventlet
        or ("HTTP_UPGRADE" in environ and "websocket" in environ["HTTP_UPGRADE"].lower())
    )


def check_socket_origin(request: Request, settings: Settings) -> None:
    """Refuse a WebSocket that a page of another site opens. Browsers send cookies with it, and always ``Origin``."""
    origin = request.headers.get("Origin", "").lower()
    is_ours = not origin or origin in settings.trusted_origins or _host_of(origin) == request.host.lower()
    # "none" means that no page sent it but, for example, a browser extension. The origin decides.
    if not same_site(request, settings) or (request.headers.get("Sec-Fetch-Site") == "none" and not is_ours):
        raise CSRFError("Cross-site WebSocket refused")


def _host_of(url: str) -> str | None:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return None
