"""A restore brings back everything, field by field; a selective one its key and nothing else."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench

AUTHORIZATION = "/providers/Microsoft.Authorization"
MIB = 1 << 20


def fill(hsm):
    """Something of every kind that a backup must carry."""
    hsm.create("rsa", kty="RSA-HSM", key_size=2048, tags={"team": "billing"})
    for year in ("2024", "2025", "2026"):
        hsm.create("ec", kty="EC-HSM", crv="P-256", tags={"year": year, "blank": ""},
                   attributes={"enabled": True, "exp": 4102444800, "nbf": 1577836800})
    hsm.create("p384", kty="EC-HSM", crv="P-384", key_ops=["verify", "sign"], attributes={"enabled": False})
    hsm.create("aes", kty="oct-HSM", key_size=256, key_ops=["wrapKey", "unwrapKey"])
    hsm.create("gone", kty="EC-HSM", crv="P-256", tags={"state": "deleted"})
    hsm.delete("gone")
    name = "2f0c7f5e-3a54-4b0c-9d1a-6f6e2b1c0001"
    hsm.rest.ask("PUT", f"{AUTHORIZATION}/roleDefinitions/{name}", {"properties": {
        "roleName": "Signer", "description": "signs", "permissions": [
            {"dataActions": ["Microsoft.KeyVault/managedHsm/keys/sign/action"]}], "assignableScopes": ["/"]}})
    hsm.assign("/keys/ec", name, "nobody")
    hsm.rest.ask("PATCH", "/settings/AllowKeyManagementOperationsThroughARM", {"value": "true"})


def spoil(hsm, raw):
    """Changes each kind of thing that fill made."""
    hsm.delete("rsa", purge=True)
    hsm.delete("p384")
    hsm.rest.ask("PATCH", "/keys/ec", {"attributes": {"enabled": False}, "tags": {}})
    hsm.create("aes", kty="oct-HSM", key_size=128)
    hsm.create("later")
    hsm.rest.ask("DELETE", "/deletedkeys/gone")
    hsm.rest.ask("PATCH", "/settings/AllowKeyManagementOperationsThroughARM", {"value": "false"})
    for found in hsm.rest.get(f"/keys/ec{AUTHORIZATION}/roleAssignments")["value"]:
        if found["properties"]["scope"] == "/keys/ec":
            hsm.rest.ask("DELETE", f"/keys/ec{AUTHORIZATION}/roleAssignments/{found['name']}")
    hsm.rest.ask("DELETE", f"{AUTHORIZATION}/roleDefinitions/2f0c7f5e-3a54-4b0c-9d1a-6f6e2b1c0001")
    with open(raw, "r+b") as handle:
        handle.seek(MIB)
        handle.write(b"\xa5" * (3 * MIB))


class Restore(bench.Case):
    @classmethod
    def prepare(cls):
        cls.raw = cls.folder / "data.img"
        pattern = bytes(range(251)) * 4178
        cls.raw.write_bytes((pattern + bytes(2 * MIB) + b"\xff" * (2 * MIB) + pattern).ljust(6 * MIB + 4096, b"\x01"))
        cls.hsm = cls.bench("--partition", f"data={cls.raw}")
        fill(cls.hsm)
        cls.signature = cls.hsm.sign("ec")
        cls.before = cls.hsm.state(raw=[cls.raw])
        cls.backup = cls.hsm.backup(cls.hsm.dir_storage)

    def setUp(self):
        status = self.hsm.restore(self.hsm.dir_storage, self.backup)
        self.assertEqual("Succeeded", status["status"], status)

    def test_everything_comes_back_field_by_field(self):
        spoil(self.hsm, self.raw)
        differences = bench.state.compare(self.before, self.hsm.state(raw=[self.raw]))
        self.assertGreater(len(differences), 10, differences)
        self.assertEqual("Succeeded", self.hsm.restore(self.hsm.dir_storage, self.backup)["status"])
        self.assert_same(self.before, self.hsm.state(raw=[self.raw]))
        self.assertTrue(self.hsm.verifies(self.signature))
        self.assertTrue(self.hsm.verifies(self.hsm.sign("ec")))

    def test_what_came_back_is_still_there_after_a_restart(self):
        spoil(self.hsm, self.raw)
        self.assertEqual("Succeeded", self.hsm.restore(self.hsm.dir_storage, self.backup)["status"])
        self.hsm.down()
        self.hsm.up()
        self.assert_same(self.before, self.hsm.state(raw=[self.raw]))

    def test_an_undo_brings_back_what_the_restore_took_away_and_can_itself_be_undone(self):
        spoil(self.hsm, self.raw)
        spoilt = self.hsm.state(raw=[self.raw])
        self.assertEqual("Succeeded", self.hsm.restore(self.hsm.dir_storage, self.backup)["status"])
        self.hsm.cli("restore", "undo", "--plan", "--as", "backup-user", code=3)
        self.hsm.cli("restore", "undo", "--as", "backup-user", code=3)
        self.assertIn(f"before the restore of {self.backup}", self.hsm.cli("restore", "undo", "--plan").stdout)
        self.assert_same(self.before, self.hsm.state(raw=[self.raw]))
        self.hsm.create("newest")
        plan = json.loads(self.hsm.cli("restore", "undo", "--plan", "--json").stdout)
        self.assertEqual((False, 1, 1, 0), tuple(plan[name] for name in (
            "redo", "changesSince", "partitions", "partitionsWritten")))
        self.assertIn("1 change and 0 written partitions are set aside", self.hsm.cli("restore", "undo").stdout)
        self.assert_same(spoilt, self.hsm.state(raw=[self.raw]))
        self.hsm.down()
        self.hsm.up()
        self.assert_same(spoilt, self.hsm.state(raw=[self.raw]))
        self.hsm.cli("restore", "undo")
        self.hsm.cli("key", "show", "--name", "newest")
        self.hsm.delete("newest", purge=True)
        self.assert_same(self.before, self.hsm.state(raw=[self.raw]))
        self.assertTrue(self.hsm.verifies(self.hsm.sign("ec")))

    def test_where_nothing_was_restored_there_is_nothing_to_undo(self):
        fresh = self.bench(name="fresh")
        self.assertIn("nothing to undo", fresh.cli("restore", "undo", code=5).stderr)

    def plan(self, *words, code=0):
        return self.hsm.cli("restore", "start", "--plan", "--storage-resource-uri", f"dir:{self.hsm.blobs}",
                            "--backup-folder", self.backup, *words, code=code)

    def test_a_plan_says_what_the_restore_will_change_and_changes_nothing(self):
        spoil(self.hsm, self.raw)
        spoilt = self.hsm.state(raw=[self.raw])
        plan = json.loads(self.plan("--json").stdout)
        self.assert_same(spoilt, self.hsm.state(raw=[self.raw]))
        found = {(item["change"], item["kind"], item["name"]): item.get("note", "") for item in plan["items"]}
        self.assertEqual({("added", "key", "rsa"), ("added", "key", "gone"), ("replaced", "key", "p384"), ("replaced", "key", "ec"),
                          ("replaced", "key", "aes"), ("removed", "key", "later"), ("added", "role definition", "Signer"),
                          ("replaced", "setting", "AllowKeyManagementOperationsThroughARM"), ("replaced", "partition", "data")},
                         {item for item in found if item[1] != "role assignment"})
        self.assertEqual("is deleted here and comes back", found[("replaced", "key", "p384")])
        self.assertRegex(found[("removed", "key", "later")], "^(made after|not in) the backup, 1 version lost$")
        self.assertEqual(2, plan["versionsLost"])
        self.assertEqual(1, sum(item[1] == "role assignment" for item in found))
        told = self.plan().stdout
        self.assertRegex(told, r"key +2 +3 +1 +0")
        self.assertIn("2 key versions would be lost", told)
        self.assertEqual("Succeeded", self.hsm.restore(self.hsm.dir_storage, self.backup)["status"])
        plan = json.loads(self.plan("--json").stdout)
        self.assertEqual(["partition"], [item["kind"] for item in plan["items"]])
        self.assertRegex(self.plan("--key-name", "ec").stdout, "is there and would be left as it is")
        self.plan("--key-name", "nobody", code=7)
        self.plan("--as", "backup-user", code=3)

    def test_a_restored_appliance_makes_backups_that_restore(self):
        again = self.hsm.backup(self.hsm.dir_storage)
        spoil(self.hsm, self.raw)
        self.assertEqual("Succeeded", self.hsm.restore(self.hsm.dir_storage, again)["status"])
        self.assert_same(self.before, self.hsm.state(raw=[self.raw]))

    def test_a_restored_deleted_key_can_be_recovered(self):
        self.hsm.rest.ask("POST", "/deletedkeys/gone/recover")
        self.assertTrue(self.hsm.verifies(self.hsm.sign("gone")))

    def test_a_purged_key_comes_back_alone(self):
        later = self.hsm.create("later")
        self.hsm.delete("ec", purge=True)
        without = self.hsm.state(raw=[self.raw])
        status = self.hsm.restore(self.hsm.dir_storage, self.backup, key="ec")
        self.assertEqual("Succeeded", status["status"], status)
        self.assertRegex(status["statusDetails"], r"^Number of successful key versions restored: [1-9]\d*, "
                                                  r"Number of key versions could not overwrite: 0$")
        after = self.hsm.state(raw=[self.raw])
        self.assertEqual(self.before["keys"]["ec"], after["keys"].pop("ec"))
        after["assignments"].pop("/keys/ec")
        self.assert_same(without, after)
        self.assertEqual(later["key"], self.hsm.rest.get("/keys/later")["key"])
        self.assertTrue(self.hsm.verifies(self.signature))

    def test_a_live_key_is_left_as_it_is_and_the_exit_code_says_so(self):
        self.hsm.rest.ask("PATCH", "/keys/ec", {"tags": {"mine": "newer"}})
        before = self.hsm.state(raw=[self.raw])
        done = self.hsm.cli("restore", "start", "--storage-resource-uri", f"dir:{self.hsm.blobs}", "--backup-folder",
                            self.backup, "--key-name", "ec", code=8)
        self.assertRegex(done.stdout, "restored: 0, Number of key versions could not overwrite: [1-9]")
        self.assert_same(before, self.hsm.state(raw=[self.raw]))

    def test_a_soft_deleted_key_fails_the_job_and_says_what_to_do(self):
        self.hsm.delete("ec")
        before = self.hsm.state(raw=[self.raw])
        status = self.hsm.restore(self.hsm.dir_storage, self.backup, key="ec")
        self.assert_failed(status, "ec", "deleted", "purge")
        self.assert_same(before, self.hsm.state(raw=[self.raw]))

    def test_a_key_that_the_backup_does_not_hold_fails_the_job(self):
        status = self.hsm.restore(self.hsm.dir_storage, self.backup, key="unheard-of")
        self.assert_failed(status, "unheard-of")

    def test_the_starter_reads_the_end_though_the_restored_roles_forbid_it(self):
        token = self.hsm.token("nobody")
        self.hsm.assign("", bench.ADMINISTRATOR, "nobody")
        body = {"sasTokenParameters": self.hsm.dir_storage, "folderToRestore": self.backup}
        started = self.hsm.rest.call("PUT", "/restore", body, token=token)
        self.assertEqual(202, started.status, started.message)
        path = started.headers["Azure-AsyncOperation"][len(self.hsm.url):]

        def ended():
            answer = self.hsm.rest.call("GET", path, token=token, version=None)
            self.assertEqual(200, answer.status, answer.message)
            return answer.json["status"] == "Succeeded"
        bench.wait_until(ended, 60, "the restore's end")
        self.assertEqual(403, self.hsm.rest.call("GET", "/keys/ec", token=token).status)


class While(bench.Case):
    """What the rest of the interface answers while a job runs, held up by slow storage."""

    @classmethod
    def prepare(cls):
        cls.server = cls.blobserver("--require-sas", "--account-key", bench.DEV_KEY)
        cls.hsm = cls.bench()
        cls.hsm.create("ec")
        cls.backup = cls.hsm.backup(cls.server.storage())

    def setUp(self):
        self.addCleanup(self.server.no_fault)

    def test_a_backup_leaves_everything_usable_and_refuses_a_second_one(self):
        self.server.fault("op=* every=1 action=delay:700")
        started = self.hsm.start("POST", "/backup", self.server.storage())
        self.assertEqual(202, started.status)
        second = self.hsm.start("POST", "/backup", self.server.storage())
        self.assertEqual((409, "Conflict"), (second.status, second.code))
        self.assertIn("Another backup operation is in progress", second.message)
        self.assertNotIn("Retry-After", second.headers)
        self.assertTrue(self.hsm.verifies(self.hsm.sign("ec")))
        self.hsm.create("meanwhile")
        self.assertEqual("Succeeded", self.hsm.wait(started)["status"])

    def test_a_full_restore_shuts_everything_but_its_status(self):
        self.server.fault("op=* every=1 action=delay:700")
        started = self.hsm.start_restore(self.server.storage(), self.backup)
        self.assertEqual(202, started.status)
        for method, path in (("GET", "/keys/ec"), ("GET", "/settings"), ("POST", "/backup"),
                             ("GET", f"{AUTHORIZATION}/roleAssignments")):
            with self.subTest(path=path):
                answer = self.hsm.rest.call(method, path, {} if method == "POST" else None)
                self.assertEqual((409, "Conflict"), (answer.status, answer.code))
                self.assertIn("User triggered Restore operation is in progress", answer.message)
        for path in ("/coffer/jobs", "/coffer/freshness", "/coffer/metrics"):  # monitors see it run
            self.assertEqual(200, self.hsm.rest.call("GET", path).status, path)
        self.assertEqual("Succeeded", self.hsm.wait(started)["status"])
        self.assertTrue(self.hsm.verifies(self.hsm.sign("ec")))


if __name__ == "__main__":
    bench.main()
