"""WebSockets: who may open one, and for how long. For Flask-SocketIO and flask-sock.

A token is checked when a connection is made, and again while it lasts: it is closed when the token expires, when it is
revoked, or when its session ends. A browser sends cookies along with a WebSocket that another site opens, and asks
nobody: so a token in a cookie counts only if the page is of this site, or of JWT_TRUSTED_ORIGINS.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from threading import Event, Thread
from typing import Any, TypeVar

from flask import Flask, g, request
from jwt.exceptions import PyJWTError

from . import pipeline
from .core.policy import Policy
from .core.token import Token
from .exceptions import CSRFError, JWTExtendedException, code_of
from .http.csrf import same_site
from .jwt_manager import refuse, runtime_of
from .marks import mark_protected
from .signals import logger
from .utils import app_at_hand

F = TypeVar("F", bound=Callable[..., Any])

#: Seconds between two looks at whether the token of a connection was revoked.
CHECK_EVERY = 10.0
#: The status with which a connection is closed: policy violation (RFC 6455, section 7.4.1).
POLICY_VIOLATION = 1008


def sock_required(*, check_every: float = CHECK_EVERY, **demands: Any) -> Callable[[F], F]:
    """Protect a handler of flask-sock. For who may not pass, or not stay, the connection is closed with the status
    1008, and the code of the refusal as the reason::

        @sock.route("/feed")
        @sock_required(scopes="feed")
        def feed(ws): ...

    :param check_every: seconds between two looks at whether the token was revoked
    :param demands: those of ``jwt_required``, but for ``optional`` and ``report_only``
    """
    policy = _policy(demands)

    def decorate(handler: F) -> F:
        @wraps(handler)
        def protected(ws: Any, *args: Any, **kwargs: Any) -> Any:
            app = app_at_hand()
            try:
                token = _admit(app, policy)
            except (JWTExtendedException, PyJWTError) as error:
                ws.close(POLICY_VIOLATION, code_of(error))
                return None
            watch = _Watch(app, token, lambda why: ws.close(POLICY_VIOLATION, why), check_every)
            try:
                return handler(ws, *args, **kwargs)
            finally:
                watch.stop()

        mark_protected(handler, protected, policy)
        return protected  # type: ignore[return-value]  # of the same signature

    return decorate


def socketio_required(
    socketio: Any,
    *,
    token: Callable[[Any], str | None] | None = None,
    check_every: float = CHECK_EVERY,
    **demands: Any,
) -> Callable[[F], F]:
    """Protect the connect handler of Flask-SocketIO. Who may not pass is refused with the code as message, and who may
    not stay is disconnected::

        @socketio.on("connect")
        @socketio_required(socketio)
        def connect(auth): ...

    :param socketio: the ``SocketIO`` object
    :param token: finds a token in what the client sent as ``auth``; by default its ``"token"``. Without one there, the
        request is looked at as ever
    :param check_every: seconds between two looks at whether the token was revoked
    :param demands: those of ``jwt_required``, but for ``optional`` and ``report_only``
    """
    # Not Python's own of that name, behind which the client is told nothing.
    from socketio.exceptions import ConnectionRefusedError as Refusal

    policy, find = _policy(demands), token or _token_in

    def decorate(handler: F) -> F:
        @wraps(handler)
        def connect(auth: Any = None, *args: Any, **kwargs: Any) -> Any:
            app, sid, namespace = app_at_hand(), request.sid, request.namespace  # type: ignore[attr-defined]
            try:
                admitted = _admit(app, policy, find(auth))
            except (JWTExtendedException, PyJWTError) as error:
                raise Refusal(code_of(error)) from None
            server = socketio.server
            _Watch(
                app,
                admitted,
                lambda _why: server.disconnect(sid, namespace=namespace),
                check_every,
                is_open=lambda: server.manager.is_connected(sid, namespace),
            )
            return handler(auth, *args, **kwargs)

        return connect  # type: ignore[return-value]  # of the same signature

    return decorate


def _policy(demands: dict[str, Any]) -> Policy:
    known = {name: demands.pop(name) for name in ("fresh", "refresh", "verify_type") if name in demands}
    locations = demands.pop("locations", None)
    places = (locations,) if isinstance(locations, str) else tuple(locations or ())
    return Policy.demanding(
        False, known.get("fresh", False), known.get("refresh", False), places, known.get("verify_type", True), **demands
    )


def _token_in(auth: Any) -> str | None:
    token = auth.get("token") if isinstance(auth, dict) else None
    return token if isinstance(token, str) else None


def _admit(app: Flask, policy: Policy, encoded: str | None = None) -> Token:
    """Check the token of a connection that is being made.

    :raises JWTExtendedException: if it may not be
    :raises InvalidTokenError: if its token is not valid
    """
    runtime, now = runtime_of(app), time.time()
    incoming = request._get_current_object()  # type: ignore[attr-defined]  # of LocalProxy
    try:
        if encoded is not None:
            token: Token | None = pipeline.check(encoded, policy, runtime, now)
        else:
            token = pipeline.authenticate(incoming, policy, runtime, now)
            if token is not None and token.location == "cookies" and not same_site(incoming, runtime.settings):
                raise CSRFError("Cross-site request refused")
    except (JWTExtendedException, PyJWTError) as error:
        raise refuse(app, error) from None
    pipeline.remember(g._get_current_object(), token)
    return token  # type: ignore[return-value]  # without optional there is one


class _Watch:
    """Looks after a connection: closes it when its token has expired, was revoked, or its session has ended."""

    def __init__(
        self,
        app: Flask,
        token: Token,
        close: Callable[[str], object],
        every: float,
        is_open: Callable[[], bool] = lambda: True,
    ) -> None:
        self._app = app
        self._token = token
        self._close = close
        self._every = every
        self._is_open = is_open
        self._over = Event()
        Thread(target=self._run, name="jwt-socket", daemon=True).start()

    def stop(self) -> None:
        """The connection has ended by itself."""
        self._over.set()

    def _run(self) -> None:
        while not self._over.wait(self._pause()) and self._is_open():
            why = self._why_not()
            if why is not None:
                logger.debug("A WebSocket is closed: %s", why)
                try:
                    self._close(why)
                except Exception as error:  # it was closed meanwhile, by the other side say
                    logger.debug("A WebSocket was gone already: %s", type(error).__name__)
                return

    def _left(self) -> float:
        leeway = runtime_of(self._app).settings.decode_leeway
        return float(self._token.claims.get("exp", float("inf"))) + leeway - time.time()

    def _pause(self) -> float:
        return max(0.0, min(self._every, self._left()))

    def _why_not(self) -> str | None:
        if self._left() <= 0:
            return "expired_token"
        try:
            with self._app.app_context():
                pipeline.see_whether_revoked(self._token, runtime_of(self._app), time.time())
        except (JWTExtendedException, PyJWTError) as error:
            return code_of(error)
        return None
