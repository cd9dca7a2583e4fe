"""What applications of 4.7 set on their ``JWTManager`` and override in a subclass: all of it acts, or raises."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest import mock

import jwt as pyjwt
import pytest
from flask import Flask, request
from flask_restx import Api, Resource

from flask_jwt_extended import (
    ConfigurationError,
    JWTManager,
    create_access_token,
    create_refresh_token,
    create_token,
    current_user,
    decode_token,
    default_callbacks,
    exceptions,
    get_csrf_token,
    get_jti,
    get_jwt,
    get_jwt_header,
    get_jwt_identity,
    get_unverified_jwt_headers,
    jwt_required,
    refresh_session,
    revoke_token,
    set_access_cookies,
    set_refresh_cookies,
    start_session,
)
from flask_jwt_extended._cli import jwt

from ..conftest import SECRET, bearer

OTHER_SECRET = "another secret of the tests, long enough for every HMAC: 64 bytes or more"
Manager = Callable[[], JWTManager]


def new_app(manager: JWTManager, **options: Any) -> Flask:
    app = Flask("app")
    app.config.update({"JWT_SECRET_KEY": SECRET, **{f"JWT_{name}": value for name, value in options.items()}})
    manager.init_app(app)

    def seen() -> dict[str, Any]:
        user = current_user._get_current_object() if manager.loaders.user_lookup else None
        return {"identity": get_jwt_identity(), "claims": get_jwt(), "header": get_jwt_header(), "user": user}

    app.add_url_rule("/closed", "closed", jwt_required()(seen), methods=["GET", "POST"])
    app.add_url_rule("/fresh", "fresh", jwt_required(fresh=True)(seen))
    app.add_url_rule("/unchecked", "unchecked", jwt_required(verify_type=False, skip_revocation_check=True)(seen))
    return app


def ask(app: Flask, path: str = "/closed", token: str | None = None, **arguments: Any) -> tuple[int, Any]:
    if token is None:
        with app.app_context():
            token = create_access_token("alice", **arguments)
    response = app.test_client().get(path, headers=bearer(token) if token else {})
    return response.status_code, response.json


def answer_of(response: Any) -> Any:
    return response.json


# --- the fifteen callbacks -------------------------------------------------------------------------------------------


def answers(*_told: Any) -> tuple[dict[str, str], int]:
    return {"own": "answer"}, 418


OWN_ANSWER = 418, {"own": "answer"}


def refused_by(name: str, answer: Any) -> Callable[[Flask], Any]:
    """Send a token to an application with a callback that refuses every token."""

    def probe(app: Flask) -> Any:
        setattr(app.extensions["flask-jwt-extended"], name, lambda _header, _claims: answer)
        return ask(app)

    return probe


def with_other_secret(app: Flask) -> Any:
    return ask(app, token=pyjwt.encode({"sub": "alice", "type": "access"}, OTHER_SECRET))


def made(app: Flask) -> Any:
    with app.app_context():
        return create_access_token("alice")


#: The callback, one of the application's own, how many arguments it takes, and what shows that it acts.
CALLBACKS: dict[str, tuple[Callable[..., Any], int, Callable[[Flask], Any], Callable[[Any], bool]]] = {
    "_decode_key_callback": (lambda _h, _c: OTHER_SECRET, 2, with_other_secret, lambda seen: seen[0] == 200),
    "_encode_key_callback": (
        lambda _identity: OTHER_SECRET,
        1,
        made,
        lambda token: pyjwt.decode(token, OTHER_SECRET, ["HS256"])["sub"] == "alice",
    ),
    "_expired_token_callback": (
        lambda _h, _c: answers(),
        2,
        lambda app: ask(app, expires_delta=timedelta(seconds=-9)),
        lambda seen: seen == OWN_ANSWER,
    ),
    "_invalid_token_callback": (
        lambda _message: answers(),
        1,
        lambda app: ask(app, token="no.to.ken"),
        lambda seen: seen == OWN_ANSWER,
    ),
    "_jwt_additional_header_callback": (
        lambda identity: {"of": identity},
        1,
        ask,
        lambda seen: seen[1]["header"]["of"] == "alice",
    ),
    "_needs_fresh_token_callback": (
        lambda _h, _c: answers(),
        2,
        lambda app: ask(app, "/fresh"),
        lambda seen: seen == OWN_ANSWER,
    ),
    "_revoked_token_callback": (
        lambda _h, _c: answers(),
        2,
        refused_by("_token_in_blocklist_callback", True),
        lambda seen: seen == OWN_ANSWER,
    ),
    "_token_in_blocklist_callback": (
        lambda _h, claims: bool(claims["sub"] == "alice"),
        2,
        ask,
        lambda seen: seen == (401, {"msg": "Token has been revoked"}),
    ),
    "_token_verification_callback": (
        lambda _h, claims: bool(claims["sub"] != "alice"),
        2,
        ask,
        lambda seen: seen == (400, {"msg": "User claims verification failed"}),
    ),
    "_token_verification_failed_callback": (
        lambda _h, _c: answers(),
        2,
        refused_by("_token_verification_callback", False),
        lambda seen: seen == OWN_ANSWER,
    ),
    "_unauthorized_callback": (
        lambda _message: answers(),
        1,
        lambda app: ask(app, token=""),
        lambda seen: seen == OWN_ANSWER,
    ),
    "_user_claims_callback": (
        lambda identity: {"of": identity},
        1,
        ask,
        lambda seen: seen[1]["claims"]["of"] == "alice",
    ),
    "_user_identity_callback": (
        lambda identity: identity.upper(),
        1,
        ask,
        lambda seen: seen[1]["identity"] == "ALICE",
    ),
    "_user_lookup_callback": (
        lambda _h, claims: f"user {claims['sub']}",
        2,
        ask,
        lambda seen: seen[1]["user"] == "user alice",
    ),
    "_user_lookup_error_callback": (
        lambda _h, _c: answers(),
        2,
        refused_by("_user_lookup_callback", None),
        lambda seen: seen == OWN_ANSWER,
    ),
}

DEFAULTS: dict[str, str | None] = {
    "_decode_key_callback": "default_decode_key_callback",
    "_encode_key_callback": "default_encode_key_callback",
    "_expired_token_callback": "default_expired_token_callback",
    "_invalid_token_callback": "default_invalid_token_callback",
    "_jwt_additional_header_callback": "default_jwt_headers_callback",
    "_needs_fresh_token_callback": "default_needs_fresh_token_callback",
    "_revoked_token_callback": "default_revoked_token_callback",
    "_token_in_blocklist_callback": "default_blocklist_callback",
    "_token_verification_callback": "default_token_verification_callback",
    "_token_verification_failed_callback": "default_token_verification_failed_callback",
    "_unauthorized_callback": "default_unauthorized_callback",
    "_user_claims_callback": "default_additional_claims_callback",
    "_user_identity_callback": "default_user_identity_callback",
    "_user_lookup_callback": None,
    "_user_lookup_error_callback": "default_user_lookup_error_callback",
}
LOADERS = {
    "_jwt_additional_header_callback": "additional_headers_loader",
    "_user_claims_callback": "additional_claims_loader",
}


def on_the_instance(name: str, own: Any, _arguments: int) -> JWTManager:
    manager = JWTManager()
    setattr(manager, name, own)
    return manager


def after_super(name: str, own: Any, _arguments: int) -> JWTManager:
    class Own(JWTManager):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            setattr(self, name, own)

    return Own()


def before_super(name: str, own: Any, _arguments: int) -> JWTManager:
    class Own(JWTManager):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            setattr(self, name, own)
            assert getattr(self, name) is own
            super().__init__(*args, **kwargs)

    return Own()


def without_super(name: str, own: Any, _arguments: int) -> JWTManager:
    class Own(JWTManager):
        def __init__(self) -> None:
            setattr(self, name, own)
            assert getattr(self, name) is own

    return Own()


def as_class_attribute(name: str, own: Any, _arguments: int) -> JWTManager:
    return type("Own", (JWTManager,), {name: own})()  # type: ignore[no-any-return]


def as_static_method(name: str, own: Any, _arguments: int) -> JWTManager:
    return type("Own", (JWTManager,), {name: staticmethod(own)})()  # type: ignore[no-any-return]


def as_method(name: str, own: Any, arguments: int) -> JWTManager:
    methods: dict[int, Any] = {1: lambda _self, one: own(one), 2: lambda _self, one, two: own(one, two)}
    return type("Own", (JWTManager,), {name: methods[arguments]})()  # type: ignore[no-any-return]


def of_a_base_class(name: str, own: Any, arguments: int) -> JWTManager:
    base = type(as_method(name, own, arguments))
    return type("Derived", (base,), {})()  # type: ignore[no-any-return]


def as_a_mock(name: str, own: Any, _arguments: int) -> JWTManager:
    return on_the_instance(name, mock.MagicMock(side_effect=own), 0)


def as_a_coroutine(name: str, own: Any, _arguments: int) -> JWTManager:
    async def asynchronous(*arguments: Any) -> Any:
        return own(*arguments)

    return on_the_instance(name, asynchronous, 0)


def by_the_loader(name: str, own: Any, _arguments: int) -> JWTManager:
    manager = JWTManager()
    loader = LOADERS.get(name, name.removeprefix("_").replace("_callback", "_loader"))
    assert getattr(manager, loader)(own) is own is getattr(manager, name)
    return manager


WAYS = [
    on_the_instance,
    after_super,
    before_super,
    without_super,
    as_class_attribute,
    as_static_method,
    as_method,
    of_a_base_class,
    as_a_mock,
    as_a_coroutine,
]
#: Each callback with its loader and three other ways. Every way occurs for callbacks of one and of two arguments.
SETTINGS = [
    (name, way)
    for number, name in enumerate(CALLBACKS)
    for way in (by_the_loader, *(WAYS[(3 * number + each) % 10] for each in range(3)))
]


@pytest.mark.parametrize(("name", "way"), SETTINGS)
def test_a_callback_acts_however_it_is_set(name: str, way: Callable[..., JWTManager]) -> None:
    """An assignment, a method of a subclass or a mock acts like the loader."""
    own, arguments, probe, acts = CALLBACKS[name]
    manager = way(name, own, arguments)
    assert acts(probe(new_app(manager)))
    assert getattr(manager, name) is not None


def test_every_way_occurs_for_one_and_for_two_arguments() -> None:
    """The table of settings is complete."""
    assert {(way, CALLBACKS[name][1]) for name, way in SETTINGS} == {
        (way, arguments) for way in (*WAYS, by_the_loader) for arguments in (1, 2)
    }


@pytest.mark.parametrize("name", CALLBACKS)
def test_a_callback_does_not_act_before_it_is_set(name: str) -> None:
    """The probes fail with the defaults, so they show something."""
    assert not acts_by_default(name)


def acts_by_default(name: str) -> bool:
    _, _, probe, acts = CALLBACKS[name]
    try:
        return acts(probe(new_app(JWTManager())))
    except (KeyError, TypeError, pyjwt.PyJWTError):
        return False


@pytest.mark.parametrize("name", CALLBACKS)
def test_a_callback_that_is_set_after_init_app_acts_and_can_be_set_back(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``monkeypatch`` and ``mock.patch.object`` restore it; assigning the default removes the loader."""
    own, _, probe, acts = CALLBACKS[name]
    manager = JWTManager()
    app = new_app(manager)
    default = getattr(manager, name)
    with monkeypatch.context() as patched:
        patched.setattr(manager, name, own)
        assert acts(probe(app))
    assert getattr(manager, name) is default
    with mock.patch.object(manager, name, own):
        assert acts(probe(app))
    assert getattr(manager, name) is default
    setattr(manager, name, own)
    with mock.patch.object(manager, name, own):
        assert acts(probe(app))
    assert getattr(manager, name) is own
    assert acts(probe(app))
    setattr(manager, name, default)
    assert vars(manager.loaders).get(name) is None
    reset = JWTManager()
    setattr(reset, name, own)
    setattr(reset, name, getattr(JWTManager(), name))
    assert not any(vars(reset.loaders).values())


@pytest.mark.parametrize(("name", "default"), DEFAULTS.items())
def test_a_callback_reads_as_the_default_of_4_7_before_it_is_set(name: str, default: str | None) -> None:
    """It is the function of ``default_callbacks``, or ``None`` for the user."""
    expected = None if default is None else getattr(default_callbacks, default)
    assert getattr(JWTManager(), name) is expected
    assert getattr(type("Own", (JWTManager,), {})(), name) is expected


def test_a_callback_may_wrap_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every default can be called, also those for the keys."""
    manager = JWTManager()
    app = new_app(manager)
    for name in CALLBACKS:
        before = getattr(manager, name)
        if before is not None:
            monkeypatch.setattr(manager, name, lambda *arguments, before=before: before(*arguments))
    assert ask(app)[0] == 200
    assert ask(app, token="") == (401, {"msg": "Missing Authorization Header"})
    assert ask(app, "/fresh") == (401, {"msg": "Fresh token required"})


def test_no_user_is_looked_up_where_the_callback_is_none() -> None:
    """4.7 starts with ``None``, and tests restore it."""
    manager = JWTManager()
    manager.user_lookup_loader(lambda _header, _claims: None)
    app = new_app(manager)
    assert ask(app)[0] == 401
    manager._user_lookup_callback = None
    assert ask(app)[0] == 200


@pytest.mark.parametrize(
    ("name", "value"), [(name, (None, "text", 5)[number % 3]) for number, name in enumerate(CALLBACKS)]
)
def test_a_callback_that_cannot_be_called_is_refused_when_it_is_set(name: str, value: Any) -> None:
    """4.7 fails at the first request that needs it."""
    manager = JWTManager()
    with pytest.raises(ConfigurationError, match=rf"JWTManager\.{name} must be callable"):
        setattr(manager, name, value)
    if value is not None:  # which declares the attribute, and nothing more
        with pytest.raises(ConfigurationError, match=name):
            as_class_attribute(name, value, 0)


@pytest.mark.parametrize("name", CALLBACKS)
def test_a_method_with_other_arguments_is_refused_when_the_manager_is_made(name: str) -> None:
    """The error is raised before the first request."""
    with pytest.raises(ConfigurationError, match=rf"Own\.{name} must be callable"):
        as_class_attribute(name, lambda _one, _two, _three, _four: None, 0)
    with pytest.raises(ConfigurationError, match=rf"Own\.{name} cannot be a property"):
        as_class_attribute(name, property(lambda _self: print), 0)


def test_a_subclass_that_revokes_tokens_in_its_constructor_is_heard() -> None:
    """Public code does so."""
    revoked: set[str] = set()

    class Manager(JWTManager):
        def __init__(self, app: Flask | None = None) -> None:
            super().__init__(app)
            self._token_in_blocklist_callback = self.is_revoked

        def is_revoked(self, _header: dict[str, Any], claims: dict[str, Any]) -> bool:
            return claims["jti"] in revoked

    app = new_app(Manager())
    with app.app_context():
        token = create_access_token("alice")
        assert ask(app, token=token)[0] == 200
        revoked.add(str(get_jti(token)))
    assert ask(app, token=token) == (401, {"msg": "Token has been revoked"})


def test_the_constructor_takes_what_it_took() -> None:
    """Its signature is that of 4.7. A subclass may take other arguments."""
    parameters = inspect.signature(JWTManager).parameters
    assert [(each.name, each.default) for each in parameters.values()] == [
        ("app", None),
        ("add_context_processor", False),
    ]

    class Own(JWTManager):
        def __init__(self, name: str, *, prefix: str) -> None:
            self._user_claims_callback = lambda identity: {"of": prefix + name + identity}
            super().__init__()

    assert ask(new_app(Own("b", prefix="a")))[1]["claims"]["of"] == "abalice"
    assert not hasattr(JWTManager(), "attic")
    assert not hasattr(JWTManager, "_user_lookup_callback")


def test_managers_do_not_share_their_callbacks() -> None:
    """Managers of one class have separate callbacks."""
    one, two = JWTManager(), JWTManager()
    one._token_in_blocklist_callback = lambda _header, _claims: True
    assert (ask(new_app(one))[0], ask(new_app(two))[0]) == (401, 200)


# --- init_app and its steps ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bound", ["at once", "later"])
def test_an_overridden_init_app_is_called_by_the_constructor_too(bound: str) -> None:
    """Its steps are called too, in the order of 4.7, when the manager is registered with the application."""
    steps: list[str] = []

    class Manager(JWTManager):
        def init_app(self, app: Flask, add_context_processor: bool = False) -> None:
            steps.append("init_app")
            super().init_app(app, add_context_processor)

        def _set_default_configuration_options(self, app: Flask) -> None:  # type: ignore[override]  # 4.7 has it static
            assert app.extensions["flask-jwt-extended"] is self
            steps.append("options")
            super()._set_default_configuration_options(app)

        def _set_error_handler_callbacks(self, app: Any) -> None:
            steps.append("handlers")
            super()._set_error_handler_callbacks(app)

    app = Flask("app")
    if bound == "at once":
        Manager(app, True)
    else:
        Manager().init_app(app, True)
    assert steps == ["init_app", "options", "handlers"]
    with app.test_request_context():
        assert app.template_context_processors[None][-1]() == {"current_user": None}


def test_an_init_app_that_fails_changes_no_manager() -> None:
    """The application has the manager that it had before, or none."""
    app = Flask("app")
    app.config.update(JWT_SECRET_KEY=SECRET, JWT_TOKEN_LOCATION="nowhere")
    with pytest.raises(ConfigurationError):
        JWTManager(app)
    assert "flask-jwt-extended" not in app.extensions
    app.config["JWT_TOKEN_LOCATION"] = "headers"
    first = JWTManager(app)
    app.config["JWT_TOKEN_LOCATION"] = "nowhere"
    with pytest.raises(ConfigurationError), pytest.warns(match="already has a JWTManager"):
        JWTManager(app)
    assert app.extensions["flask-jwt-extended"] is first


def before_the_defaults(app: Flask) -> None:
    app.config.setdefault("JWT_HEADER_NAME", "X-Own")
    JWTManager._set_default_configuration_options(app)


def after_the_defaults(app: Flask) -> None:
    JWTManager._set_default_configuration_options(app)
    app.config["JWT_HEADER_NAME"] = "X-Own"


def without_the_defaults(app: Flask) -> None:
    app.config["JWT_HEADER_NAME"] = "X-Own"


@pytest.mark.parametrize("kind", [staticmethod, classmethod, "method", "instance"])
@pytest.mark.parametrize("override", [before_the_defaults, after_the_defaults, without_the_defaults])
def test_options_of_an_overridden_method_count(kind: Any, override: Callable[[Flask], None]) -> None:
    """The method may set them before, after or without ``super()``, and may be static as in 4.7 or not."""
    if kind is staticmethod:
        members: dict[str, Any] = {"_set_default_configuration_options": staticmethod(override)}
    elif kind == "instance":
        members = {}
    else:

        def method(_self: Any, app: Flask) -> None:
            override(app)

        members = {"_set_default_configuration_options": classmethod(method) if kind is classmethod else method}
    manager: JWTManager = type("Own", (JWTManager,), members)()
    if kind == "instance":
        manager._set_default_configuration_options = override  # type: ignore[method-assign, assignment]
    app = Flask("app")
    app.config["JWT_SECRET_KEY"] = SECRET
    manager.init_app(app)
    app.add_url_rule("/closed", "closed", jwt_required()(lambda: get_jwt_identity()))
    with app.app_context():
        token = create_access_token("alice")
    assert app.test_client().get("/closed", headers={"X-Own": f"Bearer {token}"}).text == "alice"
    assert app.test_client().get("/closed", headers=bearer(token)).status_code == 401
    assert app.config["JWT_REFRESH_COOKIE_NAME"] == "refresh_token_cookie"


def test_options_of_the_application_win_over_setdefault_in_an_override() -> None:
    """A subclass sets its own defaults with ``setdefault``, as in 4.7."""
    manager = type("Own", (JWTManager,), {"_set_default_configuration_options": staticmethod(before_the_defaults)})()
    app = new_app(manager, HEADER_NAME="X-App")
    assert app.config["JWT_HEADER_NAME"] == "X-App"
    assert ask(app) == (401, {"msg": "Missing X-App Header"})


def test_an_override_may_choose_the_profile() -> None:
    """The defaults of the chosen profile replace those that were filled in before."""

    class Manager(JWTManager):
        @staticmethod
        def _set_default_configuration_options(app: Flask) -> None:
            JWTManager._set_default_configuration_options(app)
            app.config["JWT_PROFILE"] = "strict"

    app = new_app(Manager())
    assert ask(app, token="no.to.ken")[0] == 401  # 422 in compat


@pytest.mark.parametrize("calls_super", [True, False])
def test_overridden_error_handlers_answer(calls_super: bool) -> None:
    """The handlers of this package may be registered beside them, or not."""

    class Manager(JWTManager):
        def _set_error_handler_callbacks(self, app: Any) -> None:
            if calls_super:
                super()._set_error_handler_callbacks(app)
            app.errorhandler(exceptions.NoAuthorizationError)(answers)

    app = new_app(Manager())
    assert ask(app, token="") == OWN_ANSWER
    if calls_super:
        assert ask(app, "/fresh") == (401, {"msg": "Fresh token required"})


@pytest.mark.parametrize("bind", [JWTManager, lambda app: JWTManager().init_app(app)], ids=["at once", "later"])
def test_a_warning_points_at_the_line_of_the_application(bind: Callable[[Flask], object]) -> None:
    """It does so in the constructor and in ``init_app``."""
    app = Flask("app")
    app.config.update(JWT_SECRET_KEY=SECRET, JWT_TOKEN_LOCATIONS=["headers"])
    with pytest.warns(match="JWT_TOKEN_LOCATIONS") as caught:
        bind(app)
    assert {each.filename for each in caught} == {__file__}


# --- _encode_jwt_from_config and _decode_jwt_from_config -------------------------------------------------------------


class Recording(JWTManager):
    """A manager that records its calls and calls the base class."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, ...]] = []

    def _decode_jwt_from_config(
        self, encoded_token: str, csrf_value: str | None = None, allow_expired: bool = False
    ) -> dict[str, Any]:
        self.calls.append(("decode", csrf_value, allow_expired))
        return super()._decode_jwt_from_config(encoded_token, csrf_value, allow_expired)

    def _encode_jwt_from_config(
        self,
        identity: Any,
        token_type: str,
        claims: dict[str, Any] | None = None,
        fresh: Any = False,
        expires_delta: Any = None,
        headers: dict[str, Any] | None = None,
    ) -> str:
        self.calls.append(("encode", identity, token_type, fresh, expires_delta, claims, headers))
        return super()._encode_jwt_from_config(identity, token_type, claims, fresh, expires_delta, headers)


COOKIES = {"TOKEN_LOCATION": ["headers", "cookies"]}


def test_an_override_is_called_for_every_token() -> None:
    """Every function and view calls the override once, in a request or outside."""
    manager = Recording()
    app = new_app(manager, STORE_URI="memory://", **COOKIES)
    calls = manager.calls

    def of(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        calls.clear()
        return function(*arguments, **named)

    with app.test_request_context():
        access = of(create_access_token, "u", True, timedelta(1), {"a": 1}, {"h": 2})
        assert calls == [("encode", "u", "access", True, timedelta(1), {"a": 1}, {"h": 2})]
        refresh = of(create_refresh_token, "u")
        assert calls == [("encode", "u", "refresh", False, None, None, None)]
        for function in (decode_token, get_jti, get_csrf_token):
            of(function, access)
            assert calls == [("decode", None, False)]
        of(decode_token, access, get_csrf_token(access), True)
        assert calls[0][0] == "decode"
        assert calls[-1] == ("decode", get_csrf_token(access), True) or calls[-2][2] is True
        response = app.make_response("")
        of(set_access_cookies, response, access)
        assert calls == [("decode", None, False)]
        of(set_refresh_cookies, response, refresh)
        assert calls == [("decode", None, False)]
        of(create_token, "reset", "u")
        assert [call[:3] for call in calls] == [("encode", "u", "reset")]
        pair = of(start_session, "u")
        assert sorted(call[2] for call in calls) == ["access", "refresh"]
        calls.clear()
        csrf = get_csrf_token(access)
        assert of(revoke_token, refresh)
        assert calls == [("decode", None, True)]
    calls.clear()
    assert ask(app, token=access)[0] == 200
    assert calls == [("decode", None, False)]
    client = app.test_client()
    client.set_cookie("access_token_cookie", access)
    calls.clear()
    assert client.post("/closed", headers={"X-CSRF-TOKEN": csrf}).status_code == 200
    assert calls == [("decode", csrf, False)]
    assert client.post("/closed", headers={"X-CSRF-TOKEN": "other"}).status_code == 401
    assert ask(app, token=pair.access_token)[0] == 200


def test_an_override_that_calls_super_changes_nothing_of_a_session() -> None:
    """The store knows the tokens, and a repeated exchange returns the same successor."""
    manager = Recording()
    app = new_app(manager, STORE_URI="memory://")
    manager.user_identity_loader(lambda user: user["id"])

    @app.post("/refresh")
    @jwt_required(refresh=True)
    def refresh() -> dict[str, Any]:
        return {"refresh": refresh_session().refresh_token}

    with app.app_context():
        first = start_session({"id": "alice"})
        claims = decode_token(first.access_token)
        assert (claims["sub"], claims["sid"], claims["fresh"]) == ("alice", first.session_id, True)
    manager.user_identity_loader(lambda identity: identity)
    client, headers = app.test_client(), bearer(first.refresh_token)
    once = answer_of(client.post("/refresh", headers=headers))["refresh"]
    time.sleep(1.1)  # another second: iat is that of the first exchange
    assert answer_of(client.post("/refresh", headers=headers))["refresh"] == once
    assert client.post("/refresh", headers=bearer(once)).status_code == 200


def test_the_methods_can_be_called_as_in_4_7() -> None:
    """They take their arguments by position and by name."""
    manager = JWTManager()
    app = new_app(manager)
    with app.app_context():
        token = manager._encode_jwt_from_config(
            identity="u",
            token_type="access",
            claims={"a": 1},
            fresh=True,
            expires_delta=timedelta(seconds=-5),
            headers={"kid": "k"},
        )
        assert get_unverified_jwt_headers(token)["kid"] == "k"
        with pytest.raises(pyjwt.ExpiredSignatureError):
            manager._decode_jwt_from_config(token)
        claims = manager._decode_jwt_from_config(encoded_token=token, csrf_value=None, allow_expired=True)
        assert (claims["sub"], claims["a"], claims["fresh"], claims["type"]) == ("u", 1, True, "access")
        by_position = manager._encode_jwt_from_config("u", "refresh", {"a": 2}, False, None, None)
        csrf = manager._decode_jwt_from_config(by_position)["csrf"]
        assert manager._decode_jwt_from_config(by_position, csrf)["type"] == "refresh"
        with pytest.raises(exceptions.CSRFError):
            manager._decode_jwt_from_config(by_position, "other")


def test_a_manager_that_is_not_the_applications_uses_its_own_callbacks() -> None:
    """As in 4.7, only the options are those of the application."""
    app, other = new_app(JWTManager()), JWTManager()
    other._encode_key_callback = lambda _identity: OTHER_SECRET
    other._decode_key_callback = lambda *_token: OTHER_SECRET
    with app.app_context():
        token = other._encode_jwt_from_config("u", "access")
        assert other._decode_jwt_from_config(token)["sub"] == "u"
        with pytest.raises(pyjwt.InvalidSignatureError):
            decode_token(token)


def test_another_manager_in_the_extensions_of_an_application_takes_over() -> None:
    """A test may replace the manager for a while, with ``init_app`` or without."""
    app = new_app(JWTManager())
    token = made(app)
    other = JWTManager()
    other._token_in_blocklist_callback = lambda _header, _claims: True
    assert ask(app, token=token)[0] == 200
    with mock.patch.dict(app.extensions, {"flask-jwt-extended": other}):
        assert ask(app, token=token)[0] == 401
    assert ask(app, token=token)[0] == 200
    with mock.patch.dict(app.extensions, {"flask-jwt-extended": Refusing()}):
        assert ask(app, token=token)[0] == 422
    del app.extensions["flask-jwt-extended"]
    assert ask(app, token=token)[0] == 500


class Refusing(JWTManager):
    """A manager that accepts no token."""

    def _decode_jwt_from_config(self, *_args: Any, **_named: Any) -> Any:
        raise exceptions.JWTDecodeError("refused")


def of_the_instance(answer: Any) -> JWTManager:
    manager = JWTManager()
    manager._decode_jwt_from_config = answer  # type: ignore[method-assign]
    return manager


def of_the_subclass(answer: Any) -> JWTManager:
    def decode(_self: Any, encoded_token: str, csrf_value: str | None = None, allow_expired: bool = False) -> Any:
        return answer(encoded_token, csrf_value, allow_expired)

    return type("Own", (JWTManager,), {"_decode_jwt_from_config": decode})()  # type: ignore[no-any-return]


def asynchronous(answer: Any) -> JWTManager:
    async def decode(*told: Any) -> Any:
        return answer(*told)

    return of_the_instance(decode)


GOOD = {"sub": "alice", "type": "access", "fresh": False, "jti": "1"}


@pytest.mark.parametrize("way", [of_the_instance, of_the_subclass, asynchronous])
def test_claims_of_an_override_count_whatever_the_key_says(way: Callable[[Any], JWTManager]) -> None:
    """An introspection endpoint decides about tokens of other keys and of its own."""
    foreign = pyjwt.encode({"sub": "anybody"}, OTHER_SECRET, headers={"kid": "theirs"})
    app = new_app(way(lambda _encoded, _csrf, _expired: GOOD))
    status, seen = ask(app, token=foreign)
    assert (status, seen["identity"], seen["header"]["kid"]) == (200, "alice", "theirs")
    with app.app_context():
        assert decode_token(foreign) == GOOD
        assert decode_token("opaque") == GOOD  # outside a request, 4.7 never looks at the header
        genuine = create_access_token("bob")
    assert ask(app, token=genuine)[1]["identity"] == "alice"

    def refuse(_encoded: str, _csrf: str | None, _expired: bool) -> Any:
        raise pyjwt.InvalidTokenError("inactive")

    app = new_app(way(refuse))
    with app.app_context():
        genuine = create_access_token("bob")
    assert ask(app, token=genuine) == (422, {"msg": "inactive"})


@pytest.mark.parametrize("token", ["opaque", "a.b", "e30.e30.e30.e30.e30", "bm8.e30.", "[1]"])
def test_a_token_without_a_header_is_refused_after_an_override(token: str) -> None:
    """As in 4.7, the header is read from the token itself."""
    app = new_app(of_the_instance(lambda *_told: GOOD))
    assert ask(app, token=token)[0] == 422
    assert ask(app, token="e30.e30.")[0] == 200


@pytest.mark.parametrize(
    ("claims", "path", "status"),
    [
        (None, "/closed", 422),
        ({}, "/closed", 422),
        ([], "/closed", 422),
        ("alice", "/closed", 422),
        (True, "/closed", 422),
        ({"active": False}, "/closed", 422),
        ({"sub": "alice"}, "/closed", 422),
        ({"sub": "alice"}, "/unchecked", 200),
        ({"type": "access"}, "/closed", 422),
        ({"sub": "alice", "type": "access"}, "/closed", 200),
        ({"sub": "alice", "type": "access"}, "/fresh", 401),
        ({**GOOD, "fresh": True}, "/fresh", 200),
        ({**GOOD, "fresh": "yes"}, "/fresh", 401),
        ({**GOOD, "type": "refresh"}, "/closed", 422),
        ({**GOOD, "type": ["access"]}, "/closed", 422),
        ({**GOOD, "jti": 5}, "/closed", 422),
        ({**GOOD, "jti": None}, "/closed", 200),
        ({**GOOD, "exp": "soon"}, "/closed", 422),
        ({**GOOD, "exp": float("inf")}, "/closed", 422),
        ({**GOOD, "exp": 10**400}, "/closed", 422),
        ({**GOOD, "iat": -(10**400)}, "/closed", 422),
        ({**GOOD, "sid": 5}, "/closed", 401),
        ({**GOOD, "exp": 1}, "/closed", 200),  # when it expires is for the override to check
        ({**GOOD, "type": "other"}, "/unchecked", 200),
    ],
)
def test_claims_of_an_override_go_through_the_checks_that_follow(claims: Any, path: str, status: int) -> None:
    """Type, freshness and form of the claims are checked."""
    app = new_app(of_the_instance(lambda *_told: claims), STORE_URI="memory://")
    assert ask(app, path, token="e30.e30.")[0] == status


def test_claims_of_an_override_meet_the_loaders_and_the_requirements() -> None:
    """The blocklist, the verification loader, the user, scopes and roles are checked."""
    claims = {**GOOD, "scope": "read", "roles": ["reader"]}
    manager = of_the_instance(lambda *_told: claims)
    app = new_app(manager)
    for name, demand in {"read": {"scopes": "read"}, "write": {"scopes": "write"}, "role": {"roles": "writer"}}.items():
        app.add_url_rule(f"/{name}", name, jwt_required(**demand)(lambda: "passed"))  # type: ignore[arg-type]
    client, headers = app.test_client(), bearer("e30.e30.")
    assert [client.get(f"/{name}", headers=headers).status_code for name in ("read", "write", "role")] == [
        200,
        403,
        403,
    ]
    for name, answer, status in (
        ("_token_in_blocklist_callback", True, 401),
        ("_token_verification_callback", False, 400),
        ("_user_lookup_callback", None, 401),
    ):
        with mock.patch.object(manager, name, lambda _header, _claims, answer=answer: answer):
            assert ask(app, token="e30.e30.")[0] == status


def test_the_claims_of_one_request_are_not_those_of_the_next() -> None:
    """An override may return the same dictionary each time; requests get copies."""
    app = new_app(of_the_instance(lambda *_told: GOOD))

    @app.get("/change")
    @jwt_required()
    def change() -> str:
        get_jwt()["sub"] = "eve"
        return ""

    app.test_client().get("/change", headers=bearer("e30.e30."))
    assert ask(app, token="e30.e30.")[1]["identity"] == "alice"


def test_a_csrf_value_that_does_not_match_the_claims_is_refused() -> None:
    """It is refused even if the override ignores it."""
    app = new_app(of_the_instance(lambda *_told: {**GOOD, "csrf": "right"}), TOKEN_LOCATION=["cookies"])
    client = app.test_client()
    client.set_cookie("access_token_cookie", "e30.e30.")
    answers = [
        client.post("/closed", headers={"X-CSRF-TOKEN": each}).status_code for each in ("right", "wrong", "\xff")
    ]
    assert answers == [200, 401, 401]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (pyjwt.ExpiredSignatureError("over"), (401, {"msg": "Token has expired"})),
        (pyjwt.DecodeError("broken"), (422, {"msg": "broken"})),
        (exceptions.JWTDecodeError("lacking"), (422, {"msg": "lacking"})),
        (exceptions.NoAuthorizationError("none"), (401, {"msg": "none"})),
        (ConnectionError("the endpoint is down"), (500, None)),
    ],
)
def test_an_error_of_an_override_is_answered_as_in_4_7(error: Exception, expected: Any) -> None:
    """Errors of PyJWT and of this package are refusals; any other is an error of the application."""
    app = new_app(of_the_instance(mock.Mock(side_effect=error)))
    app.config["PROPAGATE_EXCEPTIONS"] = False
    assert ask(app, token="e30.e30.") == expected


@pytest.mark.parametrize("token", ["a" * 20_000, 5, ["a"], {"a": 1}])
def test_an_override_never_sees_what_cannot_be_a_token(token: Any) -> None:
    """A value that is too long or not a string is refused before the override is called."""
    asked = mock.Mock(return_value=GOOD)
    app = new_app(of_the_instance(asked), TOKEN_LOCATION=["json"])
    response = app.test_client().post("/closed", json={"access_token": token})
    assert (response.status_code, asked.called) == (422, False)


@pytest.mark.parametrize("target", [JWTManager, "flask_jwt_extended.JWTManager", "subclass"])
def test_a_method_may_be_patched_on_the_class(target: Any) -> None:
    """A patch after the manager was made counts while it lasts."""
    own = type("Own", (JWTManager,), {})
    app = new_app(own())
    assert ask(app, token="e30.e30.")[0] == 422
    decode, encode = "_decode_jwt_from_config", "_encode_jwt_from_config"
    patches = (
        (mock.patch(f"{target}.{decode}", return_value=GOOD), mock.patch(f"{target}.{encode}", return_value="made"))
        if isinstance(target, str) and target != "subclass"
        else (
            mock.patch.object(own if target == "subclass" else target, decode, return_value=GOOD),
            mock.patch.object(own if target == "subclass" else target, encode, return_value="made"),
        )
    )
    with patches[0], patches[1], app.app_context():
        assert create_access_token("u") == "made"
        assert ask(app, token="e30.e30.")[0] == 200
    assert ask(app, token="e30.e30.")[0] == 422
    assert ask(app)[0] == 200


def test_a_manager_that_encrypts_its_tokens_works_with_everything() -> None:
    """Views, sessions and revocation use the overrides only."""

    class Encrypting(JWTManager):
        def _encode_jwt_from_config(self, *args: Any, **kwargs: Any) -> str:
            head, payload, signature = super()._encode_jwt_from_config(*args, **kwargs).split(".")
            return f"{head}.{scrambled(payload)}.{signature}"

        def _decode_jwt_from_config(self, encoded_token: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
            head, payload, signature = encoded_token.split(".")
            return super()._decode_jwt_from_config(f"{head}.{scrambled(payload)}.{signature}", *args, **kwargs)

    def scrambled(segment: str) -> str:
        return segment[-2::-1] + segment[-1]

    app = new_app(Encrypting(), STORE_URI="memory://")
    with app.app_context():
        pair, single = start_session("alice"), create_access_token("bob")
        assert decode_token(pair.refresh_token)["sid"] == pair.session_id
        with pytest.raises(pyjwt.InvalidTokenError):
            pyjwt.decode(single, SECRET, ["HS256"])
    assert [ask(app, token=token)[0] for token in (pair.access_token, single)] == [200, 200]
    with app.app_context():
        assert revoke_token(single)
        assert revoke_token(pair.refresh_token)
    assert [ask(app, token=token)[0] for token in (pair.access_token, single)] == [401, 401]


def test_the_command_that_explains_tokens_asks_an_override() -> None:
    """``flask jwt inspect`` reports the result that requests get."""
    app = new_app(of_the_instance(lambda encoded, _csrf, _expired: GOOD if encoded == "e30.e30." else None))
    for token, status in (("e30.e30.", 0), ("e30.e30.AA", 1)):
        result = app.test_cli_runner().invoke(jwt, ["inspect", token])
        assert (result.exit_code, "_decode_jwt_from_config" in result.output) == (status, True)
        assert ask(app, token=token)[0] == (422 if status else 200)


def test_overrides_work_under_flask_restx() -> None:
    """Their refusals reach the client."""
    app = new_app(of_the_instance(mock.Mock(side_effect=pyjwt.InvalidTokenError("inactive"))))
    api = Api(app, prefix="/api")

    class Restx(Resource):  # type: ignore[misc]  # flask-restx is not typed
        method_decorators = (jwt_required(),)

        def get(self) -> str:
            return request.path

    api.add_resource(Restx, "/closed")
    assert ask(app, "/api/closed", token="e30.e30.") == (422, {"msg": "inactive"})
