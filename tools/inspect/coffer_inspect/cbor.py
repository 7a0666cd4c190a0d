"""The strict CBOR subset of backup/FORMAT.md 3.6.

Decoding is done here, byte by byte with bounds; the re-encoding that must give the same bytes
is done by python3-cbor2, so that the two check each other.
"""
import cbor2

from .errors import CORRUPT, Refused, need

MAX_DEPTH = 6


class _Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def fail(self, text):
        raise Refused(CORRUPT, f"CBOR: {text}", f"byte {self.at}")

    def take(self, count):
        if count > len(self.data) - self.at:
            self.fail(f"needs {count} bytes, {len(self.data) - self.at} left")
        out = self.data[self.at:self.at + count]
        self.at += count
        return out

    def argument(self, info):
        if info < 24:
            return info
        if info > 27:
            self.fail("indefinite or reserved length")
        size = 1 << (info - 24)
        value = int.from_bytes(self.take(size), "big")
        if value < (24, 1 << 8, 1 << 16, 1 << 32)[info - 24]:
            self.fail("integer is not in its shortest form")
        return value

    def text(self, count):
        raw = self.take(count)
        try:
            value = raw.decode("utf-8")
        except UnicodeDecodeError:
            self.fail("text is not UTF-8")
        if "\0" in value:
            self.fail("text holds NUL")
        return value

    def map(self, count, depth):
        out, last = {}, -1
        for _ in range(count):
            need(self.at < len(self.data), CORRUPT, "CBOR: map cut short", f"byte {self.at}")
            if self.data[self.at] >> 5 != 0:
                self.fail("map key is not an unsigned integer")
            key = self.item(depth)
            if key <= last:
                self.fail(f"map key {key} is doubled or out of order")
            last = key
            out[key] = self.item(depth)
        return out

    def item(self, depth):
        head = self.take(1)[0]
        major, info = head >> 5, head & 31
        if head in (0xF4, 0xF5):
            return head == 0xF5
        if major in (1, 6, 7):
            self.fail(f"item 0x{head:02x} is outside the subset")
        value = self.argument(info)
        if major == 0:
            return value
        if value > len(self.data) - self.at:
            self.fail(f"length {value} runs past the end")
        if major == 2:
            return self.take(value)
        if major == 3:
            return self.text(value)
        if depth == MAX_DEPTH:
            self.fail(f"deeper than {MAX_DEPTH}")
        if major == 4:
            return [self.item(depth + 1) for _ in range(value)]
        return self.map(value, depth + 1)


def decode(data):
    """The one item that fills `data` exactly."""
    reader = _Reader(data)
    value = reader.item(0)
    if reader.at != len(data):
        reader.fail("bytes behind the item")
    need(cbor2.dumps(value, canonical=True) == data, CORRUPT, "CBOR: re-encoding differs")
    return value


def encode(value):
    return cbor2.dumps(value, canonical=True)


def _is(value, kind):
    """bool is an int in Python; the pages tell them apart."""
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)


def fields(value, what, must, may=None):
    """A map with all keys of `must`, none but those of `must` and `may`; types checked.

    Both are {key: type}; bytes of a fixed length are given as that length.
    """
    need(_is(value, dict), CORRUPT, f"{what} is not a map")
    allowed = dict(must)
    allowed.update(may or {})
    for key in must:
        need(key in value, CORRUPT, f"{what}: key {key} is missing")
    for key, item in value.items():
        need(key in allowed, CORRUPT, f"{what}: unknown key {key}")
        typed(item, f"{what}, key {key}", allowed[key])
    return value


def typed(item, what, kind):
    """One value of a type, or bytes of a fixed length."""
    if isinstance(kind, type):
        need(_is(item, kind), CORRUPT, f"{what} is not {kind.__name__}")
    else:
        need(_is(item, bytes) and len(item) == kind, CORRUPT, f"{what} is not {kind} bytes")
    return item


def row(value, what, *kinds):
    """An array of exactly these types."""
    need(_is(value, list) and len(value) == len(kinds), CORRUPT,
         f"{what} is not an array of {len(kinds)}")
    for number, (item, kind) in enumerate(zip(value, kinds)):
        typed(item, f"{what}, element {number}", kind)
    return value


def bounded_text(value, what, low, high):
    """Text whose UTF-8 form has low..high bytes, without control characters."""
    need(_is(value, str) and low <= len(value.encode()) <= high, CORRUPT,
         f"{what} is not text of {low}..{high} bytes")
    need(all(ord(c) >= 0x20 and ord(c) != 0x7F for c in value), CORRUPT,
         f"{what} holds a control character")
    return value
