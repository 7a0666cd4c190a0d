"""Compact JWE of A256CBC-HS512 (RFC 7518 5.2.5), dir or RSA-OAEP: domain/FORMAT.md 3.1."""
import base64
import hashlib
import hmac
import json
import re

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from .errors import AUTH, CORRUPT, Refused, need

_B64U = re.compile(r"[A-Za-z0-9_-]*\Z")


def unb64u(text, what):
    """base64url without padding, canonical, nothing else."""
    need(isinstance(text, str) and _B64U.match(text) and len(text) % 4 != 1, CORRUPT,
         f"{what}: not base64url")
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    need(b64u(raw) == text, CORRUPT, f"{what}: base64url is not canonical")
    return raw


def b64u(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def json_strict(text, what):
    """JSON without doubled members."""
    def pairs(items):
        out = {}
        for key, value in items:
            need(key not in out, CORRUPT, f"{what}: member {key} is doubled")
            out[key] = value
        return out
    try:
        return json.loads(text, object_pairs_hook=pairs)
    except (ValueError, RecursionError) as error:
        raise Refused(CORRUPT, f"{what}: not JSON: {error}") from None


def parts(text, what):
    need(isinstance(text, str) and text.count(".") == 4, CORRUPT, f"{what}: not five parts")
    head, key, iv, ct, tag = text.split(".")
    header = json_strict(unb64u(head, f"{what} header").decode("utf-8", "replace"), what)
    need(isinstance(header, dict) and header.get("enc") == "A256CBC-HS512", CORRUPT,
         f"{what}: enc is not A256CBC-HS512")
    fields = [unb64u(p, what) for p in (key, iv, ct, tag)]
    need(len(fields[1]) == 16 and len(fields[3]) == 32 and len(fields[2]) % 16 == 0
         and fields[2], CORRUPT, f"{what}: lengths of IV, text or tag")
    return head, header, fields


def open_cbc(cek, head, iv, ct, tag, what):
    message = head.encode("ascii") + iv + ct + (8 * len(head)).to_bytes(8, "big")
    want = hmac.new(cek[:32], message, hashlib.sha512).digest()[:32]
    need(len(cek) == 64 and hmac.compare_digest(want, tag), AUTH, f"{what}: tag does not verify")
    decryptor = Cipher(algorithms.AES(cek[32:]), modes.CBC(iv)).decryptor()
    plain = decryptor.update(ct) + decryptor.finalize()
    pad = plain[-1]
    need(1 <= pad <= 16 and plain.endswith(bytes([pad]) * pad), AUTH, f"{what}: padding")
    return plain[:-pad]


def open_dir(text, cek, tag_name, what):
    """A data item under a derived key."""
    head, header, (key, iv, ct, tag) = parts(text, what)
    need(header.get("alg") == "dir" and header.get("kid") == tag_name and not key, CORRUPT,
         f"{what}: header is not a data item's")
    return open_cbc(cek, head, iv, ct, tag, what)


def open_rsa(text, private_key, what):
    """A share or master key wrapped to an RSA key; refuses with AUTH for another key."""
    head, header, (key, iv, ct, tag) = parts(text, what)
    digest = {"RSA-OAEP-256": hashes.SHA256, "RSA-OAEP": hashes.SHA1}.get(header.get("alg"))
    need(digest is not None, CORRUPT, f"{what}: alg is not RSA-OAEP or RSA-OAEP-256")
    try:
        cek = private_key.decrypt(key, padding.OAEP(padding.MGF1(digest()), digest(), None))
    except ValueError:
        raise Refused(AUTH, f"{what}: does not open with this key") from None
    return open_cbc(cek, head, iv, ct, tag, what)
