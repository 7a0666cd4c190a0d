"""Key blobs, store rows and roots, one key's backup: tests/vectors/keyblob-v1."""
import os

from cryptography.hazmat.primitives import keywrap

from coffer_inspect import cbor, rows
from coffer_inspect.jwe import b64u

from . import domains
from .fixed import fixed, lines, seal_cbc, write
from .material import (APPLIANCE, EPOCH, NOW, OTHER, RING2, Content, keyblob, user_keys,
                       version_row)

CREATED = NOW - 500


def _version(name):
    return fixed(f"blob version {name}", 16)


def golden(sd):
    """{case: (kind, generation, flags, pad, change)} of the good blobs."""
    kinds = user_keys(sd)
    out = {kind: (kind, 2, 0, 0, None) for kind in kinds}
    out["rsa2048-padded"] = ("rsa2048", 2, 0, -len(kinds["rsa2048"][3]) % 8 or 8, None)
    out["hmac160-padded"] = ("hmac160", 2, 0, 4, None)
    out["aes256-generation-1"] = ("aes256", 1, 0, 0, None)
    out["p256-exportable-imported"] = ("p256", 2, 3, 0, None)
    return out


def blob_text(sd, case, spec, head, expect="ok"):
    kind, generation, flags, pad, change = spec
    key = user_keys(sd)[kind]
    data = keyblob(RING2, generation, key, "a-key", _version(case), CREATED, flags, pad, change)
    return lines(("expect", expect), ("kind", "blob"), ("name", "a-key"),
                 ("version_id", _version(case)), ("created", CREATED),
                 ("exportable", flags & 1), ("generation", generation), ("material", key[3]),
                 ("spki", key[4]), ("blob", data), head=head)


# Negative blobs ------------------------------------------------------------------------------

def _put(field, value):
    return lambda f: f.update({field: value(f[field]) if callable(value) else value})


def negative_blobs(sd):
    """(name, expect, why, kind, change of fields before the MAC, change of bytes after it)."""
    other_kek = fixed("another kek", 32)
    material = user_keys(sd)["aes256"][3]

    def flip(offset, bit=1):
        return lambda b: b[:offset] + bytes([b[offset] ^ bit]) + b[offset + 1:]
    size = len(keyblob(RING2, 2, user_keys(sd)["aes256"], "a-key", bytes(16), 0))
    cases = [("magic", "corrupt", "magic", "aes256", _put("magic", b"CFRL"), None),
             ("version", "corrupt", "version 2", "aes256", _put("version", 2), None),
             ("wrap", "corrupt", "wrap 2", "aes256", _put("wrap", 2), None),
             ("class-public", "corrupt", "class 2", "aes256", _put("class", 2), None),
             ("class-of-other-type", "corrupt", "oct said to be private", "aes256",
              _put("class", 3), None),
             ("type", "corrupt", "type 4", "aes256", _put("type", 4), None),
             ("size-oct", "corrupt", "128 bits, 32 bytes", "aes256", _put("size", 128), None),
             ("size-curve", "corrupt", "curve 5", "p256", _put("size", 5), None),
             ("size-other-curve", "corrupt", "P-384 with the SPKI of P-256", "p256",
              _put("size", 2), None),
             ("size-rsa", "corrupt", "3,072 bits with an SPKI of 2,048", "rsa2048",
              _put("size", 3072), None),
             ("flags", "corrupt", "flag 4", "aes256", _put("flags", 4), None),
             ("material-0", "corrupt", "material of 0 bytes", "aes256", _put("material", 0), None),
             ("material-65", "corrupt", "oct of 65 bytes", "aes256", _long_oct, None),
             ("material-other", "corrupt", "material + 8", "p256",
              _put("material", lambda v: v + 8), None),
             ("wrapped-length-max", "corrupt", "wrapped 2^32 - 1", "aes256",
              lambda f: f.update(w=0xFFFFFFFF), None),
             ("spki-length", "corrupt", "oct with an SPKI", "aes256", _put("spki", b"x"), None),
             ("spki-length-max", "corrupt", "SPKI 65,535", "p256",
              lambda f: f.update(s=0xFFFF), None),
             ("spki-garbage", "corrupt", "SPKI that is none", "p256",
              _put("spki", lambda s: bytes(len(s))), None),
             ("name-length-0", "corrupt", "no name", "aes256", _put("name", b""), None),
             ("name-128", "corrupt", "name of 128 bytes", "aes256", _put("name", b"a" * 128), None),
             ("name-upper", "corrupt", "upper case", "aes256", _put("name", b"A-KEY"), None),
             ("reserved", "corrupt", "reserved byte", "aes256", _put("reserved", b"\0\0\0\1"),
              None),
             ("domain", "denied", "another domain", "aes256", _put("domain", OTHER.domain_id),
              None),
             ("generation", "denied", "generation 3", "aes256", _put("generation", 3), None),
             ("kcv-asymmetric", "corrupt", "KCV of an EC key", "p256", _put("kcv", b"\1" * 8),
              None),
             ("kcv", "auth", "another KCV", "aes256", _put("kcv", bytes(8)), None),
             ("mac-of-another-generation", "auth", "MACed by MK of generation 1", "aes256",
              _put("mk", RING2.generations[1]["mk"]), None),
             ("row-name", "auth", "name of another row", "aes256", _put("name", b"b-key"), None),
             ("row-version", "auth", "version of another row", "aes256", _put("id", bytes(16)),
              None),
             ("row-created", "auth", "created of another row", "aes256",
              _put("created", CREATED + 1), None),
             ("row-exportable", "auth", "exportable, the row says no", "aes256",
              _put("flags", 1), None),
             ("wrapped-other-kek", "auth", "wrapped under another KEK", "aes256",
              _put("wrapped", keywrap.aes_key_wrap_with_padding(other_kek, material)), None),
             ("wrapped-longer", "corrupt", "40 bytes wrapped, 32 said", "aes256",
              _wrapped(material + bytes(8)), None),
             ("wrapped-padding", "auth", "bytes behind the material", "hmac160",
              _wrapped(user_keys(sd)["hmac160"][3] + b"\0\0\0\1"), None),
             ("wrapped-other-key", "auth", "private key of another SPKI", "p256",
              _wrapped(_other_p256(sd)), None),
             ("cut", "corrupt", "last byte gone", "aes256", None, lambda b: b[:-1]),
             ("grown", "corrupt", "a byte behind", "aes256", None, lambda b: b + b"\0"),
             ("empty", "corrupt", "no bytes", "aes256", None, lambda b: b""),
             ("over-16-kib", "limit", "16,385 bytes", "aes256", None,
              lambda b: b + bytes(16385 - len(b)))]
    for offset in (48, 64, 72, 82, 86, size - 33, size - 32, size - 1):
        cases.append((f"flip-{offset}", "auth", f"byte {offset}", "aes256", None,
                      flip(offset)))
    return cases


def _wrapped(plain):
    return lambda f: f.update(wrapped=keywrap.aes_key_wrap_with_padding(
        RING2.generations[2]["kek"], plain))


def _long_oct(f):
    key = bytes(65)
    _wrapped(key)(f)
    f.update(material=65, size=520)


def _other_p256(sd):
    """PKCS#8 of the same length as p256's, another scalar."""
    material = user_keys(sd)["p256"][3]
    at = material.index(b"\x04\x20") + 2
    return material[:at + 31] + bytes([material[at + 31] ^ 1]) + material[at + 32:]


# Store -----------------------------------------------------------------------------------------

class Store:
    """Rows in order, tags and root, under RING2's newest generation."""

    def __init__(self, sd, counter=7, anchor=3):
        self.key = rows.k_row(RING2.generations[2]["mk"], APPLIANCE, EPOCH)
        self.counter, self.anchor, self.rows = counter, anchor, {}
        content = Content(sd, RING2)
        for record in content.keys()[:1] + content.keys()[2:]:
            name = record[1].encode()
            self.set(rows.KEY, name, cbor.encode(record[2]))
            for i, (row, blob) in enumerate(record[3]):
                self.set(rows.VERSION, name + b"\0" + (i + 1).to_bytes(8, "big") + row[1],
                         cbor.encode(row), blob)
        tables = {"assignment": rows.ASSIGNMENT, "role": rows.ROLE, "setting": rows.SETTING}
        for record in content.policy():
            kind, _, key = record[1].partition("/")
            self.set(tables[kind], key.encode(), cbor.encode(record[2]))

    def set(self, table, key, value, blob=b"", revision=1):
        tag = rows.row_tag(self.key, table, key, value, blob, revision)
        self.rows[table, key] = (table, key, value, blob, revision, tag)

    def list(self):
        return [self.rows[k] for k in sorted(self.rows)]

    def root(self):
        return rows.root_of(self.key, self.counter, self.anchor, [r[5] for r in self.list()])

    def change(self):
        """One transaction: delta-4's version is disabled, a setting goes."""
        at = next(k for k in self.rows if k[0] == rows.VERSION and k[1].startswith(b"delta-4"))
        _, key, value, blob, revision, _ = self.rows[at]
        row = cbor.decode(value)
        row.update({3: NOW, 4: False})
        self.set(rows.VERSION, key, cbor.encode(row), blob, revision + 1)
        self.rows = {k: v for k, v in self.rows.items() if k[0] != rows.SETTING}
        self.counter += 1


def store_lines(row_list, root, board=3):
    out = [("root", root), ("board", board)]
    for i, row in enumerate(row_list):
        out += [(f"row.{i}.{n}", v) for n, v in
                zip(("table", "key", "value", "blob", "revision", "tag"), row)]
    return out


def negative_stores(sd):
    """(name, expect, why, rows, root, board)."""
    old, new = Store(sd), Store(sd)
    new.change()
    good, root = new.list(), new.root()
    version = next(i for i, r in enumerate(good) if r[1].startswith(b"delta-4\0"))
    older = next(r for r in old.list() if r[1] == good[version][1])

    def with_row(i, row):
        return good[:i] + [row] + good[i + 1:]

    def forged(change):
        """A bad writer: tags and root made for wrong rows."""
        store = Store(sd)
        store.change()
        change(store)
        return store.list(), store.root()
    first, second = good[version], next(r for r in good if r[0] == rows.VERSION
                                        and r[1].startswith(b"charlie"))
    cases = [
        ("row-older", "auth", "one row of before the change", with_row(version, older), root, 3),
        ("row-gone", "auth", "a row is gone", good[:3] + good[4:], root, 3),
        ("row-back", "auth", "the removed setting is back",
         good + [r for r in old.list() if r[0] == rows.SETTING], root, 3),
        ("row-value", "auth", "a value changed",
         with_row(0, good[0][:2] + (good[0][2][:-1] + b"\xff",) + good[0][3:]), root, 3),
        ("row-revision", "auth", "revision + 1",
         with_row(0, good[0][:4] + (good[0][4] + 1,) + good[0][5:]), root, 3),
        ("row-table", "auth", "a row in another table",
         with_row(0, (5,) + good[0][1:]), root, 3),
        ("blobs-swapped", "auth", "blobs of two rows swapped",
         [(r[:3] + (second[3],) + r[4:]) if r is first else
          (r[:3] + (first[3],) + r[4:]) if r is second else r for r in good], root, 3),
        ("root-counter", "auth", "counter + 1", good, _flip(root, 0), 3),
        ("root-count", "auth", "row count", good, _flip(root, 16), 3),
        ("root-sum", "auth", "masked sum", good, _flip(root, 30), 3),
        ("root-mac", "auth", "MAC", good, _flip(root, 87), 3),
        ("root-older", "auth", "root of before the change", good, old.root(), 3),
        ("file-older", "auth", "all of it older: the board is two ahead", old.list(), old.root(),
         5),
        ("counter-two-ahead", "auth", "anchor two ahead of the board", good, root, 1),
    ]
    made = [
        ("version-without-key", "key row gone, tags right",
         lambda s: s.rows.pop((rows.KEY, b"alpha"))),
        ("sequence-gap", "version 2 without version 1",
         lambda s: s.rows.pop(next(k for k in s.rows if k[1].startswith(b"alpha\0")))),
        ("table-6", "unknown table", lambda s: s.set(6, b"x", b"\xa0")),
        ("blob-in-key-row", "blob in table 1",
         lambda s: s.set(1, b"alpha", s.rows[1, b"alpha"][2], b"x")),
        ("value-not-cbor", "value is no CBOR", lambda s: s.set(5, b"x", b"\xff")),
    ]
    for name, why, change in made:
        row_list, forged_root = forged(change)
        cases.append((name, "corrupt", why, row_list, forged_root, 3))
    return cases


def _flip(data, offset):
    return data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1:]


# One key's backup --------------------------------------------------------------------------------

def one_key(sd, ring=RING2, generation=2, version=1, kid="backup-protection-key", change=None):
    """The value of POST /keys/alpha/backup."""
    record = Content(sd, RING2).keys()[0]
    salt = fixed("one key salt", 32)
    frame = bytes([version]) + ring.domain_id + generation.to_bytes(4, "little") + salt
    header = ('{"alg":"dir","enc":"A256CBC-HS512","kid":"%s","coffer":"%s"}' % (kid, b64u(frame)))
    bk = ring.generations[min(generation, 2)]["bk"]
    cek = rows.one_key_cek(bk, ring.domain_id, generation, salt)
    jwe = seal_cbc(header, b"", cek, fixed("one key iv", 16), cbor.encode(record))
    return b64u((change(jwe) if change else jwe).encode())


def negative_one_keys(sd):
    return [
        ("onekey-other-domain", "denied", "another domain", one_key(sd, OTHER)),
        ("onekey-generation-3", "denied", "generation 3", one_key(sd, generation=3)),
        ("onekey-version", "corrupt", "version 2", one_key(sd, version=2)),
        ("onekey-kid", "corrupt", "another kid", one_key(sd, kid="backup")),
        ("onekey-tag", "auth", "tag flipped",
         one_key(sd, change=lambda j: j[:-2] + ("A" if j[-2] != "A" else "B") + j[-1])),
        ("onekey-text", "auth", "ciphertext flipped",
         one_key(sd, change=lambda j: _flip_part(j, 3))),
        ("onekey-parts", "corrupt", "four parts", one_key(sd, change=lambda j: j[:j.rindex(".")])),
    ]


def _flip_part(jwe, part):
    parts = jwe.split(".")
    text = parts[part]
    parts[part] = ("A" if text[0] != "A" else "B") + text[1:]
    return ".".join(parts)


# Writing and judging -----------------------------------------------------------------------------

def _make_negative(base, sd):
    for name, expect, why, kind, fields, after in negative_blobs(sd):
        key = user_keys(sd)[kind]
        data = keyblob(RING2, 2, key, "a-key", _version(kind), CREATED, 0, 0, fields)
        data = after(data) if after else data
        write(f"{base}/negative/blob-{name}.txt",
              lines(("expect", expect), ("kind", "blob"), ("name", "a-key"),
                    ("version_id", _version(kind)), ("created", CREATED), ("exportable", 0),
                    ("blob", data), head=why))
    for name, expect, why, row_list, root, board in negative_stores(sd):
        write(f"{base}/negative/store-{name}.txt",
              lines(("expect", expect), ("kind", "store"), *store_lines(row_list, root, board),
                    head=why))
    for name, expect, why, value in negative_one_keys(sd):
        write(f"{base}/negative/{name}.txt",
              lines(("expect", expect), ("kind", "onekey"), ("value", value), head=why))


def make(root, sd):
    """Writes keyblob-v1. Keys of the domain: ../backup-v1/domain.txt."""
    base = os.path.join(root, "keyblob-v1")
    for case, spec in golden(sd).items():
        write(f"{base}/{case}.txt", blob_text(sd, case, spec, f"key blob: {case}"))
    mk, store = RING2.generations[2]["mk"], Store(sd)
    keys = [("k_row", store.key), ("page_key", rows.page_key(mk, APPLIANCE, EPOCH))]
    before = store_lines(store.list(), store.root())
    store.change()
    write(f"{base}/store-before.txt",
          lines(("expect", "ok"), ("kind", "store"), *keys, *before, head="store, generation 2"))
    write(f"{base}/store-after.txt",
          lines(("expect", "ok"), ("kind", "store"), *keys,
                *store_lines(store.list(), store.root()),
                head="the same after one transaction: a version disabled, the setting removed"))
    write(f"{base}/onekey.txt",
          lines(("expect", "ok"), ("kind", "onekey"), ("value", one_key(sd)),
                ("record", cbor.encode(Content(sd, RING2).keys()[0])), head="one key's backup"))
    _make_negative(base, sd)


def judge(case):
    """Class that the reader gives to one file (a dict of its lines)."""
    kind = case["kind"]
    if kind == "onekey":
        return domains.class_of(lambda: rows.open_one_key(RING2, case["value"]))
    if kind == "blob":
        row = version_row(bytes.fromhex(case["version_id"]), int(case["created"]), 0,
                          case["exportable"] == "1")
        data = bytes.fromhex(case["blob"])
        return domains.class_of(lambda: rows.check_blob_row(RING2, case["name"], row, data))
    row_list = []
    while f"row.{len(row_list)}.table" in case:
        i = len(row_list)
        row_list.append((int(case[f"row.{i}.table"]), bytes.fromhex(case[f"row.{i}.key"]),
                         bytes.fromhex(case[f"row.{i}.value"]),
                         bytes.fromhex(case[f"row.{i}.blob"]), int(case[f"row.{i}.revision"]),
                         bytes.fromhex(case[f"row.{i}.tag"])))
    key = rows.k_row(RING2.generations[2]["mk"], APPLIANCE, EPOCH)
    return domains.class_of(lambda: rows.check_store(
        RING2, key, row_list, bytes.fromhex(case["root"]), int(case["board"])))

