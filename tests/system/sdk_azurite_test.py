"""Backup, restore and selective restore between the Azure SDK for Python and Azurite, the storage emulator."""
import datetime
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench
import sdk

from azure.keyvault.administration import KeyVaultBackupClient
from azure.keyvault.keys import KeyClient
from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas


class Azurite(bench.Case):
    @classmethod
    def prepare(cls):
        cls.azurite = bench.Azurite()
        cls.addClassCleanup(cls.azurite.stop)
        cls.raw = cls.folder / "data.img"
        cls.raw.write_bytes(bytes(range(256)) * 4096 + b"\xff" * (1 << 20) + bytes(1 << 20) + b"end" * 1365)
        cls.raw.write_bytes(cls.raw.read_bytes().ljust(5 << 20, b"\x5a"))
        cls.hsm = cls.bench("--partition", f"data={cls.raw}")
        sdk.use(cls.hsm)
        cls.service = BlobServiceClient(cls.azurite.base, {"account_name": bench.DEV_ACCOUNT, "account_key": bench.DEV_KEY})
        cls.service.create_container("backups")
        cls.client = KeyVaultBackupClient(cls.hsm.url, sdk.TokenOf(cls.hsm, "admin"))
        cls.keys = KeyClient(cls.hsm.url, sdk.TokenOf(cls.hsm, "admin"))

    def sas(self, permissions):
        return generate_container_sas(bench.DEV_ACCOUNT, "backups", account_key=bench.DEV_KEY,
                                      permission=ContainerSasPermissions.from_string(permissions),
                                      expiry=datetime.datetime.utcnow() + datetime.timedelta(hours=1))

    def test_everything_goes_there_and_comes_back(self):
        self.keys.create_rsa_key("rsa", size=2048, hardware_protected=True, tags={"a": "1"})
        self.keys.create_ec_key("ec", hardware_protected=True)
        self.keys.create_ec_key("ec", hardware_protected=True)
        self.keys.create_oct_key("oct", size=256, hardware_protected=True)
        self.keys.begin_delete_key("oct").result()
        signature = self.hsm.sign("ec")
        before = self.hsm.state(raw=[self.raw])
        url = self.client.begin_backup(f"{self.azurite.base}/backups", self.sas("rcwd")).result().folder_url
        folder = url.rsplit("/", 1)[1]
        names = [blob.name for blob in self.service.get_container_client("backups").list_blobs(name_starts_with=folder)]
        self.assertIn(f"{folder}/manifest", names)

        self.hsm.delete("ec", purge=True)
        self.hsm.delete("rsa")
        self.raw.write_bytes(b"\x00" * (5 << 20))
        self.client.begin_restore(url, self.sas("rl")).wait()
        self.assert_same(before, self.hsm.state(raw=[self.raw]))
        self.assertTrue(self.hsm.verifies(signature))

        self.hsm.delete("ec", purge=True)
        self.client.begin_restore(url, self.sas("rl"), key_name="ec").wait()
        self.assert_same(before, self.hsm.state(raw=[self.raw]))
        self.assertTrue(self.hsm.verifies(signature))

    def test_a_sas_of_little_life_or_reach_is_named(self):
        for sas, words in ((self.sas("r"), ("sas", "does not allow", "sp=crdw")), (self.sas("rcwd")[:-6] + "AAAAAA", ("refuses the sas",))):
            with self.subTest(words=words):
                status = self.hsm.start("POST", "/backup", {"storageResourceUri": f"{self.azurite.base}/backups", "token": sas})
                message = status.message if status.status == 400 else self.hsm.wait(status)["error"]["message"]
                self.assert_says(message, *words)


if __name__ == "__main__":
    bench.main()
