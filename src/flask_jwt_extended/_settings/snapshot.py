"""Notice that a configuration has changed, also if a list or mapping in it was changed in place.

Each request makes one comparison of two tuples, in C: ``snapshot(raw) == read_raw(app.config)``. In a snapshot, values
that compare wrongly are replaced by :class:`_Equal`. It is always on the left, so that its ``__eq__`` is called first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from datetime import date, datetime, timedelta
from functools import partial
from operator import is_, itemgetter
from typing import Any

from .options import NAMES

#: Read every raw value that Settings are made from, at C speed. Raises KeyError if one is missing.
read_raw: Callable[[Mapping[str, Any]], tuple[Any, ...]] = itemgetter(*NAMES, "SECRET_KEY")

#: Types of values that never change and compare by their value.
_IMMUTABLE = frozenset({type(None), bool, int, float, str, bytes, timedelta, date, datetime})
#: Containers that are nested deeper than this are compared by identity.
_MAX_DEPTH = 32


def snapshot(raw: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a copy of raw values that later ones are compared with: ``snapshot(raw) == later``."""
    return tuple(map(_copy_option, (*NAMES, "SECRET_KEY"), raw))


def _copy_option(name: str, value: Any) -> Any:
    if name.endswith(("_EXPIRES", "_LIFETIME", "_IDLE_TIMEOUT")) and isinstance(value, (int, float)):
        return _same_contents(value, lambda number: number, value)  # False == 0, but a lifetime of False is unlimited
    if name == "JWT_STORE_URI" and value is not None and not isinstance(value, str):
        return _same_object(value)  # a store may look like a container
    return _copy(value)


def _copy(value: Any, *outer: int) -> Any:
    """Copy a value with all its contents.

    :param outer: the ids of the containers that it is in
    """
    kind = type(value)
    if kind in _IMMUTABLE:
        return value
    if id(value) in outer or len(outer) > _MAX_DEPTH:
        return _same_object(value)
    inner = (*outer, id(value))
    if kind is dict:
        return {key: _copy(each, *inner) for key, each in value.items()}
    if kind is list or kind is tuple:
        copied = kind(_copy(each, *inner) for each in value)
        return value if kind is tuple and all(map(is_, copied, value)) else copied
    for abstract, read in _CONTAINERS:
        if isinstance(value, abstract) and not isinstance(value, (str, bytes)):
            contents = read(value)
            is_flat = abstract in (Set, bytearray)
            return _same_contents(value, read, contents if is_flat else _copy(contents, *inner))
    return _same_object(value)


#: How to read the contents of containers other than ``dict``, ``list`` and ``tuple``.
_CONTAINERS: tuple[tuple[type[Any], Callable[[Any], Any]], ...] = (
    (Mapping, lambda value: list(value.items())),
    (Set, frozenset),
    (bytearray, bytes),
    (Sequence, list),
)


class _Equal:
    """Equals every object that a function accepts."""

    __slots__ = ("_accepts",)
    __hash__ = None  # type: ignore[assignment]  # only for comparisons

    def __init__(self, accepts: Callable[[Any], bool]) -> None:
        self._accepts = accepts

    def __eq__(self, other: object) -> bool:
        return self._accepts(other)


def _same_object(value: Any) -> _Equal:
    return _Equal(partial(is_, value))


def _same_contents(value: Any, read: Callable[[Any], Any], contents: Any) -> _Equal:
    """Equal what has the same type and the same contents, in the same order if it has one."""
    kind = type(value)
    return _Equal(lambda other: type(other) is kind and bool(contents == read(other)))
