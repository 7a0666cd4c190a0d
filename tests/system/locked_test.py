"""An appliance whose configuration names no PIN file waits for its PIN on the local socket."""
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench


class Locked(bench.Case):
    @classmethod
    def prepare(cls):
        cls.hsm = cls.bench()
        cls.hsm.create("kept")
        cls.hsm.down()
        folder = pathlib.Path(cls.hsm.folder)
        conf = folder / "nopin.conf"
        conf.write_text(re.sub(r'pin_file = ".*"', 'pin_file = ""', (folder / "cofferd.conf").read_text()))
        with open(folder / "nopin.log", "wb") as log:
            cls.daemon = subprocess.Popen([bench.BIN / "cofferd", "--config", conf], stderr=log,
                                          env=dict(os.environ, SOFTHSM2_CONF=folder / "token/softhsm2.conf"))
        cls.addClassCleanup(cls.end)

    @classmethod
    def end(cls):
        cls.daemon.terminate()
        cls.daemon.wait(20)

    def state_is(self, wanted):
        bench.wait_until(lambda: self.state() == wanted, 20, f"state {wanted}")

    def state(self):
        done = bench.run_coffer("status", "--dir", self.hsm.folder)
        found = re.search(r'"state": "(\w+)"', done.stdout)
        return found and found[1]

    def test_a_wrong_pin_leaves_it_locked_and_the_right_one_opens_it(self):
        folder = pathlib.Path(self.hsm.folder)
        self.state_is("locked")
        (folder / "wrong").write_text("not-the-pin\n")
        for _ in range(2):  # each is tried once
            refused = bench.run_coffer("token", "login", "--dir", folder, "--pin-file", folder / "wrong")
            self.assertEqual(3, refused.returncode)
            self.assert_says(refused.stderr, "PIN_INCORRECT")
        self.assertEqual(2, (folder / "nopin.log").read_text().count("token-refused"))
        self.assertIn("pin_refused", bench.run_coffer("status", "--dir", folder).stdout)
        self.assertEqual("locked", self.state())
        self.assertNotIn("not-the-pin", (folder / "nopin.log").read_text())
        right = bench.run_coffer("token", "login", "--dir", folder, "--pin-file", folder / "token/pin")
        self.assertEqual(0, right.returncode, right.stderr)
        self.assertEqual("active", self.state())
        shown = bench.run_coffer("key", "show", "--dir", folder, "--as", "crypto-user", "--name", "kept")
        self.assertEqual(0, shown.returncode, shown.stderr)
        again = bench.run_coffer("token", "login", "--dir", folder, "--pin-file", folder / "token/pin")
        self.assertEqual(5, again.returncode)
        self.assert_says(again.stderr, "open already")


if __name__ == "__main__":
    bench.main()
