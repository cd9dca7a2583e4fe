"""Parsers of option values. Each takes a value and the name of its option, and returns the parsed value or raises a
ConfigurationError that names the fix.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Collection, Container
from datetime import date, datetime, timedelta, timezone
from string import ascii_lowercase, digits
from typing import Any
from urllib.parse import urlsplit

import jwt
from jwt.algorithms import requires_cryptography

from ..exceptions import ConfigurationError, JWTConfigWarning
from .cookie_rules import check_domain
from .redaction import shown

#: The locations of a token, in the order in which a set of them is searched.
LOCATIONS = ("headers", "cookies", "query_string", "json")

Parser = Callable[[Any, str], Any]


def anything(value: Any, _name: str) -> Any:
    """Take any value; an empty one counts as not set, as in 4.7."""
    return value or None


def store(value: Any, name: str) -> Any:
    """Take any value. An empty string is refused: it is most likely a missing environment variable."""
    if isinstance(value, str) and not value.strip():
        raise ConfigurationError(
            f'{name} is empty. Name a store, such as "sqlite:///jwt.db", or remove the option if this application '
            "keeps no sessions"
        )
    return value


def key_set(value: Any, name: str) -> Any:
    """Take any value. An empty one is refused: it is most likely a missing variable. JWT_SECRET_KEY would sign."""
    if value is not None and not (value.strip() if isinstance(value, str) else value):
        raise ConfigurationError(
            f'{name} is empty: name a JWK Set file, such as "keys.json", or remove the option if this application has '
            "single keys"
        )
    return value


def flag(value: Any, name: str) -> bool:
    """Take the truth value of anything, as 4.7 does. Warn of strings: ``"false"`` from the environment is true."""
    if isinstance(value, str):
        warnings.warn(
            f"{name} is the string {shown(value)}, which counts as {bool(value)}; use a bool",
            JWTConfigWarning,
            stacklevel=2,
        )
    return bool(value)


def choice(*choices: str) -> Parser:
    """Take one of these words."""

    def parse(value: Any, name: str) -> str:
        if value not in choices:
            raise ConfigurationError(f"{name} must be {' or '.join(map(repr, choices))}, not {shown(value)}")
        return str(value)

    return parse


def text(value: Any, name: str) -> str:
    """Take a string."""
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} must be a string, not {shown(value)}")
    return value


def text_or_empty(value: Any, name: str) -> str:
    """Take a string; ``None`` counts as empty."""
    return text("" if value is None else value, name)


def scheme(value: Any, name: str) -> str:
    """Take a string that a header can contain; ``None`` counts as empty."""
    taken = text_or_empty(value, name)
    if taken and not (taken.isprintable() and max(taken) <= "\xff"):
        raise ConfigurationError(
            f"{name} must be a scheme such as 'Bearer', which a header can contain, not {shown(value)}"
        )
    return taken


def optional_text(value: Any, name: str) -> str | None:
    """Take a string or ``None``."""
    return None if value is None else text(value, name)


def optional_path(value: Any, name: str) -> str | None:
    """Take the path of a URL, or ``None``."""
    path = optional_text(value, name)
    if path and not path.startswith("/"):
        raise ConfigurationError(f"{name} must be a path that begins with '/', not {shown(path)}")
    return path


def word(value: Any, name: str) -> str:
    """Take a string that is not empty."""
    if not text(value, name):
        raise ConfigurationError(f"{name} cannot be empty")
    return str(value)


def several(value: Any, name: str) -> tuple[Any, ...]:
    """Take a string, or a collection of any values."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, bytes) or not isinstance(value, Collection):  # an iterator can be read only once
        raise ConfigurationError(f"{name} must be a string or a list of strings, not {shown(value)}")
    return tuple(value)


def words(value: Any, name: str) -> tuple[str, ...]:
    """Take one name, or several."""
    chosen = tuple(word(each, name) for each in several(value, name))
    if not chosen:
        raise ConfigurationError(f"{name} cannot be empty")
    return chosen


def words_or_none(value: Any, name: str) -> tuple[str, ...]:
    """Take any number of names; ``None`` counts as none."""
    return tuple(word(each, name) for each in several(value or (), name))


def locations(value: Any, name: str) -> tuple[str, ...]:
    """Take one location or several. A set is put in the order of :data:`LOCATIONS`."""
    if not isinstance(value, Collection):
        raise ConfigurationError(f"{name} must be a sequence or a set, not {shown(value)}")
    chosen = (value,) if isinstance(value, str) else tuple(value)
    if isinstance(value, (set, frozenset)):
        chosen = tuple(sorted(chosen, key=lambda location: (*LOCATIONS, location).index(location)))
    if not chosen:
        raise ConfigurationError(f'{name} must contain at least one of "headers", "cookies", "query_string", or "json"')
    for location in chosen:
        if location not in LOCATIONS:
            raise ConfigurationError(
                f'{name} can only contain "headers", "cookies", "query_string", or "json", not {shown(location)}'
            )
    return chosen


def lifetime_or_none(value: Any, name: str) -> Any:
    """Take a lifetime; ``None`` counts as ``False``, no limit."""
    return False if value is None else lifetime(value, name)


def lifetime(value: Any, name: str) -> Any:
    """Take ``False``, a number of seconds, or anything that can be added to a ``datetime``."""
    if value is False:
        return False
    try:
        delta = timedelta(seconds=value) if type(value) in (int, float) else value
        _ = datetime.now(timezone.utc) + delta
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigurationError(
            f"must be able to add {name} to datetime.datetime: use a timedelta, seconds, or False, not {shown(value)}"
        ) from error
    return delta


def is_positive(lifetime: Any) -> bool:
    """Return whether a lifetime is longer than zero. ``False`` is unlimited."""
    if lifetime is False:
        return True
    start = datetime(2000, 1, 1, tzinfo=timezone.utc)  # the length of a relativedelta depends on the date
    return bool(start + lifetime > start)


def seconds(value: Any, name: str) -> float:
    """Take a finite number of seconds, or a ``timedelta``."""
    number = value.total_seconds() if isinstance(value, timedelta) else value
    if type(number) not in (int, float) or not math.isfinite(number):
        raise ConfigurationError(f"{name} must be a number of seconds or a timedelta, not {shown(value)}")
    return float(number)


def seconds_not_negative(value: Any, name: str) -> float:
    """Take a number of seconds that is zero or more, or such a ``timedelta``."""
    number = seconds(value, name)
    if number < 0:
        raise ConfigurationError(f"{name} cannot be negative: {shown(value)}")
    return number


def seconds_positive(value: Any, name: str) -> float:
    """Take a number of seconds that is more than zero, or such a ``timedelta``."""
    number = seconds(value, name)
    if number <= 0:
        raise ConfigurationError(f"{name} must be more than zero seconds, not {shown(value)}")
    return number


def moment(value: Any, name: str) -> float | None:
    """Take a ``date`` or ``datetime``, or one in ISO 8601. Return seconds since the epoch; the default zone is UTC."""
    try:
        then = datetime.fromisoformat(value.replace("Z", "+00:00")) if isinstance(value, str) else value
        if isinstance(then, date) and not isinstance(then, datetime):
            then = datetime.combine(then, datetime.min.time())
        return None if then is None else (then if then.tzinfo else then.replace(tzinfo=timezone.utc)).timestamp()
    except (AttributeError, ValueError):
        raise ConfigurationError(
            f"{name} must be a date, or one in ISO 8601 such as 2027-01-31, not {shown(value)}"
        ) from None


def whole(least: int, meaning: str) -> Parser:
    """Take a whole number that is not less than this one."""

    def parse(value: Any, name: str) -> int:
        if type(value) is not int or value < least:
            raise ConfigurationError(f"{name} must be {meaning}, not {shown(value)}")
        return value

    return parse


def secrets(value: Any, name: str) -> tuple[Any, ...]:
    """Take a list of secrets."""
    listed = () if value is None else value
    if not isinstance(listed, (list, tuple)) or not all(each and isinstance(each, (str, bytes)) for each in listed):
        raise ConfigurationError(f"{name} must be a list of secrets, as text or bytes")
    return tuple(listed)


def algorithm(value: Any, name: str) -> str:
    """Take the name of an algorithm that PyJWT supports on this machine, except ``none``."""
    try:
        jwt.get_algorithm_by_name(word(value, name))
    except NotImplementedError:
        hint = (
            "install it with: pip install 'flask-jwt-extended[crypto]'"
            if value in requires_cryptography
            else "the algorithms are listed in the documentation of PyJWT"
        )
        raise ConfigurationError(f"{name} names {shown(value)}, which is not available here; {hint}") from None
    if value == "none":
        raise ConfigurationError(f"{name} cannot be 'none': such tokens have no signature")
    return str(value)


def in_order(names: Collection[str]) -> tuple[str, ...]:
    """Put a set of algorithms in a fixed order, RS before PS: a JWK without ``alg`` gets the first that fits."""
    if isinstance(names, (set, frozenset)):
        return tuple(sorted(names, key=lambda name: (name.startswith("PS"), name)))
    return tuple(names)


def algorithms(value: Any, name: str) -> tuple[str, ...]:
    """Take names of algorithms. Remove ``none`` with a warning: 4.7 ignores it."""
    chosen = in_order(value if isinstance(value, (set, frozenset)) else several(value or (), name))
    if "none" in chosen:
        warnings.warn(f"{name} contains 'none', which is never accepted; remove it", JWTConfigWarning, stacklevel=2)
    return tuple(algorithm(each, name) for each in chosen if each != "none")


def audience(value: Any, name: str) -> tuple[str, ...] | None:
    """Take one audience or several, or ``None``."""
    return None if value is None else tuple(text(each, name) for each in several(value, name))


def encode_audience(value: Any, name: str) -> str | list[str] | None:
    """Take audiences and keep their shape: a string stays one in the token, anything else becomes a list."""
    if not value:
        return None
    return value if isinstance(value, str) else list(audience(value, name) or ())


def issuer(value: Any, name: str) -> Container[str] | None:
    """Take one issuer or several. Return a container, so that ``in`` never finds a part of a string."""
    if value is None:
        return None
    if isinstance(value, Collection):
        return tuple(text(each, name) for each in several(value, name))
    if not isinstance(value, Container):
        raise ConfigurationError(f"{name} must be a string or a list of strings, not {shown(value)}")
    return value


def same_site(value: Any, name: str) -> str | None:
    """Take a value of the SameSite attribute; ``None`` leaves the attribute out."""
    if value is None:
        return None
    if not isinstance(value, str) or value.title() not in ("Strict", "Lax", "None"):
        raise ConfigurationError(f'{name} must be "Strict", "Lax", "None" or None, not {shown(value)}')
    return value.title()


def methods(value: Any, name: str) -> frozenset[str] | None:
    """Take HTTP methods; ``None`` means every method that is not safe."""
    if value is None:
        return None
    chosen = frozenset(text(method, name).upper() for method in several(value, name))
    for method in chosen:
        if not method.replace("-", "").isalnum():
            raise ConfigurationError(
                f"{name} must be a string or a list of strings, one method each, not {shown(value)}"
            )
    return chosen


def cookie_domain(value: Any, name: str) -> str | None:
    """Take a domain that browsers accept for a cookie. ``None``, ``False`` and an empty string mean no domain."""
    if value is None or value is False or value == "":
        return None
    check_domain(text(value, name), name)
    return str(value)


#: The default ports, which browsers leave out of an origin (RFC 6454, section 6.2).
_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = frozenset(ascii_lowercase + digits + "-_.")


def origins(value: Any, name: str) -> frozenset[str]:
    """Take origins as browsers send them: ``https://app.example.com``, with a port only if it is not the default."""
    chosen = frozenset(text(each, name).lower() for each in several(value or (), name))
    for origin in chosen:
        if problem := _problem_with_origin(origin):
            raise ConfigurationError(
                f'{name} must contain origins such as "https://app.example.com": {shown(origin)} {problem}'
            )
    return chosen


def _problem_with_origin(origin: str) -> str | None:
    """Return why no browser sends an origin, so that trusting it is a mistake; or ``None``."""
    if "*" in origin:
        return "has a wildcard, which is not supported: list every origin"
    try:
        parts = urlsplit(origin)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "is not a URL"
    if f"{parts.scheme}://{parts.netloc}" != origin or not host or "@" in origin:
        return "is not a scheme and a host"
    if parts.netloc.endswith(":") or port == _DEFAULT_PORTS.get(parts.scheme, 0):
        return "has the default port of its scheme, which browsers leave out: remove the port"
    is_ipv6 = parts.netloc.startswith("[")
    if not is_ipv6 and not (_HOST.issuperset(host) and all(host.split("."))):
        return "has no valid host: write a host with other characters than ASCII as xn--..."
    return None
