"""The independent reader agrees with the firmware: on a real backup, with every pair of officers, and on what is refused."""
import hashlib
import itertools
import json
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench

INSPECT = str(bench.ROOT / "tools" / "inspect" / "inspect")


class Inspect(bench.Case):
    @classmethod
    def prepare(cls):
        cls.raw = cls.folder / "data.img"
        cls.raw.write_bytes(bytes(range(256)) * 4096 + b"\xff" * (9 << 20) + b"tail" * 1024)
        cls.hsm = cls.bench("--partition", f"data={cls.raw}")
        cls.hsm.create("rsa", kty="RSA-HSM", key_size=2048, tags={"a": "1"})
        for _ in range(3):
            cls.hsm.create("ec")
        cls.hsm.create("aes", kty="oct-HSM", key_size=256)
        cls.hsm.create("gone")
        cls.hsm.delete("gone")
        cls.backup = cls.hsm.blobs / cls.hsm.backup(cls.hsm.dir_storage)
        cls.state = cls.hsm.state()
        cls.officers = [str(cls.hsm.folder / "officers" / f"officer{i}.key") for i in (1, 2, 3)]

    def inspect(self, verb, *words, officers=None, folder=None, code=0):
        done = subprocess.run([INSPECT, verb, *words, "--sd", str(self.hsm.folder / "security-domain.json"), "--officer",
                               *(officers or self.officers[:2]), str(folder or self.backup)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
        if code is not None:
            self.assertEqual(code, done.returncode, done.stdout + done.stderr)
        return done

    def test_every_pair_of_officers_verifies_it(self):
        for pair in itertools.combinations(self.officers, 2):
            with self.subTest(pair=[path[-12:] for path in pair]):
                self.inspect("verify", officers=list(pair))
        self.inspect("verify", officers=self.officers)

    def test_one_officer_is_not_enough(self):
        self.inspect("verify", officers=self.officers[:1], code=5)

    def test_it_lists_what_the_appliance_lists(self):
        listed = json.loads(self.inspect("list", "--json").stdout)
        keys = {key["name"]: key for key in listed["keys"]}
        self.assertEqual(set(self.state["keys"]) | set(self.state["deleted"]), set(keys))
        for name, key in self.state["keys"].items():
            self.assertEqual(set(key["versions"]), {version["version"] for version in keys[name]["versions"]})

    def test_it_extracts_the_partition(self):
        out = self.folder / "data.out"
        self.inspect("extract", "--stream", "data", "--out", str(out))
        self.assertEqual(hashlib.sha256(self.raw.read_bytes()).hexdigest(), hashlib.sha256(out.read_bytes()).hexdigest())

    def test_it_reads_a_backup_of_one_blob_a_block(self):
        server = self.blobserver("--worm", "--policy", "no-blocks")
        folder = server.fetch(self.hsm.backup(server.storage()), self.folder / "fetched")
        self.assertEqual(2, len(list((folder / "s2").iterdir())))
        self.inspect("verify", folder=folder)
        out = self.folder / "data.whole"
        self.inspect("extract", "--stream", "data", "--out", str(out), folder=folder)
        self.assertEqual(self.raw.read_bytes(), out.read_bytes())

    def refused_by_both(self, folder):
        self.assertNotEqual(0, self.inspect("verify", folder=folder, code=None).returncode)
        self.assertEqual("Failed", self.hsm.restore(self.hsm.dir_storage, folder.name)["status"])

    def test_both_refuse_a_bit_changed_in_any_blob(self):
        kept = self.folder / "kept"
        shutil.copytree(self.backup, kept)
        for blob in sorted(self.backup.rglob("*")):
            if not blob.is_file() or blob.name in ("manifest.copy", "probe"):
                continue
            data = blob.read_bytes()
            for at in (0, len(data) // 2, len(data) - 1):
                with self.subTest(blob=blob.name, at=at):
                    blob.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1:])
                    self.refused_by_both(self.backup)
            blob.write_bytes(data)
        self.inspect("verify")
        shutil.rmtree(kept)

    def test_both_refuse_a_renamed_and_an_unfinished_folder(self):
        copy = self.hsm.blobs / "mhsm-hsm1-20200101000000"
        shutil.copytree(self.backup, copy)
        self.refused_by_both(copy)
        (copy / "manifest").unlink()
        self.refused_by_both(copy)
        shutil.rmtree(copy)

    def test_both_refuse_a_backup_of_another_domain(self):
        other = self.bench(name="other")
        folder = other.blobs / other.backup(other.dir_storage)
        other.down()
        shutil.copytree(folder, self.hsm.blobs / folder.name)
        self.refused_by_both(self.hsm.blobs / folder.name)


if __name__ == "__main__":
    bench.main()
