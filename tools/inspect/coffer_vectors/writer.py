"""Writes one backup folder in memory: {blob name: bytes}, from backup/FORMAT.md 3, 4.

Hooks alter a value at a named step before what follows is computed from it, so that a
negative case is wrong in exactly one place.
"""
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from coffer_inspect import cbor
from coffer_inspect.domain import endorsement
from coffer_inspect.kdf import hmac256, kdf, sha256

from .fixed import fixed
from .material import APPLIANCE, EPOCH, IDENTITY, NOW, SINCE

META = 0xFFFFFFFF


def le(value, size):
    return value.to_bytes(size, "little")


class Stream:
    """Plain blocks of a stream before sealing."""

    def __init__(self, number, name, kind, blocks, records=0, entries=None):
        self.number, self.name, self.kind, self.blocks = number, name, kind, blocks
        self.records, self.entries = records, entries


class Writer:
    """Options: layout, log2, record_block, raw_block, digests, segment, part (blocks a blob),
    seq, seed, signers, folder, generation, extension; hooks: {step: function}."""

    def __init__(self, ring, content, hooks=None, **options):
        self.o = {"layout": 0, "log2": 12, "record_block": 8192, "raw_block": 16384,
                  "digests": False, "segment": 64, "part": 2, "seq": 1, "seed": "a",
                  "signers": [IDENTITY], "required": None, "folder": "mhsm-vec-20260101000000",
                  "generation": 1, "meta_block": 8 << 20, "extension": False}
        self.o.update(options)
        self.ring, self.content, self.hooks = ring, content, hooks or {}
        self.blobs, self.values = {}, []
        self.chunk = 1 << self.o["log2"]

    def hook(self, step, value):
        return self.hooks[step](value) if step in self.hooks else value

    def rnd(self, what, count):
        return fixed(f"{self.o['seed']} {what}", count)

    def note(self, name, value):
        self.values.append((name, value))

    # Blocks ------------------------------------------------------------------------------

    def seal(self, stream, number, place, plain, last, mapped, salt=None):
        """(salt, wire bytes) of one block."""
        step = f"{'meta' if stream == META else stream}.{number}"
        salt = self.hook(f"salt {step}", salt or self.rnd(f"salt {step}", 32))
        chunks = [plain[i:i + self.chunk] for i in range(0, len(plain), self.chunk)]
        states = [1 if not any(c) else 2 if all(b == 255 for b in c) else 0 for c in chunks]
        flags = (1 if last else 0) | (2 if mapped else 0)
        head = (b"CFRB\1\1" + bytes([self.o["log2"], flags]) + self.backup_id + le(stream, 4)
                + le(0, 4) + le(number, 8) + le(place, 8) + le(len(plain), 8) + le(0, 8) + salt)
        if mapped:
            packed = bytearray(16 * -(-len(chunks) // 64))
            for i, state in enumerate(states):
                packed[i // 4] |= state << 2 * (i % 4)
            head += bytes(packed)
        else:
            states = [0] * len(chunks)
        head = self.hook(f"header {step}", head)
        kb = kdf(self.dk, "coffer.v1.block", head)
        self.note(f"kb {step}", kb)
        aead = AESGCM(kb)
        out = head + self.hook(f"tag {step}",
                               aead.encrypt(b"\xff" * 4 + bytes(7) + b"\2", b"", None))
        sent = [i for i, s in enumerate(states) if s == 0]
        pieces = []
        for i in sent:
            final = self.hook(f"final {step}", i == sent[-1])
            nonce = le(i, 4) + bytes(7) + (b"\1" if final else b"\0")
            pieces.append(aead.encrypt(nonce, chunks[i], None))
        pieces = self.hook(f"chunks {step}", pieces)
        return salt, self.hook(f"wire {step}", out + b"".join(pieces))

    def record_stream(self, number, name, kind, records):
        blocks, entries, block, last_chunk = [], [], b"", -1
        starts = []

        def close():
            nonlocal block
            if block:
                blocks.append(block + bytes(-len(block) % self.chunk))
                block = b""
        for value in records:
            raw = self.hook(f"record {value[1]}", cbor.encode(value))
            if len(block) + 4 + len(raw) > self.o["record_block"]:
                close()
            starts.append((sum(map(len, blocks)) + len(block), value[1]))
            block += le(len(raw), 4) + raw
        close()
        blocks = self.hook(f"plain {number}", blocks)
        for chunk in range(sum(map(len, blocks)) // self.chunk):
            here = [(p, n) for p, n in starts if p // self.chunk == chunk]
            entries.append((here[0][1], here[0][0] % self.chunk) if here else ("", 0xFFFFFFFF))
        return Stream(number, name, kind, blocks, len(records),
                      self.hook(f"entries {number}", entries))

    def raw_stream(self, number, name, data):
        size = self.o["raw_block"]
        return Stream(number, name, 3, [data[i:i + size] for i in range(0, len(data), size)])

    def send(self, stream):
        """Seals a stream into blobs; (table bytes, map without offsets)."""
        table, blobs, place, total = [], [], 0, 0
        count = len(stream.blocks)
        for number, plain in enumerate(stream.blocks):
            salt, wire = self.seal(stream.number, number, place, plain, number == count - 1,
                                   stream.kind == 3)
            digest = sha256(wire) if stream.kind != 3 or self.o["digests"] else bytes(32)
            table.append([salt, place, len(plain), len(wire), digest])
            place, total = place + len(plain), total + len(wire)
            if self.o["layout"]:
                self.blobs[f"s{stream.number}/{number}-{salt[:16].hex()}"] = wire
                continue
            if number % self.o["part"] == 0:
                blobs.append([f"s{stream.number}.{len(blobs)}", number, 0, 0])
            blobs[-1][2] += 1
            blobs[-1][3] += len(wire)
            name = blobs[-1][0]
            self.blobs[name] = self.blobs.get(name, b"") + wire
        table = self.hook(f"table {stream.number}", table)
        raw = b"".join(s + le(p, 8) + le(n, 4) + le(w, 4) + d for s, p, n, w, d in table)
        value = {1: stream.number, 2: stream.name, 3: stream.kind, 4: place, 5: count, 6: total,
                 7: blobs, 10: self.o["log2"]}
        return raw, value

    # meta ----------------------------------------------------------------------------------

    def segments(self, entries):
        """[(first name, bytes, first chunk)] cut before a named entry over the limit."""
        out = []
        for chunk, (name, offset) in enumerate(entries):
            raw = le(len(name.encode()), 2) + name.encode() + le(offset, 4)
            if not out or name and len(out[-1][1]) + len(raw) > self.o["segment"]:
                out.append([name, b"", chunk])
            out[-1][1] += raw
        return out

    def meta(self, streams):
        """Plain bytes of meta; fills offsets into the stream maps."""
        plain, values = b"", []
        for stream in streams:
            raw, value = self.send(stream)
            value[12] = [len(plain), len(raw)]
            plain += raw
            if stream.kind == 3:
                value[9] = value[4]
            else:
                value[8], base, root = stream.records, len(plain), []
                for first, data, chunk in self.segments(stream.entries):
                    root.append([first, len(plain), len(data), chunk])
                    plain += data
                value[13], value[14] = [base, len(plain) - base], root
            values.append(value)
        self.stream_values = values
        return self.hook("meta", plain)

    def send_meta(self, plain):
        rows, wire_all, size = [], b"", self.o["meta_block"]
        pieces = [plain[i:i + size] for i in range(0, len(plain), size)]
        place = 0
        for number, piece in enumerate(pieces):
            salt, wire = self.seal(META, number, place, piece, number == len(pieces) - 1, False)
            rows.append([salt, len(piece), len(wire), sha256(wire)])
            wire_all += wire
            place += len(piece)
        rows = self.hook("meta rows", rows)
        name = f"meta-{rows[0][0][:16].hex()}" if rows else ""
        if rows:
            self.blobs[name] = wire_all
        return {1: name, 2: place, 3: rows, 4: self.o["log2"]}

    # manifest ------------------------------------------------------------------------------

    def envelope(self):
        o, gen = self.o, self.ring.generations[self.o["generation"]]
        self.backup_id = self.rnd("backup id", 16)
        self.dk = self.hook("dk", hmac256(self.rnd("token random", 32),
                                          self.rnd("os random", 32) + self.backup_id))
        head = (b"CFRMAN01" + b"\1\1\0\0" + le(o["generation"], 4) + self.ring.domain_id
                + self.ring.fp(o["generation"]) + self.backup_id + le(NOW * 1000 + 7, 8)
                + le(0, 8) + self.rnd("envelope salt", 32))
        head = self.hook("envelope", head)
        ke = kdf(gen["bk"], "coffer.v1.env", head)
        self.note("dk", self.dk)
        self.note("ke", ke)
        return head + AESGCM(ke).encrypt(bytes(12), self.hook("sealed dk", self.dk), head)

    def build(self, partitions=()):
        """Fills self.blobs."""
        env = self.envelope()
        streams = [self.record_stream(0, "keys", 1, self.content["keys"]),
                   self.record_stream(1, "policy", 2, self.content["policy"])]
        streams += [self.raw_stream(2 + i, name, data)
                    for i, (name, data) in enumerate(partitions)]
        plain = self.meta(streams)
        self.note("meta_plain", plain)
        meta = self.send_meta(plain)
        self.sealed_map = self.hook("sealed", self._sealed(meta, partitions))
        wire = sum(v[6] for v in self.stream_values) + sum(r[2] for r in meta[3])
        public = self.hook("public", {1: self.o["folder"], 2: "vec", 3: NOW, 4: NOW + 3, 5: wire,
                                      6: "vectors 1"})
        self.blobs["manifest"] = self.hook("manifest", self._manifest(env, public))
        self.blobs["manifest.copy"] = self.blobs["manifest"]
        return self.blobs

    def _sealed(self, meta, partitions):
        keys, policy = self.content["keys"], self.content["policy"]
        mk = self.ring.generations[self.o["generation"]]["mk"]
        mac = self.hook("endorsement", endorsement(mk, APPLIANCE, IDENTITY.spki, SINCE))
        required = self.o["required"] or self.o["signers"]
        more = {99: {7: "ignored"}} if self.o["extension"] else {}
        return {**more, 1: self.o["seq"], 2: bytes(32), 3: APPLIANCE, 4: [17, self.rnd("audit", 32)],
                5: [EPOCH, 42, NOW, [[n, 3 + i] for i, (n, _) in enumerate(partitions)]],
                6: self.stream_values, 7: meta, 8: self.o["layout"],
                10: [IDENTITY.spki, SINCE, mac],
                11: [len(keys), sum(len(k[3]) for k in keys), sum(4 in k[2] for k in keys),
                     sum(p[1].startswith("assignment/") for p in policy), []],
                12: [[1, s.key_id] for s in required]}

    def _manifest(self, env, public):
        public = self.hook("public bytes", cbor.encode(public))
        sealed = self.hook("sealed bytes", cbor.encode(self.sealed_map))
        self.note("public", public)
        self.note("sealed", sealed)
        lengths = self.hook("lengths", le(len(public), 4) + le(len(sealed) + 16, 4))
        head = env + lengths + self.rnd("manifest random", 24) + public
        km = kdf(self.dk, "coffer.v1.manifest", sha256(head))
        kh = kdf(self.dk, "coffer.v1.mac", self.backup_id)
        self.note("km", km)
        self.note("kh", kh)
        body = head + AESGCM(km).encrypt(bytes(12), sealed, None)
        body += self.hook("mac", hmac256(kh, body))
        _, entries = self.hook("signatures", (body, [s.entry(body) for s in self.o["signers"]]))
        return body + self.hook("count", bytes([len(entries)])) + b"".join(entries)
