"""A store of two thousand seeded keys: they are real, lists are whole, one key costs next to nothing, all of them come back."""
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench

SEED = str(bench.BIN / "coffer-seed")
KEYS, DELETED_EVERY = 2000, 10
FAR = 10100
MIB = 1 << 20


def name(number):
    return f"key-{number:07}"


NAMES = [name(n) for n in range(KEYS)]
GONE = NAMES[DELETED_EVERY - 1::DELETED_EVERY]
LIVE = sorted(set(NAMES) - set(GONE))


def seed(folder, *options):
    return subprocess.run([SEED, "--dir", str(folder), *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=120, check=False)


class ManyKeys(bench.Case):
    @classmethod
    def prepare(cls):
        cls.server = cls.blobserver()
        cls.hsm = cls.bench()
        cls.while_it_runs = seed(cls.hsm.folder, "--keys", "1")
        cls.hsm.down()
        cls.seeded = seed(cls.hsm.folder, "--keys", str(KEYS), "--deleted", str(DELETED_EVERY), "--kinds", "ec,oct", "--tags", "2")
        cls.again = seed(cls.hsm.folder, "--keys", "1", "--first", str(KEYS // 2))
        cls.hsm.up()
        cls.backup = cls.hsm.backup(cls.server.storage())

    def listed(self, path):
        found = []
        for item in self.hsm.rest.pages(path):
            found.append((item.get("recoveryId") or item["kid"]).rsplit("/", 1)[1])
        return found

    def test_the_tool_refuses_a_running_appliance_and_names_that_are_taken(self):
        self.assertEqual(0, self.seeded.returncode, self.seeded.stderr)
        self.assertEqual(1, self.while_it_runs.returncode)
        self.assert_says(self.while_it_runs.stderr, "runs", "bench down")
        self.assertEqual(1, self.again.returncode)
        self.assert_says(self.again.stderr, name(KEYS // 2), "--first")

    def test_seeded_keys_work_and_carry_their_tags(self):
        self.assertTrue(self.hsm.verifies(self.hsm.sign(name(4))))
        self.assertEqual({"number": "4", "tag-01": "4"}, self.hsm.rest.get(f"/keys/{name(4)}")["tags"])
        sealed = self.hsm.rest.ask("POST", f"/keys/{name(5)}/encrypt", {"alg": "A256GCM", "value": bench.b64url(b"text")})
        body = {field: sealed[field] for field in ("alg", "value", "iv", "tag")}
        self.assertEqual(bench.b64url(b"text"), self.hsm.rest.ask("POST", f"/keys/{name(5)}/decrypt", body)["value"])

    def test_pages_are_whole_in_order_and_without_doubles(self):
        for size in (25, 7):
            self.assertEqual(LIVE, self.listed(f"/keys?maxresults={size}"))
            self.assertEqual(GONE, self.listed(f"/deletedkeys?maxresults={size}"))
        document = json.loads(self.hsm.cli("key", "list", "--json").stdout)
        self.assertEqual(LIVE, [item["kid"].rsplit("/", 1)[1] for item in document["value"]])
        table = self.hsm.cli("key", "list").stdout.splitlines()[1:]
        self.assertEqual(LIVE, [line.split()[0].rsplit("/", 1)[1] for line in table])

    def test_one_key_comes_back_for_less_than_a_mebibyte(self):
        for number in (0, KEYS // 2, KEYS - 2):
            self.hsm.delete(name(number), purge=True)
            before = self.server.stats()["bytes_out"]
            status = self.hsm.restore(self.server.storage(), self.backup, key=name(number))
            self.assertEqual("Succeeded", status["status"], status)
            self.assert_says(status["statusDetails"], "versions restored: 1,")
            self.assertLessEqual(self.server.stats()["bytes_out"] - before, MIB)
            self.assertTrue(self.hsm.verifies(self.hsm.sign(name(number))))
        self.assertEqual(LIVE, self.listed("/keys"))

    def test_all_keys_come_back(self):
        for number in range(0, 100, 20):
            self.hsm.delete(name(number), purge=True)
        self.hsm.create("zz-later")
        status = self.hsm.restore(self.server.storage(), self.backup)
        self.assertEqual("Succeeded", status["status"], status)
        self.assertEqual(LIVE, self.listed("/keys"))
        self.assertEqual(GONE, self.listed("/deletedkeys"))
        self.assertTrue(self.hsm.verifies(self.hsm.sign(name(0))))
        self.hsm.rest.ask("POST", f"/deletedkeys/{GONE[0]}/recover")
        self.hsm.delete(GONE[0])


class FarBetween(bench.Case):
    """One deleted key behind ten thousand live ones: the page that does not reach it is empty, and no client gives up there."""

    @classmethod
    def prepare(cls):
        cls.hsm = cls.bench()
        cls.hsm.down()
        cls.seeded = seed(cls.hsm.folder, "--keys", str(FAR), "--deleted", str(FAR), "--kinds", "oct", "--tags", "0")
        cls.hsm.up()

    def setUp(self):
        self.assertEqual(0, self.seeded.returncode, self.seeded.stderr)

    def test_an_empty_page_leads_on_to_the_next(self):
        first = self.hsm.rest.get("/deletedkeys")
        self.assertEqual([], first["value"])
        second = self.hsm.rest.get(first["nextLink"][len(self.hsm.url):])
        self.assertEqual(name(FAR - 1), second["value"][0]["recoveryId"].rsplit("/", 1)[1])
        self.assertFalse(second.get("nextLink"))

    def test_the_tool_finds_it(self):
        table = self.hsm.cli("key", "list-deleted").stdout.splitlines()[1:]
        self.assertEqual(1, len(table), table)
        self.assertIn(name(FAR - 1), table[0])

    def test_the_sdk_finds_it(self):
        try:
            from azure.keyvault.keys import KeyClient
        except ImportError as missing:
            self.skipTest(f"Debian's python3-azure is not installed: {missing}")
        import sdk
        sdk.use(self.hsm)
        found = list(KeyClient(self.hsm.url, sdk.TokenOf(self.hsm, "admin")).list_deleted_keys())
        self.assertEqual([name(FAR - 1)], [key.name for key in found])


if __name__ == "__main__":
    bench.main()
