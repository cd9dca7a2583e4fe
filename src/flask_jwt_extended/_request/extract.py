"""Find the encoded token in a request, and the CSRF value that must match it. Nothing is decoded here.

Header and cookies are read from the WSGI environment, which is cheap, unless an application or a test has overridden
``headers`` or ``cookies`` of the request or its class, with any object that has a ``get``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

from flask import Request
from werkzeug.datastructures import EnvironHeaders
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from .._settings.parsers import LOCATIONS
from .._settings.settings import Settings, TokenKind
from ..exceptions import (
    ConfigurationError,
    InvalidHeaderError,
    InvalidQueryParamError,
    JWTExtendedException,
    MultipleTokensError,
    NoAuthorizationError,
)
from .csrf import protect

#: A token (text, but from a JSON body any value), its location, and the CSRF value that must match it.
Found = tuple[Any, str, "str | None"]

#: Errors that make the search continue in the next location: there is no token, or something that cannot be one.
NOT_HERE = (NoAuthorizationError, InvalidHeaderError, InvalidQueryParamError)


def find_token(request: Request, locations: Sequence[str], kind: TokenKind, settings: Settings) -> Found:
    """Return the first token in these locations. Something that cannot be a token does not hide one in the next."""
    refusals: list[JWTExtendedException] = []
    for location in locations:
        read = _READERS.get(location)
        if read is None:
            raise ConfigurationError(f"'{location}' is not a valid location: use {', '.join(LOCATIONS)}")
        try:
            encoded = read(request, kind, settings)
        except NOT_HERE as refusal:
            refusals.append(refusal)
            continue
        if settings.single_token:
            refuse_several(request, locations, kind, settings)
        return encoded, location, protect(request, kind, settings) if location == "cookies" else None
    raise none_found(locations, refusals)


def refuse_several(request: Request, locations: Sequence[str], kind: TokenKind, settings: Settings) -> None:
    """Count the tokens of a request in all locations (RFC 6750, section 2)."""
    count = 0
    for location in set(locations):
        with suppress(*NOT_HERE):
            _READERS[location](request, kind, settings)
            count += 1
    if (
        count > 1
        or ("cookies" in locations and _count_cookies(request, kind.cookie_name) > 1)
        or ("query_string" in locations and len(query_values(request, settings)) > 1)
        or ("json" in locations and len(_json_values(request, kind)) > 1)
    ):
        raise MultipleTokensError("The request carries more than one token")


def none_found(locations: Sequence[str], refusals: Sequence[JWTExtendedException]) -> JWTExtendedException:
    """Return one error for those of all locations: the first malformed one, if any."""
    malformed = [refusal for refusal in refusals if not isinstance(refusal, NoAuthorizationError)]
    if malformed or len(refusals) == 1:
        return (malformed or refusals)[0]
    return NoAuthorizationError(
        f"Missing JWT in {', '.join(locations[:-1])} or {locations[-1]} ({'; '.join(map(str, refusals))})"
    )


def _from_headers(request: Request, _kind: TokenKind, settings: Settings) -> str:
    if _has_own_headers(request):
        value: str = request.environ.get(settings.header_environ_name, "")
    else:
        value = request.headers.get(settings.header_name, "")
        if not isinstance(value, str):
            raise NoAuthorizationError(f"Missing {settings.header_name} Header")
    prefix = settings.header_prefix
    if value[: len(prefix)].lower() == prefix:
        if len(value) > len(prefix) + settings.max_token_bytes:
            return value  # not copied: it will be refused because of its size
        encoded = value[len(prefix) :]
        if encoded and "," not in encoded and " " not in encoded and "\t" not in encoded:
            return encoded
    # Not "<scheme> <token>", but no token, another scheme, or several credentials in one header.
    name, scheme = settings.header_name, settings.header_type
    value = value.strip(" \t,")
    if not value:
        raise NoAuthorizationError(f"Missing {name} Header")
    parts = _credentials(value, settings) if scheme else value.split()
    if len(parts) != (2 if scheme else 1):
        expected = f"{scheme} <JWT>" if scheme else "<JWT>"
        raise InvalidHeaderError(f"Bad {name} header. Expected '{name}: {expected}'")
    return parts[-1]


def _credentials(value: str, settings: Settings) -> list[str]:
    """Return the credentials of our scheme from a header that may have several, separated by commas."""
    name, scheme = settings.header_name, settings.header_type
    fields = [parts for field in value.split(",") if (parts := field.split())]
    ours = [parts for parts in fields if parts[0].lower() == scheme.lower()]
    if len(ours) > 1 and settings.single_token:
        raise MultipleTokensError("The request carries more than one token")
    if len(ours) != 1:
        raise NoAuthorizationError(f"Missing '{scheme}' type in '{name}' header. Expected '{name}: {scheme} <JWT>'")
    return ours[0]


def _from_cookies(request: Request, kind: TokenKind, _settings: Settings) -> str:
    encoded = _cookie(request, kind.cookie_name)
    if not encoded or not isinstance(encoded, str):
        raise NoAuthorizationError(f'Missing cookie "{kind.cookie_name}"')
    return encoded


def _cookie(request: Request, name: str) -> str | None:
    """Return the first cookie of this name, as ``request.cookies`` does. Parsing them all costs more than verifying a
    token. Headers with quotes, which no token needs, are left to Werkzeug.
    """
    header: str = request.environ.get("HTTP_COOKIE", "")
    is_plain = "cookies" not in request.__dict__ and '"' not in header
    if not (is_plain and _inherits_cookies(request) and _has_own_headers(request)):
        return next(iter(_parsed_cookies(request, name)), None)
    for pair in header.split(";"):
        key, _, value = pair.partition("=")
        if key.strip(" \t") == name:
            return value.strip(" \t")
    return None


def _count_cookies(request: Request, name: str) -> int:
    """Count the cookies of a name, including those that Werkzeug ignores but other parsers may not."""
    is_own = _inherits_cookies(request) and _has_own_headers(request)
    header: str = request.environ.get("HTTP_COOKIE", "") if is_own else ""
    named = sum(pair.partition("=")[0].strip(" \t") == name for pair in header.split(";"))
    return max(named, len(_parsed_cookies(request, name)))


#: How Werkzeug reads cookies.
_COOKIES: Any = Request.cookies


def _inherits_cookies(request: Request) -> bool:
    """Return whether the class of a request reads cookies as Flask's does. Tests may patch it at any time."""
    request_class: Any = type(request)
    return request_class.cookies is _COOKIES


def _has_own_headers(request: Request) -> bool:
    """Return whether the headers of a request are those of its environment."""
    request_class: Any = type(request)
    headers = request.__dict__.get("headers")
    return type(headers) is EnvironHeaders and headers.environ is request.environ and _inherits_headers(request_class)


@lru_cache(64)
def _inherits_headers(request_class: Any) -> bool:
    """Return whether a class of requests reads headers as Flask's does."""
    names = ("dict_storage_class", "__getattribute__")
    return not hasattr(request_class, "headers") and all(
        getattr(request_class, name) is getattr(Request, name) for name in names
    )


# Werkzeug decodes the cookie header and the query string strictly, so invalid UTF-8 would end in a 500.


def _parsed_cookies(request: Request, name: str) -> list[Any]:
    is_unread = "cookies" not in request.__dict__ and _inherits_cookies(request)
    if is_unread and not hasattr(request.headers, "getlist"):
        return []  # Werkzeug cannot read them from a plain dictionary
    try:
        return _values(request.cookies, name)
    except UnicodeDecodeError:
        return []


def query_values(request: Request, settings: Settings) -> list[Any]:
    """Return the values of the parameter for tokens in the query string."""
    try:
        return _values(request.args, settings.query_string_name)
    except UnicodeDecodeError:
        return []


def _values(mapping: Any, name: str) -> list[Any]:
    """Return the values of a name in a ``MultiDict``, or in any other mapping."""
    if hasattr(mapping, "getlist"):
        return list(mapping.getlist(name))
    value = mapping.get(name)
    return [] if value is None else [value]


def _from_query_string(request: Request, _kind: TokenKind, settings: Settings) -> str:
    name, prefix = settings.query_string_name, settings.query_string_value_prefix
    value = next(iter(query_values(request, settings)), None)
    if not value or not isinstance(value, str):
        raise NoAuthorizationError(f"Missing '{name}' query paramater")
    if not value.startswith(prefix):
        raise InvalidQueryParamError(
            f"Invalid value for query parameter '{name}'. Expected the value to start with '{prefix}'"
        )
    return value[len(prefix) :]


def _from_json(request: Request, kind: TokenKind, _settings: Settings) -> Any:
    if not request.is_json:
        raise NoAuthorizationError("Invalid content-type. Must be application/json.")
    values = _json_values(request, kind)
    if not values:
        raise NoAuthorizationError(f'Missing "{kind.json_keys[0]}" key in json data.')
    return values[0]


def _json_values(request: Request, kind: TokenKind) -> list[Any]:
    """Return the values of the keys for tokens in a JSON body."""
    try:
        body = request.json if request.is_json else None
    except (BadRequest, UnsupportedMediaType, RecursionError):
        return []
    return [value for key in kind.json_keys if (value := body.get(key))] if isinstance(body, Mapping) else []


_READERS: dict[str, Callable[[Request, TokenKind, Settings], Any]] = {
    "headers": _from_headers,
    "cookies": _from_cookies,
    "query_string": _from_query_string,
    "json": _from_json,
}


def sent_tokens(request: Request, settings: Settings) -> Iterator[Any]:
    """Yield the tokens of both kinds, unverified, in the cookies of a request and in JWT_TOKEN_LOCATION."""
    for kind in (settings.access, settings.refresh):
        for location in {"cookies", *settings.token_location}:
            with suppress(*NOT_HERE, MultipleTokensError):
                yield _READERS[location](request, kind, settings)
