"""coffer's exit codes and JSON where scripts would be misled: local mistakes, lists of several pages, verdicts."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench
from bench import run_coffer

DIGEST = bench.b64url(bytes(32))


class Cli(bench.Case):
    @classmethod
    def prepare(cls):
        cls.hsm = cls.bench()
        cls.hsm.create("ec")

    def json(self, *words, code=0):
        return json.loads(self.hsm.cli(*words, "--json", code=code).stdout)

    def test_a_list_of_several_pages_is_one_document(self):
        for i in range(30):
            self.hsm.create(f"many{i}")
        names = [item["kid"].rsplit("/", 1)[1] for item in self.json("key", "list")["value"]]
        self.assertEqual(31, len(set(names)))

    def test_an_answer_without_a_body_is_an_empty_object(self):
        self.hsm.create("gone")
        self.hsm.delete("gone")
        self.assertEqual({}, self.json("key", "purge", "--name", "gone"))

    def test_a_false_verdict_is_9_in_json_too(self):
        words = ("--name", "ec", "--algorithm", "ES256", "--digest", DIGEST)
        good = self.hsm.cli("key", "sign", *words).stdout.strip()
        bad = ("A" if good[0] != "A" else "B") + good[1:]
        self.assertEqual({"value": True}, self.json("key", "verify", *words, "--signature", good))
        self.assertEqual({"value": False}, self.json("key", "verify", *words, "--signature", bad, code=9))

    def test_errors_carry_the_appliances_own_code(self):
        self.assertEqual("KeyNotFound", self.json("key", "show", "--name", "none", code=4)["error"]["code"])
        self.assertEqual("AccessDenied", self.json("key", "list", "--as", "nobody", code=3)["error"]["code"])

    def test_a_wrong_command_line_is_json_too_where_json_is_asked_for(self):
        for words in (("key", "show"), ("key", "show", "--bogus"), ("no", "such"), ("key", "show", "a", "b")):
            done = run_coffer(*words, "--json")
            self.assertEqual((2, "usage"), (done.returncode, json.loads(done.stdout)["error"]["code"]), words)

    def test_a_value_that_is_none_is_2_and_names_its_flag(self):
        for flag, value in (("--disabled", "maybe"), ("--expires", "tomorrow"), ("--not-before", "x"), ("--size", "1x")):
            done = self.hsm.cli("key", "create", "--name", "never", "--kty", "EC-HSM", flag, value, code=2)
            self.assertIn(flag, done.stderr)
        self.hsm.cli("key", "show", "--name", "never", code=4)
        self.hsm.cli("backup", "status", "--job-id", "x y", code=2)

    def test_a_bench_without_a_port_is_refused_before_it_is_made(self):
        folder = self.folder / "portless"
        done = run_coffer("bench", "up", "--dir", str(folder), "--name", "none", "--port", "0")
        self.assertNotEqual(0, done.returncode)
        self.assertIn("--port", done.stderr)
        self.assertFalse((folder / "bench.json").exists())

    def test_a_role_for_a_name_that_is_nobodys_is_refused(self):
        done = self.hsm.cli("role", "assignment", "create", "--role", "Managed HSM Crypto User",
                            "--assignee", "cryptouser", code=2)
        self.assertIn("cryptouser", done.stderr)

    def test_an_unknown_principal_is_named_as_such(self):
        done = run_coffer("bench", "token", "--dir", str(self.hsm.folder), "bob")
        self.assertEqual(4, done.returncode)
        self.assertIn("no principal", done.stderr)
        done = self.hsm.cli("owner", "add-administrator", "--administrator", "me", code=1)
        self.assertIn("object id", done.stderr)

    def test_a_token_or_an_authority_that_does_not_fit_is_told_with_the_cure(self):
        token = self.folder / "token"
        token.write_text(run_coffer("bench", "token", "--dir", str(self.hsm.folder), "admin", "--expires-in", "-600").stdout)
        url = f"https://localhost:{self.hsm.port}"
        old = run_coffer("key", "list", "--id", url, "--cacert", str(self.hsm.ca), "--token-file", str(token))
        self.assertEqual(3, old.returncode, old.stderr)
        self.assertIn("expired", old.stderr)
        stranger = run_coffer("key", "list", "--id", url, "--token-file", str(token))
        self.assertEqual(6, stranger.returncode, stranger.stderr)
        self.assertIn("--cacert", stranger.stderr)

    def test_a_local_file_is_neither_absent_on_the_appliance_nor_the_appliance_unreachable(self):
        self.assertEqual(1, run_coffer("key", "list", "--id", self.hsm.url, "--token-file", "/nonexistent").returncode)


class Activation(bench.Case):
    def test_nothing_is_activated_where_the_document_cannot_be_written(self):
        hsm = self.bench("--no-activate", name="waits")
        officers = [str(hsm.folder / "officers" / f"officer{i}.cer") for i in (1, 2, 3)]
        words = ("security-domain", "download", "--sd-wrapping-keys", *officers, "--sd-quorum", "2",
                 "--security-domain-file")
        done = hsm.cli(*words, "/nonexistent/sd.json", code=1)
        self.assertIn("/nonexistent/sd.json", done.stderr)
        self.assertEqual("provisioned", hsm.status()["state"])
        sd = hsm.folder / "sd.json"
        hsm.cli(*words[:-1], "--security-domain-file", str(sd), "--as", "nobody", code=3)
        self.assertFalse(sd.exists(), "a refused download leaves no file behind")
        made = json.loads(hsm.cli(*words, str(sd), "--json").stdout)
        self.assertEqual({"file": str(sd), "officers": 3, "required": 2}, made)
        self.assertEqual(2, json.loads(sd.read_text())["SharedKeys"]["required"])
        hsm.cli(*words, str(sd), code=2)


if __name__ == "__main__":
    bench.main()
