"""Store rows, root and one key's backup: keystore/FORMAT.md 3.2, 3.5, 7.

The encrypted file itself is not opened here; rows are given as tuples.
"""
from . import cbor, jwe, records
from .errors import AUTH, CORRUPT, DENIED, Place, need
from .keyblob import KeyBlob
from .kdf import equal, hmac256, kdf, sha256

KEY, VERSION, ASSIGNMENT, ROLE, SETTING = 1, 2, 3, 4, 5


def le(data):
    return int.from_bytes(data, "little")


def k_row(mk, appliance_id, epoch):
    return kdf(mk, "coffer.v1.row", appliance_id + epoch)


def page_key(mk, appliance_id, epoch):
    return kdf(mk, "coffer.v1.page", appliance_id + epoch)


def row_tag(key, table, name, value, blob, revision):
    return hmac256(key, b"coffer.v1.rowtag\0" + bytes([table]) + len(name).to_bytes(4, "little")
                   + name + revision.to_bytes(8, "little") + len(value).to_bytes(4, "little")
                   + value + sha256(blob))


def root_of(key, counter, anchor, tags):
    """The 88 bytes of the root of rows with these tags."""
    total = 0
    for tag in tags:
        total ^= int.from_bytes(tag, "big")
    mask = int.from_bytes(kdf(key, "coffer.v1.mask", counter.to_bytes(8, "little")), "big")
    body = b"".join(v.to_bytes(8, "little") for v in (counter, anchor, len(tags)))
    body += (total ^ mask).to_bytes(32, "big")
    return body + hmac256(key, b"coffer.v1.root\0" + body)


def check_store(keyring, key, rows, root, board):
    """keystore/FORMAT.md 7, checks 3 to 6. rows: [(table, key, value, blob, revision, tag)];
    board: its monotonic counter, or None."""
    need(len(root) == 88 and equal(hmac256(key, b"coffer.v1.root\0" + root[:56]), root[56:]),
         AUTH, "root does not verify")
    counter, anchor = le(root[:8]), le(root[8:16])
    need(board is None or anchor in (board, board + 1), AUTH, "store is older than the appliance")
    for table, name, value, blob, revision, tag in rows:
        with Place(f"table {table} row {name.hex()}"):
            need(equal(row_tag(key, table, name, value, blob, revision), tag), AUTH,
                 "row tag does not verify")
    need(root == root_of(key, counter, anchor, [r[5] for r in rows]), AUTH,
         "rows are missing, added or older than the root")
    _tables(keyring, rows)


def _tables(keyring, rows):
    keys, versions, at = {}, {}, None
    for table, name, value, blob, _, _ in rows:
        need(at is None or at < (table, name), CORRUPT, "rows not ascending")
        at = (table, name)
        with Place(f"table {table} row {name.hex()}"):
            item = cbor.decode(value)
            need((table == VERSION) == bool(blob), CORRUPT, "blob in the wrong table")
            if table == KEY:
                keys[name] = item
            elif table == VERSION:
                owner, _, rest = name.partition(b"\0")
                mine = versions.setdefault(owner, [])
                need(len(rest) == 24 and int.from_bytes(rest[:8], "big") == len(mine) + 1
                     and isinstance(item, dict) and item.get(1) == rest[8:], CORRUPT,
                     "key of a version row")
                mine.append([item, blob])
            else:
                kind = {ASSIGNMENT: "assignment", ROLE: "role", SETTING: "setting"}.get(table)
                need(kind is not None, CORRUPT, "unknown table")
                text = name.decode("utf-8", "replace")
                records.policy_record({1: f"{kind}/{text}", 2: item})
    need(set(keys) == set(versions), CORRUPT, "key row without versions, or versions without key")
    for name, item in keys.items():
        with Place(f"key {name.decode('ascii', 'replace')}"):
            record = {1: name.decode("ascii", "replace"), 2: item, 3: versions[name]}
            records.key_record(record, keyring, True)


def check_blob_row(keyring, name, version_row, data):
    """A blob against the row it lies in, then the trial unwrap."""
    blob = KeyBlob(data)
    blob.check(keyring)
    need((blob.name, blob.version_id, blob.created, bool(blob.flags & 1))
         == (name, version_row[1], version_row[2], version_row[8]), AUTH,
         "key blob belongs to another row")
    return blob.unwrap(keyring)


def one_key_cek(bk, domain_id, generation, salt):
    context = domain_id + generation.to_bytes(4, "little") + salt
    return b"".join(kdf(bk, "coffer.v1.onekey", context + bytes([i])) for i in (1, 2))


def open_one_key(keyring, value):
    """The keys record inside the value of POST /keys/{name}/backup."""
    text = jwe.unb64u(value, "key backup").decode("ascii", "replace")
    head, header, (empty, iv, ct, tag) = jwe.parts(text, "key backup")
    need(header.get("alg") == "dir" and header.get("kid") == "backup-protection-key" and not empty,
         CORRUPT, "key backup: header")
    frame = jwe.unb64u(header.get("coffer"), "key backup: coffer")
    need(len(frame) == 53 and frame[0] == 1, CORRUPT, "key backup: newer format")
    need(frame[1:17] == keyring.domain_id, DENIED, "key backup of another domain")
    generation = le(frame[17:21])
    cek = one_key_cek(keyring.keys(generation)["bk"], keyring.domain_id, generation, frame[21:])
    plain = jwe.open_cbc(cek, head, iv, ct, tag, "key backup")
    return records.key_record(cbor.decode(plain), keyring, True)
