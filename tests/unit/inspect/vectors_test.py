"""The stored vectors are those the generator makes, and the reader judges each as expected."""
import filecmp
import hashlib
import os
import tempfile
import unittest

import place
from coffer_vectors import backups, domains, heads, judge, keyblobs, receipts

FOLDERS = ("backup-v1", "domain-v1", "keyblob-v1", "receipt-v1", "audit-head-v1")


def files(root):
    return sorted(os.path.relpath(os.path.join(base, name), root)
                  for folder in FOLDERS
                  for base, _, names in os.walk(os.path.join(root, folder)) for name in names)


class Vectors(unittest.TestCase):
    def test_each_case_has_its_expected_class(self):
        wrong, count = judge.all_of(place.VECTORS)
        self.assertEqual(wrong, [])
        self.assertGreater(count, 360)

    def test_generator_makes_the_same_bytes_again(self):
        sd = os.path.join(place.VECTORS, "sd")
        with tempfile.TemporaryDirectory() as out:
            for part in (backups, domains, keyblobs, receipts, heads):
                part.make(out, sd)
            self.assertEqual(files(out), files(place.VECTORS))
            for name in files(out):
                self.assertTrue(filecmp.cmp(os.path.join(out, name),
                                            os.path.join(place.VECTORS, name), False), name)

    def test_frozen_files_are_what_they_were(self):
        with open(os.path.join(place.VECTORS, "frozen.sha256"), encoding="ascii") as lines:
            frozen = [line.split() for line in lines]
        self.assertGreater(len(frozen), 280)
        for digest, name in frozen:
            with open(os.path.join(place.VECTORS, name), "rb") as file:
                self.assertEqual(hashlib.sha256(file.read()).hexdigest(), digest, name)

    def test_golden_folders_hold_what_went_in(self):
        for case in ("layout0", "layout1"):
            path = judge.golden_folders(place.VECTORS)[case]
            _, content, raw = judge.verify(judge.Folder(path))
            self.assertEqual(raw, dict(backups.partitions()))
            self.assertEqual([k["name"] for k in content["keys"]],
                             ["Alpha", "bravo", "charlie", "delta-4"])


if __name__ == "__main__":
    unittest.main()
