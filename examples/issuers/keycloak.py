"""Keycloak: ``app.config.from_pyfile("keycloak.py")``."""

JWT_TRUSTED_ISSUERS = {
    "https://login.example.com/realms/shop": {
        "audience": "orders-api",
        "algorithms": ["RS256"],
        "scopes": ["orders:read", "orders:write"],
    },
}
