"""Compact JWS, keys and claims. Pure: no Flask, no clock."""
