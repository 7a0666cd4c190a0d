"""What a user could take instead, each at its best settings: no checksums besides the seal, no compression, no cache.

restic 0.14 has no option for the address of a service, but takes the emulators' account at 127.0.0.1:10000: it needs that port.
"""
import os
import shutil
import socket
import subprocess

from rig import bench, timed

EMULATOR_PORT = 10000


def environment(folder, **more):
    """Nothing of the user's own settings, caches or proxies."""
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), **{k: str(v) for k, v in more.items()}}


class Rclone:
    """rclone crypt: XSalsa20-Poly1305 in 64 KiB chunks, over Azure's Put Block."""
    name, needs = "rclone crypt", ("rclone",)

    def __init__(self, rig, server, connections=4, ca=None):
        hidden = subprocess.run(["rclone", "obscure", "a password"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        self.raw = rig.raw
        self.env = environment(rig.folder, RCLONE_CONFIG=rig.folder / "rclone.conf", RCLONE_CONFIG_BLOB_TYPE="azureblob",
                               RCLONE_CONFIG_BLOB_SAS_URL=f"{server.uri}?{server.storage()['token']}",
                               RCLONE_CONFIG_SEALED_TYPE="crypt", RCLONE_CONFIG_SEALED_REMOTE=f"blob:{server.container}/rclone",
                               RCLONE_CONFIG_SEALED_PASSWORD=hidden)
        self.options = ["--azureblob-chunk-size", "16M", "--azureblob-upload-concurrency", str(connections),
                        "--azureblob-disable-checksum", "--ignore-checksum", "--ignore-times", "--no-check-dest",
                        *(["--ca-cert", str(ca)] if ca else [])]

    def backup(self):
        return timed(["rclone", "copyto", *self.options, str(self.raw), "sealed:data"], self.env)

    def restore(self, target):
        return timed(["rclone", "copyto", *self.options, "sealed:data", str(target)], self.env)


class Restic:
    """restic: AES-256-CTR with Poly1305, SHA-256 of every piece; a fresh repository each time, so that nothing is known yet."""
    name, needs = "restic", ("restic",)

    def __init__(self, rig, *server_options):
        self.rig, self.count = rig, 0
        self.server = bench.BlobServer("--threads", "2", "--port", str(EMULATOR_PORT), *server_options)
        rig.stack.callback(self.server.stop)
        self.env = environment(rig.folder, AZURE_ACCOUNT_NAME=bench.DEV_ACCOUNT, AZURE_ACCOUNT_KEY=bench.DEV_KEY,
                               RESTIC_PASSWORD="a password")

    def _words(self, *words):
        return ["restic", "--no-cache", "--quiet", "-o", "azure.connections=4", "-r", f"azure:{self.server.container}:/r{self.count}",
                *words]

    def backup(self):
        self.count += 1
        timed(self._words("init", "--repository-version", "2"), self.env)
        return timed(self._words("backup", "--compression", "off", "--pack-size", "64", str(self.rig.raw)), self.env)

    def restore(self, target):
        return timed(self._words("restore", "latest", "--target", str(target)), self.env)


class Age:
    """age (X25519, ChaCha20-Poly1305), cut into blocks and sent by one curl a block; then the block list."""
    name, needs = "age | split | curl", ("age", "split", "curl")
    BLOCK = 64 << 20  # few curls, little start-up
    SEND = """set -euo pipefail
exec 3>"$list"
age -r "$recipient" "$raw" | split -b "$block" -a 4 -d --filter='
    echo "<Latest>${FILE}aaaa</Latest>" >&3
    curl -sS -f -o /dev/null -X PUT -H Content-Type: -H Expect: --data-binary @- "$url?comp=block&blockid=${FILE}aaaa&$sas"' - aged
{ echo "<BlockList>"; cat "$list"; echo "</BlockList>"; } | curl -sS -f -X PUT --data-binary @- "$url?comp=blocklist&$sas"
"""
    FETCH = 'set -euo pipefail; curl -sS -f "$url?$sas" | age -d -i "$identity" -o "$target"'

    def __init__(self, rig, server):
        identity = rig.folder / "age.key"
        made = subprocess.run(["age-keygen", "-o", str(identity)], stderr=subprocess.PIPE, text=True, check=True)
        self.env = environment(rig.folder, recipient=made.stderr.split()[-1], identity=identity, raw=rig.raw, block=self.BLOCK,
                               list=rig.folder / "age.list", url=f"{server.uri}/age", sas=server.storage()["token"])

    def backup(self):
        return timed(["bash", "-c", self.SEND], self.env)

    def restore(self, target):
        return timed(["bash", "-c", self.FETCH], {**self.env, "target": str(target)})


def missing(kind):
    """Why this peer is left out; "" when it is not."""
    absent = [program for program in kind.needs if not shutil.which(program)]
    if absent:
        return f"{kind.name} left out: {' and '.join(absent)} not installed"
    if kind is Restic:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", EMULATOR_PORT))
            except OSError:
                return f"restic left out: port {EMULATOR_PORT} is taken"
    return ""
