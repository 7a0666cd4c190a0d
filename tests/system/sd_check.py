"""Opens what our code made with code that shares nothing with it.

Usage: sd_check.py SD_DOCUMENT_PROGRAM WORKDIR. Makes officers, lets the program write a document and
a re-shared one, and opens both in every admissible choice of officers the way the az client does
(python3-cryptography only, no checks of ours), then once more with tools/inspect's reader; last, az
itself makes a restore blob where it is installed. Exit 77: the library is missing.
"""
import base64
import hashlib
import hmac
import itertools
import json
import os
import shutil
import struct
import subprocess
import sys

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.x509.oid import NameOID
except ImportError:
    print("SKIPPED: python3-cryptography is not installed")
    sys.exit(77)

import datetime

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def kdf(key, label):
    return hmac.new(key, struct.pack(">I", 1) + label.encode() + b"\0" + struct.pack(">I", 512),
                    hashlib.sha512).digest()


def open_cbc(cek, jwe):
    head, _, iv, text, tag = jwe.split(".")
    iv, text, tag = unb64(iv), unb64(text), unb64(tag)
    mac = hmac.new(cek[:32], head.encode() + iv + text + struct.pack(">Q", 8 * len(head)),
                   hashlib.sha512).digest()[:32]
    assert hmac.compare_digest(mac, tag), "tag"
    d = Cipher(algorithms.AES(cek[32:]), modes.CBC(iv)).decryptor()
    plain = d.update(text) + d.finalize()
    return plain[:-plain[-1]]


def combine(shares):
    out = bytearray()
    for column in zip(*shares):
        points = [(w >> 9, w & 0x1ff) for w in column]
        total = 0
        for i, (xi, vi) in enumerate(points):
            num = den = 1
            for j, (xj, _) in enumerate(points):
                if i != j:
                    num, den = num * -xj % 257, den * (xi - xj) % 257
            total = (total + vi * num * pow(den, 255, 257)) % 257
        assert total < 256
        out.append(total)
    return bytes(out)


def make_officer(folder, i, bits):
    """PEM key and certificate side by side, as az wants them."""
    key = rsa.generate_private_key(65537, bits)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "officer %d" % i)])
    now = datetime.datetime.utcnow()
    cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now).not_valid_after(now + datetime.timedelta(days=2))
            .sign(key, hashes.SHA256()))
    stem = os.path.join(folder, "officer%d" % i)
    with open(stem + ".key", "wb") as f:
        f.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                  serialization.NoEncryption()))
    with open(stem + ".cer", "wb") as f:
        f.write(cert.public_bytes(serialization.Encoding.PEM))
    thumb = hashlib.sha256(cert.public_bytes(serialization.Encoding.DER)).digest()
    return stem, key, thumb


def open_all(text, officers, quorum):
    """The one plaintext that every choice of officers gives, and the count of choices."""
    doc = json.loads(text)
    by_thumb = {thumb: key for _, key, thumb in officers}
    shared = doc["SharedKeys"]
    assert shared["required"] == quorum and shared["key_algorithm"] == "shamir_share"
    assert doc["version"] == 2 and doc["EncData"]["kdf"] == "sp108_kdf"
    shares = []
    for entry in shared["enc_shares"]:
        key = by_thumb[unb64(entry["x5t_256"])]
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        plain = open_cbc(key.decrypt(unb64(entry["enc_key"].split(".")[1]), oaep), entry["enc_key"])
        assert len(plain) == 64
        shares.append(struct.unpack("<32H", plain))
    assert len(shares) == len(officers)
    masters = {combine(list(some)) for some in itertools.permutations(shares, quorum)}
    assert len(masters) == 1, "officers disagree"
    master = masters.pop()
    items = {i["tag"]: open_cbc(kdf(master, i["tag"]), i["compact_jwe"])
             for i in doc["EncData"]["data"]}
    return items, master


def inspect(path, officers, quorum):
    """The reader that also knows the checks, the map and the signature."""
    sys.path.insert(0, os.path.join(ROOT, "tools", "inspect"))
    from coffer_inspect.domain import Document, Officer
    with open(path, "rb") as f:
        document = Document(f.read())
    keyring, notes = document.open([Officer(stem + ".key") for stem, _, _ in officers])
    assert len(notes) == quorum
    return keyring


def az_restore_blob(work, path, officers, quorum):
    """az's own code makes a restore blob; its items must be ours."""
    if not shutil.which("az"):
        print("az is not installed: its part is left out")
        return
    sd = os.path.join(ROOT, "tests", "vectors", "sd")
    out = os.path.join(work, "blob.json")
    keys = [stem + ".key" for stem, _, _ in officers[:quorum]]
    subprocess.run(["az", "keyvault", "security-domain", "restore-blob",
                    "--sd-exchange-key", os.path.join(sd, "sde.cer"), "--sd-file", path,
                    "--sd-wrapping-keys", *keys, "--sd-file-restore-blob", out],
                   check=True, stdout=subprocess.DEVNULL, timeout=100)
    sys.path.insert(0, sd)
    from topem import private_key
    with open(out, encoding="utf-8") as f:
        blob = json.load(f)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    wrapped = blob["WrappedKey"]["enc_key"]
    key = private_key(os.path.join(sd, "sde.jwk"))
    master = open_cbc(key.decrypt(unb64(wrapped.split(".")[1]), oaep), wrapped)
    items = {i["tag"]: open_cbc(kdf(master, i["tag"]), i["compact_jwe"])
             for i in blob["EncData"]["data"]}
    with open(path, encoding="utf-8") as f:
        assert items == open_all(f.read(), officers, quorum)[0], "az gives other items"
    print("az: restore blob made and opened")


def main():
    program, work = sys.argv[1:3]
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work, mode=0o700)
    officers = [make_officer(work, i, bits) for i, bits in enumerate((2048, 2048, 3072, 4096), 1)]
    for quorum in (2, 3, 4):
        one, two = (os.path.join(work, "sd%d-%s.json" % (quorum, n)) for n in ("first", "second"))
        subprocess.run([program, one, two, str(quorum), *(s + ".cer" for s, _, _ in officers)],
                       check=True, timeout=60)
        opened = []
        for path in (one, two):
            with open(path, encoding="utf-8") as f:
                opened.append(open_all(f.read(), officers, quorum))
            keyring = inspect(path, officers, quorum)
            assert keyring.name == "check" and list(keyring.generations) == [1]
        assert opened[0][0] == opened[1][0], "a re-sharing changed the keyring"
        assert opened[0][1] != opened[1][1], "a re-sharing kept the master key"
        print("quorum %d of 4: opened in every choice and order of officers" % quorum)
    az_restore_blob(work, one, officers, 4)


if __name__ == "__main__":
    main()
