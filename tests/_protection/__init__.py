"""What a token may do: scopes, roles, kinds, step-up, default-deny, and the audit of every route."""
