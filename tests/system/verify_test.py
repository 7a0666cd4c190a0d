"""Backups proven in the appliance: verify, samples, receipts, and the reader that checks them without a key."""
import json
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench

INSPECT = str(bench.ROOT / "tools" / "inspect" / "inspect")


class Verify(bench.Case):
    @classmethod
    def prepare(cls):
        raw = cls.folder / "data.img"
        with open(raw, "wb") as image:  # eleven blocks, nearly empty
            image.truncate(88 << 20)
            for at in range(0, 88 << 20, 8 << 20):
                image.seek(at)
                image.write(b"block")
        cls.hsm = cls.bench("--partition", f"data={raw}")
        for name, spec in (("ec", {}), ("rsa", {"kty": "RSA-HSM", "key_size": 2048}),
                           ("aes", {"kty": "oct-HSM", "key_size": 256})):
            cls.hsm.create(name, **spec)
        cls.name = cls.hsm.backup(cls.hsm.dir_storage)
        cls.backup = cls.hsm.blobs / cls.name
        cls.where = ["--storage-resource-uri", f"dir:{cls.hsm.blobs}"]

    def verify(self, *words, folder=None, code=0):
        return self.hsm.cli("backup", "verify", *self.where, "--backup-folder", folder or self.name, *words, code=code)

    def receipt(self, *words, folder=None):
        path = self.folder / f"{self._testMethodName}.receipt"
        self.verify("--receipt", str(path), *words, folder=folder)
        return path

    def inspect(self, receipt, *words, code=0):
        done = subprocess.run([INSPECT, "receipt", str(receipt), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=60, check=False)
        self.assertEqual(code, done.returncode, done.stdout + done.stderr)
        return done

    def copy(self):
        """A copy of the backup elsewhere, under its own name."""
        place = self.folder / self._testMethodName
        shutil.copytree(self.backup, place / self.name)
        return place / self.name

    def test_a_verify_reads_it_all_while_the_appliance_serves(self):
        before = self.hsm.state()
        job = self.verify("--no-wait").stdout.strip()
        self.hsm.rest.get("/keys/ec")
        status = json.loads(self.hsm.cli("job", "wait", job, "--json").stdout)
        self.assertEqual("Succeeded", status["status"], status)
        self.assert_says(status["statusDetails"], "of 14 blocks", "3 of 3 keys", "opened in the token")
        self.assert_same(before, self.hsm.state())

    def test_a_receipt_needs_no_key_to_be_checked(self):
        receipt = self.receipt()
        told = json.loads(self.inspect(receipt, "--folder", str(self.backup), "--json").stdout)
        self.assertEqual(("whole", 14, 14), (told["scope"], told["blocks"], told["blocks_compared"]))
        self.assertEqual({"keys": 3, "versions": 3}, told["opened"])
        self.assertEqual("the backup's own signer", told["signer_is"])
        self.inspect(receipt, "--signer", told["signer"])
        self.inspect(receipt, "--signer", "0" * 64, code=3)
        job = told["job"]
        again = self.folder / "again.receipt"
        told = json.loads(self.hsm.cli("job", "receipt", job, "--receipt", str(again), "--json").stdout)
        self.assertEqual({"jobId": job, "file": str(again)}, told)
        self.assertEqual(receipt.read_bytes(), again.read_bytes())
        newest = self.hsm.rest.get("/coffer/verified")["newest"]
        self.assertTrue(newest["whole"] and newest["createdTime"] >= 0 and newest["folder"].startswith("mhsm-hsm1-"), newest)

    def test_the_signed_head_of_the_audit_log_tells_whether_a_record_was_changed(self):
        answer, image = self.folder / "head.json", self.folder / "copy.img"
        answer.write_text(json.dumps(self.hsm.rest.get("/coffer/audit/head")))
        self.verify()  # leaves records behind the head
        shutil.copy(self.hsm.blobs.parent / "audit.img", image)

        def check(*words, code=0):
            done = subprocess.run([INSPECT, "audit-head", str(answer), *words], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, timeout=60, check=False)
            self.assertEqual(code, done.returncode, done.stdout + done.stderr)
            return done.stdout
        told = json.loads(check("--partition", str(image), "--json"))
        self.assertEqual(1, told["first_kept"])
        self.assertGreater(told["record"], 3)
        self.assertGreater(told["newest"], told["record"])
        check("--signer", told["signer"])
        check("--signer", "0" * 64, code=3)
        data = bytearray(image.read_bytes())
        data[data.index(b"/keys/ec") + 6] ^= 1  # the first key becomes another
        image.write_bytes(data)
        check("--partition", str(image), code=3)

    def test_a_copy_that_changed_since_is_found_by_the_receipt(self):
        receipt, copy = self.receipt(), self.copy()
        self.inspect(receipt, "--folder", str(copy))
        for blob in sorted(path for path in copy.iterdir() if path.name not in ("probe", "manifest.copy")):
            good = blob.read_bytes()
            blob.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
            with self.subTest(blob=blob.name):
                self.inspect(receipt, "--folder", str(copy), code=3)
            blob.write_bytes(good)
        other = self.hsm.blobs / self.hsm.backup(self.hsm.dir_storage)
        self.inspect(receipt, "--folder", str(other), code=3)

    def test_a_receipt_that_was_changed_is_refused(self):
        receipt = self.receipt()
        good = receipt.read_bytes()
        for at in (3, 40, len(good) - 70, len(good) - 1):
            bad = bytearray(good)
            bad[at] ^= 4
            receipt.write_bytes(bad)
            done = subprocess.run([INSPECT, "receipt", str(receipt)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  timeout=60, check=False)
            self.assertIn(done.returncode, (2, 3, 4), at)

    def test_a_damaged_backup_leaves_no_receipt(self):
        copy = self.hsm.blobs / "elsewhere" / self.name
        shutil.copytree(self.backup, copy)
        blob = copy / "s2.0"
        data = bytearray(blob.read_bytes())
        data[1000] ^= 1
        blob.write_bytes(data)
        path = self.folder / "none.receipt"
        done = self.verify("--receipt", str(path), folder=f"elsewhere/{self.name}", code=7)
        self.assert_says(done.stderr, "BackupNotAuthentic", "does not verify")
        self.assertFalse(path.exists())
        job = next(job for job in self.hsm.rest.get("/coffer/jobs")["value"]
                   if (job["status"], job["coffer"]["kind"]) == ("Failed", "verification"))
        self.hsm.cli("job", "receipt", job["jobId"], "--receipt", str(path), code=4)

    def test_a_sample_says_that_it_is_one(self):
        receipt = self.receipt("--sample", "10%")
        told = json.loads(self.inspect(receipt, "--folder", str(self.backup), "--json").stdout)
        self.assertEqual(("sample", 10, 14), (told["scope"], told["percent"], told["blocks"]))
        self.assertEqual(2 + 1 + 3, told["blocks_read"])  # both ends and one between; keys, policy, meta
        self.assertLess(told["blocks_compared"], 14)
        self.assert_says(self.inspect(receipt, "--folder", str(self.backup)).stdout, "says nothing of the others")
        self.assert_says(self.verify("--sample", "10%").stdout, "A sample of 10 %", "chance of 43 %")
        for wrong in ("0", "101%", "x", "-1", "1.5%"):
            self.verify("--sample", wrong, code=2)
        for body in ({"sample": 0}, {"sample": 101}, {"sample": "10"}, {"folder": "x"}):
            answer = self.hsm.rest.call("POST", "/coffer/verify", {"sasTokenParameters": self.hsm.dir_storage,
                                                                   "folderToRestore": self.name, **body})
            self.assertEqual(400, answer.status, body)

    def test_a_blob_a_block_is_listed_verified_and_compared_as_well(self):
        server = self.blobserver("--worm", "--policy", "no-blocks")
        name = self.hsm.backup(server.storage())
        status = self.hsm.wait(self.hsm.start("POST", "/coffer/verify",
                                              {"sasTokenParameters": server.storage(), "folderToRestore": name}))
        self.assertEqual("Succeeded", status["status"], status)
        listed = self.hsm.rest.call("POST", "/coffer/backups", server.storage()).json["value"]
        self.assertEqual([(name, "whole", status["endTime"])],
                         [(row["folder"], row["state"], row["verifiedTime"]) for row in listed])
        path = self.folder / "apart.receipt"
        self.hsm.cli("job", "receipt", status["jobId"], "--receipt", str(path))
        folder = server.fetch(name, self.folder / "fetched")
        self.assertTrue((folder / "s2").is_dir())
        told = json.loads(self.inspect(path, "--folder", str(folder), "--json").stdout)
        self.assertEqual(told["blocks"], told["blocks_compared"])
        (folder / "s2" / sorted(blob.name for blob in (folder / "s2").iterdir())[3]).unlink()
        self.inspect(path, "--folder", str(folder), code=3)

    def test_the_restore_of_one_key_leaves_a_partial_receipt(self):
        words = ("restore", "start", *self.where, "--backup-folder", self.name, "--key-name", "ec", "--no-wait")
        job = self.hsm.cli(*words).stdout.strip()
        self.hsm.cli("job", "wait", job, code=8)  # the live key stays
        path = self.folder / "partial.receipt"
        self.hsm.cli("job", "receipt", job, "--receipt", str(path))
        told = json.loads(self.inspect(path, "--folder", str(self.backup), "--json").stdout)
        self.assertEqual(("partial", 0, {"keys": 1, "versions": 1}), (told["scope"], told["blocks_compared"], told["opened"]))

    def test_what_a_backup_covers_is_told_wherever_it_is_looked_at(self):
        started = self.hsm.start("POST", "/backup", {**self.hsm.dir_storage, "coffer": {"requireComplete": True}})
        made = self.hsm.wait(started)
        lines = {line["what"]: line for line in made["coffer"]["coverage"]}
        self.assertEqual({"inside"}, {lines[what]["state"] for what in ("keys", "roles and settings", "partition data")})
        self.assertEqual("outside", lines["TLS key"]["state"])
        folder = made["azureStorageBlobContainerUri"].rsplit("/", 1)[1]
        listed = self.hsm.rest.call("POST", "/coffer/backups", {**self.hsm.dir_storage, "limit": 20}).json["value"]
        self.assertEqual([made["coffer"]["coverage"]], [row["coverage"] for row in listed if row["folder"] == folder])
        told = json.loads(self.inspect(self.receipt(folder=folder), "--json").stdout)
        self.assertEqual([(line["what"], line["state"]) for line in made["coffer"]["coverage"]],
                         [(line["what"], line["state"]) for line in told["coverage"]])
        self.hsm.cli("backup", "start", *self.where, "--require-complete")
        bad = self.hsm.rest.call("POST", "/backup", {**self.hsm.dir_storage, "coffer": {"requireComplete": 1}})
        self.assertEqual(400, bad.status)

    def test_a_backup_without_a_marked_partition_says_so_everywhere(self):
        raw, kept = self.folder / "data.img", self.folder / "kept.img"
        place = self.folder / "partial"
        place.mkdir()
        where = ("--storage-resource-uri", f"dir:{place}")
        before = json.loads(self.hsm.cli("backup", "freshness", "--json").stdout)
        raw.rename(kept)
        try:
            refused = self.hsm.cli("backup", "start", *where, "--require-complete", code=7)
            made = self.hsm.cli("backup", "start", *where, code=8)
            after = json.loads(self.hsm.cli("backup", "freshness", "--json").stdout)
        finally:
            kept.rename(raw)
        self.assert_says(refused.stderr, "a complete backup was asked for", "partition data")
        self.assert_says(made.stderr, "the backup is incomplete", "partition data", "No such file")
        self.assertEqual(before["lastBackup"], after["lastBackup"])
        self.assertIn("incomplete", next(j["error"] for j in after["lastJobs"] if j["kind"] == "backup"))
        folder = made.stdout.splitlines()[0].rsplit("/", 1)[1]
        self.assert_says(self.hsm.cli("backup", "list", *where).stdout, f"{folder}", "incomplete")
        words = ("restore", "start", *where, "--backup-folder", folder)
        self.assert_says(self.hsm.cli(*words, code=7).stderr, "data is not in it", "--allow-incomplete")
        self.assert_says(self.hsm.cli(*words, "--allow-incomplete").stderr, "data is not in the backup and stays as it is")

    def test_a_list_tells_whole_backups_from_others(self):
        place = self.hsm.blobs / "list"
        place.mkdir()
        storage = {"storageResourceUri": f"dir:{place}"}
        names = [self.hsm.backup(storage) for _ in range(3)]
        (place / names[0] / "manifest").unlink()
        verified = self.hsm.wait(self.hsm.start("POST", "/coffer/verify",
                                                {"sasTokenParameters": storage, "folderToRestore": names[1]}))
        self.assertEqual("Succeeded", verified["status"])
        words = ("backup", "list", "--storage-resource-uri", f"dir:{place}")
        rows = [line.split() for line in self.hsm.cli(*words).stdout.splitlines()]
        self.assertEqual(["FOLDER", "STATE", "MADE", "AGE", "BYTES", "HSM", "SEQ", "VERIFIED"], rows[0])
        self.assertEqual(list(zip(reversed(names), ("whole", "whole", "unfinished"))), [tuple(row[:2]) for row in rows[1:]])
        listed = {row["folder"]: row for row in json.loads(self.hsm.cli(*words, "--json").stdout)["value"]}
        self.assertEqual(verified["endTime"], listed[names[1]]["verifiedTime"])
        self.assertIsNone(listed[names[2]]["verifiedTime"])
        self.assertEqual(("hsm1", True, True), tuple(listed[names[2]][k] for k in ("hsm", "proven", "complete")))
        first = self.hsm.cli(*words, "--limit", "1")
        self.assert_says(first.stderr, "1 of 3 folders", names[2])
        self.assert_says(self.hsm.cli(*words, "--limit", "1", "--after", names[2]).stdout, names[1])
        self.hsm.cli(*words, "--limit", "0", code=1)
        self.hsm.cli("backup", "list", code=2)
        for principal, code in (("backup-user", 0), ("crypto-user", 3), ("auditor", 3), ("nobody", 3)):
            self.hsm.cli(*words, "--as", principal, code=code)

    def test_a_list_over_http_needs_the_right_to_list(self):
        server = self.blobserver("--require-sas", "--account-key", bench.DEV_KEY)
        folder = self.hsm.backup(server.storage())
        answer = self.hsm.rest.call("POST", "/coffer/backups", server.storage("rl"))
        self.assertEqual([(folder, "whole")], [(row["folder"], row["state"]) for row in answer.json["value"]])
        answer = self.hsm.rest.call("POST", "/coffer/backups", server.storage("r"))
        self.assertEqual(400, answer.status)
        self.assert_says(answer.message, "list", "sp=rl")
        self.assertEqual(400, self.hsm.rest.call("POST", "/coffer/backups", {}).status)
        self.assertEqual(400, self.hsm.rest.call("POST", "/coffer/backups", {**server.storage("rl"), "x": 1}).status)

    def test_who_may_restore_may_verify_and_nobody_else(self):
        body = {"sasTokenParameters": self.hsm.dir_storage, "folderToRestore": self.name}
        for principal in ("backup-user", "crypto-user", "auditor", "nobody"):
            answer = self.hsm.rest.call("POST", "/coffer/verify", body, token=self.hsm.token(principal))
            self.assertEqual(403, answer.status, principal)

    def test_over_http_with_the_right_to_read_alone(self):
        server = self.blobserver("--require-sas", "--account-key", bench.DEV_KEY)
        folder = self.hsm.backup(server.storage())
        stored = server.stats()
        status = self.hsm.wait(self.hsm.start("POST", "/coffer/verify",
                                              {"sasTokenParameters": server.storage("r"), "folderToRestore": folder}))
        self.assertEqual("Succeeded", status["status"], status)
        for name in ("PutBlock", "PutBlockList", "PutBlob"):
            self.assertEqual(stored.get(name), server.stats().get(name))


if __name__ == "__main__":
    bench.main()
