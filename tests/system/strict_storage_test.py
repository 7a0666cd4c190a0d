"""Everything that goes to storage, against a second blob service that was written from the REST reference alone."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench
from strict_storage import StrictStorage


class Strict(bench.Case):
    @classmethod
    def prepare(cls):
        cls.storage = StrictStorage()
        cls.addClassCleanup(cls.storage.stop)
        cls.raw = cls.folder / "data.img"
        cls.raw.write_bytes(bytes(range(256)) * 32768 + bytes(1 << 20) + b"\x5a" * 4096)
        cls.hsm = cls.bench("--partition", f"data={cls.raw}", "--set", "storage.attempts=2")

    def cli(self, *words):
        return self.hsm.cli(*words, "--storage-resource-uri", self.storage.uri + "/a+b&c=d,e/(x)!$~'",
                            "--storage-container-SAS-token", bench.make_sas("strict"))

    def round_trip(self):
        before = self.hsm.state(raw=[self.raw])
        folders = []
        for _ in range(2):
            done = self.cli("backup", "start", "--connections", "16")
            folders.append(done.stdout.split()[0].rsplit("/", 1)[1])
        listed = self.cli("backup", "list").stdout
        self.assertEqual(2, listed.count(" whole "), listed)
        self.cli("backup", "verify", "--backup-folder", folders[1], "--connections", "16")
        self.hsm.create("later")
        self.cli("restore", "start", "--backup-folder", folders[0], "--connections", "16")
        self.assert_same(before, self.hsm.state(raw=[self.raw]))
        self.hsm.delete("ec", purge=True)
        self.cli("restore", "start", "--backup-folder", folders[1], "--key-name", "ec")
        self.assert_same(before, self.hsm.state(raw=[self.raw]))
        self.cli("backup", "prune", "--keep-last", "1", "--min-age", "0m")
        listed = self.cli("backup", "list").stdout
        self.assertEqual(1, listed.count(" whole "), listed)

    def test_every_request_is_to_the_letter(self):
        self.hsm.create("ec")
        self.round_trip()
        self.assertEqual([], self.storage.violations)
        self.assertLessEqual({("PUT", ""), ("PUT", "block"), ("PUT", "blocklist"), ("GET", ""), ("GET", "list"), ("HEAD", ""),
                              ("DELETE", "")}, self.storage.seen)


if __name__ == "__main__":
    bench.main()
