"""Bench appliances and storage servers for the system tests: each in a folder and on a port of its own,
each stopped by its process id."""
import base64
import datetime
import hashlib
import hmac
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse
import urllib.request
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from rest import Answer, Refused, Rest  # noqa: E402,F401
import state  # noqa: E402

BIN = pathlib.Path(os.environ.get("CF_BUILD_BIN", ROOT / "build" / "bin"))
COFFER = str(BIN / "coffer")
BLOBSERVER = str(BIN / "coffer-blobserver")
NODE_MODULES = ROOT / "build" / "node" / "node_modules"
OFFICERS = BIN.parent / "tests" / "officers"
SKIPPED = 77

# The account that Azure's emulators share, with its published key.
DEV_ACCOUNT = "devstoreaccount1"
DEV_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

ADMINISTRATOR = "a290e904-7015-4bba-90c8-60543313cdb4"
CRYPTO_OFFICER = "515eb02d-2335-4d2d-92f2-b1cbdf9c3778"
CRYPTO_USER = "21dbd100-6940-42c2-9190-5d6cb909625b"

TERMINAL = ("Succeeded", "Failed", "Canceled")


_claims = []  # sockets whose names say which ports this process has


def free_port():
    """A port below the range that outgoing connections take. It stays with this process while nothing listens there:
    another test looks for one while an appliance of ours restarts."""
    for _ in range(200):
        port = random.SystemRandom().randrange(15000, 32000)
        claim = socket.socket(socket.AF_UNIX)
        with socket.socket() as probe:
            try:
                claim.bind(f"\0coffer-test-port-{port}")
                probe.bind(("127.0.0.1", port))
            except OSError:
                claim.close()
                continue
        _claims.append(claim)
        return port
    raise RuntimeError("no free port")


def wait_until(condition, seconds, what, every=0.02):
    """Polls until condition() is true and returns that; bounded."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(every)
    raise AssertionError(f"not within {seconds} s: {what}")


def seed_of(name):
    """The seed of a random sweep: printed, and taken from COFFER_SEED to repeat a run."""
    seed = int(os.environ.get("COFFER_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"{name}: COFFER_SEED={seed} repeats this run", flush=True)
    return random.Random(seed)


def rounds(many):
    """How often a sweep goes round: `many`, or COFFER_ROUNDS for a longer or shorter one."""
    return int(os.environ.get("COFFER_ROUNDS") or many)


def run_coffer(*words, env=None, timeout=180):
    return subprocess.run([COFFER, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=timeout, env=env, check=False)


def alive(pid):
    """False for a process that is gone, or waits to be reaped."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as handle:
            return handle.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Bench:
    """One appliance, up from the constructor on. Its `admin` is made a Crypto User too, so that one token does all."""

    def __init__(self, folder, *options, name="hsm1", env=None):
        self.folder, self.name, self.port = pathlib.Path(folder), name, free_port()
        self.env, self._tokens = env, {}
        self._lend_officers()
        self.up(*options)
        self.assign("", CRYPTO_USER, "admin", name="c0ffe200-0000-4000-8000-000000000001")

    def _lend_officers(self):
        """RSA keys take seconds to make: the officers of the first appliance serve them all."""
        if not (OFFICERS / "officer3.cer").exists():
            return
        self.folder.mkdir(mode=0o700, exist_ok=True)
        if not (self.folder / "officers").exists():
            shutil.copytree(OFFICERS, self.folder / "officers")

    def _keep_officers(self):
        if not OFFICERS.exists():
            fresh = OFFICERS.with_name(f"officers.{os.getpid()}")
            shutil.copytree(self.folder / "officers", fresh)
            try:
                fresh.rename(OFFICERS)
            except OSError:
                shutil.rmtree(fresh)  # another test was first

    def up(self, *options):
        done = run_coffer("bench", "up", "--dir", str(self.folder), "--name", self.name, "--port", str(self.port),
                          *options, env=self.env)
        if done.returncode != 0:
            raise AssertionError(f"bench up: exit code {done.returncode}: {done.stderr or done.stdout}\n{self.log()}")
        self.facts = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
        self.url, self.ca = self.facts["HSM_URL"], self.facts["HSM_CA"]
        self.pid, self.worker = int(self.facts["HSM_PID"]), int(self.facts["HSM_WORKER_PID"])
        self.rest = Rest(self.url, self.ca, lambda: self.token("admin"))
        self._keep_officers()
        return self

    def down(self):
        self.rest.close()
        return run_coffer("bench", "down", "--dir", str(self.folder))

    def kill(self):
        """kill -9, and gone; never a process that has got the number since."""
        self.rest.close()
        try:
            ours = str(self.folder).encode() in pathlib.Path(f"/proc/{self.pid}/cmdline").read_bytes()
        except FileNotFoundError:
            ours = False
        if ours:
            os.kill(self.pid, signal.SIGKILL)
        wait_until(lambda: not alive(self.pid), 10, "cofferd is gone")

    def log(self):
        path = self.folder / "cofferd.log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def cli(self, *words, code=0):
        """coffer WORDS --dir …; asserts the exit code (None: any)."""
        done = run_coffer(*words, "--dir", str(self.folder))
        if code is not None and done.returncode != code:
            raise AssertionError(f"coffer {' '.join(words)}: exit code {done.returncode}, not {code}\n{done.stdout}{done.stderr}")
        return done

    def token(self, principal, expires_in=None, audience=None):
        """A bearer token, kept for the life of this process unless it is a special one."""
        if expires_in is None and audience is None and principal in self._tokens:
            return self._tokens[principal]
        words = ["bench", "token", principal]
        words += ["--expires-in", str(expires_in)] if expires_in is not None else []
        words += ["--audience", audience] if audience is not None else []
        text = self.cli(*words).stdout.strip()
        if expires_in is None and audience is None:
            self._tokens[principal] = text
        return text

    def principal(self, name):
        return json.loads((self.folder / "principals" / f"{name}.json").read_text())

    def status(self):
        return json.loads(self.cli("status", "--json").stdout)

    def state(self, raw=()):
        return state.capture(self.rest, self.rest, raw)

    def assign(self, scope, role, principal, name=None):
        """Gives a role (its GUID) to a bench principal."""
        body = {"properties": {"roleDefinitionId": f"Microsoft.KeyVault{state.AUTHORIZATION}/roleDefinitions/{role}",
                               "principalId": self.principal(principal)["object_id"]}}
        return self.rest.ask("PUT", f"{scope}{state.AUTHORIZATION}/roleAssignments/{name or uuid.uuid4()}", body)

    # --- keys ---------------------------------------------------------------------------------

    def create(self, name, **body):
        return self.rest.ask("POST", f"/keys/{name}/create", body or {"kty": "EC-HSM", "crv": "P-256"})

    def delete(self, name, purge=False):
        self.rest.ask("DELETE", f"/keys/{name}")
        if purge:
            self.rest.ask("DELETE", f"/deletedkeys/{name}")

    def sign(self, name, text=b"text", alg="ES256"):
        digest = b64url(hashlib.sha256(text).digest())
        answer = self.rest.ask("POST", f"/keys/{name}/sign", {"alg": alg, "value": digest})
        return {"kid": answer["kid"], "alg": alg, "digest": digest, "value": answer["value"]}

    def verifies(self, signature):
        path = signature["kid"][len(self.url):]
        body = {name: signature[name] for name in ("alg", "digest", "value")}
        return self.rest.ask("POST", f"{path}/verify", body)["value"]

    # --- jobs ---------------------------------------------------------------------------------

    def start(self, method, path, body, token=None):
        return self.rest.call(method, path, body, token=token)

    def wait(self, answer, seconds=120, every=0.02):
        """The final status of a job that was accepted."""
        if answer.status != 202:
            raise Refused(answer, "start of a job")
        path = answer.headers["Azure-AsyncOperation"][len(self.url):]

        def ended():
            status = self.rest.get(path, version=None)
            return status if status["status"] in TERMINAL else None
        return wait_until(ended, seconds, f"the end of {path}", every)

    def backup(self, storage):
        """Makes a backup; its folder."""
        status = self.wait(self.start("POST", "/backup", storage))
        if status["status"] != "Succeeded":
            raise AssertionError(f"backup: {status}\n{self.log()}")
        return status["azureStorageBlobContainerUri"].rsplit("/", 1)[1]

    def start_restore(self, storage, folder, key=None):
        if key:
            return self.start("PUT", f"/keys/{key}/restore", {"sasTokenParameters": storage, "folder": folder})
        return self.start("PUT", "/restore", {"sasTokenParameters": storage, "folderToRestore": folder})

    def restore(self, storage, folder, key=None):
        """The final status, whatever it is."""
        return self.wait(self.start_restore(storage, folder, key))

    # --- a directory as storage -----------------------------------------------------------------

    @property
    def blobs(self):
        return self.folder / "blobs"

    @property
    def dir_storage(self):
        return {"storageResourceUri": f"dir:{self.blobs}"}


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


# --- storage servers --------------------------------------------------------------------------


class BlobServer:
    """coffer-blobserver; ends with this process at the latest."""

    def __init__(self, *options, container="coffer", tls=None):
        words = [BLOBSERVER, "--with-parent", "--container", container, *options]
        if tls:
            words += ["--tls-cert", str(tls[0]), "--tls-key", str(tls[1])]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("PORT="):
            self.stop()
            raise AssertionError(f"coffer-blobserver did not start: {line}")
        self.port, self.container = int(line[5:]), container
        self.base = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.uri = f"{self.base}/{DEV_ACCOUNT}/{container}"

    def storage(self, permissions="rcwdl", **more):
        return {"storageResourceUri": self.uri, "token": make_sas(self.container, permissions, **more)}

    def control(self, method, what, body=None):
        request = urllib.request.Request(f"{self.base}/{what}", method=method, data=body.encode() if body else None)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read().decode()

    def stats(self):
        return json.loads(self.control("GET", "_stats"))

    def names(self, folder):
        """Of the blobs in a folder, with it."""
        sas = make_sas(self.container, "rl")
        listing = urllib.request.urlopen(f"{self.uri}?restype=container&comp=list&prefix={folder}/&{sas}", timeout=60).read().decode()
        return re.findall("<Name>([^<]*)</Name>", listing)

    def fetch(self, folder, into):
        """Copies the blobs of a backup's folder into a directory."""
        sas = make_sas(self.container, "rl")
        for name in self.names(folder):
            path = pathlib.Path(into) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(urllib.request.urlopen(f"{self.uri}/{name}?{sas}", timeout=60).read())
        return pathlib.Path(into) / folder

    def fault(self, rules):
        self.control("POST", "_fault", rules)

    def no_fault(self):
        self.control("DELETE", "_fault")

    def stop(self):
        self.process.stdin.close()
        self.process.stdout.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=10)


class Azurite:
    """The real emulator, in memory."""

    def __init__(self):
        program = NODE_MODULES / "azurite" / "dist" / "src" / "blob" / "main.js"
        node = shutil.which("node")
        if not program.exists() or not node:
            raise unittest.SkipTest("Azurite is not installed; tools/dev test installs it in build/node")
        self.port = free_port()
        self.process = subprocess.Popen(
            [node, str(program), "--inMemoryPersistence", "--blobHost", "127.0.0.1", "--blobPort", str(self.port),
             "--disableTelemetry"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in self.process.stdout:
            if "successfully listen" in line:
                break
        else:
            raise AssertionError("Azurite did not start")
        threading.Thread(target=self.process.stdout.read, daemon=True).start()  # its log must not fill the pipe
        self.base = f"http://127.0.0.1:{self.port}/{DEV_ACCOUNT}"

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=10)


def make_sas(container, permissions="rcwdl", minutes=60, key=DEV_KEY, start=None, account=DEV_ACCOUNT):
    """A container SAS of version 2021-08-06 (Azure's "Create a service SAS")."""
    now = datetime.datetime.now(datetime.timezone.utc)
    expiry = (now + datetime.timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
    order = "racwdxyltfmeopi"
    permissions = "".join(sorted(permissions, key=order.index))
    fields = {"sp": permissions, "st": start or "", "se": expiry, "sv": "2021-08-06", "sr": "c"}
    signed = "\n".join([permissions, fields["st"], expiry, f"/blob/{account}/{container}", "", "", "", fields["sv"], "c",
                        "", "", "", "", "", "", ""])
    digest = hmac.new(base64.b64decode(key), signed.encode(), hashlib.sha256).digest()
    fields["sig"] = base64.b64encode(digest).decode()
    return urllib.parse.urlencode({name: value for name, value in fields.items() if value})


# --- test cases -------------------------------------------------------------------------------


class Case(unittest.TestCase):
    """A folder for each class; what `keep` is given is stopped at the end, whatever happened."""

    @classmethod
    def setUpClass(cls):
        for program in (COFFER, str(BIN / "cofferd"), BLOBSERVER):
            if not os.access(program, os.X_OK):
                raise unittest.SkipTest(f"{program} is not built")
        cls._folder = tempfile.TemporaryDirectory(prefix="coffer.")
        cls.addClassCleanup(cls._folder.cleanup)
        cls.folder = pathlib.Path(cls._folder.name)
        cls.prepare()

    @classmethod
    def prepare(cls):
        """What all tests of the class share."""

    @classmethod
    def bench(cls, *options, name="hsm1", folder=None, **more):
        """A new appliance, taken down at the end of the class."""
        where = cls.folder / (folder or name)
        cls.addClassCleanup(run_coffer, "bench", "down", "--dir", str(where))
        return Bench(where, *options, name=name, **more)

    @classmethod
    def blobserver(cls, *options, **more):
        server = BlobServer(*options, **more)
        cls.addClassCleanup(server.stop)
        return server

    def assert_says(self, text, *words):
        """The text names cause and cure: every one of these words is in it."""
        for word in words:
            self.assertIn(word.lower(), text.lower())

    def assert_same(self, before, after):
        self.assertEqual([], state.compare(before, after))

    def assert_failed(self, status, *words):
        self.assertEqual("Failed", status["status"], status)
        self.assertTrue(status["error"]["code"])
        self.assertTrue(status["endTime"])
        self.assert_says(status["error"]["message"], *words)


def main():
    """unittest.main, with exit code 77 when nothing but skips was left."""
    program = unittest.main(exit=False, verbosity=2)
    result = program.result
    for test, reason in result.skipped:
        print(f"SKIPPED {test}: {reason}", flush=True)
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED if result.skipped and result.testsRun == len(result.skipped) or
             (result.skipped and result.testsRun == 0) else 0)
