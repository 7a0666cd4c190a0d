"""Every byte counts, one key by the index, and what a golden folder must give."""
import os
import unittest

import place
from coffer_inspect import blocks, walk
from coffer_inspect.errors import Refused
from coffer_vectors import casefile, judge
from coffer_vectors.material import RING1, RING2, SECOND


class Reader(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folders = judge.golden_folders(place.VECTORS)

    def held(self, case, change=None):
        path = self.folders[case]
        blobs = judge.load_folder(path)
        if change:
            change(blobs)
        return judge.Held(os.path.basename(path), blobs)

    def test_a_flipped_bit_anywhere_is_refused(self):
        good = judge.load_folder(self.folders["generations"])
        for name, data in good.items():
            if name == "manifest.copy":
                continue
            step = 41 if name == "manifest" else 389
            for at in list(range(0, len(data), step)) + [len(data) - 1]:
                def flip(blobs, name=name, at=at):
                    raw = bytearray(blobs[name])
                    raw[at] ^= 1 << at % 8
                    blobs[name] = bytes(raw)
                with self.subTest(blob=name, at=at), self.assertRaises(Refused):
                    judge.verify(self.held("generations", flip))

    def test_single_blocks_open_to_their_plain_bytes(self):
        base = os.path.join(place.VECTORS, "backup-v1", "blocks")
        for name in sorted(os.listdir(base)):
            v = {k: t.strip() for k, t in casefile.load(os.path.join(base, name))}
            wire = bytes.fromhex(v["wire"])
            slot = blocks.Slot(int(v["stream"]), int(v["block"]), bytes.fromhex(v["salt"]),
                               int(v["place"]), int(v["plain_bytes"]), len(wire), bytes(32),
                               int(v["log2"]), v["last"] == "1", v["raw"] == "1")
            opened = b"".join(p for _, p in blocks.open_block(
                bytes.fromhex(v["dk"]), bytes.fromhex(v["backup_id"]), slot, wire))
            want = bytes.fromhex(v["plain"]) or bytes(int(v["plain_bytes"]))
            self.assertEqual(opened, want, name)

    def test_a_manifest_cut_anywhere_is_refused(self):
        good = judge.load_folder(self.folders["empty"])["manifest"]
        for length in range(0, len(good), 7):
            with self.subTest(length=length), self.assertRaises(Refused):
                judge.verify(self.held("empty", lambda b, n=length: b.update(manifest=good[:n])))

    def test_one_key_is_found_where_it_is_and_proven_absent_elsewhere(self):
        for case, names in (("hundred", ["k000", "k031", "k059", "many", "zz"]),
                            ("layout1", ["alpha", "bravo", "charlie", "delta-4"]), ("empty", [])):
            backup = walk.Backup(self.held(case), RING2, [])
            for name in names:
                self.assertEqual(walk.find(backup, name)[1], name)
            for name in ("0", "a", "bravo-", "k0000", "manx", "zzz"):
                self.assertIsNone(walk.find(backup, name), name)

    def test_one_key_costs_few_bytes(self):
        folder = self.held("layout1")
        backup = walk.Backup(folder, RING2)
        folder.used.clear()
        walk.find(backup, "charlie")
        self.assertEqual(len(folder.used), 1)

    def test_a_key_of_100_versions_comes_in_order(self):
        _, content, _ = judge.verify(self.held("hundred"))
        many = next(k for k in content["keys"] if k["name"] == "many")
        created = [v["created"] for v in many["versions"]]
        self.assertEqual(len(created), 100)
        self.assertEqual(created, sorted(created))

    def test_a_later_generation_is_named(self):
        with self.assertRaises(Refused) as caught:
            walk.Backup(self.held("generations"), RING1, [SECOND.spki])
        self.assertEqual((caught.exception.cls, caught.exception.text),
                         ("denied", "needs generation 2 of the domain"))

    def test_a_required_second_signer_must_be_known(self):
        with self.assertRaises(Refused) as caught:
            walk.Backup(self.held("generations"), RING2, [])
        self.assertEqual(caught.exception.cls, "auth")

    def test_a_copy_that_differs_is_told_and_other_blobs_are_listed(self):
        def change(blobs):
            blobs["manifest.copy"] = b"x"
            blobs["notes.txt"] = b"x"
        backup, _, _ = judge.verify(self.held("layout0", change))
        self.assertEqual(walk.copy_state(backup), "differs")
        self.assertEqual(backup.folder.unlisted(), ["notes.txt"])


if __name__ == "__main__":
    unittest.main()
