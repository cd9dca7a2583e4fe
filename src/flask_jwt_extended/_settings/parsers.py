"""Parsers of option values: (value, option name) -> parsed value, or a ConfigurationError that names the fix."""

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

#: The places a token may come from, in the order a set of them is searched.
LOCATIONS = ("headers", "cookies", "query_string", "json")

Parser = Callable[[Any, str], Any]


def anything(value: Any, _name: str) -> Any:
    """Take any value; an empty one counts as not set, as in 4.7."""
    return value or None


def store(value: Any, name: str) -> Any:
    """Take any value; ``None`` is no store. An empty string is refused: it is most likely a variable that is not set,
    and without a store the tokens of ended sessions cannot be told from others.
    """
    if isinstance(value, str) and not value.strip():
        raise ConfigurationError(
            f'{name} is empty. Name a store, such as "sqlite:///jwt.db", or remove the option if this application '
            "keeps no sessions"
        )
    return value


def key_set(value: Any, name: str) -> Any:
    """Take any value; ``None`` is no set. An empty one is refused: it is most likely a variable that is not set, and
    without a set the secret of the application would sign.
    """
    if value is not None and not (value.strip() if isinstance(value, str) else value):
        raise ConfigurationError(
            f'{name} is empty: name a JWK Set file, such as "keys.json", or remove the option if this application has '
            "single keys"
        )
    return value


def flag(value: Any, name: str) -> bool:
    """Take the truth of a value, as 4.7 does. A string is most likely an environment variable: ``"false"`` is true."""
    if isinstance(value, str):
        warnings.warn(
            f"{name} is the string {shown(value)}, which counts as {bool(value)}; use a bool",
            JWTConfigWarning,
            stacklevel=2,
        )
    return bool(value)


def choice(*choices: str) -> Parser:
    """Take one of a few words."""

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
    """Take a string; ``None`` is the empty one."""
    return text("" if value is None else value, name)


def scheme(value: Any, name: str) -> str:
    """Take a string that a header can hold; ``None`` is the empty one."""
    taken = text_or_empty(value, name)
    if taken and not (taken.isprintable() and max(taken) <= "\xff"):
        raise ConfigurationError(
            f"{name} must be a scheme such as 'Bearer', which a header can hold, not {shown(value)}"
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
    """Take one string, or an iterable as it is."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, bytes) or not isinstance(value, Collection):  # an iterator would be empty the next time
        raise ConfigurationError(f"{name} must be a string or a list of strings, not {shown(value)}")
    return tuple(value)


def words(value: Any, name: str) -> tuple[str, ...]:
    """Take one name, or several."""
    chosen = tuple(word(each, name) for each in several(value, name))
    if not chosen:
        raise ConfigurationError(f"{name} cannot be empty")
    return chosen


def words_or_none(value: Any, name: str) -> tuple[str, ...]:
    """Take any number of names, or ``None`` for no name at all."""
    return tuple(word(each, name) for each in several(value or (), name))


def locations(value: Any, name: str) -> tuple[str, ...]:
    """Take one location of tokens, or several. A set of them is put in order."""
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
    """Take a lifetime; ``None`` is no limit, as ``False`` is."""
    return False if value is None else lifetime(value, name)


def lifetime(value: Any, name: str) -> Any:
    """Take ``False``, or what can be added to a ``datetime``; a number is seconds."""
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
    """Whether something that lives this long has not ended when it begins; ``False`` is for ever."""
    if lifetime is False:
        return True
    begin = datetime(2000, 1, 1, tzinfo=timezone.utc)  # a relativedelta has no length of its own
    return bool(begin + lifetime > begin)


def seconds(value: Any, name: str) -> float:
    """Take a finite number of seconds, or a ``timedelta``."""
    number = value.total_seconds() if isinstance(value, timedelta) else value
    if type(number) not in (int, float) or not math.isfinite(number):
        raise ConfigurationError(f"{name} must be a number of seconds or a timedelta, not {shown(value)}")
    return float(number)


def seconds_not_negative(value: Any, name: str) -> float:
    """Take a number of seconds, zero among them, or a ``timedelta``."""
    number = seconds(value, name)
    if number < 0:
        raise ConfigurationError(f"{name} cannot be negative: {shown(value)}")
    return number


def seconds_positive(value: Any, name: str) -> float:
    """Take a number of seconds above zero, or a ``timedelta``."""
    number = seconds(value, name)
    if number <= 0:
        raise ConfigurationError(f"{name} must be more than zero seconds, not {shown(value)}")
    return number


def moment(value: Any, name: str) -> float | None:
    """Take a ``date`` or ``datetime``, or one in ISO 8601, as seconds since the epoch; UTC unless it says so."""
    try:
        then = datetime.fromisoformat(value.replace("Z", "+00:00")) if isinstance(value, str) else value
        if isinstance(then, date) and not isinstance(then, datetime):
            then = datetime.combine(then, datetime.min.time())
        return None if then is None else (then if then.tzinfo else then.replace(tzinfo=timezone.utc)).timestamp()
    except (AttributeError, ValueError):
        raise ConfigurationError(
            f"{name} must be a date, or one in ISO 8601 such as 2027-01-31, not {shown(value)}"
        ) from None


def size(value: Any, name: str) -> int:
    """Take a positive number of bytes."""
    if type(value) is not int or value < 1:
        raise ConfigurationError(f"{name} must be a positive number of bytes, not {shown(value)}")
    return value


def count(value: Any, name: str) -> int:
    """Take a number, zero among them."""
    if type(value) is not int or value < 0:
        raise ConfigurationError(f"{name} must be a whole number, 0 or more, not {shown(value)}")
    return value


def secrets(value: Any, name: str) -> tuple[Any, ...]:
    """Take a list of secrets."""
    listed = () if value is None else value
    if not isinstance(listed, (list, tuple)) or not all(each and isinstance(each, (str, bytes)) for each in listed):
        raise ConfigurationError(f"{name} must be a list of secrets, as text or bytes")
    return tuple(listed)


def algorithm(value: Any, name: str) -> str:
    """Take an algorithm that PyJWT has here and that signs something."""
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
        raise ConfigurationError(f"{name} cannot be 'none': such tokens carry no signature")
    return str(value)


def in_order(names: Collection[str]) -> tuple[str, ...]:
    """Put a set of algorithms into a fixed order, RS before PS: a JWK without ``alg`` gets the first that fits."""
    if isinstance(names, (set, frozenset)):
        return tuple(sorted(names, key=lambda name: (name.startswith("PS"), name)))
    return tuple(names)


def algorithms(value: Any, name: str) -> tuple[str, ...]:
    """Take algorithms; ``none``, which 4.7 let stand there without effect, is left out with a warning."""
    chosen = in_order(several(value or (), name) if not isinstance(value, (set, frozenset)) else value)
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
    """Take one issuer or several, always as a container that is asked for the whole string."""
    if value is None or isinstance(value, str):
        return None if value is None else (value,)
    if isinstance(value, Collection):
        return tuple(text(each, name) for each in several(value, name))
    if not isinstance(value, Container):
        raise ConfigurationError(f"{name} must be a string or a list of strings, not {shown(value)}")
    return value


def same_site(value: Any, name: str) -> str | None:
    """Take a value of the SameSite attribute, or ``None`` for no such attribute."""
    if value is None:
        return None
    if not isinstance(value, str) or value.title() not in ("Strict", "Lax", "None"):
        raise ConfigurationError(f'{name} must be "Strict", "Lax", "None" or None, not {shown(value)}')
    return value.title()


def methods(value: Any, name: str) -> frozenset[str] | None:
    """Take HTTP methods; ``None`` is every method that is not safe."""
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
    """Take a domain that browsers accept for a cookie; ``None``, ``False`` and the empty string are no domain."""
    if value is None or value is False or value == "":
        return None
    check_domain(text(value, name), name)
    return str(value)


#: Ports that browsers leave out of an origin (RFC 6454, section 6.2).
_USUAL_PORTS = {"http": 80, "https": 443}
_HOST = frozenset(ascii_lowercase + digits + "-_.")


def origins(value: Any, name: str) -> frozenset[str]:
    """Take origins as browsers write them: ``https://app.example.com``, with a port only if it is not the usual one."""
    chosen = frozenset(text(each, name).lower() for each in several(value or (), name))
    for origin in chosen:
        if problem := _problem_with_origin(origin):
            raise ConfigurationError(
                f'{name} must hold origins such as "https://app.example.com": {shown(origin)} {problem}'
            )
    return chosen


def _problem_with_origin(origin: str) -> str | None:
    """What is wrong with an origin: a browser would never send it, so it would be trusted in vain, or by mistake."""
    if "*" in origin:
        return "has a wildcard, which is not supported: list every origin"
    try:
        parts = urlsplit(origin)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "is not a URL"
    if f"{parts.scheme}://{parts.netloc}" != origin or not host or "@" in origin:
        return "is not a scheme and a host"
    if parts.netloc.endswith(":") or port == _USUAL_PORTS.get(parts.scheme, 0):
        return "has the usual port of its scheme, which browsers leave out: leave it out too"
    is_ipv6 = parts.netloc.startswith("[")
    if not is_ipv6 and (not _HOST.issuperset(host) or not all(host.split("."))):
        return "has no valid host: write a host that is not ASCII as xn--..."
    return None
