"""Every error this package raises of its own, and what a handler needs to answer it.

::

    JWTExtendedException
    ├── NoAuthorizationError            no token was found                      401  unauthorized
    ├── CSRFError                       the double submit value is wrong        401  unauthorized
    ├── InvalidHeaderError              the header is not "<type> <token>"      422  invalid_token
    ├── InvalidQueryParamError          the query parameter lacks its prefix    422  invalid_token
    ├── JWTDecodeError                  a claim the extension needs is missing  422  invalid_token
    │   └── MultipleTokensError          more than one token came                422  invalid_token
    ├── WrongTokenError                 a token of another kind                 422  invalid_token
    ├── UnavailableError                nobody can tell whether the token is good   503  (no loader: errorhandler)
    │   ├── StoreUnavailableError       the session store does not answer
    │   ├── IssuerUnavailableError      the keys of a trusted issuer cannot be fetched
    │   └── KeyUnavailableError         decode_key_loader cannot reach its keys
    └── TokenRefused                    a genuine token that may not pass here
        ├── FreshTokenRequired                                                  401  needs_fresh_token
        ├── InsufficientAuthenticationError  authenticated too long ago, or not well enough  401  (errorhandler)
        ├── InsufficientScopeError      it lacks a scope or a role              403  (errorhandler)
        ├── RevokedTokenError                                                   401  revoked_token
        │   ├── SessionEndedError       its session is over
        │   └── RefreshTokenReusedError it was used before: its session is ended
        ├── UserLookupError                                                     401  user_lookup_error
        └── UserClaimsVerificationError                                         400  token_verification_failed

    RuntimeError
    └── ConfigurationError              the developer's mistake: never answered, always raised

What is wrong with the token itself (its form, signature or registered claims) is raised as PyJWT's own exceptions,
because applications catch those. This module knows nothing of HTTP frameworks, settings or loaders: it only names them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import jwt
from jwt.exceptions import InvalidJTIError, InvalidSubjectError

from ._removed import explain_missing


class ConfigurationError(RuntimeError):
    """The application is set up in a way that cannot work; the message names the fix."""


class JWTConfigWarning(UserWarning):
    """A setting that works but is probably not what you meant; the message names the option and the fix.

    .. versionadded:: 5.0
    """


class JWTExtendedException(Exception):  # noqa: N818  # 4.7's name
    """The root of the errors that a request can provoke."""

    #: Stable, machine-readable name of the reason.
    code: ClassVar[str] = "invalid_token"
    #: HTTP status of the default answer.
    status: ClassVar[int] = 422
    #: The loader of :class:`JWTManager` that may answer instead, without its ``_loader`` ending.
    loader: ClassVar[str] = "invalid_token"


class NoAuthorizationError(JWTExtendedException):
    """No token was found where the view looks for one."""

    code = "missing_token"
    status = 401
    loader = "unauthorized"


class CSRFError(JWTExtendedException):
    """A token came in a cookie, and its CSRF double submit value is missing or does not match."""

    code = "csrf"
    status = 401
    loader = "unauthorized"


class InvalidHeaderError(JWTExtendedException):
    """The header that should carry the token has another form."""

    code = "malformed_header"


class InvalidQueryParamError(JWTExtendedException):
    """The query parameter that should carry the token does not start with the configured prefix."""

    code = "malformed_query"


class JWTDecodeError(JWTExtendedException):
    """A genuine token lacks a claim that this extension needs."""

    code = "missing_claim"


class MultipleTokensError(JWTDecodeError):
    """The request carries more than one token, and JWT_SINGLE_TOKEN is on."""

    code = "multiple_tokens"


class WrongTokenError(JWTExtendedException):
    """A token of one kind was sent where another kind is asked for, a refresh token for an access token say."""

    code = "wrong_token_type"


class UnavailableError(JWTExtendedException):
    """What it takes to judge a token did not answer in time, or not at all. The token may be as good as any."""

    code = "unavailable"
    status = 503
    loader = "unavailable"
    _what: ClassVar[str] = "What it takes to verify the token"

    def __init__(self, reason: str = "") -> None:
        super().__init__(f"{self._what} is unavailable")
        #: What went wrong, for the log: the name of an error, never an address.
        self.reason = reason


class StoreUnavailableError(UnavailableError):
    """The session store does not answer."""

    code = "store_unavailable"
    _what = "The session store"


class IssuerUnavailableError(UnavailableError):
    """The keys of a trusted issuer are not known, and cannot be fetched."""

    code = "issuer_unavailable"
    _what = "The issuer of the token"


class KeyUnavailableError(UnavailableError):
    """``decode_key_loader`` cannot reach the place where its keys are.

    .. versionadded:: 5.0
    """

    code = "key_unavailable"
    _what = "The key of the token"


class TokenRefused(JWTExtendedException):
    """A genuine token that may not pass here. Carries the token's header and claims for the loader that answers."""

    status = 401

    def __init__(self, message: str, jwt_header: dict[str, Any], jwt_data: dict[str, Any]) -> None:
        super().__init__(message)
        self.jwt_header = jwt_header
        self.jwt_data = jwt_data


class FreshTokenRequired(TokenRefused):
    """The view asks for a fresh token and this one is not, or no longer."""

    code = "fresh_token_required"
    loader = "needs_fresh_token"


class InsufficientAuthenticationError(TokenRefused):
    """The owner of the token was authenticated too long ago, or not well enough (RFC 9470, section 3).

    :ivar max_age: seconds since then, at most; ``None``: any
    :ivar acr_values: the authentication contexts one of which is asked for
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

    :ivar scopes: the scopes that were asked for
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
    """The session that the token belongs to has ended, or was never known."""

    code = "session_ended"


class RefreshTokenReusedError(RevokedTokenError):
    """The refresh token was used before. Somebody else may have it, so its session is ended."""

    code = "refresh_token_reused"


class UserLookupError(TokenRefused):
    """``user_lookup_loader`` knows no user for the token."""

    code = "unknown_user"
    loader = "user_lookup_error"


class UserClaimsVerificationError(TokenRefused):
    """``token_verification_loader`` refused the token."""

    code = "verification_failed"
    status = 400
    loader = "token_verification_failed"


#: Stable names for PyJWT's errors; a subclass without one of its own has that of its parent.
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
    """Return the stable, machine-readable reason of an error that refused a request."""
    for each in type(error).__mro__:
        if each in _CODES:
            return _CODES[each]
        if issubclass(each, JWTExtendedException):
            return each.code
    return "error"


if not TYPE_CHECKING:  # or every name would exist for type checkers
    __getattr__ = explain_missing(__name__)
