/* What the .c files of net share. */
#ifndef NET_NET_PRIV_H
#define NET_NET_PRIV_H

#include <curl/curl.h>

#include "net/net.h"

#define NET_SHOWN_URL_MAX 160
#define NET_SOCKETS_MAX   64

/* One exchange. Its easy handle outlives it: the lane keeps both for the next. */
struct net_transfer {
    struct net_transfer *next; /* in the lane's list of free or of open ones */
    struct net_transfer *prev; /* open ones only */
    struct net_lane *lane;
    CURL *easy;
    struct curl_slist *headers;
    struct net_request req; /* url and headers are not kept */
    struct net_result result;
    char shown_url[NET_SHOWN_URL_MAX];
    char curl_text[CURL_ERROR_SIZE];
    uint64_t pulled;
    size_t head_bytes;
    bool canceled, headed, corked;
    bool cut; /* the answer was long enough */
};

struct net_socket {
    curl_socket_t fd;
    long port; /* the near end's; 0: not asked yet */
};

struct net_lane {
    CURLM *multi;
    struct net_transfer *spare, *open;
    unsigned nopen, connections;
    uint32_t connect_timeout_ms, stall_timeout_ms;
    char *ca_file, *client_cert_file, *client_key_file, *proxy, *unix_socket, *user_agent;
    struct curl_slist *resolve;
    struct net_socket sockets[NET_SOCKETS_MAX]; /* open ones, in no order */
    unsigned nsockets;
};

extern const char *const net_method_names[];

/* request.c */
void net_transfer_free(struct net_transfer *t);

/* lane.c. Ends it without calling done. */
void net_abandon(struct net_transfer *t);

/* result.c: the class and text of what curl said at the end. */
void net_result_finish(struct net_transfer *t, CURLcode code);
bool net_is_success(int status);

/* cork.c. Begins and ends the holding back of segments that are not full. */
bool net_cork_setup(CURL *easy, struct net_lane *lane);
void net_cork(struct net_transfer *t, bool on);

/* callbacks.c */
size_t net_on_read(char *buf, size_t size, size_t n, void *arg);
size_t net_on_write(char *data, size_t size, size_t n, void *arg);
size_t net_on_header(char *line, size_t size, size_t n, void *arg);
void net_call_head(struct net_transfer *t); /* once; a failure is in t->result.rc */

#endif
