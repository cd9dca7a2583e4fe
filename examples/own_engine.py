"""Sessions in the application's own database, through its own SQLAlchemy engine."""

from flask import Flask, request
from sqlalchemy import create_engine, event

from flask_jwt_extended import JWTManager, get_jwt_identity, jwt_required, start_session
from flask_jwt_extended.stores.sql import SqlStore

engine = create_engine("sqlite:///app.db")  # with Flask-SQLAlchemy: db.engine, within an application context


@event.listens_for(engine, "connect")
def write_ahead(connection, _):  # for SQLite only: reading does not wait for writing
    connection.execute("PRAGMA journal_mode = WAL")


app = Flask(__name__)
app.config.from_prefixed_env()  # FLASK_JWT_SECRET_KEY
app.config["JWT_STORE_URI"] = SqlStore(engine, timeout=1)
JWTManager(app)


@app.post("/login")
def login():  # check a password here first
    pair = start_session(request.json["username"])
    return {"access_token": pair.access_token, "refresh_token": pair.refresh_token}


@app.get("/me")
@jwt_required()
def me():
    return {"me": get_jwt_identity()}
