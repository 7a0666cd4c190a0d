"""Negative cases of backup-v1/negative: one file each, with its expected class.

Two sorts: the storage operator's (bytes changed without any key) and the insider's or the bad
writer's (wrong in one place, then tagged, MACed and signed as if it were right).
"""
from coffer_inspect import cbor

from . import backups, casefile
from .fixed import fixed
from .material import FOREIGN, IDENTITY, NOW, OTHER, RING2, SECOND, Content
from .writer import Writer, le

MAPS = 208


class Cases:
    """Collects (name, expect, why, bad folder, asked name)."""

    def __init__(self, sd, golden):
        self.sd, self.golden, self.out = sd, golden, []
        self.folder, self.base = golden["layout0"]

    def add(self, name, expect, why, bad, folder=None):
        assert all(name != o[0] for o in self.out), name
        assert bad != self.base or folder, name
        self.out.append((name, expect, why, bad, folder))

    def built(self, name, expect, why, hooks, **options):
        content = options.pop("content", None) or backups.small(self.sd)
        ring = options.pop("ring", RING2)
        parts = options.pop("parts", None) or backups.partitions()
        self.add(name, expect, why, Writer(ring, content, hooks, **options).build(parts))

    def blob(self, name, expect, why, blob, change):
        bad = dict(self.base)
        bad[blob] = change(bad[blob])
        self.add(name, expect, why, bad)


def _set(offset, data):
    return lambda old: old[:offset] + data + old[offset + len(data):]


def _flip(offset, bit=1):
    return lambda old: old[:offset] + bytes([old[offset] ^ bit]) + old[offset + 1:]


def _key(key, change):
    """Hook on a CBOR map: one key by a value or a function."""
    def hook(value):
        value = cbor.decode(cbor.encode(value))
        value[key] = change(value[key]) if callable(change) else change
        return value
    return hook


def _stream(number, key, change):
    def hook(streams):
        streams[number][key] = change(streams[number][key]) if callable(change) else change
        return streams
    return _key(6, hook)


def envelope_cases(c):
    for offset, expect, what in (
            (0, "corrupt", "magic"), (8, "corrupt", "version"), (9, "corrupt", "suite"),
            (10, "corrupt", "flags"), (11, "corrupt", "flags, high byte"),
            (12, "denied", "generation 0"), (16, "denied", "domain id"), (32, "denied", "fp"),
            (63, "denied", "fp, last byte"), (64, "auth", "backup id"), (80, "auth", "created"),
            (88, "corrupt", "reserved"), (95, "corrupt", "reserved, last byte"),
            (96, "auth", "envelope salt"), (128, "auth", "sealed DK"), (175, "auth", "its tag")):
        c.blob(f"envelope-byte-{offset:03}", expect, f"{what} flipped", "manifest", _flip(offset))
    c.blob("envelope-generation-3", "denied", "generation 3: needs generation 3", "manifest",
           _set(12, le(3, 4)))
    c.blob("envelope-generation-2", "denied", "generation 2 named, fp of generation 1",
           "manifest", _set(12, le(2, 4)))
    c.built("envelope-of-another-domain", "denied", "made in another domain", {}, ring=OTHER)
    other = c.golden["layout1"][1]["manifest"]
    c.blob("envelope-spliced", "auth", "envelope of another backup of the domain", "manifest",
           lambda old: other[:176] + old[176:])
    c.built("envelope-created", "corrupt", "public map tells another second",
            {"public": _key(3, NOW + 1)})
    c.built("dk-resealed", "auth", "another DK sealed under KE: the commitment fails",
            {"sealed dk": lambda dk: fixed("other dk", 32)})


def frame_cases(c):
    p = len(c.base["manifest"])
    c.blob("manifest-cut-1", "corrupt", "last byte gone", "manifest", lambda m: m[:-1])
    c.blob("manifest-cut-to-258", "limit", "258 bytes", "manifest", lambda m: m[:258])
    c.blob("manifest-empty", "limit", "no bytes", "manifest", lambda m: b"")
    c.blob("manifest-grown", "corrupt", "one byte behind it", "manifest", lambda m: m + b"\0")
    for name, offset in (("public", 176), ("sealed", 180)):
        c.blob(f"manifest-{name}-length-max", "limit", f"{name} length 2^32 - 1", "manifest",
               _set(offset, b"\xff" * 4))
        c.blob(f"manifest-{name}-length-0", "limit", f"{name} length 0", "manifest",
               _set(offset, bytes(4)))
        c.blob(f"manifest-{name}-length-over", "corrupt", f"{name} length past the end",
               "manifest", _set(offset, le(p - MAPS, 4)))
    c.blob("manifest-random", "auth", "the 24 random bytes", "manifest", _flip(184))
    c.blob("manifest-public-flipped", "auth", "HSM name in the public map", "manifest",
           _flip(MAPS + 28))
    mac_at = _mac_at(c.base["manifest"])
    c.blob("manifest-sealed-flipped", "auth", "sealed map", "manifest", _flip(mac_at - 20))
    for bit in (0, 31):
        c.blob(f"manifest-mac-{bit}", "auth", "MAC", "manifest", _flip(mac_at + bit))
    bad = dict(c.base)
    del bad["manifest"]
    c.add("manifest-missing", "missing", "not committed; manifest.copy is not the commit", bad)
    c.add("folder-renamed", "auth", "asked for under another name", dict(c.base),
          "mhsm-vec-20270101000000")
    c.built("manifest-mac-zero", "auth", "MAC of zeros, signed", {"mac": lambda m: bytes(32)})


def _mac_at(manifest):
    return MAPS + int.from_bytes(manifest[176:180], "little") + int.from_bytes(
        manifest[180:184], "little")


def signature_cases(c):
    mac_end = _mac_at(c.base["manifest"]) + 32
    c.blob("signature-stripped", "auth", "no signature left", "manifest",
           lambda m: m[:mac_end] + b"\0")
    c.blob("signature-count-9", "limit", "nine announced", "manifest", _set(mac_end, b"\x09"))
    c.blob("signature-flipped", "auth", "one bit of r", "manifest", _flip(mac_end + 37))
    c.blob("signature-reserved", "corrupt", "second byte set", "manifest", _flip(mac_end + 2))
    c.blob("signature-alg", "auth", "algorithm 2, so the required one is not there", "manifest",
           _set(mac_end + 1, b"\2"))
    c.blob("signature-length", "corrupt", "length 63", "manifest",
           _set(mac_end + 3, le(63, 2)))
    c.blob("signature-doubled", "corrupt", "the same signature twice", "manifest",
           lambda m: m[:mac_end] + b"\2" + 2 * m[mac_end + 1:])

    def entries(make):
        return {"signatures": lambda v: (v[0], make(v[0]))}
    c.built("signature-foreign", "auth", "signed by somebody else only",
            entries(lambda body: [FOREIGN.entry(body)]))
    c.built("signature-high-s", "auth", "s in the upper half",
            entries(lambda body: [IDENTITY.entry(body, high_s=True)]))
    c.built("signature-of-another", "auth", "good, but over other bytes",
            entries(lambda body: [IDENTITY.entry(body[:-1] + b"x")]))
    c.built("signature-required-missing", "auth", "a second required signer did not sign", {},
            required=[IDENTITY, SECOND])
    c.built("identity-not-endorsed", "auth", "endorsement of nobody",
            {"endorsement": lambda m: bytes(32)})
    c.built("identity-of-another-appliance", "auth", "endorsement of another appliance",
            {"sealed": _key(3, fixed("another appliance", 16))})


def cbor_cases(c):
    def raw(change):
        return {"sealed bytes": change}
    # The sealed map begins AD (13 pairs) 01 01 02 58 20 ..; key 1 (seq) has value 1.
    c.built("cbor-not-shortest", "corrupt", "seq in two bytes",
            raw(lambda b: b[:2] + b"\x18\x01" + b[3:]))
    c.built("cbor-not-shortest-8", "corrupt", "seq in nine bytes",
            raw(lambda b: b[:2] + b"\x1b" + bytes(7) + b"\1" + b[3:]))
    c.built("cbor-unsorted", "corrupt", "keys 2, 1", raw(lambda b: _swap_first(b)))
    c.built("cbor-doubled", "corrupt", "key 1 twice",
            raw(lambda b: bytes([b[0] + 1]) + b"\1\1" + b[1:]))
    c.built("cbor-indefinite", "corrupt", "map of indefinite length",
            raw(lambda b: b"\xbf" + b[1:] + b"\xff"))
    c.built("cbor-trailing", "corrupt", "a byte behind the map", raw(lambda b: b + b"\0"))
    c.built("cbor-cut", "corrupt", "last byte gone", raw(lambda b: b[:-1]))
    c.built("cbor-deep", "corrupt", "seven arrays inside key 99",
            {"sealed": lambda m: {**m, 99: {0: [[[[[[]]]]]]}}})
    c.built("cbor-deep-5000", "corrupt", "5,000 open arrays",
            raw(lambda b: b"\x81" * 5000))
    c.built("cbor-length-2-32", "corrupt", "byte string of 2^32 - 1",
            raw(lambda b: b"\xa1\1\x5a\xff\xff\xff\xff"))
    c.built("cbor-length-2-63", "corrupt", "array of 2^63",
            raw(lambda b: b"\xa1\1\x9b\x80" + bytes(7)))
    for name, item in (("null", b"\xf6"), ("undefined", b"\xf7"), ("float", b"\xf9\0\0"),
                       ("tag", b"\xc1\0"), ("negative", b"\x20"), ("simple", b"\xf8\xff")):
        c.built(f"cbor-{name}", "corrupt", f"seq is a {name}",
                raw(lambda b, item=item: b[:2] + item + b[3:]))
    c.built("cbor-bool-as-number", "corrupt", "seq is true", raw(lambda b: b[:2] + b"\xf5" + b[3:]))
    c.built("cbor-unknown-key", "corrupt", "key 13", {"sealed": lambda m: {**m, 13: 0}})
    c.built("cbor-key-missing", "corrupt", "key 11 gone",
            {"sealed": lambda m: {k: v for k, v in m.items() if k != 11}})
    c.built("cbor-text-key", "corrupt", "a map key that is text",
            raw(lambda b: b[:1] + b"\x61\x01" + b[2:]))
    c.built("cbor-bad-utf8", "corrupt", "HSM name is not UTF-8",
            {"public bytes": lambda b: b.replace(b"\x63vec", b"\x63v\xff\xfe")})
    c.built("cbor-control-in-text", "corrupt", "HSM name holds a line feed",
            {"public bytes": lambda b: b.replace(b"\x63vec", b"\x63v\nc")})
    c.built("cbor-nul-in-text", "corrupt", "HSM name holds NUL",
            {"public bytes": lambda b: b.replace(b"\x63vec", b"\x63v\0c")})


def _swap_first(data):
    return data[:1] + data[3:38] + data[1:3] + data[38:]


def map_cases(c):
    """Sealed and public map: every sum, order and rule."""
    def sealed(name, why, key, change, expect="corrupt"):
        c.built(f"map-{name}", expect, why, {"sealed": _key(key, change)})

    def stream(name, why, number, key, change, expect="corrupt"):
        c.built(f"map-{name}", expect, why, {"sealed": _stream(number, key, change)})
    sealed("seq-0", "seq 0", 1, 0)
    sealed("prev-short", "prev of 31 bytes", 2, bytes(31))
    sealed("layout-2", "layout 2", 8, 2)
    sealed("layout-1-with-blobs", "layout 1 named, blobs listed", 8, 1)
    sealed("counts", "one key more", 11, lambda v: [v[0] + 1] + v[1:])
    sealed("counts-versions", "one version less", 11, lambda v: [v[0], v[1] - 1] + v[2:])
    sealed("no-required", "no required signer", 12, [])
    sealed("partition-counters", "a partition without counter", 5,
           lambda v: v[:3] + [v[3][:-1]])
    sealed("streams-swapped", "streams out of order", 6, lambda v: [v[1], v[0]] + v[2:])
    sealed("stream-doubled", "a stream twice", 6, lambda v: v[:3] + [v[2]] + v[4:])
    sealed("meta-plain", "plain bytes of meta", 7, lambda v: {**v, 2: v[2] + 1})
    sealed("meta-name", "meta under another name", 7,
           lambda v: {**v, 1: "meta-" + "0" * 32})
    sealed("meta-salt", "another salt of meta: header tag", 7,
           lambda v: {**v, 3: [[v[3][0][0][:16] + bytes(16)] + v[3][0][1:]]}, "auth")
    sealed("meta-digest", "another digest of meta", 7,
           lambda v: {**v, 3: [v[3][0][:3] + [fixed("x", 32)]]}, "auth")
    sealed("meta-digest-zero", "no digest of meta", 7,
           lambda v: {**v, 3: [v[3][0][:3] + [bytes(32)]]})
    sealed("meta-huge", "meta of 2^30 + 1", 7,
           lambda v: {**v, 2: (1 << 30) + 1}, "limit")
    sealed("meta-block-huge", "a block of meta of 2^63", 7,
           lambda v: {**v, 2: 1 << 29, 3: [[v[3][0][0], 1 << 29] + v[3][0][2:]]}, "limit")
    stream("stream-kind", "keys said to be raw", 0, 3, 3)
    stream("stream-name", "keys under another name", 0, 2, "key")
    stream("stream-partition-name", "slash in a partition's name", 2, 2, "da/ta")
    stream("stream-plain", "plain bytes + 1", 1, 4, lambda v: v + 1)
    stream("stream-blocks", "one block more", 2, 5, lambda v: v + 1)
    stream("stream-wire", "wire bytes + 1", 2, 6, lambda v: v + 1)
    stream("stream-records", "one record more", 0, 8, lambda v: v + 1)
    stream("stream-device", "device size + 1", 2, 9, lambda v: v + 1)
    stream("stream-chunk", "chunk size 2^13", 0, 10, 13)
    stream("stream-blob-name", "blob of another stream", 2, 7,
           lambda v: [["s3.0"] + v[0][1:]] + v[1:])
    stream("stream-blob-order", "blobs swapped", 2, 7, lambda v: v[::-1])
    stream("stream-blob-bytes", "bytes moved between blobs", 2, 7,
           lambda v: [v[0][:3] + [v[0][3] + 1], v[1][:3] + [v[1][3] - 1]])
    stream("table-offset", "table elsewhere", 0, 12, lambda v: [v[0] + 1, v[1]])
    stream("table-offset-huge", "table at 2^63", 0, 12, lambda v: [1 << 63, v[1]])
    stream("index-of-another", "index of the other record stream", 0, 13,
           lambda v: [v[0] + v[1] + 80, v[1]])
    stream("root-first-name", "first name of a segment", 0, 14,
           lambda v: [["alphb"] + v[0][1:]] + v[1:])
    stream("root-chunk", "number of first chunk", 0, 14,
           lambda v: [v[0][:3] + [v[0][3] + 1]] + v[1:])
    stream("root-length", "segment too short", 0, 14,
           lambda v: [v[0][:2] + [v[0][2] - 1, v[0][3]]] + v[1:])
    stream("root-gone", "no root", 0, 14, [])
    c.built("map-wire-total", "corrupt", "wire bytes of the public map",
            {"public": _key(5, lambda v: v + 1)})
    c.built("map-folder-long", "corrupt", "folder of 256 bytes", {"public": _key(1, "f" * 256)})


def meta_cases(c):
    """Tables and indexes inside meta."""
    def table(name, why, number, change, expect="corrupt"):
        c.built(f"table-{name}", expect, why, {f"table {number}": change})

    def row(index, field, value):
        def change(rows):
            rows = [list(r) for r in rows]
            rows[index][field] = value(rows[index][field]) if callable(value) else value
            return rows
        return change
    table("salt", "another salt: block of an attempt that is not there", 0,
          row(0, 0, fixed("salt", 32)), "auth")
    table("place", "place + 1", 2, row(1, 1, lambda v: v + 1))
    table("place-huge", "place 2^63", 2, row(1, 1, 1 << 63))
    table("plain-0", "P = 0", 2, row(0, 2, 0))
    table("plain-huge", "P = 2^32 - 1", 2, row(0, 2, (1 << 32) - 1), "limit")
    table("plain-uneven", "P not a multiple of C inside the stream", 2,
          row(0, 2, lambda v: v - 1))
    table("wire", "W + 1", 2, row(0, 3, lambda v: v + 1))
    table("wire-huge", "W = 2^32 - 1", 2, row(0, 3, (1 << 32) - 1))
    table("wire-small", "W = 127: less than header, map and tag", 2, row(1, 3, 127))
    table("digest", "another digest of a record block", 1, row(0, 4, fixed("y", 32)), "auth")
    table("digest-zero", "no digest of a record block", 1, row(0, 4, bytes(32)))
    table("digest-some", "digest in one row of a partition", 2, row(0, 4, fixed("z", 32)))
    table("rows-swapped", "two rows swapped", 2, lambda v: [v[1], v[0]] + v[2:])

    def entries(name, why, change):
        c.built(f"index-{name}", "corrupt", why, {"entries 0": change})
    entries("continuation-first", "a chunk without name at the start of a segment",
            lambda v: [("", 0xFFFFFFFF)] + v[1:])
    entries("unsorted", "names not ascending", lambda v: [(v[2][0], 0)] + v[1:])
    entries("offset", "offset + 1", lambda v: [(v[0][0], 1)] + v[1:])
    entries("name", "another name", lambda v: [("alphb", 0)] + v[1:])
    entries("invented", "a name where no record starts",
            lambda v: v[:1] + [("bravp", 5)] + v[2:])
    entries("name-without-offset", "name with offset 0xFFFFFFFF",
            lambda v: [(v[0][0], 0xFFFFFFFF)] + v[1:])
    entries("one-more", "one entry too many", lambda v: v + [("zzz", 0)])
    c.built("index-cut", "corrupt", "meta ends inside the index",
            {"meta": lambda b: b[:-1]})
    c.built("meta-grown", "corrupt", "a byte behind the sections", {"meta": lambda b: b + b"\0"})


def block_cases(c):
    """Headers, maps, tags and chunks as the storage operator or a bad writer may have them."""
    header = ((0, "corrupt", "magic"), (4, "corrupt", "version"), (5, "corrupt", "suite"),
              (6, "corrupt", "chunk size"), (7, "auth", "flag last"), (8, "auth", "backup id"),
              (24, "auth", "stream"), (28, "corrupt", "reserved"), (32, "auth", "block"),
              (40, "auth", "place"), (48, "auth", "P"), (56, "corrupt", "reserved"),
              (64, "auth", "salt"))
    for offset, expect, what in header:
        c.blob(f"block-byte-{offset:02}", expect, f"{what} flipped", "s2.0", _flip(offset))
    c.blob("block-flags-reserved", "corrupt", "flag 4", "s2.0", _flip(7, 4))
    c.blob("block-flag-map", "corrupt", "flag 2 gone", "s2.0", _flip(7, 2))
    c.blob("block-map-value", "corrupt", "map: chunk 0 is 3", "s2.0", _flip(96, 3))
    c.blob("block-map-changed", "corrupt", "map: a sent chunk said to be left out", "s2.0",
           _flip(96, 1))
    c.blob("block-map-padding", "corrupt", "map: bit behind the last chunk", "s2.0", _flip(97, 1))
    tag = 96 + 16
    c.blob("block-header-tag", "auth", "header tag", "s2.0", _flip(tag))
    all_out = len(c.base["s2.0"]) - 128
    c.blob("block-left-out-map", "auth", "a block all left out: FF said to be 00", "s2.0",
           _set(all_out + 96, b"\x55"))
    c.blob("block-left-out-tag", "auth", "its header tag", "s2.0", _flip(all_out + tag))
    chunk = tag + 16
    step = 4096 + 16
    c.blob("chunk-flipped", "auth", "a byte of chunk 1", "s2.0", _flip(chunk + step + 7))
    c.blob("chunk-tag", "auth", "tag of chunk 3", "s2.0", _flip(chunk + 4 * step - 1))
    c.blob("chunk-swapped", "auth", "chunks 0 and 1 swapped", "s2.0",
           lambda b: b[:chunk] + b[chunk + step:chunk + 2 * step] + b[chunk:chunk + step]
           + b[chunk + 2 * step:])
    c.blob("chunk-doubled", "auth", "chunk 1 is chunk 0 again", "s2.0",
           lambda b: b[:chunk + step] + b[chunk:chunk + step] + b[chunk + 2 * step:])
    c.blob("blob-cut", "corrupt", "last chunk dropped", "s2.0", lambda b: b[:-step])
    c.blob("blob-cut-1", "corrupt", "last byte dropped", "s3.0", lambda b: b[:-1])
    c.blob("blob-grown", "corrupt", "a byte behind the last block", "s2.1", lambda b: b + b"\0")
    _swap_cases(c)
    c.built("chunk-last-flag-missing", "auth", "last chunk sealed with f = 00",
            {"final 2.0": lambda f: False})
    c.built("chunk-last-flag-early", "auth", "every chunk sealed with f = 01",
            {"final 2.0": lambda f: True})
    c.built("chunk-dropped-inside", "corrupt", "chunk 1 not sent, map says sent, W of the map",
            {"chunks 2.0": lambda p: p[:1] + p[2:]})
    c.built("block-header-of-a-bad-writer", "auth", "place + 1 in header, tags made with it",
            {"header 2.0": _set(40, le(1, 8))})
    c.built("block-map-value-sealed", "corrupt", "map value 3, tags made with it",
            {"header 2.3": _set(96, b"\x03")})
    for blob in ("s0.0", next(n for n in c.base if n.startswith("meta-"))):
        bad = dict(c.base)
        del bad[blob]
        c.add(f"blob-missing-{blob[:4].rstrip('-')}", "missing", "a blob is gone", bad)


def _swap_cases(c):
    other = Writer(RING2, backups.small(c.sd), seed="older attempt")
    first = Writer(RING2, backups.small(c.sd),
                   {"salt 2.0": lambda s: fixed("older attempt", 32)})
    older = first.build(backups.partitions())["s2.0"]
    foreign = other.build(backups.partitions())["s2.0"]
    c.blob("block-older-attempt", "auth", "block of an older attempt, whole", "s2.0",
           lambda b: older)
    cut = 96 + 16 + 16
    c.blob("chunk-older-attempt", "auth", "chunk 0 of an older attempt", "s2.0",
           lambda b: b[:cut] + older[cut:cut + 4112] + b[cut + 4112:])
    c.blob("block-of-another-backup", "auth", "same place, other backup", "s2.0", lambda b: foreign)
    c.blob("block-of-another-stream", "auth", "block of stream 3 in stream 2", "s2.0",
           lambda b: c.base["s3.0"] + b[len(c.base["s3.0"]):])
    bad = dict(c.base)
    bad["s2.0"], bad["s2.1"] = bad["s2.1"], bad["s2.0"]
    c.add("blobs-swapped", "corrupt", "two blobs swapped: sizes", bad)


def reseal_cases(c):
    """A holder of DK reseals a role assignment, then meta, then the manifest, each time with
    the salts, ids and lengths of the original."""
    content = backups.small(c.sd)
    forged = {"keys": content["keys"], "policy": [
        {1: r[1], 2: {**r[2], 4: "backup-usfr"}} if r[2].get(4) == "backup-user" else r
        for r in content["policy"]]}
    whole = Writer(RING2, forged).build(backups.partitions())
    meta = next(n for n in whole if n.startswith("meta-"))
    bad = dict(c.base)
    bad["s1.0"] = whole["s1.0"]
    c.add("resealed-policy", "auth", "policy block resealed under a kept DK", bad)
    bad = dict(bad)
    bad[meta] = whole[meta]
    c.add("resealed-policy-and-meta", "auth", "meta too", bad)
    unsigned = {"signatures": lambda v: (v[0], [FOREIGN.entry(v[0])])}
    c.add("resealed-all-but-signature", "auth", "manifest too, signed by somebody else",
          Writer(RING2, forged, unsigned).build(backups.partitions()))


def record_cases(c):
    """Record streams and what is in them, everything around being right."""
    def plain(name, why, change, expect="corrupt"):
        c.built(f"record-{name}", expect, why, {"plain 1": change})

    def text(name, why, key, change):
        c.built(f"record-{name}", "corrupt", why, {f"record {key}": change})
    used = len(b"".join(le(0, 4) + cbor.encode(r) for r in backups.small(c.sd)["policy"]))
    plain("padding", "a byte set in the padding", lambda b: [b[0][:-1] + b"\1"])
    plain("crosses", "length past the block", lambda b: [le(5000, 4) + b[0][4:]])
    plain("huge", "length 2^32 - 1", lambda b: [b"\xff" * 4 + b[0][4:]], "limit")
    plain("over-4-mib", "length 4 MiB + 1", lambda b: [le((4 << 20) + 1, 4) + b[0][4:]], "limit")
    plain("long-padding", "padding of a whole chunk", lambda b: [b[0] + bytes(4096)])
    assert used < 4000
    text("not-cbor", "bytes that are no CBOR", "delta-4", lambda b: b"\xff" * len(b))
    text("trailing", "a byte behind the record", "delta-4", lambda b: b + b"\0")
    content = backups.small(c.sd)
    swapped = [content["keys"][i] for i in (0, 1, 3, 2)]
    c.built("record-unsorted", "corrupt", "two records swapped", {},
            content={**content, "keys": swapped})
    c.built("record-doubled", "corrupt", "one record twice", {},
            content={**content, "keys": content["keys"] + content["keys"][-1:]})
    _key_cases(c)
    _policy_cases(c)


def _with_key(c, name, expect, why, change, number=3):
    content = backups.small(c.sd)
    record = cbor.decode(cbor.encode(content["keys"][number]))
    content["keys"][number] = change(record) or record
    c.built(f"key-{name}", expect, why, {}, content=content)


def _key_cases(c):
    def change(name, expect, why, path, value, number=3):
        def apply(record):
            where = record
            for step in path[:-1]:
                where = where[step]
            old = where.get(path[-1]) if isinstance(where, dict) else where[path[-1]]
            where[path[-1]] = value(old) if callable(value) else value
        _with_key(c, name, expect, why, apply, number)
    row, blob = (3, 0, 0), (3, 0, 1)
    change("name-upper", "corrupt", "upper case in the record's name", (1,), "delta-D")
    change("name-spelling", "corrupt", "spelling of another key", (2, 1), "delta-5")
    change("deleted-alone", "corrupt", "deleted without purge date", (2, 4), NOW)
    change("no-version", "corrupt", "no version", (3,), [])
    change("unknown-key", "corrupt", "key 7 in the key row", (2, 7), 0)
    change("row-unknown-key", "corrupt", "key 11 in the version row", row + (11,), 0)
    change("row-ops", "corrupt", "key_ops bit 8", row + (5,), 256)
    change("row-enabled-number", "corrupt", "enabled is 1", row + (4,), 1)
    change("row-exportable", "auth", "exportable set in the row alone", row + (8,), True)
    change("row-version-id", "auth", "another version id", row + (1,), bytes(16))
    change("row-created", "auth", "another creation time", row + (2,), lambda v: v + 1)
    change("tags-unsorted", "corrupt", "tags unsorted", row + (9,), [["b", "2"], ["a", ""]])
    change("tags-doubled", "corrupt", "a tag twice", row + (9,), [["a", ""], ["a", ""]])
    change("tags-16", "corrupt", "16 tags", row + (9,), [[f"{i:02}", ""] for i in range(16)])
    change("blob-mac", "auth", "MAC of the blob", blob, _flip(190))
    change("blob-of-another-key", "auth", "blob of another key", blob,
           backups.small(c.sd)["keys"][2][3][0][1])
    change("blob-cut", "corrupt", "blob cut", blob, lambda b: b[:-1])
    change("blob-other-domain", "denied", "domain id of another", blob, _flip(16))
    change("blob-generation-9", "denied", "generation 9", blob, _set(32, le(9, 4)))
    later = Content(c.sd, RING2)
    c.built("key-blob-later-generation", "auth", "blob of generation 2 in a backup of 1", {},
            content={"keys": [later.record("k", [later.version("k", 1, "aes256", 3, 2)])],
                     "policy": Content.policy()})
    many = [later.version("k", i, "aes128", 3) for i in range(101)]
    c.built("key-versions-101", "limit", "101 versions", {}, record_block=65536,
            content={"keys": [later.record("k", many)], "policy": Content.policy()})


def _policy_cases(c):
    def change(name, why, number, apply):
        content = backups.small(c.sd)
        record = cbor.decode(cbor.encode(content["policy"][number]))
        apply(record)
        content["policy"][number] = record
        c.built(f"policy-{name}", "corrupt", why, {}, content=content)
    change("scope", "scope does not fit the name", 1, lambda r: r[2].update({2: "/keys"}))
    change("scope-unknown", "scope of no kind", 0, lambda r: r[2].update({2: "/secrets"}))
    change("guid", "row of another GUID", 0, lambda r: r[2].update({1: bytes(16)}))
    change("unknown-key", "key 9 in a role", 2, lambda r: r[2].update({9: 0}))
    change("permission", "three lists in a permission", 2, lambda r: r[2].update({5: [[[]] * 3]}))
    change("setting-name", "setting of another name", 3, lambda r: r[2].update({1: "Other"}))
    change("kind", "record of no kind", 3,
           lambda r: r.update({1: "setting2/allowkeymanagementoperationsthrougharm"}))


def make(base, sd, golden):
    c = Cases(sd, golden)
    for part in (envelope_cases, frame_cases, signature_cases, cbor_cases, map_cases, meta_cases,
                 block_cases, reseal_cases, record_cases):
        part(c)
    for name, expect, why, bad, folder in c.out:
        casefile.save(f"{base}/negative/{name}.txt", why, expect, "layout0", c.base, bad, folder)
    return c.out
