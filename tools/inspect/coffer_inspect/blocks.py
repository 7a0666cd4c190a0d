"""Blocks and chunks: backup/FORMAT.md 3.1, reader's check 11."""
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .errors import AUTH, CORRUPT, LIMIT, Refused, need
from .kdf import equal, kdf, sha256

LAST, MAP = 1, 2
META = 0xFFFFFFFF
TAG_NONCE = b"\xff" * 4 + bytes(7) + b"\x02"
MAX_PLAIN, MAX_CHUNKS = 1 << 28, 4096


class Slot:
    """Where and what a block must be, as the table or the manifest says."""

    def __init__(self, stream, number, salt, place, plain, wire, digest, log2, last, mapped):
        self.stream, self.number, self.salt, self.place = stream, number, salt, place
        self.plain, self.wire, self.digest, self.log2 = plain, wire, digest, log2
        self.last, self.mapped = last, mapped
        self.chunk = 1 << log2
        self.blob, self.offset = None, 0
        self.name = f"stream {'meta' if stream == META else stream} block {number}"

    def check(self):
        """Limits that hold before a byte is read."""
        need(self.plain, CORRUPT, "covers nothing", self.name)
        need(self.plain <= MAX_PLAIN and self.chunks() <= MAX_CHUNKS, LIMIT,
             f"covers {self.plain} bytes", self.name)
        head = 112 + self.map_bytes()
        full = head + self.plain + 16 * self.chunks()
        need((head if self.mapped else full) <= self.wire <= full, CORRUPT,
             f"{self.wire} bytes on the wire cannot cover {self.plain}", self.name)

    def chunks(self):
        return -(-self.plain // self.chunk)

    def map_bytes(self):
        return 16 * -(-self.chunks() // 64) if self.mapped else 0

    def length(self, i):
        return min(self.chunk, self.plain - i * self.chunk)

    def header(self):
        """Bytes 0..95 as the writer must have made them."""
        def integer(value, size):
            return value.to_bytes(size, "little")
        flags = (LAST if self.last else 0) | (MAP if self.mapped else 0)
        return (b"CFRB\1\1" + bytes([self.log2, flags]) + self.backup_id
                + integer(self.stream, 4) + bytes(4) + integer(self.number, 8)
                + integer(self.place, 8) + integer(self.plain, 8) + bytes(8) + self.salt)


def head_fault(data):
    """Why bytes 0..95 cannot be a block's header at all, or None: 3.1's rules marked X."""
    if data[:4] != b"CFRB":
        return "not a block"
    if data[4] != 1 or data[5] != 1:
        return f"newer format (version {data[4]}, suite {data[5]})"
    if data[6] not in (12, 16, 17, 18, 19, 20):
        return f"chunk size 2^{data[6]}"
    if data[7] & ~(LAST | MAP):
        return f"flags 0x{data[7]:02x}"
    if data[28:32] != bytes(4) or data[56:64] != bytes(8):
        return "reserved bytes set"
    return None


def parse_map(slot, data):
    """[0 sent | 1 all 00 | 2 all FF] a chunk."""
    n = slot.chunks()
    values = [data[i // 4] >> 2 * (i % 4) & 3 for i in range(4 * len(data))]
    need(all(v != 3 for v in values[:n]), CORRUPT, "map value 3", slot.name)
    need(not any(values[n:]), CORRUPT, "map padding is set", slot.name)
    return values[:n]


def open_block(dk, backup_id, slot, data):
    """Yields (number, plain bytes) of each chunk in order, each only after its tag."""
    slot.backup_id = backup_id
    need(len(data) == slot.wire, CORRUPT, "length is not the table's", slot.name)
    fault = head_fault(data[:96])
    need(fault is None, CORRUPT, fault, slot.name)
    need(data[7] & MAP == (MAP if slot.mapped else 0), CORRUPT, "flag of the map", slot.name)
    need(equal(data[:96], slot.header()), AUTH, "header is not the one the table tells",
         slot.name)
    at = 96 + slot.map_bytes()
    states = parse_map(slot, data[96:at]) if slot.mapped else [0] * slot.chunks()
    sent = [i for i, state in enumerate(states) if state == 0]
    wire = at + 16 + sum(slot.length(i) + 16 for i in sent)
    need(wire == slot.wire, CORRUPT, f"map makes {wire} bytes, the table says {slot.wire}",
         slot.name)
    aead = AESGCM(kdf(dk, "coffer.v1.block", data[:at]))
    try:
        aead.decrypt(TAG_NONCE, data[at:at + 16], None)
    except InvalidTag:
        raise Refused(AUTH, "header tag does not verify", slot.name) from None
    if slot.digest != bytes(32):
        need(equal(sha256(data), slot.digest), AUTH, "digest differs", slot.name)
    yield from _chunks(aead, slot, data, at + 16, states, sent[-1] if sent else None)


def _chunks(aead, slot, data, at, states, last):
    view = memoryview(data)
    for i, state in enumerate(states):
        length = slot.length(i)
        if state:
            yield i, (b"\0" if state == 1 else b"\xff") * length
            continue
        nonce = i.to_bytes(4, "little") + bytes(7) + (b"\1" if i == last else b"\0")
        try:
            yield i, aead.decrypt(nonce, bytes(view[at:at + length + 16]), None)
        except InvalidTag:
            raise Refused(AUTH, f"chunk {i} does not verify", slot.name) from None
        at += length + 16
