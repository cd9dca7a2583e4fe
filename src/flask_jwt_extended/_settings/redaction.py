"""How messages quote what may hold a secret: enough to recognise the mistake, never a password or a key."""

from __future__ import annotations

from typing import Any

#: Characters of a text that a message quotes.
_LONGEST = 40
#: Items of a list that a message quotes.
_MOST = 5


def shown(value: Any) -> str:
    """Return how a message quotes the value of an option.

    URLs lose user name, password and query; long texts (keys are long) and mappings are only described.
    """
    if isinstance(value, str):
        return _shown_text(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        more = ", ..." if len(value) > _MOST else ""
        return f"[{', '.join(map(shown, list(value)[:_MOST]))}{more}]"
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    return f"a {type(value).__name__}"


def without_credentials(url: str) -> str:
    """Return a URL without user name, password, query and fragment."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    # A password that is not escaped may hold any of "/?#": everything before the last "@" may be a part of it.
    place = rest.rpartition("@")[2].partition("?")[0].partition("#")[0]
    return f"{scheme}{separator}{place}"


def _shown_text(text: str) -> str:
    plain = without_credentials(text)
    if len(plain) > (_LONGEST if plain == text else 2 * _LONGEST) or not text.isprintable():
        return f"a text of {len(text)} characters"
    return repr(plain)
