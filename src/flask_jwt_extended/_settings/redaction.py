"""Quote values in messages: enough to recognise a mistake, never a password or a key."""

from __future__ import annotations

from typing import Any

#: The longest text that is quoted, in characters.
_MAX_LENGTH = 40
#: The greatest number of items of a list that are quoted.
_MAX_ITEMS = 5


def shown(value: Any) -> str:
    """Return the value of an option as a message quotes it.

    URLs lose user name, password and query. Long texts, which may be keys, and other objects are only described.
    """
    if isinstance(value, str):
        return _shown_text(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        more = ", ..." if len(value) > _MAX_ITEMS else ""
        return f"[{', '.join(map(shown, list(value)[:_MAX_ITEMS]))}{more}]"
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    return f"a {type(value).__name__}"


def without_credentials(url: str) -> str:
    """Return a URL without user name, password, query and fragment."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    # An unescaped password may contain "/", "?" and "#", so everything before the last "@" may be part of it.
    place = rest.rpartition("@")[2].partition("?")[0].partition("#")[0]
    return f"{scheme}{separator}{place}"


def _shown_text(text: str) -> str:
    plain = without_credentials(text)
    if len(plain) > (_MAX_LENGTH if plain == text else 2 * _MAX_LENGTH) or not text.isprintable():
        return f"a text of {len(text)} characters"
    return repr(plain)
