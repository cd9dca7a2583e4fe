"""Common mistakes, made as a newcomer makes them: each message is an entry of the page "Troubleshooting"."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from secrets import token_hex
from typing import Any

import jwt as pyjwt
import pytest
from flask import Flask
from flask.views import MethodView
from flask_restx import Api

from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    current_user,
    get_jwt_identity,
    jwt_exempt,
    jwt_required,
    refresh_session,
    set_access_cookies,
    start_session,
)

from ._cli.helpers import run
from .conftest import SECRET
from .tokens import access_token

PAGE = (Path(__file__).parent.parent / "docs" / "refuses.md").read_text()
GOOD = {"JWT_SECRET_KEY": SECRET}
MISTAKES: list[Callable[[], str]] = []

Mistake = Callable[[], str]


def mistake(make: Mistake) -> Mistake:
    """Register a mistake: a function that returns the message a developer sees."""
    MISTAKES.append(make)
    return make


def shop(**options: Any) -> Flask:
    """An application with the usual views."""
    app = Flask("shop")
    app.config.update(GOOD | options)
    JWTManager(app)
    app.add_url_rule("/me", view_func=jwt_required()(lambda: {"me": get_jwt_identity()}), methods=["GET", "POST"])
    app.add_url_rule("/refresh", "refresh", jwt_required(refresh=True)(lambda: {}), methods=["POST"])
    app.add_url_rule("/fresh", "fresh", jwt_required(fresh=True)(lambda: {}))
    return app


def answer(app: Flask, path: str = "/me", method: str = "GET", **arguments: Any) -> str:
    """The message of a refusal."""
    response = app.test_client().open(path, method=method, **arguments)
    assert response.status_code >= 400
    return str(response.get_json()["msg"])


def with_header(app: Flask, value: str, path: str = "/me", method: str = "GET") -> str:
    """The message for a request with this Authorization header."""
    return answer(app, path, method, headers={"Authorization": value})


def raised(make: Callable[[], object]) -> str:
    """The message of an error that reaches the developer."""
    with pytest.raises((RuntimeError, TypeError)) as error:
        make()
    return str(error.value)


def warned(make: Callable[[], object]) -> str:
    """The message of a warning."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        make()
    return str(heard[0].message)


# --- setting up -----------------------------------------------------------------------------------------------------


@mistake
def no_parentheses() -> str:
    return raised(lambda: jwt_required(lambda: ""))  # type: ignore[arg-type]


@mistake
def parentheses_after_jwt_exempt() -> str:
    return raised(lambda: jwt_exempt())


class Orders(MethodView):
    """A view."""


@mistake
def the_decorator_on_a_class() -> str:
    return raised(lambda: jwt_required()(Orders))


@mistake
def parentheses_after_a_loader() -> str:
    jwt: Any = JWTManager()
    return raised(lambda: jwt.user_lookup_loader())


@mistake
def protecting_an_api() -> str:
    app = shop()
    api: Any = Api(app)
    return raised(lambda: app.extensions["flask-jwt-extended"].protect(api))


def reports() -> str:
    """A view."""
    return ""


@mistake
def the_decorator_above_the_route() -> str:
    app = shop()
    jwt_required()(app.get("/reports")(reports))
    return run(app, "check").output


@mistake
def no_manager() -> str:
    app = Flask("shop")
    return raised(lambda: access_token(app))


@mistake
def no_secret() -> str:
    app = Flask("shop")
    JWTManager(app)
    return raised(lambda: access_token(app))


@mistake
def a_misspelt_option() -> str:
    return warned(lambda: shop(JWT_ACCESS_TOKEN_EXPIRE=5))


@mistake
def a_lifetime_that_is_text() -> str:
    return raised(lambda: shop(JWT_ACCESS_TOKEN_EXPIRES="15 minutes"))


@mistake
def an_unknown_location() -> str:
    return raised(lambda: shop(JWT_TOKEN_LOCATION=["header"]))


@mistake
def a_short_secret() -> str:
    return warned(lambda: access_token(shop(JWT_SECRET_KEY=token_hex(3)[:5])))  # told of each key once


@mistake
def a_short_secret_under_strict() -> str:
    return raised(lambda: access_token(shop(JWT_SECRET_KEY="short", JWT_PROFILE="strict")))


@mistake
def a_path_in_place_of_pem() -> str:
    return raised(lambda: shop(JWT_ALGORITHM="RS256", JWT_PRIVATE_KEY="private.pem"))


@mistake
def a_folder_of_keys() -> str:
    Path("keys").mkdir()
    return raised(lambda: shop(JWT_KEYS="keys"))


@mistake
def rs256_with_a_secret() -> str:
    return raised(lambda: access_token(shop(JWT_ALGORITHM="RS256")))


@mistake
def an_algorithm_that_there_is_not() -> str:
    return raised(lambda: shop(JWT_ALGORITHM="HS255"))


@mistake
def cookies_for_other_sites_over_http() -> str:
    return raised(lambda: shop(JWT_COOKIE_SAMESITE="None"))


@mistake
def a_flag_that_is_text() -> str:
    return warned(lambda: shop(JWT_COOKIE_SECURE="False"))


@mistake
def a_second_manager() -> str:
    return warned(lambda: JWTManager(shop()))


@mistake
def a_file_of_keys_that_is_not_there() -> str:
    return raised(lambda: access_token(shop(JWT_KEYS="keys.json")))


@mistake
def sessions_without_a_store() -> str:
    app = shop()
    with app.test_request_context():
        return raised(lambda: start_session("ada"))


@mistake
def a_store_that_is_empty() -> str:
    return raised(lambda: shop(JWT_STORE_URI=""))


@mistake
def a_store_without_a_scheme() -> str:
    return raised(lambda: token_of_session(shop(JWT_STORE_URI="jwt.db")))


def token_of_session(app: Flask) -> str:
    """The access token of a session."""
    with app.test_request_context():
        return start_session("ada").access_token


# --- in a view ------------------------------------------------------------------------------------------------------


@mistake
def the_identity_of_an_open_view() -> str:
    with shop().test_request_context():
        return raised(get_jwt_identity)


@mistake
def current_user_without_a_loader() -> str:
    app = shop()
    app.add_url_rule("/user", view_func=jwt_required()(lambda: str(current_user)), endpoint="user")
    app.testing = True
    headers = {"Authorization": f"Bearer {access_token(app)}"}
    return raised(lambda: app.test_client().get("/user", headers=headers))


@mistake
def a_user_that_there_is_not() -> str:
    app = shop()
    app.extensions["flask-jwt-extended"].user_lookup_loader(lambda _header, _claims: None)
    return with_header(app, f"Bearer {access_token(app)}")


@mistake
def an_identity_that_is_a_number() -> str:
    app = shop()
    return with_header(app, f"Bearer {access_token(app, 5)}")


@mistake
def an_identity_that_is_an_object() -> str:
    return raised(lambda: access_token(shop(), object()))


@mistake
def a_refresh_of_no_refresh_token() -> str:
    app = shop(JWT_STORE_URI="memory://")
    app.add_url_rule("/again", view_func=jwt_required()(lambda: str(refresh_session())), endpoint="again")
    app.testing = True
    headers = {"Authorization": f"Bearer {token_of_session(app)}"}
    return raised(lambda: app.test_client().get("/again", headers=headers))


# --- in a client ----------------------------------------------------------------------------------------------------


@mistake
def no_header() -> str:
    return answer(shop())


@mistake
def no_scheme() -> str:
    app = shop()
    return with_header(app, access_token(app))


@mistake
def a_token_with_a_space() -> str:
    return with_header(shop(), "Bearer ey.. ..")


@mistake
def a_token_in_quotes() -> str:
    app = shop()
    return with_header(app, f'Bearer "{access_token(app)}"')


@mistake
def half_a_token() -> str:
    app = shop()
    return with_header(app, f"Bearer {access_token(app).rpartition('.')[0]}")


@mistake
def null() -> str:
    return with_header(shop(), "Bearer null")


@mistake
def a_token_of_another_secret() -> str:
    return with_header(shop(), f"Bearer {access_token(shop(JWT_SECRET_KEY=SECRET[::-1]))}")


@mistake
def a_token_of_another_algorithm() -> str:
    return with_header(shop(), f"Bearer {access_token(shop(JWT_ALGORITHM='HS512'))}")


@mistake
def a_refresh_token_for_an_access_token() -> str:
    app = shop()
    with app.app_context():
        refresh_token = create_refresh_token("ada")
    return with_header(app, f"Bearer {refresh_token}")


@mistake
def an_access_token_to_refresh() -> str:
    app = shop()
    return with_header(app, f"Bearer {access_token(app)}", "/refresh", "POST")


@mistake
def an_expired_token() -> str:
    app = shop()
    return with_header(app, f"Bearer {access_token(app, expires_delta=timedelta(seconds=-5))}")


@mistake
def a_clock_that_is_ahead() -> str:
    ahead = datetime.now(timezone.utc) + timedelta(minutes=2)
    claims = {"sub": "ada", "nbf": ahead, "exp": ahead + timedelta(hours=1), "type": "access", "jti": "1"}
    return with_header(shop(), f"Bearer {pyjwt.encode(claims, SECRET, 'HS256')}")


@mistake
def a_token_for_another_audience() -> str:
    return with_header(shop(JWT_DECODE_AUDIENCE="shop"), f"Bearer {access_token(shop(JWT_ENCODE_AUDIENCE='till'))}")


@mistake
def a_token_of_another_issuer() -> str:
    return with_header(shop(JWT_DECODE_ISSUER="shop"), f"Bearer {access_token(shop(JWT_ENCODE_ISSUER='till'))}")


@mistake
def a_token_that_is_bound_to_a_key() -> str:
    app = shop(JWT_BOUND_TOKENS="refuse")
    return with_header(app, f"Bearer {access_token(app, additional_claims={'cnf': {'jkt': 'x'}})}")


@mistake
def a_token_that_is_not_fresh() -> str:
    app = shop()
    return with_header(app, f"Bearer {access_token(app)}", "/fresh")


@mistake
def no_cookie() -> str:
    return answer(shop(JWT_TOKEN_LOCATION="cookies"))


def with_cookie(app: Flask, **headers: str) -> str:
    """The message for a POST with the cookie of a login."""
    client = app.test_client()

    def login() -> Any:
        response = app.make_response("")
        set_access_cookies(response, create_access_token("ada"))
        return response

    app.add_url_rule("/login", view_func=login)
    client.get("/login", base_url="https://localhost")
    response = client.post("/me", base_url="https://localhost", headers=headers)
    assert response.status_code >= 400
    return str(response.get_json()["msg"])


@mistake
def no_csrf_value() -> str:
    return with_cookie(shop(JWT_TOKEN_LOCATION="cookies"))


@mistake
def another_csrf_value() -> str:
    return with_cookie(shop(JWT_TOKEN_LOCATION="cookies"), X_CSRF_TOKEN="that of the refresh token")


@mistake
def a_proxy_that_nobody_knows_of() -> str:
    return with_cookie(shop(JWT_TOKEN_LOCATION="cookies", JWT_PROFILE="strict"), Origin="https://shop.example.com")


@mistake
def a_body_of_another_type() -> str:
    return answer(shop(JWT_TOKEN_LOCATION="json"), method="POST", data={"access_token": "..."})


@mistake
def a_token_in_two_places_under_strict() -> str:
    app = shop(JWT_PROFILE="strict", JWT_TOKEN_LOCATION=["headers", "query_string"])
    return answer(app, f"/me?jwt={access_token(app)}", headers={"Authorization": f"Bearer {access_token(app)}"})


SHOWN = {entry.strip("`") for entry in re.findall(r"^### (`+.+`+)$", PAGE, re.MULTILINE)}


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.filterwarnings("ignore::flask_jwt_extended._jose.weak_secrets.GuessableSecretWarning")
@pytest.mark.parametrize("make", MISTAKES, ids=lambda make: make.__name__)
def test_each_message_is_on_the_page(make: Mistake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Word for word, so that a search finds it."""
    monkeypatch.chdir(tmp_path)
    assert first_line(make) in SHOWN


def first_line(make: Mistake) -> str:
    """The first line of the message."""
    return make().splitlines()[0].strip()


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.filterwarnings("ignore::flask_jwt_extended._jose.weak_secrets.GuessableSecretWarning")
def test_every_entry_of_the_page_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise, outdated entries would stay."""
    monkeypatch.chdir(tmp_path)
    assert {first_line(make) for make in MISTAKES} == SHOWN
    assert len(SHOWN) >= 30


def test_an_identity_that_is_no_text_is_logged_when_its_token_is_made(caplog: pytest.LogCaptureFixture) -> None:
    """Once for an application, and without the identity; never if JWT_VERIFY_SUB is off."""
    for app in [shop()] * 2 + [shop(JWT_VERIFY_SUB=False)]:
        access_token(app, 12345)
    (record,) = caplog.records
    assert "user_identity_loader" in record.getMessage()
    assert "12345" not in record.getMessage()
