"""Storage, backups and tokens that are not as they should be: the text names cause and cure, and nothing changes."""
import pathlib
import re
import shutil
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench

# Quick to give up, so that a test of it is short.
IMPATIENT = ("--set", "storage.attempts=4", "--set", "storage.patience_s=4", "--set", "storage.stall_ms=1000")


class Storage(bench.Case):
    @classmethod
    def prepare(cls):
        cls.server = cls.blobserver("--require-sas", "--account-key", bench.DEV_KEY)
        cls.hsm = cls.bench(*IMPATIENT)
        cls.hsm.create("ec")
        cls.backup = cls.hsm.backup(cls.server.storage())
        cls.local = cls.hsm.backup(cls.hsm.dir_storage)
        cls.before = cls.hsm.state()

    def tearDown(self):
        self.server.no_fault()
        self.assert_same(self.before, self.hsm.state())

    def outcome(self, answer):
        """(HTTP status of the start, code, text), of the start or of the job's end."""
        if answer.status != 202:
            self.assertEqual(400, answer.status, answer.message)
            return answer.status, answer.code, answer.message
        status = self.hsm.wait(answer, 60)
        self.assertEqual("Failed", status["status"], status)
        return 202, status["error"]["code"], status["error"]["message"]

    def fails(self, storage, *words, folder=None, code="BadRequest", key=None):
        answer = self.hsm.start_restore(storage, folder, key) if folder else self.hsm.start("POST", "/backup", storage)
        http, found, text = self.outcome(answer)
        self.assertEqual(code, found, text)
        self.assert_says(text, *words)
        return http

    # --- the SAS ------------------------------------------------------------------------------

    def test_a_malformed_sas_is_refused_at_once(self):
        for token in ("rubbish", "?", "sv=&sig=", "se=2030-01-01", "sp=rcwdl&se=tomorrow&sr=c&sig=AAAA&sv=2021-08-06"):
            with self.subTest(token=token):
                self.assertEqual(400, self.fails({"storageResourceUri": self.server.uri, "token": token}, "sas token"))

    def test_a_sas_without_expiry_gets_the_words_clients_know(self):
        token = re.sub("se=[^&]*&", "", self.server.storage()["token"])
        self.assertEqual(400, self.fails({"storageResourceUri": self.server.uri, "token": token},
                                         "SAS token is malformed", "expiry field"))

    def test_an_expired_sas_is_refused_at_once(self):
        self.assertEqual(400, self.fails(self.server.storage(minutes=-5), "expired"))

    def test_a_sas_that_is_too_weak_names_the_permission(self):
        self.fails(self.server.storage("rl"), "sas", "does not allow", "create", "sp=crdw")
        self.fails(self.server.storage("cw"), "sas", "does not allow", "read", folder=self.backup)

    def test_a_sas_of_another_container_is_refused_by_the_storage(self):
        self.fails({"storageResourceUri": self.server.uri, "token": bench.make_sas("other")}, "sas")
        self.fails({"storageResourceUri": self.server.uri, "token": bench.make_sas("other")}, "sas", folder=self.backup)

    def test_no_sas_at_all_is_told_so(self):
        self.assertEqual(400, self.fails({"storageResourceUri": self.server.uri}, "sas"))

    # --- the place ----------------------------------------------------------------------------

    def test_a_container_that_is_missing_is_named(self):
        uri = f"{self.server.base}/{bench.DEV_ACCOUNT}/missing"
        self.fails({"storageResourceUri": uri, "token": bench.make_sas("missing")}, "container", "exist")

    def test_a_uri_that_is_none_is_refused_at_once(self):
        for uri in ("ftp://host/container", "coffer", "https://", "https://user:pw@host/c", "http://[::1", "https://host/c?x=y"):
            with self.subTest(uri=uri):
                self.assertEqual(400, self.fails({"storageResourceUri": uri, "token": bench.make_sas("coffer")}))

    def test_a_directory_by_a_detour_is_refused(self):
        (self.hsm.blobs / "link").symlink_to("/tmp")
        for place in ("relative", f"{self.hsm.blobs}/../keystore", f"{self.hsm.blobs}/link", f"{self.hsm.blobs}/none"):
            with self.subTest(place=place):
                self.fails({"storageResourceUri": f"dir:{place}"})
        (self.hsm.blobs / "link").unlink()

    def test_storage_that_nobody_serves_is_named(self):
        uri = f"http://127.0.0.1:{bench.free_port()}/{bench.DEV_ACCOUNT}/coffer"
        self.fails({"storageResourceUri": uri, "token": bench.make_sas("coffer")}, "connect", code="ServiceUnavailable")

    def test_storage_that_hangs_ends_the_job(self):
        self.server.fault("op=* every=1 action=hang")
        self.fails(self.server.storage(), code="ServiceUnavailable")
        self.fails(self.server.storage(), code="ServiceUnavailable", folder=self.backup)

    def test_storage_that_fails_for_a_while_is_waited_for(self):
        self.server.fault("op=PutBlock nth=1 action=status:503\nop=PutBlob nth=1 action=reset:end\n"
                          "op=PutBlockList nth=1 action=commit-reset")
        self.hsm.backup(self.server.storage())

    # --- the folder ---------------------------------------------------------------------------

    def test_a_folder_that_is_missing_is_named(self):
        for storage in (self.server.storage(), self.hsm.dir_storage):
            self.fails(storage, "mhsm-hsm1-20200101000000", folder="mhsm-hsm1-20200101000000")
            self.fails(storage, "mhsm-hsm1-20200101000000", folder="mhsm-hsm1-20200101000000", key="ec")

    def test_a_folder_name_that_is_none_is_refused_at_once(self):
        for folder in ("..", "../keystore", "a//b", "a/../b", "x" * 2000, "a\x00b", "a?b=c", "%2e%2e"):
            with self.subTest(folder=folder[:20]):
                answer = self.hsm.start_restore(self.hsm.dir_storage, folder)
                self.outcome(answer)

    def test_a_folder_without_manifest_is_no_backup(self):
        copy = self.hsm.blobs / "mhsm-hsm1-20200202000000"
        shutil.copytree(self.hsm.blobs / self.local, copy)
        (copy / "manifest").unlink()
        self.fails(self.hsm.dir_storage, "manifest", folder=copy.name)
        shutil.rmtree(copy)

    def test_a_renamed_folder_is_refused(self):
        copy = self.hsm.blobs / "mhsm-hsm1-20200303000000"
        shutil.copytree(self.hsm.blobs / self.local, copy)
        http, code, text = self.outcome(self.hsm.start_restore(self.hsm.dir_storage, copy.name))
        self.assertEqual((202, "BackupNotAuthentic"), (http, code), text)
        shutil.rmtree(copy)

    def test_a_newer_format_is_told_apart_from_damage(self):
        copy = self.hsm.blobs / self.local
        kept = self.hsm.folder / "kept"
        shutil.copytree(copy, kept)
        manifest = bytearray((copy / "manifest").read_bytes())
        manifest[8] = 2
        (copy / "manifest").write_bytes(manifest)
        try:
            _, _, text = self.outcome(self.hsm.start_restore(self.hsm.dir_storage, self.local))
            self.assert_says(text, "newer")
        finally:
            shutil.rmtree(copy)
            kept.rename(copy)

    def test_a_backup_of_another_domain_is_refused_before_any_download(self):
        other = self.bench(name="other")
        other.create("theirs")
        backup = other.backup(self.server.storage())
        other.down()
        before = self.server.stats()
        http, code, text = self.outcome(self.hsm.start_restore(self.server.storage(), backup))
        self.assertEqual((202, "Forbidden"), (http, code), text)
        self.assert_says(text, "domain")
        self.assertLess(self.server.stats()["bytes_out"] - before["bytes_out"], 65536)


class Age(bench.Case):
    """The rule that a full backup must be half an hour old, switched on."""

    def test_the_text_says_what_is_missing_and_from_when_on_it_is_allowed(self):
        hsm = self.bench("--set", "restore.min_backup_age=1800", name="aged")
        hsm.create("ec")
        before = hsm.state()
        none = hsm.start_restore(hsm.dir_storage, "mhsm-aged-20200101000000")
        self.assertEqual((409, "Conflict"), (none.status, none.code))
        self.assert_says(none.message, "backup")
        begun = time.time()
        folder = hsm.backup(hsm.dir_storage)
        early = hsm.start_restore(hsm.dir_storage, folder)
        self.assertEqual((409, "Conflict"), (early.status, early.code))
        self.assert_says(early.message, "30 minutes")
        days = {time.strftime("%Y-%m-%d", time.gmtime(t + 1800)) for t in (begun, time.time())}  # midnight may lie between
        self.assertTrue(any(day in early.message for day in days), early.message)
        self.assertNotIn("Retry-After", early.headers)
        hsm.delete("ec", purge=True)
        self.assertEqual("Succeeded", hsm.restore(hsm.dir_storage, folder, key="ec")["status"])
        self.assert_same(before, hsm.state())

    def test_a_backup_that_is_old_enough_will_do(self):
        hsm = self.bench("--set", "restore.min_backup_age=2", name="ripe")
        hsm.create("ec")
        before = hsm.state()
        folder = hsm.backup(hsm.dir_storage)
        hsm.create("later")
        time.sleep(3)
        self.assertEqual("Succeeded", hsm.restore(hsm.dir_storage, folder)["status"])
        self.assert_same(before, hsm.state())


class Token(bench.Case):
    """The token's PIN and the token itself."""

    @classmethod
    def prepare(cls):
        cls.hsm = cls.bench()
        cls.hsm.create("ec")
        cls.before = cls.hsm.state()

    def pin_file(self):
        text = (self.hsm.folder / "cofferd.conf").read_text()
        return pathlib.Path(re.search(r'pin_file\s*=\s*"([^"]+)"', text).group(1))

    def refused(self, *words):
        done = bench.run_coffer("bench", "up", "--dir", str(self.hsm.folder))
        self.assertNotEqual(0, done.returncode, done.stdout)
        self.assert_says(done.stderr, *words)

    def test_a_wrong_pin_is_named_and_the_right_one_mends_it(self):
        self.hsm.down()
        path = self.pin_file()
        right = path.read_bytes()
        path.write_bytes(b"000000\n")
        try:
            self.refused("PIN")
        finally:
            path.write_bytes(right)
        self.hsm.up()
        self.assert_same(self.before, self.hsm.state())

    def test_a_token_that_is_gone_is_named_and_mended_by_its_return(self):
        self.hsm.down()
        token, away = self.hsm.folder / "token" / "tokens", self.hsm.folder / "away"
        token.rename(away)
        token.mkdir()
        try:
            self.refused("token")
        finally:
            shutil.rmtree(token)
            away.rename(token)
        self.hsm.up()
        self.assert_same(self.before, self.hsm.state())


if __name__ == "__main__":
    bench.main()
