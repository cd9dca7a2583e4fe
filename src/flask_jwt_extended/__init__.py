"""JSON Web Tokens for Flask: issue, transport, verify, refresh and revoke them."""

from typing import TYPE_CHECKING

from ._jose.keys import KeyRing
from ._protection.default_deny import jwt_exempt
from ._removed import explain_missing
from ._request.policy import all_of
from ._sessions.lifecycle import SessionInfo, TokenPair
from .exceptions import ConfigurationError, JWTConfigWarning
from .jwt_manager import JWTManager
from .sessions import (
    end_all_sessions,
    end_session,
    list_sessions,
    refresh_expiring_cookies,
    refresh_session,
    revoke_token,
    set_session_cookies,
    start_session,
)
from .utils import (
    create_access_token,
    create_refresh_token,
    create_token,
    current_user,
    decode_token,
    get_csrf_token,
    get_current_user,
    get_jti,
    get_jwt,
    get_jwt_header,
    get_jwt_identity,
    get_jwt_request_location,
    get_unverified_jwt_headers,
    has_scope,
    set_access_cookies,
    set_refresh_cookies,
    unset_access_cookies,
    unset_jwt_cookies,
    unset_refresh_cookies,
)
from .view_decorators import jwt_required, verify_jwt_in_request

__version__ = "5.0.0.dev0"

__all__ = [
    "ConfigurationError",
    "JWTConfigWarning",
    "JWTManager",
    "KeyRing",
    "SessionInfo",
    "TokenPair",
    "all_of",
    "create_access_token",
    "create_refresh_token",
    "create_token",
    "current_user",
    "decode_token",
    "end_all_sessions",
    "end_session",
    "get_csrf_token",
    "get_current_user",
    "get_jti",
    "get_jwt",
    "get_jwt_header",
    "get_jwt_identity",
    "get_jwt_request_location",
    "get_unverified_jwt_headers",
    "has_scope",
    "jwt_exempt",
    "jwt_required",
    "list_sessions",
    "refresh_expiring_cookies",
    "refresh_session",
    "revoke_token",
    "set_access_cookies",
    "set_refresh_cookies",
    "set_session_cookies",
    "start_session",
    "unset_access_cookies",
    "unset_jwt_cookies",
    "unset_refresh_cookies",
    "verify_jwt_in_request",
]


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


if not TYPE_CHECKING:  # type checkers would accept every name
    __getattr__ = explain_missing(__name__)
