"""Signed heads of the audit log of tests/vectors/audit-v1, golden and negative: audit-head-v1."""
import os

from coffer_inspect import audit, cbor
from coffer_inspect.domain import endorsement
from coffer_inspect.errors import Refused

from . import casefile
from .fixed import lines, write
from .material import APPLIANCE, DOMAIN, FOREIGN, IDENTITY, NOW, RING2, SINCE


def file_of(body, signer=IDENTITY, label=audit.LABEL, high_s=False, raw=None):
    raw = cbor.encode(body) if raw is None else raw
    data = b"CFRAHD01" + len(raw).to_bytes(4, "little") + raw
    return data + signer.entry(label + data, high_s)


def _body(sequence, digest):
    mark = endorsement(RING2.generations[2]["mk"], APPLIANCE, IDENTITY.spki, SINCE)
    return {1: [sequence, digest], 2: NOW, 3: APPLIANCE, 4: "vec", 5: [DOMAIN, 2], 6: [IDENTITY.spki, SINCE, mark]}


def _image(path):
    with open(path, "rb") as f:
        return f.read().ljust(16384, b"\0")


def _negatives(image, records):
    """[(name, expect, why, head, change of the image: None or (offset, bytes))]"""
    first, second = (_body(n, h) for n, _, h in records)
    good = file_of(second)
    end = len(good) - 100
    at = 96 + int.from_bytes(image[100:104], "little")
    flip = lambda where: good[:where] + bytes([good[where] ^ 1]) + good[where + 1:]  # noqa: E731
    texts = {"magic": flip(0), "sequence": flip(15), "alg": flip(end), "key-id": flip(end + 4), "r": flip(end + 40),
             "cut": good[:-1], "longer": good + b"\0", "n-zero": good[:8] + bytes(4) + good[12:],
             "n-large": good[:8] + (8193).to_bytes(4, "little") + good[12:],
             "foreign": file_of(second, FOREIGN), "receipt-label": file_of(second, label=b"coffer.v1.receipt\0"),
             "high-s": file_of(second, high_s=True), "key-missing": file_of({k: second[k] for k in (1, 2, 3, 4, 6)}),
             "key-unknown": file_of(second | {7: 0}), "hsm-control": file_of(second | {4: "a\x1b"}),
             "hash-of-nothing": file_of(second | {1: [0, records[0][2]]}),
             "trailing": file_of(None, raw=cbor.encode(second) + b"\0")}
    expect = {"sequence": "auth", "key-id": "auth", "r": "auth", "foreign": "auth", "receipt-label": "auth",
              "high-s": "auth", "n-zero": "limit", "n-large": "limit"}
    out = [(name, expect.get(name, "corrupt"), f"the head: {name}", data, None) for name, data in texts.items()]
    return out + [
        ("record-changed", "auth", "a bit of the last record", good, (at + 20, b"\xff")),
        ("record-before-changed", "auth", "a bit of the first record", good, (96 + 20, b"\xff")),
        ("record-gone", "auth", "the last record is cut off", good, (at, bytes(64))),
        ("header-gone", "corrupt", "no segment", good, (0, bytes(8))),
        ("beyond", "auth", "a head of a record that is not there", file_of(_body(3, records[1][2])), None),
        ("other-record", "auth", "the number of one, the hash of the other",
         file_of(_body(1, second[1][1])), None),
        ("rewritten", "auth", "chained anew from the first record on", file_of(first), (96, _other(image, records))),
    ]


def _other(image, records):
    """The first record with another detail, its hash true again."""
    length = int.from_bytes(image[100:104], "little")
    raw = bytearray(image[96:96 + length - 32])
    raw[24] ^= 1
    return bytes(raw) + audit.sha256(audit.RECORD_LABEL + bytes(raw))


def make(root, sd):
    """Writes audit-head-v1, of the log in audit-v1 beside `sd`."""
    base = os.path.join(root, "audit-head-v1")
    image = _image(os.path.join(sd, "..", "audit-v1", "two.bin"))
    write(f"{base}/audit.img", image.rstrip(b"\0"))
    records = list(audit._records(image))
    for n, _, digest in records:
        write(f"{base}/{n}.head", file_of(_body(n, digest)))
    write(f"{base}/0.head", file_of(_body(0, bytes(32))))
    for name, expect, why, head, change in _negatives(image, records):
        more = [(f"patch {change[0]}", change[1])] if change else []
        write(f"{base}/negative/{name}.txt", lines(("expect", expect), ("head", head), *more, head=why))


def class_of(head, image):
    try:
        audit.Head(head).check_image(image)
    except Refused as refused:
        return refused.cls
    return "ok"


def cases(root):
    """(path, expected class, class by the reader)."""
    base = os.path.join(root, "audit-head-v1")
    image = _image(os.path.join(base, "audit.img"))
    for name in sorted(n for n in os.listdir(base) if n.endswith(".head")):
        with open(os.path.join(base, name), "rb") as f:
            yield os.path.join(base, name), "ok", class_of(f.read(), image)
    for name in sorted(os.listdir(os.path.join(base, "negative"))):
        path, bad = os.path.join(base, "negative", name), image
        case = {k: v.strip() for k, v in casefile.load(path)}
        for key in (k for k in case if k.startswith("patch ")):
            at, data = int(key[6:]), bytes.fromhex(case[key])
            bad = bad[:at] + data + bad[at + len(data):]
        yield path, case["expect"], class_of(bytes.fromhex(case["head"]), bad)
