"""The audit log's signed head, and an image of the audit partition against it: audit/FORMAT.md."""
from . import cbor, signature
from .errors import AUTH, CORRUPT, LIMIT, Refused, need
from .jwe import json_strict, unb64u
from .kdf import equal, sha256
from .manifest import le

LABEL, RECORD_LABEL = b"coffer.v1.audit-head\0", b"coffer.v1.audit\0"
MAX_BODY, MAX_RECORD = 8192, 2048


def from_answer(data):
    """The file, or the answer of GET /coffer/audit/head that holds it."""
    if data[:1] != b"{":
        return data
    try:
        answer = json_strict(data.decode("utf-8"), "head")
    except UnicodeDecodeError:
        raise Refused(CORRUPT, "neither a head nor the answer that holds one") from None
    need(isinstance(answer, dict) and isinstance(answer.get("head"), str), CORRUPT, "an answer without a head")
    return unb64u(answer["head"], "head")


class Head:
    """A head whose signature by the key inside it is good."""

    def __init__(self, data):
        need(len(data) >= 12 and data[:8] == b"CFRAHD01", CORRUPT, "not a signed head of an audit log")
        end = 12 + le(data[8:12])
        need(12 < end <= 12 + MAX_BODY, LIMIT, f"body of {end - 12} bytes")
        need(len(data) == end + 100, CORRUPT, "length of the body")
        body = cbor.decode(data[12:end])
        cbor.fields(body, "head", {1: list, 2: int, 3: 16, 4: str, 5: list, 6: list})
        cbor.row(body[1], "record", int, 32)
        cbor.bounded_text(body[4], "HSM", 1, 127)
        cbor.row(body[5], "domain", 16, int)
        cbor.row(body[6], "identity", bytes, int, 32)
        need(body[1][0] or not any(body[1][1]), CORRUPT, "a hash of no record")
        head, value = data[end:end + 36], data[end + 36:]
        need(head[:4] == b"\1\0\x40\0", CORRUPT, "signature: algorithm or length")
        entry = {"alg": head[0], "key_id": head[4:], "head": head, "value": value}
        signature.check(entry, body[6][0], LABEL + data[:end], "head")
        self.body, self.signer = body, head[4:]
        self.sequence, self.hash = body[1]

    def judge(self, key_ids):
        """How the signer is known."""
        if not key_ids:
            return "not known here: compare its key id"
        need(any(equal(self.signer, k) for k in key_ids), AUTH,
             f"signed by {self.signer.hex()}, which is not the signer asked for")
        return "the signer asked for"

    def check_image(self, image):
        """(first record kept, newest record) of an image in which the head's record is what it was."""
        records = list(_records(image))
        known = {sequence: digest for sequence, _, digest in records}
        if self.sequence == 0:
            need(not records or records[0][0] == 1, AUTH, "the first records are missing")
            return records[0][0] if records else 0, records[-1][0] if records else 0
        need(self.sequence in known, AUTH, f"record {self.sequence} is not there: cut off, or out of the ring")
        need(equal(known[self.sequence], self.hash), AUTH, f"record {self.sequence} is not the one that was signed")
        return records[0][0], records[-1][0]


def _size(image):
    """The size that all segments have, from the first valid header."""
    for at in range(0, len(image), 4096):
        head = image[at:at + 96]
        if head[:8] == b"CFRAUD01" and sha256(head[:64]) == head[64:96]:
            size = le(head[8:12])
            need(8192 <= size <= len(image), CORRUPT, f"segment at byte {at}: its size")
            return size
    raise Refused(CORRUPT, "no audit segment in the image")


def _segments(image):
    """{number: bytes} of the segments whose headers are valid; what a full ring has dropped is not among them."""
    found, size = {}, _size(image)
    count = len(image) // size
    for place in range(count):
        data = image[place * size:(place + 1) * size]
        if data[:8] != b"CFRAUD01" or sha256(data[:64]) != data[64:96] or le(data[12:16]):
            continue
        need(le(data[8:12]) == size, CORRUPT, f"segment at byte {place * size} has another size")
        if le(data[16:24]) % count == place and le(data[24:32]) >= 1:
            found[le(data[16:24])] = data
    need(found, CORRUPT, "no audit segment at its place")
    kept = {n: data for n, data in found.items() if n > max(found) - count}
    need(min(kept) == 0 or len(kept) >= count - 1, AUTH, "segments are missing in a ring that was never full")
    return kept


def _record(data, at):
    """(sequence, hash before, hash, length) of a record there, or None."""
    length = le(data[at + 4:at + 8])
    if data[at:at + 4] != b"CFAR" or length % 8 or not 112 <= length <= MAX_RECORD or at + length > len(data):
        return None
    raw = data[at:at + length]
    if sha256(RECORD_LABEL + raw[:-32]) != raw[-32:]:
        return None
    return le(raw[8:16]), raw[-64:-32], raw[-32:], length


def _records(image):
    """(sequence, hash before, hash) of all that is kept, each chained to the one before."""
    segments = _segments(image)
    due, last = None, None
    for number in sorted(segments):
        data = segments[number]
        first, before = le(data[24:32]), data[32:64]
        need(due is None or (first, before) == (due, last), AUTH,
             f"segment {number} does not continue the one before")
        need(first > 1 or not any(before), AUTH, f"segment {number}: a hash before the first record")
        due, last, at = first, before, 96
        while at + 112 <= len(data):
            found = _record(data, at)
            if found is None or found[0] != due:
                at += 8  # a gap up to the next write unit, or what a later lap left
                continue
            need(equal(found[1], last), AUTH, f"record {due} does not follow the one before")
            yield found[0], found[1], found[2]
            due, last, at = due + 1, found[2], at + found[3]
