"""``flask jwt config``: every option and its source, and no secret."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from flask_jwt_extended._cli.config import masked
from flask_jwt_extended._cli.terminal import MASK
from flask_jwt_extended._settings.options import NAMES
from flask_jwt_extended.stores.memory import MemoryStore

from ..conftest import PRIVATE_KEYS, MakeApp, pem
from .helpers import run


def config_of(app: Flask) -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = json.loads(run(app, "config", "--json").stdout)
    return rows


def test_config_lists_every_option(app: Flask) -> None:
    """One row per option, in the table and in JSON."""
    assert list(config_of(app)) == list(NAMES)
    head, *lines = run(app, "config").stdout.splitlines()
    assert head.split() == ["option", "value", "default", "source"]
    assert [line.split()[0] for line in lines] == list(NAMES)


def test_config_says_where_a_value_comes_from(make_app: MakeApp) -> None:
    """Each value as it is used, with the default that it replaces and its source."""
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
    """It is masked, and its source is SECRET_KEY."""
    app = make_app(SECRET_KEY=None)
    assert config_of(app)["JWT_SECRET_KEY"]["value"] is None
    app.config["SECRET_KEY"] = "flask's own"
    assert config_of(app)["JWT_SECRET_KEY"] == {"value": MASK, "default": None, "source": "SECRET_KEY"}


def test_config_masks_secrets(make_app: MakeApp) -> None:
    """Neither a part of a key nor its length is printed."""
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
    """Scheme, host and path are shown; user, password and query are masked."""
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
def test_config_masks_an_ambiguous_uri(uri: str) -> None:
    """A password that is not escaped makes the parts of a URI ambiguous, so all of it is masked."""
    assert masked("JWT_STORE_URI", uri) == MASK


def test_config_names_the_class_of_a_custom_store(make_app: MakeApp) -> None:
    """The class is shown, because the ``repr`` may contain anything."""
    assert config_of(make_app(STORE_URI=MemoryStore()))["JWT_STORE_URI"]["value"] == "MemoryStore"
    assert config_of(make_app(STORE_URI="memory://"))["JWT_STORE_URI"]["value"] == "memory://"
    assert config_of(make_app())["JWT_STORE_URI"]["value"] is None
