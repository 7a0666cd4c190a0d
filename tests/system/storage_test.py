"""Storage of other kinds: over TLS with an authority of its own, immutable, and looked at before anything is begun."""
import pathlib
import socket
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench


def certificate(folder, name):
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3",
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)],
                   check=True, stderr=subprocess.DEVNULL)
    return cert, key


class Storage(bench.Case):
    @classmethod
    def prepare(cls):
        cls.ours, cls.theirs = certificate(cls.folder, "ours"), certificate(cls.folder, "theirs")
        cls.hsm = cls.bench("--storage-ca", str(cls.ours[0]), "--set", "storage.attempts=2",
                            "--set", "storage.patience_s=2")
        cls.hsm.create("ec")
        cls.before = cls.hsm.state()

    def round_trip(self, server, storage=None):
        storage = storage or server.storage()
        folder = self.hsm.backup(storage)
        self.hsm.create("later")
        self.assertEqual("Succeeded", self.hsm.restore(storage, folder)["status"])
        self.assert_same(self.before, self.hsm.state())
        return folder

    def test_tls_with_the_configured_authority(self):
        server = self.blobserver("--require-sas", "--account-key", bench.DEV_KEY, tls=self.ours)
        self.round_trip(server)

    def test_tls_with_another_authority_is_refused_and_says_why(self):
        server = self.blobserver("--require-sas", "--account-key", bench.DEV_KEY, tls=self.theirs)
        status = self.hsm.wait(self.hsm.start("POST", "/backup", server.storage()))
        self.assert_failed(status, "certificate")

    def test_storage_that_allows_no_change_is_enough(self):
        server = self.blobserver("--worm", "--require-sas", "--account-key", bench.DEV_KEY)
        self.round_trip(server)
        self.assertNotEqual(self.hsm.backup(server.storage()), self.hsm.backup(server.storage()))

    def test_storage_that_takes_no_block_lists_gets_a_blob_a_block(self):
        for policy in ("no-blocks", "no-lists"):
            with self.subTest(policy=policy):
                server = self.blobserver("--worm", "--require-sas", "--account-key", bench.DEV_KEY, "--policy", policy)
                folder = self.round_trip(server)
                self.hsm.delete("ec", purge=True)
                self.assertEqual("Succeeded", self.hsm.restore(server.storage("rl"), folder, key="ec")["status"])
                self.assert_same(self.before, self.hsm.state())
                stats = server.stats()
                self.assertEqual((0, 0, 0), (stats["PutBlockList.ok"], stats["unconditional"], stats["PutBlob.refused"]))

    def test_storage_that_takes_nothing_is_recognised_at_once(self):
        server = self.blobserver("--worm", "--require-sas", "--account-key", bench.DEV_KEY, "--policy", "locked")
        status = self.hsm.wait(self.hsm.start("POST", "/backup", server.storage()))
        self.assert_failed(status, "use a container whose policy allows new blobs")

    def test_create_and_write_are_enough_for_a_backup_and_read_for_a_restore(self):
        server = self.blobserver("--require-sas", "--account-key", bench.DEV_KEY)
        folder = self.hsm.backup(server.storage("cw"))
        self.hsm.create("later")
        self.assertEqual("Succeeded", self.hsm.restore(server.storage("r"), folder)["status"])
        self.assert_same(self.before, self.hsm.state())

    def test_what_people_paste_is_taken(self):
        server = self.blobserver("--require-sas", "--account-key", bench.DEV_KEY)
        sas = server.storage()["token"]
        self.round_trip(server, {"storageResourceUri": server.uri + "/", "token": "?" + sas})

    def test_pre_checks_judge_and_write_nothing(self):
        server = self.blobserver("--require-sas", "--account-key", bench.DEV_KEY)
        folder = self.hsm.backup(server.storage())
        stored = server.stats()
        for method, path, body in (("POST", "/prebackup", server.storage()), ("POST", "/prebackup", {}),
                                   ("PUT", "/prerestore", {"sasTokenParameters": server.storage(), "folderToRestore": folder})):
            with self.subTest(path=path):
                status = self.hsm.wait(self.hsm.start(method, path, body))
                self.assertEqual("Succeeded", status["status"], status)
        for name in ("PutBlock", "PutBlockList"):
            self.assertEqual(stored.get(name), server.stats().get(name))
        status = self.hsm.wait(self.hsm.start("PUT", "/prerestore", {"sasTokenParameters": server.storage(),
                                                                     "folderToRestore": "mhsm-hsm1-20200101000000"}))
        self.assert_failed(status, "mhsm-hsm1-20200101000000")
        self.assert_same(self.before, self.hsm.state())


class Proxy:
    """Lets connections through to wherever they want, or nobody."""

    def __init__(self, refusal=None):
        self.refusal, self.asked = refusal, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.connect, args=(near,), daemon=True).start()

    def connect(self, near):
        head = b""
        while b"\r\n\r\n" not in head:
            head += near.recv(4096) or b"\r\n\r\n"
        self.asked += 1
        if self.refusal:
            near.sendall(f"HTTP/1.1 {self.refusal}\r\nContent-Length: 0\r\n\r\n".encode())
            near.close()
            return
        host, port = head.split()[1].decode().rsplit(":", 1)
        with near, socket.create_connection((host, int(port))) as far:
            near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=self.pass_on, args=(far, near), daemon=True)
            back.start()
            self.pass_on(near, far)
            back.join()

    @staticmethod
    def pass_on(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class ThroughProxy(bench.Case):
    @classmethod
    def prepare(cls):
        cls.proxy = Proxy()
        cls.addClassCleanup(cls.proxy.listener.close)
        ours = certificate(cls.folder, "ours")
        cls.server = cls.blobserver("--require-sas", "--account-key", bench.DEV_KEY, tls=ours)
        cls.hsm = cls.bench("--storage-ca", str(ours[0]), "--set", f"storage.proxy={cls.proxy.url}", "--set", "storage.attempts=2")

    def test_a_proxy_is_used_and_named_where_it_refuses(self):
        self.hsm.backup(self.server.storage())
        self.assertGreater(self.proxy.asked, 0)
        self.proxy.refusal, self.proxy.asked = "407 Proxy Authentication Required", 0
        status = self.hsm.wait(self.hsm.start("POST", "/backup", self.server.storage()))
        self.assert_failed(status, "proxy does not let the connection through (HTTP 407)")
        self.assertLessEqual(self.proxy.asked, 2)  # a block, a blob


class Identity(bench.Case):
    """The appliance's managed identity instead of a SAS, as `--use-managed-identity true` asks for."""
    TOKEN = "bearer-of-the-machine"

    @classmethod
    def prepare(cls):
        cls.server = cls.blobserver("--require-sas", "--bearer", cls.TOKEN)
        header = cls.folder / "header"
        header.write_text("identity-secret\n")
        cls.hsm = cls.bench("--set", "storage.managed_identity=app-service", "--set", f"storage.identity_header_file={header}",
                            "--set", f"storage.identity_endpoint={cls.server.base}/_identity",
                            "--set", "storage.identity_hosts=127.0.0.1", "--set", "storage.attempts=2")
        cls.storage = {"storageResourceUri": cls.server.uri, "useManagedIdentity": True}

    def test_there_and_back_without_any_sas(self):
        self.hsm.create("ec")
        before = self.hsm.state()
        folder = self.hsm.cli("backup", "start", "--storage-resource-uri", self.server.uri, "--use-managed-identity", "true").stdout.split()[0]
        self.hsm.create("later")
        self.assertEqual("Succeeded", self.hsm.restore(self.storage, folder.rsplit("/", 1)[-1])["status"])
        self.assert_same(before, self.hsm.state())

    def test_token_and_identity_exclude_each_other(self):
        answer = self.hsm.start("POST", "/backup", dict(self.storage, token="sv=1"))
        self.assertEqual(400, answer.status)
        self.assert_says(answer.message, "exclude")

    def test_neither_log_nor_statuses_hold_the_bearer(self):
        self.hsm.backup(self.storage)
        self.assertNotIn(self.TOKEN, self.hsm.log())
        self.assertNotIn("identity-secret", self.hsm.log())


if __name__ == "__main__":
    bench.main()
