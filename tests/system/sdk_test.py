"""Debian's Azure SDKs for Python, unchanged, over real TLS: keys, cryptography, roles, settings, backup, identity."""
import hashlib
import pathlib
import sys
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench
import sdk

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.keyvault.administration import (ApiVersion, KeyVaultAccessControlClient, KeyVaultBackupClient, KeyVaultRoleScope,
                                           KeyVaultSettingsClient)
from azure.keyvault.keys import KeyClient, KeyCurveName, KeyOperation, KeyType, JsonWebKey
from azure.keyvault.keys.crypto import (CryptographyClient, EncryptionAlgorithm, KeyWrapAlgorithm, SignatureAlgorithm)

DIGEST = hashlib.sha256(b"a text to sign").digest()
SDK_VERSIONS = [ApiVersion.V7_4_PREVIEW_1, ApiVersion.V7_3, ApiVersion.V7_2]


class Sdk(bench.Case):
    @classmethod
    def prepare(cls):
        cls.hsm = cls.bench()
        sdk.use(cls.hsm)
        cls.credential = sdk.TokenOf(cls.hsm, "admin")
        cls.keys = KeyClient(cls.hsm.url, cls.credential)

    def crypto(self, key):
        return CryptographyClient(key.id, self.credential)


class Keys(Sdk):
    def test_an_rsa_key_is_created_shown_and_versioned(self):
        first = self.keys.create_rsa_key("rsa", size=2048, hardware_protected=True, tags={"a": "1"},
                                         key_operations=[KeyOperation.sign, KeyOperation.verify])
        second = self.keys.create_rsa_key("rsa", size=3072, hardware_protected=True)
        self.assertEqual(KeyType.rsa_hsm, first.key_type)
        self.assertEqual({"a": "1"}, first.properties.tags)
        self.assertEqual(256, len(first.key.n))
        self.assertNotEqual(first.properties.version, second.properties.version)
        self.assertEqual(second.id, self.keys.get_key("rsa").id)
        self.assertEqual(first.id, self.keys.get_key("rsa", first.properties.version).id)
        versions = {item.version for item in self.keys.list_properties_of_key_versions("rsa")}
        self.assertEqual({first.properties.version, second.properties.version}, versions)

    def test_every_curve_is_created(self):
        for curve, size in ((KeyCurveName.p_256, 32), (KeyCurveName.p_384, 48), (KeyCurveName.p_521, 66),
                            (KeyCurveName.p_256_k, 32)):
            with self.subTest(curve=curve):
                key = self.keys.create_ec_key(f"ec-{size}-{curve.value[-1].lower()}", curve=curve, hardware_protected=True)
                self.assertEqual(curve, key.key.crv)
                self.assertEqual(size, len(key.key.x))

    def test_an_oct_key_is_created_and_never_shown(self):
        key = self.keys.create_oct_key("oct", size=256, hardware_protected=True)
        self.assertEqual(KeyType.oct_hsm, key.key_type)
        self.assertIsNone(key.key.k)

    def test_lists_run_over_more_than_one_page(self):
        names = {f"page{i:02}" for i in range(27)}
        for name in names:
            self.keys.create_oct_key(name, size=128, hardware_protected=True)
        self.assertLessEqual(names, {item.name for item in self.keys.list_properties_of_keys()})

    def test_attributes_and_tags_are_updated(self):
        self.keys.create_ec_key("change", hardware_protected=True)
        changed = self.keys.update_key_properties("change", enabled=False, tags={"x": "y"},
                                                  key_operations=[KeyOperation.verify])
        self.assertFalse(changed.properties.enabled)
        self.assertEqual({"x": "y"}, self.keys.get_key("change").properties.tags)
        self.assertEqual([KeyOperation.verify], changed.key_operations)

    def test_a_key_is_deleted_recovered_deleted_and_purged(self):
        made = self.keys.create_ec_key("mortal", hardware_protected=True)
        deleted = self.keys.begin_delete_key("mortal").result()
        self.assertIsNotNone(deleted.scheduled_purge_date)
        with self.assertRaises(ResourceNotFoundError):
            self.keys.get_key("mortal")
        with self.assertRaises(ResourceExistsError):
            self.keys.create_ec_key("mortal", hardware_protected=True)
        self.assertIn("mortal", [item.name for item in self.keys.list_deleted_keys()])
        self.assertEqual(made.id, self.keys.begin_recover_deleted_key("mortal").result().id)
        self.keys.begin_delete_key("mortal").result()
        self.keys.purge_deleted_key("mortal")
        with self.assertRaises(ResourceNotFoundError):
            self.keys.get_deleted_key("mortal")

    def test_an_imported_key_signs_as_its_original_would(self):
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
        original = rsa.generate_private_key(65537, 2048)
        private, public = original.private_numbers(), original.public_key().public_numbers()
        numbers = {"n": public.n, "e": public.e, "d": private.d, "p": private.p, "q": private.q, "dp": private.dmp1,
                   "dq": private.dmq1, "qi": private.iqmp}
        jwk = JsonWebKey(kty="RSA-HSM", key_ops=["sign", "verify"],
                         **{name: n.to_bytes((n.bit_length() + 7) // 8, "big") for name, n in numbers.items()})
        key = self.keys.import_key("imported", jwk, hardware_protected=True)
        self.assertIsNone(key.key.d)
        signature = self.crypto(key).sign(SignatureAlgorithm.rs256, DIGEST).signature
        original.public_key().verify(signature, b"a text to sign", padding.PKCS1v15(), hashes.SHA256())


class Cryptography(Sdk):
    @classmethod
    def prepare(cls):
        super().prepare()
        cls.rsa = cls.keys.create_rsa_key("rsa", size=2048, hardware_protected=True)
        cls.ec = cls.keys.create_ec_key("ec", curve=KeyCurveName.p_256, hardware_protected=True)
        cls.oct = cls.keys.create_oct_key("oct", size=256, hardware_protected=True)

    def remote(self, key):
        """A client that has no public half, so that the appliance does all of it."""
        client = self.crypto(key)
        client._local_provider._supported_operations = frozenset()  # pylint: disable=protected-access
        return client

    def test_signatures_verify_and_changed_ones_do_not(self):
        for key, algorithms in ((self.rsa, (SignatureAlgorithm.rs256, SignatureAlgorithm.ps256)),
                                (self.ec, (SignatureAlgorithm.es256,))):
            for algorithm in algorithms:
                with self.subTest(algorithm=algorithm):
                    client = self.crypto(key)
                    signature = client.sign(algorithm, DIGEST).signature
                    self.assertTrue(client.verify(algorithm, DIGEST, signature).is_valid)
                    other = bytes([signature[0] ^ 1]) + signature[1:]
                    self.assertFalse(client.verify(algorithm, DIGEST, other).is_valid)

    def test_rsa_decrypts_what_it_encrypted(self):
        for algorithm in (EncryptionAlgorithm.rsa_oaep_256, EncryptionAlgorithm.rsa_oaep, EncryptionAlgorithm.rsa1_5):
            with self.subTest(algorithm=algorithm):
                client = self.crypto(self.rsa)
                sealed = client.encrypt(algorithm, b"plain").ciphertext
                self.assertEqual(b"plain", client.decrypt(algorithm, sealed).plaintext)

    def test_aes_gcm_decrypts_what_it_encrypted_and_refuses_a_changed_tag(self):
        client = self.crypto(self.oct)
        sealed = client.encrypt(EncryptionAlgorithm.a256_gcm, b"plain", additional_authenticated_data=b"aad")
        more = {"iv": sealed.iv, "additional_authenticated_data": b"aad"}
        plain = client.decrypt(sealed.algorithm, sealed.ciphertext, authentication_tag=sealed.tag, **more)
        self.assertEqual(b"plain", plain.plaintext)
        with self.assertRaises(HttpResponseError):
            client.decrypt(sealed.algorithm, sealed.ciphertext,
                           authentication_tag=bytes([sealed.tag[0] ^ 1]) + sealed.tag[1:], **more)

    def test_wrapped_keys_are_unwrapped(self):
        for key, algorithm in ((self.rsa, KeyWrapAlgorithm.rsa_oaep_256), (self.oct, KeyWrapAlgorithm.aes_256)):
            with self.subTest(algorithm=algorithm):
                client = self.crypto(key)
                wrapped = client.wrap_key(algorithm, bytes(range(32))).encrypted_key
                self.assertEqual(bytes(range(32)), client.unwrap_key(algorithm, wrapped).key)

    def test_a_disabled_key_is_refused_with_the_reason(self):
        key = self.keys.create_ec_key("off", hardware_protected=True, enabled=False)
        with self.assertRaises(HttpResponseError) as refused:
            self.crypto(key).sign(SignatureAlgorithm.es256, DIGEST)
        self.assertEqual(403, refused.exception.status_code)
        self.assertIn("disabled", str(refused.exception))


class Access(Sdk):
    def test_roles_are_listed_assigned_and_taken_away(self):
        control = KeyVaultAccessControlClient(self.hsm.url, self.credential)
        roles = {role.role_name: role for role in control.list_role_definitions(KeyVaultRoleScope.GLOBAL)}
        self.assertIn("Managed HSM Crypto User", roles)
        nobody = self.hsm.principal("nobody")["object_id"]
        self.keys.create_ec_key("one", hardware_protected=True)
        made = control.create_role_assignment("/keys/one", roles["Managed HSM Crypto User"].id, nobody)
        self.assertEqual("/keys/one", made.properties.scope)
        theirs = KeyClient(self.hsm.url, sdk.TokenOf(self.hsm, "nobody"))
        self.assertEqual("one", theirs.get_key("one").name)
        control.delete_role_assignment("/keys/one", made.name)
        with self.assertRaises(HttpResponseError) as refused:
            theirs.get_key("one")
        self.assertEqual(403, refused.exception.status_code)
        self.assertIn("Microsoft.KeyVault/managedHsm/keys/read/action", str(refused.exception))

    def test_a_custom_role_lives_and_dies(self):
        control = KeyVaultAccessControlClient(self.hsm.url, self.credential)
        name = uuid.uuid4()
        from azure.keyvault.administration import KeyVaultDataAction, KeyVaultPermission
        control.set_role_definition(KeyVaultRoleScope.GLOBAL, name=name, role_name="Reader",
                                    permissions=[KeyVaultPermission(data_actions=[KeyVaultDataAction.READ_HSM_KEY])])
        self.assertEqual("Reader", control.get_role_definition(KeyVaultRoleScope.GLOBAL, name).role_name)
        control.delete_role_definition(KeyVaultRoleScope.GLOBAL, name)
        self.assertNotIn(str(name), [role.name for role in control.list_role_definitions(KeyVaultRoleScope.GLOBAL)])

    def test_a_setting_is_read_and_written(self):
        client = KeyVaultSettingsClient(self.hsm.url, self.credential)
        setting = next(iter(client.list_settings()))
        client.update_setting(setting.name, "True")
        self.assertEqual("true", str(client.get_setting(setting.name).value).lower())


class Identity(Sdk):
    def test_a_client_secret_of_the_built_in_authority_is_enough(self):
        who = self.hsm.principal("crypto-user")
        for tenant, more in (("adfs", {}), (who["tenant_id"], {"instance_discovery": False})):
            with self.subTest(tenant=tenant):
                credential = ClientSecretCredential(tenant, who["client_id"], who["client_secret"],
                                                    authority=self.hsm.facts["HSM_AUTHORITY"], **more)
                client = KeyClient(self.hsm.url, credential)
                self.assertIsNotNone(list(client.list_properties_of_keys()))

    def test_a_wrong_secret_gets_no_token(self):
        from azure.core.exceptions import ClientAuthenticationError
        who = self.hsm.principal("crypto-user")
        credential = ClientSecretCredential("adfs", who["client_id"], who["client_secret"] + "x",
                                            authority=self.hsm.facts["HSM_AUTHORITY"])
        with self.assertRaises(ClientAuthenticationError):
            credential.get_token("https://managedhsm.azure.net/.default")


class Backup(Sdk):
    @classmethod
    def prepare(cls):
        super().prepare()
        cls.server = cls.blobserver("--require-sas", "--account-key", bench.DEV_KEY)
        cls.keys.create_ec_key("kept", hardware_protected=True)

    def test_backup_restore_and_selective_restore_in_each_version(self):
        sas = self.server.storage()["token"]
        for version in SDK_VERSIONS:
            with self.subTest(version=version):
                client = KeyVaultBackupClient(self.hsm.url, self.credential, api_version=version)
                before = self.hsm.state()
                url = client.begin_backup(self.server.uri, sas).result().folder_url
                self.assertTrue(url.startswith(self.server.uri + "/mhsm-hsm1-"), url)
                self.keys.create_ec_key("later", hardware_protected=True)
                client.begin_restore(url, sas).wait()
                self.assert_same(before, self.hsm.state())
                self.hsm.delete("kept", purge=True)
                client.begin_restore(url, "?" + sas, key_name="kept").wait()
                self.assert_same(before, self.hsm.state())

    def test_a_backup_role_may_back_up_and_nothing_else(self):
        client = KeyVaultBackupClient(self.hsm.url, sdk.TokenOf(self.hsm, "backup-user"))
        self.assertIn("mhsm-hsm1-", client.begin_backup(self.server.uri, self.server.storage()["token"]).result().folder_url)
        with self.assertRaises(HttpResponseError) as refused:
            KeyClient(self.hsm.url, sdk.TokenOf(self.hsm, "backup-user")).get_key("kept")
        self.assertEqual(403, refused.exception.status_code)

    def test_a_backup_goes_to_a_directory(self):
        client = KeyVaultBackupClient(self.hsm.url, self.credential)
        url = client.begin_backup(f"dir:{self.hsm.blobs}", "").result().folder_url
        self.assertTrue((pathlib.Path(url[4:]) / "manifest").is_file(), url)

    def test_a_failed_job_raises_with_its_reason(self):
        client = KeyVaultBackupClient(self.hsm.url, self.credential)
        missing = self.server.uri.replace("coffer", "missing", 1)
        with self.assertRaises(HttpResponseError) as failed:
            client.begin_backup(missing, bench.make_sas("missing")).result()
        self.assert_says(str(failed.exception), "container")


if __name__ == "__main__":
    bench.main()
