"""Notice that a configuration has changed, also if a list or mapping in it was changed in place.

``snapshot(raw) == read_raw(app.config)`` is the one comparison that each request makes. So a snapshot is a tuple of the
raw values, in which a plain comparison in C does the work: only a value that compares wrongly is replaced by a small
object with an ``__eq__`` of its own. The snapshot is always on the left, so that its ``__eq__`` is called first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from datetime import date, datetime, timedelta
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
        return _SameTypeAndValue(value)
    if name == "JWT_STORE_URI" and value is not None and not isinstance(value, str):
        return _SameObject(value)  # a store may look like a container
    return _copy(value)


def _copy(value: Any, *outer: int) -> Any:
    """Copy a value with all its contents.

    :param outer: the ids of the containers that it is in
    """
    kind = type(value)
    if kind in _IMMUTABLE:
        return value
    if id(value) in outer or len(outer) > _MAX_DEPTH:
        return _SameObject(value)
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
            return _SameContents(value, read, contents if is_flat else _copy(contents, *inner))
    return _SameObject(value)


def _items_of(value: Any) -> list[tuple[Any, Any]]:
    return list(value.items())


#: How to read the contents of containers other than ``dict``, ``list`` and ``tuple``.
_CONTAINERS: tuple[tuple[type[Any], Callable[[Any], Any]], ...] = (
    (Mapping, _items_of),
    (Set, frozenset),
    (bytearray, bytes),
    (Sequence, list),
)


class _SameTypeAndValue:
    """Equals the same number of the same type: ``False == 0``, but as a lifetime ``False`` is unlimited."""

    __slots__ = ("_value",)
    __hash__ = None  # type: ignore[assignment]  # only for comparisons

    def __init__(self, value: Any) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self._value) and other == self._value


class _SameObject:
    """Equals one object. The ``__eq__`` of that object is never called."""

    __slots__ = ("_value",)
    __hash__ = None  # type: ignore[assignment]  # only for comparisons

    def __init__(self, value: Any) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return other is self._value


class _SameContents:
    """Equals a container of the same type with the same contents, in the same order if it has one."""

    __slots__ = ("_contents", "_read", "_type")
    __hash__ = None  # type: ignore[assignment]  # only for comparisons

    def __init__(self, value: Any, read: Callable[[Any], Any], contents: Any) -> None:
        self._type = type(value)
        self._read = read
        self._contents = contents

    def __eq__(self, other: object) -> bool:
        return type(other) is self._type and bool(self._contents == self._read(other))
