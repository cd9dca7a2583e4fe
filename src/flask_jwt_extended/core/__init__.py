"""The domain: keys, the compact form, claims, policy. Pure: no Flask, no clock (``now`` is an argument), no globals."""
