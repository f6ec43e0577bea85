/* load.c - closed-loop load for the benchmark: N connections, each with P requests under way.
 *
 * One thread, one epoll loop. A connection writes a batch of P requests in one write, waits until
 * all P replies are in, and writes the next batch. Latency is the round trip of a batch (of a
 * request, when P is 1). Keys are `key:` + 12 digits, drawn at random from a key space.
 *
 *     warm-up --> window opens: counters to zero, CPU clocks read --> window closes: the same
 *
 * The CPU clocks of other processes (--watch) are read here, at the instants the window opens and
 * closes, so that CPU per request covers exactly the requests counted, and no start-up.
 *
 * Every reply is checked: its type, its length, its closing CRLF; with --check also that a value
 * starts with the key that was asked for (--preload and SET write such values), so a reply given
 * to the wrong request is counted as an error. Any error makes the exit status 1.
 *
 * Prints one line of JSON. `--idle` holds connections open instead (see hold_idle).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    KEY_LEN = 16,
    WATCHED_MAX = 32,
    EVENTS_MAX = 512,
    READ_BYTES = 256 * 1024,
    STALL_SECONDS = 10, /* no reply for so long: stop and count the open batches as lost */
    PRELOAD_BATCH = 64,
    PER_SOURCE_ADDRESS = 5000, /* connections from one loopback address, far below all its ports */
    /* Histogram: 32 steps per power of two, so a percentile is exact to about 3 %. */
    STEPS_BITS = 5,
    STEPS = 1 << STEPS_BITS,
    BUCKETS = 64 * STEPS,
    MGET_KEYS = 10 /* of one request of KIND_MGET */
};

static const uint64_t NS_PER_SECOND = 1000000000;

enum kind { KIND_GET, KIND_SET, KIND_MGET };

struct options {
    const char *host;
    int port;
    int clients;
    int pipeline;
    enum kind kind;
    size_t value_bytes;
    double seconds;
    uint64_t requests_max; /* 0: until seconds have passed */
    double warmup;
    uint32_t keys;
    bool is_preload;
    bool is_checked;
    int idle;
    pid_t watched[WATCHED_MAX];
    int watched_count;
};

struct client {
    int fd;
    int waiting; /* replies of the current batch still to come */
    uint64_t sent_ns;
    uint32_t *asked; /* key numbers of the current batch, in order; keys_each of a request */
    char *unsent;    /* rest of a batch the socket did not take */
    size_t unsent_at;
    size_t unsent_len; /* 0: nothing waits */
    char *partial;     /* start of a reply that is not whole yet */
    size_t partial_len;
};

struct load {
    struct options options;
    int epoll_fd;
    int open_count;
    struct client *clients;
    char *batch; /* P requests; only keys (and the key in the value) change */
    size_t batch_len;
    size_t request_len;
    size_t key_at;       /* offset of the first key in a request */
    size_t key_step;     /* bytes from one key to the next */
    int keys_each;       /* keys of one request */
    size_t element_len;  /* bytes of each value in a reply, header and CR LF included */
    size_t first_at;     /* where the first of them begins */
    size_t value_at;     /* offset of the value, 0 for GET */
    char reply_head[32]; /* what a right reply starts with: "$64\r\n" or "+OK\r\n" */
    size_t head_len;
    size_t reply_len;
    char *in;
    uint64_t random;
    /* counted in the window */
    uint64_t now_ns;
    uint64_t replies;
    uint64_t errors; /* error replies, nil, wrong length, wrong value */
    uint64_t lost;   /* connections that ended before the load did */
    char first_error[96];
    uint32_t histogram[BUCKETS];
};

static void options_parse(struct options *options, int argc, char **argv);
static int client_connect(const struct options *options, int index);
static void preload(struct options options);
static void hold_idle(const struct options *options);
static void load_init(struct load *load, const struct options *options);
static void load_open(struct load *load);
static void load_run(struct load *load);
static void load_print(struct load *load, double seconds, double own_cpu, const double *watched);
static void client_send_batch(struct load *load, struct client *client);
static void client_flush(struct load *load, struct client *client);
static void client_on_readable(struct load *load, struct client *client);
static size_t client_take_replies(struct load *load, struct client *client, const char *at,
                                  const char *end);
static void client_lose(struct load *load, struct client *client);

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
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
    return (uint64_t)time.tv_sec * NS_PER_SECOND + (uint64_t)time.tv_nsec;
}

int main(int argc, char **argv)
{
    struct options options;
    options_parse(&options, argc, argv);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);

    if (options.is_preload) {
        preload(options);
    }
    if (options.idle > 0) {
        hold_idle(&options);
        return 0;
    }
    if (options.seconds <= 0 && options.requests_max == 0) {
        return 0;
    }
    static struct load load;
    load_init(&load, &options);
    load_open(&load);
    load_run(&load);
    return load.errors + load.lost == 0 ? 0 : 1;
}

/* ---- options ---------------------------------------------------------------------------- */

static void usage(void)
{
    fprintf(stderr, "usage: load -p PORT [options]\n"
                    "  -h HOST        numeric IPv4 address (127.0.0.1)\n"
                    "  -c N           connections (50)\n"
                    "  -P N           requests under way on each connection (1)\n"
                    "  -t get|set|mget kind of request (get); mget asks for 10 keys\n"
                    "  -d BYTES       size of a value (64)\n"
                    "  -T SECONDS     length of the measured window (2)\n"
                    "  -n N           end the window after N requests, at the latest after -T\n"
                    "  --warmup S     load for so long before the window (0.5)\n"
                    "  --keys N       key space (100000)\n"
                    "  --preload      first SET every key once\n"
                    "  --check        GET: the value must start with its key\n"
                    "  --watch PID,.. report the CPU time these processes used in the window\n"
                    "  --idle N       hold N connections, each after one GET, until stdin ends\n");
    exit(2);
}

static void parse_pids(struct options *options, const char *text)
{
    char *rest = NULL;
    for (const char *at = text; *at != '\0'; at = *rest == ',' ? rest + 1 : rest) {
        const long pid = strtol(at, &rest, 10);
        if (pid < 1 || (*rest != '\0' && *rest != ',') || options->watched_count == WATCHED_MAX) {
            usage();
        }
        options->watched[options->watched_count++] = (pid_t)pid;
    }
}

static void options_take(struct options *options, int option)
{
    switch (option) {
    case 'h':
        options->host = optarg;
        break;
    case 'p':
        options->port = (int)strtol(optarg, NULL, 10);
        break;
    case 'c':
        options->clients = (int)strtol(optarg, NULL, 10);
        break;
    case 'P':
        options->pipeline = (int)strtol(optarg, NULL, 10);
        break;
    case 't':
        options->kind = strcmp(optarg, "set") == 0    ? KIND_SET
                        : strcmp(optarg, "mget") == 0 ? KIND_MGET
                                                      : KIND_GET;
        break;
    case 'd':
        options->value_bytes = strtoul(optarg, NULL, 10);
        break;
    case 'T':
        options->seconds = strtod(optarg, NULL);
        break;
    case 'n':
        options->requests_max = strtoull(optarg, NULL, 10);
        break;
    case 'w':
        options->warmup = strtod(optarg, NULL);
        break;
    case 'k':
        options->keys = (uint32_t)strtoul(optarg, NULL, 10);
        break;
    case 'l':
        options->is_preload = true;
        break;
    case 'v':
        options->is_checked = true;
        break;
    case 'i':
        options->idle = (int)strtol(optarg, NULL, 10);
        break;
    case 'W':
        parse_pids(options, optarg);
        break;
    default:
        usage();
    }
}

static void options_parse(struct options *options, int argc, char **argv)
{
    static const struct option names[] = {
        {"warmup", required_argument, NULL, 'w'},
        {"keys", required_argument, NULL, 'k'},
        {"preload", no_argument, NULL, 'l'},
        {"check", no_argument, NULL, 'v'},
        {"idle", required_argument, NULL, 'i'},
        {"watch", required_argument, NULL, 'W'},
        {NULL, 0, NULL, 0},
    };
    *options = (struct options){.host = "127.0.0.1",
                                .clients = 50,
                                .pipeline = 1,
                                .value_bytes = 64,
                                .seconds = 2,
                                .warmup = 0.5,
                                .keys = 100000};
    int option = 0;
    while ((option = getopt_long(argc, argv, "h:p:c:P:t:d:T:n:", names, NULL)) != -1) {
        options_take(options, option);
    }
    if (options->port < 1 || options->port > 65535 || options->clients < 1 ||
        options->pipeline < 1 || options->keys < 1 || optind != argc) {
        usage();
    }
}

/* ---- connections ------------------------------------------------------------------------ */

/* Connects blocking; INDEX picks the loopback address it comes from, so that ports suffice. */
static int client_connect(const struct options *options, int index)
{
    const int on = 1;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        die("socket");
    }
    struct sockaddr_in address = {.sin_family = AF_INET};
    if (index >= PER_SOURCE_ADDRESS) {
        const int host = 1 + index / PER_SOURCE_ADDRESS;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + (in_addr_t)host);
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) {
            die("bind to another loopback address");
        }
    }
    address.sin_port = htons((uint16_t)options->port);
    if (inet_pton(AF_INET, options->host, &address.sin_addr) != 1) {
        usage();
    }
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        die("connect");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void key_write(char *at, uint32_t number)
{
    memcpy(at, "key:000000000000", KEY_LEN);
    for (char *digit = at + KEY_LEN - 1; number > 0; number /= 10) {
        *digit-- = (char)('0' + number % 10);
    }
}

/* SETs every key once through the address under test; all replies must be +OK. */
static void preload(struct options options)
{
    static struct load load;
    options.kind = KIND_SET;
    options.clients = 1;
    options.pipeline = PRELOAD_BATCH;
    load_init(&load, &options);
    const int fd = client_connect(&options, 0);
    for (uint32_t key = 0; key < options.keys;) {
        int count = 0;
        for (; count < PRELOAD_BATCH && key < options.keys; count++, key++) {
            char *const request = load.batch + (size_t)count * load.request_len;
            key_write(request + load.key_at, key);
            if (options.value_bytes >= KEY_LEN) {
                key_write(request + load.value_at, key);
            }
        }
        const size_t len = (size_t)count * load.request_len;
        if (send(fd, load.batch, len, MSG_NOSIGNAL) != (ssize_t)len) {
            die("preload: send");
        }
        const size_t expected = (size_t)count * 5;
        if (recv(fd, load.in, expected, MSG_WAITALL) != (ssize_t)expected) {
            die("preload: receive");
        }
        for (int i = 0; i < count; i++) {
            if (memcmp(load.in + i * 5, "+OK\r\n", 5) != 0) {
                load.in[expected] = '\0';
                fprintf(stderr, "load: preload: %s\n", load.in + i * 5);
                exit(1);
            }
        }
    }
    close(fd);
}

/* Opens the connections one by one, one GET each, says "idle", and holds them until stdin ends. */
static void hold_idle(const struct options *options)
{
    char request[64];
    char reply[4096];
    char key[KEY_LEN + 1] = {0};
    int *const fds = need((size_t)options->idle, sizeof *fds);
    for (int i = 0; i < options->idle; i++) {
        fds[i] = client_connect(options, i);
        key_write(key, (uint32_t)i % options->keys);
        const int len = snprintf(request, sizeof request, "*2\r\n$3\r\nGET\r\n$16\r\n%s\r\n", key);
        struct pollfd ready = {.fd = fds[i], .events = POLLIN};
        if (send(fds[i], request, (size_t)len, MSG_NOSIGNAL) != len ||
            poll(&ready, 1, STALL_SECONDS * 1000) != 1 ||
            recv(fds[i], reply, sizeof reply, 0) < 4 || reply[0] != '$') {
            die("idle: no reply");
        }
    }
    printf("idle\n");
    fflush(stdout);
    while (read(STDIN_FILENO, reply, sizeof reply) > 0) {
    }
    free(fds);
}

/* ---- the load --------------------------------------------------------------------------- */

static void load_init(struct load *load, const struct options *options)
{
    *load = (struct load){.options = *options, .random = 88172645463325252ULL};
    const size_t value_len = options->value_bytes;
    char head[96];
    int head_len = 0;
    load->keys_each = options->kind == KIND_MGET ? MGET_KEYS : 1;
    load->key_step = sizeof "\r\n$16\r\n" - 1 + KEY_LEN;
    if (options->kind != KIND_SET) {
        head_len = options->kind == KIND_GET
                       ? snprintf(head, sizeof head, "*2\r\n$3\r\nGET\r\n$16\r\n")
                       : snprintf(head, sizeof head, "*%d\r\n$4\r\nMGET\r\n$16\r\n", MGET_KEYS + 1);
        load->request_len =
            (size_t)head_len + KEY_LEN + 2 + load->key_step * (size_t)(load->keys_each - 1);
        if (options->kind == KIND_MGET) {
            load->first_at =
                (size_t)snprintf(load->reply_head, sizeof load->reply_head, "*%d\r\n", MGET_KEYS);
        }
        const size_t value_head =
            (size_t)snprintf(load->reply_head + load->first_at,
                             sizeof load->reply_head - load->first_at, "$%zu\r\n", value_len);
        load->element_len = value_head + value_len + 2;
        load->reply_len = load->first_at + load->element_len * (size_t)load->keys_each;
    } else {
        head_len = snprintf(head, sizeof head, "*3\r\n$3\r\nSET\r\n$16\r\n");
        char size[32];
        const int size_len = snprintf(size, sizeof size, "\r\n$%zu\r\n", value_len);
        load->value_at = (size_t)head_len + KEY_LEN + (size_t)size_len;
        load->request_len = load->value_at + value_len + 2;
        snprintf(load->reply_head, sizeof load->reply_head, "+OK\r\n");
        load->reply_len = 5;
    }
    load->key_at = (size_t)head_len;
    load->head_len = strlen(load->reply_head);
    load->batch_len = load->request_len * (size_t)options->pipeline;
    load->batch = need(1, load->batch_len + 1);
    load->in = need(1, READ_BYTES + load->reply_len + 1);
    load->clients = need((size_t)options->clients, sizeof *load->clients);

    for (int i = 0; i < options->pipeline; i++) {
        char *const request = load->batch + (size_t)i * load->request_len;
        memcpy(request, head, (size_t)head_len);
        key_write(request + load->key_at, 0);
        for (int key = 1; key < load->keys_each; key++) {
            char *const at = request + load->key_at + load->key_step * (size_t)key;
            memcpy(at - 7, "\r\n$16\r\n", 7);
            key_write(at, 0);
        }
        if (options->kind == KIND_SET) {
            sprintf(request + load->key_at + KEY_LEN, "\r\n$%zu\r\n", value_len);
            memset(request + load->value_at, 'x', value_len);
        }
        memcpy(request + load->request_len - 2, "\r\n", 2);
    }
}

static void load_open(struct load *load)
{
    load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < load->options.clients; i++) {
        struct client *const client = &load->clients[i];
        client->fd = client_connect(&load->options, i);
        client->asked =
            need((size_t)load->options.pipeline * (size_t)load->keys_each, sizeof *client->asked);
        client->unsent = need(1, load->batch_len);
        client->partial = need(1, load->reply_len + 128);
        fcntl(client->fd, F_SETFL, O_NONBLOCK);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
        if (epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, client->fd, &event) != 0) {
            die("epoll_ctl");
        }
        load->open_count++;
    }
}

/* CPU seconds used so far by each watched process, all its threads, user and system. */
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

static void load_pump(struct load *load)
{
    struct epoll_event events[EVENTS_MAX];
    const int count = epoll_wait(load->epoll_fd, events, EVENTS_MAX, 50);
    for (int i = 0; i < count; i++) {
        struct client *const client = events[i].data.ptr;
        if (client->fd >= 0 && (events[i].events & EPOLLOUT) != 0) {
            client_flush(load, client);
        }
        if (client->fd >= 0 && (events[i].events & ~(uint32_t)EPOLLOUT) != 0) {
            client_on_readable(load, client);
        }
    }
    load->now_ns = clock_ns(CLOCK_MONOTONIC);
}

/* Pumps until UNTIL_NS or REPLIES_MAX (0: no such limit); false on a stall or when all are lost. */
static bool load_pump_until(struct load *load, uint64_t until_ns, uint64_t replies_max)
{
    uint64_t seen = load->replies;
    uint64_t seen_ns = load->now_ns;
    while (load->now_ns < until_ns && (replies_max == 0 || load->replies < replies_max)) {
        load_pump(load);
        if (load->replies != seen) {
            seen = load->replies;
            seen_ns = load->now_ns;
        }
        if (load->open_count == 0 || load->now_ns - seen_ns > STALL_SECONDS * NS_PER_SECOND) {
            return false;
        }
    }
    return true;
}

static void load_run(struct load *load)
{
    const struct options *const options = &load->options;
    double before[WATCHED_MAX];
    double after[WATCHED_MAX];
    load->now_ns = clock_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < options->clients; i++) {
        client_send_batch(load, &load->clients[i]);
    }
    const uint64_t warm_ns = load->now_ns + (uint64_t)(options->warmup * 1e9);
    bool is_flowing = load_pump_until(load, warm_ns, 0);

    load->replies = 0;
    memset(load->histogram, 0, sizeof load->histogram);
    read_watched(options, before);
    const double own_before = (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9;
    const uint64_t start_ns = load->now_ns = clock_ns(CLOCK_MONOTONIC);
    if (is_flowing) {
        const uint64_t end_ns = start_ns + (uint64_t)(options->seconds * 1e9);
        is_flowing = load_pump_until(load, end_ns, options->requests_max);
    }
    const double seconds = (double)(clock_ns(CLOCK_MONOTONIC) - start_ns) / 1e9;
    const double own_cpu = (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9 - own_before;
    read_watched(options, after);
    for (int i = 0; i < options->watched_count; i++) {
        after[i] -= before[i];
    }
    if (!is_flowing) {
        load->lost += (uint64_t)load->open_count;
        if (load->first_error[0] == '\0') {
            snprintf(load->first_error, sizeof load->first_error, "no reply for %d s",
                     STALL_SECONDS);
        }
    }
    load_print(load, seconds, own_cpu, after);
}

static uint64_t now_in_batch(struct load *load)
{
    load->now_ns = clock_ns(CLOCK_MONOTONIC);
    return load->now_ns;
}

static uint32_t load_random(struct load *load)
{
    load->random ^= load->random << 13;
    load->random ^= load->random >> 7;
    load->random ^= load->random << 17;
    return (uint32_t)(((load->random >> 32) * load->options.keys) >> 32);
}

static void client_send_batch(struct load *load, struct client *client)
{
    const int pipeline = load->options.pipeline;
    const bool has_key_in_value = load->value_at > 0 && load->options.value_bytes >= KEY_LEN;
    char *request = load->batch;
    for (int i = 0; i < pipeline; i++, request += load->request_len) {
        for (int n = 0; n < load->keys_each; n++) {
            const uint32_t key = load_random(load);
            client->asked[i * load->keys_each + n] = key;
            key_write(request + load->key_at + load->key_step * (size_t)n, key);
        }
        if (has_key_in_value) {
            memcpy(request + load->value_at, request + load->key_at, KEY_LEN);
        }
    }
    client->waiting = pipeline;
    client->sent_ns = load->now_ns;

    ssize_t sent = send(client->fd, load->batch, load->batch_len, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        client_lose(load, client);
        return;
    }
    sent = sent < 0 ? 0 : sent;
    if ((size_t)sent < load->batch_len) {
        client->unsent_at = 0;
        client->unsent_len = load->batch_len - (size_t)sent;
        memcpy(client->unsent, load->batch + sent, client->unsent_len);
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = client};
        epoll_ctl(load->epoll_fd, EPOLL_CTL_MOD, client->fd, &event);
    }
}

static void client_flush(struct load *load, struct client *client)
{
    const ssize_t sent =
        send(client->fd, client->unsent + client->unsent_at, client->unsent_len, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        client_lose(load, client);
        return;
    }
    if (sent > 0) {
        client->unsent_at += (size_t)sent;
        client->unsent_len -= (size_t)sent;
    }
    if (client->unsent_len == 0) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
        epoll_ctl(load->epoll_fd, EPOLL_CTL_MOD, client->fd, &event);
    }
}

static unsigned bucket_of(uint64_t ns)
{
    if (ns < STEPS) {
        return (unsigned)ns;
    }
    const unsigned power = 63U - (unsigned)__builtin_clzll(ns);
    return (power - STEPS_BITS + 1) * STEPS +
           (unsigned)((ns >> (power - STEPS_BITS)) & (STEPS - 1));
}

static double bucket_us(unsigned bucket)
{
    if (bucket < STEPS) {
        return bucket / 1e3;
    }
    const unsigned power = bucket / STEPS - 1 + STEPS_BITS;
    const double low = (double)(1ULL << power);
    return (low + low / STEPS * (bucket % STEPS + 0.5)) / 1e3;
}

static void client_on_readable(struct load *load, struct client *client)
{
    char *const in = load->in;
    const size_t had = client->partial_len;
    memcpy(in, client->partial, had);
    const ssize_t got = recv(client->fd, in + had, READ_BYTES - 1, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) {
        client_lose(load, client);
        return;
    }
    const size_t len = had + (got > 0 ? (size_t)got : 0);
    const size_t used = client_take_replies(load, client, in, in + len);
    client->partial_len = len - used;
    if (client->partial_len >= load->reply_len + 128 ||
        (client->waiting == 0 && client->partial_len > 0)) {
        snprintf(load->first_error, sizeof load->first_error, "bytes nobody asked for: %.40s",
                 in + used);
        client_lose(load, client);
        return;
    }
    memcpy(client->partial, in + used, client->partial_len);
    if (client->waiting == 0) {
        const uint64_t now_ns = now_in_batch(load);
        load->histogram[bucket_of(now_ns - client->sent_ns)]++;
        client_send_batch(load, client);
    }
}

static void count_error(struct load *load, const char *reply, size_t len)
{
    if (load->errors++ == 0) {
        snprintf(load->first_error, sizeof load->first_error, "%.*s", (int)(len < 80 ? len : 80),
                 reply);
    }
}

/* The length of a reply that is not the expected one, 0 when it is not whole. */
static size_t odd_reply_len(const char *at, const char *end)
{
    const char *const line_end = memchr(at, '\n', (size_t)(end - at));
    if (line_end == NULL) {
        return 0;
    }
    size_t len = (size_t)(line_end + 1 - at);
    if (*at == '$' && at[1] != '-') {
        len += strtoul(at + 1, NULL, 10) + 2;
    }
    return len <= (size_t)(end - at) ? len : 0;
}

/* True when each value of the reply at AT starts with the key that was ASKED for. */
static bool values_are_right(const struct load *load, const char *at, const uint32_t *asked)
{
    const size_t value_at = load->head_len - load->first_at;
    at += load->first_at;
    for (int n = 0; n < load->keys_each; n++, at += load->element_len) {
        char key[KEY_LEN];
        key_write(key, asked[n]);
        if (memcmp(at + value_at, key, KEY_LEN) != 0) {
            return false;
        }
    }
    return true;
}

/* Takes whole replies off AT; returns how many bytes they were. */
static size_t client_take_replies(struct load *load, struct client *client, const char *at,
                                  const char *end)
{
    const char *const start = at;
    const int pipeline = load->options.pipeline;
    while (client->waiting > 0 && at < end) {
        const size_t here = (size_t)(end - at);
        const size_t head_len = here < load->head_len ? here : load->head_len;
        size_t len = load->reply_len;
        if (memcmp(at, load->reply_head, head_len) == 0) {
            if (here < len) {
                break;
            }
            const uint32_t *const asked =
                client->asked + (pipeline - client->waiting) * load->keys_each;
            if (memcmp(at + len - 2, "\r\n", 2) != 0 ||
                (load->options.is_checked && !values_are_right(load, at, asked))) {
                count_error(load, at, len);
            }
        } else {
            len = odd_reply_len(at, end);
            if (len == 0) {
                break;
            }
            count_error(load, at, len);
        }
        at += len;
        client->waiting--;
        load->replies++;
    }
    return (size_t)(at - start);
}

static void client_lose(struct load *load, struct client *client)
{
    if (load->first_error[0] == '\0') {
        snprintf(load->first_error, sizeof load->first_error, "connection closed: %s",
                 strerror(errno));
    }
    close(client->fd);
    client->fd = -1;
    load->lost++;
    load->open_count--;
}

/* ---- the result ------------------------------------------------------------------------- */

static double percentile_us(const struct load *load, double share)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < BUCKETS; i++) {
        total += load->histogram[i];
    }
    uint64_t below = 0;
    for (unsigned i = 0; i < BUCKETS; i++) {
        below += load->histogram[i];
        if (total > 0 && (double)below >= share * (double)total) {
            return bucket_us(i);
        }
    }
    return 0;
}

static void load_print(struct load *load, double seconds, double own_cpu, const double *watched)
{
    for (char *at = load->first_error; *at != '\0'; at++) {
        if (*at < ' ' || *at == '"' || *at == '\\' || *at > '~') {
            *at = ' '; /* keeps the JSON valid */
        }
    }
    printf("{\"requests\":%llu,\"seconds\":%.4f,\"rps\":%.0f,\"p50_us\":%.1f,\"p99_us\":%.1f,"
           "\"errors\":%llu,\"lost\":%llu,\"first_error\":\"%s\",\"load_cpu_s\":%.4f,"
           "\"watched_cpu_s\":[",
           (unsigned long long)load->replies, seconds, (double)load->replies / seconds,
           percentile_us(load, 0.50), percentile_us(load, 0.99), (unsigned long long)load->errors,
           (unsigned long long)load->lost, load->first_error, own_cpu);
    for (int i = 0; i < load->options.watched_count; i++) {
        printf("%s%.6f", i > 0 ? "," : "", watched[i]);
    }
    printf("]}\n");
}
