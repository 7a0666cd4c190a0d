"""Writes signatures.txt and keys.txt: one random key of each kind, and what it signed.

Usage: /usr/bin/python3 make.py   (needs python3-cryptography). Lines of signatures.txt:
alg, SPKI, digest, signature; of keys.txt: name and hex of each private member. Test keys only.
"""
import hashlib
import os

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

HERE = os.path.dirname(os.path.abspath(__file__))
MESSAGE = b"coffer signature vectors"
HASH = {256: hashes.SHA256(), 384: hashes.SHA384(), 512: hashes.SHA512()}


def spki(key):
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def digest_of(bits):
    return hashlib.new("sha%d" % bits, MESSAGE).digest()


def signatures(rsa_key, ec_keys):
    for bits, h in HASH.items():
        d = digest_of(bits)
        yield "RS%d" % bits, rsa_key, d, rsa_key.sign(d, padding.PKCS1v15(), utils.Prehashed(h))
        pss = padding.PSS(padding.MGF1(h), h.digest_size)
        yield "PS%d" % bits, rsa_key, d, rsa_key.sign(d, pss, utils.Prehashed(h))
    raw = hashlib.md5(MESSAGE).digest() + hashlib.sha1(MESSAGE).digest()
    n = rsa_key.private_numbers()
    k = (rsa_key.key_size + 7) // 8
    em = b"\0\1" + b"\xff" * (k - 3 - len(raw)) + b"\0" + raw
    s = pow(int.from_bytes(em, "big"), n.d, n.public_numbers.n).to_bytes(k, "big")
    yield "RSNULL", rsa_key, raw, s
    for name, (key, bits) in ec_keys.items():
        d = digest_of(bits)
        r, s = utils.decode_dss_signature(key.sign(d, ec.ECDSA(utils.Prehashed(HASH[bits]))))
        w = (key.key_size + 7) // 8
        yield name, key, d, r.to_bytes(w, "big") + s.to_bytes(w, "big")


def private_lines(rsa_key, ec_keys):
    n = rsa_key.private_numbers()
    for name, v in (("n", n.public_numbers.n), ("e", n.public_numbers.e), ("d", n.d), ("p", n.p),
                    ("q", n.q), ("dp", n.dmp1), ("dq", n.dmq1), ("qi", n.iqmp)):
        yield "RSA.%s" % name, v.to_bytes((v.bit_length() + 7) // 8, "big")
    for name, (key, _) in ec_keys.items():
        n, w = key.private_numbers(), (key.key_size + 7) // 8
        for part, v in (("d", n.private_value), ("x", n.public_numbers.x),
                        ("y", n.public_numbers.y)):
            yield "%s.%s" % (name, part), v.to_bytes(w, "big")


def main():
    rsa_key = rsa.generate_private_key(65537, 2048)
    ec_keys = {
        "ES256": (ec.generate_private_key(ec.SECP256R1()), 256),
        "ES256K": (ec.generate_private_key(ec.SECP256K1()), 256),
        "ES384": (ec.generate_private_key(ec.SECP384R1()), 384),
        "ES512": (ec.generate_private_key(ec.SECP521R1()), 512),
    }
    with open(os.path.join(HERE, "signatures.txt"), "w", encoding="ascii") as f:
        for alg, key, d, s in signatures(rsa_key, ec_keys):
            f.write(" ".join((alg, spki(key).hex(), d.hex(), s.hex())) + "\n")
    with open(os.path.join(HERE, "keys.txt"), "w", encoding="ascii") as f:
        for name, value in private_lines(rsa_key, ec_keys):
            f.write("%s %s\n" % (name, value.hex()))


if __name__ == "__main__":
    main()
