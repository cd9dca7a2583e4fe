"""Applications as users write them, for the type checkers: nothing here runs."""
