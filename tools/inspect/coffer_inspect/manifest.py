"""Envelope and manifest: backup/FORMAT.md 3.4, 3.5, reader's checks 1 to 9."""
from . import cbor, signature
from .domain import endorsement
from .errors import AUTH, CORRUPT, DENIED, LIMIT, need
from .kdf import equal, gcm_open, hmac256, kdf, sha256

MAX_MANIFEST, MAX_PUBLIC, MAX_SEALED = 1114112, 16384, 1048592
ZERO_NONCE = bytes(12)
KEYS, POLICY, RAW = 1, 2, 3


def le(data):
    return int.from_bytes(data, "little")


class Envelope:
    """The first 176 bytes, before and after opening."""

    def __init__(self, data):
        need(len(data) >= 176, CORRUPT, "envelope is cut")
        need(data[:8] == b"CFRMAN01", CORRUPT, "not a manifest")
        need(data[8] == 1 and data[9] == 1 and data[10:12] == b"\0\0", CORRUPT,
             f"newer format (version {data[8]}, suite {data[9]}, flags {le(data[10:12])})")
        need(data[88:96] == bytes(8), CORRUPT, "envelope: reserved bytes set")
        self.raw = data[:176]
        self.generation, self.domain_id, self.fp = le(data[12:16]), data[16:32], data[32:64]
        self.backup_id, self.created_ms = data[64:80], le(data[80:88])

    def open(self, keyring):
        """The data key; D for another domain, A for anything altered."""
        need(self.domain_id == keyring.domain_id, DENIED, "backup of another domain")
        bk = keyring.keys(self.generation)["bk"]
        need(equal(keyring.fp(self.generation), self.fp), DENIED,
             "backup of another domain (fingerprint)")
        ke = kdf(bk, "coffer.v1.env", self.raw[:128])
        return gcm_open(ke, ZERO_NONCE, self.raw[128:], "envelope", self.raw[:128])


class Manifest:
    """Frame of a manifest: parsed without any key; open() then checks and fills the rest."""

    def __init__(self, data):
        need(259 <= len(data) <= MAX_MANIFEST, LIMIT, f"manifest of {len(data)} bytes")
        self.data = data
        self.envelope = Envelope(data)
        public, sealed = le(data[176:180]), le(data[180:184])
        need(1 <= public <= MAX_PUBLIC and 17 <= sealed <= MAX_SEALED, LIMIT,
             f"map lengths {public}, {sealed}")
        self.public_end = 208 + public
        self.mac_at = self.public_end + sealed
        need(self.mac_at + 33 <= len(data), CORRUPT, "map lengths run past the end")
        self.signatures = signature.parse(data[self.mac_at + 32:], "manifest")

    def claim(self):
        """The public map, unproven until open() has passed."""
        return public_map(cbor.decode(self.data[208:self.public_end]))

    def open(self, keyring, folder, signers=()):
        """Checks 5 to 9; `signers`: SPKIs that the operator trusts. Fills public, sealed, dk."""
        data, env = self.data, self.envelope
        self.dk = env.open(keyring)
        kh = kdf(self.dk, "coffer.v1.mac", env.backup_id)
        mac = hmac256(kh, data[:self.mac_at])
        need(equal(mac, data[self.mac_at:self.mac_at + 32]), AUTH, "manifest MAC does not verify")
        self.mac = mac
        self.public = self.claim()
        need(self.public[3] == env.created_ms // 1000, CORRUPT, "public map: created")
        need(self.public[1] == folder, AUTH,
             f"folder was renamed: manifest says {self.public[1]!r}, asked for {folder!r}")
        km = kdf(self.dk, "coffer.v1.manifest", sha256(data[:self.public_end]))
        plain = gcm_open(km, ZERO_NONCE, data[self.public_end:self.mac_at], "sealed map")
        self.sealed = sealed_map(cbor.decode(plain))
        self._judge(keyring, list(signers))

    def _judge(self, keyring, signers):
        """Identity known or endorsed; each required signature there and good."""
        spki, since, mac = self.sealed[10]
        mk = keyring.keys(self.envelope.generation)["mk"]
        endorsed = equal(endorsement(mk, self.sealed[3], spki, since), mac)
        need(endorsed or spki in signers, AUTH, "identity is neither known nor endorsed")
        known = {sha256(s): s for s in signers + [spki]}
        present = {s["key_id"]: s for s in self.signatures}
        for alg, key_id in self.sealed[12]:
            need(key_id in present and present[key_id]["alg"] == alg, AUTH,
                 f"required signature of {key_id.hex()[:16]} is missing")
            need(key_id in known, AUTH, f"required signer {key_id.hex()[:16]} is not known")
        self.judged = []
        message = self.data[:self.mac_at + 32]
        for entry in self.signatures:
            good = entry["key_id"] in known and entry["alg"] == signature.ALG_P256
            if good:
                signature.check(entry, known[entry["key_id"]], message,
                                f"signature of {entry['key_id'].hex()[:16]}")
            else:
                required = [entry["alg"], entry["key_id"]] in self.sealed[12]
                need(not required, CORRUPT, "unknown algorithm of a required signature")
            self.judged.append((entry["key_id"].hex(), "good" if good else "not checked"))
        self.identity_is = "endorsed" if endorsed else "named by operator"


def public_map(value):
    cbor.fields(value, "public map", {1: str, 2: str, 3: int, 4: int, 5: int, 6: str})
    cbor.bounded_text(value[1], "folder", 1, 255)
    cbor.bounded_text(value[2], "HSM name", 1, 127)
    cbor.bounded_text(value[6], "writer version", 1, 64)
    return value


def sealed_map(value):
    """Types, orders and sums of the sealed map; what needs `meta` comes later."""
    cbor.fields(value, "sealed map", {1: int, 2: 32, 3: 16, 4: list, 5: list, 6: list, 7: dict,
                                      8: int, 10: list, 11: list, 12: list}, {99: dict})
    need(value[1] >= 1, CORRUPT, "seq is 0")
    cbor.row(value[4], "audit head", int, 32)
    _source(value[5], value[6])
    need(value[8] in (0, 1), CORRUPT, f"layout {value[8]}")
    need(2 <= len(value[6]) <= 256, LIMIT, f"{len(value[6])} streams")
    for number, stream in enumerate(value[6]):
        _stream(stream, number, value[8])
    names = [s[2] for s in value[6]]
    need(len(set(names)) == len(names), CORRUPT, "two streams of one name")
    _meta(value[7])
    cbor.row(value[10], "identity", bytes, int, 32)
    cbor.row(value[11], "counts", int, int, int, int, list)
    for name in value[11][4]:
        cbor.bounded_text(name, "name of what was left out", 1, 255)
    need(1 <= len(value[12]) <= 8, CORRUPT, "no required signer, or too many")
    for entry in value[12]:
        cbor.row(entry, "required signer", int, 32)
    return value


def _source(source, streams):
    cbor.row(source, "source", 16, int, int, list)
    counters = [cbor.row(c, "partition counter", str, int)[0] for c in source[3]]
    raws = [s.get(2) for s in streams if isinstance(s, dict) and s.get(3) == RAW]
    need(counters == raws, CORRUPT, "source: partitions are not the raw streams")


def _stream(stream, number, layout):
    what = f"stream {number}"
    must = {1: int, 2: str, 3: int, 4: int, 5: int, 6: int, 7: list, 10: int, 12: list}
    kind = stream.get(3) if isinstance(stream, dict) else None
    must.update({9: int} if kind == RAW else {8: int, 13: list, 14: list})
    cbor.fields(stream, what, must)
    fixed = {0: ("keys", KEYS), 1: ("policy", POLICY)}.get(number, (stream[2], RAW))
    need((stream[2], kind) == fixed and stream[1] == number, CORRUPT, f"{what}: name or kind")
    name = stream[2]
    need(1 <= len(name) <= 64 and all(c.isascii() and (c.isalnum() or c in "._-") for c in name),
         CORRUPT, f"{what}: name")
    need(stream[10] in (12, 16, 17, 18, 19, 20), CORRUPT, f"{what}: chunk size")
    need(kind != RAW or stream[9] == stream[4], CORRUPT, f"{what}: device size")
    cbor.row(stream[12], f"{what}: table", int, int)
    need(stream[12][1] == 80 * stream[5], CORRUPT, f"{what}: length of the table")
    _blobs(stream, what, layout)
    if kind != RAW:
        cbor.row(stream[13], f"{what}: index", int, int)
        for entry in stream[14]:
            cbor.row(entry, f"{what}: root", str, int, int, int)


def _blobs(stream, what, layout):
    blobs, block, size = stream[7], 0, 0
    need(len(blobs) <= 4096, LIMIT, f"{what}: {len(blobs)} blobs")
    if layout == 1:
        need(not blobs, CORRUPT, f"{what}: blobs listed in layout 1")
        return
    for part, entry in enumerate(blobs):
        name, first, count, length = cbor.row(entry, f"{what}: blob", str, int, int, int)
        need(name == f"s{stream[1]}.{part}" and first == block and 1 <= count <= 50000, CORRUPT,
             f"{what}: blob {part} of the list")
        block, size = block + count, size + length
    need((block, size) == (stream[5], stream[6]), CORRUPT, f"{what}: sums of the blob list")


def _meta(meta):
    cbor.fields(meta, "meta", {1: str, 2: int, 3: list, 4: int})
    need(meta[4] in (12, 16, 17, 18, 19, 20), CORRUPT, "meta: chunk size")
    need(meta[2] <= 1 << 30, LIMIT, f"meta of {meta[2]} bytes")
    for entry in meta[3]:
        cbor.row(entry, "meta block", 32, int, int, 32)
    need(sum(e[1] for e in meta[3]) == meta[2], CORRUPT, "meta: plain bytes")
    want = f"meta-{meta[3][0][0][:16].hex()}" if meta[3] else ""
    need(meta[1] == want, CORRUPT, "meta: blob name")
