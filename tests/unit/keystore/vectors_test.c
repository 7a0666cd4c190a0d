/* Key blobs, stores and one-key backups of the independent writer (tests/vectors/keyblob-v1): the
 * golden ones open to what they say, the negative ones are refused with their class. */
#include "support/test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../../firmware/keystore/keystore_priv.h"
#include "base/text.h"
#include "hal_sim/hal_sim.h"
#include "support/fake_token.h"
#include "support/scratch.h"
#include "support/vectors.h"

#define SQLITE_HAS_CODEC 1
#include <sqlcipher/sqlite3.h>

#define FOLDER "keyblob-v1"

struct fixture {
    struct hal_token *token;
    struct hal_clock *clock;
    struct keystore_options o;
    uint8_t k_row[32]; /* of the vectors' appliance and epoch */
};

static void import(struct fixture *f, struct vectors *v, enum hal_role role, const char *name,
                   uint32_t g)
{
    struct hal_key_name k = { .role = role, .generation = g };
    char line[32];
    uint8_t bytes[32];
    struct cf_secret *value = NULL;
    memcpy(k.domain_id, f->o.domain_id, sizeof k.domain_id);
    snprintf(line, sizeof line, "%s.%u", name, g);
    vectors_fixed(v, line, bytes, sizeof bytes);
    assert_int_equal(cf_secret_copy(bytes, sizeof bytes, &value, NULL), CF_OK);
    assert_int_equal(hal_token_key_import(f->token, &k, value, NULL), CF_OK);
    cf_secret_free(value);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct vectors v = { 0 };
    f->token = fake_token_new();
    f->clock = hal_sim_clock_new(1767225600000);
    f->o = (struct keystore_options){ .token = f->token,
                                      .clock = f->clock,
                                      .generation = { 2, 1 },
                                      .generations = 2,
                                      .retention_days = 7 };
    vectors_read(&v, "backup-v1/domain.txt");
    vectors_fixed(&v, "domain_id", f->o.domain_id, sizeof f->o.domain_id);
    for (uint32_t g = 1; g <= 2; g++) {
        import(f, &v, HAL_ROLE_BK, "bk", g);
        import(f, &v, HAL_ROLE_KEK, "kek", g);
        import(f, &v, HAL_ROLE_MK, "mk", g);
    }
    vectors_clear(&v);
    vectors_read(&v, FOLDER "/store-before.txt");
    vectors_fixed(&v, "k_row", f->k_row, sizeof f->k_row);
    vectors_clear(&v);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    hal_token_close(f->token);
    hal_sim_clock_free(f->clock);
    free(f);
    return 0;
}

static enum cf_rc class_of(const char *expect)
{
    static const struct {
        const char *name;
        enum cf_rc rc;
    } all[] = { { "ok", CF_OK },
                { "corrupt", CF_E_CORRUPT },
                { "auth", CF_E_AUTH },
                { "limit", CF_E_LIMIT },
                { "denied", CF_E_DENIED } };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(expect, all[i].name) == 0)
            return all[i].rc;
    fail_msg("unknown class %s", expect);
    return CF_OK;
}

/* --- blobs
 * ------------------------------------------------------------------------------------------- */

static enum cf_rc mac_good(struct fixture *f, const struct keyblob *b, const struct cf_buf *bound,
                           struct cf_err *e)
{
    struct keystore ks = { .o = f->o };
    struct hal_key_name mk = domain_key(&ks, HAL_ROLE_MK, b->generation);
    uint8_t mac[HAL_MAC_SIZE];
    enum cf_rc rc = hal_token_mac(f->token, &mk, bound->data, bound->len, mac, e);
    return rc == CF_OK && !cf_equal(mac, b->mac, sizeof mac)
               ? CF_FAIL(e, CF_E_AUTH, "the blob's MAC does not verify")
               : rc;
}

/* Everything FORMAT.md 7 asks of a blob, in its order. */
static enum cf_rc judge_blob(struct fixture *f, struct vectors *v, struct cf_buf *blob,
                             struct cf_err *e)
{
    struct keystore ks = { .o = f->o };
    struct keyblob b;
    struct hal_user_key key;
    struct cf_buf bound = { 0 };
    struct keystore_version row = { .created = vectors_uint(v, "created"),
                                    .exportable = vectors_uint(v, "exportable") != 0 };
    snprintf(row.id, sizeof row.id, "%s", vectors_text(v, "version_id"));
    enum cf_rc rc = keyblob_parse(crypto_bytes_of(blob->data, blob->len), &b, e);
    if (rc == CF_OK)
        rc = keyblob_ours(&ks, &b, e);
    if (rc == CF_OK)
        rc = keyblob_spki_fits(&b, e);
    if (rc == CF_OK)
        rc = keyblob_bound(&b, &bound, e);
    if (rc == CF_OK)
        rc = mac_good(f, &b, &bound, e);
    if (rc == CF_OK)
        rc = keyblob_belongs(&b, vectors_text(v, "name"), &row, e);
    if (rc == CF_OK) {
        keyblob_user_key(&b, &bound, &key);
        rc = hal_token_user_check(f->token, &key, e);
    }
    cf_buf_clear(&bound);
    return rc;
}

static void material_is_as_told(struct fixture *f, struct vectors *v, const struct cf_buf *blob)
{
    struct keystore ks = { .o = f->o };
    struct keyblob b;
    struct cf_buf want = { 0 }, spki = { 0 }, got = { 0 };
    assert_int_equal(keyblob_parse(crypto_bytes_of(blob->data, blob->len), &b, NULL), CF_OK);
    struct hal_key_name kek = domain_key(&ks, HAL_ROLE_KEK, b.generation);
    vectors_bytes(v, "material", &want);
    vectors_bytes(v, "spki", &spki);
    assert_int_equal(fake_token_unwrap(f->token, &kek, b.wrapped.p, b.wrapped.len, &got, NULL),
                     CF_OK);
    assert_int_equal(b.material_len, want.len);
    assert_true(got.len >= want.len); /* a token's zeros may follow */
    assert_memory_equal(got.data, want.data, want.len);
    assert_int_equal(b.spki.len, spki.len);
    if (spki.len)
        assert_memory_equal(b.spki.p, spki.data, spki.len);
    cf_buf_clear(&want);
    cf_buf_clear(&spki);
    cf_buf_clear(&got);
}

static enum cf_rc try_blob(struct fixture *f, struct vectors *v, struct cf_err *e)
{
    struct cf_buf blob = { 0 };
    vectors_bytes(v, "blob", &blob);
    enum cf_rc rc = judge_blob(f, v, &blob, e);
    if (rc == CF_OK && vectors_has(v, "material"))
        material_is_as_told(f, v, &blob);
    cf_buf_clear(&blob);
    return rc;
}

/* --- stores
 * ------------------------------------------------------------------------------------------- */

struct laid {
    char dir[64];
    struct cf_buf page, row;
    uint64_t board;
};

static enum cf_rc given_keys(void *arg, const uint8_t epoch[STORE_EPOCH_SIZE], unsigned try_,
                             struct store_keys *out, struct cf_err *e)
{
    struct laid *l = arg;
    (void)epoch;
    if (try_)
        return CF_FAIL(e, CF_E_ABSENT, "one generation");
    enum cf_rc rc = cf_secret_copy(l->page.data, l->page.len, &out->page, e);
    return rc == CF_OK ? cf_secret_copy(l->row.data, l->row.len, &out->row, e) : rc;
}

static enum cf_rc board_read(void *arg, uint64_t *out, struct cf_err *e)
{
    (void)e;
    *out = ((struct laid *)arg)->board;
    return CF_OK;
}

static enum cf_rc board_step(void *arg, struct cf_err *e)
{
    (void)e;
    ((struct laid *)arg)->board++;
    return CF_OK;
}

static void lay_rows(sqlite3 *db, struct vectors *v)
{
    struct cf_buf sql = { 0 };
    const char *text;
    char name[32];
    assert_int_equal(cf_buf_printf(&sql, NULL, "DELETE FROM row; UPDATE root SET value = x'%s';",
                                   vectors_text(v, "root")),
                     CF_OK);
    for (unsigned i = 0;; i++) {
        snprintf(name, sizeof name, "row.%u.table", i);
        if (!vectors_has(v, name))
            break;
        static const char *const columns[] = { "key", "value", "blob", "revision", "tag" };
        assert_int_equal(
            cf_buf_printf(&sql, NULL, "INSERT INTO row VALUES (%s", vectors_text(v, name)), CF_OK);
        for (size_t c = 0; c < 5; c++) {
            snprintf(name, sizeof name, "row.%u.%s", i, columns[c]);
            assert_int_equal(
                cf_buf_printf(&sql, NULL, c == 3 ? ", %s" : ", x'%s'", vectors_text(v, name)),
                CF_OK);
        }
        assert_int_equal(cf_buf_put_text(&sql, ");", NULL), CF_OK);
    }
    char *why = NULL;
    assert_int_equal(cf_buf_text(&sql, &text, NULL), CF_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s", why);
    cf_buf_clear(&sql);
}

static void lay(struct laid *l, struct vectors *v)
{
    sqlite3 *db = NULL;
    char key[68];
    memcpy(key, "x'", 2);
    cf_hex(l->page.data, 32, key + 2);
    key[66] = '\'';
    assert_int_equal(sqlite3_open(scratch_path(l->dir, "keys-1.db"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_key(db, key, 67), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA cipher_page_size = 16384", NULL, NULL, NULL),
                     SQLITE_OK);
    lay_rows(db, v);
    sqlite3_close(db);
}

/* Values of the policy's tables are theirs who own them; that they are CBOR is checked here. */
static enum cf_rc walk_policy(struct store_view *v, struct cf_err *e)
{
    static const enum store_table tables[] = { STORE_ASSIGNMENT, STORE_ROLE, STORE_SETTING };
    struct store_row row = { 0 };
    enum cf_rc rc = CF_OK;
    for (size_t i = 0; rc == CF_OK && i < 3; i++) {
        struct store_cursor *c = NULL;
        bool more = true;
        rc = store_scan(v, tables[i], NULL, &c, e);
        while (rc == CF_OK && more) {
            struct cbor_rd rd;
            rc = store_next(c, &row, &more, e);
            if (rc != CF_OK || !more)
                break;
            cbor_rd_init(&rd, row.value.data, row.value.len, e);
            cbor_rd_skip(&rd);
            rc = cbor_rd_end(&rd);
        }
        store_cursor_end(c);
    }
    store_row_clear(&row);
    return rc;
}

/* All keys as records, and each parsed again: what a start leaves to the first use. */
static enum cf_rc walk(struct fixture *f, struct store_live *live, struct cf_err *e)
{
    struct keystore_options o = f->o;
    struct keystore *ks = NULL;
    struct keystore_snapshot *s = NULL;
    struct cf_buf record = { 0 };
    bool more = true;
    o.live = live;
    enum cf_rc rc = keystore_open(&o, &ks, e);
    if (rc == CF_OK)
        rc = keystore_snapshot_open(ks, &s, e);
    if (rc == CF_OK)
        rc = walk_policy(keystore_snapshot_view(s), e);
    while (rc == CF_OK && more) {
        struct keystore_record *r = NULL;
        rc = keystore_snapshot_next(s, &record, &more, e);
        if (rc == CF_OK && more)
            rc = keystore_record_parse(ks, record.data, record.len, &r, e);
        if (rc == CF_OK && more)
            rc = keystore_record_verify(ks, r, e);
        keystore_record_free(r);
    }
    keystore_snapshot_close(s);
    keystore_close(ks);
    cf_buf_clear(&record);
    return rc;
}

static enum cf_rc try_store(struct fixture *f, struct vectors *v, struct cf_err *e)
{
    struct laid l = { 0 };
    struct store_anchor anchor = { .read = board_read, .step = board_step, .arg = &l };
    struct store_live_options lo = {
        .dir = l.dir, .derive = given_keys, .derive_arg = &l, .anchor = &anchor
    };
    struct store_live *live = NULL;
    scratch_make(l.dir);
    assert_int_equal(cf_buf_resize(&l.page, 32, NULL), CF_OK); /* the rows matter here */
    assert_int_equal(cf_buf_put(&l.row, f->k_row, sizeof f->k_row, NULL), CF_OK);
    l.board = vectors_uint(v, "board");
    enum cf_rc rc = store_live_create(&lo, &live, e);
    store_live_close(live);
    live = NULL;
    lay(&l, v);
    if (rc == CF_OK)
        rc = store_live_open(&lo, &live, e);
    if (rc == CF_OK)
        rc = walk(f, live, e);
    store_live_close(live);
    scratch_remove(l.dir);
    cf_buf_clear(&l.page);
    cf_buf_clear(&l.row);
    return rc;
}

/* --- one key
 * -------------------------------------------------------------------------------------------- */

static enum cf_rc try_one_key(struct fixture *f, struct vectors *v, struct cf_err *e)
{
    struct laid l = { 0 };
    struct store_live_options lo = { .dir = l.dir, .derive = given_keys, .derive_arg = &l };
    struct keystore_options o = f->o;
    struct keystore *ks = NULL;
    struct cf_buf jwe = { 0 };
    const char *value = vectors_text(v, "value");
    scratch_make(l.dir);
    assert_int_equal(cf_buf_resize(&l.page, 32, NULL), CF_OK);
    assert_int_equal(cf_buf_resize(&l.row, 32, NULL), CF_OK);
    assert_int_equal(store_live_create(&lo, &o.live, NULL), CF_OK);
    assert_int_equal(keystore_open(&o, &ks, NULL), CF_OK);
    assert_int_equal(cf_unbase64(value, strlen(value), &jwe, NULL), CF_OK);
    enum cf_rc rc = keystore_restore(ks, jwe.data, jwe.len, NULL, e);
    if (rc == CF_OK)
        rc = walk(f, o.live, e);
    keystore_close(ks);
    store_live_close(o.live);
    scratch_remove(l.dir);
    cf_buf_clear(&jwe);
    cf_buf_clear(&l.page);
    cf_buf_clear(&l.row);
    return rc;
}

/* --- all files of a folder
 * --------------------------------------------------------------------------------- */

static unsigned failures;

/* A token tells a blob that its MAC covers and that holds another key from a forged one. */
static bool is_under_a_good_mac(const char *path)
{
    static const char *const names[] = { "blob-wrapped-padding.txt", "blob-wrapped-other-key.txt",
                                         "blob-wrapped-other-kek.txt", "blob-kcv.txt" };
    const char *name = strrchr(path, '/') + 1;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static void try_file(struct fixture *f, const char *path)
{
    struct vectors v = { 0 };
    struct cf_err err = { 0 };
    enum cf_rc rc, want;
    vectors_read(&v, path);
    const char *kind = vectors_text(&v, "kind");
    want = class_of(vectors_text(&v, "expect"));
    if (strcmp(kind, "blob") == 0) {
        rc = try_blob(f, &v, &err);
        if (want == CF_E_AUTH && is_under_a_good_mac(path))
            want = CF_E_CORRUPT;
    } else if (strcmp(kind, "store") == 0) {
        rc = try_store(f, &v, &err);
    } else {
        rc = try_one_key(f, &v, &err);
        if (want == CF_E_AUTH || want == CF_E_CORRUPT)
            want = CF_E_INPUT; /* a client learns no more than "not a blob of ours" */
    }
    if (rc != want) {
        print_message("%s: %s instead of %s: %s\n", path, cf_rc_name(rc), cf_rc_name(want),
                      err.text);
        failures++;
    }
    vectors_clear(&v);
}

static void try_folder(struct fixture *f, const char *folder)
{
    char dir[512], path[512];
    unsigned files = 0;
    failures = 0;
    snprintf(dir, sizeof dir, "%s/%s", CF_VECTORS, folder);
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
        size_t len = strlen(e->d_name);
        if (len < 4 || strcmp(e->d_name + len - 4, ".txt") != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        try_file(f, path);
        files++;
    }
    closedir(d);
    assert_true(files > 10);
    assert_int_equal(failures, 0);
}

static void golden_files_open_to_what_they_say(void **state)
{
    try_folder(*state, FOLDER);
}

static void negative_files_are_refused_with_their_class(void **state)
{
    try_folder(*state, FOLDER "/negative");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(golden_files_open_to_what_they_say, set_up, tear_down),
        cmocka_unit_test_setup_teardown(negative_files_are_refused_with_their_class, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests_name("keyblob_vectors", tests, NULL, NULL);
}
