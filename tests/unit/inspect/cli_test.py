"""The command: forms of the command line, exit codes, JSON, files it writes and does not write."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import place

DOMAIN = os.path.join(place.VECTORS, "domain-v1")
SD = os.path.join(DOMAIN, "2of3.json")
KEYS = [os.path.join(DOMAIN, "officers", f"officer{i}.key") for i in (1, 2, 3)]
NAME = "mhsm-vec-20260101000000"
BACKUP = os.path.join(place.VECTORS, "backup-v1", "layout0", NAME)
SECOND = os.path.join(place.VECTORS, "backup-v1", "generations", "mhsm-vec-20260101000004")


def run(*args):
    """(exit code, standard output, standard error)."""
    done = subprocess.run([sys.executable, os.path.join(place.TOOL, "inspect"), *args],
                          capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


class Command(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.scratch)

    def copy(self):
        path = os.path.join(self.scratch, NAME)
        shutil.copytree(BACKUP, path)
        return path

    def test_verify_takes_the_folder_behind_the_keys_or_apart(self):
        for args in (["--officer", KEYS[0], KEYS[2], BACKUP],
                     ["--officer", KEYS[1], "--officer", KEYS[0], BACKUP],
                     [BACKUP, "--officer", KEYS[0], KEYS[1]]):
            code, out, err = run("verify", "--sd", SD, *args)
            self.assertEqual((code, err), (0, ""), args)
            self.assertIn("verified  " + NAME, out)

    def test_verify_prints_json(self):
        code, out, _ = run("verify", "--json", "--sd", SD, "--officer", *KEYS[:2], BACKUP)
        value = json.loads(out)
        self.assertEqual(code, 0)
        self.assertEqual(value["counts"], {"keys": 4, "versions": 5, "deleted": 1,
                                           "assignments": 2, "roles": 1, "settings": 1})
        self.assertEqual((value["verified"], value["manifest_copy"], value["unlisted"]),
                         (True, "same", []))

    def test_paper_sheets_count_as_officers(self):
        sheets = [os.path.join(DOMAIN, "sheets", f"5of10-{x}.txt") for x in (4, 6, 8, 9, 10)]
        code, out, err = run("verify", "--sd", os.path.join(DOMAIN, "5of10.json"), "--officer",
                             *sheets, BACKUP)
        self.assertEqual((code, err), (0, ""))
        self.assertIn("officer 10", out)

    def test_a_key_without_certificate_is_tried_on_each_share(self):
        alone = os.path.join(self.scratch, "somebody.key")
        shutil.copy(KEYS[2], alone)
        self.assertEqual(run("verify", "--sd", SD, "--officer", alone, KEYS[0], BACKUP)[0], 0)

    def test_exit_codes_tell_the_class_and_messages_the_place(self):
        cut = self.copy()
        with open(os.path.join(cut, "s2.0"), "r+b") as f:
            f.truncate(100)
        flipped = os.path.join(self.scratch, "flipped", NAME)
        shutil.copytree(BACKUP, flipped)
        with open(os.path.join(flipped, "s0.0"), "r+b") as f:
            f.seek(5000)
            f.write(b"\0\0\0\0")
        renamed = os.path.join(self.scratch, "mhsm-vec-20990101000000")
        shutil.copytree(BACKUP, renamed)
        two = ["--sd", SD, "--officer", *KEYS[:2]]
        for expect, text, args in (
                (1, "usage", ["verify", "--sd", SD]), (1, "usage", ["frobnicate"]),
                (2, "s2.0", ["verify", *two, cut]),
                (3, "stream 0 block 0", ["verify", *two, flipped]),
                (3, "renamed", ["verify", *two, renamed]),
                (5, "1 of 2 officers", ["verify", "--sd", SD, "--officer", KEYS[0], BACKUP]),
                (5, "needs generation 2",
                 ["verify", "--sd", os.path.join(DOMAIN, "2of3-g1.json"), "--officer", *KEYS[:2],
                  SECOND]),
                (6, "manifest", ["verify", *two, self.scratch]),
                (6, "no such folder", ["verify", *two, os.path.join(self.scratch, "none")]),
                (6, "security-domain", ["verify", "--sd", "none", "--officer", KEYS[0], BACKUP])):
            code, out, err = run(*args)
            with self.subTest(args=args[:2], expect=expect):
                self.assertEqual(code, expect, err)
                self.assertIn(text, err)
                self.assertNotIn("Traceback", err)
                self.assertNotIn("verified", out)

    def test_list_without_keys_shows_a_claim_and_says_so(self):
        code, out, _ = run("list", BACKUP)
        self.assertEqual(code, 0)
        self.assertIn("unproven", out)
        self.assertIn(NAME, out)

    def test_list_shows_keys_versions_and_roles(self):
        code, out, _ = run("list", "--sd", SD, "--officer", *KEYS[:2], BACKUP)
        self.assertEqual(code, 0)
        for text in ("Alpha", "RSA-HSM 2048", "deleted 2025-12-31", "backup-user", "Signer",
                     "partition data: 54152 bytes"):
            self.assertIn(text, out)

    def test_list_finds_one_key_or_proves_it_absent(self):
        two = ["--sd", SD, "--officer", *KEYS[:2], BACKUP]
        code, out, _ = run("list", "--key", "ALPHA", *two)
        self.assertEqual((code, "charlie" in out, "Alpha" in out), (0, False, True))
        code, _, err = run("list", "--key", "nobody", *two)
        self.assertEqual(code, 6)
        self.assertIn("proven", err)

    def test_extract_writes_the_partition_and_overwrites_nothing(self):
        out = os.path.join(self.scratch, "data.img")
        args = ["extract", "--stream", "data", "--out", out, "--sd", SD, "--officer", *KEYS[:2],
                BACKUP]
        self.assertEqual(run(*args)[0], 0)
        with open(out, "rb") as a, open(os.path.join(place.VECTORS, "backup-v1", "partitions",
                                                     "data.img"), "rb") as b:
            self.assertEqual(a.read(), b.read())
        self.assertEqual(run(*args)[0], 1)

    def test_extract_leaves_no_file_of_a_bad_stream(self):
        bad = self.copy()
        with open(os.path.join(bad, "s2.1"), "r+b") as f:
            f.seek(-3, os.SEEK_END)
            f.write(b"\0\0\0")
        out = os.path.join(self.scratch, "data.img")
        self.assertEqual(run("extract", "--stream", "data", "--out", out, "--sd", SD, "--officer",
                             *KEYS[:2], bad)[0], 3)
        self.assertEqual([n for n in os.listdir(self.scratch) if n.startswith("data")], [])
        self.assertEqual(run("extract", "--stream", "keys", "--out", out, "--sd", SD, "--officer",
                             *KEYS[:2], BACKUP)[0], 6)

    def test_help_teaches(self):
        code, out, _ = run("--help")
        self.assertEqual(code, 0)
        for text in ("examples", "exit codes", "--officer", "paper"):
            self.assertIn(text, out)


if __name__ == "__main__":
    unittest.main()
