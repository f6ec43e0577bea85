/* mixed.c - closed-loop load of reads and writes mixed, for what has a cache or is one.
 *
 * As load.c (N connections, each writes a batch of P requests and waits for all P replies; CPU
 * clocks of other processes are read as the window opens and closes), but each request of a batch
 * is drawn: a GET or a SET, of a key that all are equally likely to be or that follows Zipf's law.
 * It speaks RESP, or memcached's text protocol. Misses are no errors, but counted.
 *
 * Every value begins with its key and is checked. Prints one line of JSON.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    KEY_LEN = 16,
    WATCHED_MAX = 32,
    EVENTS_MAX = 512,
    DRAWS = 1 << 21, /* drawn before the load begins, then used in a circle */
    PRELOAD_BATCH = 64,
    STALL_SECONDS = 10
};

struct options {
    int port;
    int clients;
    int pipeline;
    size_t value_bytes;
    double seconds;
    double warmup;
    uint32_t first; /* the number of the first key */
    uint32_t keys;
    unsigned sets_permille;
    double zipf; /* 0: uniform */
    bool is_memcached;
    bool is_preload;
    pid_t watched[WATCHED_MAX];
    int watched_count;
};

/* What a request asked: a key's number, and SET_BIT for a SET. */
static const uint32_t SET_BIT = 1u << 31;

struct client {
    int fd;
    int waiting;
    uint64_t sent_ns;
    uint32_t *asked;
    char *in;
    size_t in_len;
};

struct load {
    struct options options;
    int epoll_fd;
    struct client *clients;
    uint32_t *draws;
    size_t drawn;
    char *batch;
    size_t in_size;
    char get_head[64], set_head[64], set_middle[64];
    size_t get_head_len, set_head_len, set_middle_len;
    uint64_t replies, misses, errors, batches;
    double latency_sum_us;
    char first_error[96];
};

static void options_parse(struct options *options, int argc, char **argv);
static void load_init(struct load *load);
static void load_preload(struct load *load);
static void load_run(struct load *load);

int main(int argc, char **argv)
{
    static struct load load;

    options_parse(&load.options, argc, argv);
    load_init(&load);
    if (load.options.is_preload) {
        load_preload(&load);
    }
    if (load.options.seconds > 0) {
        load_run(&load);
    }
    return load.errors == 0 ? 0 : 1;
}

static void die(const char *what)
{
    fprintf(stderr, "mixed: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void *need(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    if (memory == NULL) {
        die("memory");
    }
    return memory;
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec time;

    if (clock_gettime(clock, &time) != 0) {
        return 0;
    }
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* ---- options ---------------------------------------------------------------------------- */

static void usage(void)
{
    fprintf(stderr,
            "usage: mixed -p PORT [-c CLIENTS] [-P PIPELINE] [-d BYTES] [-T SECONDS]\n"
            "             [--warmup SECONDS] [--keys N] [--first N] [--sets PERMILLE]\n"
            "             [--zipf ALPHA] [--memcached] [--preload] [--watch PID,PID,...]\n");
    exit(2);
}

static void watch_parse(struct options *options, char *text)
{
    for (char *word = strtok(text, ","); word != NULL && options->watched_count < WATCHED_MAX;
         word = strtok(NULL, ",")) {
        options->watched[options->watched_count++] = (pid_t)strtol(word, NULL, 10);
    }
}

static void options_parse(struct options *options, int argc, char **argv)
{
    static const struct option names[] = {
        {"warmup", required_argument, NULL, 'w'},
        {"keys", required_argument, NULL, 'k'},
        {"sets", required_argument, NULL, 's'},
        {"zipf", required_argument, NULL, 'z'},
        {"memcached", no_argument, NULL, 'm'},
        {"preload", no_argument, NULL, 'l'},
        {"watch", required_argument, NULL, 'W'},
        {"first", required_argument, NULL, 'f'},
        {NULL, 0, NULL, 0},
    };
    *options = (struct options){.clients = 50,
                                .pipeline = 1,
                                .value_bytes = 64,
                                .seconds = 2,
                                .warmup = 0.5,
                                .keys = 100000};
    int option = 0;
    while ((option = getopt_long(argc, argv, "p:c:P:d:T:", names, NULL)) != -1) {
        switch (option) {
        case 'p':
            options->port = (int)strtol(optarg, NULL, 10);
            break;
        case 'c':
            options->clients = (int)strtol(optarg, NULL, 10);
            break;
        case 'P':
            options->pipeline = (int)strtol(optarg, NULL, 10);
            break;
        case 'd':
            options->value_bytes = strtoul(optarg, NULL, 10);
            break;
        case 'T':
            options->seconds = strtod(optarg, NULL);
            break;
        case 'w':
            options->warmup = strtod(optarg, NULL);
            break;
        case 'k':
            options->keys = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'f':
            options->first = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 's':
            options->sets_permille = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'z':
            options->zipf = strtod(optarg, NULL);
            break;
        case 'm':
            options->is_memcached = true;
            break;
        case 'l':
            options->is_preload = true;
            break;
        case 'W':
            watch_parse(options, optarg);
            break;
        default:
            usage();
        }
    }
    if (options->port < 1 || options->clients < 1 || options->pipeline < 1 || options->keys < 1 ||
        options->value_bytes < KEY_LEN || optind != argc) {
        usage();
    }
}

/* ---- what is asked ---------------------------------------------------------------------- */

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state >> 16;
}

/* DRAWS keys by Zipf's law, by looking them up in the sums of the ranks' shares. The busy ones lie
 * anywhere among the numbers. */
static void draws_zipf(struct load *load, uint64_t *state)
{
    uint32_t keys = load->options.keys;
    double *sums = need(keys, sizeof *sums);
    double sum = 0;

    for (uint32_t i = 0; i < keys; i++) {
        sums[i] = sum += 1 / pow(i + 1, load->options.zipf);
    }
    for (size_t i = 0; i < DRAWS; i++) {
        double at = (double)(random_next(state) & 0xFFFFFFFFFFULL) / (double)(1ULL << 40) * sum;
        uint32_t low = 0;
        uint32_t high = keys - 1;
        while (low < high) {
            uint32_t middle = low + (high - low) / 2;
            if (sums[middle] < at) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        load->draws[i] = (uint32_t)((uint64_t)low * 7919 % keys);
    }
    free(sums);
}

static void load_init(struct load *load)
{
    const struct options *options = &load->options;
    const char *get = options->is_memcached ? "get " : "*2\r\n$3\r\nGET\r\n$16\r\n";
    const char *set = options->is_memcached ? "set " : "*3\r\n$3\r\nSET\r\n$16\r\n";
    const char *middle = options->is_memcached ? " 0 0 %zu\r\n" : "\r\n$%zu\r\n";
    uint64_t state = 88172645463325252ULL;

    load->get_head_len = (size_t)snprintf(load->get_head, sizeof load->get_head, "%s", get);
    load->set_head_len = (size_t)snprintf(load->set_head, sizeof load->set_head, "%s", set);
    load->set_middle_len =
        (size_t)snprintf(load->set_middle, sizeof load->set_middle, middle, options->value_bytes);
    size_t request_max = 128 + KEY_LEN + options->value_bytes;
    size_t batch = (size_t)(options->pipeline > PRELOAD_BATCH ? options->pipeline : PRELOAD_BATCH);
    load->batch = need(batch, request_max);
    load->in_size = batch * request_max;
    load->draws = need(DRAWS, sizeof *load->draws);
    if (options->zipf > 0) {
        draws_zipf(load, &state);
    } else {
        for (size_t i = 0; i < DRAWS; i++) {
            load->draws[i] = (uint32_t)(random_next(&state) % options->keys);
        }
    }
    for (size_t i = 0; i < DRAWS; i++) {
        load->draws[i] += options->first;
        load->draws[i] |= random_next(&state) % 1000 < options->sets_permille ? SET_BIT : 0;
    }
}

static void key_write(char *at, uint32_t number)
{
    memcpy(at, "key:000000000000", KEY_LEN);
    for (char *digit = at + KEY_LEN - 1; number > 0; number /= 10) {
        *digit-- = (char)('0' + number % 10);
    }
}

static char *request_write(const struct load *load, char *at, uint32_t asked)
{
    size_t value_bytes = load->options.value_bytes;

    if ((asked & SET_BIT) == 0) {
        memcpy(at, load->get_head, load->get_head_len);
        at += load->get_head_len;
        key_write(at, asked);
        at += KEY_LEN;
    } else {
        memcpy(at, load->set_head, load->set_head_len);
        at += load->set_head_len;
        key_write(at, asked & ~SET_BIT);
        at += KEY_LEN;
        memcpy(at, load->set_middle, load->set_middle_len);
        at += load->set_middle_len;
        key_write(at, asked & ~SET_BIT);
        memset(at + KEY_LEN, 'x', value_bytes - KEY_LEN);
        at += value_bytes;
    }
    memcpy(at, "\r\n", 2);
    return at + 2;
}

/* ---- connections ------------------------------------------------------------------------ */

static int client_connect(const struct load *load)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)load->options.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        die("connect");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* SETs every key once. */
static void load_preload(struct load *load)
{
    const char *done = load->options.is_memcached ? "STORED\r\n" : "+OK\r\n";
    size_t done_len = strlen(done);
    int fd = client_connect(load);
    char *in = need(PRELOAD_BATCH + 1, done_len);

    for (uint32_t key = 0; key < load->options.keys;) {
        char *at = load->batch;
        size_t count = 0;
        for (; count < PRELOAD_BATCH && key < load->options.keys; count++, key++) {
            at = request_write(load, at, (load->options.first + key) | SET_BIT);
        }
        size_t len = (size_t)(at - load->batch);
        if (send(fd, load->batch, len, MSG_NOSIGNAL) != (ssize_t)len ||
            recv(fd, in, count * done_len, MSG_WAITALL) != (ssize_t)(count * done_len)) {
            die("preload");
        }
        for (size_t i = 0; i < count; i++) {
            if (memcmp(in + i * done_len, done, done_len) != 0) {
                fprintf(stderr, "mixed: preload: %.60s\n", in + i * done_len);
                exit(1);
            }
        }
    }
    free(in);
    close(fd);
}

static void client_send(struct load *load, struct client *client)
{
    char *at = load->batch;

    for (int i = 0; i < load->options.pipeline; i++) {
        client->asked[i] = load->draws[load->drawn++ % DRAWS];
        at = request_write(load, at, client->asked[i]);
    }
    client->waiting = load->options.pipeline;
    client->sent_ns = clock_ns(CLOCK_MONOTONIC);
    for (char *from = load->batch; from < at;) {
        ssize_t sent = send(client->fd, from, (size_t)(at - from), MSG_NOSIGNAL);
        if (sent < 0) {
            die("send");
        }
        from += sent;
    }
}

static void load_fail(struct load *load, const char *at, const char *end)
{
    if (load->errors++ == 0) {
        snprintf(load->first_error, sizeof load->first_error, "%.*s",
                 (int)(end - at < 60 ? end - at : 60), at);
        for (char *c = load->first_error; *c != '\0'; c++) {
            *c = *c < ' ' || *c == '"' || *c == '\\' ? '.' : *c;
        }
    }
}

/* The end of the reply at AT, which answers ASKED; NULL when it is not whole yet. */
static const char *reply_take(struct load *load, const char *at, const char *end, uint32_t asked)
{
    bool is_memcached = load->options.is_memcached;
    const char *line_end = memchr(at, '\n', (size_t)(end - at));
    size_t len = 0;
    char key[KEY_LEN];

    if (line_end == NULL) {
        return NULL;
    }
    line_end++;
    if ((asked & SET_BIT) != 0) {
        if (at[0] != (is_memcached ? 'S' : '+')) {
            load_fail(load, at, line_end);
        }
        return line_end;
    }
    if (is_memcached ? at[0] == 'E' : at[0] == '$' && at[1] == '-') {
        load->misses++;
        return line_end;
    }
    if (at[0] != (is_memcached ? 'V' : '$')) {
        load_fail(load, at, line_end);
        return line_end;
    }
    len = strtoul(is_memcached ? at + 6 + KEY_LEN + 3 : at + 1, NULL, 10);
    const char *reply_end = line_end + len + 2 + (is_memcached ? 5 : 0);
    if (reply_end > end) {
        return NULL;
    }
    key_write(key, asked);
    if (len != load->options.value_bytes || memcmp(line_end, key, KEY_LEN) != 0) {
        load_fail(load, at, reply_end);
    }
    return reply_end;
}

static void client_receive(struct load *load, struct client *client)
{
    ssize_t got =
        recv(client->fd, client->in + client->in_len, load->in_size - client->in_len, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) {
        return;
    }
    if (got <= 0) {
        die("a connection was closed");
    }
    client->in_len += (size_t)got;
    const char *at = client->in;
    const char *end = client->in + client->in_len;
    while (client->waiting > 0 && at < end) {
        uint32_t asked = client->asked[load->options.pipeline - client->waiting];
        const char *next = reply_take(load, at, end, asked);
        if (next == NULL) {
            break;
        }
        at = next;
        client->waiting--;
        load->replies++;
    }
    client->in_len = (size_t)(end - at);
    memmove(client->in, at, client->in_len);
    if (client->waiting == 0) {
        load->batches++;
        load->latency_sum_us += (double)(clock_ns(CLOCK_MONOTONIC) - client->sent_ns) / 1e3;
        client_send(load, client);
    }
}

/* ---- the load --------------------------------------------------------------------------- */

static void load_pump_until(struct load *load, uint64_t until_ns)
{
    struct epoll_event events[EVENTS_MAX];
    uint64_t seen = load->replies;
    uint64_t seen_ns = clock_ns(CLOCK_MONOTONIC);
    uint64_t now_ns = seen_ns;

    while (now_ns < until_ns) {
        int count = epoll_wait(load->epoll_fd, events, EVENTS_MAX, 50);
        for (int i = 0; i < count; i++) {
            client_receive(load, events[i].data.ptr);
        }
        now_ns = clock_ns(CLOCK_MONOTONIC);
        if (load->replies != seen) {
            seen = load->replies;
            seen_ns = now_ns;
        } else if (now_ns - seen_ns > STALL_SECONDS * 1000000000ULL) {
            fprintf(stderr, "mixed: no reply for %d s\n", STALL_SECONDS);
            exit(1);
        }
    }
}

static void read_watched(const struct options *options, double *seconds)
{
    for (int i = 0; i < options->watched_count; i++) {
        clockid_t clock;
        seconds[i] = 0;
        if (clock_getcpuclockid(options->watched[i], &clock) == 0) {
            seconds[i] = (double)clock_ns(clock) / 1e9;
        }
    }
}

static void load_open(struct load *load)
{
    load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    load->clients = need((size_t)load->options.clients, sizeof *load->clients);
    for (int i = 0; i < load->options.clients; i++) {
        struct client *client = &load->clients[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
        client->fd = client_connect(load);
        client->asked = need((size_t)load->options.pipeline, sizeof *client->asked);
        client->in = need(1, load->in_size);
        if (epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, client->fd, &event) != 0) {
            die("epoll_ctl");
        }
    }
}

static void load_run(struct load *load)
{
    const struct options *options = &load->options;
    double before[WATCHED_MAX];
    double after[WATCHED_MAX];

    load_open(load);
    for (int i = 0; i < options->clients; i++) {
        client_send(load, &load->clients[i]);
    }
    load_pump_until(load, clock_ns(CLOCK_MONOTONIC) + (uint64_t)(options->warmup * 1e9));
    load->replies = load->misses = load->batches = 0;
    load->latency_sum_us = 0;
    read_watched(options, before);
    uint64_t own_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    uint64_t start_ns = clock_ns(CLOCK_MONOTONIC);
    load_pump_until(load, start_ns + (uint64_t)(options->seconds * 1e9));
    double seconds = (double)(clock_ns(CLOCK_MONOTONIC) - start_ns) / 1e9;
    double own_s = (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - own_ns) / 1e9;
    read_watched(options, after);

    printf("{\"requests\": %llu, \"misses\": %llu, \"errors\": %llu, \"first_error\": \"%s\", "
           "\"seconds\": %.6f, \"rps\": %.0f, \"mean_us\": %.1f, \"load_cpu_s\": %.6f, "
           "\"watched_cpu_s\": [",
           (unsigned long long)load->replies, (unsigned long long)load->misses,
           (unsigned long long)load->errors, load->first_error, seconds,
           (double)load->replies / seconds,
           load->batches == 0 ? 0 : load->latency_sum_us / (double)load->batches, own_s);
    for (int i = 0; i < options->watched_count; i++) {
        printf("%s%.6f", i == 0 ? "" : ", ", after[i] - before[i]);
    }
    printf("]}\n");
}
