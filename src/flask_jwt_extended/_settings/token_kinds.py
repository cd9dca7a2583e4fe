"""The kinds of JWT, by the ``typ`` in the header (RFC 7515, section 4.1.9; RFC 8725, section 3.11)."""

from __future__ import annotations

from typing import Any

#: Kinds that an access or refresh token can have (RFC 7519, section 5.1; RFC 9068, section 2.1).
_OUR_KINDS = ("jwt", "at+jwt")


def kind_of(typ: Any) -> str | None:
    """Return a ``typ`` in the form that is compared (RFC 7515, section 4.1.9), or ``None`` if it is not text."""
    return typ.strip().lower().removeprefix("application/") if type(typ) is str else None


def is_other_kind(kind: str | None) -> bool:
    """Return whether a kind is known not to be an access or refresh token, such as ``dpop+jwt``."""
    return (
        kind is not None and ("+" in kind or kind.startswith("jose") or kind == "passport") and kind not in _OUR_KINDS
    )
