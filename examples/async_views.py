"""Views and loaders that are coroutine functions.

pip install 'flask-jwt-extended[async]'
"""

import asyncio

from flask import Flask, request

from flask_jwt_extended import JWTManager, create_access_token, current_user, jwt_required

app = Flask(__name__)
app.config.from_prefixed_env()  # FLASK_JWT_SECRET_KEY
jwt = JWTManager(app)


@jwt.user_lookup_loader
async def user_of(_header, claims):
    await asyncio.sleep(0)  # query a database here
    return {"name": claims["sub"]}


@app.post("/login")
async def login():  # check a password here first
    return {"access_token": create_access_token(request.json["username"])}


@app.get("/me")
@jwt_required()
async def me():
    # Tasks and threads of a request see its user.
    name, greeting = await asyncio.gather(asyncio.to_thread(lambda: current_user["name"]), greet())
    return {"me": name, "greeting": greeting}


async def greet():
    await asyncio.sleep(0)
    return f"hello {current_user['name']}"
