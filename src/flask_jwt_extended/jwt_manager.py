"""JWTManager: the extension object. Holds the loaders and ties an application's configuration to its state.

No algorithms here: settings parse themselves, ``_request`` verifies and answers.
"""

from __future__ import annotations

import copy
import inspect
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from blinker import NamedSignal
from flask import Blueprint, Flask, Response, g, request
from flask.json.provider import DefaultJSONProvider
from jwt import (  # noqa: F401  # for the same reason
    DecodeError,
    ExpiredSignatureError,
    InvalidAudienceError,
    InvalidIssuerError,
    InvalidTokenError,
    MissingRequiredClaimError,
)

from . import _issue as issuing
from . import default_callbacks
from ._context import DEFAULTS, EXTENSION, STATE, Snapshot, get_app, get_state
from ._keys.current import check_configured
from ._keys.issuer import external_issuers
from ._loaders import Loaders, call
from ._protection.view_metadata import mark_exempt
from ._removed import missing_method
from ._request import current_token, responses
from ._request.authenticate import verify
from ._request.jwks_endpoint import jwks_response
from ._settings.options import UNSET, defaults, unknown_options
from ._settings.settings import Settings, resolve
from ._settings.snapshot import read_raw, snapshot
from ._state import ExtensionState
from .exceptions import (  # noqa: F401  # 4.7 has them here, and applications import them from here
    ConfigurationError,
    CSRFError,
    FreshTokenRequired,
    InvalidHeaderError,
    InvalidQueryParamError,
    JWTConfigWarning,
    JWTDecodeError,
    NoAuthorizationError,
    RevokedTokenError,
    StoreUnavailableError,
    UserClaimsVerificationError,
    UserLookupError,
    WrongTokenError,
    code_of,
)
from .signals import logger
from .stores import open_store
from .stores.base import SessionStore
from .typing import (
    Claims,
    DecodeKeyLoader,
    EncodeKeyLoader,
    ExpiresDelta,
    Fresh,
    IdentityLoader,
    MappingLoader,
    MessageResponse,
    RolesLoader,
    TokenResponse,
    TokenTest,
    UserLookupLoader,
)

#: The endpoint of JWT_JWKS_PATH.
JWKS_ENDPOINT = "jwt_jwks"
_STORE = "flask-jwt-extended.store"

MappingF = TypeVar("MappingF", bound=MappingLoader)
DecodeKeyF = TypeVar("DecodeKeyF", bound=DecodeKeyLoader)
EncodeKeyF = TypeVar("EncodeKeyF", bound=EncodeKeyLoader)
IdentityF = TypeVar("IdentityF", bound=IdentityLoader)
MessageF = TypeVar("MessageF", bound=MessageResponse)
RolesF = TypeVar("RolesF", bound=RolesLoader)
TokenResponseF = TypeVar("TokenResponseF", bound=TokenResponse)
TokenTestF = TypeVar("TokenTestF", bound=TokenTest)
UserLookupF = TypeVar("UserLookupF", bound=UserLookupLoader)


class _Callback(NamedTuple):
    """What stands behind an attribute of 4.7's manager.

    :ivar loader: its name in :class:`Loaders`
    :ivar default: what the attribute holds until the application sets it
    :ivar arguments: how many it is called with
    """

    loader: str
    default: Callable[..., Any] | None
    arguments: int


_CALLBACKS = {
    "_decode_key_callback": _Callback("decode_key", default_callbacks.default_decode_key_callback, 2),
    "_encode_key_callback": _Callback("encode_key", default_callbacks.default_encode_key_callback, 1),
    "_expired_token_callback": _Callback("expired_token", default_callbacks.default_expired_token_callback, 2),
    "_invalid_token_callback": _Callback("invalid_token", default_callbacks.default_invalid_token_callback, 1),
    "_jwt_additional_header_callback": _Callback(
        "additional_headers", default_callbacks.default_jwt_headers_callback, 1
    ),
    "_needs_fresh_token_callback": _Callback(
        "needs_fresh_token", default_callbacks.default_needs_fresh_token_callback, 2
    ),
    "_revoked_token_callback": _Callback("revoked_token", default_callbacks.default_revoked_token_callback, 2),
    "_token_in_blocklist_callback": _Callback("token_in_blocklist", default_callbacks.default_blocklist_callback, 2),
    "_token_verification_callback": _Callback(
        "token_verification", default_callbacks.default_token_verification_callback, 2
    ),
    "_token_verification_failed_callback": _Callback(
        "token_verification_failed", default_callbacks.default_token_verification_failed_callback, 2
    ),
    "_unauthorized_callback": _Callback("unauthorized", default_callbacks.default_unauthorized_callback, 1),
    "_user_claims_callback": _Callback("additional_claims", default_callbacks.default_additional_claims_callback, 1),
    "_user_identity_callback": _Callback("user_identity", default_callbacks.default_user_identity_callback, 1),
    "_user_lookup_callback": _Callback("user_lookup", None, 2),
    "_user_lookup_error_callback": _Callback(
        "user_lookup_error", default_callbacks.default_user_lookup_error_callback, 2
    ),
}


class _OpenStore(NamedTuple):
    """The open store, and the address and the timeout that it was opened with."""

    wanted: tuple[Any, float]
    store: SessionStore | None

    def __repr__(self) -> str:
        """Without the address: there is a password in it."""
        return f"<_OpenStore {type(self.store).__name__}>"


class JWTManager:
    """The extension object: bind it to an application, and register the loaders that change its behaviour.

    An instance belongs to no application in particular, so that it can be made in one module and bound in a factory.

    :param app: the application to bind to at once
    :param add_context_processor: whether templates see ``current_user``; ``False`` by default
    """

    # 4.7 keeps its loaders in attributes of these names, which applications read and set. They act on ``loaders``.
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

    def __init__(self, app: Flask | None = None, add_context_processor: bool = False) -> None:
        if "loaders" not in vars(self):
            self._prepare()
        if app is not None:
            self.init_app(app, add_context_processor)

    def init_app(self, app: Flask, add_context_processor: bool = False) -> None:
        """Bind this manager to an application: leave every default in its configuration, validate what is there, and
        register the error handlers.

        :param app: the application
        :param add_context_processor: whether templates see ``current_user``; ``False`` by default
        :raises ConfigurationError: if an option has a value that cannot work
        """
        for warning in self._configuration_warnings(app):
            warnings.warn(warning, JWTConfigWarning, stacklevel=_frames_to_the_application())
        before = app.extensions.get(EXTENSION)
        app.extensions[EXTENSION] = self  # an override of the next step may look for it
        try:
            self._set_default_configuration_options(app)
            state = self._renew(app)
            settings = state.settings
            settings.check_at_start()
            check_configured(settings, self.loaders)
            for issuer in state.issuers.values():
                issuer.keys.check_configured()
        except Exception:
            app.extensions[EXTENSION] = before
            if before is None:
                del app.extensions[EXTENSION]
            raise
        for doubt in settings.cookie_problems:
            warnings.warn(doubt, JWTConfigWarning, stacklevel=_frames_to_the_application())
        self._set_error_handler_callbacks(app)
        app.before_request(partial(_check_once, app))
        if path := app.config["JWT_JWKS_PATH"]:
            mark_exempt(serve := partial(_serve_keys, app))
            app.add_url_rule(path, JWKS_ENDPOINT, serve)
        if add_context_processor:
            app.context_processor(_template_context)

    def _configuration_warnings(self, app: Flask) -> Iterator[str]:
        if app.extensions.get(EXTENSION, self) is not self:
            yield (
                "This application already has a JWTManager; the loaders of the first are dropped. "
                "Make one JWTManager and call init_app on it"
            )
        for name, fix in unknown_options(app.config):
            if fix is not None:
                yield f"{name} is not a known option of flask_jwt_extended; {fix}"

    @staticmethod
    def _set_default_configuration_options(app: Flask) -> None:
        """Leave the default of every option that is not set in the configuration. A subclass may add its own."""
        app.extensions[DEFAULTS] = _fill_in(app.config, app.extensions.get(DEFAULTS, {}))

    def _renew(self, app: Flask) -> ExtensionState:
        previous: Snapshot | None = app.extensions.get(STATE)
        JWTManager._set_default_configuration_options(app)
        self._notice_overrides()
        raw = snapshot(read_raw(app.config))  # before it is read: what changes meanwhile is noticed later
        settings = resolve(app.config)
        issuers = external_issuers(settings, previous.state.issuers if previous else {})
        state = ExtensionState(
            settings,
            self.loaders,
            app.ensure_sync,
            partial(json_default, app),
            partial(_notify, app),
            _store_for(app, settings),
            issuers,
            previous.state.warned if previous else set(),
        )
        this = type(self)
        app.extensions[STATE] = Snapshot(raw, state, self, this._encode_jwt_from_config, this._decode_jwt_from_config)
        return state

    def _set_error_handler_callbacks(self, app: Any) -> None:
        """Register the error handlers on an application, or on the ``Api`` of flask-restx."""
        # An Api hands the error back: Flask's own handlers answer.
        answer = self._answer if isinstance(app, (Flask, Blueprint)) else _reraise
        for error in responses.HANDLED:
            app.errorhandler(error)(answer)

    def _answer(self, error: Exception) -> Response:
        app = get_app()
        state = get_state(app)
        name, arguments = responses.loader_for(error)
        loader = getattr(self.loaders, name, None)  # a store's outage has none: register an error handler for it
        if loader is None:
            response = responses.default_answer(error, state.settings, app)
        else:
            response = app.make_response(call(state.ensure_sync, loader, *arguments))
        return responses.finish(response, error, state.settings, app)

    # --- default-deny ---

    def protect(self, target: Flask | Blueprint, *, exempt: Iterable[str] = ("static", "*.static")) -> None:
        """Protect every view of an application or a blueprint that is not :func:`jwt_exempt`, as ``@jwt_required()``
        would. A view that has a ``@jwt_required`` of its own is protected by that alone. A blueprint is protected under
        every name, with the blueprints within it; protect it before it is registered.

        What leads to no view (404, 405) is answered as ever, and so is an OPTIONS request: a browser sends its
        preflight without credentials.

        :param exempt: endpoints that stay public, as patterns with ``*``; a string is one pattern. The default,
            ``"static"`` and ``"*.static"``, means the static files that Flask serves, not other views of that name
        :raises TypeError: if ``target`` is neither an application nor a blueprint
        :raises ConfigurationError: if a pattern is not a string, or a blueprint has been registered already

        .. versionadded:: 5.0
        """
        from ._protection.default_deny import protect  # it uses view_decorators, which stands above

        protect(target, exempt)

    # --- what applications of 4.7 set and override ---

    def _prepare(self) -> None:
        vars(self)["loaders"] = Loaders()
        for name in _CALLBACKS:
            self._restore_callback(name)
        self._notice_overrides()

    if not TYPE_CHECKING:  # the attributes are declared above

        def __getattr__(self, name: str) -> Any:
            # A subclass may set or read a callback before it calls ``super().__init__``, or never call it.
            if "loaders" in vars(self) or (name != "loaders" and name not in _CALLBACKS):
                raise missing_method(type(self), name)
            self._prepare()
            return getattr(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _CALLBACKS:
            _check_callback(name, value)
            _ = self.loaders  # made first, so that it does not overwrite this
        super().__setattr__(name, value)
        self._notice(name)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        if name in _CALLBACKS:
            self._restore_callback(name)
        self._notice(name)

    def _notice(self, name: str) -> None:
        """Let an attribute that was set act on the loaders."""
        if (callback := _CALLBACKS.get(name)) is not None:
            value = vars(self)[name]
            setattr(self.loaders, callback.loader, None if value is callback.default else value)
        elif name in ("_encode_jwt_from_config", "_decode_jwt_from_config"):
            self._notice_overrides()

    def _restore_callback(self, name: str) -> None:
        """Set a callback to what a subclass defines under its name, or to the default."""
        defined = inspect.getattr_static(type(self), name, None)
        setattr(self, name, _CALLBACKS[name].default if defined is None else _own_callback(self, name, defined))

    def _notice_overrides(self) -> None:
        """See whether the application makes or verifies tokens itself. Decided here, not for each token."""
        for name, loader, own in (
            ("_encode_jwt_from_config", "encode_token", _ENCODE),
            ("_decode_jwt_from_config", "decode_token", _DECODE),
        ):
            is_own = getattr(type(self), name) is own and name not in vars(self)
            setattr(self.loaders, loader, None if is_own else getattr(self, name))

    def _encode_jwt_from_config(
        self,
        identity: Any,
        token_type: str,
        claims: dict[str, Any] | None = None,
        fresh: Fresh = False,
        expires_delta: ExpiresDelta | None = None,
        headers: dict[str, Any] | None = None,
    ) -> str:
        """Make a token. An override is called for every token there is to make, and may call this.

        :param claims: claims that override all others
        """
        new = issuing.NewToken(
            token_type=token_type,
            identity=identity,
            fresh=fresh,
            expires_delta=expires_delta,
            additional_headers=headers,
            fixed=claims or {},
        )
        return issuing.issue(new, self._own_state(), time.time(), own=True)

    def _decode_jwt_from_config(
        self, encoded_token: str, csrf_value: str | None = None, allow_expired: bool = False
    ) -> Claims:
        """Verify a token and return its claims. An override is called for every token there is to verify, and may call
        this.
        """
        return verify(
            encoded_token,
            self._own_state(),
            time.time(),
            csrf_value=csrf_value,
            allow_expired=allow_expired,
            own=True,
        ).claims

    def _own_state(self) -> ExtensionState:
        """The current application's, with the loaders of this manager: it may be another than the application's."""
        state = get_state(get_app())
        return state if state.loaders is self.loaders else replace(state, loaders=self.loaders)

    def _settings(self) -> Settings:
        return get_state(get_app()).settings

    # --- loaders ---

    def additional_claims_loader(self, callback: MappingF) -> MappingF:
        """Register the function that adds claims to every new token.

        It takes the identity that ``create_access_token`` or ``create_refresh_token`` was called with and returns a
        dictionary. Claims passed to those functions win over it.
        """
        self._user_claims_callback = callback
        return callback

    def additional_headers_loader(self, callback: MappingF) -> MappingF:
        """Register the function that adds header parameters to every new token.

        It takes the identity that ``create_access_token`` or ``create_refresh_token`` was called with and returns a
        dictionary. Headers passed to those functions win over it.
        """
        self._jwt_additional_header_callback = callback
        return callback

    def decode_key_loader(self, callback: DecodeKeyF) -> DecodeKeyF:
        """Register the function that chooses the key a token is verified with.

        It takes the header and the claims of the token, **neither verified yet**, and returns a key. Raising
        ``LookupError`` or any error of PyJWT, or returning ``None``, refuses the token. A timeout or a connection error
        is answered with 503.
        """
        self._decode_key_callback = callback
        return callback

    def encode_key_loader(self, callback: EncodeKeyF) -> EncodeKeyF:
        """Register the function that chooses the key a new token is signed with.

        It takes the identity that ``create_access_token`` or ``create_refresh_token`` was called with and returns a
        key.
        """
        self._encode_key_callback = callback
        return callback

    def expired_token_loader(self, callback: TokenResponseF) -> TokenResponseF:
        """Register the function that answers a request with an expired token.

        It takes the header and the claims of the token and returns a response.
        """
        self._expired_token_callback = callback
        return callback

    def invalid_token_loader(self, callback: MessageF) -> MessageF:
        """Register the function that answers a request with an invalid token.

        It takes a string that says what is wrong with the token and returns a response.
        """
        self._invalid_token_callback = callback
        return callback

    def needs_fresh_token_loader(self, callback: TokenResponseF) -> TokenResponseF:
        """Register the function that answers a request whose token is not fresh where it must be.

        It takes the header and the claims of the token and returns a response.
        """
        self._needs_fresh_token_callback = callback
        return callback

    def revoked_token_loader(self, callback: TokenResponseF) -> TokenResponseF:
        """Register the function that answers a request with a revoked token.

        It takes the header and the claims of the token and returns a response.
        """
        self._revoked_token_callback = callback
        return callback

    def roles_loader(self, callback: RolesF) -> RolesF:
        """Register the function that tells the roles of a token, for ``jwt_required(roles=...)``.

        It takes the header and the claims of the token and returns names: a list, a set or another iterable of
        strings. A string is one role. ``None``, a mapping and items that are not strings are no roles; the log says so
        once. Without it the roles are those in ``roles`` and ``groups``.
        """
        self.loaders.roles = callback
        return callback

    def token_in_blocklist_loader(self, callback: TokenTestF) -> TokenTestF:
        """Register the function that tells whether a token was revoked.

        It takes the header and the claims of the token and returns ``True`` if it was, ``False`` if not. ``None``, for
        want of a ``return`` statement, refuses the token under JWT_PROFILE = "strict" and accepts it under "compat", as
        in 4.7; the log says so once.
        """
        self._token_in_blocklist_callback = callback
        return callback

    def token_verification_loader(self, callback: TokenTestF) -> TokenTestF:
        """Register the function that judges the claims of a good token.

        It takes the header and the claims of the token and returns ``False`` to refuse it.
        """
        self._token_verification_callback = callback
        return callback

    def token_verification_failed_loader(self, callback: TokenResponseF) -> TokenResponseF:
        """Register the function that answers a request that ``token_verification_loader`` refused.

        It takes the header and the claims of the token and returns a response.
        """
        self._token_verification_failed_callback = callback
        return callback

    def unauthorized_loader(self, callback: MessageF) -> MessageF:
        """Register the function that answers a request without a token, or with a CSRF value that is wrong.

        It takes a string that says what is missing and returns a response.
        """
        self._unauthorized_callback = callback
        return callback

    def user_identity_loader(self, callback: IdentityF) -> IdentityF:
        """Register the function that turns the identity of a new token into what its identity claim holds.

        It takes the identity that ``create_access_token`` or ``create_refresh_token`` was called with, a database
        object say, and returns a string.
        """
        self._user_identity_callback = callback
        return callback

    def user_lookup_loader(self, callback: UserLookupF) -> UserLookupF:
        """Register the function that finds the user of a token, for ``current_user`` and ``get_current_user``.

        It takes the header and the claims of the token and returns the user, or ``None`` if there is none: the
        request is then refused.
        """
        self._user_lookup_callback = callback
        return callback

    def user_lookup_error_loader(self, callback: TokenResponseF) -> TokenResponseF:
        """Register the function that answers a request whose user was not found.

        It takes the header and the claims of the token and returns a response.
        """
        self._user_lookup_error_callback = callback
        return callback


#: The manager's own methods, to recognise an override by.
_ENCODE, _DECODE = JWTManager._encode_jwt_from_config, JWTManager._decode_jwt_from_config


def _check_callback(name: str, value: Any) -> None:
    """Refuse what could not be called when a request needs it.

    :raises ConfigurationError: if it is not callable
    """
    if not callable(value) and (value is not None or _CALLBACKS[name].default is not None):
        raise ConfigurationError(f"JWTManager.{name} must be callable, not {type(value).__name__}")


def _own_callback(manager: JWTManager, name: str, defined: Any) -> Any:
    """Return the callback that a subclass defines, as a method or as a class attribute.

    :raises ConfigurationError: if it cannot be called with the arguments of this callback
    """
    callback, arguments = _CALLBACKS[name], (None,) * _CALLBACKS[name].arguments
    where = f"{type(manager).__name__}.{name}"
    if hasattr(type(defined), "__set__"):
        raise ConfigurationError(f"{where} cannot be a property: define a method, or set it in __init__")
    for candidate in (getattr(manager, name), defined):  # a function that takes no self is meant as it is
        if candidate is None and callback.default is None:
            return None
        if callable(candidate) and _takes(candidate, arguments):
            return candidate
    raise ConfigurationError(f"{where} must be callable with {len(arguments)} argument(s) beside self")


def _takes(candidate: Callable[..., Any], arguments: tuple[Any, ...]) -> bool:
    try:
        inspect.signature(candidate).bind(*arguments)
    except TypeError:
        return False
    except ValueError:  # written in C, it has no signature to look at
        return True
    return True


def _frames_to_the_application() -> int:
    """How many frames above its caller the first one is that does not belong to this package."""
    frame, level = inspect.currentframe(), 0
    while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == __package__:
        frame, level = frame.f_back, level + 1
    return level


def _needs_callback(register: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse what is not a function: the mistake is ``@jwt.user_lookup_loader()``, with parentheses."""

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


def _fill_in(config: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """Leave the defaults in a configuration, and return them.

    :param before: the defaults that an earlier call left there; where they still stand they make way, since the profile
        may have changed
    """
    filled = {}
    for name, default in defaults(config).items():
        if name in config and (name not in before or config[name] != before[name]):
            continue  # the application's own
        if config.get(name, UNSET) != default:
            config[name] = default
        filled[name] = copy.copy(default)
    config.setdefault("SECRET_KEY", None)
    return filled


def _store_for(app: Flask, settings: Settings) -> SessionStore | None:
    """Open the store, or go on with the one that is open: other options change without it."""
    # Nothing is waited for in memory, and a store of the application's own has been given its timeout.
    is_waited_for = isinstance(settings.store_uri, str) and not settings.store_uri.startswith("memory:")
    wanted = settings.store_uri, settings.store_timeout if is_waited_for else 0.0
    opened, store = app.extensions.get(_STORE, ((None, None), None))
    if wanted != opened:
        if store is not None:
            store.close()
        store = open_store(*wanted) if settings.store_uri is not None else None
        app.extensions[_STORE] = _OpenStore(wanted, store)
    return cast("SessionStore | None", store)


def _notify(app: Flask, signal: NamedSignal, **payload: Any) -> None:
    signal.send(app, **payload)


def _reraise(error: Exception) -> Any:
    raise error


def json_default(app: Flask, value: Any) -> Any:
    """Serialise as the application's JSON provider does."""
    default = getattr(app.json_provider_class, "default", DefaultJSONProvider.default)
    return default(value)


def _serve_keys(app: Flask) -> Response:
    return jwks_response(get_state(app).keys.published(time.time()), request)


def _check_once(app: Flask) -> None:
    """Before the first request, when every view is there, say once what is set up to fail or to protect nothing."""
    hooks = app.before_request_funcs[None]
    app.before_request_funcs[None] = [hook for hook in hooks if getattr(hook, "func", None) is not _check_once]
    from ._diagnostics.application import startup_checks  # once: to import it costs more than anything above

    for finding in startup_checks(app, get_state(app)):
        log = logger.error if finding.severity == "error" else logger.warning
        log("%s. %s", finding.message, finding.fix)


def _template_context() -> dict[str, Any]:
    """Templates see the user of this request; ``None`` where nothing was verified, on a login page say."""
    return {"current_user": (current_token.recall(g, "user") or {}).get("loaded_user")}
