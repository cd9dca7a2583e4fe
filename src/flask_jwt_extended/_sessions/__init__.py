"""Sessions: start, refresh, end, and the checks of revocation."""
