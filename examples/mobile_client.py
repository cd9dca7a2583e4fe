"""The client of a mobile app: send the access token, and refresh when it is refused.

This is Python; Swift and Kotlin work the same.
"""

from threading import Lock


class Client:
    """Calls an API with an access token, and refreshes the token when it has expired.

    ``send(method, path, token, body)`` makes one request and returns the status and the answer. ``keep(tokens)`` stores
    the tokens in the secret storage of the system (Keychain, Keystore), or deletes them if it gets ``None``.
    """

    def __init__(self, send, tokens, keep):
        self.send, self.tokens, self.keep = send, tokens, keep
        self.refreshing = Lock()

    def call(self, method, path, body=None):
        used = self.tokens["access_token"]
        status, answer = self.send(method, path, used, body)
        if status == 401 and self.refreshed(used):
            status, answer = self.send(method, path, self.tokens["access_token"], body)
        return status, answer

    def refreshed(self, used):
        """Exchange the refresh token for new tokens, once for all calls that were refused at the same time."""
        with self.refreshing:
            if self.tokens["access_token"] != used:
                return True  # another call was faster
            status, answer = self.send("POST", "/refresh", self.tokens["refresh_token"], None)
            if status == 200:
                self.tokens = answer
                self.keep(answer)
            elif status == 401:  # the session has ended: show the login. Other errors are temporary: try again later
                self.keep(None)
            return status == 200
