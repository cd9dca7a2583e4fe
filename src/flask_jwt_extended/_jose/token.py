"""A token as a value."""

from __future__ import annotations

from typing import Any

from ..typing import Claims, Header


class Token:
    """A verified token. Its user is ``{"loaded_user": user}``, or ``None`` if none was looked up."""

    __slots__ = ("claims", "header", "location", "user")

    def __init__(self, header: Header, claims: Claims) -> None:
        self.header = header
        self.claims = claims
        self.location: str | None = None
        self.user: dict[str, Any] | None = None

    def __repr__(self) -> str:
        return "<Token>"
