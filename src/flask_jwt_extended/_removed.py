"""Names of Flask-JWT-Extended 3.x that 4.0 removed. The error or warning for each names the replacement."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_NO_SWITCH = "remove it: token_in_blocklist_loader is called for every token as soon as it is registered"
_NO_TYPES = 'remove it: compare jwt_payload["type"] in token_in_blocklist_loader'

#: Options of 3.x, and what to do instead.
OPTIONS = {
    "JWT_BLACKLIST_ENABLED": _NO_SWITCH,
    "JWT_BLOCKLIST_ENABLED": _NO_SWITCH,
    "JWT_BLACKLIST_TOKEN_CHECKS": _NO_TYPES,
    "JWT_BLOCKLIST_TOKEN_CHECKS": _NO_TYPES,
    "JWT_USER_CLAIMS": "remove it: get_jwt() returns the additional claims with all others",
    "JWT_CLAIMS_IN_REFRESH_TOKEN": "remove it: refresh tokens have the additional claims too",
    "JWT_CSRF_HEADER_NAME": "set JWT_ACCESS_CSRF_HEADER_NAME and JWT_REFRESH_CSRF_HEADER_NAME",
}
#: Functions of 3.x by the module that had them, and what to write instead.
_DECORATORS = {
    "fresh_jwt_required": "@jwt_required(fresh=True)",
    "jwt_optional": "@jwt_required(optional=True)",
    "jwt_refresh_token_required": "@jwt_required(refresh=True)",
    "verify_fresh_jwt_in_request": "verify_jwt_in_request(fresh=True)",
    "verify_jwt_in_request_optional": "verify_jwt_in_request(optional=True)",
    "verify_jwt_refresh_token_in_request": "verify_jwt_in_request(refresh=True)",
}
_FUNCTIONS = {
    "get_jwt_claims": "get_jwt(), which returns the additional claims with all others",
    "get_raw_jwt": "get_jwt()",
    "get_raw_jwt_header": "get_jwt_header()",
}
#: Functions that two modules of 3.x had. Applications imported them for their own decorators.
_SHARED = {
    "has_user_loader": "has_user_lookup() of internal_utils",
    "user_loader": "user_lookup() of internal_utils, which takes the header and the claims of the token",
    "verify_token_claims": "custom_verification_for_token() of internal_utils, or a token_verification_loader",
    "verify_token_not_blacklisted": "verify_token_not_blocklisted() of internal_utils",
}
_NAMES = {
    "flask_jwt_extended": _DECORATORS | _FUNCTIONS,
    "flask_jwt_extended.view_decorators": _DECORATORS | _SHARED,
    "flask_jwt_extended.utils": _FUNCTIONS | _SHARED | {"verify_token_type": "verify_token_type() of internal_utils"},
    "flask_jwt_extended.exceptions": {"UserLoadError": "UserLookupError"},
}
#: Methods of JWTManager in 3.x, and what to write instead.
METHODS = {
    "claims_verification_failed_loader": "token_verification_failed_loader",
    "claims_verification_loader": "token_verification_loader",
    "token_in_blacklist_loader": "token_in_blocklist_loader, which takes the header and the claims of the token",
    "user_claims_loader": "additional_claims_loader",
    "user_loader_callback_loader": "user_lookup_loader, which takes the header and the claims of the token",
    "user_loader_error_loader": "user_lookup_error_loader, which takes the header and the claims of the token",
    "_create_access_token": "create_access_token() of the package",
    "_create_refresh_token": "create_refresh_token() of the package",
}
#: Arguments of create_access_token and create_refresh_token in 3.x.
_ARGUMENTS = {"user_claims": "additional_claims", "headers": "additional_headers"}


def explain_missing(module: str) -> Callable[[str], Any]:
    """Return a ``__getattr__`` for a module (PEP 562).

    It raises an ImportError for ``from module import name``, because Python hides the message of an AttributeError
    there, and an AttributeError otherwise, so that ``hasattr`` works.
    """

    def missing(name: str) -> Any:
        replacement = _NAMES[module].get(name)
        if replacement is None:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        from opcode import opmap  # only for a mistake

        message = f"{name} was removed in Flask-JWT-Extended 4.0: use {replacement}"
        caller = sys._getframe(1)
        is_import = caller.f_code.co_code[caller.f_lasti] == opmap["IMPORT_FROM"]
        raise ImportError(message, name=module) if is_import else AttributeError(message)

    return missing


def missing_method(manager: type, name: str) -> AttributeError:
    """Return the error for a missing attribute of JWTManager."""
    if name in METHODS:
        return AttributeError(f"{name} was removed in Flask-JWT-Extended 4.0: use {METHODS[name]}")
    return AttributeError(f"{manager.__name__!r} object has no attribute {name!r}")


def explain_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """Make the TypeError for an argument of 3.x name the replacement."""

    @wraps(function)
    def explained(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in _ARGUMENTS.keys() & kwargs.keys() if kwargs else ():
            raise TypeError(
                f"{function.__name__}() has no argument {name!r} since Flask-JWT-Extended 4.0: use {_ARGUMENTS[name]}="
            )
        return function(*args, **kwargs)

    return explained
