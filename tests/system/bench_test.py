"""tools/dev bench runs: small sizes, one round; every figure is there and none is judged."""
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench


class Measure(bench.Case):
    def test_a_short_run_gives_every_figure(self):
        done = subprocess.run([sys.executable, "-B", str(bench.ROOT / "tools" / "bench" / "measure.py"), "all", "--mib", "16",
                               "--keys", "20", "--rounds", "1", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=170, check=False)
        self.assertEqual(0, done.returncode, done.stderr)
        found = json.loads(done.stdout)
        self.assertEqual(5, len(found), list(found))
        for title, rows in found.items():
            for name, row in rows.items():
                with self.subTest(title=title, name=name):
                    self.assertGreater(row["seconds"], 0)


if __name__ == "__main__":
    bench.main()
