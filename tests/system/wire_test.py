"""Backup and restore on the wire, status by status and header by header, as each generation of Azure's clients reads them."""
import json
import pathlib
import re
import sys
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench

VERSIONS = ("7.0", "7.1", "7.2", "7.3", "7.4", "7.5", "7.6", "2025-07-01", "7.2-preview", "7.3-preview", "7.4-preview.1",
            "7.5-preview.1", "7.6-preview.1", "7.6-preview.2", "2025-06-01-preview", "2025-07-01-preview", "2026-01-01-preview")
STATUS = {"status", "statusDetails", "error", "startTime", "endTime", "jobId"}  # what the service's own has; ours beside it: coffer
SAFE = {"Cache-Control": "no-cache", "Content-Security-Policy": "default-src 'self'", "X-Content-Type-Options": "nosniff",
        "Strict-Transport-Security": "max-age=31536000; includeSubDomains", "X-Frame-Options": "SAMEORIGIN",
        "Content-Type": "application/json; charset=utf-8"}
NONE = "0" * 32


class Wire(bench.Case):
    @classmethod
    def prepare(cls):
        cls.hsm = cls.bench()
        cls.hsm.create("ec")
        cls.storage = cls.hsm.dir_storage
        cls.made = cls.hsm.backup(cls.storage)
        cls.container = cls.storage["storageResourceUri"]

    def call(self, method, path, body=None, **more):
        return self.hsm.rest.call(method, path, body, **more)

    def starts(self):
        """Method, path, body and the path to poll of whatever starts a job in the service's interface."""
        sas = dict(self.storage, useManagedIdentity=False)
        return (("POST", "/backup", sas, "backup"),
                ("POST", "/prebackup", sas, "backup"), ("POST", "/prebackup", {}, "backup"), ("POST", "/prebackup", None, "backup"),
                ("PUT", "/restore", {"sasTokenParameters": sas, "folderToRestore": self.made}, "restore"),
                ("PUT", "/prerestore", {"sasTokenParameters": sas, "folderToRestore": self.made}, "restore"),
                ("PUT", "/prerestore", {}, "restore"),
                ("PUT", "/keys/ec/restore", {"sasTokenParameters": sas, "folder": self.made}, "restore"),
                # JavaScript clients cut the folder's URL at its last slash, Python's behind the container
                ("PUT", "/restore", {"sasTokenParameters": dict(sas, storageResourceUri=self.container.rsplit("/", 1)[0]),
                                     "folderToRestore": f"{self.container.rsplit('/', 1)[1]}/{self.made}"}, "restore"))

    def test_the_first_request_is_challenged_before_anything_else_is_judged(self):
        for method, path in (("POST", "/backup"), ("PUT", "/restore"), ("PUT", "/keys/ec/restore"), ("GET", f"/backup/{NONE}/pending"),
                             ("PUT", "/prerestore"), ("POST", "/prebackup")):
            with self.subTest(path=path):  # no token, and its body taken away
                answer = self.call(method, path, token="")
                self.assertEqual((401, "Unauthorized"), (answer.status, answer.code))
                self.assertEqual(f'Bearer authorization="{self.hsm.url}/{self.hsm.facts["HSM_TENANT"]}", '
                                 f'resource="https://coffer.test:{self.hsm.port}"', answer.headers["WWW-Authenticate"])
                self.assertIsNone(answer.headers["Retry-After"])

    def test_each_start_is_accepted_in_the_services_own_shape(self):
        for method, path, body, kind in self.starts():
            with self.subTest(path=path, body=body):
                mine = str(uuid.uuid4())
                answer = self.call(method, path, body, headers={"x-ms-client-request-id": mine})
                self.assertEqual(202, answer.status, answer.message)
                for name, value in SAFE.items():
                    self.assertEqual(value, answer.headers[name], name)
                self.assertEqual((mine, "1"), (answer.headers["x-ms-client-request-id"], answer.headers["Retry-After"]))
                self.assertRegex(answer.headers["x-ms-request-id"], r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
                started = answer.json
                self.assertRegex(started["jobId"], "^[0-9a-f]{32}$")
                self.assertEqual(f"{self.hsm.url}/{kind}/{started['jobId']}/pending", answer.headers["Azure-AsyncOperation"])
                self.assertEqual({"status": "InProgress", "statusDetails": None, "error": None, "endTime": None},
                                 {name: started[name] for name in ("status", "statusDetails", "error", "endTime")})
                self.assertGreater(started["startTime"], 0)
                self.shape(started, kind)
                self.shape(self.ended(started["jobId"], kind), kind)

    def shape(self, status, kind):
        uri = {"azureStorageBlobContainerUri"} if kind == "backup" else set()
        self.assertEqual(STATUS | uri, set(status) - {"coffer"})

    def ended(self, job, kind):
        """Polled as clients do, by a URL that has no api-version; Retry-After as long as it runs, and endTime only then."""
        def look():
            answer = self.call("GET", f"/{kind}/{job}/pending", version=None)
            running = answer.json["status"] == "InProgress"
            self.assertEqual(200, answer.status)
            self.assertEqual("1" if running else None, answer.headers["Retry-After"])
            self.assertEqual(running, answer.json["endTime"] is None)  # old clients judge by it alone
            return None if running else answer.json
        status = bench.wait_until(look, 60, f"the end of {job}")
        self.assertEqual(("Succeeded", None), (status["status"], status["error"]))
        self.assertGreaterEqual(status["endTime"], status["startTime"])
        return status

    def test_a_backup_ends_with_its_folder_and_no_details(self):
        status = self.ended(self.call("POST", "/backup", self.storage).json["jobId"], "backup")
        self.assertRegex(status["azureStorageBlobContainerUri"], f"^{re.escape(self.container)}/mhsm-hsm1-\\d{{14}}(\\d\\d)?$")
        self.assertIsNone(status["statusDetails"])

    def test_every_version_of_the_interface_is_answered_and_no_other(self):
        for version in VERSIONS:
            with self.subTest(version=version):
                self.assertEqual(404, self.call("GET", f"/backup/{NONE}/pending?api-version={version}").status)
        for version in ("1.0", "7.7", "", "7.4-preview"):
            with self.subTest(version=version):
                answer = self.call("GET", f"/backup/{NONE}/pending?api-version={version}")
                self.assertEqual((400, "BadParameter"), (answer.status, answer.code))
                self.assertTrue(answer.message.endswith("(7.6)."), answer.message)

    def test_an_unknown_job_and_one_of_the_other_kind_get_the_words_clients_know(self):
        job = self.call("POST", "/prebackup", {}).json["jobId"]
        self.ended(job, "backup")
        for path in (f"/backup/{NONE}/pending", f"/restore/{NONE}/pending", f"/restore/{job}/pending"):
            answer = self.call("GET", path)
            self.assertEqual({"code": "NotFound", "message": "The given jobId is not found", "innererror": None}, answer.json["error"])
            self.assertEqual((404, None), (answer.status, answer.headers["Retry-After"]))

    def test_the_status_of_a_failed_job_is_an_answer_of_200_with_the_error_inside(self):
        body = {"sasTokenParameters": self.storage, "folderToRestore": "mhsm-hsm1-20200101000000"}
        status = self.hsm.wait(self.call("PUT", "/restore", body))
        self.assertEqual("Failed", status["status"])
        self.assertEqual({"code", "message", "innererror"}, set(status["error"]))
        self.assertTrue(status["error"]["code"] and status["error"]["message"] and status["statusDetails"])

    def test_the_last_get_of_some_clients_on_the_restores_own_url_is_answered(self):
        for path, body in (("/restore", {"sasTokenParameters": self.storage, "folderToRestore": self.made}),
                           ("/keys/ec/restore", {"sasTokenParameters": self.storage, "folder": self.made})):
            job = self.call("PUT", path, body).json["jobId"]
            self.ended(job, "restore")
            self.assertEqual((200, job), (self.call("GET", path).status, self.call("GET", path).json["jobId"]))

    def test_a_refusal_of_these_endpoints_has_no_activity_and_no_retry(self):
        for body, code in (({}, "BadParameter"), (dict(self.storage, token="x", useManagedIdentity=True), "BadParameter"),
                           ({"storageResourceUri": "https://a.blob.core.windows.net/con", "token": "sv=1&sig=x"}, "BadRequest"),
                           ({"storageResourceUri": "https://a.blob.core.windows.net/con", "useManagedIdentity": True}, "BadRequest")):
            with self.subTest(body=body):
                answer = self.call("POST", "/backup", body)
                self.assertEqual((400, code, None), (answer.status, answer.code, answer.headers["Retry-After"]))
                self.assertIn("innererror", answer.json["error"])
                self.assertNotIn("Activity ID", answer.message)
        answer = self.call("POST", "/backup", self.storage, token=self.hsm.token("nobody"))
        self.assertEqual((403, "AccessDenied"), (answer.status, answer.code))
        self.assertEqual("Not authorized to access Microsoft.KeyVault/managedHsm/backup/start/action on /", answer.message)


if __name__ == "__main__":
    bench.main()
