"""Sessions: what is kept of a login, how its refresh tokens follow one another, and where that is stored."""
