#!/usr/bin/python3
"""two.bin: the first segment of an audit partition of 16,384 bytes, by firmware/audit/FORMAT.md alone."""
import hashlib
import struct


def record(sequence, previous, place, status, texts):
    body = b"".join(texts)
    body += bytes(-len(body) % 8)
    raw = b"CFAR" + struct.pack("<IQQII", 48 + len(body) + 64, sequence, 1700000000000, status, place)
    raw += b"".join(struct.pack("<H", len(text)) for text in texts) + bytes(6) + body + previous
    return raw + hashlib.sha256(b"coffer.v1.audit\0" + raw).digest()


header = b"CFRAUD01" + struct.pack("<IIQQ", 8192, 0, 0, 1) + bytes(32)
header += hashlib.sha256(header).digest()
first = record(1, bytes(32), 0, 200, [b"KeyCreate", b"oid", b"/keys/a", b"id", b""])
second = record(2, first[-32:], 1, 403, [b"KeySign", b"", b"/keys/a", b"", b"refused"])
with open("two.bin", "wb") as out:
    out.write(header + first + second)
