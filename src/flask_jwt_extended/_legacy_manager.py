"""What applications of 4.7 set on their ``JWTManager`` and override in a subclass. Setting an attribute ``_*_callback``
sets a loader in ``manager.loaders``. ``_encode_jwt_from_config`` and ``_decode_jwt_from_config`` are loaders too while
an application overrides them.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Flask, Response

from . import _issue, _setup
from . import default_callbacks as defaults
from ._context import get_app, get_state
from ._loaders import Loaders
from ._removed import missing_method
from ._request import authenticate
from ._state import ExtensionState
from .exceptions import ConfigurationError
from .typing import (
    Claims,
    DecodeKeyLoader,
    EncodeKeyLoader,
    ExpiresDelta,
    Fresh,
    IdentityLoader,
    MappingLoader,
    MessageResponse,
    TokenResponse,
    TokenTest,
    UserLookupLoader,
)


class _Callback(NamedTuple):
    """How many arguments a callback takes, its name in :class:`Loaders`, and its value until it is set."""

    arguments: int
    loader: str
    default: Callable[..., Any] | None


CALLBACKS = {
    "_decode_key_callback": _Callback(2, "decode_key", defaults.default_decode_key_callback),
    "_encode_key_callback": _Callback(1, "encode_key", defaults.default_encode_key_callback),
    "_expired_token_callback": _Callback(2, "expired_token", defaults.default_expired_token_callback),
    "_invalid_token_callback": _Callback(1, "invalid_token", defaults.default_invalid_token_callback),
    "_jwt_additional_header_callback": _Callback(1, "additional_headers", defaults.default_jwt_headers_callback),
    "_needs_fresh_token_callback": _Callback(2, "needs_fresh_token", defaults.default_needs_fresh_token_callback),
    "_revoked_token_callback": _Callback(2, "revoked_token", defaults.default_revoked_token_callback),
    "_token_in_blocklist_callback": _Callback(2, "token_in_blocklist", defaults.default_blocklist_callback),
    "_token_verification_callback": _Callback(2, "token_verification", defaults.default_token_verification_callback),
    "_token_verification_failed_callback": _Callback(
        2, "token_verification_failed", defaults.default_token_verification_failed_callback
    ),
    "_unauthorized_callback": _Callback(1, "unauthorized", defaults.default_unauthorized_callback),
    "_user_claims_callback": _Callback(1, "additional_claims", defaults.default_additional_claims_callback),
    "_user_identity_callback": _Callback(1, "user_identity", defaults.default_user_identity_callback),
    "_user_lookup_callback": _Callback(2, "user_lookup", None),
    "_user_lookup_error_callback": _Callback(2, "user_lookup_error", defaults.default_user_lookup_error_callback),
}


class LegacyManager:
    """The attributes and methods of 4.7's manager that begin with an underscore."""

    _decode_key_callback: DecodeKeyLoader
    _encode_key_callback: EncodeKeyLoader
    _expired_token_callback: TokenResponse
    _invalid_token_callback: MessageResponse
    _jwt_additional_header_callback: MappingLoader
    _needs_fresh_token_callback: TokenResponse
    _revoked_token_callback: TokenResponse
    _token_in_blocklist_callback: TokenTest
    _token_verification_callback: TokenTest
    _token_verification_failed_callback: TokenResponse
    _unauthorized_callback: MessageResponse
    _user_claims_callback: MappingLoader
    _user_identity_callback: IdentityLoader
    _user_lookup_callback: UserLookupLoader | None
    _user_lookup_error_callback: TokenResponse

    loaders: Loaders

    def _prepare(self) -> None:
        """Make the loaders, with the callbacks that a subclass defines. A second call does nothing."""
        if "loaders" not in vars(self):
            vars(self)["loaders"] = Loaders()
            for name in CALLBACKS:
                self._restore_callback(name)
            self._find_overrides()

    if not TYPE_CHECKING:  # the attributes are declared above

        def __getattr__(self, name: str) -> Any:
            # A subclass may read or set a callback before it calls ``super().__init__``, or never call it.
            if "loaders" in vars(self) or (name != "loaders" and name not in CALLBACKS):
                raise missing_method(type(self), name)
            self._prepare()
            return getattr(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in CALLBACKS:
            _check_callback(name, value)
            self._prepare()  # first, so that it does not overwrite this value
        super().__setattr__(name, value)
        self._update_loaders(name)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        if name in CALLBACKS:
            self._restore_callback(name)
        self._update_loaders(name)

    def _update_loaders(self, name: str) -> None:
        """Update the loader that an attribute stands for."""
        if (callback := CALLBACKS.get(name)) is not None:
            value = vars(self)[name]
            setattr(self.loaders, callback.loader, None if value is callback.default else value)
        elif name in _OVERRIDES:
            self._find_overrides()

    def _restore_callback(self, name: str) -> None:
        """Set a callback to what a subclass defines under its name, or to the default."""
        defined = inspect.getattr_static(type(self), name, None)
        setattr(self, name, CALLBACKS[name].default if defined is None else _own_callback(self, name, defined))

    def _find_overrides(self) -> None:
        """Look whether the application makes or verifies tokens itself: here, not for each token."""
        for name, (loader, own) in _OVERRIDES.items():
            is_own = getattr(type(self), name) is own and name not in vars(self)
            setattr(self.loaders, loader, None if is_own else getattr(self, name))

    @staticmethod
    def _set_default_configuration_options(app: Flask) -> None:
        """Write the default of every option that is not set into the configuration. A subclass may add its own."""
        _setup.fill_in_defaults(app)

    def _set_error_handler_callbacks(self, app: Any) -> None:
        """Register the error handlers on an application, or on the ``Api`` of flask-restx."""
        _setup.register_error_handlers(app, self._answer)

    def _answer(self, error: Exception) -> Response:
        return _setup.answer_refusal(error, self.loaders)

    def _encode_jwt_from_config(
        self,
        identity: Any,
        token_type: str,
        claims: dict[str, Any] | None = None,
        fresh: Fresh = False,
        expires_delta: ExpiresDelta | None = None,
        headers: dict[str, Any] | None = None,
    ) -> str:
        """Make a token. An override is called for every token, and may call this.

        :param claims: claims that override all others
        """
        new = _issue.NewToken(
            token_type=token_type,
            identity=identity,
            fresh=fresh,
            expires_delta=expires_delta,
            additional_headers=headers,
            fixed=claims or {},
        )
        return _issue.issue(new, self._own_state(), time.time(), own=True)

    def _decode_jwt_from_config(
        self, encoded_token: str, csrf_value: str | None = None, allow_expired: bool = False
    ) -> Claims:
        """Verify a token and return its claims. An override is called for every token, and may call this."""
        state, now = self._own_state(), time.time()
        return authenticate.verify(
            encoded_token, state, now, csrf_value=csrf_value, allow_expired=allow_expired, own=True
        ).claims

    def _own_state(self) -> ExtensionState:
        """Return the state of the current application, with the loaders of this manager, which may not be its own."""
        state = get_state(get_app())
        return state if state.loaders is self.loaders else replace(state, loaders=self.loaders)


#: The methods that make and verify tokens: the loader that an override becomes, and the method that is not one.
_OVERRIDES = {
    "_encode_jwt_from_config": ("encode_token", LegacyManager._encode_jwt_from_config),
    "_decode_jwt_from_config": ("decode_token", LegacyManager._decode_jwt_from_config),
}


def _check_callback(name: str, value: Any) -> None:
    """Refuse a value that no request could call."""
    if not callable(value) and (value is not None or CALLBACKS[name].default is not None):
        raise ConfigurationError(f"JWTManager.{name} must be callable, not {type(value).__name__}")


def _own_callback(manager: LegacyManager, name: str, defined: Any) -> Any:
    """Return the callback that a subclass defines, as a method or as a class attribute."""
    callback, where = CALLBACKS[name], f"{type(manager).__name__}.{name}"
    if hasattr(type(defined), "__set__"):
        raise ConfigurationError(f"{where} cannot be a property: define a method, or set it in __init__")
    for candidate in (getattr(manager, name), defined):  # a function without self is used as it is
        if candidate is None and callback.default is None:
            return None
        if callable(candidate) and _takes(candidate, callback.arguments):
            return candidate
    raise ConfigurationError(f"{where} must be callable with {callback.arguments} argument(s) beside self")


def _takes(candidate: Callable[..., Any], arguments: int) -> bool:
    try:
        inspect.signature(candidate).bind(*range(arguments))
    except TypeError:
        return False
    except ValueError:  # a function written in C has no signature
        return True
    return True
