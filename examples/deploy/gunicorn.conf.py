"""gunicorn behind nginx on the same machine."""

import os

bind = os.environ.get("BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WORKERS", "4"))
# Threads, because a request may wait for the store. For gevent: worker_class = "gevent", and no preload_app.
threads = 4
# The application is loaded once and forked: keys are prepared once, and each worker opens its own connections.
preload_app = True
# One header may hold a token of JWT_MAX_TOKEN_BYTES, or several cookies; gunicorn's default is 8190 bytes.
limit_request_field_size = 16380
# Trust the client's address only if it comes from nginx.
forwarded_allow_ips = "127.0.0.1"
