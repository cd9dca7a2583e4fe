"""What a protected view requires of a token, and the check."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, NamedTuple, TypeAlias

from .._jose.claims import is_date, is_finite
from .._jose.token import Token
from ..exceptions import (
    ConfigurationError,
    FreshTokenRequired,
    InsufficientAuthenticationError,
    InsufficientScopeError,
    WrongTokenError,
)
from ..typing import Claims

#: The values of ``scopes=`` and ``roles=``: one name, several of which any suffices, or :func:`all_of` them.
Requirements: TypeAlias = "str | Collection[str] | Requirement | None"

#: The characters of a scope and of an ``acr`` value (RFC 6749, section 3.3): no space, no quote and no backslash.
_SCOPE_CHARACTERS = frozenset(map(chr, range(0x21, 0x7F))) - {'"', "\\"}


class Requirement(NamedTuple):
    """Required scopes or roles: every one of these names, or any."""

    names: frozenset[str]
    every: bool = False

    def met_by(self, held: Collection[str]) -> bool:
        """Return whether the scopes or roles of a token suffice."""
        return self.names.issubset(held) if self.every else not self.names.isdisjoint(held)

    def __str__(self) -> str:
        return (" and " if self.every else " or ").join(sorted(self.names))


def all_of(*names: str) -> Requirement:
    """Require every one of several scopes or roles: ``@jwt_required(scopes=all_of("orders:read", "orders:write"))``.

    :raises ConfigurationError: if there is no name, or one is empty or not a string

    .. versionadded:: 5.0
    """
    return _requirement(names, "all_of", every=True)


def _parse(value: Any, argument: str) -> Requirement | None:
    """Parse ``scopes=``, ``roles=`` or ``acr=``."""
    if value is None or isinstance(value, Requirement):
        return value
    return _requirement((value,) if isinstance(value, str) else value, argument)


def _parse_quotable(value: Any, argument: str) -> Requirement | None:
    """Parse names that a challenge has to quote (RFC 6750, section 3)."""
    requirement = _parse(value, argument)
    for name in requirement.names if requirement else ():
        if not _SCOPE_CHARACTERS.issuperset(name):
            raise ConfigurationError(f"{argument} has {name!r}: spaces, quotes and characters beyond ASCII do not work")
    return requirement


def _requirement(names: Any, argument: str, *, every: bool = False) -> Requirement:
    if not isinstance(names, (tuple, list, set, frozenset)) or not all(isinstance(name, str) for name in names):
        raise ConfigurationError(f"{argument} must be a string, a list of strings or all_of(...), not {names!r}")
    if not names or not all(names):
        raise ConfigurationError(f"{argument} cannot be empty: leave it out to require nothing")
    return Requirement(frozenset(names), every)


@dataclass(frozen=True, slots=True)
class Policy:
    """What one view requires: the arguments of ``jwt_required``, parsed. Without locations: JWT_TOKEN_LOCATION."""

    optional: bool | Literal["if-valid"] = False
    fresh: bool = False
    refresh: bool = False
    locations: tuple[str, ...] = ()
    verify_type: bool = True
    skip_revocation_check: bool = False
    scopes: Requirement | None = None
    roles: Requirement | None = None
    token_type: str | None = None
    max_age: float | None = None
    acr: tuple[str, ...] = ()
    report_only: bool = False

    def __post_init__(self) -> None:
        if self.refresh and self.token_type not in (None, "refresh"):
            raise ConfigurationError(f"refresh=True and token_type={self.token_type!r} contradict: leave one out")
        if isinstance(self.optional, str) and self.optional != "if-valid":
            raise ConfigurationError(f'optional must be True, False or "if-valid", not {self.optional!r}')
        if self.token_type is None:
            object.__setattr__(self, "token_type", "refresh" if self.refresh else "access")

    @property
    def allows_anonymous(self) -> bool:
        """Whether a request without a token may pass."""
        return bool(self.optional or self.report_only)

    @classmethod
    def from_arguments(
        cls,
        *,
        locations: str | Iterable[str] | None = None,
        scopes: Requirements = None,
        roles: Requirements = None,
        max_age: timedelta | float | None = None,
        acr: str | Collection[str] | None = None,
        **others: Any,
    ) -> Policy:
        """Make a policy from the arguments of ``jwt_required``. Those that need no parsing are in ``others``."""
        contexts = _parse_quotable(acr, "acr")
        if contexts is not None and contexts.every:
            raise ConfigurationError("acr takes no all_of(...): a token states one authentication context")
        return cls(
            locations=parse_locations(locations),
            scopes=_parse_quotable(scopes, "scopes"),
            roles=_parse(roles, "roles"),
            max_age=_parse_max_age(max_age),
            acr=tuple(sorted(contexts.names)) if contexts else (),
            **others,
        )

    def check(self, token: Token, now: float, *, leeway: float = 0.0) -> None:
        """Check a verified token against everything but ``roles``, which an application may look up.

        :param leeway: seconds by which ``auth_time`` may be in the future, because clocks differ
        """
        if self.verify_type and token.claims["type"] != self.token_type:
            is_refresh = self.token_type == "access" and token.claims["type"] == "refresh"
            raise WrongTokenError(f"Only {'non-refresh' if is_refresh else self.token_type} tokens are allowed")
        if self.fresh and not _is_fresh(token.claims["fresh"], now):
            raise FreshTokenRequired("Fresh token required", token.header, token.claims)
        if self.max_age is not None or self.acr:
            self._check_authentication(token, now, leeway)
        if self.scopes is not None and not self.scopes.met_by(scopes_of(token.claims)):
            raise InsufficientScopeError(token.header, token.claims, tuple(sorted(self.scopes.names)))

    def check_roles(self, token: Token, held: Collection[str]) -> None:
        """Check the roles of a token."""
        if self.roles is not None and not self.roles.met_by(held):
            raise InsufficientScopeError(token.header, token.claims)

    def _check_authentication(self, token: Token, now: float, leeway: float) -> None:
        """Check when and how the user logged in (RFC 9470)."""
        claims = token.claims
        login = None if self.max_age is None else _login_time(claims)
        # A login in the future has not happened, so it is not recent.
        is_recent = self.max_age is None or (
            login is not None and login <= now + leeway and now - login <= self.max_age
        )
        held = (claims.get("acr"), *_texts(claims.get("amr")))
        if not is_recent or (self.acr and not any(each in self.acr for each in held)):
            raise InsufficientAuthenticationError(token.header, claims, max_age=self.max_age, acr_values=self.acr)


def parse_locations(locations: str | Iterable[str] | None) -> tuple[str, ...]:
    """Parse ``locations=``: one, several, or ``None`` for those of the settings."""
    return (locations,) if isinstance(locations, str) else tuple(locations or ())


def _parse_max_age(max_age: Any) -> float | None:
    seconds = max_age.total_seconds() if isinstance(max_age, timedelta) else max_age
    if seconds is not None and (not is_finite(seconds) or seconds < 0):
        raise ConfigurationError(f"max_age must be a timedelta or seconds, not {max_age!r}")
    return seconds


def scopes_of(claims: Claims) -> Collection[str]:
    """The scopes of a token: its ``scope``, separated by spaces (RFC 8693, section 4.2), and its ``scp``."""
    scope = claims.get("scope")
    if type(scope) is str and "scp" not in claims:
        return scope.split(" ")
    return [*_words(scope), *_words(claims.get("scp"))]


def roles_of(claims: Claims) -> Collection[str]:
    """The roles of a token: its ``roles`` and its ``groups`` (RFC 9068, section 2.2.3.1)."""
    return [*_texts(claims.get("roles")), *_texts(claims.get("groups"))]


def _login_time(claims: Claims) -> float | None:
    """The time of the login in seconds since the epoch: ``auth_time``, or ``iat`` if the token is fresh."""
    moment = claims.get("auth_time")
    if moment is None and (claims["fresh"] is True or is_finite(claims["fresh"])):
        moment = claims.get("iat")
    return moment if is_date(moment) else None


def _words(value: object) -> Iterable[str]:
    return value.split(" ") if isinstance(value, str) else _texts(value)


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        return (value,)
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else ()


def _is_fresh(fresh: object, now: float) -> bool:
    """``fresh`` is a bool, or the time until which the token is fresh. Anything else is not fresh."""
    return fresh is True or (is_finite(fresh) and fresh >= now)  # type: ignore[operator]  # a number, by is_finite
