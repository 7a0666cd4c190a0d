/* Keys over the wire shapes of the API document, on the real key store. */
#include "world.h"

#include "base/text.h"

#define B64_32 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

static const char *version_of(const char *kid)
{
    return strrchr(kid, '/') + 1;
}

static void a_created_key_has_the_services_shape(void **state)
{
    struct world *w = *state;
    assert_int_equal(ask(w, "POST /keys/My-Key/create",
                         "{\"kty\":\"RSA\",\"key_size\":2048,\"tags\":{\"a\":\"b\"},"
                         "\"attributes\":{\"enabled\":true,\"exp\":1900000000}}"),
                     200);
    const char *kid = answer_text(w, "key.kid");
    assert_int_equal(strncmp(kid, BASE "/keys/My-Key/", strlen(BASE "/keys/My-Key/")), 0);
    assert_int_equal(strlen(version_of(kid)), 32);
    assert_string_equal(answer_text(w, "key.kty"), "RSA-HSM");
    assert_string_equal(answer_text(w, "key.e"), "AQAB");
    assert_int_equal(strlen(answer_text(w, "key.n")), 342); /* 256 bytes, no leading zero */
    assert_int_equal(json_count(answer_at(w, "key.key_ops")), 6);
    assert_string_equal(answer_text(w, "attributes.recoveryLevel"),
                        "CustomizedRecoverable+Purgeable");
    assert_int_equal(answer_int(w, "attributes.recoverableDays"), 7);
    assert_int_equal(answer_int(w, "attributes.created"), START_S);
    assert_int_equal(answer_int(w, "attributes.exp"), 1900000000);
    assert_int_equal(answer_int(w, "attributes.nbf"), -1);
    assert_string_equal(answer_text(w, "tags.a"), "b");
    assert_null(answer_at(w, "release_policy"));
    assert_null(answer_at(w, "recoveryId"));
}

static void every_type_and_curve_can_be_made(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *body, *kty, *member, *value;
    } rows[] = {
        { "{\"kty\":\"EC-HSM\"}", "EC-HSM", "key.crv", "P-256" },
        { "{\"kty\":\"EC\",\"crv\":\"P-256K\"}", "EC-HSM", "key.crv", "P-256K" },
        { "{\"kty\":\"EC-HSM\",\"crv\":\"P-384\"}", "EC-HSM", "key.crv", "P-384" },
        { "{\"kty\":\"EC-HSM\",\"crv\":\"P-521\"}", "EC-HSM", "key.crv", "P-521" },
        { "{\"kty\":\"oct-HSM\"}", "oct-HSM", "key.k", "" },
        { "{\"kty\":\"oct\",\"key_size\":128,\"key_ops\":[\"wrapKey\"]}", "oct-HSM",
          "key.key_ops.0", "wrapKey" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char ask_for[64];
        snprintf(ask_for, sizeof ask_for, "POST /keys/k%zu/create", i);
        assert_int_equal(ask(w, ask_for, rows[i].body), 200);
        assert_string_equal(answer_text(w, "key.kty"), rows[i].kty);
        assert_string_equal(answer_text(w, rows[i].member), rows[i].value);
    }
}

static void bodies_that_make_no_key_are_refused(void **state)
{
    struct world *w = *state;
    static const char *const bad[] = {
        "",
        "[]",
        "{",
        "{}",
        "{\"kty\":\"DSA\"}",
        "{\"kty\":1}",
        "{\"kty\":\"RSA\",\"key_size\":1024}",
        "{\"kty\":\"RSA\",\"key_size\":\"2048\"}",
        "{\"kty\":\"RSA\",\"public_exponent\":4}",
        "{\"kty\":\"EC\",\"crv\":\"P-224\"}",
        "{\"kty\":\"oct\",\"key_size\":64}",
        "{\"kty\":\"RSA\",\"key_ops\":[\"fly\"]}",
        "{\"kty\":\"RSA\",\"key_ops\":[1]}",
        "{\"kty\":\"RSA\",\"attributes\":{\"exp\":-1}}",
        "{\"kty\":\"RSA\",\"attributes\":{\"enabled\":\"yes\"}}",
        "{\"kty\":\"RSA\",\"tags\":{\"a\":1}}",
        "{\"kty\":\"RSA\",\"kty\":\"EC\"}",
        "{\"kty\":\"RSA\",\"release_policy\":{\"data\":\"e30\"}}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(ask(w, "POST /keys/k/create", *bad[i] ? bad[i] : NULL), 400);
        assert_string_equal(answer_text(w, "error.code"), "BadParameter");
    }
    assert_int_equal(ask(w, "GET /keys/k", NULL), 404);
    assert_string_equal(answer_text(w, "error.code"), "KeyNotFound");
}

static void get_update_and_versions(void **state)
{
    struct world *w = *state;
    char first[64];
    char path[256];
    assert_int_equal(ask(w, "POST /keys/k/create", "{\"kty\":\"EC\"}"), 200);
    snprintf(first, sizeof first, "%s", version_of(answer_text(w, "key.kid")));
    hal_sim_clock_step(w->clock, 5000);
    assert_int_equal(ask(w, "POST /keys/K/create", "{\"kty\":\"EC\"}"), 200);
    assert_int_equal(ask(w, "GET /keys/k/versions", NULL), 200);
    assert_int_equal(json_count(answer_at(w, "value")), 2);
    assert_string_equal(version_of(answer_text(w, "value.0.kid")), first);
    snprintf(path, sizeof path, "PATCH /keys/k/%s", first);
    assert_int_equal(ask(w, path, "{\"attributes\":{\"enabled\":false},\"tags\":{\"x\":\"y\"}}"),
                     200);
    assert_string_equal(answer_text(w, "tags.x"), "y");
    snprintf(path, sizeof path, "GET /keys/k/%s", first);
    assert_int_equal(ask(w, path, NULL), 200);
    bool enabled = true;
    assert_true(json_bool(answer_at(w, "attributes.enabled"), &enabled));
    assert_false(enabled);
    assert_int_equal(ask(w, "GET /keys/k/", NULL), 200); /* empty version: the latest */
    assert_string_not_equal(version_of(answer_text(w, "key.kid")), first);
    assert_int_equal(ask(w, "PATCH /keys/k/", "{\"key_ops\":[\"verify\"]}"), 200);
    assert_int_equal(json_count(answer_at(w, "key.key_ops")), 1);
    assert_int_equal(ask(w, "GET /keys/none/versions", NULL), 200);
    assert_int_equal(json_count(answer_at(w, "value")), 0);
    assert_null(answer_at(w, "nextLink"));
}

static void delete_recover_and_purge(void **state)
{
    struct world *w = *state;
    assert_int_equal(ask(w, "POST /keys/k/create", "{\"kty\":\"EC\"}"), 200);
    assert_int_equal(ask(w, "DELETE /keys/k", NULL), 200);
    assert_string_equal(answer_text(w, "recoveryId"), BASE "/deletedkeys/k");
    assert_int_equal(answer_int(w, "deletedDate"), START_S);
    assert_int_equal(answer_int(w, "scheduledPurgeDate"), START_S + 7 * 86400);
    assert_int_equal(ask(w, "GET /deletedkeys/k", NULL), 200); /* at once: clients poll for it */
    assert_int_equal(ask(w, "GET /deletedkeys", NULL), 200);
    assert_string_equal(answer_text(w, "value.0.recoveryId"), BASE "/deletedkeys/k");
    assert_int_equal(ask(w, "GET /keys/k", NULL), 404);
    assert_int_equal(ask(w, "POST /keys/k/create", "{\"kty\":\"EC\"}"), 409);
    assert_string_equal(answer_text(w, "error.code"), "Conflict");
    assert_string_equal(answer_text(w, "error.innererror.code"), "ObjectIsDeletedButRecoverable");
    assert_int_equal(ask(w, "POST /deletedkeys/k/recover", NULL), 200);
    assert_int_equal(ask(w, "GET /keys/k", NULL), 200);
    assert_int_equal(ask(w, "DELETE /keys/k", NULL), 200);
    assert_int_equal(ask(w, "DELETE /deletedkeys/k", NULL), 204);
    assert_string_equal(w->text, "");
    assert_int_equal(ask(w, "GET /deletedkeys/k", NULL), 404);
    assert_int_equal(ask(w, "POST /keys/k/create", "{\"kty\":\"EC\"}"), 200);
}

static void lists_come_in_pages_that_a_client_can_follow(void **state)
{
    struct world *w = *state;
    char request[512];
    unsigned seen = 0;
    for (unsigned i = 0; i < 30; i++) {
        snprintf(request, sizeof request, "POST /keys/key-%02u/create", i);
        assert_int_equal(ask(w, request, "{\"kty\":\"oct\"}"), 200);
    }
    snprintf(request, sizeof request, "GET /keys?api-version=7.4&maxresults=7");
    for (unsigned page = 0; page < 5; page++) {
        assert_int_equal(ask(w, request, NULL), 200);
        for (const struct json *c = json_first(answer_at(w, "value")); c; c = json_next(c)) {
            char want[64];
            snprintf(want, sizeof want, BASE "/keys/key-%02u", seen++);
            assert_string_equal(json_text(json_member(c, "kid")), want); /* without version */
        }
        const char *next = answer_text(w, "nextLink");
        if (page == 4) {
            assert_null(answer_at(w, "nextLink"));
            break;
        }
        assert_int_equal(strncmp(next, BASE "/keys?api-version=7.4&$skiptoken=", 50), 0);
        assert_non_null(strstr(next, "&maxresults=7"));
        snprintf(request, sizeof request, "GET %s", next + strlen(BASE));
    }
    assert_int_equal(seen, 30);
    assert_int_equal(ask(w, "GET /keys?api-version=7.4&maxresults=26", NULL), 400);
    assert_int_equal(ask(w, "GET /keys?api-version=7.4&maxresults=0", NULL), 400);
    assert_int_equal(ask(w, "GET /keys?api-version=7.4&$skiptoken=AAAA", NULL), 400);
    assert_int_equal(ask(w, "GET /keys", NULL), 200);
    assert_int_equal(json_count(answer_at(w, "value")), 25);
}

/* Makes a key and gives the path of its version. */
static const char *make(struct world *w, const char *name, const char *body)
{
    static char path[256];
    char request[128];
    snprintf(request, sizeof request, "POST /keys/%s/create", name);
    assert_int_equal(ask(w, request, body), 200);
    snprintf(path, sizeof path, "%s", answer_text(w, "key.kid") + strlen(BASE));
    return path;
}

static int use(struct world *w, const char *key, const char *op, const char *body)
{
    char request[512];
    snprintf(request, sizeof request, "POST %s/%s", key, op);
    return ask(w, request, body);
}

static void what_is_signed_verifies_and_nothing_else_does(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *alg, *key;
        size_t digest;
    } rows[] = {
        { "RS256", "{\"kty\":\"RSA\"}", 32 },
        { "RS384", "{\"kty\":\"RSA\"}", 48 },
        { "RS512", "{\"kty\":\"RSA\"}", 64 },
        { "PS256", "{\"kty\":\"RSA\"}", 32 },
        { "PS384", "{\"kty\":\"RSA\"}", 48 },
        { "PS512", "{\"kty\":\"RSA\"}", 64 },
        { "RSNULL", "{\"kty\":\"RSA\"}", 36 },
        { "ES256", "{\"kty\":\"EC\"}", 32 },
        { "ES256K", "{\"kty\":\"EC\",\"crv\":\"P-256K\"}", 32 },
        { "ES384", "{\"kty\":\"EC\",\"crv\":\"P-384\"}", 48 },
        { "ES512", "{\"kty\":\"EC\",\"crv\":\"P-521\"}", 64 },
        { "HS256", "{\"kty\":\"oct\",\"key_ops\":[\"sign\",\"verify\"]}", 5 },
        { "HS512", "{\"kty\":\"oct\",\"key_ops\":[\"sign\",\"verify\"]}", 5 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t digest[64] = { 1, 2, 3 };
        char text[128], key[256], body[2048], sig[1024];
        snprintf(key, sizeof key, "%s", make(w, "signer", rows[i].key));
        cf_base64url(digest, rows[i].digest, text);
        snprintf(body, sizeof body, "{\"alg\":\"%s\",\"value\":\"%s\"}", rows[i].alg, text);
        print_message("  %s\n", rows[i].alg);
        assert_int_equal(use(w, key, "sign", body), 200);
        assert_string_equal(answer_text(w, "kid") + strlen(BASE), key);
        snprintf(sig, sizeof sig, "%s", answer_text(w, "value"));
        snprintf(body, sizeof body, "{\"alg\":\"%s\",\"digest\":\"%s\",\"value\":\"%s\"}",
                 rows[i].alg, text, sig);
        assert_int_equal(use(w, key, "verify", body), 200);
        assert_string_equal(w->text, "{\"value\":true}");
        digest[0] ^= 1;
        cf_base64url(digest, rows[i].digest, text);
        snprintf(body, sizeof body, "{\"alg\":\"%s\",\"digest\":\"%s\",\"value\":\"%s\"}",
                 rows[i].alg, text, sig);
        assert_int_equal(use(w, key, "verify", body), 200);
        assert_string_equal(w->text, "{\"value\":false}");
    }
}

static void a_use_answers_with_the_kid_that_the_key_itself_has(void **state)
{
    struct world *w = *state;
    char kid[256];
    assert_int_equal(ask(w, "POST /keys/My-Key/create", "{\"kty\":\"EC\"}"), 200);
    snprintf(kid, sizeof kid, "%s", answer_text(w, "key.kid"));
    assert_string_equal(answer_text(w, "key.key_ops.0"), "verify"); /* as the service has it */
    assert_string_equal(answer_text(w, "key.key_ops.1"), "sign");
    assert_int_equal(use(w, "/keys/my-key", "sign", "{\"alg\":\"ES256\",\"value\":\"" B64_32 "\"}"),
                     200);
    assert_string_equal(answer_text(w, "kid"), kid);
}

static void what_is_encrypted_or_wrapped_comes_back(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *alg, *key, *there, *back, *iv;
    } rows[] = {
        { "RSA-OAEP-256", "{\"kty\":\"RSA\"}", "encrypt", "decrypt", "" },
        { "RSA-OAEP", "{\"kty\":\"RSA\"}", "wrapkey", "unwrapkey", "" },
        { "RSA1_5", "{\"kty\":\"RSA\"}", "encrypt", "decrypt", "" },
        { "A128KW", "{\"kty\":\"oct\",\"key_size\":128}", "wrapkey", "unwrapkey", "" },
        { "A256KW", "{\"kty\":\"oct\"}", "wrapkey", "unwrapkey", "" },
        { "CKM_AES_KEY_WRAP_PAD", "{\"kty\":\"oct\"}", "wrapkey", "unwrapkey", "" },
        { "A256GCM", "{\"kty\":\"oct\"}", "encrypt", "decrypt", "" },
        { "A192CBCPAD", "{\"kty\":\"oct\",\"key_size\":192}", "encrypt", "decrypt",
          ",\"iv\":\"AAAAAAAAAAAAAAAAAAAAAA\"" },
        { "A256CBC", "{\"kty\":\"oct\"}", "encrypt", "decrypt",
          ",\"iv\":\"AAAAAAAAAAAAAAAAAAAAAA\"" },
        { "A256CBC", "{\"kty\":\"oct\"}", "wrapkey", "unwrapkey", "" }, /* made and given back */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char key[256], body[4096];
        print_message("  %s\n", rows[i].alg);
        snprintf(key, sizeof key, "%s", make(w, "cipher", rows[i].key));
        snprintf(body, sizeof body, "{\"alg\":\"%s\",\"value\":\"" B64_32 "\"%s}", rows[i].alg,
                 rows[i].iv);
        assert_int_equal(use(w, key, rows[i].there, body), 200);
        int n = snprintf(body, sizeof body, "{\"alg\":\"%s\",\"value\":\"%s\"", rows[i].alg,
                         answer_text(w, "value"));
        if (*answer_text(w, "iv"))
            n +=
                snprintf(body + n, sizeof body - (size_t)n, ",\"iv\":\"%s\"", answer_text(w, "iv"));
        if (*answer_text(w, "tag"))
            n += snprintf(body + n, sizeof body - (size_t)n, ",\"tag\":\"%s\"",
                          answer_text(w, "tag"));
        snprintf(body + n, sizeof body - (size_t)n, "}");
        assert_int_equal(use(w, key, rows[i].back, body), 200);
        assert_string_equal(answer_text(w, "value"), B64_32);
    }
}

static void uses_that_do_not_fit_are_refused_with_their_reason(void **state)
{
    struct world *w = *state;
    char rsa[256], oct[256];
    snprintf(rsa, sizeof rsa, "%s", make(w, "rsa", "{\"kty\":\"RSA\",\"key_ops\":[\"sign\"]}"));
    snprintf(oct, sizeof oct, "%s", make(w, "oct", "{\"kty\":\"oct\"}"));
    assert_int_equal(use(w, rsa, "sign", "{\"alg\":\"RS256\",\"value\":\"AAAA\"}"), 400);
    assert_int_equal(use(w, rsa, "sign", "{\"alg\":\"ES256\",\"value\":\"" B64_32 "\"}"), 400);
    assert_int_equal(use(w, rsa, "sign", "{\"alg\":\"A256KW\",\"value\":\"" B64_32 "\"}"), 400);
    assert_int_equal(use(w, rsa, "sign", "{\"alg\":\"RS256\",\"value\":\"$$$$\"}"), 400);
    static const char *const ops[] = { "sign",    "verify",  "encrypt",
                                       "decrypt", "wrapkey", "unwrapkey" };
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        assert_int_equal(use(w, oct, ops[i], "{}"), 400); /* no algorithm */
        assert_int_equal(use(w, oct, ops[i], "{\"alg\":\"none\",\"value\":\"AAAA\"}"), 400);
    }
    assert_int_equal(use(w, oct, "wrapkey", "{\"alg\":\"A128KW\",\"value\":\"" B64_32 "\"}"), 400);
    assert_int_equal(
        use(w, oct, "encrypt", "{\"alg\":\"A256CBC\",\"iv\":\"AAAA\",\"value\":\"" B64_32 "\"}"),
        400);
    assert_int_equal(use(w, oct, "decrypt", "{\"alg\":\"A256CBC\",\"value\":\"" B64_32 "\"}"), 400);
    assert_int_equal(use(w, oct, "encrypt",
                         "{\"alg\":\"A256GCM\",\"iv\":\"AAAAAAAAAAAAAAAA\","
                         "\"value\":\"" B64_32 "\"}"),
                     400);
    assert_int_equal(use(w, oct, "decrypt",
                         "{\"alg\":\"A256GCM\",\"iv\":\"AAAAAAAAAAAAAAAA\","
                         "\"tag\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"value\":\"AAAA\"}"),
                     400);
    assert_string_equal(answer_text(w, "error.code"), "BadParameter");
    assert_int_equal(use(w, rsa, "decrypt", "{\"alg\":\"RSA-OAEP-256\",\"value\":\"AAAA\"}"), 403);
    assert_string_equal(answer_text(w, "error.innererror.code"), "KeyOperationForbidden");
    assert_int_equal(ask(w, "PATCH /keys/rsa", "{\"attributes\":{\"enabled\":false}}"), 200);
    assert_int_equal(use(w, rsa, "sign", "{\"alg\":\"RS256\",\"value\":\"" B64_32 "\"}"), 403);
    assert_string_equal(answer_text(w, "error.innererror.code"), "KeyDisabled");
    assert_int_equal(use(w, "/keys/none", "sign", "{\"alg\":\"RS256\",\"value\":\"" B64_32 "\"}"),
                     404);
}

static void a_brought_key_is_imported_and_never_shown(void **state)
{
    struct world *w = *state;
    /* RFC 7517 A.2: the EC key. */
    static const char ec[] =
        "{\"Hsm\":true,\"key\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"key_ops\":[\"sign\"],"
        "\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","
        "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\","
        "\"d\":\"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE\"},\"tags\":{\"t\":\"u\"}}";
    assert_int_equal(ask(w, "PUT /keys/ec", ec), 200);
    assert_string_equal(answer_text(w, "key.x"), "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4");
    assert_string_equal(answer_text(w, "key.key_ops.0"), "sign");
    assert_null(strstr(w->text, "870MB6gf"));
    assert_int_equal(
        ask(w, "PUT /keys/restore", "{\"key\":{\"kty\":\"oct\",\"k\":\"" B64_32 "\"}}"),
        200); /* a key may be called restore */
    assert_null(answer_at(w, "key.k"));
    char wrong[sizeof ec];
    memcpy(wrong, ec, sizeof ec);
    *strstr(wrong, "870MB") = '9';
    assert_int_equal(ask(w, "PUT /keys/ec2", wrong), 400);
    char big[512];
    snprintf(big, sizeof big, "{\"key\":{\"kty\":\"oct\",\"k\":\"%sA%sA\"}}", B64_32, B64_32);
    assert_int_equal(ask(w, "PUT /keys/big", big), 400);
    assert_non_null(strstr(w->text, "JSON Web Key: k property of oct key is too large, maximum "
                                    "size is 64"));
    assert_int_equal(ask(w, "PUT /keys/x", "{\"key\":{\"kty\":\"RSA\",\"n\":\"AQAB\"}}"), 400);
    assert_int_equal(ask(w, "PUT /keys/x", "{}"), 400);
}

static void one_key_is_backed_up_and_comes_back_with_its_versions(void **state)
{
    struct world *w = *state;
    char kid[256], body[32768];
    snprintf(kid, sizeof kid, "%s", make(w, "k", "{\"kty\":\"EC\",\"tags\":{\"a\":\"b\"}}"));
    assert_int_equal(ask(w, "POST /keys/k/backup", NULL), 200);
    snprintf(body, sizeof body, "%s", w->text);
    assert_int_equal(ask(w, "POST /keys/restore", body), 409);
    assert_int_equal(ask(w, "DELETE /keys/k", NULL), 200);
    assert_int_equal(ask(w, "POST /keys/restore", body), 409);
    assert_int_equal(ask(w, "DELETE /deletedkeys/k", NULL), 204);
    assert_int_equal(ask(w, "POST /keys/restore", body), 200);
    assert_string_equal(answer_text(w, "key.kid") + strlen(BASE), kid);
    assert_string_equal(answer_text(w, "tags.a"), "b");
    assert_int_equal(ask(w, "POST /keys/restore", "{\"value\":\"AAAA\"}"), 400);
}

static void random_bytes_come_in_the_count_asked_for(void **state)
{
    struct world *w = *state;
    assert_int_equal(ask(w, "POST /rng", "{\"count\":128}"), 200);
    assert_int_equal(strlen(answer_text(w, "value")), 171);
    assert_int_equal(ask(w, "POST /rng", "{\"count\":129}"), 400);
    assert_int_equal(ask(w, "POST /rng", "{\"count\":0}"), 400);
    assert_int_equal(ask(w, "POST /rng", "{}"), 400);
}

static void a_release_is_always_refused(void **state)
{
    struct world *w = *state;
    char key[256];
    snprintf(key, sizeof key, "%s", make(w, "k", "{\"kty\":\"EC\"}"));
    assert_int_equal(use(w, key, "release", "{\"target\":\"x\"}"), 403);
    assert_non_null(
        strstr(w->text, "Target environment attestation statement cannot be verified."));
}

static void without_a_key_store_clients_are_told_to_come_back(void **state)
{
    struct world *w = *state;
    atomic_store(&w->api.keystore, NULL);
    assert_int_equal(ask(w, "GET /keys", NULL), 503);
    assert_true(w->reply.retry_after);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, world_up, world_down)
    const struct CMUnitTest tests[] = {
        TEST(a_created_key_has_the_services_shape),
        TEST(every_type_and_curve_can_be_made),
        TEST(bodies_that_make_no_key_are_refused),
        TEST(get_update_and_versions),
        TEST(delete_recover_and_purge),
        TEST(lists_come_in_pages_that_a_client_can_follow),
        TEST(what_is_signed_verifies_and_nothing_else_does),
        TEST(a_use_answers_with_the_kid_that_the_key_itself_has),
        TEST(what_is_encrypted_or_wrapped_comes_back),
        TEST(uses_that_do_not_fit_are_refused_with_their_reason),
        TEST(a_brought_key_is_imported_and_never_shown),
        TEST(one_key_is_backed_up_and_comes_back_with_its_versions),
        TEST(random_bytes_come_in_the_count_asked_for),
        TEST(a_release_is_always_refused),
        TEST(without_a_key_store_clients_are_told_to_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
