"""Keys: configured ones, those of loaders, and those of external issuers."""
