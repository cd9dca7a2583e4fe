"""An application whose tests, in this folder, use flask_jwt_extended.testing."""

from flask import Flask, request

from flask_jwt_extended import JWTManager, create_access_token, get_jwt_identity, jwt_exempt, jwt_required


def create_app():
    app = Flask(__name__)
    app.config.update(JWT_PROFILE="strict")
    app.config.from_prefixed_env()  # FLASK_JWT_SECRET_KEY
    jwt = JWTManager(app)
    jwt.protect(app)

    @app.post("/login")
    @jwt_exempt
    def login():  # check a password here first
        return {"access_token": create_access_token(request.json["username"])}

    @app.get("/orders")
    @jwt_required(roles="clerk", scopes="orders:read")
    def orders():
        return {"orders": [], "for": get_jwt_identity()}

    @app.get("/orders/<int:order_id>")
    @jwt_required(roles="clerk")
    def order(order_id):
        return {"order": order_id}

    return app
