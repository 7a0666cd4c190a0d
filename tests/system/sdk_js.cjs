// Run by sdk_js_test.py; prints a word a step.
"use strict";
const dns = require("node:dns");
const lookup = dns.lookup;
dns.lookup = (host, options, done) => lookup(host.endsWith(".coffer.test") ? "127.0.0.1" : host, options, done);

const assert = require("node:assert");
const crypto = require("node:crypto");
const { ClientSecretCredential } = require("@azure/identity");
const { CryptographyClient, KeyClient } = require("@azure/keyvault-keys");

async function main() {
    const credential = new ClientSecretCredential("adfs", process.env.CLIENT_ID, process.env.CLIENT_SECRET,
        { authorityHost: process.env.HSM_AUTHORITY });
    const keys = new KeyClient(process.env.HSM_URL, credential);
    const key = await keys.createEcKey("js", { curve: "P-256", hsm: true, tags: { made: "here" } });
    assert.strictEqual(key.properties.tags.made, "here");
    console.log("made");

    const names = [];
    for await (const item of keys.listPropertiesOfKeys()) names.push(item.name);
    assert.deepStrictEqual(names, ["js"]);
    console.log("listed");

    const digest = crypto.createHash("sha256").update("a text").digest();
    const client = new CryptographyClient(key, credential);
    const { result } = await client.sign("ES256", digest);
    assert.strictEqual((await client.verify("ES256", digest, result)).result, true);
    result[0] ^= 1;
    assert.strictEqual((await client.verify("ES256", digest, result)).result, false);
    console.log("signed");

    await (await keys.beginDeleteKey("js", { intervalInMs: 50 })).pollUntilDone();
    await keys.purgeDeletedKey("js");
    await assert.rejects(keys.getKey("js"), { statusCode: 404 });
    console.log("purged");
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
