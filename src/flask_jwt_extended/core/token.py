"""A token as a value: parsed once, then passed along."""

from __future__ import annotations

from ..typing import Claims, Header


class Token:
    """A verified token.

    :ivar header: its header, parsed
    :ivar claims: its claims, parsed; the ones this extension adds are always there
    """

    __slots__ = ("claims", "header")

    def __init__(self, header: Header, claims: Claims) -> None:
        self.header = header
        self.claims = claims

    def __repr__(self) -> str:
        return f"<Token {self.claims.get('type')}>"
