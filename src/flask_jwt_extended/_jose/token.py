"""A token as a value."""

from __future__ import annotations

from typing import Any

from ..typing import Claims, Header


class Token:
    """A verified token.

    :ivar header: its header, parsed
    :ivar claims: its claims, parsed; those that this extension needs are always there
    :ivar location: the location in the request, for example ``headers``; ``None``: it did not come with a request
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
