"""What lets a request pass that would be refused: ``optional="if-valid"``, report-only, and tokens of 4.6."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta, timezone
from typing import Any

import jwt as pyjwt
import pytest
from flask import Flask

from flask_jwt_extended import (
    ConfigurationError,
    create_access_token,
    create_refresh_token,
    get_jwt,
    get_jwt_identity,
    jwt_required,
)
from flask_jwt_extended.signals import legacy_subject, token_refused, would_refuse

from .._sessions.helpers import NOW, Clock, stopped_clock
from ..conftest import SECRET, MakeApp, bearer


@contextmanager
def heard(app: Flask) -> Iterator[list[str]]:
    """The codes that are reported, and those that are refused with an exclamation mark."""
    codes: list[str] = []

    def report(_app: Flask, code: str, error: Exception) -> None:
        codes.append(code)

    def refuse(_app: Flask, code: str, error: Exception) -> None:
        codes.append(f"{code}!")

    with would_refuse.connected_to(report, app), token_refused.connected_to(refuse, app):
        yield codes


def add_view(app: Flask, **demands: Any) -> None:
    app.add_url_rule(
        "/view", "view", jwt_required(**demands)(lambda: {"identity": get_jwt_identity(), "claims": get_jwt()})
    )


def ask(app: Flask, token: str | None = None) -> tuple[int, Any]:
    response = app.test_client().get("/view", headers=bearer(token) if token else {})
    return response.status_code, (response.get_json() or {}).get("identity")


def tokens(app: Flask) -> dict[str, str]:
    """A good token, and one that is wrong in each way, by the code of its refusal."""
    with app.app_context():
        good = create_access_token("ada")
        return {
            "good": good,
            "expired_token": create_access_token("ada", expires_delta=timedelta(seconds=-5)),
            "invalid_signature": good[:-6] + "AAAAAA",
            "malformed_token": "nonsense",
            "wrong_token_type": create_refresh_token("ada"),
        }


@pytest.fixture(params=["compat", "strict"])
def app(request: pytest.FixtureRequest, make_app: MakeApp) -> Flask:
    return make_app(PROFILE=request.param)


# --- optional="if-valid" --------------------------------------------------------------------------------------------


def test_a_token_that_is_refused_counts_as_none(app: Flask) -> None:
    """Of a view that is for everybody; it is told of, and nobody is taken for anybody."""
    add_view(app, optional="if-valid")
    for code, token in tokens(app).items():
        with heard(app) as codes:
            assert ask(app, token) == (200, "ada" if code == "good" else None)
        assert codes == ([] if code == "good" else [code])
    assert ask(app) == (200, None)


def test_optional_alone_still_refuses_it(app: Flask) -> None:
    """As 4.7 does."""
    add_view(app, optional=True)
    for code, token in tokens(app).items():
        assert (ask(app, token)[0] == 200) is (code == "good")


def test_an_outage_is_no_refusal(make_app: MakeApp, tmp_path: Any) -> None:
    """Whether the token is good cannot be told: that is no reason to take its owner for nobody."""
    app = make_app(STORE_URI=f"sqlite:///{tmp_path}/no/such/folder/jwt.db")
    add_view(app, optional="if-valid")
    assert ask(app, tokens(app)["good"])[0] == 503
    app.config["JWT_STORE_URI"] = None
    ask(app)  # lets go of the store


def test_a_revoked_token_counts_as_none(make_app: MakeApp) -> None:
    """And so does one of a user that is not there any more."""
    app = make_app()
    add_view(app, optional="if-valid")
    manager = app.extensions["flask-jwt-extended"]
    manager.token_in_blocklist_loader(lambda _header, _claims: True)
    assert ask(app, tokens(app)["good"]) == (200, None)
    manager.token_in_blocklist_loader(lambda _header, _claims: False)
    manager.user_lookup_loader(lambda _header, _claims: None)
    assert ask(app, tokens(app)["good"]) == (200, None)


@pytest.mark.parametrize("optional", ["if_valid", "yes", ""])
def test_another_word_is_refused_where_it_is_written(optional: Any) -> None:
    """A slip of the pen must not open a view."""
    with pytest.raises(ConfigurationError, match="if-valid"):
        jwt_required(optional=optional)


# --- report_only ----------------------------------------------------------------------------------------------------


def test_a_view_may_report_and_let_pass(app: Flask) -> None:
    """On the way from open to protected: whatever is wrong passes, is told of, and is nobody's."""
    add_view(app, report_only=True)
    for code, token in tokens(app).items():
        with heard(app) as codes:
            assert ask(app, token) == (200, "ada" if code == "good" else None)
        assert codes == ([] if code == "good" else [code])
    with heard(app) as codes:
        assert ask(app) == (200, None)
    assert codes == ["missing_token"]


@pytest.mark.parametrize(
    ("demands", "code"),
    [
        ({"scopes": "read"}, "insufficient_scope"),
        ({"roles": "admin"}, "insufficient_scope"),
        ({"fresh": True}, "fresh_token_required"),
        ({"max_age": 5}, "insufficient_user_authentication"),
        ({"acr": "gold"}, "insufficient_user_authentication"),
    ],
)
def test_a_token_that_lacks_only_what_is_demanded_keeps_its_identity(
    app: Flask, demands: dict[str, Any], code: str
) -> None:
    """The view works as before it demanded that."""
    add_view(app, report_only=True, **demands)
    with heard(app) as codes:
        assert ask(app, tokens(app)["good"]) == (200, "ada")
    assert codes == [code]


def test_a_bad_signature_has_no_identity_whatever_else_is_reported(app: Flask) -> None:
    """Nor has a revoked token, or one of another kind."""
    add_view(app, report_only=True, scopes="read")
    app.extensions["flask-jwt-extended"].token_in_blocklist_loader(lambda _header, claims: claims["sub"] == "eve")
    with app.app_context():
        revoked = create_access_token("eve")
    for code, token in {**tokens(app), "revoked": revoked}.items():
        assert ask(app, token) == (200, "ada" if code == "good" else None)


# --- JWT_REPORT_ONLY ------------------------------------------------------------------------------------------------


def signed(**claims: Any) -> str:
    now = int(datetime.now(timezone.utc).timestamp())
    said = {"sub": "ada", "type": "access", "jti": "1", "iat": now, "exp": now + 3600, "fresh": False} | claims
    return pyjwt.encode({name: value for name, value in said.items() if value is not None}, SECRET, "HS256")


@pytest.mark.parametrize(
    ("option", "wrong", "code", "other"),
    [
        ("JWT_REQUIRED_CLAIMS", {"jti": None}, "missing_claim", "wrong_audience"),
        ("JWT_VERIFY_AUD", {"aud": "somebody"}, "wrong_audience", "missing_claim"),
    ],
)
def test_an_option_may_be_reported_first(
    make_app: MakeApp, option: str, wrong: dict[str, Any], code: str, other: str
) -> None:
    """On the way from compat to strict: that check refuses nothing, every other one does."""
    token = signed(**wrong)  # here: it lives for a minute
    strict = make_app(PROFILE="strict")
    add_view(strict)
    assert ask(strict, token)[0] == 401
    app = make_app(PROFILE="strict", REPORT_ONLY=[option])
    add_view(app)
    with heard(app) as codes:
        assert ask(app, token) == (200, "ada")
        assert ask(app, signed()) == (200, "ada")
        assert ask(app, token[:-6] + "AAAAAA")[0] == 401
        assert ask(app, signed(jti=None, aud="somebody"))[0] == 401
    assert codes == [code, "invalid_signature!", f"{other}!"]


@pytest.mark.parametrize("profile", ["compat", "strict"])
def test_a_refusal_tells_what_refuses_not_what_is_only_reported(make_app: MakeApp, profile: str) -> None:
    """Clients refresh when they are told that a token has expired."""
    app = make_app(PROFILE=profile, REQUIRED_CLAIMS=["tenant"], DECODE_ISSUER="x")
    app.config["JWT_REPORT_ONLY"] = ["JWT_REQUIRED_CLAIMS", "JWT_DECODE_ISSUER"]
    add_view(app)
    made = tokens(app)
    with heard(app) as codes:
        assert ask(app, made["good"]) == (200, "ada")
        assert ask(app, made["expired_token"])[0] == 401
    assert codes == ["missing_claim", "expired_token!"]


@pytest.mark.parametrize("demands", [{"optional": "if-valid"}, {"report_only": True}], ids=repr)
def test_a_request_is_reported_once(make_app: MakeApp, demands: dict[str, Any]) -> None:
    """Where both the option and the view let it pass."""
    app = make_app(REQUIRED_CLAIMS=["tenant"])
    app.config["JWT_REPORT_ONLY"] = ["JWT_REQUIRED_CLAIMS"]
    add_view(app, **demands)
    with heard(app) as codes:
        for token in tokens(app).values():
            assert ask(app, token)[0] == 200
    assert codes == ["missing_claim", "expired_token", "invalid_signature", "malformed_token", "wrong_token_type"]


def test_several_tokens_and_origins_may_be_reported(make_app: MakeApp) -> None:
    """The strict checks of requests."""
    locations = {"TOKEN_LOCATION": ["headers", "cookies"], "COOKIE_SECURE": False}
    for report_only, expected in (([], 400), (["JWT_SINGLE_TOKEN"], 200)):
        app = make_app(PROFILE="strict", REPORT_ONLY=report_only, **locations)
        add_view(app)
        client = app.test_client()
        client.set_cookie("access_token_cookie", signed())
        assert client.get("/view", headers=bearer(signed())).status_code == expected
    for report_only, expected in (([], 400), (["JWT_CSRF_ORIGIN_CHECK"], 200)):
        app = make_app(PROFILE="strict", REPORT_ONLY=report_only, **locations)
        client = app.test_client()
        client.set_cookie("access_token_cookie", signed(csrf="value"))
        headers = {"X-CSRF-TOKEN": "value", "Origin": "https://evil.example"}
        assert client.post("/access", headers=headers).status_code == expected
        assert client.post("/access", headers=headers | {"X-CSRF-TOKEN": "wrong"}).status_code == 400


@pytest.mark.parametrize(
    "names", [["JWT_DECODE_LEEWAY"], ["JWT_COOKIE_CSRF_PROTECT"], ["required_claims"], "JWT_ALGORITHM"]
)
def test_nothing_else_can_be_reported_only(make_app: MakeApp, names: Any) -> None:
    """A signature is never only reported, nor is CSRF protection."""
    with pytest.raises(ConfigurationError, match="JWT_REPORT_ONLY cannot name"):
        make_app(REPORT_ONLY=names)


# --- tokens of 4.6 --------------------------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stopped_clock(monkeypatch)


UNTIL = datetime.fromtimestamp(NOW + 100, timezone.utc)


@pytest.mark.parametrize("until", [UNTIL, UNTIL.isoformat(), UNTIL.replace(tzinfo=None), UNTIL.isoformat()[:-6] + "Z"])
def test_a_subject_that_is_no_string_passes_for_a_while(make_app: MakeApp, clock: Clock, until: Any) -> None:
    """Each is counted; then it is over, to the second."""
    app = make_app(LEGACY_SUB_UNTIL=until)
    add_view(app)
    counts: list[int] = []

    def count(_app: Flask, count: int) -> None:
        counts.append(count)

    with legacy_subject.connected_to(count, app):
        for sub in (5, ["ada"], {"id": 5}, 1.5, True):
            assert ask(app, signed(sub=sub, iat=NOW, exp=NOW + 1000)) == (200, sub)
        assert ask(app, signed(iat=NOW, exp=NOW + 1000)) == (200, "ada")
    assert [number - counts[0] for number in counts] == [0, 1, 2, 3, 4]
    clock.now = NOW + 99
    assert ask(app, signed(sub=5, iat=NOW, exp=NOW + 1000))[0] == 200
    clock.now = NOW + 100
    assert ask(app, signed(sub=5, iat=NOW, exp=NOW + 1000))[0] == 422


def test_a_day_ends_where_it_begins(make_app: MakeApp, clock: Clock) -> None:
    """A date is the midnight before it, in UTC."""
    app = make_app(LEGACY_SUB_UNTIL=date(2023, 11, 15))
    add_view(app)
    clock.now = datetime(2023, 11, 14, 23, 59, 59, tzinfo=timezone.utc).timestamp()
    token = signed(sub=5, iat=NOW - 86_400, exp=NOW + 10**6)
    assert ask(app, token)[0] == 200
    clock.now += 1
    assert ask(app, token)[0] == 422


@pytest.mark.parametrize("until", ["soon", 5, True, [1], "2027-13-01"])
def test_what_is_no_date_is_told(make_app: MakeApp, until: Any) -> None:
    """With how to write one."""
    with pytest.raises(ConfigurationError, match="2027-01-31"):
        make_app(LEGACY_SUB_UNTIL=until)


def test_without_the_option_they_are_refused(app: Flask) -> None:
    """As 4.7 does."""
    add_view(app)
    assert ask(app, signed(sub=5))[0] in (401, 422)
