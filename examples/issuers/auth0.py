"""Auth0: ``app.config.from_pyfile("auth0.py")``."""

JWT_TRUSTED_ISSUERS = {
    "https://TENANT.eu.auth0.com/": {
        "audience": "https://api.example.com",
        "algorithms": ["RS256"],
        "scopes": ["read:orders", "write:orders"],
    },
}
