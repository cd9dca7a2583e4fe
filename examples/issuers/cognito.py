"""Amazon Cognito: ``app.config.from_pyfile("cognito.py")``."""

JWT_TRUSTED_ISSUERS = {
    "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_POOLID": {
        "audience": "APP-CLIENT-ID",
        "audience_claim": "client_id",
        "algorithms": ["RS256"],
        "scopes": ["orders/read", "orders/write"],
    },
}
