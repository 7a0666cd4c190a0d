"""Requests that are wrong in themselves: status, code, words, and nothing changed. Malformed HTTP is in tests/fault."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench

EC = {"kty": "EC-HSM", "crv": "P-256"}


class BadRequest(bench.Case):
    @classmethod
    def prepare(cls):
        cls.hsm = cls.bench()
        cls.hsm.create("ec")
        cls.before = cls.hsm.state()

    def tearDown(self):
        self.assert_same(self.before, self.hsm.state())

    def refuse(self, method, path, body=None, status=400, code="BadParameter", says=(), **more):
        answer = self.hsm.rest.call(method, path, body, **more)
        place = f"{method} {path} {str(body)[:80]}: {answer.status} ({answer.code}) {answer.message}"
        self.assertEqual(status, answer.status, place)
        if code:
            self.assertEqual(code, answer.code, place)
        self.assertTrue(answer.message, place)
        for word in says:
            self.assertIn(word.lower(), answer.message.lower(), place)

    def test_a_missing_or_unknown_version_is_told_a_known_one(self):
        for version, says in ((None, ("version",)), ("6.0", ("6.0", "7.6")), ("7.4'", ("7.6",)), ("2099-01-01", ("2099-01-01",))):
            with self.subTest(version=version):
                self.refuse("GET", "/keys", version=version, says=says)
        self.refuse("GET", "/keys?api-version=7.4&api-version=7.5", code=None)

    def test_json_that_is_none(self):
        path = "/keys/new/create"
        for body in (b"{", b"", b"[]", b"null", b'"EC-HSM"', b"{'kty':'EC-HSM'}", b'{"kty":"EC-HSM"} x', b"\xff\xfe",
                     b'{"kty":"EC-HSM","kty":"RSA-HSM"}', b'{"kty":"EC\xc3-HSM"}', b'{"a":' * 200 + b"1" + b"}" * 200,
                     b'{"kty":"EC-HSM","crv":"P-256","x":NaN}', b'{"kty":"EC-HSM\x00"}', b'\x1f\x8b\x08\x00'):
            with self.subTest(body=body[:30]):
                self.refuse("POST", path, body, code=None)

    def test_members_of_the_wrong_kind_or_value(self):
        for body in ({}, {"kty": 7}, {"kty": "DSA"}, {"kty": "EC-HSM", "crv": "P-257"}, {"kty": "EC-HSM", "crv": ["P-256"]},
                     {"kty": "RSA-HSM", "key_size": 1024}, {"kty": "RSA-HSM", "key_size": "2048"},
                     {"kty": "RSA-HSM", "key_size": 2048.5}, {"kty": "oct-HSM", "key_size": 100},
                     {**EC, "key_ops": ["fly"]}, {**EC, "key_ops": "sign"}, {**EC, "tags": []}, {**EC, "tags": {"a": 1}},
                     {**EC, "attributes": {"enabled": "yes"}}, {**EC, "attributes": {"exp": -1}},
                     {**EC, "attributes": {"exp": 10, "nbf": 20}}, {**EC, "tags": {f"t{i}": "" for i in range(16)}},
                     {**EC, "tags": {"a": "b" * 257}}):
            with self.subTest(body=str(body)[:60]):
                self.refuse("POST", "/keys/new/create", body, code=None)

    def test_oversized_bodies_are_refused_without_being_read(self):
        big = json.dumps({**EC, "pad": "x" * 300_000}).encode()
        try:
            self.refuse("POST", "/keys/new/create", big, status=413, code=None)
        except OSError:
            pass  # answered and closed while this client was still sending, which then misses the answer

    def test_key_names_outside_the_rules(self):
        for name in ("a_b", "a.b", "a%20b", "a%00b", "a%2Fb", "x" * 128, "k%C3%A9y", "%2e%2e", "a;b", "a+b"):
            with self.subTest(name=name):
                self.refuse("POST", f"/keys/{name}/create", EC, code=None)
                self.refuse("GET", f"/keys/{name}", code=None)

    def test_versions_outside_the_rules(self):
        for version in ("zz", "0" * 31, "0" * 33, "g" * 32):
            with self.subTest(version=version):
                answer = self.hsm.rest.call("GET", f"/keys/ec/{version}")
                self.assertIn(answer.status, (400, 404))

    def test_what_does_not_exist(self):
        self.refuse("GET", "/keys/none", status=404, code="KeyNotFound", says=("none",))
        self.refuse("DELETE", "/keys/none", status=404, code="KeyNotFound")
        self.refuse("GET", "/deletedkeys/ec", status=404, code="KeyNotFound")
        self.refuse("GET", f"/keys/ec/{'0' * 32}", status=404, code="KeyNotFound")
        self.refuse("GET", f"/backup/{'0' * 32}/pending", status=404, code="NotFound", says=("The given jobId is not found",))
        self.refuse("GET", "/nowhere", status=404, code="NotFound")
        self.refuse("PATCH", "/backup", {}, status=405, code="MethodNotAllowed")
        self.refuse("GET", "/settings/None", status=404, code=None)
        self.assertEqual([], self.hsm.rest.get("/keys/none/versions")["value"])

    def test_operations_that_a_key_cannot_do(self):
        digest = bench.b64url(bytes(32))
        for path, body in (("sign", {"alg": "RS256", "value": digest}), ("sign", {"alg": "ES256", "value": bench.b64url(b"short")}),
                           ("sign", {"alg": "ES256", "value": "***"}), ("sign", {"alg": "ES256"}), ("sign", {"value": digest}),
                           ("encrypt", {"alg": "RSA-OAEP", "value": digest}), ("sign", {"alg": "MD5", "value": digest}),
                           ("verify", {"alg": "ES256", "digest": digest})):
            with self.subTest(path=path, body=body):
                self.assertIn(self.hsm.rest.call("POST", f"/keys/ec/{path}", body).status, (400, 403))

    def test_a_signature_of_the_wrong_length_does_not_verify(self):
        answer = self.hsm.rest.call("POST", "/keys/ec/verify", {"alg": "ES256", "digest": bench.b64url(bytes(32)),
                                                                "value": bench.b64url(b"\x01" * 63)})
        self.assertTrue(answer.status == 400 or answer.json["value"] is False, answer.raw)

    def test_starts_of_jobs_without_what_they_need(self):
        good = self.hsm.dir_storage
        for method, path, body in (
                ("POST", "/backup", {}), ("POST", "/backup", {"storageResourceUri": ""}), ("POST", "/backup", {"storageResourceUri": 7}),
                ("POST", "/backup", {**good, "token": 7}), ("PUT", "/restore", {}), ("PUT", "/restore", good),
                ("PUT", "/restore", {"sasTokenParameters": good}), ("PUT", "/restore", {"folderToRestore": "x"}),
                ("PUT", "/restore", {"sasTokenParameters": [], "folderToRestore": "x"}),
                ("PUT", "/keys/x/restore", {"sasTokenParameters": good})):
            with self.subTest(path=path, body=body):
                self.refuse(method, path, body, code=None)

    def test_roles_outside_the_rules(self):
        base = "/providers/Microsoft.Authorization"
        guid = "11111111-2222-3333-4444-555555555555"
        self.refuse("PUT", f"{base}/roleDefinitions/not-a-guid", {"properties": {}}, says=("GUID",), code=None)
        builtin = "515eb02d-2335-4d2d-92f2-b1cbdf9c3778"
        self.refuse("DELETE", f"{base}/roleDefinitions/{builtin}", says=("built-in role",))
        self.refuse("GET", f"{base}/roleDefinitions/{guid}", status=404, code="RoleDefinitionNotFound")
        self.refuse("GET", f"{base}/roleAssignments/{guid}", status=404, code="RoleAssignmentNotFound")
        answer = self.hsm.rest.call("PUT", f"{base}/roleAssignments/{guid}",
                                    {"properties": {"principalId": guid, "roleDefinitionId": guid}})
        self.assertIn(answer.status, (400, 404), answer.message)

    def test_the_last_one_who_may_give_roles_cannot_be_taken_away(self):
        base = "/providers/Microsoft.Authorization/roleAssignments"
        roles = {found["properties"]["roleDefinitionId"].rsplit("/", 1)[1]: found["name"]
                 for found in self.hsm.rest.get(base)["value"]
                 if found["properties"]["principalId"] == self.hsm.principal("admin")["object_id"]}
        self.hsm.rest.ask("DELETE", f"{base}/{roles[bench.CRYPTO_OFFICER]}")
        self.refuse("DELETE", f"{base}/{roles[bench.ADMINISTRATOR]}", status=409, code="Conflict")
        self.hsm.assign("", bench.CRYPTO_OFFICER, "admin", name=roles[bench.CRYPTO_OFFICER])

    def test_another_host_name_is_refused(self):
        self.assertIn(self.hsm.rest.call("GET", "/keys", headers={"Host": "evil.test"}).status, (400, 421))


if __name__ == "__main__":
    bench.main()
