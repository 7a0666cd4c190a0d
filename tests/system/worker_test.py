"""The token worker is killed, and made to hang, under load: the appliance goes on, and so do its jobs."""
import os
import pathlib
import signal
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench

THREADS = 4


class Load:
    """Signs without pause in some threads; counts what was answered how."""

    def __init__(self, hsm):
        self.hsm, self.counts, self.lock = hsm, {}, threading.Lock()
        self.stop = threading.Event()
        hsm.token("admin")
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(THREADS)]

    def run(self):
        rest = bench.Rest(self.hsm.url, self.hsm.ca, self.hsm.token("admin"), timeout=60)
        body = {"alg": "ES256", "value": bench.b64url(bytes(32))}
        while not self.stop.is_set():
            answer = rest.call("POST", "/keys/ec/sign", body)
            with self.lock:
                self.counts[answer.status] = self.counts.get(answer.status, 0) + 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        bench.wait_until(lambda: self.counts.get(200, 0) > 20, 30, "load")
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(60)

    def goes_on(self, seconds):
        """Until each thread has been answered well many times more."""
        seen = self.counts.get(200, 0)
        bench.wait_until(lambda: self.counts.get(200, 0) > seen + 50, seconds, f"good answers: {self.counts}")


class Worker(bench.Case):
    @classmethod
    def prepare(cls):
        cls.hsm = cls.bench("--set", "token.deadline_ms=1500")
        cls.hsm.create("ec")
        cls.signature = cls.hsm.sign("ec")
        cls.before = cls.hsm.state()

    def tearDown(self):
        self.assert_same(self.before, self.hsm.state())
        self.assertTrue(self.hsm.verifies(self.signature))
        self.assertEqual(self.hsm.pid, self.hsm.status()["pid"])

    def worker(self):
        return self.hsm.status()["worker_pid"]

    def test_a_killed_worker_is_replaced_under_load(self):
        restarts = self.hsm.status()["worker_restarts"]
        with Load(self.hsm) as load:
            for _ in range(3):
                old = self.worker()
                os.kill(old, signal.SIGKILL)
                load.goes_on(20)
                self.assertNotEqual(old, self.worker())
        self.assertGreaterEqual(self.hsm.status()["worker_restarts"], restarts + 3)
        self.assertLessEqual(set(load.counts), {200, 500, 503}, load.counts)

    def test_a_hanging_worker_is_replaced_under_load(self):
        with Load(self.hsm) as load:
            old = self.worker()
            os.kill(old, signal.SIGSTOP)
            load.goes_on(30)
        self.assertFalse(bench.alive(old))
        self.assertLessEqual(set(load.counts), {200, 500, 503}, load.counts)

    def test_what_needs_no_token_is_answered_while_the_worker_hangs(self):
        old = self.worker()
        os.kill(old, signal.SIGSTOP)
        try:
            self.assertEqual(200, self.hsm.rest.call("GET", "/keys/ec").status)
        finally:
            bench.wait_until(lambda: self.hsm.rest.call("POST", "/keys/ec/sign", {
                "alg": "ES256", "value": bench.b64url(bytes(32))}).status == 200, 30, "a new worker")

    def test_a_backup_survives_or_ends_with_words_and_the_next_one_succeeds(self):
        for kind in (signal.SIGKILL, signal.SIGSTOP):
            started = self.hsm.start("POST", "/backup", self.hsm.dir_storage)
            os.kill(self.worker(), kind)
            status = self.hsm.wait(started)
            if status["status"] == "Failed":
                self.assert_says(status["error"]["message"], "token")
            folder = self.hsm.backup(self.hsm.dir_storage)
            self.assertEqual("Succeeded", self.hsm.restore(self.hsm.dir_storage, folder)["status"])


if __name__ == "__main__":
    bench.main()
