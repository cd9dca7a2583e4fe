"""A token as a value."""

from __future__ import annotations

from typing import Any

from ..typing import Claims, Header


class Token:
    """A verified token. Those of its claims that this extension needs are always there.

    :ivar location: its location in the request, for example ``headers``
    :ivar user: ``{"loaded_user": user}``; ``None``: no user was looked up
    """

    __slots__ = ("claims", "header", "location", "user")

    def __init__(self, header: Header, claims: Claims) -> None:
        self.header = header
        self.claims = claims
        self.location: str | None = None
        self.user: dict[str, Any] | None = None

    def __repr__(self) -> str:
        return "<Token>"
