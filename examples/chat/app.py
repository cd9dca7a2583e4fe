"""A chat over Flask-SocketIO. Joining needs a token, and the end of a session disconnects.

pip install Flask-SocketIO
"""

from flask import Flask, jsonify, render_template, request, session
from flask_socketio import SocketIO, emit

from flask_jwt_extended import (
    JWTManager,
    end_session,
    get_jwt_identity,
    jwt_required,
    set_session_cookies,
    start_session,
    unset_jwt_cookies,
)
from flask_jwt_extended.sockets import socketio_required

app = Flask(__name__)
app.config.update(JWT_PROFILE="strict", JWT_TOKEN_LOCATION="cookies", JWT_STORE_URI="sqlite:///jwt.db")
app.config.from_prefixed_env()  # FLASK_JWT_SECRET_KEY
app.config["SECRET_KEY"] = app.config.get("SECRET_KEY") or app.config["JWT_SECRET_KEY"]
JWTManager(app)
socketio = SocketIO(app, async_mode="threading")


@app.get("/")
def page():
    return render_template("chat.html")


@app.post("/login")
def login():  # check a password here first
    response = jsonify(welcome=request.json["username"])
    set_session_cookies(response, start_session(request.json["username"]))
    return response


@app.post("/logout")
@jwt_required()
def logout():
    end_session()
    response = jsonify(goodbye=get_jwt_identity())
    unset_jwt_cookies(response)
    return response


@socketio.on("connect")
@socketio_required(socketio, check_every=1)
def join(_auth):
    session["name"] = get_jwt_identity()
    emit("joined", session["name"], broadcast=True)


@socketio.on("say")
def say(text):
    emit("said", {"who": session["name"], "text": str(text)[:200]}, broadcast=True)


if __name__ == "__main__":
    socketio.run(app)
