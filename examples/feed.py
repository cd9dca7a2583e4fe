"""A WebSocket with flask-sock. It opens with a token, and closes when the token expires or its session ends.

pip install flask-sock
"""

from flask import Flask, request
from flask_sock import Sock

from flask_jwt_extended import JWTManager, create_access_token, get_jwt_identity
from flask_jwt_extended.sockets import sock_required

app = Flask(__name__)
app.config.from_prefixed_env()  # FLASK_JWT_SECRET_KEY
JWTManager(app)
sock = Sock(app)


@app.post("/login")
def login():  # check a password here first
    return {"access_token": create_access_token(request.json["username"], additional_claims={"scope": "feed"})}


@sock.route("/feed")
@sock_required(scopes="feed")
def feed(ws):
    while True:
        ws.send(f"{get_jwt_identity()} said {ws.receive()}")
