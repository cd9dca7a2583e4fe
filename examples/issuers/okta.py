"""Okta: ``app.config.from_pyfile("okta.py")``."""

JWT_TRUSTED_ISSUERS = {
    "https://DOMAIN.okta.com/oauth2/default": {
        "audience": "api://default",
        "algorithms": ["RS256"],
        "identity_claim": "uid",
        "scopes": ["orders:read", "orders:write"],
    },
}
