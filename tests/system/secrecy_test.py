"""Neither names nor material of keys can be read in a backup, the databases or the log; material nowhere at all."""
import base64
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench

NAME = "zebra-payroll-7731"
TAG = "very-telling-tag-7731"


def forms(secret):
    """How a run of bytes could stand in a file: raw, reversed, hexadecimal, base64 at each of three offsets."""
    found = {"raw": secret, "reversed": secret[::-1], "hex": secret.hex().encode(), "HEX": secret.hex().upper().encode()}
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + secret)[4 if shift else 0:-4]
        found[f"base64+{shift}"] = text
        found[f"base64url+{shift}"] = text.replace(b"+", b"-").replace(b"/", b"_")
    return found


def memory_of(pid):
    """The readable memory of a process, a mapping at a time."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in maps:
            span, rights = line.split()[:2]
            start, end = (int(text, 16) for text in span.split("-"))
            if not rights.startswith("rw") or "[v" in line or end - start > 1 << 32:
                continue  # the largest are a sanitizer's own
            try:
                mem.seek(start)
                yield line.strip(), mem.read(end - start)
            except OSError:
                continue


class Secrecy(bench.Case):
    @classmethod
    def prepare(cls):
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa
        cls.hsm = cls.bench()
        key = rsa.generate_private_key(65537, 2048)
        numbers, public = key.private_numbers(), key.public_key().public_numbers()
        secrets = {"d": numbers.d, "p": numbers.p, "q": numbers.q, "dp": numbers.dmp1, "dq": numbers.dmq1, "qi": numbers.iqmp}
        cls.secrets = {name: n.to_bytes((n.bit_length() + 7) // 8, "big") for name, n in secrets.items()}
        jwk = {name: bench.b64url(value) for name, value in cls.secrets.items()}
        jwk.update(kty="RSA-HSM", key_ops=["sign", "verify", "decrypt", "encrypt"], n=bench.b64url(public.n.to_bytes(256, "big")), e="AQAB")
        cls.hsm.rest.ask("PUT", f"/keys/{NAME}", {"key": jwk, "Hsm": True, "tags": {"label": TAG}})
        cls.secrets["oct"] = bytes(range(200, 232))
        cls.hsm.rest.ask("PUT", f"/keys/{NAME}-aes", {"key": {"kty": "oct-HSM", "k": bench.b64url(cls.secrets["oct"]),
                                                            "key_ops": ["encrypt", "decrypt"]}, "Hsm": True})
        pem = cls.folder / "k.pem"
        pem.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        cls.hsm.cli("key", "import", "--name", f"{NAME}-pem", "--pem-file", str(pem))
        cls.hsm.sign(NAME, alg="RS256")
        cls.hsm.rest.call("POST", f"/keys/{NAME}/sign", {"alg": "RS999", "value": "AAAA"})
        cls.hsm.rest.call("GET", f"/keys/{NAME}/ffffffffffffffffffffffffffffffff")
        cls.hsm.create(f"{NAME}-gone")
        cls.hsm.delete(f"{NAME}-gone")
        folder = cls.hsm.backup(cls.hsm.dir_storage)
        cls.hsm.restore(cls.hsm.dir_storage, folder)
        cls.hsm.delete(NAME, purge=True)
        cls.hsm.restore(cls.hsm.dir_storage, folder, key=NAME)

    def files(self, *where):
        for part in where:
            root = self.hsm.folder / part
            for path in [root] if root.is_file() else sorted(root.rglob("*")):
                if path.is_file():
                    yield path, path.read_bytes()

    def test_the_search_finds_what_is_there(self):
        for shift in range(3):
            data = base64.b64encode(b"x" * shift + self.secrets["d"] + b"yz")
            self.assertTrue(any(form in data for form in forms(self.secrets["d"]).values()), shift)

    def test_no_name_or_tag_in_backups_databases_or_log(self):
        searched = 0
        for path, data in self.files("blobs", "keystore", "config", "cofferd.log"):
            searched += 1
            for text in (NAME.encode(), TAG.encode()):
                for how, form in forms(text).items():
                    self.assertNotIn(form, data, f"{text} as {how} in {path}")
        self.assertGreater(searched, 6)

    def test_no_material_in_any_file(self):
        for path, data in self.files("."):
            for name, secret in self.secrets.items():
                for how, form in forms(secret).items():
                    self.assertFalse(form in data, f"{name} as {how} in {path}")

    def test_no_material_stays_in_the_daemons_memory(self):
        try:
            regions = list(memory_of(self.hsm.pid))
        except PermissionError as refused:
            self.skipTest(f"the daemon's memory cannot be read here: {refused}")
        for place, data in regions:
            for name, secret in self.secrets.items():
                for how, form in forms(secret).items():
                    self.assertFalse(form in data, f"{name} as {how} in {place}")


if __name__ == "__main__":
    bench.main()
