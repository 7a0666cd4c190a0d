"""What tests of the Azure SDKs for Python share: the name on loopback, our authority, credentials."""
import os
import socket
import sys
import time

try:
    from azure.core.credentials import AccessToken
except ImportError as missing:
    print(f"SKIPPED: Debian's python3-azure is not installed: {missing}")
    sys.exit(77)

_getaddrinfo = socket.getaddrinfo


def _loopback(host, *args, **more):
    name = host.decode() if isinstance(host, bytes) else host
    return _getaddrinfo("127.0.0.1" if name and name.endswith(".coffer.test") else host, *args, **more)


def use(bench):
    """From now on this process finds and trusts the bench appliance."""
    socket.getaddrinfo = _loopback
    os.environ["REQUESTS_CA_BUNDLE"] = bench.ca


class TokenOf:
    """A credential that holds what `coffer bench token` prints."""

    def __init__(self, bench, principal):
        self.token = bench.token(principal)
        self.scopes = []

    def get_token(self, *scopes, **_more):
        self.scopes.append(scopes)
        return AccessToken(self.token, int(time.time()) + 3000)
