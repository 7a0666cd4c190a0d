"""Old backups pruned through REST and the tool: what goes, what stays, who may, and what storage says to it."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench

NOW = ["--min-age", "0s"]


class Prune(bench.Case):
    @classmethod
    def prepare(cls):
        cls.hsm = cls.bench()
        cls.hsm.create("one")

    def empty_place(self):
        self.place = self.hsm.blobs / self._testMethodName
        self.place.mkdir()
        return {"storageResourceUri": f"dir:{self.place}"}

    def fill(self, storage, count):
        return [self.hsm.backup(storage) for _ in range(count)]

    def prune(self, storage, *words, code=0):
        where = ["--storage-resource-uri", storage["storageResourceUri"]]
        if "token" in storage:
            where += ["--storage-container-SAS-token", storage["token"]]
        return self.hsm.cli("backup", "prune", *where, *words, code=code)

    def test_what_no_rule_keeps_goes_and_the_rest_restores(self):
        storage = self.empty_place()
        folders = self.fill(storage, 4)
        kept = self.prune(storage, "--keep-last", "1")
        self.assert_says(kept.stdout, "younger than the minimum age")  # a day, unless told otherwise
        self.assertTrue(all((self.place / folder).exists() for folder in folders))
        plan = self.prune(storage, "--keep-last", "2", *NOW, "--dry-run")
        self.assert_says(plan.stdout, "Would delete 2 of 4 folders", "wouldDelete", "newest backup")
        self.assertTrue(all((self.place / folder).exists() for folder in folders))
        plan = json.loads(self.prune(storage, "--keep-last", "2", *NOW, "--dry-run", "--json").stdout)
        self.assertEqual(["kept", "kept", "wouldDelete", "wouldDelete"], [row["action"] for row in plan["value"]])
        done = self.prune(storage, "--keep-last", "2", *NOW)
        self.assert_says(done.stdout, "Deleted 2 of 4 folders", "no rule keeps it")
        self.assertEqual(sorted(folders[2:]), sorted(path.name for path in self.place.iterdir() if path.name[0] != "."))
        for folder in folders[2:]:
            self.assertEqual("Succeeded", self.hsm.restore(storage, folder)["status"])

    def test_no_rule_no_pruning(self):
        self.assert_says(self.prune(self.hsm.dir_storage, code=2).stderr, "at least one of")
        self.assert_says(self.prune(self.hsm.dir_storage, "--keep-last", "0", code=1).stderr, "no rule keeps anything")
        self.prune(self.hsm.dir_storage, "--keep-last", "x", code=2)
        self.prune(self.hsm.dir_storage, "--keep-last", "1", "--min-age", "soon", code=2)
        self.prune(self.hsm.dir_storage, "--keep-last", "1", "--unfinished-older-than", "1d", code=1)
        bad = self.hsm.rest.call("POST", "/coffer/prune", {**self.hsm.dir_storage, "keep": {"last": 1, "hourly": 3}})
        self.assertEqual(400, bad.status, bad.message)

    def test_who_makes_backups_may_not_prune(self):
        for principal in ("backup-user", "crypto-user", "auditor", "nobody"):
            answer = self.hsm.rest.call("POST", "/coffer/prune", {**self.hsm.dir_storage, "keep": {"last": 1}},
                                        token=self.hsm.token(principal))
            self.assertEqual(403, answer.status, principal)

    def test_a_sas_without_the_right_to_delete_says_so(self):
        server = self.blobserver("--require-sas", "--account-key", bench.DEV_KEY)
        self.fill(server.storage(), 2)
        refused = self.prune(server.storage("rcwl"), "--keep-last", "1", *NOW, code=1)
        self.assert_says(refused.stderr, "does not allow to read, list and delete", "sp=rdl")
        plan = self.prune(server.storage("rl"), "--keep-last", "1", *NOW, "--dry-run")
        self.assert_says(plan.stdout, "Would delete 1 of 2")
        self.assert_says(plan.stderr, "does not allow to delete")
        self.assertEqual(0, server.stats().get("DeleteBlob", 0))
        self.assert_says(self.prune(server.storage("rdl"), "--keep-last", "1", *NOW).stdout, "Deleted 1 of 2")

    def test_what_a_policy_of_the_storage_keeps_is_told_and_left_whole(self):
        server = self.blobserver()
        folders = self.fill(server.storage(), 3)
        server.fault("op=DeleteBlob every=1 action=status:409 code=BlobImmutableDueToPolicy\n")
        done = self.prune(server.storage(), "--keep-last", "1", *NOW)
        self.assert_says(done.stdout, "Deleted 0 of 3", "keptByStorage")
        self.assert_says(done.stderr, "keeps 2 more under an immutability policy")
        server.no_fault()
        for folder in folders:
            self.assertEqual("Succeeded", self.hsm.restore(server.storage(), folder)["status"])

    def test_a_storage_that_fails_now_and_then_is_asked_again_and_a_cut_pruning_is_ended(self):
        server = self.blobserver()
        folders = self.fill(server.storage(), 3)
        server.fault("op=DeleteBlob every=2 action=commit-status:500\nop=DeleteBlob nth=3 action=commit-reset\n")
        self.assert_says(self.prune(server.storage(), "--keep-last", "2", *NOW).stdout, "Deleted 1 of 3")
        server.no_fault()
        server.fault("op=DeleteBlob nth=3 action=status:403 code=AuthorizationPermissionMismatch\n")
        self.prune(server.storage(), "--keep-last", "1", *NOW, code=7)
        self.assertEqual("Failed", self.hsm.restore(server.storage(), folders[1])["status"])  # cut: never read as whole
        self.assert_says(self.prune(server.storage(), "--keep-last", "5").stdout, "rest of an earlier pruning", "Deleted 1 of 2")
        self.assertEqual("Succeeded", self.hsm.restore(server.storage(), folders[2])["status"])

    def test_each_deletion_is_audited(self):
        storage = self.empty_place()
        folders = self.fill(storage, 2)
        self.prune(storage, "--keep-last", "1", *NOW)
        image = (self.hsm.folder / "audit.img")
        text = next(path for path in (image, *self.hsm.folder.rglob("audit*")) if path.is_file()).read_bytes()
        self.assertIn(b"BackupErase", text)
        self.assertIn(folders[0].encode(), text)


if __name__ == "__main__":
    bench.main()
