"""The strict CBOR subset of backup/FORMAT.md 3.6."""
import os
import unittest

import place
from coffer_inspect import cbor
from coffer_inspect.errors import CORRUPT, Refused
from coffer_vectors import casefile


class Cbor(unittest.TestCase):
    def test_what_it_writes_it_reads_back(self):
        for value in (0, 23, 24, 255, 256, 65535, 65536, 2 ** 32, 2 ** 64 - 1, b"", b"x" * 300,
                      "", "prüf", [], [1, [2]], {}, {1: {2: b""}}, True, False,
                      {1: 1, 24: 2, 256: 3, 65536: 4}):
            with self.subTest(value=value):
                self.assertEqual(cbor.decode(cbor.encode(value)), value)

    def test_every_form_outside_the_subset_is_refused(self):
        for name, text in (
                ("nothing", ""), ("two items", "0000"), ("1 in two bytes", "1801"),
                ("255 in three", "1900ff"), ("65535 in five", "1a0000ffff"),
                ("2^32-1 in nine", "1b00000000ffffffff"), ("reserved length", "1c"),
                ("indefinite array", "9fff"), ("indefinite bytes", "5fff"), ("break", "ff"),
                ("negative", "20"), ("tag", "c000"), ("null", "f6"), ("undefined", "f7"),
                ("float", "f93c00"), ("double", "fb3ff0000000000000"), ("simple", "e0"),
                ("simple in two bytes", "f814"), ("map unsorted", "a202000100"),
                ("map doubled", "a201000100"), ("map with text key", "a1616100"),
                ("map with negative key", "a12000"), ("map cut", "a101"), ("bytes cut", "4201"),
                ("long length cut", "5affffffff"), ("array of 2^63", "9b8000000000000000"),
                ("bad UTF-8", "61ff"), ("surrogate", "63eda080"), ("long UTF-8", "62c080"),
                ("NUL in text", "6100"), ("seven deep", "81818181818180")):
            with self.subTest(name), self.assertRaises(Refused) as caught:
                cbor.decode(bytes.fromhex(text))
            self.assertEqual(caught.exception.cls, CORRUPT)

    def test_the_vectors_are_taken_and_refused(self):
        path = os.path.join(place.VECTORS, "backup-v1", "cbor.txt")
        for verb, text in casefile.load(path):
            data = bytes.fromhex(text.strip())
            with self.subTest(item=text):
                if verb == "ok":
                    self.assertEqual(cbor.encode(cbor.decode(data)), data)
                else:
                    self.assertRaises(Refused, cbor.decode, data)

    def test_six_deep_is_taken(self):
        self.assertEqual(cbor.decode(bytes.fromhex("818181818180")), [[[[[[]]]]]])

    def test_fields_tells_numbers_from_bools_and_counts_bytes(self):
        for value, must in (({1: True}, {1: int}), ({1: 1}, {1: bool}), ({1: b"abc"}, {1: 4}),
                            ({1: 1, 2: 2}, {1: int}), ({}, {1: int}), ([], {1: int})):
            with self.subTest(value=value), self.assertRaises(Refused):
                cbor.fields(value, "test", must)
        self.assertEqual(cbor.fields({1: 1}, "test", {1: int}, {2: str}), {1: 1})


if __name__ == "__main__":
    unittest.main()
