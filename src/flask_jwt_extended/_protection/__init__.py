"""Default-deny, and what decorators record about views."""
