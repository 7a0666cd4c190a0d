"""HTTPS to one appliance, standard library only; NAME.coffer.test is resolved to loopback here."""
import http.client
import json
import ssl
import threading
import urllib.parse

API_VERSION = "7.6"
LOOPBACK = "127.0.0.1"


class Refused(Exception):
    """An answer of 400 and above, where another was wanted."""

    def __init__(self, answer, asked):
        super().__init__(f"{asked}: {answer.status} ({answer.code}) {answer.message}")
        self.answer = answer


class Answer:
    def __init__(self, status, headers, raw):
        self.status, self.headers, self.raw = status, headers, raw
        try:
            self.json = json.loads(raw) if raw else None
        except ValueError:
            self.json = None
        error = self.json.get("error") if isinstance(self.json, dict) else None
        self.code = (error or {}).get("code", "")
        self.message = (error or {}).get("message", "")


class _Connection(http.client.HTTPSConnection):
    """Connects to loopback, whatever the name; the certificate is still checked against the name."""

    def connect(self):
        name, self.host = self.host, LOOPBACK
        try:
            http.client.HTTPConnection.connect(self)
        finally:
            self.host = name
        self.sock = self._context.wrap_socket(self.sock, server_hostname=name)


class Rest:
    """One kept connection a thread. `token` is a text, or a function that gives one."""

    def __init__(self, url, ca, token=None, timeout=120):
        parts = urllib.parse.urlsplit(url)
        self.url, self.host, self.port = url, parts.hostname, parts.port or 443
        self.token, self.timeout = token, timeout
        self.context = ssl.create_default_context(cafile=ca)
        self._local = threading.local()

    def _headers(self, token, extra):
        token = self.token if token is None else token
        token = token() if callable(token) else token
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        headers.update(extra or {})
        return headers

    def _exchange(self, method, target, body, headers):
        kept = getattr(self._local, "connection", None)
        connection = kept or _Connection(self.host, self.port, timeout=self.timeout, context=self.context)
        self._local.connection = None
        try:
            connection.request(method, target, body=body, headers=headers)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            connection.close()
            if kept is None:
                raise
            return self._exchange(method, target, body, headers)  # a kept connection had been closed: once more
        except Exception:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            self._local.connection = connection
        return answer

    def close(self):
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
        self._local.connection = None

    def call(self, method, path, body=None, token=None, headers=None, version=API_VERSION):
        """Any answer. `body`: a value for JSON, or bytes as they are. `token` "" sends none."""
        if version and "api-version=" not in path:
            path += ("&" if "?" in path else "?") + "api-version=" + version
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        return self._exchange(method, path, body, self._headers(token, headers))

    def get(self, path, **more):
        """JSON of a good answer; Refused for another."""
        return self.ask("GET", path, **more)

    def ask(self, method, path, body=None, **more):
        answer = self.call(method, path, body, **more)
        if answer.status >= 400:
            raise Refused(answer, f"{method} {path}")
        return answer.json

    def pages(self, path):
        """Every item of a paged list."""
        while path:
            page = self.get(path)
            yield from page["value"]
            link = page.get("nextLink") or ""
            if link and not link.startswith(self.url + "/"):
                raise ValueError(f"nextLink leaves the host: {link}")
            path = link[len(self.url):]
