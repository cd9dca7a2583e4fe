"""Set an application up: its defaults, its state, its error handlers, and what runs before its first request."""

from __future__ import annotations

import copy
import inspect
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, Response, g, request
from flask.json.provider import DefaultJSONProvider

from ._context import DEFAULTS, EXTENSION, STATE, Snapshot, get_app, get_state
from ._keys.current import check_configured
from ._keys.issuer import external_issuers
from ._loaders import Loaders, call
from ._protection.view_metadata import mark_exempt
from ._request import responses
from ._request.current_token import recall
from ._request.jwks_endpoint import jwks_response
from ._settings.options import UNSET, defaults, unknown_options
from ._settings.settings import Settings, resolve
from ._settings.snapshot import read_raw, snapshot
from ._state import ExtensionState
from .exceptions import JWTConfigWarning
from .signals import logger
from .stores import open_store
from .stores.base import SessionStore

if TYPE_CHECKING:
    from .jwt_manager import JWTManager


@contextmanager
def registered(app: Flask, manager: JWTManager) -> Iterator[None]:
    """Register a manager with an application. Undo that if the block raises."""
    before = app.extensions.get(EXTENSION)
    app.extensions[EXTENSION] = manager
    try:
        yield
    except Exception:
        app.extensions[EXTENSION] = before
        if before is None:
            del app.extensions[EXTENSION]
        raise


def warn_about_configuration(app: Flask, manager: JWTManager) -> None:
    """Warn about a second manager and about misspelled options."""
    if app.extensions.get(EXTENSION, manager) is not manager:
        warn_application(
            "This application already has a JWTManager; the loaders of the first are dropped. "
            "Make one JWTManager and call init_app on it"
        )
    for name, fix in unknown_options(app.config):
        if fix is not None:
            warn_application(f"{name} is not a known option of flask_jwt_extended; {fix}")


def warn_application(message: str) -> None:
    """Warn, with the line outside this package that calls ``init_app`` as the place."""
    frame, level = inspect.currentframe(), 1
    while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == __package__:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, JWTConfigWarning, stacklevel=level)


def fill_in_defaults(app: Flask) -> None:
    """Write the default of every option that is not set into the configuration. Replace those of an earlier call."""
    config, before = app.config, app.extensions.get(DEFAULTS, {})
    filled = {}
    for name, default in defaults(config).items():
        if name in config and (name not in before or config[name] != before[name]):
            continue  # the application's own
        if config.get(name, UNSET) != default:
            config[name] = default
        filled[name] = copy.copy(default)
    config.setdefault("SECRET_KEY", None)
    app.extensions[DEFAULTS] = filled


def check_state(state: ExtensionState) -> None:
    """Refuse settings and keys that cannot work."""
    state.settings.check_at_start()
    check_configured(state.settings, state.loaders)
    for issuer in state.issuers.values():
        issuer.keys.check_configured()


def renew(app: Flask, manager: JWTManager) -> ExtensionState:
    """Make the state of an application from its configuration as it is now."""
    before: Snapshot | None = app.extensions.get(STATE)
    previous = before.state if before else None
    fill_in_defaults(app)
    raw = snapshot(read_raw(app.config))  # taken before it is parsed, so that a change meanwhile is noticed later
    settings = resolve(app.config)
    state = ExtensionState(
        settings=settings,
        loaders=manager.loaders,
        ensure_sync=app.ensure_sync,
        json_default=partial(json_default, app),
        notify=lambda signal, **payload: signal.send(app, **payload),
        issuers=external_issuers(settings, previous.issuers if previous else {}),
        store=_store_for(settings, previous),  # last, because a store that is not kept would stay open
        warned=previous.warned if previous else set(),
    )
    cls = type(manager)
    app.extensions[STATE] = Snapshot(raw, state, manager, cls._encode_jwt_from_config, cls._decode_jwt_from_config)
    return state


def _store_for(settings: Settings, previous: ExtensionState | None) -> SessionStore | None:
    """Open the store, or keep the open one if its address and its timeout have not changed."""
    wanted = _store_options(settings)
    if previous is not None:
        if wanted == _store_options(previous.settings):
            return previous.store
        if previous.store is not None:
            previous.store.close()
    return open_store(*wanted) if settings.store_uri is not None else None


def _store_options(settings: Settings) -> tuple[Any, float]:
    # The memory store never waits, and a store object has its own timeout.
    has_timeout = isinstance(settings.store_uri, str) and not settings.store_uri.startswith("memory:")
    return settings.store_uri, settings.store_timeout if has_timeout else 0.0


def json_default(app: Flask, value: Any) -> Any:
    """Serialise an object as the application's JSON provider does."""
    default = getattr(app.json_provider_class, "default", DefaultJSONProvider.default)
    return default(value)


def register_error_handlers(target: Any, answer: Callable[[Exception], Response]) -> None:
    """Answer refusals on an application, on a blueprint, or on the ``Api`` of flask-restx."""
    # An Api re-raises the error: the handlers of the application answer it.
    handler = answer if isinstance(target, (Flask, Blueprint)) else _reraise
    for error in responses.HANDLED:
        target.errorhandler(error)(handler)


def answer_refusal(error: Exception, loaders: Loaders) -> Response:
    """Answer with the loader for this error, or as its class does by default."""
    app = get_app()
    state = get_state(app)
    name, arguments = responses.loader_for(error)
    loader = getattr(loaders, name, None)  # a failure of the store has no loader: register an error handler for it
    if loader is None:
        response = responses.default_answer(error, state.settings, app)
    else:
        response = app.make_response(call(state.ensure_sync, loader, *arguments))
    return responses.finish(response, error, state.settings, app)


def _reraise(error: Exception) -> Any:
    raise error


def publish_keys(app: Flask, path: str) -> None:
    """Serve the public keys at JWT_JWKS_PATH, without a token."""
    serve = partial(_serve_keys, app)
    mark_exempt(serve)
    app.add_url_rule(path, "jwt_jwks", serve)


def _serve_keys(app: Flask) -> Response:
    return jwks_response(get_state(app).keys.published(time.time()), request)


def check_once(app: Flask) -> None:
    """Log what cannot work or protects nothing, before the first request, when every view is registered."""
    hooks = app.before_request_funcs[None]
    app.before_request_funcs[None] = [hook for hook in hooks if getattr(hook, "func", None) is not check_once]
    from ._diagnostics.application import startup_checks  # its import costs more than all above

    for finding in startup_checks(app, get_state(app)):
        log = logger.error if finding.severity == "error" else logger.warning
        log("%s. %s", finding.message, finding.fix)


def template_context() -> dict[str, Any]:
    """Give templates the user of this request; ``None`` if no token was verified, for example on a login page."""
    return {"current_user": (recall(g, "user") or {}).get("loaded_user")}
