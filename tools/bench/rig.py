"""What is measured: an appliance with a raw partition on tmpfs, storage servers, and bare libcurl against the same servers."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "support"))
import bench

from rounds import MIB

CEILING = str(bench.BIN / "coffer-ceiling")
TICKS = os.sysconf("SC_CLK_TCK")
SHM = "/dev/shm"
SERVER_THREADS = "2"
ASK_EVERY = 0.25  # its answer is work for the daemon, too
JOB_SECONDS = 900
ERASED = b"\xff"


# --- what a process takes ---------------------------------------------------------------------


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mib(pid, field):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    raise KeyError(field)


class Meter:
    """CPU-seconds of daemon and token worker, and the daemon's peak above what it held when idle, around one piece of work."""

    def __init__(self, hsm):
        if not bench.alive(hsm.worker):
            hsm.worker = hsm.status()["worker_pid"]
        self.pid, self.pids = hsm.pid, (hsm.pid, hsm.worker)

    def __enter__(self):
        self.idle = memory_mib(self.pid, "VmRSS")
        pathlib.Path(f"/proc/{self.pid}/clear_refs").write_text("5")  # the peak starts anew
        self.before = [cpu_seconds(pid) for pid in self.pids]
        return self

    def __exit__(self, *_):
        self.cpu = sum(cpu_seconds(pid) - was for pid, was in zip(self.pids, self.before))
        self.peak = max(0.0, memory_mib(self.pid, "VmHWM") - self.idle)


def timed(words, env=None):
    """Any other program, to its end: CPU-seconds of all processes it has started and waited for, and the peak of the largest."""
    start = time.monotonic()
    process = subprocess.Popen(words, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    words_of_it = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode:
        raise SystemExit(f"{words[0]} failed: {words_of_it.decode(errors='replace')[-2000:]}")
    return {"seconds": time.monotonic() - start, "cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss / 1024}


# --- data -------------------------------------------------------------------------------------


def write_data(path, size, erased_tenths=0):
    """`size` bytes, in place: of every ten extents of 1 MiB so many erased, the rest random."""
    path.touch()
    with open(path, "r+b") as handle, open("/dev/urandom", "rb") as random:
        for n in range(size // MIB):
            handle.write(ERASED * MIB if n % 10 < erased_tenths else random.read(MIB))


def certificate(folder):
    cert, key = folder / "storage.pem", folder / "storage.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                    "-subj", "/CN=storage", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)],
                   check=True, stderr=subprocess.DEVNULL)
    return cert, key


# --- the appliance, its storage and the limit ---------------------------------------------------


class Rig:
    """One appliance with a raw partition of `size` bytes (0: none). Everything lies in one folder that goes at the end."""

    def __init__(self, stack, size, where=SHM):
        self.folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="coffer-bench.", dir=where)))
        self.stack, self.size, self.raw, self.tls = stack, size, self.folder / "data.img", certificate(self.folder)
        options = ["--storage-ca", str(self.tls[0])]
        if size:
            write_data(self.raw, size)
            options += ["--partition", f"data={self.raw}"]
        stack.callback(bench.run_coffer, "bench", "down", "--dir", str(self.folder / "hsm"))
        self.hsm = bench.Bench(self.folder / "hsm", *options)

    def server(self, tls, *options):
        server = bench.BlobServer("--threads", SERVER_THREADS, *options, tls=self.tls if tls else None)
        self.stack.callback(server.stop)
        return server

    def ca(self, tls):
        return self.tls[0] if tls else None

    def job(self, start):
        """A job to its end; seconds as the appliance measures them, from the request to the committed result."""
        with Meter(self.hsm) as meter:
            status = self.hsm.wait(start(), seconds=JOB_SECONDS, every=ASK_EVERY)
        if status["status"] != "Succeeded":
            raise SystemExit(f"the job failed: {status['error']}")
        more = status["coffer"]
        return {"seconds": max(more["elapsedMs"], 1) / 1000, "wire": more["bytes"], "cpu": meter.cpu, "peak": meter.peak,
                "folder": more["folder"]}

    def backup(self, server, connections=None):
        body = server.storage()
        if connections:
            body["coffer"] = {"connections": connections}
        return self.job(lambda: self.hsm.start("POST", "/backup", body))

    def restore(self, server, folder, connections=None):
        body = {"sasTokenParameters": server.storage(), "folderToRestore": folder}
        if connections:
            body["coffer"] = {"connections": connections}
        return self.job(lambda: self.hsm.start("PUT", "/restore", body))


def bare_libcurl(server, connections, put=None, size=0, ca=None):
    """coffer-ceiling: libcurl and nothing else, with one thread or two, moves the same bytes."""
    words = [CEILING, "--url", f"{server.uri}/bare", "--sas", server.storage()["token"], "--connections", str(connections),
             "--threads", str(min(connections, 2)), *(["--put", str(put)] if put else ["--size", str(size)]),
             *(["--cacert", str(ca)] if ca else [])]
    found = json.loads(subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout)
    return {"seconds": found["seconds"], "cpu": found["cpu_seconds"]}
