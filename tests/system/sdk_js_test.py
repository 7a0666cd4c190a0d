"""The Azure SDK for JavaScript: identity by the built-in authority, keys and signatures (sdk_js.cjs does it)."""
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench


class JavaScript(bench.Case):
    @classmethod
    def prepare(cls):
        if not shutil.which("node") or not (bench.NODE_MODULES / "@azure" / "keyvault-keys").exists():
            raise unittest.SkipTest("@azure/keyvault-keys is not installed; tools/dev test installs it in build/node")
        cls.hsm = cls.bench()

    def test_keys_are_made_used_listed_and_deleted(self):
        who = self.hsm.principal("admin")
        env = dict(os.environ, NODE_EXTRA_CA_CERTS=self.hsm.ca, NODE_PATH=str(bench.NODE_MODULES), HSM_URL=self.hsm.url,
                   HSM_AUTHORITY=self.hsm.facts["HSM_AUTHORITY"], CLIENT_ID=who["client_id"],
                   CLIENT_SECRET=who["client_secret"])
        program = pathlib.Path(__file__).with_name("sdk_js.cjs")
        done = subprocess.run(["node", str(program)], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=120, check=False)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertEqual("made listed signed purged", " ".join(done.stdout.split()))
        self.assertEqual({}, self.hsm.state()["keys"])


if __name__ == "__main__":
    bench.main()
