"""The storm: sessions raced for by many processes, and engines killed and hung under them."""
