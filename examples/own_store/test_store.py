"""It keeps the promises of a store: the contract that the stores of the package pass."""

import pytest
from store import DiaryStore

from flask_jwt_extended.testing.store_contract import StoreContract


class TestDiaryStore(StoreContract):
    @pytest.fixture
    def store(self):
        return DiaryStore()
