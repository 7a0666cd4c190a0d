"""Receipts: the signature, what a receipt may say, and the tree over both layouts of the golden folders."""
import os
import pathlib
import shutil
import sys
import tempfile
import unittest

import place

sys.path.insert(0, place.TOOL)
from coffer_inspect import blocks, cbor, receipt  # noqa: E402
from coffer_inspect.errors import Refused  # noqa: E402
from coffer_inspect.folder import Folder  # noqa: E402
from coffer_inspect.kdf import sha256  # noqa: E402
from coffer_inspect.manifest import Manifest  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature  # noqa: E402
from coffer_inspect.signature import ORDER  # noqa: E402

FOLDERS = {"layout0": "mhsm-vec-20260101000000", "layout1": "mhsm-vec-20260101000001"}


def spki(key):
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def sign(key, body, label=receipt.LABEL):
    """The file, as FORMAT.md 12 says."""
    raw = cbor.encode(body)
    data = b"CFRRCP01" + len(raw).to_bytes(4, "little") + raw
    head = b"\1\0\x40\0" + sha256(spki(key))
    r, s = decode_dss_signature(key.sign(label + data + head, ec.ECDSA(hashes.SHA256())))
    return data + head + r.to_bytes(32, "big") + min(s, ORDER - s).to_bytes(32, "big")


def streams_of(folder):
    """[number, blocks, wire, read, root] of every stream of a golden folder, cut by the headers."""
    found, path = {}, folder.path
    for base, _, files in os.walk(path):
        for name in files:
            blob = os.path.relpath(os.path.join(base, name), path)
            if name not in ("manifest", "manifest.copy") and not name.startswith("probe"):
                data = pathlib.Path(base, name).read_bytes()
                at = 0
                for size, digest in receipt._cut(folder, blob):
                    number = int.from_bytes(data[at + 24:at + 28], "little")
                    block = int.from_bytes(data[at + 32:at + 40], "little")
                    found.setdefault(number, {})[block] = (size, digest)
                    at += size
    out = []
    for number in sorted(found):
        ordered = [found[number][i] for i in range(len(found[number]))]
        out.append([number, len(ordered), sum(w for w, _ in ordered), len(ordered),
                    receipt.root_of([d for _, d in ordered])])
    return out


class Base(unittest.TestCase):
    def setUp(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.scratch = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.scratch)

    def folder(self, layout="layout0"):
        path = os.path.join(self.scratch, FOLDERS[layout])
        shutil.copytree(os.path.join(place.VECTORS, "backup-v1", layout, FOLDERS[layout]), path)
        return Folder(path)

    def body(self, folder, **change):
        data = pathlib.Path(folder.path, "manifest").read_bytes()
        m = Manifest(data)
        meta = [n for n in os.listdir(folder.path) if n.startswith("meta-")][0]
        body = {1: 1, 2: [1, 2], 3: "0" * 32, 4: bytes(16), 5: [folder.name, "vec", 1, 2, 3, bytes(16)],
                6: [bytes(16), bytes(16), 1, bytes(32)],
                7: [len(data), sha256(data), data[m.mac_at:m.mac_at + 32], meta],
                8: streams_of(folder), 9: [4, 5, 1, 2], 10: [4, 5], 11: 1000, 12: 100,
                13: [["keys", 1, ""]], 14: [spki(self.key), 1, bytes(32)]}
        body.update({int(k[1:]): v for k, v in change.items()})
        return body

    def refused(self, cls, call, *args):
        with self.assertRaises(Refused) as caught:
            call(*args)
        self.assertEqual(cls, caught.exception.cls, str(caught.exception))


class Tree(Base):
    def test_it_is_the_tree_of_the_rfc(self):
        leaf = [sha256(bytes([i])) for i in range(7)]
        h = [sha256(b"\0" + d) for d in leaf]

        def node(left, right):
            return sha256(b"\1" + left + right)
        self.assertEqual(receipt.root_of([]), sha256(b""))
        self.assertEqual(receipt.root_of(leaf[:1]), h[0])
        self.assertEqual(receipt.root_of(leaf[:3]), node(node(h[0], h[1]), h[2]))
        self.assertEqual(receipt.root_of(leaf), node(node(node(h[0], h[1]), node(h[2], h[3])),
                                                     node(node(h[4], h[5]), h[6])))

    def test_both_layouts_are_compared_and_each_flipped_blob_is_found(self):
        for layout in FOLDERS:
            folder = self.folder(layout)
            r = receipt.Receipt(sign(self.key, self.body(folder)))
            _, compared = r.check_folder(folder)
            self.assertEqual(compared, sum(s[1] for s in r.body[8]))
            for base, _, files in os.walk(folder.path):
                for name in files:
                    if name in ("manifest.copy", "probe"):
                        continue
                    path = pathlib.Path(base, name)
                    good = path.read_bytes()
                    for at in (0, 70, len(good) // 2, len(good) - 1):
                        bad = bytearray(good)
                        bad[at] ^= 1
                        path.write_bytes(bad)
                        with self.assertRaises(Refused, msg=f"{name} byte {at}"):
                            r.check_folder(Folder(folder.path))
                    for bad in (good[:-1], good + b"\0", good + good):
                        path.write_bytes(bad)
                        with self.assertRaises(Refused, msg=name):
                            r.check_folder(Folder(folder.path))
                    path.unlink()
                    with self.assertRaises(Refused, msg=name):
                        r.check_folder(Folder(folder.path))
                    path.write_bytes(good)
            r.check_folder(Folder(folder.path))

    def test_the_blob_of_a_failed_try_beside_a_block_does_not_matter(self):
        folder = self.folder("layout1")
        r = receipt.Receipt(sign(self.key, self.body(folder)))
        apart = pathlib.Path(folder.path, "s0")
        name = sorted(os.listdir(apart))[0]
        data = bytearray((apart / name).read_bytes())
        data[70] ^= 1
        (apart / f"{name.split('-')[0]}-{data[64:80].hex()}").write_bytes(data)
        r.check_folder(Folder(folder.path))

    def test_another_folder_is_not_it(self):
        r = receipt.Receipt(sign(self.key, self.body(self.folder("layout0"))))
        self.refused("auth", r.check_folder, self.folder("layout1"))


class Signature(Base):
    def test_every_flipped_byte_of_a_receipt_is_refused(self):
        good = sign(self.key, self.body(self.folder()))
        receipt.Receipt(good)
        for at in range(len(good)):
            bad = bytearray(good)
            bad[at] ^= 1 << at % 8
            with self.assertRaises(Refused, msg=f"byte {at}"):
                receipt.Receipt(bytes(bad))
        for bad in (good[:-1], good + b"\0", b"", good[:11]):
            with self.assertRaises(Refused):
                receipt.Receipt(bad)

    def test_a_foreign_signer_is_not_the_one_asked_for(self):
        folder = self.folder()
        r = receipt.Receipt(sign(self.key, self.body(folder)))
        self.assertEqual("the signer asked for", r.judge([sha256(spki(self.key))]))
        self.refused("auth", r.judge, [sha256(b"another")])
        manifest, _ = r.check_folder(folder)
        self.assertIn("not known", r.judge([], manifest))

    def test_a_key_that_is_not_the_one_inside_does_not_sign(self):
        body = self.body(self.folder())
        other = ec.generate_private_key(ec.SECP256R1())
        self.refused("auth", receipt.Receipt, sign(other, body))

    def test_a_signature_over_something_else_is_none(self):
        body = self.body(self.folder())
        self.refused("auth", receipt.Receipt, sign(self.key, body, label=b"coffer.v1.document\0"))
        self.refused("auth", receipt.Receipt, sign(self.key, body, label=b""))


class Scope(Base):
    def test_a_sample_is_not_taken_for_a_whole(self):
        folder = self.folder()
        streams = streams_of(folder)
        streams[0] = streams[0][:3] + [streams[0][1] - 1, b""]
        sample = self.body(folder, k1=2, k8=streams, k12=10)
        r = receipt.Receipt(sign(self.key, sample))
        self.assertEqual(r.check_folder(folder)[1], sum(s[1] for s in streams[1:]))
        self.refused("auth", receipt.Receipt, sign(self.key, sample | {1: 1}))
        self.refused("auth", receipt.Receipt, sign(self.key, sample | {1: 1, 12: 100}))
        self.refused("auth", receipt.Receipt, sign(self.key, sample | {12: 100}))

    def test_a_whole_lists_every_block_and_every_key(self):
        folder = self.folder()
        for change in ({10: [4, 4]}, {10: [3, 5]}, {12: 99}):
            self.refused("auth", receipt.Receipt, sign(self.key, self.body(folder) | change))
        streams = streams_of(folder)
        self.assertEqual(streams[-1][0], blocks.META)
        for some in (streams[:-1], streams[1:], streams[:1] + streams[2:], streams[-1:], streams[::-1], []):
            self.refused("corrupt", receipt.Receipt, sign(self.key, self.body(folder, k8=some)))
        streams[0][4] = b""
        self.refused("corrupt", receipt.Receipt, sign(self.key, self.body(folder, k8=streams)))

    def test_unknown_keys_and_values_are_refused(self):
        body = self.body(self.folder())
        for change in ({15: 0}, {1: 4}, {3: "x" * 32}, {13: [["keys", 4, ""]]}, {4: bytes(15)},
                       {13: [["\x1b[2J", 1, ""]]}, {13: [["keys", 1, "a\nb"]]}, {13: [["", 1, ""]]},
                       {5: ["f\n", "vec", 1, 2, 3, bytes(16)]}, {13: [["k", 1, ""]] * 513}):
            self.refused("corrupt", receipt.Receipt, sign(self.key, body | change))


if __name__ == "__main__":
    unittest.main()
