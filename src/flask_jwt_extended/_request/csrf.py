"""Cross-site request forgery: which requests need protection, and what must come with them.

Two defences, each an option: the double submit value, which is compared with the token's claims elsewhere, and where
the request comes from.
"""

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
    """Hold a request whose token came in a cookie against both defences.

    :return: the double submit value that must match the token; ``None`` if none is asked for
    :raises CSRFError: if the value is missing, or the request comes from another site
    """
    if is_handshake(request.environ):
        check_socket_origin(request, settings)
    methods = settings.csrf_methods
    if (request.method in SAFE_METHODS) if methods is None else (request.method not in methods):
        return None
    if settings.csrf_origin_check and not same_site(request, settings):
        raise CSRFError("Cross-site request refused")
    return _submitted_value(request, kind, settings) if settings.cookie_csrf_protect else None


def _submitted_value(request: Request, kind: TokenKind, settings: Settings) -> str:
    value = request.headers.get(kind.csrf_header_name)
    if not value and settings.csrf_check_form:
        value = request.form.get(kind.csrf_field_name)
    if not value:
        raise CSRFError("Missing CSRF token")
    return value


def same_site(request: Request, settings: Settings) -> bool:
    """Tell whether a page of ours, or of an origin that is trusted, sent this request.

    ``Sec-Fetch-Site`` is judged by the browser itself. Without it, hosts are compared and schemes are not: behind a
    proxy that ends TLS, this application may not know that it is reached over HTTPS.
    """
    origin = request.headers.get("Origin", "").lower()
    if origin in settings.trusted_origins:
        return True
    if (fetched := request.headers.get("Sec-Fetch-Site")) is not None:
        return fetched in ("same-origin", "none")
    source, host = origin or request.headers.get("Referer", "").lower(), request.host.lower()
    return not source or (bool(host) and _host_of(source) == host)


def is_handshake(environ: Mapping[str, Any]) -> bool:
    """Whether a request opens a WebSocket (RFC 6455, section 4.1).

    One sign is enough: a request that any server library takes for a handshake is one here.
    """
    return (
        "HTTP_SEC_WEBSOCKET_KEY" in environ
        or "wsgi.websocket" in environ  # gevent-websocket, Eventlet
        or ("HTTP_UPGRADE" in environ and "websocket" in environ["HTTP_UPGRADE"].lower())
    )


def check_socket_origin(request: Request, settings: Settings) -> None:
    """Refuse a WebSocket that a page of another site opens.

    Browsers send cookies with it, and CORS does not apply. They always send ``Origin``, so a request without one comes
    from another kind of client.

    :raises CSRFError: if the page is neither of this site nor of JWT_TRUSTED_ORIGINS
    """
    origin = request.headers.get("Origin", "").lower()
    is_ours = not origin or origin in settings.trusted_origins or _host_of(origin) == request.host.lower()
    # "none" means that no page is involved, a browser extension for example. Its origin decides.
    if not same_site(request, settings) or (request.headers.get("Sec-Fetch-Site") == "none" and not is_ours):
        raise CSRFError("Cross-site WebSocket refused")


def _host_of(url: str) -> str | None:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return None
