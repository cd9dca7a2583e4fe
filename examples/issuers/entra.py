"""Microsoft Entra ID: ``app.config.from_pyfile("entra.py")``."""

JWT_TRUSTED_ISSUERS = {
    "https://login.microsoftonline.com/TENANT-ID/v2.0": {
        "audience": "API-CLIENT-ID",
        "algorithms": ["RS256"],
        "identity_claim": "oid",
        "scopes": ["access_as_user"],
        "roles": ["Orders.Admin"],
    },
}
