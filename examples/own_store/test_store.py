"""It passes the contract that all stores of the package pass."""

import pytest
from store import FileStore

from flask_jwt_extended.testing.store_contract import SharedStoreContract


class TestFileStore(SharedStoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        return FileStore(tmp_path / "sessions.db", timeout=10)
