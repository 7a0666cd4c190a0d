"""The `meta` stream, tables and indexes: backup/FORMAT.md 3.3, reader's check 10."""
from .blocks import META, Slot, open_block
from .errors import CORRUPT, LIMIT, Place, need
from .manifest import RAW, le

NONE = 0xFFFFFFFF
MAX_BLOCKS = 4096 * 50000


def read_meta(folder, manifest):
    """All plain bytes of `meta`."""
    meta = manifest.sealed[7]
    rows, out, place = meta[3], bytearray(), 0
    if not rows:
        return b""
    folder.expect(meta[1], sum(r[2] for r in rows))
    offset = 0
    for number, (salt, plain, wire, digest) in enumerate(rows):
        last = number == len(rows) - 1
        slot = Slot(META, number, salt, place, plain, wire, digest, meta[4], last, False)
        slot.check()
        need(last or plain % slot.chunk == 0, CORRUPT, "short block before the last", slot.name)
        need(digest != bytes(32), CORRUPT, "digest is missing", slot.name)
        with Place(meta[1]):
            data = folder.range(meta[1], offset, wire)
            for _, chunk in open_block(manifest.dk, manifest.envelope.backup_id, slot, data):
                out += chunk
        place, offset = place + plain, offset + wire
    return bytes(out)


def sections(manifest, plain):
    """[(table bytes, index bytes or None)] a stream; they tile `meta` exactly."""
    at, out = 0, []

    def take(where, what):
        nonlocal at
        need(where[0] == at and where[1] <= len(plain) - at, CORRUPT,
             f"{what}: [{where[0]}, {where[1]}] does not tile meta")
        at += where[1]
        return plain[where[0]:at]

    for stream in manifest.sealed[6]:
        table = take(stream[12], f"table of stream {stream[1]}")
        index = None if stream[3] == RAW else take(stream[13], f"index of stream {stream[1]}")
        out.append((table, index))
    need(at == len(plain), CORRUPT, "meta holds more than its sections")
    return out


def slots(manifest, stream, table):
    """The blocks of a stream, with blob and offset; all sums and orders checked."""
    need(stream[5] <= MAX_BLOCKS, LIMIT, f"{stream[5]} blocks")
    count, out, place, wire = stream[5], [], 0, 0
    raw = stream[3] == RAW
    for number in range(count):
        entry = table[80 * number:80 * number + 80]
        slot = Slot(stream[1], number, entry[:32], le(entry[32:40]), le(entry[40:44]),
                    le(entry[44:48]), entry[48:], stream[10], number == count - 1, raw)
        slot.check()
        need(slot.place == place, CORRUPT, f"place {slot.place}, not {place}", slot.name)
        whole = slot.plain % slot.chunk == 0
        need(whole or raw and slot.last, CORRUPT, "short chunk inside the stream", slot.name)
        need(raw or slot.digest != bytes(32), CORRUPT, "digest is missing", slot.name)
        place, wire = place + slot.plain, wire + slot.wire
        out.append(slot)
    need((place, wire) == (stream[4], stream[6]), CORRUPT,
         f"sums of the table of stream {stream[1]}")
    need(len({s.digest == bytes(32) for s in out}) <= 1, CORRUPT,
         f"stream {stream[1]}: digests in some rows only")
    _locate(manifest, stream, out)
    return out


def _locate(manifest, stream, out):
    if manifest.sealed[8] == 1:
        for slot in out:
            slot.blob = f"s{stream[1]}/{slot.number}-{slot.salt[:16].hex()}"
        return
    for name, first, count, length in stream[7]:
        offset = 0
        for slot in out[first:first + count]:
            slot.blob, slot.offset = name, offset
            offset += slot.wire
        need(offset == length, CORRUPT, f"blob {name}: bytes")


def index_entries(stream, index):
    """[(name, offset)] a chunk, from the segments that the root names."""
    at, out, base = 0, [], stream[13][0]
    for number, (first, offset, length, chunk) in enumerate(stream[14]):
        what = f"root entry {number} of stream {stream[1]}"
        need(offset == base + at and 0 < length <= 65536 and chunk == len(out), CORRUPT,
             f"{what} does not tile the index")
        need(length <= len(index) - at, CORRUPT, f"{what} runs past the index")
        entries = _segment(index[at:at + length], what)
        need(entries[0][0] == first and first, CORRUPT, f"{what}: first name")
        out += entries
        at += length
    need(at == len(index), CORRUPT, f"stream {stream[1]}: index outside the root")
    chunks = stream[4] >> stream[10]
    need(len(out) == chunks, CORRUPT, f"stream {stream[1]}: {len(out)} entries, {chunks} chunks")
    names = [name.encode() for name, _ in out if name]
    need(all(a < b for a, b in zip(names, names[1:])), CORRUPT,
         f"stream {stream[1]}: index names not ascending")
    return out


def _segment(data, what):
    at, out = 0, []
    while at < len(data):
        size = le(data[at:at + 2])
        end = at + 6 + size
        need(size <= 255 and end <= len(data), CORRUPT, f"{what}: entry is cut")
        try:
            name = data[at + 2:at + 2 + size].decode("utf-8")
        except UnicodeDecodeError:
            name = None
        need(name is not None, CORRUPT, f"{what}: name is not UTF-8")
        offset = le(data[end - 4:end])
        need(bool(name) == (offset != NONE), CORRUPT, f"{what}: name without offset, or reverse")
        out.append((name, offset))
        at = end
    need(out, CORRUPT, f"{what}: empty segment")
    return out
