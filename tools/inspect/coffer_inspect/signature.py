"""Signature lists: backup/FORMAT.md 3.4. ECDSA P-256 with SHA-256, r ‖ s, low s."""
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from .errors import AUTH, CORRUPT, LIMIT, Refused, need
from .kdf import sha256

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ALG_P256 = 1


def parse(data, what):
    """u8 n ‖ n entries, filling `data`: a list of {alg, key_id, head, value}."""
    need(len(data) >= 1, CORRUPT, f"{what}: no signature count")
    count, at, out = data[0], 1, []
    need(count <= 8, LIMIT, f"{what}: {count} signatures, at most 8")
    for number in range(count):
        head = data[at:at + 36]
        need(len(head) == 36, CORRUPT, f"{what}: signature {number} is cut")
        need(head[1] == 0, CORRUPT, f"{what}: signature {number}: reserved byte set")
        length = int.from_bytes(head[2:4], "little")
        need(length <= 5120, LIMIT, f"{what}: signature {number} of {length} bytes")
        value = data[at + 36:at + 36 + length]
        need(len(value) == length, CORRUPT, f"{what}: signature {number} is cut")
        need(all(head[4:] != s["key_id"] for s in out), CORRUPT, f"{what}: signer twice")
        out.append({"alg": head[0], "key_id": head[4:], "head": head, "value": value})
        at += 36 + length
    need(at == len(data), CORRUPT, f"{what}: bytes behind the last signature")
    return out


def load_p256(spki, what):
    try:
        key = serialization.load_der_public_key(spki)
    except ValueError:
        raise Refused(CORRUPT, f"{what}: not a public key") from None
    good = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
    need(good, CORRUPT, f"{what}: not a P-256 key")
    return key


def verify_p256(key, message, value, what):
    """r ‖ s of 64 bytes, both in range, s in the lower half."""
    need(len(value) == 64, CORRUPT, f"{what}: signature is not 64 bytes")
    r, s = int.from_bytes(value[:32], "big"), int.from_bytes(value[32:], "big")
    need(0 < r < ORDER and 0 < s <= ORDER // 2, AUTH, f"{what}: r or s out of range, or high s")
    try:
        key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise Refused(AUTH, f"{what}: signature does not verify") from None


def check(entry, spki, message, what):
    """One parsed entry against the signer's SPKI; message without the entry's head."""
    need(entry["alg"] == ALG_P256, CORRUPT, f"{what}: unknown signature algorithm {entry['alg']}")
    need(sha256(spki) == entry["key_id"], AUTH, f"{what}: key id is not this key's")
    verify_p256(load_p256(spki, what), message + entry["head"], entry["value"], what)
