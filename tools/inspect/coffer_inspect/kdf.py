"""Key derivation and MACs: backup/FORMAT.md 4, domain/FORMAT.md head."""
import hashlib
import hmac as _hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .errors import AUTH, Refused


def sha256(data):
    return hashlib.sha256(data).digest()


def hmac256(key, data):
    return _hmac.new(key, data, hashlib.sha256).digest()


def equal(a, b):
    return _hmac.compare_digest(a, b)


def kdf(key, label, context):
    """SP 800-108 counter mode, HMAC-SHA256, one block of 32 bytes."""
    frame = b"\0\0\0\1" + label.encode("ascii") + b"\0" + context + (256).to_bytes(4, "big")
    return hmac256(key, frame)


def kdf512(key, label, context=b""):
    """SP 800-108 counter mode, HMAC-SHA512, one block of 64 bytes, as az computes it."""
    frame = b"\0\0\0\1" + label.encode("utf-8") + b"\0" + context + (512).to_bytes(4, "big")
    return _hmac.new(key, frame, hashlib.sha512).digest()


def fingerprint(bk, domain_id, generation):
    return kdf(bk, "coffer.v1.fp", domain_id + generation.to_bytes(4, "little"))


def gcm_open(key, nonce, sealed, what, aad=None):
    """Opens ciphertext ‖ tag, or refuses naming `what`."""
    if len(sealed) < 16:
        raise Refused(AUTH, f"{what}: too short for its tag")
    try:
        return AESGCM(key).decrypt(nonce, sealed, aad)
    except InvalidTag:
        raise Refused(AUTH, f"{what} does not verify") from None
