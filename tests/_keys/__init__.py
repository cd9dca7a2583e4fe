"""Keys that are not in the configuration: those of other issuers."""
