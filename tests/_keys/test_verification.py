"""One place verifies signatures: nothing else decides which key a token must be signed with."""

from __future__ import annotations

from pathlib import Path

import flask_jwt_extended

PACKAGE = Path(flask_jwt_extended.__file__).parent


def test_signatures_are_verified_in_one_place() -> None:
    """Only ``_keys`` verifies; besides it, an import path of 4.7 that takes the secret as an argument."""
    users = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if "verify_with(" in path.read_text()}
    assert users == {"_jose/compact.py", "_keys/issuer.py", "_keys/loaded.py", "tokens.py"}
    users = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if ".verifier." in path.read_text()}
    assert users == {"_keys/verification.py"}
