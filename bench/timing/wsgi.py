"""A request to a Flask application within this process, without a test client's own cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from flask import Flask

COOKIES = "session=eyJ0aGVtZSI6ImRhcmsifQ; access_token_cookie={}; csrf_access_token={}"
CSRF = "7b1a5f0e-6f0c-4f43-9d3c-5e2b7d0f4c11"


class _Body(Protocol):
    def __iter__(self) -> Iterator[bytes]: ...
    def close(self) -> None: ...


def credentials(location: str, token: str) -> dict[str, str]:
    """Return the headers of a GET request that carries ``token``."""
    if location == "cookies":
        return {"Cookie": COOKIES.format(token, CSRF)}
    return {"Authorization": f"Bearer {token}"}


def get(app: Flask, path: str, headers: Mapping[str, str]) -> Callable[[], bytes]:
    """Return a call that requests ``path`` and reads the whole answer."""
    environ = _environ(path, headers)
    copy, serve = environ.copy, app.wsgi_app

    def call() -> bytes:
        body = cast("_Body", serve(copy(), _start_response))
        content = b"".join(body)
        body.close()
        return content

    return call


def status(app: Flask, path: str, headers: Mapping[str, str]) -> int:
    """Request ``path`` once and return the status of the answer."""
    seen: list[str] = []

    def start_response(line: str, *_: object) -> Callable[[bytes], object]:
        seen.append(line)
        return _write

    body = cast("_Body", app.wsgi_app(_environ(path, headers), start_response))
    b"".join(body)
    body.close()
    return int(seen[0].split()[0])


def _environ(path: str, headers: Mapping[str, str]) -> dict[str, Any]:
    from werkzeug.test import EnvironBuilder

    return EnvironBuilder(path=path, headers=headers.items()).get_environ()


def _start_response(*_: object) -> Callable[[bytes], object]:
    return _write


def _write(_: bytes) -> object:
    raise AssertionError("Flask answers with an iterable")
