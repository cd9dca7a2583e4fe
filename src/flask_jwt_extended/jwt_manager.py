"""JWTManager: the extension object. Holds the loaders and ties an application's configuration to the pipeline.

No algorithms here: settings parse themselves, the pipeline verifies and issues, ``http`` answers.
"""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any, ClassVar, TypeVar, cast

from blinker import NamedSignal
from flask import Blueprint, Flask, Response, g, request
from flask.json.provider import DefaultJSONProvider

from .exceptions import ConfigurationError, StoreUnavailableError, code_of
from .http import responses
from .http.published import jwks_response
from .loaders import Loaders, call
from .marks import mark_exempt
from .runtime import Runtime
from .sessions.stores import open_store
from .sessions.stores.base import SessionStore
from .settings import UNSET, Settings, defaults, read_raw, resolve, snapshot, unknown_options
from .signals import logger, store_outage, token_refused
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

#: Where an application keeps its manager, as in 4.7.
EXTENSION = "flask-jwt-extended"
#: The endpoint of JWT_JWKS_PATH.
JWKS_ENDPOINT = "jwt_jwks"
_STATE = "flask-jwt-extended.state"
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


@dataclass(slots=True, eq=False, repr=False)  # there are keys in it
class _State:
    """A runtime, the raw configuration it was made from, and the defaults that were left in that configuration."""

    raw: tuple[Any, ...]
    runtime: Runtime
    filled: dict[str, Any]


def manager_of(app: Flask) -> JWTManager:
    """Return the manager that an application was initialised with.

    :raises ConfigurationError: if it was with none
    """
    try:
        return app.extensions[EXTENSION]  # type: ignore[no-any-return]  # only JWTManager writes there
    except KeyError:
        raise ConfigurationError(
            "You must initialize a JWTManager with this flask application before using this method: "
            "jwt = JWTManager(app), or jwt.init_app(app)"
        ) from None


def runtime_of(app: Flask) -> Runtime:
    """Return what requests of an application share, made anew if its configuration has changed since.

    :raises ConfigurationError: if an option has a value that cannot work
    """
    try:
        state: _State = app.extensions[_STATE]
        if read_raw(app.config) == state.raw:
            return state.runtime
    except KeyError:  # not initialised, or an option was deleted from the configuration
        pass
    return manager_of(app)._renew(app)


def filled_in(app: Flask) -> Container[str]:
    """Return the names of the options that the application did not set."""
    state: _State = app.extensions[_STATE]
    return state.filled


def refuse(app: Flask, error: Exception) -> Exception:
    """Tell whoever listens that a request was refused, and ready the error to be raised.

    Every refusal passes here once. The log line and the signal say why; neither holds the token.
    """
    code = code_of(error)
    logger.debug("Refused: %s", code)
    token_refused.send(app, code=code, error=error)
    for each in responses.HANDLED_BESIDE:
        if isinstance(error, each):  # registered now: after the first request Flask takes no more
            app.error_handler_spec[None][None].setdefault(each, manager_of(app)._answer)
    if isinstance(error, StoreUnavailableError):
        logger.error("The store is unavailable: %s", error.reason)
        store_outage.send(app, cause=error.reason, allowed=False)
    return responses.pass_on(error, app)


class JWTManager:
    """The extension object: bind it to an application, and register the loaders that change its behaviour.

    An instance belongs to no application in particular, so that it can be made in one module and bound in a factory.

    :param app: the application to bind to at once
    :param add_context_processor: whether templates see ``current_user``; ``False`` by default
    """

    def __init__(self, app: Flask | None = None, add_context_processor: bool = False) -> None:
        self.loaders = Loaders()
        if app is not None:
            self._bind(app, add_context_processor)

    def init_app(self, app: Flask, add_context_processor: bool = False) -> None:
        """Bind this manager to an application: leave every default in its configuration, validate what is there, and
        register the error handlers.

        :param app: the application
        :param add_context_processor: whether templates see ``current_user``; ``False`` by default
        :raises ConfigurationError: if an option has a value that cannot work
        """
        self._bind(app, add_context_processor)

    def _bind(self, app: Flask, add_context_processor: bool) -> None:
        for warning in self._misgivings(app):
            warnings.warn(warning, stacklevel=3)  # the line of the application
        self._renew(app)
        app.extensions[EXTENSION] = self
        self._set_error_handler_callbacks(app)
        app.before_request(partial(_look_over, app))
        if path := app.config["JWT_JWKS_PATH"]:
            mark_exempt(serve := partial(_serve_keys, app))
            app.add_url_rule(path, JWKS_ENDPOINT, serve)
        if add_context_processor:
            app.context_processor(_template_context)

    def _misgivings(self, app: Flask) -> Iterator[str]:
        if app.extensions.get(EXTENSION, self) is not self:
            yield (
                "This application already has a JWTManager; the loaders of the first are dropped. "
                "Make one JWTManager and call init_app on it"
            )
        for name, nearest in unknown_options(app.config):
            yield f"{name} is no option of flask_jwt_extended" + (f"; did you mean {nearest}?" if nearest else "")
        for name in ("_decode_jwt_from_config", "_encode_jwt_from_config"):
            if hasattr(self, name):
                yield f"{type(self).__name__}.{name} is not called any more; use the loaders"

    def _renew(self, app: Flask) -> Runtime:
        previous = app.extensions.get(_STATE)
        filled = _fill_in(app.config, previous.filled if previous else {})
        settings = resolve(app.config)
        runtime = Runtime(
            settings,
            self.loaders,
            app.ensure_sync,
            partial(json_default, app),
            partial(_notify, app),
            _store_for(app, settings),
        )
        app.extensions[_STATE] = _State(snapshot(read_raw(app.config)), runtime, filled)
        return runtime

    def _set_error_handler_callbacks(self, app: Any) -> None:
        """Register the error handlers on an application, or on the ``Api`` of flask-restx."""
        # An Api hands the error back: Flask's own handlers answer.
        answer = self._answer if isinstance(app, (Flask, Blueprint)) else _reraise
        for error in responses.HANDLED:
            app.errorhandler(error)(answer)

    def _answer(self, error: Exception) -> Response:
        app = self._app_at_hand()
        runtime = runtime_of(app)
        name, arguments = responses.loader_for(error)
        loader = getattr(self.loaders, name, None)  # a store's outage has none: register an error handler for it
        if loader is None:
            response = responses.default_answer(error, runtime.settings, app)
        else:
            response = app.make_response(call(runtime.ensure_sync, loader, *arguments))
        return responses.finish(response, error, runtime.settings, app)

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
        self._protect(target, exempt)

    #: Does that. Handed in by ``protection``, which stands above.
    _protect: ClassVar[Any]

    #: Finds the application at hand. Handed in by ``utils``: only entry modules may look for it.
    _app_at_hand: ClassVar[Any]

    # --- what other extensions of 4.7 reach into ---

    @property
    def _decode_key_callback(self) -> DecodeKeyLoader:
        return self.loaders.decode_key or (lambda _header, _claims: self._settings().verification_key)

    @property
    def _encode_key_callback(self) -> EncodeKeyLoader:
        return self.loaders.encode_key or (lambda _identity: self._settings().signing_key)

    @property
    def _user_lookup_callback(self) -> UserLookupLoader | None:
        return self.loaders.user_lookup

    def _settings(self) -> Settings:
        return runtime_of(self._app_at_hand()).settings

    # --- loaders ---

    def additional_claims_loader(self, callback: MappingF) -> MappingF:
        """Register the function that adds claims to every new token.

        It takes the identity that ``create_access_token`` or ``create_refresh_token`` was called with and returns a
        dictionary. Claims passed to those functions win over it.
        """
        self.loaders.additional_claims = callback
        return callback

    def additional_headers_loader(self, callback: MappingF) -> MappingF:
        """Register the function that adds header parameters to every new token.

        It takes the identity that ``create_access_token`` or ``create_refresh_token`` was called with and returns a
        dictionary. Headers passed to those functions win over it.
        """
        self.loaders.additional_headers = callback
        return callback

    def decode_key_loader(self, callback: DecodeKeyF) -> DecodeKeyF:
        """Register the function that chooses the key a token is verified with.

        It takes the header and the claims of the token, **neither verified yet**, and returns a key. Raising
        ``LookupError`` or returning ``None`` refuses the token.
        """
        self.loaders.decode_key = callback
        return callback

    def encode_key_loader(self, callback: EncodeKeyF) -> EncodeKeyF:
        """Register the function that chooses the key a new token is signed with.

        It takes the identity that ``create_access_token`` or ``create_refresh_token`` was called with and returns a
        key.
        """
        self.loaders.encode_key = callback
        return callback

    def expired_token_loader(self, callback: TokenResponseF) -> TokenResponseF:
        """Register the function that answers a request with an expired token.

        It takes the header and the claims of the token and returns a response.
        """
        self.loaders.expired_token = callback
        return callback

    def invalid_token_loader(self, callback: MessageF) -> MessageF:
        """Register the function that answers a request with an invalid token.

        It takes a string that says what is wrong with the token and returns a response.
        """
        self.loaders.invalid_token = callback
        return callback

    def needs_fresh_token_loader(self, callback: TokenResponseF) -> TokenResponseF:
        """Register the function that answers a request whose token is not fresh where it must be.

        It takes the header and the claims of the token and returns a response.
        """
        self.loaders.needs_fresh_token = callback
        return callback

    def revoked_token_loader(self, callback: TokenResponseF) -> TokenResponseF:
        """Register the function that answers a request with a revoked token.

        It takes the header and the claims of the token and returns a response.
        """
        self.loaders.revoked_token = callback
        return callback

    def roles_loader(self, callback: RolesF) -> RolesF:
        """Register the function that tells the roles of a token, for ``jwt_required(roles=...)``.

        It takes the header and the claims of the token and returns names. Without it they are those in ``roles`` and
        ``groups``.
        """
        self.loaders.roles = callback
        return callback

    def token_in_blocklist_loader(self, callback: TokenTestF) -> TokenTestF:
        """Register the function that tells whether a token was revoked.

        It takes the header and the claims of the token and returns ``True`` if it was.
        """
        self.loaders.token_in_blocklist = callback
        return callback

    def token_verification_loader(self, callback: TokenTestF) -> TokenTestF:
        """Register the function that judges the claims of a good token.

        It takes the header and the claims of the token and returns ``False`` to refuse it.
        """
        self.loaders.token_verification = callback
        return callback

    def token_verification_failed_loader(self, callback: TokenResponseF) -> TokenResponseF:
        """Register the function that answers a request that ``token_verification_loader`` refused.

        It takes the header and the claims of the token and returns a response.
        """
        self.loaders.token_verification_failed = callback
        return callback

    def unauthorized_loader(self, callback: MessageF) -> MessageF:
        """Register the function that answers a request without a token, or with a CSRF value that is wrong.

        It takes a string that says what is missing and returns a response.
        """
        self.loaders.unauthorized = callback
        return callback

    def user_identity_loader(self, callback: IdentityF) -> IdentityF:
        """Register the function that turns the identity of a new token into what its identity claim holds.

        It takes the identity that ``create_access_token`` or ``create_refresh_token`` was called with, a database
        object say, and returns a string.
        """
        self.loaders.user_identity = callback
        return callback

    def user_lookup_loader(self, callback: UserLookupF) -> UserLookupF:
        """Register the function that finds the user of a token, for ``current_user`` and ``get_current_user``.

        It takes the header and the claims of the token and returns the user, or ``None`` if there is none: the
        request is then refused.
        """
        self.loaders.user_lookup = callback
        return callback

    def user_lookup_error_loader(self, callback: TokenResponseF) -> TokenResponseF:
        """Register the function that answers a request whose user was not found.

        It takes the header and the claims of the token and returns a response.
        """
        self.loaders.user_lookup_error = callback
        return callback


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
        app.extensions[_STORE] = wanted, store
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
    return jwks_response(runtime_of(app).keys.published(time.time()), request)


def _look_over(app: Flask) -> None:
    """Before the first request, when every view is there, say once what is set up to fail or to protect nothing."""
    hooks = app.before_request_funcs[None]
    app.before_request_funcs[None] = [hook for hook in hooks if getattr(hook, "func", None) is not _look_over]
    from .checks import foot_guns  # once: to import it costs more than anything above

    for finding in foot_guns(app, runtime_of(app)):
        logger.warning("%s. %s", finding.message, finding.fix)


def _template_context() -> dict[str, Any]:
    """Templates see the user of this request; ``None`` where nothing was verified, on a login page say."""
    return {"current_user": (g.get("_jwt_extended_jwt_user") or {}).get("loaded_user")}
