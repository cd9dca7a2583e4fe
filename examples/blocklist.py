"""Revoke tokens before they expire, with a table of your own.

With a store (JWT_STORE_URI) you need none of this: see devices.py.
"""

import sqlite3
from contextlib import closing

from flask import Flask, request

from flask_jwt_extended import JWTManager, create_access_token, get_jwt, get_jwt_identity, jwt_required

app = Flask(__name__)
app.config.from_prefixed_env()  # FLASK_JWT_SECRET_KEY
app.config.setdefault("BLOCKLIST", "blocklist.db")
jwt = JWTManager(app)


def database():
    connection = sqlite3.connect(app.config["BLOCKLIST"])
    connection.execute("CREATE TABLE IF NOT EXISTS revoked (jti TEXT PRIMARY KEY, expires INTEGER NOT NULL)")
    return closing(connection)


@jwt.token_in_blocklist_loader
def is_revoked(_header, claims):
    with database() as connection:
        return connection.execute("SELECT 1 FROM revoked WHERE jti = ?", [claims["jti"]]).fetchone() is not None


@app.post("/login")
def login():  # check a password here first
    return {"access_token": create_access_token(request.json["username"])}


@app.delete("/logout")
@jwt_required(verify_type=False)  # an access token or a refresh token
def logout():
    token = get_jwt()
    with database() as connection, connection:
        connection.execute("INSERT OR IGNORE INTO revoked VALUES (?, ?)", [token["jti"], token["exp"]])
        connection.execute("DELETE FROM revoked WHERE expires < ?", [token["iat"]])  # expired tokens are refused anyway
    return {"revoked": token["type"]}


@app.get("/me")
@jwt_required()
def me():
    return {"me": get_jwt_identity()}
