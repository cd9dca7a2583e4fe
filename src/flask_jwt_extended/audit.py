"""What each route of an application requires, as ``flask jwt routes`` prints it.

.. versionadded:: 5.0
"""

from __future__ import annotations

from ._diagnostics.routes import Route, routes

__all__ = ["Route", "routes"]
