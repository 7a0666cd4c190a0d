"""Fixed randomness, and the randomised primitives made repeatable with it."""
import base64
import hashlib
import hmac
import json
import os

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from coffer_inspect.jwe import b64u
from coffer_inspect.signature import ORDER


def fixed(name, count):
    """`count` bytes that follow from the name: SHA-256(name ‖ be32 i), i = 0, 1, .."""
    out = b"".join(hashlib.sha256(name.encode() + i.to_bytes(4, "big")).digest()
                   for i in range(-(-count // 32)))
    return out[:count]


class Signer:
    """A P-256 key from a name; signs with a nonce that follows from key and message."""

    def __init__(self, name):
        self.d = 1 + int.from_bytes(fixed(f"signer {name}", 40), "big") % (ORDER - 1)
        self.key = ec.derive_private_key(self.d, ec.SECP256R1())
        self.spki = self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.key_id = hashlib.sha256(self.spki).digest()

    def sign(self, message, high_s=False):
        return sign_p256(self.d, message, high_s)

    def entry(self, message, high_s=False):
        """A signature entry of backup/FORMAT.md 3.4."""
        head = b"\1\0" + (64).to_bytes(2, "little") + self.key_id
        return head + self.sign(message + head, high_s)


def sign_p256(d, message, high_s=False):
    """be r ‖ be s, low s; the nonce is drawn from HMAC(d, message)."""
    seed = hmac.new(d.to_bytes(32, "big"), message, hashlib.sha512).digest()
    k = 1 + int.from_bytes(seed, "big") % (ORDER - 1)
    point = ec.derive_private_key(k, ec.SECP256R1()).public_key().public_numbers()
    r = point.x % ORDER
    e = int.from_bytes(hashlib.sha256(message).digest(), "big")
    s = pow(k, -1, ORDER) * (e + r * d) % ORDER
    if (s > ORDER // 2) != high_s:
        s = ORDER - s
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def load_jwk(path):
    """An RSA private key of tests/vectors/sd."""
    with open(path, encoding="ascii") as f:
        j = {k: int.from_bytes(base64.urlsafe_b64decode(v + "=" * (-len(v) % 4)), "big")
             for k, v in json.load(f).items() if k != "kty"}
    numbers = rsa.RSAPublicNumbers(j["e"], j["n"])
    return rsa.RSAPrivateNumbers(j["p"], j["q"], j["d"], j["dp"], j["dq"], j["qi"],
                                 numbers).private_key()


def pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def pkcs8(key):
    return key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def spki_of(key):
    return key.public_key().public_bytes(serialization.Encoding.DER,
                                         serialization.PublicFormat.SubjectPublicKeyInfo)


def _mgf1(seed, count):
    return b"".join(hashlib.sha256(seed + i.to_bytes(4, "big")).digest()
                    for i in range(-(-count // 32)))[:count]


def _xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def oaep_encrypt(public, message, seed):
    """RSAES-OAEP, SHA-256, empty label, given seed (RFC 8017 7.1.1)."""
    size = (public.key_size + 7) // 8
    block = hashlib.sha256(b"").digest() + bytes(size - len(message) - 66) + b"\1" + message
    masked = _xor(block, _mgf1(seed, len(block)))
    masked_seed = _xor(seed, _mgf1(masked, 32))
    numbers = public.public_numbers()
    value = int.from_bytes(b"\0" + masked_seed + masked, "big")
    return pow(value, numbers.e, numbers.n).to_bytes(size, "big")


def seal_cbc(header, key_part, cek, iv, plain):
    """Compact JWE of A256CBC-HS512."""
    head = b64u(header.encode())
    pad = 16 - len(plain) % 16
    encryptor = Cipher(algorithms.AES(cek[32:]), modes.CBC(iv)).encryptor()
    ct = encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()
    message = head.encode() + iv + ct + (8 * len(head)).to_bytes(8, "big")
    tag = hmac.new(cek[:32], message, hashlib.sha512).digest()[:32]
    return ".".join((head, b64u(key_part), b64u(iv), b64u(ct), b64u(tag)))


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode("utf-8"))


def lines(*pairs, head=""):
    """`name = value` text; bytes in hex."""
    out = [f"# {line}" for line in head.splitlines()]
    for name, value in pairs:
        out.append(f"{name} = {value.hex() if isinstance(value, bytes) else value}")
    return "\n".join(out) + "\n"
