"""Every store keeps the contract."""

from __future__ import annotations

import pytest

from flask_jwt_extended.testing.store_contract import SharedStoreContract, StoreContract

from ..engines import SHARED


@pytest.mark.parametrize("store", ["memory"], indirect=True)
class TestMemory(StoreContract):
    """A store that lives in one process."""


@pytest.mark.parametrize("store", SHARED, indirect=True)
class TestShared(SharedStoreContract):
    """Stores that many processes share."""
