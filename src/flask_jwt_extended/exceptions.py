"""The errors of this package, with what a handler needs to answer them. If a token itself is invalid (its form,
signature or registered claims), PyJWT's own exceptions are raised, because applications catch those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import jwt
from jwt.exceptions import InvalidJTIError, InvalidSubjectError

from ._removed import explain_missing


class ConfigurationError(RuntimeError):
    """The configuration of the application cannot work. The message names the option and the fix.

    .. versionadded:: 5.0
    """


class JWTConfigWarning(UserWarning):
    """A setting works but is probably not what you want. The message names the option and the fix.

    .. versionadded:: 5.0
    """


class JWTExtendedException(Exception):  # noqa: N818  # 4.7's name
    """The root of the errors that a request can cause.

    .. versionchanged:: 5.0
        Has ``code``, ``status`` and ``loader``.
    """

    #: Stable, machine-readable name of the reason.
    code: ClassVar[str] = "invalid_token"
    #: HTTP status of the default response.
    status: ClassVar[int] = 422
    #: The loader of :class:`JWTManager` that can answer instead, without the suffix ``_loader``.
    loader: ClassVar[str] = "invalid_token"


class NoAuthorizationError(JWTExtendedException):
    """The request has no token in the locations that are searched."""

    code = "missing_token"
    status = 401
    loader = "unauthorized"


class CSRFError(JWTExtendedException):
    """The token is in a cookie, and its CSRF double submit value is missing or does not match."""

    code = "csrf"
    status = 401
    loader = "unauthorized"


class InvalidHeaderError(JWTExtendedException):
    """The header that carries the token is malformed."""

    code = "malformed_header"


class InvalidQueryParamError(JWTExtendedException):
    """The query parameter that carries the token does not start with JWT_QUERY_STRING_VALUE_PREFIX."""

    code = "malformed_query"


class JWTDecodeError(JWTExtendedException):
    """A genuine token lacks a claim that this extension needs."""

    code = "missing_claim"


class MultipleTokensError(JWTDecodeError):
    """The request has more than one token, and JWT_SINGLE_TOKEN is on.

    .. versionadded:: 5.0
    """

    code = "multiple_tokens"


class WrongTokenError(JWTExtendedException):
    """The token has another type than the view requires: for example, a refresh token instead of an access token."""

    code = "wrong_token_type"


class UnavailableError(JWTExtendedException):
    """The token cannot be checked now, because a store or a key server does not answer. It may be valid.

    .. versionadded:: 5.0
    """

    code = "unavailable"
    status = 503
    loader = "unavailable"
    _what: ClassVar[str] = "The verification of the token"

    def __init__(self, reason: str = "") -> None:
        super().__init__(f"{self._what} is unavailable")
        #: The name of the error that caused this, for the log. It never contains an address.
        self.reason = reason


class StoreUnavailableError(UnavailableError):
    """The session store does not answer.

    .. versionadded:: 5.0
    """

    code = "store_unavailable"
    _what = "The session store"


class IssuerUnavailableError(UnavailableError):
    """The keys of a trusted issuer cannot be fetched.

    .. versionadded:: 5.0
    """

    code = "issuer_unavailable"
    _what = "The issuer of the token"


class KeyUnavailableError(UnavailableError):
    """The keys that ``decode_key_loader`` needs cannot be fetched.

    .. versionadded:: 5.0
    """

    code = "key_unavailable"
    _what = "The key of the token"


class TokenRefused(JWTExtendedException):
    """A genuine token is refused. The loader that answers gets its header and claims.

    :ivar jwt_header: the header of the token
    :ivar jwt_data: the claims of the token

    .. versionadded:: 5.0
    """

    status = 401

    def __init__(self, message: str, jwt_header: dict[str, Any], jwt_data: dict[str, Any]) -> None:
        super().__init__(message)
        self.jwt_header = jwt_header
        self.jwt_data = jwt_data


class FreshTokenRequired(TokenRefused):
    """The view requires a fresh token, and this one is not fresh, or no longer."""

    code = "fresh_token_required"
    loader = "needs_fresh_token"


class InsufficientAuthenticationError(TokenRefused):
    """The user logged in too long ago, or not strongly enough (RFC 9470, section 3).

    :ivar max_age: the greatest age of the login in seconds; ``None`` if any age is accepted
    :ivar acr_values: the authentication contexts that are accepted

    .. versionadded:: 5.0
    """

    code = "insufficient_user_authentication"
    loader = "insufficient_authentication"

    def __init__(
        self,
        jwt_header: dict[str, Any],
        jwt_data: dict[str, Any],
        *,
        max_age: float | None = None,
        acr_values: tuple[str, ...] = (),
    ) -> None:
        super().__init__("More recent or stronger authentication is required", jwt_header, jwt_data)
        self.max_age = max_age
        self.acr_values = acr_values


class InsufficientScopeError(TokenRefused):
    """The token lacks a scope or a role (RFC 6750, section 3.1).

    :ivar scopes: the scopes that the view requires

    .. versionadded:: 5.0
    """

    code = "insufficient_scope"
    status = 403
    loader = "insufficient_scope"

    def __init__(self, jwt_header: dict[str, Any], jwt_data: dict[str, Any], scopes: tuple[str, ...] = ()) -> None:
        super().__init__("The token does not allow this", jwt_header, jwt_data)
        self.scopes = scopes


class RevokedTokenError(TokenRefused):
    """The token was revoked."""

    code = "revoked_token"
    loader = "revoked_token"

    def __init__(self, jwt_header: dict[str, Any], jwt_data: dict[str, Any]) -> None:
        super().__init__("Token has been revoked", jwt_header, jwt_data)


class SessionEndedError(RevokedTokenError):
    """The session of the token has ended, or is not known.

    .. versionadded:: 5.0
    """

    code = "session_ended"


class RefreshTokenReusedError(RevokedTokenError):
    """The refresh token was used before. It may have been stolen, so its session ends.

    .. versionadded:: 5.0
    """

    code = "refresh_token_reused"


class UserLookupError(TokenRefused):
    """``user_lookup_loader`` returned no user for the token."""

    code = "unknown_user"
    loader = "user_lookup_error"


class UserClaimsVerificationError(TokenRefused):
    """``token_verification_loader`` refused the token."""

    code = "verification_failed"
    status = 400
    loader = "token_verification_failed"


#: The codes of PyJWT's errors. Subclasses inherit them.
_CODES: dict[type[Exception], str] = {
    jwt.InvalidTokenError: "invalid_token",
    jwt.DecodeError: "malformed_token",
    jwt.InvalidSignatureError: "invalid_signature",
    jwt.InvalidAlgorithmError: "wrong_algorithm",
    jwt.ExpiredSignatureError: "expired_token",
    jwt.ImmatureSignatureError: "not_yet_valid",
    jwt.MissingRequiredClaimError: "missing_claim",
    jwt.InvalidAudienceError: "wrong_audience",
    jwt.InvalidIssuerError: "wrong_issuer",
    jwt.InvalidIssuedAtError: "malformed_claim",
    InvalidSubjectError: "malformed_claim",
    InvalidJTIError: "malformed_claim",
}


def code_of(error: Exception) -> str:
    """Return the stable, machine-readable reason why a request was refused.

    .. versionadded:: 5.0
    """
    for each in type(error).__mro__:
        if each in _CODES:
            return _CODES[each]
        if issubclass(each, JWTExtendedException):
            return each.code
    return "error"


if not TYPE_CHECKING:  # or every name would exist for type checkers
    __getattr__ = explain_missing(__name__)
