"""``flask jwt``: check an application, show its settings, inspect tokens, list routes, manage sessions and keys."""

from __future__ import annotations

from .check import check_command, key_digest_command
from .config import config_command
from .inspect import inspect_command
from .keys import keys
from .routes import routes_command
from .sessions import sessions
from .terminal import CommandGroup

jwt = CommandGroup("jwt", help="Check JWT settings, show them, inspect tokens, list routes, manage sessions and keys.")
for command in (
    check_command,
    key_digest_command,
    config_command,
    inspect_command,
    routes_command,
    sessions,
    keys,
):
    jwt.add_command(command)
