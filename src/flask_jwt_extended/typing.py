"""The types that users of this package write down: aliases, and a Protocol for every loader.

A loader may be a plain function or a coroutine function, so each returns its result or something that awaits it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

T = TypeVar("T")

#: What a loader may return: the value, or an awaitable of it.
MaybeAsync: TypeAlias = T | Awaitable[T]
#: How long a token lives: ``timedelta``, seconds, or ``False`` for a token that does not expire.
ExpiresDelta: TypeAlias = Literal[False] | timedelta | int | float
#: Whether a token is fresh: yes or no, or how long it will be.
Fresh: TypeAlias = bool | float | timedelta
#: Where a view looks for its token: one location or several, in order of precedence.
LocationType: TypeAlias = str | Sequence[str] | None
#: Whether a view lets requests without a token pass; ``"if-valid"``: also those whose token is refused.
OptionalType: TypeAlias = bool | Literal["if-valid"]
#: The header of a token, parsed (RFC 7515, section 4).
Header: TypeAlias = dict[str, Any]
#: The claims of a token, parsed (RFC 7519, section 4).
Claims: TypeAlias = dict[str, Any]
#: Turns an object that JSON does not know into one it does.
JSONDefault: TypeAlias = Callable[[Any], Any]


class IdentityLoader(Protocol):
    """``user_identity_loader``: the value of the identity claim for what was passed to ``create_*_token``."""

    def __call__(self, identity: Any, /) -> MaybeAsync[Any]: ...


class MappingLoader(Protocol):
    """``additional_claims_loader`` and ``additional_headers_loader``: what to add for this identity."""

    def __call__(self, identity: Any, /) -> MaybeAsync[dict[str, Any]]: ...


class EncodeKeyLoader(Protocol):
    """``encode_key_loader``: the key that signs tokens of this identity."""

    def __call__(self, identity: Any, /) -> MaybeAsync[Any]: ...


class DecodeKeyLoader(Protocol):
    """``decode_key_loader``: the key that verifies a token, judged by its *unverified* header and claims."""

    def __call__(self, jwt_header: Header, jwt_data: Claims, /) -> MaybeAsync[Any]: ...


class TokenTest(Protocol):
    """``token_in_blocklist_loader`` and ``token_verification_loader``: a yes or no about a verified token."""

    def __call__(self, jwt_header: Header, jwt_data: Claims, /) -> MaybeAsync[bool]: ...


class RolesLoader(Protocol):
    """``roles_loader``: the roles of a verified token."""

    def __call__(self, jwt_header: Header, jwt_data: Claims, /) -> MaybeAsync[Iterable[str]]: ...


class UserLookupLoader(Protocol):
    """``user_lookup_loader``: the user of a verified token, ``None`` if there is none."""

    def __call__(self, jwt_header: Header, jwt_data: Claims, /) -> MaybeAsync[Any]: ...


class MessageResponse(Protocol):
    """``invalid_token_loader`` and ``unauthorized_loader``: the answer for a message."""

    def __call__(self, message: str, /) -> MaybeAsync[ResponseReturnValue]: ...


class TokenResponse(Protocol):
    """The loaders that answer for a genuine token that was refused: expired, revoked, not fresh and so on."""

    def __call__(self, jwt_header: Header, jwt_data: Claims, /) -> MaybeAsync[ResponseReturnValue]: ...
