"""What keeps an appliance from starting: each cause is named, costs nothing that is kept, and has a cure."""
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench
from bench import run_coffer


class Start(bench.Case):
    @classmethod
    def prepare(cls):
        cls.hsm = cls.bench()
        cls.hsm.create("ec")

    def tearDown(self):
        self.hsm.up()
        self.assertIn("ec", self.hsm.state()["keys"])

    def refused(self, *options):
        """bench up that must fail; what it said."""
        done = run_coffer("bench", "up", "--dir", str(self.hsm.folder), *options)
        self.assertNotEqual(0, done.returncode)
        return done.stderr

    def test_a_port_that_another_appliance_has_is_not_shared(self):
        other = self.bench(name="other")
        self.hsm.down()
        self.assertIn("Address already in use", self.refused("--port", str(other.port)))
        self.assertEqual(200, other.rest.call("GET", "/keys").status)

    def test_a_second_daemon_on_the_same_folders_starts_nothing_and_disturbs_nothing(self):
        done = subprocess.run([str(bench.BIN / "cofferd"), "--config", str(self.hsm.folder / "cofferd.conf")], capture_output=True, text=True, timeout=60,
                              check=False)
        self.assertNotEqual(0, done.returncode)
        self.assertIn("has a writer already", done.stdout + done.stderr)
        self.hsm.create("beside")  # the first one serves, by its port and by its socket
        socket = str(self.hsm.folder / "cofferd.sock")
        self.assertEqual(0, run_coffer("backup", "freshness", "--socket", socket).returncode)

    def test_a_setting_that_did_not_come_up_is_not_kept(self):
        self.assertIn("no.such", self.refused("--set", "no.such=1"))

    def test_an_appliance_that_lost_its_pin_gets_no_second_token(self):
        pin, away = self.hsm.folder / "token" / "pin", self.hsm.folder / "pin.away"
        self.hsm.down()
        pin.rename(away)
        tokens = sorted(path.name for path in (self.hsm.folder / "token" / "tokens").iterdir())
        self.assertIn("PIN", self.refused())
        self.assertEqual(tokens, sorted(path.name for path in (self.hsm.folder / "token" / "tokens").iterdir()))
        away.rename(pin)

    def test_a_refused_pin_is_tried_once_and_again_when_its_file_is_written_anew(self):
        pin = self.hsm.folder / "token" / "pin"
        good = pin.read_bytes()
        self.hsm.down()
        pin.write_text("000000")
        self.assertIn("CKR_PIN_INCORRECT", self.refused())
        self.assertIn("written anew", self.refused())
        self.assertIn("not tried", self.refused())
        pin.write_bytes(good)

    def test_a_key_that_is_not_the_certificates_is_named(self):
        key = self.hsm.folder / "tls" / "server.key"
        good = key.read_bytes()
        self.hsm.down()
        key.write_bytes((self.hsm.folder / "tls" / "ca.key").read_bytes())
        self.assertIn("not that of its certificate", self.refused())
        key.write_text("junk")
        self.assertIn("key is not usable", self.refused())
        key.write_bytes(good)

    def test_a_lost_config_partition_is_said(self):
        config, away = self.hsm.folder / "config", self.hsm.folder / "config.away"
        self.hsm.down()
        config.rename(away)
        config.mkdir(mode=0o700)
        self.assertIn("config", self.refused())
        shutil.rmtree(config)
        away.rename(config)


if __name__ == "__main__":
    bench.main()
