"""``flask jwt`` as it is typed: exit statuses, what is printed, and what never is."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from flask_jwt_extended import create_access_token, start_session
from flask_jwt_extended._cli import jwt
from flask_jwt_extended._cli.check import SALT
from flask_jwt_extended._cli.config import masked
from flask_jwt_extended._cli.inspect import as_json
from flask_jwt_extended._cli.terminal import MASK, printable
from flask_jwt_extended._settings.settings import NAMES
from flask_jwt_extended.stores.memory import MemoryStore

from .._diagnostics.test_application import claims_at_now
from ..conftest import PRIVATE_KEYS, SECRET, MakeApp, pem
from ..tokens import genuine

HEAD = "from flask import Flask\nfrom flask_jwt_extended import JWTManager, jwt_required\nimport os, secrets\n"
FIXED = f"""{HEAD}
app = Flask(__name__)
app.config.update(JWT_PROFILE='strict', JWT_SECRET_KEY={SECRET!r})
JWTManager(app)
"""
RANDOM = FIXED.replace(repr(SECRET), "secrets.token_hex(32)")
BARE_VIEW = "\n@jwt_required()\n@app.get('/reports')\ndef reports(): return {}\n"


def run(app: Flask, *arguments: str, **options: Any) -> Result:
    """Run ``flask jwt`` on an application in this process."""
    result = app.test_cli_runner().invoke(jwt, arguments, **options)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def run_flask(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m flask`` as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "flask", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def write(folder: Path, source: str, name: str = "shop.py") -> str:
    (folder / name).write_text(source)
    return name.removesuffix(".py")


# --- check ----------------------------------------------------------------------------------------------------------


def test_an_error_makes_the_exit_status_one(make_app: MakeApp) -> None:
    """Continuous integration stops on a secret that everybody knows."""
    result = run(make_app(SECRET_KEY="changeme"), "check")
    assert result.exit_code == 1
    first, why, fix, *_ = result.stdout.splitlines()
    assert first.startswith("error: ")
    assert first.endswith("[guessable_secret]")
    assert why.startswith("    why: ")
    assert fix.startswith("    fix: ")
    assert result.stdout.splitlines()[-1] == "error: 1, warning: 1, info: 2"


@pytest.mark.parametrize(
    ("options", "arguments", "status"),
    [
        ({"PROFILE": "strict"}, ["--strict"], 0),
        ({"ACCESS_TOKEN_EXPIRES": False}, [], 0),
        ({"ACCESS_TOKEN_EXPIRES": False}, ["--strict"], 1),
        ({"ACCESS_TOKEN_EXPIRES": False}, ["--strict", "--json"], 1),
        ({"SECRET_KEY": None}, ["--json"], 1),
        ({}, ["--unknown"], 2),
    ],
)
def test_exit_statuses(make_app: MakeApp, options: dict[str, Any], arguments: list[str], status: int) -> None:
    """0: no error. 1: an error, or with --strict a warning. 2: a command that does not exist."""
    assert run(make_app(**options), "check", *arguments).exit_code == status


def test_findings_as_json(make_app: MakeApp) -> None:
    """One object a finding, what is worst first."""
    found = json.loads(run(make_app(SECRET_KEY=None, ACCESS_TOKEN_EXPIRES=False), "check", "--json").stdout)
    assert [finding["severity"] for finding in found] == ["error", "warning", "info"]
    assert all(set(finding) == {"severity", "code", "message", "why", "fix"} for finding in found)


def test_an_application_without_the_extension_is_told() -> None:
    """Every command says what to do, and none ends in a traceback."""
    app = Flask("bare")
    for arguments in (["check"], ["config"], ["inspect", "a.b.c"]):
        result = run(app, *arguments)
        assert result.exit_code == 1
        assert "JWTManager(app)" in result.output


def test_an_application_object_is_not_loaded_twice(make_app: MakeApp) -> None:
    """Without an import path, the comparison of keys is left out and said to be."""
    (finding,) = json.loads(run(make_app(PROFILE="strict"), "check", "--json").stdout)
    assert (finding["severity"], finding["code"]) == ("info", "key_not_compared")
    assert finding["message"].endswith("the application was not loaded by the flask command")


def test_a_key_chosen_by_a_loader_is_not_compared(make_app: MakeApp) -> None:
    """The key of ``encode_key_loader`` belongs to an identity."""
    app = make_app(PROFILE="strict")
    app.extensions["flask-jwt-extended"].encode_key_loader(lambda _identity: SECRET)
    result = run(app, "check")
    assert result.exit_code == 0
    assert "encode_key_loader chooses the key" in result.stdout


# --- as a process ---------------------------------------------------------------------------------------------------


def test_a_clean_application_prints_one_line(tmp_path: Path) -> None:
    """``flask --app shop jwt check`` on an application with nothing wrong."""
    done = run_flask(tmp_path, "--app", write(tmp_path, FIXED), "jwt", "check", "--strict")
    assert (done.returncode, done.stdout, done.stderr) == (0, "No problems found.\n", "")


@pytest.mark.parametrize(
    ("name", "arguments", "environment"),
    [
        ("shop.py", ["--app", "shop"], {}),
        ("shop.py", [], {"FLASK_APP": "shop.py:app"}),
        ("app.py", [], {}),
    ],
)
def test_a_key_made_at_import_is_found(
    tmp_path: Path, name: str, arguments: list[str], environment: dict[str, str]
) -> None:
    """Another process loads the same application, however it is named, and has another key."""
    write(tmp_path, f"{RANDOM}{BARE_VIEW}print('loaded')\n", name)
    done = run_flask(tmp_path, *arguments, "jwt", "check", "--json", **environment)
    found = json.loads(done.stdout.removeprefix("loaded\n"))
    assert [finding["code"] for finding in found] == ["unprotected_view", "key_differs"]
    assert done.returncode == 1


@pytest.mark.parametrize(
    "source",
    [
        f"{FIXED}if os.environ.get({SALT!r}): raise SystemExit(3)\n",
        f"{FIXED}if os.environ.get({SALT!r}): app.config['JWT_SECRET_KEY'] = None\n",
        f"{FIXED}if os.environ.get({SALT!r}): raise RuntimeError('no second process')\n",
    ],
)
def test_a_second_process_that_fails_is_no_failure(tmp_path: Path, source: str) -> None:
    """An application that cannot be loaded twice is told so as an info."""
    done = run_flask(tmp_path, "--app", write(tmp_path, source), "jwt", "check")
    assert (done.returncode, done.stderr) == (0, "")
    assert "[key_not_compared]" in done.stdout
    assert done.stdout.splitlines()[-1] == "error: 0, warning: 0, info: 1"


def test_a_second_process_that_prints_no_digest_is_no_failure(tmp_path: Path) -> None:
    """Whatever another process prints in place of a digest is not taken for one."""
    source = f"{FIXED}if os.environ.get({SALT!r}):\n    print('hello')\n    os._exit(0)\n"
    done = run_flask(tmp_path, "--app", write(tmp_path, source), "jwt", "check")
    assert "[key_not_compared]" in done.stdout
    assert done.returncode == 0


def test_a_digest_needs_the_salt_of_the_process_that_asks(app: Flask) -> None:
    """The hidden command is of no use to anybody else, and shows no key."""
    assert run(app, "key-digest").exit_code == 2
    first, second = (run(app, "key-digest", env={SALT: salt}).stdout for salt in ("one", "two"))
    assert first != second
    assert SECRET not in first
    assert "key-digest" not in run(app, "--help").stdout


# --- config ---------------------------------------------------------------------------------------------------------


def config_of(app: Flask) -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = json.loads(run(app, "config", "--json").stdout)
    return rows


def test_config_lists_every_option(app: Flask) -> None:
    """One row an option, in the table as in JSON."""
    assert list(config_of(app)) == list(NAMES)
    head, *lines = run(app, "config").stdout.splitlines()
    assert head.split() == ["option", "value", "default", "source"]
    assert [line.split()[0] for line in lines] == list(NAMES)


def test_config_says_where_a_value_comes_from(make_app: MakeApp) -> None:
    """Values are shown as they take effect, with the default they replace."""
    app = make_app(
        PROFILE="strict", ACCESS_TOKEN_EXPIRES=timedelta(minutes=5), COOKIE_SAMESITE="Lax", CSRF_METHODS="put"
    )
    rows = config_of(app)
    assert rows["JWT_ACCESS_TOKEN_EXPIRES"] == {"value": 300, "default": 900, "source": "set"}
    assert rows["JWT_REFRESH_TOKEN_EXPIRES"] == {"value": 2_592_000, "default": 2_592_000, "source": "default"}
    assert rows["JWT_COOKIE_SECURE"] == {"value": True, "default": True, "source": "profile"}
    assert rows["JWT_COOKIE_SAMESITE"] == {"value": "Lax", "default": "Lax", "source": "set"}
    assert rows["JWT_CSRF_METHODS"] == {"value": ["PUT"], "default": None, "source": "set"}
    app.config["JWT_DECODE_LEEWAY"] = 2.5
    assert config_of(app)["JWT_DECODE_LEEWAY"] == {"value": 2.5, "default": 0, "source": "set"}


def test_config_shows_flasks_secret_where_it_is_used(make_app: MakeApp) -> None:
    """It is masked, and its source is named."""
    app = make_app(SECRET_KEY=None)
    assert config_of(app)["JWT_SECRET_KEY"]["value"] is None
    app.config["SECRET_KEY"] = "flask's own"
    assert config_of(app)["JWT_SECRET_KEY"] == {"value": MASK, "default": None, "source": "SECRET_KEY"}


def test_config_masks_secrets(make_app: MakeApp) -> None:
    """No part of a key is printed, nor how long it is."""
    private, public = pem(PRIVATE_KEYS["RS256"])
    app = make_app(SECRET_KEY="tiger", PRIVATE_KEY=private, PUBLIC_KEY=public)
    for output in (run(app, "config").stdout, run(app, "config", "--json").stdout):
        assert output.count(MASK) == 3
        assert "tiger" not in output
        assert "BEGIN" not in output
        assert private.splitlines()[3] not in output


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("memory://", "memory://"),
        ("sqlite:///jwt.db", "sqlite:///jwt.db"),
        ("sqlite:////var/lib/my app/jwt.db?timeout=5", f"sqlite:////var/lib/my app/jwt.db?{MASK}"),
        ("redis://localhost", "redis://localhost"),
        ("redis://:tiger@cache:6379/0", f"redis://{MASK}@cache:6379/0"),
        ("redis://:tig\ner@cache", f"redis://{MASK}@cache"),
        ("redis://[::1]:6379/0", "redis://[::1]:6379/0"),
        ("redis+sentinel://u:tiger@a:26379,b:26379/main", f"redis+sentinel://{MASK}@a:26379,b:26379/main"),
        ("postgresql+psycopg://shop:tiger@db/shop", f"postgresql+psycopg://{MASK}@db/shop"),
        ("postgresql://db/shop?password=tiger", f"postgresql://db/shop?{MASK}"),
        ("mssql+pyodbc:///?odbc_connect=PWD%3Dtiger", f"mssql+pyodbc:///?{MASK}"),
    ],
)
def test_config_shows_where_the_store_is(uri: str, shown: str) -> None:
    """Scheme, host and path; not as whom, nor how."""
    assert masked("JWT_STORE_URI", uri) == shown


@pytest.mark.parametrize(
    "uri",
    [
        "redis://:tig?er@cache",
        "redis://:tig/er@cache",
        "redis://:tig#er@cache",
        "redis://:tig@er@cache",
        "redis://:tiger",
        "redis://cache?user=a@b&password=tiger",
        "redis://cache/tiger@a",
        "redis://shop:12/tiger@cache",
        "redis://shop:12?tiger@cache",
        "redis:tiger@cache",
        "tiger",
    ],
)
def test_config_shows_nothing_of_a_uri_that_leaves_doubt(uri: str) -> None:
    """A password that should have been escaped cuts it at the wrong places."""
    assert masked("JWT_STORE_URI", uri) == MASK


def test_config_names_the_kind_of_a_store_of_ones_own(make_app: MakeApp) -> None:
    """Its ``repr`` may show anything."""
    assert config_of(make_app(STORE_URI=MemoryStore()))["JWT_STORE_URI"]["value"] == "MemoryStore"
    assert config_of(make_app(STORE_URI="memory://"))["JWT_STORE_URI"]["value"] == "memory://"
    assert config_of(make_app())["JWT_STORE_URI"]["value"] is None


# --- inspect --------------------------------------------------------------------------------------------------------


def test_inspect_shows_a_good_token(app: Flask) -> None:
    """Header, claims with their times in words, each check; and 0 for a token that passes."""
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
    """A token of a session that was ended is refused, and its session is the reason."""
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
    """1 for a token that would be refused, each reason on its line."""
    result = run(app, "inspect", genuine(claims_at_now(), secret="another"))
    assert result.exit_code == 1
    failed = [line.split()[1] for line in result.stdout.splitlines() if line.startswith("  FAIL")]
    assert failed == ["signature", "exp"]
    assert result.stdout.splitlines()[-1] == "refused"


@pytest.mark.parametrize("form", ["{}", "{}\n", "  Bearer {}\r\n", "bearer {}"])
def test_inspect_reads_standard_input(app: Flask, form: str) -> None:
    """``-`` keeps the token out of the history of the shell; it may come as it was copied."""
    with app.app_context():
        token = create_access_token("ada")
    assert run(app, "inspect", "-", input=form.format(token)).exit_code == 0


@pytest.mark.parametrize("claims", [{}, {"exp": 1}])
def test_inspect_prints_nothing_that_would_replay(app: Flask, claims: dict[str, Any]) -> None:
    """No signature, its own or of a token among the claims, and no CSRF value."""
    inner = genuine(claims_at_now())
    with app.app_context():
        extra = {"csrf": "5ad5-csrf", "inner": inner, "list": [f"Bearer {inner}"], inner: 1, **claims}
        token = create_access_token("ada", additional_claims=extra, additional_headers={"x": inner})
    output = run(app, "inspect", token).output
    assert "5ad5-csrf" not in output
    for each in (token, inner):
        assert each.rpartition(".")[2] not in output
    assert "eyJ" in output


HOSTILE = "\x1b]0;owned\x07\x9b31m\x7f\r\n\u202e\ud800\U0001f600"


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
    """Control characters, and everything else that is not plain ASCII, is escaped."""
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
    """Deep nesting, numbers beyond any calendar, and nothing at all."""
    result = run(app, "inspect", genuine(claims))
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "refused"


def test_what_is_too_deep_for_json_is_said_to_be() -> None:
    """A parser may go deeper than a writer."""
    deep: list[Any] = []
    for _ in range(200_000):
        deep = [deep]
    assert as_json(deep) == "(nested too deeply, or too large, to show)"


class Endless(io.RawIOBase):
    """A stream that has as many bytes as it is asked for, up to ten million."""

    given = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = 10_000_000 - self.given if size is None or size < 0 else size
        self.given += wanted
        return b"A" * wanted


def test_endless_input_is_cut_off(app: Flask) -> None:
    """No more of standard input is read than a token may have."""
    endless = Endless()
    result = run(app, "inspect", "-", input=endless)
    assert "longer than 16384 bytes" in result.stdout
    assert result.exit_code == 1
    assert 16384 < endless.given < 100_000


def test_a_site_is_no_token() -> None:
    """Only what looks like a token loses its end."""
    assert printable("https://accounts-and-more.example.com") == "https://accounts-and-more.example.com"
    assert printable(genuine({})).endswith(f".{MASK}")
