"""Golden and negative receipts of tests/vectors/receipt-v1, of the golden folders of backup-v1."""
import os

from coffer_inspect import cbor, receipt, signature
from coffer_inspect.domain import endorsement
from coffer_inspect.errors import Refused
from coffer_inspect.folder import Folder
from coffer_inspect.kdf import sha256
from coffer_inspect.manifest import Manifest, le

from . import casefile
from .fixed import fixed, lines, write
from .material import APPLIANCE, DOMAIN, FOREIGN, IDENTITY, NOW, RING2, SECOND, SINCE

META = 0xFFFFFFFF
COVER = [["keys", 1, ""], ["policy", 1, ""], ["partition data", 1, ""], ["partition scratch", 2, "not marked"],
         ["partition pr\u00fcf", 3, "cannot be read"]]


def file_of(body, signer=IDENTITY, label=receipt.LABEL, high_s=False, raw=None):
    """backup/FORMAT.md 12."""
    raw = cbor.encode(body) if raw is None else raw
    data = b"CFRRCP01" + len(raw).to_bytes(4, "little") + raw
    return data + signer.entry(label + data, high_s)


def _streams(folder):
    """[number, blocks, wire, read, root] of all streams, by the headers of their blocks."""
    found = {0: {}, 1: {}, META: {}}
    for base, _, names in os.walk(folder.path):
        for name in names:
            blob = os.path.relpath(os.path.join(base, name), folder.path).replace(os.sep, "/")
            if blob.startswith("manifest") or blob == "probe":
                continue
            at = 0
            if not os.path.getsize(os.path.join(base, name)):
                continue
            for size, digest in receipt._cut(folder, blob):
                head = folder.range(blob, at, 40)
                found.setdefault(le(head[24:28]), {})[le(head[32:40])] = (size, digest)
                at += size
    for number in range(2, 5):  # an empty partition has no block
        found.setdefault(number, {})
    out = []
    for number in sorted(found):
        ordered = [found[number][i] for i in range(len(found[number]))]
        out.append([number, len(ordered), sum(w for w, _ in ordered), len(ordered),
                    receipt.root_of([d for _, d in ordered])])
    return out


def body_of(folder, seq, backup_id):
    """A receipt of the whole."""
    data = folder.read("manifest", 1 << 21)
    manifest = Manifest(data)
    meta = [n for n in os.listdir(folder.path) if n.startswith("meta-")][0]
    return {1: receipt.WHOLE, 2: [NOW + 60, NOW + 61], 3: fixed("receipt job", 16).hex(), 4: APPLIANCE,
            5: [folder.name, "vec", NOW, NOW + 3, seq, APPLIANCE],
            6: [backup_id, DOMAIN, 1, RING2.fp(1)],
            7: [len(data), sha256(data), data[manifest.mac_at:manifest.mac_at + 32], meta],
            8: _streams(folder), 9: [4, 5, 1, 2], 10: [4, 5], 11: 150000, 12: 100, 13: COVER,
            14: [IDENTITY.spki, SINCE, endorsement(RING2.generations[1]["mk"], APPLIANCE, IDENTITY.spki, SINCE)]}


def _sample(body):
    """The first stream's blocks but one; of the partitions the first block only."""
    streams = [list(s) for s in body[8]]
    for s in streams[:-1]:
        if s[1] > 1:
            s[3], s[4] = 1, b""
    return body | {1: receipt.SAMPLE, 8: streams, 10: [2, 3], 12: 10, 13: []}


def _partial(body):
    streams = [[n, b, w, 0, receipt.root_of([]) if b == 0 else b""] for n, b, w, _, _ in body[8]]
    return body | {1: receipt.PARTIAL, 8: streams, 10: [1, 2], 11: 9000, 12: 0, 13: []}


def goldens(root):
    """{name: (body, file)}."""
    first = Folder(os.path.join(root, "backup-v1", "layout0", "mhsm-vec-20260101000000"))
    second = Folder(os.path.join(root, "backup-v1", "layout1", "mhsm-vec-20260101000001"))
    one = body_of(first, 1, first.read("manifest", 1 << 21)[64:80])
    two = body_of(second, 2, second.read("manifest", 1 << 21)[64:80])
    bodies = {"whole": one, "layout1": two | {13: []}, "sample": _sample(two), "partial": _partial(one)}
    return {name: (body, file_of(body)) for name, body in bodies.items()}


def _stream(body, i, at, value):
    streams = [list(s) for s in body[8]]
    streams[i][at] = value
    return body | {8: streams}


def _negatives(golden):
    """[(name, expect, why, file)]: changed without the key, and signed though wrong."""
    body, good = golden["whole"]
    end = len(good) - 100
    flip = lambda at, bit=1: good[:at] + bytes([good[at] ^ bit]) + good[at + 1:]  # noqa: E731
    high = good[:-32] + (signature.ORDER - int.from_bytes(good[-32:], "big")).to_bytes(32, "big")
    out = [
        ("empty", "corrupt", "no byte", b""),
        ("head-alone", "limit", "twelve bytes, n = 0", good[:8] + bytes(4)),
        ("magic", "corrupt", "another magic", flip(7)),
        ("cut", "corrupt", "a byte short", good[:-1]),
        ("longer", "corrupt", "a byte more", good + b"\0"),
        ("n-zero", "limit", "n = 0", good[:8] + bytes(4) + good[end:]),
        ("n-large", "limit", "n = 59,889", good[:8] + (59889).to_bytes(4, "little") + good[12:]),
        ("n-huge", "limit", "n = 2^32 - 1", good[:8] + b"\xff" * 4 + good[12:]),
        ("file-large", "limit", "60,001 bytes", good + bytes(60001 - len(good))),
        ("alg", "corrupt", "algorithm 2", flip(end, 3)),
        ("alg-zero", "corrupt", "the byte behind the algorithm", flip(end + 1)),
        ("sig-length", "corrupt", "a signature of 65 bytes", flip(end + 2)),
        ("key-id", "auth", "not the key inside", flip(end + 4)),
        ("r", "auth", "r changed", flip(end + 36)),
        ("s", "auth", "s changed", flip(end + 99)),
        ("high-s", "auth", "the other s", high),
        ("body-changed", "auth", "one byte more read than was", good.replace(
            cbor.encode(150000), cbor.encode(150001), 1)),
        ("foreign-signer", "auth", "signed by another key than the one inside", file_of(body, FOREIGN)),
        ("no-label", "auth", "signed as manifests are", file_of(body, label=b"")),
        ("other-label", "auth", "signed as audit heads are", file_of(body, label=b"coffer.v1.audit-head\0")),
        ("long-form", "corrupt", "an integer in a longer form", file_of(
            None, raw=cbor.encode(body).replace(b"\x0c\x18\x64", b"\x0c\x19\x00\x64", 1))),
        ("trailing", "corrupt", "bytes behind the map", file_of(None, raw=cbor.encode(body) + b"\0")),
        ("not-a-map", "corrupt", "an array", file_of([1])),
        ("identity-key", "corrupt", "not a key", file_of(body | {14: [b"key"] + body[14][1:]}, _Odd(b"key"))),
    ]
    wrong = [
        ("key-missing", "corrupt", "no key 11", {k: v for k, v in body.items() if k != 11}),
        ("key-unknown", "corrupt", "a key 15", body | {15: 0}),
        ("scope-zero", "corrupt", "scope 0", body | {1: 0}),
        ("scope-four", "corrupt", "scope 4", body | {1: 4}),
        ("job-upper", "corrupt", "upper-case job id", body | {3: "A" * 32}),
        ("job-short", "corrupt", "a job id of 31 digits", body | {3: "a" * 31}),
        ("verifier-long", "corrupt", "17 bytes", body | {4: bytes(17)}),
        ("folder-control", "corrupt", "a folder with a line feed", body | {5: ["f\n"] + body[5][1:]}),
        ("folder-empty", "corrupt", "no folder", body | {5: [""] + body[5][1:]}),
        ("hsm-escape", "corrupt", "a terminal's escape", body | {5: body[5][:1] + ["\x1b[2J"] + body[5][2:]}),
        ("meta-name", "corrupt", "a path for meta", body | {7: body[7][:3] + ["../../etc/passwd"]}),
        ("mac-short", "corrupt", "a MAC of 31 bytes", body | {7: body[7][:2] + [bytes(31)] + body[7][3:]}),
        ("streams-none", "corrupt", "no stream", body | {8: []}),
        ("streams-gap", "corrupt", "stream 1 is not listed", body | {8: body[8][:1] + body[8][2:]}),
        ("streams-meta-only", "corrupt", "a whole of nothing but meta", body | {8: body[8][-1:]}),
        ("streams-no-meta", "corrupt", "meta is not listed", body | {8: body[8][:-1]}),
        ("streams-order", "corrupt", "meta first", body | {8: body[8][-1:] + body[8][:-1]}),
        ("read-more", "corrupt", "more read than there is", _stream(body, 2, 3, body[8][2][1] + 1)),
        ("root-missing", "corrupt", "all read and no root", _stream(body, 0, 4, b"")),
        ("root-short", "corrupt", "31 bytes of root", _stream(body, 0, 4, bytes(31))),
        ("cover-state", "corrupt", "state 4", body | {13: [["keys", 4, ""]]}),
        ("cover-control", "corrupt", "DEL in a line", body | {13: [["keys", 1, "\x7f"]]}),
        ("cover-long", "corrupt", "193 bytes of why", body | {13: [["keys", 1, "y" * 193]]}),
        ("cover-what-empty", "corrupt", "a line about nothing", body | {13: [["", 1, ""]]}),
        ("whole-part", "auth", "a whole that left out a block",
         _stream(_stream(body, 0, 3, body[8][0][1] - 1), 0, 4, b"")),
        ("whole-keys", "auth", "a whole that opened fewer keys", body | {10: [3, 5]}),
        ("whole-versions", "auth", "a whole that opened fewer versions", body | {10: [4, 4]}),
        ("whole-percent", "auth", "a whole of 99 percent", body | {12: 99}),
        ("sample-as-whole", "auth", "a sample that calls itself whole", golden["sample"][0] | {1: 1, 12: 100}),
        ("sample-all", "auth", "a sample of 100 percent", golden["sample"][0] | {12: 100}),
        ("sample-none", "auth", "a sample of nothing", golden["sample"][0] | {12: 0}),
        ("sample-tables", "auth", "a sample that left out tables",
         _stream(_stream(golden["sample"][0], -1, 3, 0), -1, 4, b"")),
        ("part-percent", "auth", "a part with a share", golden["partial"][0] | {12: 1}),
    ]
    return out + [(name, expect, why, file_of(bad)) for name, expect, why, bad in wrong]


class _Odd:
    """Signs with the identity, under the id of something that is no key."""

    def __init__(self, spki):
        self.head = b"\1\0\x40\0" + sha256(spki)

    def entry(self, message, high_s):
        return self.head + IDENTITY.sign(message + self.head, high_s)


def make(root, _):
    """Writes receipt-v1; backup-v1 is there."""
    base = os.path.join(root, "receipt-v1")
    golden = goldens(root)
    for name, (_, data) in golden.items():
        write(f"{base}/{name}.receipt", data)
    write(f"{base}/signer.txt", lines(
        ("spki", IDENTITY.spki), ("key_id", IDENTITY.key_id), ("appliance_id", APPLIANCE), ("since", SINCE),
        ("generation", 1), ("other_key_id", SECOND.key_id),
        head="who signed the receipts of this folder; their endorsement is by mk.1 of ../backup-v1/domain.txt"))
    for name, expect, why, bad in _negatives(golden):
        assert bad != golden["whole"][1], name
        write(f"{base}/negative/{name}.txt", lines(("expect", expect), ("receipt", bad), head=why))


def class_of(data):
    try:
        receipt.Receipt(data)
    except Refused as refused:
        return refused.cls
    return "ok"


def cases(root):
    """(path, expected class, class by the reader)."""
    base = os.path.join(root, "receipt-v1")
    for name in sorted(os.listdir(base)):
        if name.endswith(".receipt"):
            with open(os.path.join(base, name), "rb") as f:
                yield os.path.join(base, name), "ok", class_of(f.read())
    for name in sorted(os.listdir(os.path.join(base, "negative"))):
        path = os.path.join(base, "negative", name)
        case = {k: v.strip() for k, v in casefile.load(path)}
        yield path, case["expect"], class_of(bytes.fromhex(case["receipt"]))
