"""The types of the public interface.

A loader may be a function or a coroutine function, so it returns its result or an awaitable of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

T = TypeVar("T")

#: How long a token is valid: a ``timedelta``, seconds, or ``False`` for a token that does not expire.
ExpiresDelta: TypeAlias = Literal[False] | timedelta | int | float
#: Whether a token is fresh, or how long it will be.
Fresh: TypeAlias = bool | float | timedelta

# .. versionadded:: 5.0 for all below

#: The result of a loader, or an awaitable of it.
MaybeAsync: TypeAlias = T | Awaitable[T]
#: Where a view looks for its token: one location or several, in order of precedence.
LocationType: TypeAlias = str | Sequence[str] | None
#: Whether requests without a token pass. ``"if-valid"`` also lets requests pass whose token is refused.
OptionalType: TypeAlias = bool | Literal["if-valid"]
#: The header of a token, parsed (RFC 7515, section 4).
Header: TypeAlias = dict[str, Any]
#: The claims of a token, parsed (RFC 7519, section 4).
Claims: TypeAlias = dict[str, Any]
#: Turns an object that JSON does not support into one that it does.
JSONDefault: TypeAlias = Callable[[Any], Any]

#: ``user_identity_loader``: returns the identity claim for the identity that a token is made for.
IdentityLoader: TypeAlias = Callable[[Any], MaybeAsync[Any]]
#: ``additional_claims_loader`` and ``additional_headers_loader``: return what to add for an identity.
MappingLoader: TypeAlias = Callable[[Any], MaybeAsync[dict[str, Any]]]
#: ``encode_key_loader``: returns the key that signs tokens of an identity.
EncodeKeyLoader: TypeAlias = Callable[[Any], MaybeAsync[Any]]
#: ``decode_key_loader``: returns the key that verifies a token, from its *unverified* header and claims.
DecodeKeyLoader: TypeAlias = Callable[[Header, Claims], MaybeAsync[Any]]
#: ``token_in_blocklist_loader`` and ``token_verification_loader``: decide about a verified token.
TokenTest: TypeAlias = Callable[[Header, Claims], MaybeAsync[bool]]
#: ``roles_loader``: returns the roles of a verified token.
RolesLoader: TypeAlias = Callable[[Header, Claims], MaybeAsync[Iterable[str]]]
#: ``user_lookup_loader``: returns the user of a verified token, or ``None``.
UserLookupLoader: TypeAlias = Callable[[Header, Claims], MaybeAsync[Any]]
#: ``invalid_token_loader`` and ``unauthorized_loader``: return the response for a message.
MessageResponse: TypeAlias = "Callable[[str], MaybeAsync[ResponseReturnValue]]"
#: The loaders that return the response for a genuine token that was refused: expired, revoked, not fresh and so on.
TokenResponse: TypeAlias = "Callable[[Header, Claims], MaybeAsync[ResponseReturnValue]]"
