"""Record streams and the records in them: backup/FORMAT.md 3.2, 3.7, 3.8, reader's check 12."""
from uuid import UUID

from . import cbor
from .errors import AUTH, CORRUPT, LIMIT, Place, need
from .keyblob import EXPORTABLE, KeyBlob, is_name

MAX_RECORD = 4 << 20
OPS = ("encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey", "import", "export")


def split(plain, chunk, what):
    """[(offset of the length field, record bytes)] of one block's plain bytes."""
    at, out = 0, []
    while len(plain) - at >= 4:
        length = int.from_bytes(plain[at:at + 4], "little")
        if length == 0:
            break
        need(length <= MAX_RECORD, LIMIT, f"record of {length} bytes", f"{what} offset {at}")
        need(length <= len(plain) - at - 4, CORRUPT, "record crosses its block",
             f"{what} offset {at}")
        out.append((at, plain[at + 4:at + 4 + length]))
        at += 4 + length
    need(len(plain) - at < chunk and not any(plain[at:]), CORRUPT,
         "padding is not zeros to the next chunk", f"{what} offset {at}")
    need(out, CORRUPT, "block without a record", what)
    return out


class IndexCheck:
    """Each index entry against the first record that starts in its chunk."""

    def __init__(self, entries, chunk):
        self.entries, self.chunk, self.next = entries, chunk, 0

    def record(self, place, name):
        number, offset = divmod(place, self.chunk)
        if number < self.next:
            return
        self._gap(number)
        need(self.entries[number] == (name, offset), CORRUPT, f"index entry {number} is not true")
        self.next = number + 1

    def _gap(self, upto):
        for number in range(self.next, upto):
            need(not self.entries[number][0], CORRUPT, f"index entry {number} is not true")

    def end(self):
        self._gap(len(self.entries))


def _ascii_lower(text):
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


def _strings(value, what):
    need(isinstance(value, list) and all(isinstance(v, str) for v in value), CORRUPT,
         f"{what} is not a list of texts")


def key_record(value, keyring, unwrap):
    """One record of `keys`; returns what `list` shows."""
    cbor.fields(value, "record", {1: str, 2: dict, 3: list})
    name, key = value[1], value[2]
    need(is_name(name), CORRUPT, f"key name {name!r}")
    cbor.fields(key, "key row", {1: str, 2: int, 3: int}, {4: int, 5: int, 6: bytes})
    need(_ascii_lower(key[1]) == name, CORRUPT, "spelling of the name is another name")
    need((4 in key) == (5 in key), CORRUPT, "deletion dates: one without the other")
    need(1 <= len(key.get(6, b"x")) <= 8192, CORRUPT, "rotation policy length")
    need(value[3], CORRUPT, "no version")
    need(len(value[3]) <= 100, LIMIT, f"{len(value[3])} versions")
    versions, ids = [], set()
    for number, entry in enumerate(value[3]):
        with Place(f"version {number + 1}"):
            row, blob = cbor.row(entry, "version", dict, bytes)
            versions.append(_version(name, row, blob, keyring, unwrap))
            need(row[1] not in ids, CORRUPT, "version id twice")
            ids.add(row[1])
    return {"name": key[1], "created": key[2], "updated": key[3], "deleted": key.get(4),
            "purge": key.get(5), "rotation_policy": 6 in key, "versions": versions}


def _version(name, row, data, keyring, unwrap):
    cbor.fields(row, "version row", {1: 16, 2: int, 3: int, 4: bool, 5: int, 8: bool, 9: list},
                {6: int, 7: int, 10: list})
    need(row[5] < 1 << len(OPS), CORRUPT, "key_ops")
    _tags(row[9])
    if 10 in row:
        _, policy, _ = cbor.row(row[10], "release policy", str, bytes, bool)
        need(1 <= len(policy) <= 16384, CORRUPT, "release policy length")
    blob = KeyBlob(data)
    blob.check(keyring)
    exportable = bool(blob.flags & EXPORTABLE)
    need((blob.name, blob.version_id, blob.created, exportable) == (name, row[1], row[2], row[8]),
         AUTH, "key blob belongs to another row")
    if unwrap:
        blob.unwrap(keyring)
    kty, size = blob.kind()
    return {"version": row[1].hex(), "kty": kty, "size": size, "created": row[2],
            "updated": row[3], "enabled": row[4], "nbf": row.get(6), "exp": row.get(7),
            "key_ops": [op for bit, op in enumerate(OPS) if row[5] >> bit & 1],
            "exportable": row[8], "tags": dict(row[9]), "generation": blob.generation}


def _tags(tags):
    need(len(tags) <= 15, CORRUPT, f"{len(tags)} tags")
    last = None
    for pair in tags:
        name, value = cbor.row(pair, "tag", str, str)
        need(len(name) <= 256 and len(value) <= 256, CORRUPT, "tag too long")
        need(last is None or last < name.encode(), CORRUPT, "tags not ascending")
        last = name.encode()


def policy_record(value):
    """One record of `policy`; returns (kind, what `list` shows)."""
    cbor.fields(value, "record", {1: str, 2: dict})
    kind, _, key = value[1].partition("/")
    reader = {"assignment": _assignment, "role": _role, "setting": _setting}.get(kind)
    need(reader is not None and key, CORRUPT, f"policy record {value[1]!r}")
    return kind, reader(key, value[2])


def _guid(raw):
    return str(UUID(bytes=raw))


def _assignment(key, row):
    cbor.fields(row, "role assignment", {1: 16, 2: str, 3: 16, 4: str, 5: int})
    scope = row[2]
    named = scope.startswith("/keys/") and is_name(scope[6:])
    need(scope in ("/", "/keys") or named, CORRUPT, f"scope {scope!r}")
    want = _guid(row[1]) if scope == "/" else f"{scope[1:]}/{_guid(row[1])}"
    need(key == want, CORRUPT, "role assignment under another name")
    cbor.bounded_text(row[4], "principal", 1, 128)
    return {"id": _guid(row[1]), "scope": scope, "role": _guid(row[3]), "principal": row[4]}


def _role(key, row):
    cbor.fields(row, "role definition", {1: 16, 2: str, 3: str, 4: list, 5: list, 6: int, 7: int})
    need(key == _guid(row[1]), CORRUPT, "role definition under another name")
    _strings(row[4], "assignable scopes")
    for permission in row[5]:
        for part in cbor.row(permission, "permission", list, list, list, list):
            _strings(part, "permission")
    return {"id": _guid(row[1]), "name": row[2], "data_actions": [p[2] for p in row[5]]}


def _setting(key, row):
    cbor.fields(row, "setting", {1: str, 2: str, 3: int})
    need(_ascii_lower(row[1]) == key, CORRUPT, "setting under another name")
    return {"name": row[1], "value": row[2]}
