"""Golden backup folders of tests/vectors/backup-v1, each with its intermediate values."""
import os

from coffer_inspect.kdf import hmac256, kdf

from .fixed import fixed, lines, write
from .material import (APPLIANCE, DOMAIN, EPOCH, IDENTITY, NOW, RING1, RING2, SECOND, SINCE,
                       Content)
from .writer import Writer


def partitions():
    """`data`: a block of 4 full chunks, one all left out, one with each map value, one short;
    `boot`: one block of 4 chunks, the last short; `spare`: empty."""
    c = 4096

    def noise(name, count):
        return fixed(f"partition {name}", count)
    data = (noise("a", 4 * c) + b"\xff" * 4 * c
            + noise("b", c) + bytes(c) + b"\xff" * c + bytes(c)
            + bytes(c) + noise("c", 904))
    return [("data", data), ("boot", noise("d", 3 * c + 100)), ("spare", b"")]


def small(sd):
    content = Content(sd)
    return {"keys": content.keys(), "policy": content.policy()}


def hundred(sd):
    """A key with 100 versions among 60 small ones, so that index segments matter."""
    content = Content(sd)
    keys = [content.record(f"k{i:03}", [content.version(f"k{i:03}", 1, "aes128", 51)])
            for i in range(60)]
    many = [content.version("many", i + 1, "aes256", 51) for i in range(100)]
    keys.append(content.record("many", many))
    keys.append(content.record("zz", [content.version("zz", 1, "p384", 12)]))
    return {"keys": keys, "policy": content.policy()}


def two_generations(sd):
    """Backup under generation 2; one key's blob is still of generation 1."""
    content = Content(sd, RING2)
    keys = [content.record("new", [content.version("new", 1, "p521", 12, 2)]),
            content.record("old", [content.version("old", 1, "p256k", 12, 1),
                                   content.version("old", 2, "aes192", 51, 2)])]
    return {"keys": keys, "policy": content.policy()}


def writers(sd):
    """{case: (Writer, partitions)} of all golden folders."""
    base = small(sd)
    empty = {"keys": [], "policy": []}
    return {
        "layout0": (Writer(RING2, base), partitions()),
        "layout1": (Writer(RING2, base, layout=1, digests=True, seed="b", seq=2,
                           folder="mhsm-vec-20260101000001"), partitions()),
        "empty": (Writer(RING2, empty, seed="c", seq=3, folder="mhsm-vec-20260101000002"), []),
        "hundred": (Writer(RING2, hundred(sd), seed="d", seq=4, record_block=65536, part=1,
                           meta_block=4096, folder="mhsm-vec-20260101000003"), []),
        "generations": (Writer(RING2, two_generations(sd), seed="e", seq=5, generation=2, extension=True,
                               signers=[IDENTITY, SECOND],
                               folder="mhsm-vec-20260101000004"), []),
    }


def _kdf_text():
    keys = [("label", "coffer.v1.block", b""), ("empty context", "coffer.v1.mac", b""),
            ("long", "coffer.v1.env", fixed("kdf context", 128))]
    out = []
    for i, (name, label, context) in enumerate(keys):
        key = fixed(f"kdf key {name}", 32)
        out += [(f"{i}.key", key), (f"{i}.label", label), (f"{i}.context", context),
                (f"{i}.out", kdf(key, label, context))]
    out += [("hmac.key", fixed("h", 32)), ("hmac.data", b"abc"),
            ("hmac.out", hmac256(fixed("h", 32), b"abc"))]
    return lines(*out, head="KDF of backup/FORMAT.md 4")


def _block_texts():
    """{name: text} of single blocks: every input, the block key, the bytes on the wire."""
    c = 4096
    noise = fixed("block plain", 4 * c)
    shapes = {  # name: (plain, raw, last)
        "one-byte": (b"\x5a", True, True), "one-chunk": (noise[:c], False, False),
        "four-full": (noise, False, True), "four-short": (noise[:3 * c + 100], True, True),
        "map": (noise[:c] + bytes(c) + b"\xff" * c + noise[c:2 * c] + bytes(c), True, False),
        "left-out": (b"\xff" * 4 * c, True, False),
        "left-out-65": (bytes(65 * c), True, True)}
    out = {}
    for i, (name, (plain, raw, last)) in enumerate(shapes.items()):
        writer = Writer(RING2, {}, seed=f"block {name}")
        writer.envelope()
        place = i * (1 << 20)
        salt, wire = writer.seal(7 + i, i, place, plain, last, raw)
        keep = plain if len(plain) <= 5 * c else b""
        out[name] = lines(
            ("dk", writer.dk), ("backup_id", writer.backup_id), ("stream", 7 + i), ("block", i),
            ("place", place), ("log2", 12), ("last", int(last)), ("raw", int(raw)),
            ("salt", salt), ("plain_bytes", len(plain)), ("plain", keep),
            ("kb", dict(writer.values)[f"kb {7 + i}.{i}"]), ("wire", wire),
            head=f"block {name}: backup/FORMAT.md 3.1"
                 + ("" if keep else "; plain is zeros, left out here"))
    return out


def _cbor_text():
    """Items that readers take and items that they refuse."""
    good = ("00", "17", "1818", "18ff", "190100", "1a00010000", "1b0000000100000000",
            "1bffffffffffffffff", "40", "43616263", "60", "63616263", "62c3bc", "80", "8100",
            "a0", "a10000", "a200011818f4", "f4", "f5", "818181818180")
    bad = ("", "0000", "1800", "1817", "190017", "1900ff", "1a0000ffff", "1b00000000ffffffff",
           "1c", "1f", "20", "3818", "5800", "580161", "5f4161ff", "61ff", "62c080", "63eda080",
           "6100", "64f4908080", "7f6161ff", "8000", "9800", "9f00ff", "9b8000000000000000",
           "a1", "a100", "a200000000", "a201000000", "a12000", "a1610000", "b80100", "bf0000ff",
           "c000", "c11a00000000", "e0", "f0", "f6", "f7", "f814", "f820", "f90000",
           "fa00000000", "fb0000000000000000", "ff", "81", "4261", "5affffffff", "6261",
           "81818181818180")
    return lines(*(("ok", g) for g in good), *(("refuse", b) for b in bad),
                 head="CBOR subset of backup/FORMAT.md 3.6: one item a line")


def domain_text(ring):
    """Keys of the domain for C tests."""
    out = [("domain_id", DOMAIN), ("appliance_id", APPLIANCE), ("store_epoch", EPOCH),
           ("identity_spki", IDENTITY.spki), ("identity_since", SINCE),
           ("identity_d", IDENTITY.d.to_bytes(32, "big")),
           ("second_spki", SECOND.spki), ("now", NOW)]
    for g, keys in ring.generations.items():
        out += [(f"{k}.{g}", keys[k]) for k in ("bk", "kek", "mk")] + [(f"fp.{g}", ring.fp(g))]
    return lines(*out, head="the domain of all vectors; second_spki signs `generations` too")


def save_folder(base, case, writer, blobs):
    folder = os.path.join(base, case, writer.o["folder"])
    for name, data in blobs.items():
        write(os.path.join(folder, *name.split("/")), data)
    values = [("folder", writer.o["folder"]), ("generation", writer.o["generation"])]
    write(os.path.join(base, case, "values.txt"),
          lines(*values, *writer.values, head=f"intermediate values of {case}"))


def make(root, sd):
    """Writes backup-v1."""
    base = os.path.join(root, "backup-v1")
    write(f"{base}/kdf.txt", _kdf_text())
    write(f"{base}/domain.txt", domain_text(RING2))
    write(f"{base}/cbor.txt", _cbor_text())
    for name, text in _block_texts().items():
        write(f"{base}/blocks/{name}.txt", text)
    golden = {}
    for case, (writer, parts) in writers(sd).items():
        golden[case] = (writer.o["folder"], writer.build(parts))
        save_folder(base, case, writer, golden[case][1])
    for name, data in partitions():
        write(f"{base}/partitions/{name}.img", data)
    from .backup_negative import make as negatives
    negatives(base, sd, golden)
    return golden
