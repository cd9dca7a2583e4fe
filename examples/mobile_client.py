"""What an app on a phone does with its tokens: send one, and trade the other when the first is refused.

Python here; the same in Swift or Kotlin.
"""

from threading import Lock


class Client:
    """Calls an API with an access token, and gets itself another when that has expired.

    ``send(method, path, token, body)`` makes one request and returns the status and the answer. ``keep(tokens)`` puts
    them where the system keeps secrets (KeySource, Keystore), ``None`` when they are good for nothing any more.
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
        """Trade the refresh token for new tokens: once, however many calls were refused at the same time."""
        with self.refreshing:
            if self.tokens["access_token"] != used:
                return True  # another call was faster
            status, answer = self.send("POST", "/refresh", self.tokens["refresh_token"], None)
            if status == 200:
                self.tokens = answer
                self.keep(answer)
            elif status == 401:  # the session is over: show the login; anything else may pass, so try again later
                self.keep(None)
            return status == 200
