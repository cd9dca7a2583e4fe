"""CSRF double submit: which requests need the value, and where it is read. The comparison is with the claims."""

from __future__ import annotations

from flask import Request

from ..exceptions import CSRFError
from ..settings import Settings, TokenKind


def submitted_value(request: Request, kind: TokenKind, settings: Settings) -> str | None:
    """Return the double submit value that must match the token, ``None`` if this request needs none.

    :raises CSRFError: if it needs one and has none
    """
    if not settings.cookie_csrf_protect or request.method not in settings.csrf_methods:
        return None
    value = request.headers.get(kind.csrf_header_name)
    if not value and settings.csrf_check_form:
        value = request.form.get(kind.csrf_field_name)
    if not value:
        raise CSRFError("Missing CSRF token")
    return value
