"""The kinds of JWT that the ``typ`` of a header names (RFC 7515, section 4.1.9; RFC 8725, section 3.11)."""

from __future__ import annotations

from typing import Any

#: Kinds of JWT that are an access or refresh token, or leave their kind open (RFC 7519, 5.1; RFC 9068, 2.1).
_OUR_KINDS = ("jwt", "at+jwt")


def kind_of(typ: Any) -> str | None:
    """Return the ``typ`` of a header in the form in which kinds are compared (RFC 7515, section 4.1.9); ``None`` if it
    is not text.
    """
    return typ.strip().lower().removeprefix("application/") if type(typ) is str else None


def is_other_kind(kind: str | None) -> bool:
    """Whether this is a kind of JWT that is neither an access nor a refresh token."""
    return (
        kind is not None and ("+" in kind or kind.startswith("jose") or kind == "passport") and kind not in _OUR_KINDS
    )
