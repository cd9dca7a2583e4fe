"""Supabase: ``app.config.from_pyfile("supabase.py")``."""

JWT_TRUSTED_ISSUERS = {
    "https://PROJECT.supabase.co/auth/v1": {
        "jwks_uri": "https://PROJECT.supabase.co/auth/v1/.well-known/jwks.json",
        "audience": "authenticated",
        "algorithms": ["ES256", "RS256"],
    },
}
