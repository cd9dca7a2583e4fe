"""From an error to the response: what a loader of the application returns, or the default."""

from __future__ import annotations

import sys
import types
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn
from urllib.parse import quote

import jwt
from flask import Flask, Response

from .. import exceptions as errors
from .._context import get_manager
from .._settings.settings import Settings
from ..signals import logger, store_outage, token_refused

#: The error classes that get a handler, as in 4.7: in Flask the more specific handler wins, also of the application's.
HANDLED: tuple[type[Exception], ...] = (
    errors.CSRFError,
    jwt.DecodeError,
    jwt.ExpiredSignatureError,
    errors.FreshTokenRequired,
    jwt.MissingRequiredClaimError,
    jwt.InvalidAudienceError,
    jwt.InvalidIssuerError,
    errors.InvalidHeaderError,
    jwt.InvalidTokenError,
    errors.JWTDecodeError,
    errors.NoAuthorizationError,
    errors.InvalidQueryParamError,
    errors.RevokedTokenError,
    errors.UserClaimsVerificationError,
    errors.UserLookupError,
    errors.WrongTokenError,
)

#: The error classes that 4.7 does not have. Their handlers are registered when one is raised for the first time.
HANDLED_BESIDE: tuple[type[Exception], ...] = (
    errors.UnavailableError,
    errors.InsufficientAuthenticationError,
    errors.InsufficientScopeError,
)

_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))

#: Seconds after which a client may try again if a store or keys are unavailable.
RETRY_AFTER = 1

#: The messages of default answers by loader. Other answers have the error's own message.
_FIXED_MESSAGES = {
    "expired_token": "Token has expired",
    "insufficient_authentication": "More recent or stronger authentication is required",
    "insufficient_scope": "The token does not allow this",
    "needs_fresh_token": "Fresh token required",
    "revoked_token": "Token has been revoked",
    "token_verification_failed": "User claims verification failed",
}


def loader_for(error: Exception) -> tuple[str, tuple[Any, ...]]:
    """Return the name of the loader for an error, and its arguments."""
    if isinstance(error, errors.TokenRefused):
        return error.loader, (error.jwt_header, error.jwt_data)
    if isinstance(error, jwt.ExpiredSignatureError):
        # An application may raise it itself, without header and claims.
        return "expired_token", (getattr(error, "jwt_header", {}), getattr(error, "jwt_data", {}))
    return getattr(error, "loader", "invalid_token"), (str(error),)


def default_answer(error: Exception, settings: Settings, app: Flask) -> Response:
    """Answer an error where the application has no loader for it."""
    if settings.error_style == "rfc6750":
        refusal = refusal_for(error)
        code = {"error": refusal.code} if refusal.code else {}
        return _json(app, {settings.error_message_key: refusal.description, **code}, refusal.status)
    loader, arguments = loader_for(error)
    return compat_answer(loader, arguments, settings, app)


def compat_answer(loader: str, arguments: tuple[Any, ...], settings: Settings, app: Flask) -> Response:
    """Answer as 4.7 does without a loader."""
    if loader == "user_lookup_error":
        message = f"Error loading the user {arguments[1].get(settings.identity_claim)}"
    else:
        message = _FIXED_MESSAGES.get(loader) or arguments[0]
    return _json(app, {settings.error_message_key: message}, _STATUSES[loader])


def _json(app: Flask, body: dict[str, str], status: int) -> Response:
    # A message may quote a lone surrogate from the token, which cannot be encoded.
    body = {key: text.encode("utf-8", "replace").decode() for key, text in body.items()}
    response = app.make_response(app.json.response(body))
    response.status_code = status
    return response


_STATUSES = {
    each.loader: each.status for each in (*HANDLED, *HANDLED_BESIDE) if issubclass(each, errors.JWTExtendedException)
} | {"expired_token": 401}


class Refusal(NamedTuple):
    """What a client is told about an error (RFC 6750, section 3.1). Without credentials there is no code."""

    status: int
    code: str | None
    description: str


_NOT_ONE_TOKEN = Refusal(400, "invalid_request", "The request does not carry one token in the expected form")
_REFUSALS: dict[type[Exception], Refusal] = {
    errors.NoAuthorizationError: Refusal(401, None, "Authentication is required"),
    errors.CSRFError: Refusal(400, "invalid_request", "The request does not prove that it comes from this site"),
    errors.MultipleTokensError: _NOT_ONE_TOKEN,
    errors.InvalidHeaderError: _NOT_ONE_TOKEN,
    errors.InvalidQueryParamError: _NOT_ONE_TOKEN,
    jwt.ExpiredSignatureError: Refusal(401, "invalid_token", "The token has expired"),
    errors.FreshTokenRequired: Refusal(401, "insufficient_user_authentication", "A fresh token is required"),
    errors.InsufficientAuthenticationError: Refusal(
        401, "insufficient_user_authentication", "More recent or stronger authentication is required"
    ),
    errors.InsufficientScopeError: Refusal(403, "insufficient_scope", "The token does not allow this"),
    errors.UserClaimsVerificationError: Refusal(403, "insufficient_scope", "The token does not allow this"),
    errors.UnavailableError: Refusal(503, "temporarily_unavailable", "Try again"),
}


def refusal_for(error: Exception) -> Refusal:
    """Return what a client is told about an error. About an invalid token, it is told only that it is invalid."""
    for each in type(error).__mro__:
        if each in _REFUSALS:
            return _REFUSALS[each]
    return Refusal(401, "invalid_token", "The token is not valid")


def finish(response: Response, error: Exception, settings: Settings, app: Flask) -> Response:
    """Add the headers that an answer needs, also if a loader made it.

    The challenge has the scheme, as a 401 must (RFC 9110, section 11.6.1), and the error (RFC 6750, section 3).
    """
    if isinstance(error, errors.UnavailableError):
        response.headers.setdefault("Retry-After", str(RETRY_AFTER))
    if "WWW-Authenticate" in response.headers:
        return response
    scheme = settings.header_type or "Bearer"
    asked_for = _asked_for(error)
    if (settings.error_style == "rfc6750" or asked_for is not None) and response.status_code in (400, 401, 403):
        refusal = refusal_for(error)
        parameters = {"realm": app.name}
        if refusal.code:
            parameters |= {"error": refusal.code, "error_description": refusal.description, **(asked_for or {})}
        quoted = ", ".join(f"{name}={_quoted_string(value)}" for name, value in parameters.items())
        response.headers["WWW-Authenticate"] = f"{scheme} {quoted}"
    elif response.status_code == 401:
        response.headers["WWW-Authenticate"] = scheme
    return response


def _quoted_string(text: str) -> str:
    """Write a text as a quoted string (RFC 9110, section 5.6.4). All but printable ASCII is percent-encoded, because
    headers cannot contain it, or clients disagree about it.
    """
    if not (text.isascii() and text.isprintable()):
        text = quote(text, safe=_PRINTABLE, errors="replace")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _asked_for(error: Exception) -> dict[str, str] | None:
    """What the challenge requires (RFC 6750, section 3; RFC 9470, section 3); ``None``: a valid token is enough."""
    if isinstance(error, errors.InsufficientScopeError):
        return {"scope": " ".join(error.scopes)} if error.scopes else {}
    if isinstance(error, errors.InsufficientAuthenticationError):
        age = {} if error.max_age is None else {"max_age": str(int(error.max_age))}
        return age | ({"acr_values": " ".join(error.acr_values)} if error.acr_values else {})
    return None


class _PassedOn(Exception):  # noqa: N818  # mixed into an error, not an error of its own
    """Makes an ``Api`` leave an error to Flask, unless the ``Api`` has an answer for it.

    flask-restful and flask-restx put a router in front of Flask's error handling, which turns most errors into a 500,
    but leaves errors that occur meanwhile to Flask. They read the ``data`` of an error, so it raises itself then.
    """

    @property
    def data(self) -> NoReturn:
        api = _asking_api()
        if api is None or _answers(api, self):
            raise AttributeError("data")
        raise self


def pass_on(error: Exception, app: Flask) -> Exception:
    """Prepare an error for the ``Api`` that may serve this request. As in 4.7, the ``Api`` may have its own answer."""
    if "handle_user_exception" in vars(app):  # something is in front of Flask's error handling
        error.__class__ = _passed_on(type(error))  # type: ignore[arg-type]  # a class is hashable
    return error


def _asking_api() -> Any:
    """The ``Api`` whose error handler reads the attribute; ``None`` if other code does."""
    frame = sys._getframe(2)
    while frame is not None and frame.f_code.co_name != "error_router":
        if frame.f_code.co_name == "handle_error":
            return frame.f_locals.get("self")
        frame = frame.f_back  # type: ignore[assignment]  # the last one has none
    return None


def _answers(api: Any, error: Exception) -> bool:
    """Whether an ``Api`` has an answer, from ``errors=`` or ``@api.errorhandler``."""
    answers: Any = getattr(api, "errors", None)
    handling = (api, *getattr(api, "namespaces", ()))  # flask-restx
    return (
        (hasattr(answers, "get") and type(error).__name__ in answers)  # all that flask-restful can use
        or bool(getattr(api, "_default_error_handler", None))
        or any(isinstance(error, tuple(getattr(each, "error_handlers", ()))) for each in handling)
    )


@lru_cache(64)
def _passed_on(error_class: type[Exception]) -> type[Exception]:
    if issubclass(error_class, _PassedOn):
        return error_class
    names = {"__module__": error_class.__module__, "__qualname__": error_class.__qualname__}
    return types.new_class(error_class.__name__, (error_class, _PassedOn), exec_body=lambda body: body.update(names))


def signal_refusal(app: Flask, error: Exception) -> Exception:
    """Log a refusal, send its signal, and return the error to raise. Called once for every refusal.

    Log and signal have the reason, never the token.
    """
    code = errors.code_of(error)
    logger.debug("Refused: %s", code)
    token_refused.send(app, code=code, error=error)
    for each in HANDLED_BESIDE:
        if isinstance(error, each):  # register_error_handler does not work after the first request
            app.error_handler_spec[None][None].setdefault(each, get_manager(app)._answer)
    if isinstance(error, errors.StoreUnavailableError):
        logger.error("The store is unavailable: %s", error.reason)
        store_outage.send(app, cause=error.reason, allowed=False)
    return pass_on(error, app)
