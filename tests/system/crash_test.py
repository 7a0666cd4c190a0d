"""kill -9 of cofferd at random moments of backups and restores: the next start brings the job to its end, under its id;
what was acknowledged is there."""
import pathlib
import random
import statistics
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench

ROUNDS = 40
BLOCKS = 5


class Creating(threading.Thread):
    """Creates keys, one behind the other, until the appliance is gone; remembers which were acknowledged."""

    def __init__(self, hsm, prefix):
        super().__init__(daemon=True)
        self.rest = bench.Rest(hsm.url, hsm.ca, hsm.token("admin"), timeout=10)
        self.prefix, self.made = prefix, []
        self.enough = threading.Event()

    def run(self):
        for n in range(10):
            if self.enough.is_set():
                return
            try:
                answer = self.rest.call("POST", f"/keys/{self.prefix}-{n}/create", {"kty": "oct-HSM", "key_size": 128})
            except OSError:
                return
            if answer.status == 200:
                self.made.append(answer.json["key"]["kid"])


class Crash(bench.Case):
    @classmethod
    def prepare(cls):
        cls.raw = cls.folder / "data.img"
        cls.write_raw(1)
        cls.hsm = cls.bench("--partition", f"data={cls.raw}")
        for name in ("one", "two", "three"):
            cls.hsm.create(name, kty="EC-HSM", crv="P-256", tags={"name": name})
        cls.hsm.delete("three")

    @classmethod
    def write_raw(cls, seed):
        with open(cls.raw, "r+b" if cls.raw.exists() else "wb") as handle:
            handle.write(bytes((seed + i) % 251 for i in range(4096)) * 512)

    def duration(self, run):
        spans = []
        for _ in range(3):
            start = time.monotonic()
            run()
            spans.append(time.monotonic() - start)
        return statistics.median(spans)

    def crash(self, after):
        """Kills it `after` seconds from now and starts it again; the worker must not outlive it."""
        time.sleep(after)
        worker = self.hsm.worker
        self.hsm.kill()
        bench.wait_until(lambda: not bench.alive(worker), 10, "the worker of a killed cofferd is gone")
        self.hsm.up()

    def ended(self, kind, job):
        """The end of a job that the appliance took up by itself."""
        def status():
            now = self.hsm.rest.get(f"/{kind}/{job}/pending")
            return now if now["status"] in bench.TERMINAL else None

        return bench.wait_until(status, 60, f"the end of job {job}")

    def test_a_backup_that_is_killed_goes_on_and_leaves_everything_as_it_was(self):
        dice = bench.seed_of("crash of backups")
        span = self.duration(lambda: self.hsm.backup(self.hsm.dir_storage))
        acknowledged = []
        for n in range(bench.rounds(ROUNDS)):
            with self.subTest(round=n):
                before = self.hsm.state(raw=[self.raw])
                creating = Creating(self.hsm, f"k{n}")
                creating.start()
                started = self.hsm.start("POST", "/backup", self.hsm.dir_storage)
                self.assertEqual(202, started.status, started.message)
                self.crash(dice.uniform(0, 1.2 * span))
                creating.enough.set()
                creating.join(15)
                acknowledged += creating.made
                job = self.ended("backup", started.json["jobId"])
                self.assertEqual("Succeeded", job["status"], job)
                after = self.hsm.state(raw=[self.raw])
                for kid in acknowledged:
                    name, version = kid.rsplit("/", 2)[1:]
                    self.assertIn(version, after["keys"].get(name, {}).get("versions", {}), f"{kid} was acknowledged")
                gone = [line for line in bench.state.compare(before, after) if not line.endswith(": new")]
                self.assertEqual([], gone)
                folder = job["azureStorageBlobContainerUri"].rsplit("/", 1)[1]
                self.assertTrue((self.hsm.blobs / folder / "manifest").exists())
                self.hsm.backup(self.hsm.dir_storage)
            if len(acknowledged) > 60:
                for name in {kid.rsplit("/", 2)[1] for kid in acknowledged}:
                    self.hsm.delete(name, purge=True)
                acknowledged = []
        folders = [f for f in self.hsm.blobs.iterdir() if f.name.startswith("mhsm-")]
        self.assertEqual([], [f.name for f in folders if not (f / "manifest").exists()], "one folder a job")
        last = self.hsm.backup(self.hsm.dir_storage)
        whole = self.hsm.state(raw=[self.raw])
        self.hsm.delete("one", purge=True)
        self.assertEqual("Succeeded", self.hsm.restore(self.hsm.dir_storage, last)["status"])
        self.assert_same(whole, self.hsm.state(raw=[self.raw]))

    def test_a_backup_over_a_slow_link_goes_on_after_a_kill_and_after_a_stop(self):
        raw = self.folder / "large.img"
        raw.write_bytes(random.Random(1).randbytes(8 << 20) * BLOCKS)
        server = self.blobserver("--rate-bytes", str(32 << 20))
        hsm = self.bench("--partition", f"large={raw}", "--set", "storage.connections=1", name="slow")
        hsm.create("one")
        for stop in (hsm.kill, hsm.down):
            with self.subTest(stop=stop.__name__):
                server.control("DELETE", "_stats")
                before = hsm.state(raw=[raw])
                started = hsm.start("POST", "/backup", server.storage())
                self.assertEqual(202, started.status, started.message)
                bench.wait_until(lambda: server.stats().get("PutBlock.ok", 0) >= 3 + 2, 30, "two blocks of five are there")
                stop()
                hsm.up()
                job = bench.wait_until(lambda: self.status_if_ended(hsm, started.json["jobId"]), 60, "the end of the job")
                self.assertEqual("Succeeded", job["status"], job)
                self.assertLessEqual(server.stats()["PutBlock"], 3 + BLOCKS + 1, "one block at most was in flight")
                hsm.delete("one", purge=True)
                folder = job["azureStorageBlobContainerUri"].rsplit("/", 1)[1]
                self.assertEqual("Succeeded", hsm.restore(server.storage(), folder)["status"])
                self.assert_same(before, hsm.state(raw=[raw]))

    @staticmethod
    def status_if_ended(hsm, job):
        status = hsm.rest.get(f"/backup/{job}/pending")
        return status if status["status"] in bench.TERMINAL else None

    def test_a_restore_that_is_killed_goes_on(self):
        dice = bench.seed_of("crash of restores")
        folders, states = [], []
        for n in range(2):
            self.write_raw(10 + n)
            self.hsm.create(f"only{n}")
            if n:
                self.hsm.delete("only0", purge=True)
            states.append(self.hsm.state(raw=[self.raw]))
            folders.append(self.hsm.backup(self.hsm.dir_storage))
        sides = iter([0, 1, 0])
        span = self.duration(lambda: self.restored(folders[next(sides)]))
        at = 0
        for n in range(bench.rounds(ROUNDS)):
            with self.subTest(round=n):
                to = 1 - at
                started = self.hsm.start_restore(self.hsm.dir_storage, folders[to])
                self.assertEqual(202, started.status, started.message)
                self.crash(dice.uniform(0, 1.2 * span))
                job = self.ended("restore", started.json["jobId"])
                self.assertEqual("Succeeded", job["status"], job)
                self.assert_same(states[to], self.hsm.state(raw=[self.raw]))
                at = to

    def restored(self, folder):
        status = self.hsm.restore(self.hsm.dir_storage, folder)
        self.assertEqual("Succeeded", status["status"], status)


if __name__ == "__main__":
    bench.main()
