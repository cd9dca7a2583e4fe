"""Which keys verify a token: configured, loaded or fetched."""
