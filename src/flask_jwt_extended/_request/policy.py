"""What one protected view demands of a token, and the check of it.

Values and pure functions: made once when a view is decorated, held against each token.
"""

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

#: What demands scopes or roles: one, several of which any will do, or :func:`all_of` them.
Requirements: TypeAlias = "str | Collection[str] | Requirement | None"

#: What a scope and an ``acr`` value are written with (RFC 6749, section 3.3): no space, no quote and no backslash.
_SCOPE_TOKEN = frozenset(map(chr, range(0x21, 0x7F))) - {'"', "\\"}


class Requirement(NamedTuple):
    """Scopes or roles, one of which is asked for, or every one.

    :ivar names: at least one
    :ivar every: whether all of them are asked for
    """

    names: frozenset[str]
    every: bool = False

    def met_by(self, held: Collection[str]) -> bool:
        """Tell whether somebody who holds these may pass."""
        return self.names.issubset(held) if self.every else not self.names.isdisjoint(held)

    def __str__(self) -> str:
        return (" and " if self.every else " or ").join(sorted(self.names))


def all_of(*names: str) -> Requirement:
    """Require every one of several scopes or roles: ``@jwt_required(scopes=all_of("orders:read", "orders:write"))``."""
    return _requirement(names, "all_of", every=True)


def parse_scopes(scopes: Any) -> Requirement | None:
    """Take what ``scopes=`` may be: one, several of which any will do, or :func:`all_of` them.

    :raises ConfigurationError: if it is none of that, or no scope can be written like that
    """
    demand = _requirements(scopes, "scopes")
    for name in demand.names if demand else ():
        check_written(name, "scopes")
    return demand


def parse_roles(roles: Any) -> Requirement | None:
    """Take what ``roles=`` may be: one, several of which any will do, or :func:`all_of` them.

    :raises ConfigurationError: if it is none of that
    """
    return _requirements(roles, "roles")


def _requirements(value: Any, what: str) -> Requirement | None:
    if value is None or isinstance(value, Requirement):
        return value
    return _requirement((value,) if isinstance(value, str) else value, what)


def _requirement(names: Any, what: str, *, every: bool = False) -> Requirement:
    if not isinstance(names, (tuple, list, set, frozenset)) or not all(isinstance(name, str) for name in names):
        raise ConfigurationError(f"{what} must be a string, a list of strings or all_of(...), not {names!r}")
    chosen = frozenset(names)
    if not chosen or not all(chosen):
        raise ConfigurationError(f"{what} cannot be empty: leave it away to demand nothing")
    return Requirement(chosen, every)


def check_written(name: str, what: str) -> None:
    """See that a name can be written into a challenge (RFC 6750, section 3).

    :raises ConfigurationError: if it cannot
    """
    if not _SCOPE_TOKEN.issuperset(name):
        raise ConfigurationError(f"{what} has {name!r}, which has a space in it, a quote, or what is not ASCII")


@dataclass(frozen=True, slots=True)
class Policy:
    """The demands of one view.

    :ivar optional: whether a request without a token may pass; ``"if-valid"``: also one whose token is refused
    :ivar fresh: whether the token must be fresh
    :ivar refresh: whether a refresh token is asked for, in place of an access token
    :ivar locations: where to look for it; empty: where the settings say
    :ivar verify_type: whether the kind of token matters at all
    :ivar skip_revocation_check: whether a revoked token may pass
    :ivar scopes: the scopes that it must have
    :ivar roles: the roles that it must have
    :ivar token_type: the kind of token; ``None``: as ``refresh`` says
    :ivar max_age: seconds since its owner was authenticated, at most
    :ivar acr: authentication contexts, one of which it must have
    :ivar report_only: whether a request that is refused may pass all the same, and is told of
    """

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
            raise ConfigurationError(f"refresh=True asks for another kind of token than token_type={self.token_type!r}")
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
        optional: bool | Literal["if-valid"] = False,
        fresh: bool = False,
        refresh: bool = False,
        locations: str | Iterable[str] | None = None,
        verify_type: bool = True,
        skip_revocation_check: bool = False,
        scopes: Requirements = None,
        roles: Requirements = None,
        token_type: str | None = None,
        max_age: timedelta | float | None = None,
        acr: str | Collection[str] | None = None,
        report_only: bool = False,
    ) -> Policy:
        """Make a policy from the arguments of ``jwt_required``.

        :raises ConfigurationError: if a requirement cannot be met, or two contradict each other
        """
        return cls(
            optional=optional,
            fresh=fresh,
            refresh=refresh,
            locations=parse_locations(locations),
            verify_type=verify_type,
            skip_revocation_check=skip_revocation_check,
            scopes=parse_scopes(scopes),
            roles=parse_roles(roles),
            token_type=token_type,
            max_age=seconds_of(max_age),
            acr=contexts(acr),
            report_only=report_only,
        )

    def check(self, token: Token, now: float, *, leeway: float = 0.0) -> None:
        """Hold a verified token against the demands, but for roles, which an application may look up.

        :param now: seconds since the epoch
        :param leeway: seconds by which ``auth_time`` may be in the future, because clocks differ
        :raises WrongTokenError: if it is of another kind; kinds are told apart by equality alone
        :raises FreshTokenRequired: if it is not fresh and must be
        :raises InsufficientAuthenticationError: if its owner was authenticated too long ago, or not well enough
        :raises InsufficientScopeError: if it lacks a scope
        """
        if self.verify_type and token.claims["type"] != self.token_type:
            raise WrongTokenError(_wrong_type(str(self.token_type), token.claims["type"]))
        if self.fresh and not _is_fresh(token.claims["fresh"], now):
            raise FreshTokenRequired("Fresh token required", token.header, token.claims)
        if self.max_age is not None or self.acr:
            self._check_authentication(token, now, leeway)
        if self.scopes is not None and not self.scopes.met_by(scopes_of(token.claims)):
            raise InsufficientScopeError(token.header, token.claims, tuple(sorted(self.scopes.names)))

    def check_roles(self, token: Token, held: Collection[str]) -> None:
        """Hold the roles of a token against those asked for.

        :raises InsufficientScopeError: if one is lacking
        """
        if self.roles is not None and not self.roles.met_by(held):
            raise InsufficientScopeError(token.header, token.claims)

    def _check_authentication(self, token: Token, now: float, leeway: float) -> None:
        """Ask how its owner was authenticated, and when (RFC 9470)."""
        claims = token.claims
        is_recent = self.max_age is None or _is_recent(authenticated_at(claims), self.max_age, now, leeway)
        is_good = (
            not self.acr or claims.get("acr") in self.acr or not set(self.acr).isdisjoint(_texts(claims.get("amr")))
        )
        if not is_recent or not is_good:
            raise InsufficientAuthenticationError(token.header, claims, max_age=self.max_age, acr_values=self.acr)


def parse_locations(locations: str | Iterable[str] | None) -> tuple[str, ...]:
    """Take what ``locations=`` may be: one, several, or ``None``."""
    return (locations,) if isinstance(locations, str) else tuple(locations or ())


def seconds_of(max_age: Any) -> float | None:
    """Take what ``max_age=`` may be: a ``timedelta``, seconds, or ``None``.

    :raises ConfigurationError: if it is none of that
    """
    seconds = max_age.total_seconds() if isinstance(max_age, timedelta) else max_age
    if seconds is not None and (not is_finite(seconds) or seconds < 0):
        raise ConfigurationError(f"max_age must be a timedelta or seconds, not {max_age!r}")
    return seconds


def contexts(acr: str | Iterable[str] | None) -> tuple[str, ...]:
    """Take what ``acr=`` may be: one authentication context, several of which any will do, or ``None``.

    :raises ConfigurationError: if one cannot be written like that
    """
    demand = _requirements(acr, "acr")
    for name in demand.names if demand else ():
        check_written(name, "acr")
    return tuple(sorted(demand.names)) if demand else ()


def scopes_of(claims: Claims) -> Collection[str]:
    """The scopes of a token: its ``scope``, separated by spaces (RFC 8693, section 4.2), and its ``scp``."""
    scope = claims.get("scope")
    if type(scope) is str and "scp" not in claims:
        return scope.split(" ")
    return [*_words(scope), *_words(claims.get("scp"))]


def roles_of(claims: Claims) -> Collection[str]:
    """The roles of a token: its ``roles`` and its ``groups`` (RFC 9068, section 2.2.3.1)."""
    return [*_texts(claims.get("roles")), *_texts(claims.get("groups"))]


def authenticated_at(claims: Claims) -> float | None:
    """When the owner of a token was authenticated, seconds since the epoch: its ``auth_time``, or its ``iat`` if it was
    fresh then; ``None``: it does not say.
    """
    moment = claims.get("auth_time")
    if moment is None and (claims["fresh"] is True or is_finite(claims["fresh"])):
        moment = claims.get("iat")
    return moment if is_date(moment) else None


def _is_recent(moment: float | None, max_age: float, now: float, leeway: float) -> bool:
    """A login in the future has not happened, so it is not recent."""
    return moment is not None and moment <= now + leeway and now - moment <= max_age


def _words(value: object) -> Iterable[str]:
    return value.split(" ") if isinstance(value, str) else _texts(value)


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        return (value,)
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else ()


def _wrong_type(wanted: str, actual: object) -> str:
    if wanted == "access" and actual == "refresh":
        return "Only non-refresh tokens are allowed"
    return f"Only {wanted} tokens are allowed"


def _is_fresh(fresh: object, now: float) -> bool:
    """``fresh`` is a bool, or the time until which it holds. Anything else is not fresh."""
    return fresh is True or (is_finite(fresh) and fresh >= now)  # type: ignore[operator]  # a number, by is_finite
