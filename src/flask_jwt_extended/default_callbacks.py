"""4.7's default callbacks: the values of ``JWTManager._*_callback`` until a loader is registered. Applications also
call them from their own loaders.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Response

from ._context import get_app, get_state
from ._request.responses import compat_answer
from .typing import Claims, Header

if TYPE_CHECKING:
    from ._settings.settings import Settings

#: 4.7 returns the status beside the response.
Answer = tuple[Response, HTTPStatus]


def default_additional_claims_callback(_userdata: Any) -> dict[str, Any]:
    """Add no claims."""
    return {}


def default_jwt_headers_callback(_default_headers: Any) -> dict[str, Any]:
    """Add no header parameters."""
    return {}


def default_user_identity_callback(userdata: Any) -> Any:
    """Return the identity unchanged."""
    return userdata


def default_blocklist_callback(_jwt_headers: Header, _jwt_data: Claims) -> bool:
    """Accept every token as not revoked."""
    return False


def default_token_verification_callback(_jwt_header: Header, _jwt_data: Claims) -> bool:
    """Accept every valid token."""
    return True


def default_decode_key_callback(_jwt_header: Header, _jwt_data: Claims) -> Any:
    """Verify with the configured key."""
    return _settings().verification_key


def default_encode_key_callback(_identity: Any) -> Any:
    """Sign with the configured key."""
    return _settings().signing_key


def default_expired_token_callback(jwt_header: Header, jwt_data: Claims) -> Answer:
    """Answer 401."""
    return _answer("expired_token", jwt_header, jwt_data)


def default_invalid_token_callback(error_string: str) -> Answer:
    """Answer 422 with the error."""
    return _answer("invalid_token", error_string)


def default_unauthorized_callback(error_string: str) -> Answer:
    """Answer 401 with the error."""
    return _answer("unauthorized", error_string)


def default_needs_fresh_token_callback(jwt_header: Header, jwt_data: Claims) -> Answer:
    """Answer 401."""
    return _answer("needs_fresh_token", jwt_header, jwt_data)


def default_revoked_token_callback(jwt_header: Header, jwt_data: Claims) -> Answer:
    """Answer 401."""
    return _answer("revoked_token", jwt_header, jwt_data)


def default_user_lookup_error_callback(jwt_header: Header, jwt_data: Claims) -> Answer:
    """Answer 401 with the identity of the user that was not found."""
    return _answer("user_lookup_error", jwt_header, jwt_data)


def default_token_verification_failed_callback(jwt_header: Header, jwt_data: Claims) -> Answer:
    """Answer 400."""
    return _answer("token_verification_failed", jwt_header, jwt_data)


def _answer(loader: str, *arguments: Any) -> Answer:
    app = get_app()
    response = compat_answer(loader, arguments, _settings(), app)
    return response, HTTPStatus(response.status_code)


def _settings() -> Settings:
    return get_state(get_app()).settings
