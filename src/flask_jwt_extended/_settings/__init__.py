"""Options: the declarations, what they resolve to, and their parsers."""
