"""Google: ``app.config.from_pyfile("google.py")``."""

JWT_TRUSTED_ISSUERS = {
    "https://accounts.google.com": {
        "audience": "CLIENT-ID.apps.googleusercontent.com",
        "algorithms": ["RS256"],
    },
}
