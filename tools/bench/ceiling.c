/*
 * The limit that the product is measured against: libcurl and nothing else. Sends a file as blocks
 * (Put Block, then one Put Block List), or fetches a blob by ranges and drops it, over N
 * connections on T threads. Prints {"bytes":…,"seconds":…,"cpu_seconds":…}; nothing is read,
 * sealed, retried or written down.
 */
#include <argp.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_SIZE (256L * 1024) /* libcurl's transfer buffer, as the product sets it */
#define URL_MAX     2048
#define THREADS_MAX 16
#define CONNS_MAX   64
#define POLL_MS     1000
#define LIST_ENTRY  64 /* bytes of XML a block, at most */

struct run {
    const char *url, *sas, *ca;
    bool put;
    const uint8_t *data; /* of the file, mapped; NULL for a fetch */
    uint64_t size, block;
    unsigned connections, threads;
    atomic_ullong next; /* first byte that nobody has taken yet */
    atomic_bool failed;
};

/* One connection and the block it carries. */
struct slot {
    struct run *run;
    CURL *easy;
    uint64_t at, left;
};

static size_t give(char *to, size_t size, size_t n, void *arg)
{
    struct slot *s = arg;
    size_t len = size * n < s->left ? size * n : (size_t)s->left;
    memcpy(to, s->run->data + s->at, len);
    s->at += len;
    s->left -= len;
    return len;
}

static size_t drop(char *from, size_t size, size_t n, void *arg)
{
    struct slot *s = arg;
    (void)from;
    if (!s->run->put)
        s->left -= size * n;
    return size * n;
}

/* Twelve letters and digits are base64 of nine bytes, whatever they are: a block id without an
 * encoder. */
static void block_id(const struct run *r, uint64_t at, char out[16])
{
    snprintf(out, 16, "block%07u", (unsigned)(at / r->block));
}

static CURL *new_easy(struct slot *s)
{
    CURL *c = curl_easy_init();
    if (!c)
        exit(1);
    curl_easy_setopt(c, CURLOPT_PRIVATE, s);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, s);
    curl_easy_setopt(c, CURLOPT_BUFFERSIZE, BUFFER_SIZE);
    curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, BUFFER_SIZE);
    if (s->run->ca)
        curl_easy_setopt(c, CURLOPT_CAINFO, s->run->ca);
    return c;
}

/* Sets the connection to its next block; false: there is none left. */
static bool take_block(struct slot *s)
{
    struct run *r = s->run;
    char url[URL_MAX], id[16], range[64];
    s->at = atomic_fetch_add(&r->next, r->block);
    if (s->at >= r->size || atomic_load(&r->failed))
        return false;
    s->left = r->size - s->at < r->block ? r->size - s->at : r->block;
    if (!r->put) {
        snprintf(url, sizeof url, "%s?%s", r->url, r->sas);
        snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)s->at,
                 (unsigned long long)(s->at + s->left - 1));
        curl_easy_setopt(s->easy, CURLOPT_RANGE, range);
    } else {
        block_id(r, s->at, id);
        snprintf(url, sizeof url, "%s?comp=block&blockid=%s&%s", r->url, id, r->sas);
        curl_easy_setopt(s->easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(s->easy, CURLOPT_READFUNCTION, give);
        curl_easy_setopt(s->easy, CURLOPT_READDATA, s);
        curl_easy_setopt(s->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)s->left);
    }
    curl_easy_setopt(s->easy, CURLOPT_URL, url);
    return true;
}

/* What has ended goes on with the next block; how many did. */
static unsigned reap(CURLM *multi, struct run *r)
{
    unsigned went_on = 0;
    int queued = 0;
    for (CURLMsg *m = curl_multi_info_read(multi, &queued); m;
         m = curl_multi_info_read(multi, &queued)) {
        struct slot *s = NULL;
        CURL *easy = m->easy_handle;
        CURLcode code = m->data.result;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &s);
        curl_multi_remove_handle(multi, easy);
        if (code != CURLE_OK || s->left != 0) {
            fprintf(stderr, "coffer-ceiling: %s\n", curl_easy_strerror(code));
            atomic_store(&r->failed, true);
        } else if (take_block(s)) {
            curl_multi_add_handle(multi, easy);
            went_on++;
        }
    }
    return went_on;
}

static void *transfer(void *arg)
{
    struct run *r = arg;
    struct slot slots[CONNS_MAX] = { 0 };
    struct curl_slist *no_expect = curl_slist_append(NULL, "Expect:");
    CURLM *multi = curl_multi_init();
    unsigned mine = r->connections / r->threads;
    unsigned went_on = 0;
    int running = 0;
    for (unsigned i = 0; i < mine; i++) {
        slots[i].run = r;
        slots[i].easy = new_easy(&slots[i]);
        curl_easy_setopt(slots[i].easy, CURLOPT_HTTPHEADER, no_expect);
        if (take_block(&slots[i]))
            curl_multi_add_handle(multi, slots[i].easy);
    }
    do {
        curl_multi_perform(multi, &running);
        went_on = reap(multi, r);
        if (running && !went_on)
            curl_multi_poll(multi, NULL, 0, POLL_MS, NULL);
    } while (running || went_on);
    for (unsigned i = 0; i < mine; i++)
        curl_easy_cleanup(slots[i].easy);
    curl_multi_cleanup(multi);
    curl_slist_free_all(no_expect);
    return NULL;
}

static void commit(struct run *r)
{
    char url[URL_MAX], id[16];
    size_t room = 128 + LIST_ENTRY * (size_t)(r->size / r->block + 1), used = 0;
    char *list = malloc(room);
    struct slot s = { .run = r };
    if (!list)
        exit(1);
    used += (size_t)snprintf(list, room, "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
    for (uint64_t at = 0; at < r->size; at += r->block) {
        block_id(r, at, id);
        used += (size_t)snprintf(list + used, room - used, "<Latest>%s</Latest>", id);
    }
    snprintf(list + used, room - used, "</BlockList>");
    snprintf(url, sizeof url, "%s?comp=blocklist&%s", r->url, r->sas);
    CURL *c = new_easy(&s);
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, "PUT");
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, list);
    if (curl_easy_perform(c) != CURLE_OK)
        atomic_store(&r->failed, true);
    curl_easy_cleanup(c);
    free(list);
}

static const struct argp_option options[] = {
    { "put", 'p', "FILE", 0, "Send FILE; without it, fetch the blob", 0 },
    { "url", 'u', "URL", 0, "The blob, without a query", 0 },
    { "sas", 's', "SAS", 0, "Query that goes with it", 0 },
    { "size", 'z', "BYTES", 0, "Size of the blob to fetch", 0 },
    { "block", 'b', "BYTES", 0, "Size of a block or range (8388608)", 0 },
    { "connections", 'c', "N", 0, "Connections, a multiple of the threads (1)", 0 },
    { "threads", 't', "N", 0, "Threads (1)", 0 },
    { "cacert", 'a', "FILE", 0, "Authority of the server's certificate", 0 },
    { 0 },
};

static void map_file(struct run *r, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size == 0) {
        perror(path);
        exit(1);
    }
    r->size = (uint64_t)st.st_size;
    r->put = true;
    void *at = mmap(NULL, (size_t)r->size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    close(fd);
    if (at == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    r->data = at;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct run *r = state->input;
    switch (key) {
    case 'p':
        map_file(r, arg);
        return 0;
    case 'u':
        r->url = arg;
        return 0;
    case 's':
        r->sas = arg;
        return 0;
    case 'z':
        r->size = strtoull(arg, NULL, 10);
        return 0;
    case 'b':
        r->block = strtoull(arg, NULL, 10);
        return 0;
    case 'c':
        r->connections = (unsigned)strtoul(arg, NULL, 10);
        return 0;
    case 't':
        r->threads = (unsigned)strtoul(arg, NULL, 10);
        return 0;
    case 'a':
        r->ca = arg;
        return 0;
    case ARGP_KEY_END:
        if (!r->url || !r->size || !r->block || !r->threads || r->threads > THREADS_MAX ||
            r->connections < r->threads || r->connections / r->threads > CONNS_MAX)
            argp_error(state, "--url, and --put or --size, are needed; see --help");
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
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "Bare libcurl against a blob server: the limit of the machine."
    };
    struct run r = { .sas = "", .block = 8 << 20, .connections = 1, .threads = 1 };
    pthread_t threads[THREADS_MAX];
    curl_global_init(CURL_GLOBAL_DEFAULT);
    argp_parse(&argp, argc, argv, 0, NULL, &r);
    double start = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (unsigned i = 0; i < r.threads; i++)
        if (pthread_create(&threads[i], NULL, transfer, &r) != 0)
            exit(1);
    for (unsigned i = 0; i < r.threads; i++)
        pthread_join(threads[i], NULL);
    if (r.put && !atomic_load(&r.failed))
        commit(&r);
    printf("{\"bytes\":%llu,\"seconds\":%.6f,\"cpu_seconds\":%.6f}\n", (unsigned long long)r.size,
           seconds(CLOCK_MONOTONIC) - start, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    return atomic_load(&r.failed) ? 1 : 0;
}
