"""Key blobs: keystore/FORMAT.md 3.1 and 7."""
import hashlib
import hmac

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from .errors import AUTH, CORRUPT, DENIED, LIMIT, Refused, need
from .kdf import equal, hmac256

PRIVATE, SECRET = 3, 4
RSA, EC, OCT = 1, 2, 3
CURVES = {1: ("P-256", "secp256r1"), 2: ("P-384", "secp384r1"), 3: ("P-521", "secp521r1"),
          4: ("P-256K", "secp256k1")}
EXPORTABLE, IMPORTED = 1, 2
NAME_LETTERS = set("0123456789abcdefghijklmnopqrstuvwxyz-")


def le(data):
    return int.from_bytes(data, "little")


def is_name(text):
    return 1 <= len(text) <= 127 and set(text) <= NAME_LETTERS


class KeyBlob:
    """Parsed by length and rule; check() proves it, unwrap() opens it."""

    def __init__(self, data):
        need(len(data) <= 16384, LIMIT, f"key blob of {len(data)} bytes")
        need(len(data) >= 112 and data[:4] == b"CFRK", CORRUPT, "not a key blob")
        need(data[4] == 1 and data[5] == 1, CORRUPT,
             f"newer format (version {data[4]}, wrap {data[5]})")
        self.data = data
        self.cls, self.type, self.size, self.flags = data[6], data[7], le(data[8:10]), le(data[10:12])
        self.material, self.domain_id = le(data[12:16]), data[16:32]
        self.generation, wrapped = le(data[32:36]), le(data[36:40])
        spki, name = le(data[40:42]), le(data[42:44])
        need(data[44:48] == bytes(4), CORRUPT, "reserved bytes set")
        self.version_id, self.created, self.kcv = data[48:64], le(data[64:72]), data[72:80]
        need(80 + name + spki + wrapped + 32 == len(data), CORRUPT, "lengths do not tile the blob")
        self._rules(spki, wrapped)
        at = 80 + name
        self.name = data[80:at].decode("ascii", "replace")
        need(is_name(self.name), CORRUPT, "name")
        self.spki, self.wrapped = data[at:at + spki], data[at + spki:at + spki + wrapped]

    def _rules(self, spki, wrapped):
        secret = self.type == OCT
        need(self.type in (RSA, EC, OCT) and self.cls == (SECRET if secret else PRIVATE), CORRUPT,
             f"class {self.cls}, type {self.type}")
        size = {RSA: 1024 <= self.size <= 8192 and self.size % 8 == 0, EC: self.size in CURVES,
                OCT: self.size == 8 * self.material}[self.type]
        need(size, CORRUPT, f"size {self.size}")
        need(self.flags & ~(EXPORTABLE | IMPORTED) == 0, CORRUPT, f"flags 0x{self.flags:04x}")
        need(1 <= self.material <= (64 if secret else 16000), CORRUPT, f"material {self.material}")
        need(wrapped == 8 + (self.material + 7) // 8 * 8, CORRUPT, f"wrapped length {wrapped}")
        need(spki == 0 if secret else 1 <= spki <= 4096, CORRUPT, f"SPKI length {spki}")

    def kind(self):
        """(kty, size or curve) for people."""
        if self.type == EC:
            return "EC-HSM", CURVES[self.size][0]
        return ("RSA-HSM" if self.type == RSA else "oct-HSM"), str(self.size)

    def check(self, keyring):
        """Domain, generation, MAC; then the SPKI fits the head."""
        need(self.domain_id == keyring.domain_id, DENIED, "key blob of another domain")
        mk = keyring.keys(self.generation)["mk"]
        want = hmac256(mk, b"coffer.v1.keyblob\0" + self.data[:-32])
        need(equal(want, self.data[-32:]), AUTH, "key blob MAC does not verify")
        self._public()

    def _public(self):
        if self.type == OCT:
            self.public = None
            return
        try:
            key = serialization.load_der_public_key(self.spki)
        except (ValueError, UnsupportedAlgorithm):
            raise Refused(CORRUPT, "SPKI does not load") from None
        if self.type == RSA:
            fits = isinstance(key, rsa.RSAPublicKey) and key.key_size == self.size
        else:
            fits = (isinstance(key, ec.EllipticCurvePublicKey)
                    and key.curve.name == CURVES[self.size][1])
        need(fits, CORRUPT, "SPKI is not of the head's type and size")
        need(self.kcv == bytes(8), CORRUPT, "KCV of an asymmetric key")
        self.public = key

    def unwrap(self, keyring):
        """The material, after its length, padding, KCV or public key were compared."""
        kek = keyring.keys(self.generation)["kek"]
        try:
            plain = keywrap.aes_key_unwrap_with_padding(kek, self.wrapped)
        except keywrap.InvalidUnwrap:
            raise Refused(AUTH, "wrapped key does not unwrap") from None
        material, pad = plain[:self.material], plain[self.material:]
        need(len(material) == self.material and len(plain) <= (self.material + 7) // 8 * 8
             and not any(pad), AUTH, "length of the unwrapped key")
        if self.type == OCT:
            need(equal(kcv(material), self.kcv), AUTH, "key check value differs")
        elif self.type == RSA:
            _rsa_fits(material, self.public.public_numbers())
        else:
            _ec_fits(material, self.public.public_numbers())
        return material


def kcv(key):
    """First 8 bytes; AES for 16, 24, 32 bytes, else HMAC-SHA256."""
    if len(key) in (16, 24, 32):
        encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
        return encryptor.update(b"coffer.v1.kc" + bytes(4))[:8]
    return hmac.new(key, b"coffer.v1.kc", hashlib.sha256).digest()[:8]


def _der(data, tag):
    """(content, rest) of one DER element."""
    need(len(data) >= 2 and data[0] == tag, AUTH, "unwrapped key is not PKCS#8")
    length, at = data[1], 2
    if length & 0x80:
        at += length & 0x7F
        length = int.from_bytes(data[2:at], "big")
    need(at + length <= len(data), AUTH, "unwrapped key is not PKCS#8")
    return data[at:at + length], data[at + length:]


def _pkcs8(material):
    body, rest = _der(material, 0x30)
    # A token that pads before it wraps has the zeros inside m; only it could tell (FORMAT.md, 3.1).
    need(len(rest) < 8 and not any(rest), AUTH, "unwrapped key has bytes behind it")
    for tag in (0x02, 0x30):
        _, body = _der(body, tag)
    return _der(body, 0x04)[0]


def _rsa_fits(material, public):
    """n, e are the SPKI's and p q = n; the slow library check is left out on purpose."""
    body, _ = _der(_pkcs8(material), 0x30)
    numbers = []
    for _ in range(6):
        value, body = _der(body, 0x02)
        numbers.append(int.from_bytes(value, "big"))
    _, n, e, d, p, q = numbers
    need(n == public.n and e == public.e and p * q == n and p > 1 and q > 1
         and e * d % (p - 1) == 1 and e * d % (q - 1) == 1, AUTH,
         "unwrapped key is not the SPKI's")


def _ec_fits(material, public):
    body, _ = _der(_pkcs8(material), 0x30)
    _, body = _der(body, 0x02)
    scalar = int.from_bytes(_der(body, 0x04)[0], "big")
    try:
        mine = ec.derive_private_key(scalar, public.curve).public_key().public_numbers()
    except ValueError:
        mine = None
    need(mine == public, AUTH, "unwrapped key is not the SPKI's")
