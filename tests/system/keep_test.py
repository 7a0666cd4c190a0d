"""Old backups pruned through REST and the tool: what goes, what stays, who may, and what storage says to it."""
import datetime
import json
import pathlib
import sys
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench

NOW = ["--min-age", "0s"]
# A moment of a schedule that does not come while a test runs; the one before it was missed and is made good at once.
FAR = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=12)


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

    def test_where_each_block_is_a_blob_a_missing_one_is_seen(self):
        server = self.blobserver("--policy", "no-blocks")
        folders = self.fill(server.storage(), 3)
        block = next(name for name in server.names(folders[2]) if "/s0/0-" in name)
        request = urllib.request.Request(f"{server.uri}/{block}?{server.storage('d')['token']}", method="DELETE")
        urllib.request.urlopen(request, timeout=10).close()
        done = self.prune(server.storage(), "--keep-last", "1", *NOW)
        self.assert_says(done.stdout, "Deleted 1 of 3", "not whole: never deleted")
        self.assertEqual("Succeeded", self.hsm.restore(server.storage(), folders[1])["status"])

    def test_each_deletion_is_audited(self):
        storage = self.empty_place()
        folders = self.fill(storage, 2)
        self.prune(storage, "--keep-last", "1", *NOW)
        image = (self.hsm.folder / "audit.img")
        text = next(path for path in (image, *self.hsm.folder.rglob("audit*")) if path.is_file()).read_bytes()
        self.assertIn(b"BackupErase", text)
        self.assertIn(folders[0].encode(), text)

    def test_the_figures_need_a_right_or_the_socket(self):
        hsm = self.hsm
        self.hsm.backup(self.hsm.dir_storage)
        for path in ("/coffer/metrics", "/coffer/freshness"):
            self.assertEqual(401, hsm.rest.call("GET", path, token="").status)
            self.assertEqual(403, hsm.rest.call("GET", path, token=hsm.token("crypto-user")).status)
            self.assertEqual(200, hsm.rest.call("GET", path, token=hsm.token("backup-user")).status)
            self.assertEqual(404, hsm.rest.call("GET", path.replace("/coffer", "/local")).status)
        socket = str(hsm.folder / "cofferd.sock")
        self.assertEqual(0, bench.run_coffer("backup", "freshness", "--socket", socket).returncode)
        self.assertEqual(10, bench.run_coffer("backup", "freshness", "--socket", socket, "--max-verified-age", "1d").returncode)
        self.assertEqual(2, bench.run_coffer("backup", "freshness", "--socket", socket, "--max-age", "soon").returncode)


class Schedule(bench.Case):
    """An appliance that was never backed up is due at once, whatever its schedule says."""

    def appliance(self, *settings, name, **more):
        words = [word for setting in settings for word in ("--set", f"backup.{setting}")]
        return self.bench(*words, name=name, **more)

    def ended(self, hsm, kind, count=1, seconds=40):
        def found():
            jobs = [job for job in hsm.rest.get("/coffer/jobs")["value"] if job["coffer"]["kind"] == kind]
            return jobs if len([job for job in jobs if job["status"] in bench.TERMINAL]) >= count else None
        return bench.wait_until(found, seconds, f"{count} of {kind}\n{hsm.log()}")

    def metrics(self, hsm):
        answer = hsm.rest.call("GET", "/coffer/metrics")
        self.assertEqual(200, answer.status)
        self.assertTrue(answer.headers["Content-Type"].startswith("text/plain; version=0.0.4"))
        lines = [line for line in answer.raw.decode().splitlines() if line and line[0] != "#"]
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines}

    def test_a_backup_by_the_clock_is_verified_pruned_and_made_once(self):
        blobs = self.folder / "hsm2" / "blobs"
        hsm = self.appliance(f"schedule=daily {FAR.strftime('%H:%M')}", f"storage=dir:{blobs}", "verify=1", "keep_last=1", "keep_min_age_s=0", name="hsm2")
        backup, = self.ended(hsm, "backup")
        self.assertEqual("Succeeded", backup["status"], backup)
        self.assertEqual("Succeeded", self.ended(hsm, "verification")[0]["status"])
        pruning, = self.ended(hsm, "retention")
        self.assert_says(pruning["statusDetails"], "Deleted 0 of 1")
        self.assertIn(b"schedule", next(path for path in hsm.folder.rglob("audit*") if path.is_file()).read_bytes())
        fresh = hsm.rest.get("/coffer/freshness")
        self.assertLess(fresh["backupAgeSeconds"], 600)
        self.assertLess(fresh["verifiedBackupAgeSeconds"], 600)
        bench.wait_until(lambda: hsm.rest.get("/coffer/freshness")["schedule"]["next"] > fresh["time"] + 60, 30, "the next moment")
        hsm.kill()  # made good once: a restart makes no second one
        hsm.up()
        bench.wait_until(lambda: hsm.rest.get("/coffer/freshness")["schedule"]["next"] > fresh["time"] + 60, 30, "the next moment")
        self.assertEqual(1, len(self.ended(hsm, "backup")))
        self.assertEqual(1, self.metrics(hsm)["coffer_schedule_enabled"])

    def test_a_failure_shows_everywhere_and_a_renewed_sas_needs_no_restart(self):
        server = self.blobserver("--require-sas", "--account-key", bench.DEV_KEY)
        sas = self.folder / "sas"
        hsm = self.appliance("schedule=every 6h", f"storage={server.uri}", f"sas_file={sas}", name="hsm3")
        problem = bench.wait_until(lambda: hsm.rest.get("/coffer/freshness")["schedule"]["problem"], 30, "the failure")
        self.assert_says(problem, "the SAS file", str(sas))
        self.assertEqual(1, self.metrics(hsm)["coffer_schedule_failures"])
        fresh = hsm.rest.get("/coffer/freshness")
        self.assertGreater(fresh["schedule"]["next"], fresh["time"])  # the next attempt, not the one that failed
        self.assertEqual(0, self.metrics(hsm)["coffer_backup_last_success_timestamp_seconds"])
        self.assert_says(json.dumps(hsm.status()["backup"]), "problem", "the SAS file")
        self.assert_says(hsm.log(), "ScheduledBackup", "the SAS file")
        stale = hsm.cli("backup", "freshness", "--max-age", "26h", code=10)
        self.assert_says(stale.stdout, "newest backup: none", "1 attempts failed", "the SAS file")
        self.assert_says(stale.stderr, "STALE")
        sas.write_text(server.storage()["token"] + "\n")
        sas.chmod(0o644)
        hsm.kill()  # the next attempt is five minutes off; a start begins anew
        hsm.up()
        problem = bench.wait_until(lambda: hsm.rest.get("/coffer/freshness")["schedule"]["problem"], 30, "the failure")
        self.assert_says(problem, "0600")
        sas.chmod(0o600)
        hsm.kill()
        hsm.up()
        self.assertEqual("Succeeded", self.ended(hsm, "backup")[0]["status"])
        hsm.cli("backup", "freshness", "--max-age", "26h")
        hsm.cli("backup", "freshness", "--max-age", "26h", "--max-verified-age", "8d", code=10)
        self.assertEqual(0, self.metrics(hsm)["coffer_schedule_failures"])
        self.assertNotIn("sig=", hsm.log() + json.dumps(hsm.rest.get("/coffer/jobs")))

    def test_what_a_kill_leaves_under_way_is_followed_by_what_follows_a_backup(self):
        server = self.blobserver("--require-sas", "--account-key", bench.DEV_KEY)
        server.fault("op=PutBlockList every=1 action=delay:5000\n")
        tokens = {}
        for name, permissions in (("sas_file", "rcwl"), ("prune_sas_file", "rdl")):  # each can do its own alone
            tokens[name] = self.folder / name
            tokens[name].write_text(server.storage(permissions)["token"])
            tokens[name].chmod(0o600)
        hsm = self.appliance(f"schedule=weekly {FAR.strftime('%a %H:%M').lower()}", f"storage={server.uri}", "keep_last=1",
                             *(f"{name}={path}" for name, path in tokens.items()), name="hsm5")
        bench.wait_until(lambda: any(job["status"] == "InProgress" for job in hsm.rest.get("/coffer/jobs")["value"]), 30, "the backup")
        hsm.kill()
        server.no_fault()
        hsm.up()
        self.assertEqual(["Succeeded"], [job["status"] for job in self.ended(hsm, "backup")])
        self.assertEqual("Succeeded", self.ended(hsm, "retention")[0]["status"])
        self.assertEqual(1, len(self.ended(hsm, "backup")))

    def settled(self, hsm):
        fresh = hsm.rest.get("/coffer/freshness")
        bench.wait_until(lambda: hsm.rest.get("/coffer/freshness")["schedule"]["next"] > fresh["time"] + 60, 30, "the next moment")

    def test_steps_that_a_kill_cut_are_made_up_for_once(self):
        server = self.blobserver("--require-sas", "--account-key", bench.DEV_KEY)
        sas = self.folder / "sas6"
        sas.write_text(server.storage()["token"])
        sas.chmod(0o600)
        server.fault("op=GetBlob every=1 action=hang\n")  # the verification hangs
        hsm = self.appliance(f"schedule=daily {FAR.strftime('%H:%M')}", f"storage={server.uri}", f"sas_file={sas}", "verify=1", "keep_last=1",
                             name="hsm6")
        for cut, rule in (("verification", "op=ListBlobs from=2 action=hang\n"), ("retention", "")):
            bench.wait_until(lambda: [job for job in hsm.rest.get("/coffer/jobs")["value"] if job["coffer"]["kind"] == cut], 30, cut)
            hsm.kill()
            server.no_fault()
            if rule:
                server.fault(rule)  # and then the pruning, whose list comes behind the verification's
            hsm.up()
            self.assertEqual(["Failed", "Succeeded"], sorted(job["status"] for job in self.ended(hsm, cut, 2)))
        hsm.kill()  # all is done: nothing is begun again
        hsm.up()
        self.settled(hsm)
        kinds = sorted(job["coffer"]["kind"] for job in hsm.rest.get("/coffer/jobs")["value"])
        self.assertEqual(["backup", "retention", "retention", "verification", "verification"], kinds)

    def test_a_canceled_one_stays_passed_over_after_a_restart(self):
        server = self.blobserver("--require-sas", "--account-key", bench.DEV_KEY)
        sas = self.folder / "sas7"
        sas.write_text(server.storage()["token"])
        sas.chmod(0o600)
        server.fault("op=PutBlock every=1 action=hang\n")
        hsm = self.appliance(f"schedule=daily {FAR.strftime('%H:%M')}", f"storage={server.uri}", f"sas_file={sas}", name="hsm7")
        job = bench.wait_until(lambda: hsm.rest.get("/coffer/jobs")["value"], 30, "the backup")[0]["jobId"]
        hsm.cli("job", "cancel", job)
        hsm.kill()  # at once: who was answered may rely on it
        server.no_fault()
        hsm.up()
        self.assertEqual("Canceled", self.ended(hsm, "backup")[0]["status"])
        self.settled(hsm)
        self.assertEqual(1, len(self.ended(hsm, "backup")))

    def test_it_waits_for_another_job(self):
        server = self.blobserver()
        hsm = self.appliance(name="hsm4")
        hsm.create("one")
        server.fault("op=PutBlob every=1 action=delay:700\n")
        hsm.down()
        sas = self.folder / "sas4"
        sas.write_text(server.storage()["token"])
        sas.chmod(0o600)
        hsm.up("--set", "backup.schedule=every 6h", "--set", f"backup.storage={server.uri}", "--set", f"backup.sas_file={sas}")
        answer = hsm.start("POST", "/backup", server.storage())
        self.assertIn(answer.status, (202, 409))  # either is first; the other one waits or is told so
        jobs = self.ended(hsm, "backup", 2 if answer.status == 202 else 1, 60)
        self.assertTrue(all(job["status"] == "Succeeded" for job in jobs), jobs)


if __name__ == "__main__":
    bench.main()
