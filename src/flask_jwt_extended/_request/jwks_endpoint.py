"""The JWK Set of this application as a response (RFC 7517, section 8.5)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from flask import Request, Response

#: Seconds that clients may cache the set. A key is published as *next* for longer than this before it signs.
MAX_AGE = 300


def jwks_response(document: Mapping[str, Any], request: Request) -> Response:
    """Return the response with a public JWK Set; 304 if the client has it already (RFC 9110, section 13.1.2)."""
    octets = json.dumps(document, separators=(",", ":")).encode()
    response = Response(octets, mimetype="application/jwk-set+json")
    response.cache_control.public = True
    response.cache_control.max_age = MAX_AGE
    response.set_etag(hashlib.sha256(octets).hexdigest()[:32])
    return response.make_conditional(request)  # type: ignore[return-value]  # of this very class
