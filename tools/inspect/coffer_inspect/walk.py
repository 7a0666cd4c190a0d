"""The reader's walk over one backup: backup/FORMAT.md 7, checks 1 to 13."""
from . import blocks, cbor, meta, records
from .errors import AUTH, CORRUPT, MISSING, Place, Refused, need
from .kdf import sha256
from .manifest import KEYS, MAX_MANIFEST, RAW, Manifest


class Backup:
    """An opened backup: manifest, tables and indexes are proven; streams not yet read."""

    def __init__(self, folder, keyring, signers=()):
        self.folder, self.keyring = folder, keyring
        with Place("manifest"):
            self.manifest = Manifest(folder.read("manifest", MAX_MANIFEST))
            self.manifest.open(keyring, folder.name, signers)
        with Place("meta"):
            plain = meta.read_meta(folder, self.manifest)
            self.streams = []
            for stream, (table, index) in zip(self.manifest.sealed[6],
                                              meta.sections(self.manifest, plain)):
                slots = meta.slots(self.manifest, stream, table)
                entries = None if index is None else meta.index_entries(stream, index)
                self.streams.append((stream, slots, entries))
        self._wire_total()

    def _wire_total(self):
        sealed = self.manifest.sealed
        total = sum(s[6] for s in sealed[6]) + sum(r[2] for r in sealed[7][3])
        need(self.manifest.public[5] == total, CORRUPT, "wire bytes of the public map",
             "manifest")

    def stream(self, name):
        for stream, slots, entries in self.streams:
            if stream[2] == name:
                return stream, slots, entries
        names = ", ".join(s[0][2] for s in self.streams)
        raise Refused(MISSING, f"no stream {name!r}; the backup has {names}")

    def _sizes(self, stream, slots):
        """Every blob of the stream is there in full size, before a byte of it is opened."""
        if self.manifest.sealed[8] == 1:
            for slot in slots:
                self.folder.expect(slot.blob, slot.wire)
            return
        for name, _, _, length in stream[7]:
            self.folder.expect(name, length)

    def chunks(self, stream, slots):
        """Yields (slot, number, plain) for each chunk of a stream, in order."""
        self._sizes(stream, slots)
        for slot in slots:
            with Place(slot.blob):
                data = self.folder.range(slot.blob, slot.offset, slot.wire)
                for number, plain in blocks.open_block(
                        self.manifest.dk, self.manifest.envelope.backup_id, slot, data):
                    yield slot, number, plain

    def records(self, stream, slots, entries):
        """Yields the decoded records of a record stream; order, padding and index checked."""
        index = records.IndexCheck(entries, 1 << stream[10])
        last, count, block = b"", 0, bytearray()
        for slot, number, plain in self.chunks(stream, slots):
            block += plain
            if number < slot.chunks() - 1:
                continue
            for offset, raw in records.split(bytes(block), slot.chunk, slot.name):
                with Place(f"{slot.name} offset {offset}"):
                    value = cbor.decode(raw)
                    name = value.get(1) if isinstance(value, dict) else None
                    need(isinstance(name, str), CORRUPT, "record without a name")
                    need(name.encode() > last, CORRUPT, f"record {name!r} out of order")
                    index.record(slot.place + offset, name)
                    last, count = name.encode(), count + 1
                    yield value
            block.clear()
        index.end()
        need(count == stream[8], CORRUPT, f"{count} records, the manifest says {stream[8]}",
             f"stream {stream[2]}")


def read_content(backup, unwrap=True):
    """All records of `keys` and `policy`: {"keys": [...], "assignment": [...], ...}."""
    out = {"keys": [], "assignment": [], "role": [], "setting": []}
    for stream, slots, entries in backup.streams:
        if stream[3] == RAW:
            continue
        for value in backup.records(stream, slots, entries):
            with Place(f"record {value[1]!r}"):
                if stream[3] == KEYS:
                    out["keys"].append(records.key_record(value, backup.keyring, unwrap))
                else:
                    kind, row = records.policy_record(value)
                    out[kind].append(row)
    _counts(backup, out)
    return out


def _counts(backup, out):
    deleted = sum(k["deleted"] is not None for k in out["keys"])
    have = [len(out["keys"]), sum(len(k["versions"]) for k in out["keys"]), deleted,
            len(out["assignment"])]
    want = backup.manifest.sealed[11][:4]
    need(have == want, CORRUPT, f"counts are {have}, the manifest says {want}", "manifest")
    newest = backup.manifest.envelope.generation
    need(all(v["generation"] <= newest for k in out["keys"] for v in k["versions"]), AUTH,
         "key blob of a later generation than its backup")


def read_raw(backup, stream, slots, write=None):
    """Opens every chunk of a raw stream; (bytes, left-out bytes)."""
    total = 0
    for _, _, plain in backup.chunks(stream, slots):
        total += len(plain)
        if write:
            write(plain)
    need(total == stream[4], CORRUPT, f"{total} bytes, the manifest says {stream[4]}")
    return total


def find(backup, name):
    """One key's record, or None when its absence is proven (check 13)."""
    stream, slots, entries = backup.streams[0]
    if not slots:
        return None
    wanted, chunk = name.encode(), 1 << stream[10]
    start = max((i for i, (n, _) in enumerate(entries) if n and n.encode() <= wanted), default=0)
    first = next(s for s in slots if s.place <= start * chunk < s.place + s.plain)
    for slot in slots[first.number:]:
        data = backup.folder.range(slot.blob, slot.offset, slot.wire)
        with Place(slot.blob):
            plain = b"".join(p for _, p in blocks.open_block(
                backup.manifest.dk, backup.manifest.envelope.backup_id, slot, data))
        for _, raw in records.split(plain, chunk, slot.name):
            value = cbor.decode(raw)
            need(isinstance(value, dict) and isinstance(value.get(1), str), CORRUPT,
                 "record without a name", slot.name)
            if value[1].encode() >= wanted:
                return value if value[1] == name else None
    return None


def copy_state(backup):
    """What manifest.copy is: same, differs or absent."""
    try:
        copy = backup.folder.read("manifest.copy", MAX_MANIFEST)
    except Refused as refused:
        if refused.cls != MISSING:
            raise
        return "absent"
    return "same" if sha256(copy) == sha256(backup.manifest.data) else "differs"

