"""Helpers for the tests of your application, or of your own session store.

.. versionadded:: 5.0
"""
