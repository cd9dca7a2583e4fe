"""Single-use tokens. One request may check such a token several times: only the first check uses it."""

from __future__ import annotations

from flask import Request

from .._jose.token import Token
from .._sessions.revocation import consume, token_digest
from .._state import ExtensionState

#: The attribute of a request with the digests of the single-use tokens that it has used.
_USED = "_jwt_extended_used"


def has_used(request: Request | None, token: Token, state: ExtensionState) -> bool:
    """Return whether this request has used a single-use token already."""
    return request is not None and token_digest(token.claims, state) in vars(request).get(_USED, ())


def use(request: Request | None, token: Token, state: ExtensionState) -> None:
    """Use a single-use token for a request.

    :raises RevokedTokenError: if it was used before, or there is no store
    :raises StoreUnavailableError: if the store does not answer
    """
    consume(token, state)
    if request is not None:
        vars(request).setdefault(_USED, set()).add(token_digest(token.claims, state))
