"""Shares, words, sheets; against the vectors that az agreed with."""
import itertools
import json
import os
import unittest

import place
from coffer_inspect import sharing
from coffer_inspect.errors import Refused
from coffer_inspect.jwe import open_dir, open_rsa
from coffer_inspect.kdf import kdf512
from coffer_vectors.domain_negative import open_restore_blob
from coffer_vectors.fixed import fixed, load_jwk
from coffer_vectors.material import RING2

SD = os.path.join(place.VECTORS, "sd")


def load(name):
    with open(os.path.join(SD, name), encoding="utf-8") as f:
        return json.load(f)


class Sharing(unittest.TestCase):
    def test_any_five_of_ten_give_the_secret_that_az_gives(self):
        vectors = load("shamir-5of10.json")
        shares = [(s["words"][0] >> 9, [w & 511 for w in s["words"]]) for s in vectors["shares"]]
        for some in itertools.combinations(shares, 5):
            self.assertEqual(sharing.combine(list(some)).hex(), vectors["secret_hex"])

    def test_documents_of_az_open_with_the_officers_keys(self):
        vectors = load("vectors.json")
        for name in ("sd_2of3", "sd_3of3"):
            want, document = vectors[name], load(vectors[name]["file"])
            shares = []
            for i, entry in enumerate(document["SharedKeys"]["enc_shares"]):
                plain = open_rsa(entry["enc_key"], load_jwk(f"{SD}/cert_{i}.jwk"), "share")
                self.assertEqual(plain.hex(), want["shares"][i]["words_hex_le"])
                shares.append(sharing.words_of(plain))
            master = sharing.combine(shares[:want["required"]])
            self.assertEqual(master.hex(), want["master_key_hex"])
            for item in document["EncData"]["data"]:
                tag = item["tag"]
                plain = open_dir(item["compact_jwe"], kdf512(master, tag), tag, tag)
                self.assertEqual(plain.hex(), want["plaintexts"][tag])

    def test_what_az_made_of_our_document_holds_the_keyring(self):
        with open(os.path.join(SD, "restore-blob-domain-v1.json"), encoding="utf-8") as f:
            keyring = open_restore_blob(f.read())
        self.assertEqual(keyring.generations, RING2.generations)

    def test_a_share_opens_with_no_other_key(self):
        entry = load("sd-2of3.json")["SharedKeys"]["enc_shares"][0]
        with self.assertRaises(Refused) as caught:
            open_rsa(entry["enc_key"], load_jwk(f"{SD}/cert_1.jwk"), "share")
        self.assertEqual(caught.exception.cls, "auth")


class Words(unittest.TestCase):
    def test_there_are_1024_words_and_each_means_its_number(self):
        words = [sharing.word(i) for i in range(1024)]
        self.assertEqual(len(set(words)), 1024)
        self.assertEqual([sharing.number_of(w.upper()) for w in words], list(range(1024)))
        self.assertIsNone(sharing.number_of("hello"))

    def test_second_syllables_differ_in_two_letters(self):
        for a, b in itertools.combinations(sharing.ENDS, 2):
            self.assertGreaterEqual(sum(x != y for x, y in zip(a, b)), 2, (a, b))

    def test_field_has_1023_powers_of_two(self):
        self.assertEqual(len(sharing.LOG), 1023)
        for a in (1, 2, 77, 1023):
            self.assertEqual(sharing.mul(a, sharing.inv(a)), 1)


class Sheet(unittest.TestCase):
    def setUp(self):
        values = [b % 257 for b in fixed("sheet", 31)] + [256]
        self.share, self.sharing_id = sharing.share_of(101, values), fixed("sheet id", 16)
        self.words = sharing.sheet_of(self.share, self.sharing_id, 5, 10)

    def read(self, words):
        return sharing.read_sheet(" ".join(words), self.sharing_id, 5, 10)

    def test_a_clean_sheet_reads(self):
        self.assertEqual(self.read(self.words), (self.share, []))

    def test_one_or_two_wrong_words_are_placed(self):
        for i in range(0, 42, 5):
            for j in range(i, 42, 9):
                words = list(self.words)
                for place_ in {i, j}:
                    words[place_] = sharing.word((sharing.number_of(words[place_]) ^ 513))
                self.assertEqual(self.read(words), (self.share, sorted({i + 1, j + 1})))

    def test_swapped_neighbours_are_placed(self):
        for i in range(41):
            words = list(self.words)
            if words[i] != words[i + 1]:
                words[i], words[i + 1] = words[i + 1], words[i]
                self.assertEqual(self.read(words), (self.share, [i + 1, i + 2]))

    def test_six_illegible_words_fill_in_and_seven_do_not(self):
        words = ["?"] * 6 + self.words[6:]
        self.assertEqual(self.read(words), (self.share, [1, 2, 3, 4, 5, 6]))
        with self.assertRaises(Refused):
            self.read(["?"] * 7 + self.words[7:])

    def test_three_and_four_wrong_words_are_always_noticed(self):
        for start in range(0, 38, 3):
            for count in (3, 4):
                words = list(self.words)
                for i in range(start, start + count):
                    words[i] = sharing.word((sharing.number_of(words[i]) + 300 + i) % 1024)
                with self.assertRaises(Refused):
                    self.read(words)


if __name__ == "__main__":
    unittest.main()
