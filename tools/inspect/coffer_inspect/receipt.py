"""Receipts of verified backups: backup/FORMAT.md 12. No key is needed; the tree is built from the blobs alone."""
import itertools
import os
import re

from . import blocks, cbor, signature
from .errors import AUTH, CORRUPT, LIMIT, MISSING, Refused, need
from .kdf import equal, sha256
from .manifest import MAX_MANIFEST, Manifest, le

LABEL = b"coffer.v1.receipt\0"
MAX_RECEIPT, MAX_TRIES, MAX_STREAMS = 60000, 256, 256
WHOLE, SAMPLE, PARTIAL = 1, 2, 3
SCOPES = {WHOLE: "whole", SAMPLE: "sample", PARTIAL: "partial"}
CONTROL = re.compile("[\x00-\x1f\x7f]")
STATES = {1: "inside", 2: "outside", 3: "missing"}


def coverage(sealed):
    """What a manifest says of what it covers: an extension, shown and never relied on."""
    lines = sealed.get(99, {}).get(1, [])
    good = isinstance(lines, list) and all(isinstance(line, list) and [type(v) for v in line] == [str, int, str]
                                           and line[1] in STATES and not CONTROL.search(line[0] + line[2])
                                           for line in lines)
    return [{"what": w, "state": STATES[s], "why": y} for w, s, y in lines] if good else []


def root_of(digests):
    """RFC 9162, 2.1.1, as it is written there: split at the largest power of two below n."""
    if not digests:
        return sha256(b"")
    if len(digests) == 1:
        return sha256(b"\0" + digests[0])
    split = 1 << (len(digests) - 1).bit_length() - 1
    return sha256(b"\1" + root_of(digests[:split]) + root_of(digests[split:]))


class Receipt:
    """A receipt whose signature by the key inside it is good; whose key that is, judge() says."""

    def __init__(self, data):
        need(len(data) <= MAX_RECEIPT, LIMIT, f"receipt of {len(data)} bytes")
        need(len(data) >= 12 and data[:8] == b"CFRRCP01", CORRUPT, "not a receipt")
        end = 12 + le(data[8:12])
        need(12 < end <= MAX_RECEIPT - 100, LIMIT, f"body of {end - 12} bytes")
        need(len(data) == end + 100, CORRUPT, "length of the body")
        self.body = _body(cbor.decode(data[12:end]))
        head, value = data[end:end + 36], data[end + 36:]
        need(head[:4] == b"\1\0\x40\0", CORRUPT, "signature: algorithm or length")
        entry = {"alg": head[0], "key_id": head[4:], "head": head, "value": value}
        signature.check(entry, self.body[14][0], LABEL + data[:end], "receipt")
        self.signer = head[4:]

    def judge(self, key_ids, manifest=None):
        """How the signer is known: by the caller's key ids, by the manifest's signatures, or not."""
        if key_ids:
            need(any(equal(self.signer, k) for k in key_ids), AUTH,
                 f"signed by {self.signer.hex()}, which is not the signer asked for")
            return "the signer asked for"
        if manifest and any(s["key_id"] == self.signer for s in manifest.signatures):
            return "the backup's own signer"
        return "not known here: compare its key id"

    def check_folder(self, folder):
        """Manifest and tree against a copy of the backup. Numbers of blocks that were compared."""
        body = self.body
        need(folder.name == body[5][0], AUTH,
             f"the receipt is of {body[5][0]!r}, not of {folder.name!r}")
        data = folder.read("manifest", MAX_MANIFEST)
        need(len(data) == body[7][0] and equal(sha256(data), body[7][1]), AUTH,
             "manifest is not the one that was verified")
        manifest = Manifest(data)
        need(equal(data[manifest.mac_at:manifest.mac_at + 32], body[7][2]), AUTH, "MAC of the manifest")
        compared = 0
        for number, count, wire, _, root in body[8]:
            if root:
                _check_stream(folder, number, count, wire, root, body[7][3])
                compared += count
        return manifest, compared


def _body(value):
    cbor.fields(value, "receipt", {1: int, 2: list, 3: str, 4: 16, 5: list, 6: list, 7: list,
                                   8: list, 9: list, 10: list, 11: int, 12: int, 13: list, 14: list})
    cbor.row(value[2], "times", int, int)
    need(re.fullmatch("[0-9a-f]{32}", value[3]), CORRUPT, "job id")
    cbor.row(value[5], "backup", str, str, int, int, int, 16)
    cbor.row(value[6], "domain", 16, 16, int, 32)
    cbor.row(value[7], "manifest", int, 32, 32, str)
    need(re.fullmatch("(meta-[0-9a-f]{32})?", value[7][3]), CORRUPT, "name of meta")
    cbor.row(value[9], "counts", int, int, int, int)
    cbor.row(value[10], "opened", int, int)
    cbor.row(value[14], "identity", bytes, int, 32)
    cbor.bounded_text(value[5][0], "folder", 1, 255)
    cbor.bounded_text(value[5][1], "HSM", 1, 127)
    need(len(value[13]) <= 512, CORRUPT, "coverage: too many lines")
    for line in value[13]:
        cbor.row(line, "coverage", str, int, str)
        cbor.bounded_text(line[0], "coverage: what", 1, 96)
        cbor.bounded_text(line[2], "coverage: why", 0, 192)
        need(line[1] in STATES, CORRUPT, "coverage: state")
    _scope(value)
    return value


def _scope(value):
    """A receipt that says more than it lists is none."""
    need(value[1] in SCOPES, CORRUPT, "scope")
    count = len(value[8])
    need(3 <= count <= MAX_STREAMS + 1, CORRUPT, "streams")
    for i, entry in enumerate(value[8]):
        cbor.row(entry, "stream", int, int, int, int, bytes)
        number, blocks_there, _, read, root = entry
        need(number == (blocks.META if i == count - 1 else i) and read <= blocks_there, CORRUPT,
             f"stream {number}")
        need(len(root) == (32 if read == blocks_there else 0), CORRUPT, f"stream {number}: root")
    whole = all(e[3] == e[1] for e in value[8])
    if value[1] == WHOLE:
        need(whole and value[9][:2] == value[10] and value[12] == 100,
             AUTH, "a receipt of a whole that lists less")
    elif value[1] == SAMPLE:
        need(0 < value[12] < 100 and value[8][-1][4], AUTH,
             "a sample without its tables, or without its share")
    else:
        need(value[12] == 0, AUTH, "a part with a share of the whole")


def _check_stream(folder, number, count, wire, root, meta):
    name = "meta" if number == blocks.META else f"stream {number}"
    whole = ([meta] if meta else []) if number == blocks.META else _parts(folder, number)
    found = [_cut_all(folder, whole)] if whole or number == blocks.META else list(_ways(folder, number))
    need(len(found) <= MAX_TRIES, LIMIT, "too many blobs of failed tries lie beside the blocks", name)
    fits = [f for f in found if (len(f), sum(size for size, _ in f)) == (count, wire)]
    need(fits, AUTH, f"not {count} blocks of {wire} bytes in all", name)
    need(any(equal(root_of([digest for _, digest in f]), root) for f in fits), AUTH,
         "not the bytes that were verified", name)


def _parts(folder, number):
    """Layout 0: the stream's blobs in order."""
    parts = []
    while os.path.exists(os.path.join(folder.path, f"s{number}.{len(parts)}")):
        parts.append(f"s{number}.{len(parts)}")
    return parts


def _ways(folder, number):
    """Layout 1: every choice of one blob a block; there is one, unless a failed try left another."""
    choices, apart = {}, os.path.join(folder.path, f"s{number}")
    for name in os.listdir(apart) if os.path.isdir(apart) else []:
        if re.fullmatch("(0|[1-9][0-9]*)-[0-9a-f]{32}", name):
            choices.setdefault(int(name.split("-")[0]), []).append(f"s{number}/{name}")
    ways = itertools.product(*(choices[block] for block in sorted(choices)))
    cuts = {blob: _cut_all(folder, [blob]) for names in choices.values() for blob in names}
    for way in itertools.islice(ways, MAX_TRIES + 1):
        yield list(itertools.chain.from_iterable(cuts[blob] for blob in way))


def _cut_all(folder, names):
    return [cut for blob in names for cut in _cut(folder, blob)]


def _cut(folder, blob):
    """(size, SHA-256) of each block, cut by the headers."""
    try:
        size = os.stat(os.path.join(folder.path, *blob.split("/"))).st_size
    except OSError:
        raise Refused(MISSING, "blob is missing", blob) from None
    at = 0
    while at < size:
        length = _wire(folder.range(blob, at, 96), blob, at, folder)
        need(at + length <= size, AUTH, "blob ends inside a block", blob)
        yield length, sha256(folder.range(blob, at, length))
        at += length


def _wire(head, blob, at, folder):
    fault = blocks.head_fault(head)
    need(fault is None, AUTH, str(fault), f"{blob}: byte {at}")
    slot = blocks.Slot(le(head[24:28]), le(head[32:40]), head[64:96], le(head[40:48]), le(head[48:56]),
                       0, bytes(32), head[6], bool(head[7] & blocks.LAST), bool(head[7] & blocks.MAP))
    need(0 < slot.plain <= blocks.MAX_PLAIN and slot.chunks() <= blocks.MAX_CHUNKS, AUTH,
         f"block covers {slot.plain} bytes", f"{blob}: byte {at}")
    states = [0] * slot.chunks()
    if slot.mapped:
        states = blocks.parse_map(slot, folder.range(blob, at + 96, slot.map_bytes()))
    sent = sum(slot.length(i) + 16 for i, state in enumerate(states) if state == 0)
    return 112 + slot.map_bytes() + sent
