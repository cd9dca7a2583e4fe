"""A flask-smorest API with default-deny. Its OpenAPI document lists the requirements of each operation.

pip install flask-smorest
"""

from flask import Flask, request
from flask.views import MethodView
from flask_smorest import Api, Blueprint
from marshmallow import Schema, fields

from flask_jwt_extended import JWTManager, create_access_token, get_jwt_identity, jwt_exempt, jwt_required
from flask_jwt_extended.openapi import document_security

app = Flask(__name__)
app.config.update(
    JWT_PROFILE="strict",
    API_TITLE="Orders",
    API_VERSION="1",
    OPENAPI_VERSION="3.1.0",
    OPENAPI_URL_PREFIX="/",
    OPENAPI_JSON_PATH="openapi.json",
)
app.config.from_prefixed_env()  # FLASK_JWT_SECRET_KEY
jwt = JWTManager(app)
jwt.protect(app, exempt=["static", "api-docs.*"])
api = Api(app)
document_security(api, app)

orders = Blueprint("orders", __name__, url_prefix="/orders")
ORDERS = []


class Order(Schema):
    item = fields.String(required=True)
    ordered_by = fields.String(dump_only=True)


@app.post("/login")
@jwt_exempt
def login():  # check a password here first
    grants = {"scope": "orders:read orders:write" if request.json["username"] == "ada" else "orders:read"}
    return {"access_token": create_access_token(request.json["username"], additional_claims=grants)}


@orders.route("")
class Orders(MethodView):
    @jwt_required(scopes="orders:read")
    @orders.response(200, Order(many=True))
    def get(self):
        return ORDERS

    @jwt_required(scopes="orders:write")
    @orders.arguments(Order)
    @orders.response(201, Order)
    def post(self, order):
        ORDERS.append({**order, "ordered_by": get_jwt_identity()})
        return ORDERS[-1]


api.register_blueprint(orders)
