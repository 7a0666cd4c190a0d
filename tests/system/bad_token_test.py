"""Tokens that must open nothing: each is refused with the plain challenge, and nothing changes."""
import base64
import hashlib
import hmac
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench


def part(value):
    return bench.b64url(json.dumps(value).encode())


def claims_of(token):
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def head_of(token):
    head = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))


def signed_by_a_stranger(header, claims):
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    key = rsa.generate_private_key(65537, 2048)
    signed = f"{part(header)}.{part(claims)}".encode()
    return signed.decode() + "." + bench.b64url(key.sign(signed, padding.PKCS1v15(), hashes.SHA256()))


class BadToken(bench.Case):
    @classmethod
    def prepare(cls):
        cls.hsm = cls.bench()
        cls.hsm.create("ec")
        cls.good = cls.hsm.token("admin")
        cls.header, cls.claims = head_of(cls.good), claims_of(cls.good)

    def setUp(self):
        self.before = self.hsm.state()
        self.addCleanup(lambda: self.assert_same(self.before, self.hsm.state()))

    def refused(self, token):
        for method, path, body in (("GET", "/keys/ec", None), ("DELETE", "/keys/ec", None),
                                   ("POST", "/backup", self.hsm.dir_storage), ("GET", "/no/such/path", None)):
            answer = self.hsm.rest.call(method, path, body, token=token)
            self.assertEqual((401, "Unauthorized"), (answer.status, answer.code), (method, path, answer.message))
            self.assertEqual(f'Bearer authorization="{self.hsm.url}/{self.hsm.facts["HSM_TENANT"]}", '
                             f'resource="https://coffer.test:{self.hsm.port}"', answer.headers["WWW-Authenticate"])

    def test_the_good_one_is_good(self):
        self.assertEqual(200, self.hsm.rest.call("GET", "/keys/ec", token=self.good).status)

    def test_none(self):
        self.refused("")

    def test_an_expired_one(self):
        self.refused(self.hsm.token("admin", expires_in=-3600))

    def test_one_for_another_audience(self):
        for audience in ("https://vault.azure.net", f"https://coffer.test:{self.hsm.port}.evil.test", "https://coffer.test"):
            with self.subTest(audience=audience):
                self.refused(self.hsm.token("admin", audience=audience))

    def test_an_unsigned_one(self):
        for algorithm in ("none", "None", "NONE"):
            self.refused(f"{part({**self.header, 'alg': algorithm})}.{part(self.claims)}.")
        self.refused(self.good.rsplit(".", 1)[0] + ".")

    def test_one_signed_by_a_stranger_under_our_key_id(self):
        self.refused(signed_by_a_stranger({**self.header, "alg": "RS256"}, self.claims))

    def test_one_whose_mac_key_is_our_public_key(self):
        jwks = self.hsm.rest.call("GET", "/adfs/discovery/keys", token="", version=None).raw
        signed = f"{part({**self.header, 'alg': 'HS256'})}.{part(self.claims)}"
        mac = hmac.new(jwks, signed.encode(), hashlib.sha256).digest()
        self.refused(f"{signed}.{bench.b64url(mac)}")

    def test_one_whose_claims_were_changed(self):
        head, _, signature = self.good.split(".")
        self.refused(f"{head}.{part({**self.claims, 'exp': int(time.time()) + 999999})}.{signature}")

    def test_rubbish(self):
        for token in ("x", "a.b.c", "." * 5, self.good[:-8], self.good + "A" * 40, "A" * 20000, "e30.e30.e30", "%00"):
            with self.subTest(token=token[:20]):
                answer = self.hsm.rest.call("GET", "/keys/ec", token=token)
                self.assertIn(answer.status, (400, 401, 431))

    def test_a_token_without_a_role_is_told_the_action_it_lacks(self):
        answer = self.hsm.rest.call("DELETE", "/keys/ec", token=self.hsm.token("nobody"))
        self.assertEqual((403, "AccessDenied"), (answer.status, answer.code))
        self.assert_says(answer.message, "Not authorized to access Microsoft.KeyVault/managedHsm/keys/delete", "/keys/ec")
        self.hsm.cli("key", "delete", "--name", "ec", "--as", "nobody", code=3)

    def test_each_principal_may_what_its_role_says(self):
        table = {"backup-user": {"GET /keys/ec": 403, "POST /backup": 202}, "crypto-user": {"GET /keys/ec": 200, "POST /backup": 403},
                 "auditor": {"GET /keys/ec": 200, "DELETE /keys/ec": 403}, "nobody": {"GET /keys/ec": 403, "POST /backup": 403}}
        for who, rights in table.items():
            for request, status in rights.items():
                with self.subTest(who=who, request=request):
                    method, path = request.split()
                    body = self.hsm.dir_storage if path == "/backup" else None
                    answer = self.hsm.rest.call(method, path, body, token=self.hsm.token(who))
                    self.assertEqual(status, answer.status, answer.message)
                    if status == 202:
                        self.assertEqual("Succeeded", self.hsm.wait(answer)["status"])


if __name__ == "__main__":
    bench.main()
