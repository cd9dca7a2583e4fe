"""JWTManager: the extension object. It binds loaders and settings to an application."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial, wraps
from typing import Any, TypeVar

from flask import Blueprint, Flask
from jwt import (  # noqa: F401  # 4.7 has these names here, and applications import them from here
    DecodeError,
    ExpiredSignatureError,
    InvalidAudienceError,
    InvalidIssuerError,
    InvalidTokenError,
    MissingRequiredClaimError,
)

from . import _setup
from ._legacy_manager import LegacyManager
from ._settings.options import UNSET
from ._state import ExtensionState
from .exceptions import (  # noqa: F401  # 4.7 has these names here, and applications import them from here
    CSRFError,
    FreshTokenRequired,
    InvalidHeaderError,
    InvalidQueryParamError,
    JWTDecodeError,
    NoAuthorizationError,
    RevokedTokenError,
    UserClaimsVerificationError,
    UserLookupError,
    WrongTokenError,
)
from .typing import (
    DecodeKeyLoader,
    EncodeKeyLoader,
    IdentityLoader,
    MappingLoader,
    MessageResponse,
    RolesLoader,
    TokenResponse,
    TokenTest,
    UserLookupLoader,
)

MappingF = TypeVar("MappingF", bound=MappingLoader)
DecodeKeyF = TypeVar("DecodeKeyF", bound=DecodeKeyLoader)
EncodeKeyF = TypeVar("EncodeKeyF", bound=EncodeKeyLoader)
IdentityF = TypeVar("IdentityF", bound=IdentityLoader)
MessageF = TypeVar("MessageF", bound=MessageResponse)
RolesF = TypeVar("RolesF", bound=RolesLoader)
TokenResponseF = TypeVar("TokenResponseF", bound=TokenResponse)
TokenTestF = TypeVar("TokenTestF", bound=TokenTest)
UserLookupF = TypeVar("UserLookupF", bound=UserLookupLoader)


class JWTManager(LegacyManager):
    """The extension object: bind it to an application, and register the loaders that change its behaviour.

    Create it in one module and bind it in your application factory, or bind it immediately with ``app``.

    :param app: the application to bind to
    :param add_context_processor: whether templates see ``current_user``; ``False`` by default
    """

    def __init__(self, app: Flask | None = None, add_context_processor: bool = False) -> None:
        self._prepare()
        if app is not None:
            self.init_app(app, add_context_processor)

    def init_app(self, app: Flask, add_context_processor: bool = False) -> None:
        """Bind this manager to an application: write every default into its configuration, validate the options, and
        register the error handlers.

        :param app: the application
        :param add_context_processor: whether templates see ``current_user``; ``False`` by default
        :raises ConfigurationError: if an option has a value that cannot work
        """
        _setup.warn_about_configuration(app, self)
        with _setup.registered(app, self):
            self._set_default_configuration_options(app)
            state = self._renew(app)
            _setup.check_state(state)
        for warning in state.settings.cookie_problems:
            _setup.warn_application(warning)
        self._set_error_handler_callbacks(app)
        app.before_request(partial(_setup.check_once, app))
        if path := app.config["JWT_JWKS_PATH"]:
            _setup.publish_keys(app, path)
        if add_context_processor:
            app.context_processor(_setup.template_context)

    def _renew(self, app: Flask) -> ExtensionState:
        """Make the state of an application from its configuration as it is now."""
        self._find_overrides()
        return _setup.renew(app, self)

    def protect(self, target: Flask | Blueprint, *, exempt: Iterable[str] = ("static", "*.static")) -> None:
        """Protect every view of an application or a blueprint that is not :func:`jwt_exempt`, as ``@jwt_required()``
        would. A view with its own ``@jwt_required`` is protected by that alone. A blueprint is protected under every
        name it is registered with, with its nested blueprints; protect it before you register it.

        Requests that match no view get 404 or 405 as before, and OPTIONS requests their usual answer: a browser sends
        its preflight without credentials.

        :param exempt: endpoints that stay public, as patterns with ``*``; a string is one pattern. The default,
            ``"static"`` and ``"*.static"``, means the static files that Flask serves, not other views of that name
        :raises TypeError: if ``target`` is neither an application nor a blueprint
        :raises ConfigurationError: if a pattern is not a string, or a blueprint has been registered already

        .. versionadded:: 5.0
        """
        from ._protection.default_deny import protect  # it needs view_decorators, a higher layer

        protect(target, exempt)

    # Loaders. The "identity" is what create_access_token or create_refresh_token was called with.

    def additional_claims_loader(self, callback: MappingF) -> MappingF:
        """Register the function that takes the identity of a new token and returns a dictionary of additional claims.
        Claims passed to ``create_access_token`` or ``create_refresh_token`` override them.
        """
        self._user_claims_callback = callback
        return callback

    def additional_headers_loader(self, callback: MappingF) -> MappingF:
        """Register the function that takes the identity of a new token and returns a dictionary of additional header
        parameters. Headers passed to ``create_access_token`` or ``create_refresh_token`` override them.
        """
        self._jwt_additional_header_callback = callback
        return callback

    def decode_key_loader(self, callback: DecodeKeyF) -> DecodeKeyF:
        """Register the function that takes the header and the claims of a token, **neither verified yet**, and returns
        the key to verify it with. To refuse the token, return ``None`` or raise ``LookupError`` or an error of PyJWT.
        A timeout or a connection error is answered with 503.
        """
        self._decode_key_callback = callback
        return callback

    def encode_key_loader(self, callback: EncodeKeyF) -> EncodeKeyF:
        """Register the function that takes the identity of a new token and returns the key to sign it with."""
        self._encode_key_callback = callback
        return callback

    def expired_token_loader(self, callback: TokenResponseF) -> TokenResponseF:
        """Register the function that takes the header and the claims of an expired token and returns the response."""
        self._expired_token_callback = callback
        return callback

    def invalid_token_loader(self, callback: MessageF) -> MessageF:
        """Register the function that takes a message about an invalid token and returns the response."""
        self._invalid_token_callback = callback
        return callback

    def needs_fresh_token_loader(self, callback: TokenResponseF) -> TokenResponseF:
        """Register the function that takes the header and the claims of a token that is not fresh, although the view
        requires it, and returns the response.
        """
        self._needs_fresh_token_callback = callback
        return callback

    def revoked_token_loader(self, callback: TokenResponseF) -> TokenResponseF:
        """Register the function that takes the header and the claims of a revoked token and returns the response."""
        self._revoked_token_callback = callback
        return callback

    def roles_loader(self, callback: RolesF) -> RolesF:
        """Register the function that takes the header and the claims of a token and returns its roles, for
        ``jwt_required(roles=...)``: an iterable of strings, or one string. ``None``, a mapping and items that are not
        strings are ignored, with one warning in the log. Without this function, the claims ``roles`` and ``groups``
        have the roles.

        .. versionadded:: 5.0
        """
        self.loaders.roles = callback
        return callback

    def token_in_blocklist_loader(self, callback: TokenTestF) -> TokenTestF:
        """Register the function that takes the header and the claims of a token and returns whether it was revoked.

        ``None``, which a missing ``return`` statement returns, refuses the token under JWT_PROFILE = "strict" and
        accepts it under "compat", as in 4.7, with one warning in the log.
        """
        self._token_in_blocklist_callback = callback
        return callback

    def token_verification_loader(self, callback: TokenTestF) -> TokenTestF:
        """Register the function that takes the header and the claims of a valid token, makes your own checks, and
        returns ``False`` to refuse it, ``True`` otherwise.
        """
        self._token_verification_callback = callback
        return callback

    def token_verification_failed_loader(self, callback: TokenResponseF) -> TokenResponseF:
        """Register the function that takes the header and the claims of a token that ``token_verification_loader``
        refused, and returns the response.
        """
        self._token_verification_failed_callback = callback
        return callback

    def unauthorized_loader(self, callback: MessageF) -> MessageF:
        """Register the function that takes a message about a missing token or a wrong CSRF value and returns the
        response.
        """
        self._unauthorized_callback = callback
        return callback

    def user_identity_loader(self, callback: IdentityF) -> IdentityF:
        """Register the function that takes the identity of a new token, for example a database object, and returns the
        value of its identity claim, a string.
        """
        self._user_identity_callback = callback
        return callback

    def user_lookup_loader(self, callback: UserLookupF) -> UserLookupF:
        """Register the function that takes the header and the claims of a token and returns its user, for
        ``current_user`` and ``get_current_user``. If it returns ``None``, the request is refused.
        """
        self._user_lookup_callback = callback
        return callback

    def user_lookup_error_loader(self, callback: TokenResponseF) -> TokenResponseF:
        """Register the function that takes the header and the claims of a token without a user and returns the
        response.
        """
        self._user_lookup_error_callback = callback
        return callback


def _needs_callback(register: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse a value that is not a function, as in ``@jwt.user_lookup_loader()`` with parentheses."""

    @wraps(register)
    def checked(manager: JWTManager, callback: Any = UNSET) -> Any:
        if callback is not None and not callable(callback):
            given = "it takes no parentheses" if callback is UNSET else f"not a function: {type(callback).__name__}"
            raise TypeError(
                f"JWTManager.{register.__name__}: {given}. Write @jwt.{register.__name__} above the function"
            )
        return register(manager, callback)

    return checked


for _name in [name for name in vars(JWTManager) if name.endswith("_loader")]:
    setattr(JWTManager, _name, _needs_callback(vars(JWTManager)[_name]))
