"""tools/dev bench runs: small sizes, one round; every figure is there and none is judged."""
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench

TOOL = bench.ROOT / "tools" / "bench"
sys.path.insert(0, str(TOOL))
import figures  # noqa: E402


class Measure(bench.Case):
    def test_a_short_run_measures_every_figure_and_exits_well_whatever_they_are(self):
        # Without restic, whose password hashing takes seconds.
        done = subprocess.run([sys.executable, "-B", str(TOOL / "measure.py"), "all", "--mib", "16", "--keys", "100", "--rounds", "1",
                               "--seconds", "0.1", "--peers", "rclone,age", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=280, check=False)
        self.assertEqual(0, done.returncode, done.stderr)
        found = json.loads(done.stdout)
        left_out = {note.split()[0] for note in found["notes"] if "left out" in note}
        for figure in figures.FIGURES:
            if figure.key.rsplit("_", 1)[1] not in left_out:
                with self.subTest(figure=figure.key):
                    self.assertIn(figure.key, found["figures"])
        for key, table in found["tables"].items():
            for name, row in table["rows"].items():
                with self.subTest(table=key, row=name):
                    self.assertGreater(row["seconds"]["least"], 0)


if __name__ == "__main__":
    bench.main()
