/*
 * What the token does bare: Cryptoki and nothing else. N threads, each with a session, sign with
 * one RSA-2048 or P-256 session key until the time is up.
 * Prints {"requests":…,"seconds":…,"cpu_seconds":…}.
 */
#include <argp.h>
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define THREADS_MAX   64
#define SLOTS_MAX     64
#define SIGNATURE_MAX 256
#define RSA_BITS      2048

struct run {
    const char *module, *label, *pin;
    unsigned sessions, ms;
    bool ec;
    CK_FUNCTION_LIST *fn;
    CK_SLOT_ID slot;
    CK_OBJECT_HANDLE key;
    atomic_ullong signatures;
    atomic_bool stop;
};

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static void check(CK_RV rv, const char *what)
{
    if (rv == CKR_OK)
        return;
    fprintf(stderr, "coffer-token-rate: %s: 0x%lx\n", what, rv);
    exit(1);
}

static CK_SESSION_HANDLE open_session(const struct run *r)
{
    CK_SESSION_HANDLE s = 0;
    check(r->fn->C_OpenSession(r->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s),
          "C_OpenSession");
    return s;
}

static void load(struct run *r)
{
    CK_C_INITIALIZE_ARGS threaded = { .flags = CKF_OS_LOCKING_OK };
    void *module = dlopen(r->module, RTLD_NOW | RTLD_LOCAL);
    CK_C_GetFunctionList get = NULL;
    if (module)
        *(void **)&get = dlsym(module, "C_GetFunctionList");
    if (!get) {
        fprintf(stderr, "coffer-token-rate: %s\n", dlerror());
        exit(1);
    }
    CK_RV rv = get(&r->fn);
    check(rv == CKR_OK && !r->fn ? CKR_GENERAL_ERROR : rv, "C_GetFunctionList");
    check(r->fn->C_Initialize(&threaded), "C_Initialize");
}

static void find_slot(struct run *r)
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG n = SLOTS_MAX;
    CK_TOKEN_INFO info;
    check(r->fn->C_GetSlotList(CK_TRUE, slots, &n), "C_GetSlotList");
    for (CK_ULONG i = 0; i < n; i++) {
        check(r->fn->C_GetTokenInfo(slots[i], &info), "C_GetTokenInfo");
        size_t len = strnlen(r->label, sizeof info.label);
        if (strncmp((const char *)info.label, r->label, len) == 0 &&
            (len == sizeof info.label || info.label[len] == ' ')) {
            r->slot = slots[i];
            return;
        }
    }
    fprintf(stderr, "coffer-token-rate: no token %s\n", r->label);
    exit(1);
}

/* A session object: gone with this process. As the product's, private and not to be read. */
static void make_key(struct run *r, CK_SESSION_HANDLE s)
{
    static CK_ULONG bits = RSA_BITS;
    static CK_BYTE exponent[] = { 1, 0, 1 };
    static CK_BYTE p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
    CK_ATTRIBUTE rsa_public[] = { { CKA_TOKEN, &no, sizeof no },
                                  { CKA_MODULUS_BITS, &bits, sizeof bits },
                                  { CKA_PUBLIC_EXPONENT, exponent, sizeof exponent } };
    CK_ATTRIBUTE ec_public[] = { { CKA_TOKEN, &no, sizeof no },
                                 { CKA_EC_PARAMS, p256, sizeof p256 } };
    CK_ATTRIBUTE private[] = { { CKA_TOKEN, &no, sizeof no },
                               { CKA_PRIVATE, &yes, sizeof yes },
                               { CKA_SENSITIVE, &yes, sizeof yes },
                               { CKA_SIGN, &yes, sizeof yes } };
    CK_MECHANISM how = { r->ec ? CKM_EC_KEY_PAIR_GEN : CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
    CK_OBJECT_HANDLE public = 0;
    check(r->fn->C_GenerateKeyPair(s, &how, r->ec ? ec_public : rsa_public, r->ec ? 2 : 3, private,
                                   4, &public, &r->key),
          "C_GenerateKeyPair");
}

static void *sign(void *arg)
{
    struct run *r = arg;
    /* RSA: a DigestInfo of SHA-256 has 51 bytes; ECDSA: a digest of 32. */
    CK_BYTE data[51] = { 0x30, 0x31 }, signature[SIGNATURE_MAX];
    CK_MECHANISM how = { r->ec ? CKM_ECDSA : CKM_RSA_PKCS, NULL, 0 };
    CK_SESSION_HANDLE s = open_session(r);
    while (!atomic_load(&r->stop)) {
        CK_ULONG len = sizeof signature;
        check(r->fn->C_SignInit(s, &how, r->key), "C_SignInit");
        check(r->fn->C_Sign(s, data, r->ec ? 32 : sizeof data, signature, &len), "C_Sign");
        atomic_fetch_add(&r->signatures, 1);
    }
    return NULL;
}

static const struct argp_option options[] = {
    { "module", 'm', "FILE", 0, "PKCS#11 module", 0 },
    { "label", 'l', "TEXT", 0, "Label of the token", 0 },
    { "pin", 'p', "PIN", 0, "Its PIN: of a scratch token only, others see it", 0 },
    { "ec", 'e', 0, 0, "P-256 instead of RSA-2048", 0 },
    { "sessions", 's', "N", 0, "Threads, each with a session (1)", 0 },
    { "ms", 't', "N", 0, "How long, in milliseconds (1000)", 0 },
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct run *r = state->input;
    switch (key) {
    case 'm':
        r->module = arg;
        return 0;
    case 'l':
        r->label = arg;
        return 0;
    case 'p':
        r->pin = arg;
        return 0;
    case 'e':
        r->ec = true;
        return 0;
    case 's':
        r->sessions = (unsigned)strtoul(arg, NULL, 10);
        return 0;
    case 't':
        r->ms = (unsigned)strtoul(arg, NULL, 10);
        return 0;
    case ARGP_KEY_END:
        if (!r->module || !r->label || !r->pin || !r->sessions || r->sessions > THREADS_MAX)
            argp_error(state, "--module, --label and --pin are needed; see --help");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    static const struct argp argp = { .options = options,
                                      .parser = parse,
                                      .doc = "Signatures a second of a bare PKCS#11 token." };
    static struct run r = { .sessions = 1, .ms = 1000 };
    pthread_t threads[THREADS_MAX];
    argp_parse(&argp, argc, argv, 0, NULL, &r);
    load(&r);
    find_slot(&r);
    CK_SESSION_HANDLE s = open_session(&r);
    check(r.fn->C_Login(s, CKU_USER, (CK_UTF8CHAR *)(uintptr_t)r.pin, strlen(r.pin)), "C_Login");
    make_key(&r, s);
    double start = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (unsigned i = 0; i < r.sessions; i++)
        if (pthread_create(&threads[i], NULL, sign, &r) != 0)
            exit(1);
    struct timespec run_for = { .tv_sec = r.ms / 1000, .tv_nsec = r.ms % 1000 * 1000000L };
    nanosleep(&run_for, NULL);
    atomic_store(&r.stop, true);
    for (unsigned i = 0; i < r.sessions; i++)
        pthread_join(threads[i], NULL);
    printf("{\"requests\":%llu,\"seconds\":%.6f,\"cpu_seconds\":%.6f}\n",
           atomic_load(&r.signatures), seconds(CLOCK_MONOTONIC) - start,
           seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    return 0;
}
