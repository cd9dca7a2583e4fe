"""A store whose process is killed before or after a certain call of it, and clients that die of it.

It must not know how a store keeps anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask_jwt_extended.stores import open_store
from flask_jwt_extended.stores.base import SessionStore

from .application import Client
from .crowd import kill_this_process, outlived

#: Seconds that the store of a client that will die may take.
_TIMEOUT = 10.0


@SessionStore.register  # it passes on whatever is called, by __getattr__
class LethalStore:
    """Passes every call on, and kills this process at a certain moment.

    :param store: what the calls are passed on to
    :param moment: ``0``: before the first call, ``1``: after it, ``2``: before the second...
    """

    def __init__(self, store: SessionStore, moment: int) -> None:
        self._store = store
        self._left = moment

    def _passing(self, name: str, arguments: tuple[Any, ...]) -> Any:
        self._come_closer()
        result = getattr(self._store, name)(*arguments)
        self._come_closer()
        return result

    def _come_closer(self) -> None:
        if self._left == 0:
            kill_this_process()
        self._left -= 1


def _passed_on(name: str) -> Callable[..., Any]:
    return lambda self, *arguments: self._passing(name, arguments)


for _name in (name for name in vars(SessionStore) if not name.startswith("_")):
    setattr(LethalStore, _name, _passed_on(_name))


def survives(store: str, moment: int, method: str, *arguments: str) -> bool:
    """Make a request in a process that is killed at a certain moment, and say whether it lived to answer.

    :param store: what JWT_STORE_URI is
    :param moment: see :class:`LethalStore`
    :param method: of :class:`Client`
    """
    return outlived(_request, store, moment, method, *arguments)


def _request(store: str, moment: int, method: str, *arguments: str) -> None:
    lethal: Any = LethalStore(open_store(store, _TIMEOUT), moment)
    answer = getattr(Client(lethal), method)(*arguments)
    assert answer.status == 200, f"{method} was answered with {answer.status}"
