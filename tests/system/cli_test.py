"""coffer, the operator's tool: help, exit codes, JSON, and what bench up and down promise."""
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench
from bench import run_coffer

DIGEST = bench.b64url(bytes(32))


def verbs():
    listed = run_coffer("--help").stdout
    return [match.group(1).strip() for match in re.finditer(r"^  ([a-z][a-z -]*?)  +\S", listed, re.M)]


class Help(bench.Case):
    def test_help_lists_the_verbs_and_exit_codes(self):
        done = run_coffer("--help")
        self.assertEqual(0, done.returncode)
        for verb in ("bench up", "bench down", "bench token", "backup start", "restore start", "key create",
                     "role assignment create", "security-domain download"):
            self.assertIn(verb, verbs())
        self.assertIn("Exit codes", done.stdout)

    def test_help_the_readme_and_the_program_name_the_same_exit_codes(self):
        header = (bench.ROOT / "tools/coffer/cli.h").read_text()
        codes = set(re.findall(r"^    EXIT_[A-Z_]+ = (\d+),", header, re.M))
        told = run_coffer("--help").stdout.split("Exit codes:")[1]
        self.assertEqual(codes, set(re.findall(r"^ +(\d+)  \S", told, re.M)))
        written = (bench.ROOT / "tools/coffer/README.md").read_text().split("- Exit codes:")[1].split(". ")[0]
        self.assertEqual(codes, set(re.findall(r"\b(\d+) [a-z]", written)))

    def test_a_word_that_is_no_verb_is_named_and_half_a_verb_lists_the_rest(self):
        self.assertIn("'backup nonsense'", run_coffer("backup", "nonsense").stderr)
        half = run_coffer("backup")
        self.assertEqual(2, half.returncode)
        self.assertEqual({verb for verb in verbs() if verb.startswith("backup ")},
                         set(re.findall(r"^  (backup [a-z]+) ", half.stderr, re.M)))
        self.assertEqual(0, run_coffer("backup", "--help").returncode)
        self.assertEqual(run_coffer("key", "show", "--help").stdout, run_coffer("help", "key", "show").stdout)
        self.assertEqual(run_coffer("backup", "--help").stdout, run_coffer("help", "backup").stdout)
        self.assertEqual(run_coffer("--help").stdout, run_coffer("-h").stdout)
        self.assertRegex(run_coffer("--version").stdout, r"^coffer \d+\.\d+\.\d+$")

    def test_every_verb_explains_itself(self):
        self.assertGreater(len(verbs()), 20)
        for verb in verbs():
            with self.subTest(verb=verb):
                done = run_coffer(*verb.split(), "--help")
                self.assertEqual(0, done.returncode, done.stderr)
                self.assertIn("Usage: coffer " + verb, done.stdout)
                self.examples_parse(verb, done.stdout)

    def examples_parse(self, verb, text):
        """Each can be copied as it stands: unwrapped, and with flags that the verb has."""
        given = re.split(r"^Examples?:\n", text, flags=re.M)
        self.assertEqual(2, len(given), "an example is wanted")
        lines = given[1].strip().replace("\\\n", "").splitlines()
        for line in lines:
            words = shlex.split(line)
            self.assertEqual(["coffer", *verb.split()], words[:1 + len(verb.split())])
            self.assertEqual(0, run_coffer(*words[1:], "--help").returncode, line)

    def test_a_wrong_command_line_is_exit_code_2_and_asks_nothing(self):
        for words in ((), ("nonsense",), ("key",), ("key", "create"), ("key", "create", "--no-such-flag"),
                      ("key", "show", "--dir", "/nonexistent"), ("bench", "up"), ("restore", "start", "--dir", "/x"),
                      ("key", "show", "--name", "a b", "--dir", "/x"), ("bench", "token", "--dir", "/x")):
            with self.subTest(words=words):
                self.assertEqual(2, run_coffer(*words).returncode)


class Daemon(bench.Case):
    def test_the_daemon_tells_a_wrong_command_line_from_a_wrong_configuration(self):
        for words, code in (((), 2), (("--bogus",), 2), (("--config", "/nonexistent", "--check"), 1), (("--help",), 0)):
            with self.subTest(words=words):
                done = subprocess.run([str(bench.BIN / "cofferd"), *words], capture_output=True, text=True, timeout=30, check=False)
                self.assertEqual(code, done.returncode, done.stderr)


class Codes(bench.Case):
    @classmethod
    def prepare(cls):
        cls.hsm = cls.bench()
        cls.hsm.create("ec")
        cls.blobs = ("--storage-resource-uri", f"dir:{cls.hsm.blobs}")

    def test_done_is_0(self):
        self.assertIn("/keys/made/", self.hsm.cli("key", "create", "--name", "made", "--kty", "EC-HSM", "--curve", "P-256").stdout)
        self.assertRegex(self.hsm.cli("key", "list").stdout, r"/keys/made +enabled")

    def test_a_value_out_of_range_is_1(self):
        done = self.hsm.cli("key", "create", "--name", "x", "--kty", "DSA", code=1)
        self.assertIn("(BadParameter)", done.stderr)

    def test_refused_to_this_principal_is_3(self):
        self.assertIn("(AccessDenied)", self.hsm.cli("key", "show", "--name", "ec", "--as", "nobody", code=3).stderr)

    def test_not_found_is_4(self):
        self.hsm.cli("key", "show", "--name", "none", code=4)
        self.hsm.cli("backup", "status", "--job-id", "0" * 32, code=4)
        self.hsm.cli("role", "assignment", "create", "--role", "No Such Role", "--assignee", "nobody", code=4)

    def test_not_possible_now_is_5(self):
        self.hsm.create("dead")
        self.hsm.delete("dead")
        self.hsm.cli("key", "create", "--name", "dead", "--kty", "EC-HSM", "--curve", "P-256", code=5)

    def test_unreachable_is_6(self):
        down = self.bench(name="down")
        down.down()
        said = down.cli("key", "list", code=6).stderr
        self.assertIn("not running", said)
        self.assertNotIn("localhost", said)

    def test_a_job_that_fails_is_7(self):
        done = self.hsm.cli("restore", "start", *self.blobs, "--backup-folder", "mhsm-hsm1-20200101000000", code=7)
        self.assertIn("mhsm-hsm1-20200101000000", done.stderr)
        self.assertRegex(self.hsm.cli("job", "list").stdout, r"restore +Failed +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ")

    def test_a_job_that_changed_nothing_is_8(self):
        folder = self.hsm.backup(self.hsm.dir_storage)
        self.hsm.cli("restore", "start", *self.blobs, "--backup-folder", folder, "--key-name", "ec", code=8)
        as_printed = f"{self.blobs[1]}/{folder}"
        self.hsm.cli("restore", "start", *self.blobs, "--backup-folder", as_printed, "--key-name", "ec", code=8)

    def test_a_signature_that_is_not_valid_is_9(self):
        words = ("--name", "ec", "--algorithm", "ES256", "--digest", DIGEST)
        good = self.hsm.cli("key", "sign", *words).stdout.strip()
        self.assertEqual("valid", self.hsm.cli("key", "verify", *words, "--signature", good).stdout.strip())
        bad = ("A" if good[0] != "A" else "B") + good[1:]
        self.hsm.cli("key", "verify", *words, "--signature", bad, code=9)


class Json(bench.Case):
    @classmethod
    def prepare(cls):
        cls.hsm = cls.bench()
        cls.hsm.create("ec")
        cls.blobs = ("--storage-resource-uri", f"dir:{cls.hsm.blobs}")

    def json(self, *words, code=0):
        return json.loads(self.hsm.cli(*words, "--json", code=code).stdout)

    def test_a_backup_prints_its_final_status_with_folder_bytes_and_time(self):
        status = self.json("backup", "start", *self.blobs)
        self.assertEqual("Succeeded", status["status"])
        self.assertRegex(status["folder"], r"^mhsm-hsm1-\d{14}(\d\d)?$")
        self.assertEqual(f"dir:{self.hsm.blobs}/{status['folder']}", status["azureStorageBlobContainerUri"])
        self.assertGreater(status["bytes"], 0)
        self.assertGreaterEqual(status["elapsed_ms"], 0)
        restored = self.json("restore", "start", *self.blobs, "--backup-folder", status["folder"])
        self.assertEqual(("Succeeded", status["folder"]), (restored["status"], restored["folder"]))
        self.assertGreater(restored["bytes"], 0)

    def test_without_waiting_it_prints_the_job_and_status_follows_it(self):
        job = self.hsm.cli("backup", "start", *self.blobs, "--no-wait").stdout.strip()
        self.assertRegex(job, "^[0-9a-f]{32}$")
        status = bench.wait_until(lambda: self.finished(job), 30, "the backup")
        self.assertEqual("Succeeded", status["status"])
        self.assertIn(job, self.hsm.cli("job", "list").stdout)

    def finished(self, job):
        status = self.json("backup", "status", "--job-id", job)
        return status if status["status"] != "InProgress" else None

    def test_errors_are_json_too(self):
        error = self.json("key", "show", "--name", "none", code=4)["error"]
        self.assertTrue(error["code"] and error["message"])

    def test_keys_roles_and_state_are_what_the_interface_answers(self):
        self.assertEqual(self.hsm.rest.get("/keys/ec"), self.json("key", "show", "--name", "ec"))
        self.assertEqual("active", self.json("status")["state"])
        self.assertEqual(1, len(self.json("key", "list")["value"]))
        self.assertTrue(self.json("role", "definition", "list")["value"])


class Jobs(bench.Case):
    """A limit, progress, and the end of a job before its end."""
    @classmethod
    def prepare(cls):
        raw = cls.folder / "data.img"
        raw.write_bytes(bytes(range(256)) * (12 << 12))
        cls.hsm = cls.bench("--partition", f"data={raw}")
        cls.hsm.create("ec")
        cls.blobs = ("--storage-resource-uri", f"dir:{cls.hsm.blobs}")

    def start(self, *words):
        return self.hsm.cli("backup", "start", *self.blobs, "--no-wait", *words).stdout.strip()

    def status(self, job):
        return self.hsm.rest.get(f"/coffer/jobs/{job}")

    def test_a_limited_job_tells_its_progress(self):
        job = self.start("--limit-rate", "512K", "--connections", "2")
        moving = bench.wait_until(lambda: self.moving(job), 20, "progress")
        self.assertRegex(moving["statusDetails"], r"^\d+(\.\d)? [KM]iB of 12\.\d MiB, \d+(\.\d)? [KM]iB/s, \d+ s left$")
        self.assertEqual("partitions", moving["coffer"]["phase"])
        self.assertLess(moving["coffer"]["doneBytes"], moving["coffer"]["totalBytes"])
        self.hsm.cli("job", "cancel", job)
        ended = self.hsm.cli("job", "wait", job, "--json", code=7)
        self.assertEqual(("", "Canceled"), (ended.stderr, json.loads(ended.stdout)["status"]))

    def moving(self, job):
        status = self.status(job)
        self.assertEqual("InProgress", status["status"])
        return status if "secondsLeft" in status["coffer"] else None

    def test_a_canceled_backup_is_none_and_the_next_one_runs(self):
        job = self.start("--limit-rate", "64K")
        self.hsm.cli("job", "cancel", job, "--as", "crypto-user", code=3)
        self.hsm.cli("job", "cancel", job, "--as", "backup-user")
        self.assertIn("canceled", self.hsm.cli("job", "wait", job, code=7).stderr)
        status = self.status(job)
        self.assertEqual("Canceled", status["status"])
        self.assertIsNone(status["azureStorageBlobContainerUri"])
        self.assertFalse((self.hsm.blobs / status["coffer"]["folder"] / "manifest").exists())
        self.assertIn("ended", self.hsm.cli("job", "cancel", job, code=5).stderr)
        self.hsm.cli("job", "cancel", "0" * 32, code=4)
        self.hsm.cli("job", "cancel", "x", code=2)
        self.hsm.cli("backup", "start", *self.blobs)

    def test_a_canceled_restore_has_changed_nothing_and_ends_restore_mode(self):
        folder = self.hsm.backup(self.hsm.dir_storage)
        self.hsm.create("later")
        job = self.hsm.cli("restore", "start", *self.blobs, "--backup-folder", folder, "--limit-rate", "64K",
                           "--no-wait").stdout.strip()
        self.hsm.cli("job", "cancel", job)
        self.hsm.cli("job", "wait", job, code=7)
        self.hsm.cli("key", "show", "--name", "later")

    def test_the_status_names_the_job_and_how_it_stands_whether_it_is_asked_by_id_or_not(self):
        self.hsm.cli("backup", "start", *self.blobs)
        last = self.hsm.cli("backup", "status").stdout
        self.assertRegex(last, r"^[0-9a-f]{32} Succeeded backup *\ndir:")
        by_id = self.hsm.cli("backup", "status", "--job-id", last.split()[0], "--json").stdout
        self.assertEqual(json.loads(by_id), json.loads(self.hsm.cli("backup", "status", "--json").stdout))
        self.assertIn("coverage", json.loads(by_id)["coffer"])

    def test_who_waits_is_told_that_the_appliance_is_gone_and_sees_the_end_once_it_is_back(self):
        master, terminal = os.openpty()
        follower = subprocess.Popen([bench.COFFER, "backup", "start", "--dir", str(self.hsm.folder), *self.blobs,
                                     "--limit-rate", "64K"], stderr=terminal, stdin=subprocess.DEVNULL)
        os.close(terminal)
        try:
            self.read_until(master, b"backup")  # it follows the job
            self.hsm.kill()
            self.read_until(master, b"no answer from the appliance")
            self.hsm.up()
            self.hsm.cli("job", "cancel", self.running())
            self.assertEqual(7, follower.wait(timeout=60))
        finally:
            follower.kill()
            follower.wait()
            os.close(master)

    def read_until(self, terminal, word):
        said = b""
        for _ in range(1000):
            said += os.read(terminal, 4096)
            if word in said:
                return
        self.fail(f"{word} is not in {said[-200:]}")

    def test_who_comes_second_is_told_how_to_find_the_first(self):
        job = self.start("--limit-rate", "64K")
        self.assertIn("coffer job list", self.hsm.cli("backup", "start", *self.blobs, code=5).stderr)
        self.hsm.cli("job", "cancel", job)
        self.hsm.cli("job", "wait", job, code=7)

    def test_a_storage_that_never_answers_is_told_while_it_is_waited_for(self):
        port = bench.free_port()
        sas = "sv=2022-11-02&sr=c&sp=crdw&se=2099-01-01T00:00:00Z&sig=eA%3D%3D"
        job = self.hsm.cli("backup", "start", "--storage-resource-uri", f"http://127.0.0.1:{port}/acct/none",
                           "--storage-container-SAS-token", sas, "--no-wait").stdout.strip()
        said = bench.wait_until(lambda: self.status(job)["statusDetails"], 60, "the reason")
        self.assertRegex(said, "^waiting for the storage since .*, which has not answered yet: .*connect")
        self.hsm.cli("job", "cancel", job)
        self.hsm.cli("job", "wait", job, code=7)

    def test_an_interrupt_leaves_the_job_running_and_says_how_to_go_on(self):
        follower = subprocess.Popen([bench.COFFER, "backup", "start", "--dir", str(self.hsm.folder), *self.blobs,
                                     "--limit-rate", "64K"], stderr=subprocess.PIPE, text=True)
        job = bench.wait_until(self.running, 30, "the job")
        for _ in range(100):  # one that comes before the first poll ends the program without a word
            follower.send_signal(signal.SIGINT)
            try:
                follower.wait(0.1)
                break
            except subprocess.TimeoutExpired:
                pass
        said = follower.communicate(timeout=30)[1]
        self.assertIn(follower.returncode, (130, -signal.SIGINT))
        if follower.returncode == 130:
            self.assertIn(f"coffer job wait {job} --dir {self.hsm.folder}", said)
        self.assertIn(f"{job} InProgress", self.hsm.cli("job", "status", job).stdout)
        self.hsm.cli("job", "cancel", job)
        self.hsm.cli("job", "wait", job, code=7)

    def running(self):
        listed = json.loads(self.hsm.cli("job", "list", "--json").stdout)["value"]
        return next((job["jobId"] for job in listed if job["status"] == "InProgress"), None)

    def test_wrong_choices_are_refused(self):
        for flag, value in (("--limit-rate", "fast"), ("--limit-rate", "10T"), ("--limit-rate", "M"),
                            ("--limit-rate", ""), ("--limit-rate", "1K"), ("--connections", "two"),
                            ("--connections", "0"), ("--connections", "65")):
            with self.subTest(flag=flag, value=value):
                self.assertIn(flag, self.hsm.cli("backup", "start", *self.blobs, flag, value, code=2).stderr)


class Up(bench.Case):
    def test_up_and_down_may_be_repeated(self):
        hsm = self.bench(name="again")
        hsm.create("ec")
        taken = run_coffer("bench", "up", "--dir", str(self.folder / "second"), "--name", "second", "--port", str(hsm.port))
        self.assertEqual(1, taken.returncode)
        self.assert_says(taken.stderr, "cannot listen on port", str(hsm.port), "in use")
        run_coffer("bench", "down", "--dir", str(self.folder / "second"))
        facts = dict(hsm.facts)
        self.assertEqual({"HSM_URL", "HSM_CA", "HSM_NAME", "HSM_AUTHORITY", "HSM_TENANT", "HSM_PID", "HSM_WORKER_PID"},
                         set(facts))
        done = run_coffer("bench", "up", "--dir", str(hsm.folder))
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual(facts, dict(line.split("=", 1) for line in done.stdout.splitlines()))
        before = hsm.state()
        for _ in range(2):
            self.assertEqual(0, hsm.down().returncode)
        self.assertFalse(bench.alive(hsm.pid))
        hsm.up()
        self.assert_same(before, hsm.state())

    def test_up_after_kill_9_has_everything(self):
        hsm = self.bench(name="killed")
        hsm.create("ec")
        before = hsm.state()
        hsm.kill()
        self.assertEqual(0, hsm.down().returncode)
        hsm.up()
        self.assert_same(before, hsm.state())

    def test_a_missing_audit_partition_is_told_and_never_replaced(self):
        hsm = self.bench(name="audit")
        image, kept = hsm.folder / "audit.img", hsm.folder / "kept.img"
        self.assertEqual(0, hsm.down().returncode)
        image.rename(kept)
        done = run_coffer("bench", "up", "--dir", str(hsm.folder))
        self.assertNotEqual(0, done.returncode)
        self.assert_says(done.stderr, str(image), "missing", "put an empty one there")
        self.assertFalse(image.exists())
        kept.rename(image)
        hsm.up()
        self.assertEqual(0, hsm.down().returncode)
        image.rename(kept)
        image.touch()
        hsm.up()
        self.assertIn("audit-log-begun-anew", hsm.log())

    def test_fresh_starts_anew(self):
        hsm = self.bench(name="fresh")
        hsm.create("ec")
        again = bench.Bench(hsm.folder, "--fresh", name="fresh")
        self.assertEqual({}, again.state()["keys"])

    def test_two_run_side_by_side(self):
        one, two = self.bench(name="one"), self.bench(name="two")
        one.create("ec")
        self.assertEqual({}, two.state()["keys"])
        self.assertEqual(one.principal("admin")["object_id"], two.principal("admin")["object_id"])
        self.assertEqual(401, two.rest.call("GET", "/keys", token=one.token("admin")).status)

    def test_without_activation_it_waits_for_its_security_domain(self):
        hsm = self.bench("--no-activate", name="waits")
        self.assertEqual("provisioned", hsm.status()["state"])
        self.assertFalse((hsm.folder / "security-domain.json").exists())
        answer = hsm.rest.call("GET", "/keys")
        self.assertIn(answer.status, (403, 409))
        self.assertIn("security domain", answer.message.lower())
        for who in ("backup-user", "crypto-user", "auditor", "nobody"):
            self.assertTrue(hsm.token(who))
        officers = [str(hsm.folder / "officers" / f"officer{i}.cer") for i in (1, 2, 3)]
        sd = hsm.folder / "sd.json"
        hsm.cli("security-domain", "download", "--sd-wrapping-keys", *officers, "--sd-quorum", "2",
                "--security-domain-file", str(sd))
        self.assertEqual("active", hsm.status()["state"])
        self.assertTrue(json.loads(sd.read_text()))
        hsm.cli("security-domain", "download", "--sd-wrapping-keys", *officers, "--sd-quorum", "2",
                "--security-domain-file", str(sd), code=None)

    def test_what_cannot_be_is_refused_with_words(self):
        for words in (("--name", "x"), ("--name", "UPPER"), ("--name", "ok1", "--partition", "nofile"),
                      ("--name", "ok1", "--set", "no.such=1"), ("--name", "ok1", "--module", "/nonexistent.so")):
            with self.subTest(words=words):
                folder = self.folder / "never"
                done = run_coffer("bench", "up", "--dir", str(folder), "--port", str(bench.free_port()), *words)
                self.addCleanup(run_coffer, "bench", "down", "--dir", str(folder))
                self.assertNotEqual(0, done.returncode)
                self.assertTrue(done.stderr.startswith("coffer bench up:"), done.stderr)


if __name__ == "__main__":
    bench.main()
