"""kill -9 of cofferd at random moments of backups and restores: old state or new state, whole; the next run succeeds."""
import pathlib
import statistics
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench

ROUNDS = 50


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

    def test_a_backup_that_is_killed_leaves_everything_as_it_was(self):
        random = bench.seed_of("crash of backups")
        span = self.duration(lambda: self.hsm.backup(self.hsm.dir_storage))
        acknowledged = []
        for n in range(bench.rounds(ROUNDS)):
            with self.subTest(round=n):
                before = self.hsm.state(raw=[self.raw])
                creating = Creating(self.hsm, f"k{n}")
                creating.start()
                started = self.hsm.start("POST", "/backup", self.hsm.dir_storage)
                self.assertEqual(202, started.status, started.message)
                self.crash(random.uniform(0, 1.2 * span))
                creating.enough.set()
                creating.join(15)
                acknowledged += creating.made
                after = self.hsm.state(raw=[self.raw])
                for kid in acknowledged:
                    name, version = kid.rsplit("/", 2)[1:]
                    self.assertIn(version, after["keys"].get(name, {}).get("versions", {}), f"{kid} was acknowledged")
                gone = [line for line in bench.state.compare(before, after) if not line.endswith(": new")]
                self.assertEqual([], gone)
                job = self.hsm.rest.get(f"/backup/{started.json['jobId']}/pending")
                self.assertIn(job["status"], ("Succeeded", "Failed"))
                if job["status"] == "Failed":
                    self.assertEqual("Interrupted", job["error"]["code"])
                    self.assert_says(job["error"]["message"], "stopped", "start it again")
                self.hsm.backup(self.hsm.dir_storage)
            if len(acknowledged) > 60:
                for name in {kid.rsplit("/", 2)[1] for kid in acknowledged}:
                    self.hsm.delete(name, purge=True)
                acknowledged = []
        last = self.hsm.backup(self.hsm.dir_storage)
        whole = self.hsm.state(raw=[self.raw])
        self.hsm.delete("one", purge=True)
        self.assertEqual("Succeeded", self.hsm.restore(self.hsm.dir_storage, last)["status"])
        self.assert_same(whole, self.hsm.state(raw=[self.raw]))

    def test_a_restore_that_is_killed_leaves_the_old_state_or_the_new_one(self):
        random = bench.seed_of("crash of restores")
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
        at, kept = 0, 0
        for n in range(bench.rounds(ROUNDS)):
            with self.subTest(round=n):
                to = 1 - at
                started = self.hsm.start_restore(self.hsm.dir_storage, folders[to])
                self.assertEqual(202, started.status, started.message)
                self.crash(random.uniform(0, 1.2 * span))
                after = self.hsm.state(raw=[self.raw])
                differences = [bench.state.compare(one, after) for one in states]
                self.assertIn([], differences, "neither the old state nor the new one")
                flipped = differences[to] == []
                kept += not flipped
                job = self.hsm.rest.get(f"/restore/{started.json['jobId']}/pending")
                self.assertEqual("Succeeded" if flipped else "Failed", job["status"], job)
                self.restored(folders[to])
                self.assert_same(states[to], self.hsm.state(raw=[self.raw]))
                at = to
        print(f"{kept} kills before the flip", flush=True)

    def restored(self, folder):
        status = self.hsm.restore(self.hsm.dir_storage, folder)
        self.assertEqual("Succeeded", status["status"], status)


if __name__ == "__main__":
    bench.main()
