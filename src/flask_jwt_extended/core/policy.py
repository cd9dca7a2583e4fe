"""What one protected view demands of a token, and the check of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..exceptions import FreshTokenRequired, WrongTokenError
from .claims import is_finite
from .token import Token


@dataclass(frozen=True, slots=True)
class Policy:
    """The demands of one view, made once when it is decorated.

    :ivar optional: whether a request without a token may pass
    :ivar fresh: whether the token must be fresh
    :ivar refresh: whether a refresh token is asked for, in place of an access token
    :ivar locations: where to look for it; empty: where the settings say
    :ivar verify_type: whether the kind of token matters at all
    :ivar skip_revocation_check: whether a revoked token may pass
    """

    optional: bool = False
    fresh: bool = False
    refresh: bool = False
    locations: tuple[str, ...] = ()
    verify_type: bool = True
    skip_revocation_check: bool = False

    #: The ``type`` claim asked for.
    token_type: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "token_type", "refresh" if self.refresh else "access")

    def check(self, token: Token, now: float) -> None:
        """Hold a verified token against the demands.

        :param now: seconds since the epoch
        :raises WrongTokenError: if it is of another kind; kinds are told apart by equality alone
        :raises FreshTokenRequired: if it is not fresh and must be
        """
        if self.verify_type and token.claims["type"] != self.token_type:
            raise WrongTokenError(_wrong_type(self.token_type, token.claims["type"]))
        if self.fresh and not _is_fresh(token.claims["fresh"], now):
            raise FreshTokenRequired("Fresh token required", token.header, token.claims)


def _wrong_type(wanted: str, actual: object) -> str:
    if wanted == "access" and actual == "refresh":
        return "Only non-refresh tokens are allowed"
    return f"Only {wanted} tokens are allowed"


def _is_fresh(fresh: object, now: float) -> bool:
    """``fresh`` is a bool, or the time until which it holds. Anything else is not fresh."""
    return fresh is True or (is_finite(fresh) and fresh >= now)  # type: ignore[operator]  # a number, by is_finite
