"""``flask jwt inspect``: what it prints of a token, and what it never prints."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from flask_jwt_extended import create_access_token, start_session
from flask_jwt_extended._cli.inspect import as_json
from flask_jwt_extended._cli.terminal import MASK, printable
from flask_jwt_extended.stores.memory import MemoryStore

from .._diagnostics.test_token import claims_at_now
from ..conftest import MakeApp
from ..tokens import genuine
from .helpers import HOSTILE, run


def test_inspect_shows_a_good_token(app: Flask) -> None:
    """Header, claims with their times as text, and each check. The exit status is 0."""
    with app.app_context():
        token = create_access_token("ada", expires_delta=timedelta(minutes=14, seconds=30))
    result = run(app, "inspect", token)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[:4] == ["header", '  "alg"  "HS256"', '  "typ"  "JWT"', "claims"]
    assert [line for line in lines if line.startswith('  "exp"') and line.endswith("UTC, valid for 14 minutes)")]
    assert "  pass  signature        made by the configured key" in lines
    assert lines[-1] == "accepted"


def test_inspect_asks_the_store(make_app: MakeApp) -> None:
    """A token of an ended session is refused, with the session as the reason."""
    app = make_app(STORE_URI=(store := MemoryStore()))
    with app.test_request_context():
        pair = start_session("ada")
    result = run(app, "inspect", pair.access_token)
    assert result.exit_code == 0
    assert "  pass  session          active for another 29 days unless it is refreshed" in result.stdout.splitlines()
    store.remove(pair.session_id)
    result = run(app, "inspect", pair.access_token)
    assert result.exit_code == 1
    assert "  FAIL  session          the session has ended or does not exist" in result.stdout.splitlines()


def test_inspect_shows_why_a_token_is_refused(app: Flask) -> None:
    """The exit status is 1, and each failed check has a line."""
    result = run(app, "inspect", genuine(claims_at_now(), secret="another"))
    assert result.exit_code == 1
    failed = [line.split()[1] for line in result.stdout.splitlines() if line.startswith("  FAIL")]
    assert failed == ["signature", "exp"]
    assert result.stdout.splitlines()[-1] == "refused"


@pytest.mark.parametrize("form", ["{}", "{}\n", "  Bearer {}\r\n", "bearer {}"])
def test_inspect_reads_standard_input(app: Flask, form: str) -> None:
    """``-`` keeps the token out of the shell's history. It may be copied with ``Bearer`` and spaces."""
    with app.app_context():
        token = create_access_token("ada")
    assert run(app, "inspect", "-", input=form.format(token)).exit_code == 0


@pytest.mark.parametrize("claims", [{}, {"exp": 1}])
def test_inspect_prints_nothing_that_can_be_replayed(app: Flask, claims: dict[str, Any]) -> None:
    """No CSRF value and no signature, of the token itself or of one among its claims."""
    inner = genuine(claims_at_now())
    with app.app_context():
        extra = {"csrf": "5ad5-csrf", "inner": inner, "list": [f"Bearer {inner}"], inner: 1, **claims}
        token = create_access_token("ada", additional_claims=extra, additional_headers={"x": inner})
    output = run(app, "inspect", token).output
    assert "5ad5-csrf" not in output
    for each in (token, inner):
        assert each.rpartition(".")[2] not in output
    assert "eyJ" in output


@pytest.mark.parametrize(
    "token",
    [
        genuine(claims_at_now(**{"sub": HOSTILE, HOSTILE: {HOSTILE: [HOSTILE]}})),
        genuine(claims_at_now(type=HOSTILE)),
        genuine(claims_at_now(), header={"alg": HOSTILE, "typ": HOSTILE, HOSTILE: 1}),
        genuine(claims_at_now(), header={"alg": "HS256", "typ": f"{HOSTILE}+jwt"}),
        genuine(claims_at_now(), header={"alg": "HS256", "crit": [HOSTILE]}),
        HOSTILE,
        f"{HOSTILE}.a.b",
    ],
)
def test_nothing_of_a_token_reaches_the_terminal_raw(app: Flask, token: str) -> None:
    """Control characters and everything else that is not plain ASCII are escaped."""
    for result in (run(app, "inspect", token), run(app, "inspect", "-", input=token.encode("utf-8", "replace"))):
        assert result.exit_code == 1
        assert [each for each in result.output if each != "\n" and not " " <= each <= "~"] == []


@pytest.mark.parametrize(
    "claims",
    [
        b'{"a": ' * 900 + b"1" + b"}" * 900,
        b'{"exp": 1e400, "iat": -1e400}',
        b'{"exp": ' + b"9" * 4000 + b', "nbf": -' + b"9" * 4000 + b"}",
        b'{"exp": 253402300800, "iat": -62135596801.5, "nbf": 1e308}',
        b'{"": "", "sub": null}',
        b"{}",
        b"null",
    ],
)
def test_odd_claims_end_in_no_traceback(app: Flask, claims: bytes) -> None:
    """Deep nesting, numbers beyond any calendar, and no claims at all."""
    result = run(app, "inspect", genuine(claims))
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "refused"


def test_a_value_that_json_cannot_write_is_replaced() -> None:
    """A value that cannot be written as JSON is replaced by a remark."""
    deep: list[Any] = []
    for _ in range(200_000):
        deep = [deep]
    assert as_json(deep) == "(nested too deeply, or too large, to show)"


class Endless(io.RawIOBase):
    """A stream that returns any number of bytes, up to ten million."""

    given = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = 10_000_000 - self.given if size is None or size < 0 else size
        self.given += wanted
        return b"A" * wanted


def test_endless_input_is_cut_off(app: Flask) -> None:
    """Little more of standard input is read than a token may have."""
    endless = Endless()
    result = run(app, "inspect", "-", input=endless)
    assert "longer than 16384 bytes" in result.stdout
    assert result.exit_code == 1
    assert 16384 < endless.given < 100_000


def test_only_tokens_are_masked() -> None:
    """Only the end of something that looks like a token is masked."""
    assert printable("https://accounts-and-more.example.com") == "https://accounts-and-more.example.com"
    assert printable(genuine({})).endswith(f".{MASK}")
