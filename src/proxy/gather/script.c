/* script.c - two short lists, and a table of what was loaded just now.
 *
 *   scripts     by SHA-1 of their text, which is computed when it is asked for the first time
 *   libraries   by name; a function belongs to the library whose code has its name in quotes
 *   loaded      link and script -> when it was sent there in front of a transaction
 *
 * Looking a script up is a walk over SCRIPTS_MAX entries, done for an error of a node and for what
 * a transaction runs. Seeing that an EVAL's text is known already is one hash and one look.
 *
 * A transaction can't be sent again when EXEC's array has a NOSCRIPT in it: the rest was executed.
 * So its scripts go in front of it. To ask the node first would cost each of them a round trip, to
 * send the texts each time would cost the node a SHA-1 of each. But a connection of which every
 * script was loaded a moment ago has them still, unless somebody has flushed them at that very node
 * since, which a client of one server would have to live with, too.
 *
 * INVARIANTS
 * S1  an entry's SHA-1 is that of its text: what is loaded is what the client meant.
 * S2  a command is sent again once for a missing script: a script may make such an error up.
 * S3  what is said to be loaded was sent over that very connection, and no flush came through here
 *     since: another connection may lead to a server that was started anew.
 */
#include "proxy/gather/script.h"

#include "backend/link.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/sha1.h"
#include "proxy/crew.h"
#include "proxy/gather/gather.h"

enum {
    SCRIPTS_MAX = 512,
    LIBRARIES_MAX = 64,
    SEEN_SLOTS = 1024,                 /* a power of two */
    TEXT_MAX_BYTES = 256 * 1024,       /* a longer one is not remembered ... */
    TEXTS_MAX_BYTES = 8 * 1024 * 1024, /* ... nor all of them together */
    LOADED_SLOTS = 1024,               /* a power of two */
    SCRIPT_AGAIN_MS = 100,             /* so long may a flush at the node itself be felt */
    LIBRARY_AGAIN_MS = 1000            /* these are persistent, and loading one twice is an error */
};

/* A script that was sent over a link in front of a transaction. */
struct loaded {
    uint64_t hash; /* of its text */
    uint64_t link_serial;
    uint64_t sent_ms;
};

/* A script or the code of a library, in one allocation. */
struct script {
    uint64_t hash; /* of the text */
    bool has_sha1;
    char sha1[KW_SHA1_TEXT_LEN];
    struct kw_bytes library; /* its name; empty: a script */
    struct kw_bytes text;
    char storage[];
};

/* A list, oldest first. */
struct script_list {
    struct script *items[SCRIPTS_MAX]; /* owned */
    uint32_t count;
    uint32_t count_max;
};

struct kw_scripts {
    struct script_list scripts;
    struct script_list libraries;
    size_t texts_bytes;
    uint64_t seen[SEEN_SLOTS]; /* hashes of texts that are in the list; 0 = none */
    struct loaded loaded[LOADED_SLOTS];
};

enum news_kind { NEWS_SCRIPT, NEWS_LIBRARY, NEWS_NO_SCRIPTS, NEWS_NO_LIBRARY, NEWS_NO_LIBRARIES };

/* What all workers are told. */
struct news {
    struct kw_errand errand; /* first */
    enum news_kind kind;
    struct kw_bytes library;
    struct kw_bytes text;
    char storage[];
};

static void scripts_add(struct kw_scripts *scripts, struct kw_bytes library, struct kw_bytes text);
static void scripts_drop(struct kw_scripts *scripts, struct script_list *list, uint32_t at);
static struct script *scripts_find(struct kw_scripts *scripts, struct kw_bytes sha1);
static const struct script *scripts_find_function(const struct kw_scripts *scripts,
                                                  struct kw_bytes name);
static struct script *request_script(struct kw_request *request);
static struct script *scripts_find_for(struct kw_scripts *scripts, const struct kw_argv *argv);
static bool scripts_may_lack(struct kw_scripts *scripts, const struct script *script,
                             const struct kw_link *link);
static enum kw_status script_send(struct kw_proxy *proxy, const struct script *script,
                                  struct kw_link *link);
static bool chunk_cut(struct kw_proxy *proxy, struct kw_bytes bytes);
static void news_send(struct kw_proxy *proxy, enum news_kind kind, struct kw_bytes library,
                      struct kw_bytes text);
static void news_visit(struct kw_proxy *proxy, struct kw_errand *errand);
static void news_done(struct kw_proxy *home, struct kw_errand *errand);

struct kw_scripts *kw_scripts_new(void)
{
    struct kw_scripts *scripts = kw_alloc_zero(1, sizeof *scripts);

    scripts->scripts.count_max = SCRIPTS_MAX;
    scripts->libraries.count_max = LIBRARIES_MAX;
    return scripts;
}

void kw_scripts_free(struct kw_scripts **scripts)
{
    while ((*scripts)->scripts.count > 0) {
        scripts_drop(*scripts, &(*scripts)->scripts, (*scripts)->scripts.count - 1);
    }
    while ((*scripts)->libraries.count > 0) {
        scripts_drop(*scripts, &(*scripts)->libraries, (*scripts)->libraries.count - 1);
    }
    kw_free(*scripts);
    *scripts = NULL;
}

void kw_script_learn(struct kw_client *client, const struct kw_command *command)
{
    struct kw_scripts *scripts = client->proxy->scripts;

    if (strcmp(command->name, "eval") != 0 && strcmp(command->name, "eval_ro") != 0) {
        return;
    }
    struct kw_bytes text = client->proxy->argv.items[1];
    uint64_t hash = kw_hash(text, 0);
    if (scripts->seen[hash % SEEN_SLOTS] != hash) {
        scripts_add(scripts, KW_BYTES(""), text);
    }
}

/* Remember TEXT as a script, or as the code of LIBRARY. */
static void scripts_add(struct kw_scripts *scripts, struct kw_bytes library, struct kw_bytes text)
{
    struct script_list *list = library.len > 0 ? &scripts->libraries : &scripts->scripts;
    uint64_t hash = kw_hash(text, 0);

    if (text.len > TEXT_MAX_BYTES) {
        return;
    }
    for (uint32_t i = 0; i < list->count; i++) {
        bool is_same = library.len > 0 ? kw_bytes_equal(list->items[i]->library, library)
                                       : list->items[i]->hash == hash &&
                                             kw_bytes_equal(list->items[i]->text, text);
        if (is_same) {
            scripts_drop(scripts, list, i); /* becomes the newest */
            break;
        }
    }
    while (list->count > 0 &&
           (list->count == list->count_max || scripts->texts_bytes + text.len > TEXTS_MAX_BYTES)) {
        scripts_drop(scripts, list, 0);
    }
    struct script *script = kw_alloc(sizeof *script + library.len + text.len);
    memcpy(script->storage, library.data, library.len);
    memcpy(script->storage + library.len, text.data, text.len);
    script->hash = hash;
    script->has_sha1 = false;
    script->library = kw_bytes_of(script->storage, library.len);
    script->text = kw_bytes_of(script->storage + library.len, text.len);
    list->items[list->count++] = script;
    scripts->texts_bytes += text.len;
    if (library.len == 0) {
        scripts->seen[hash % SEEN_SLOTS] = hash;
    }
}

static void scripts_drop(struct kw_scripts *scripts, struct script_list *list, uint32_t at)
{
    struct script *script = list->items[at];

    if (scripts->seen[script->hash % SEEN_SLOTS] == script->hash) {
        scripts->seen[script->hash % SEEN_SLOTS] = 0;
    }
    scripts->texts_bytes -= script->text.len;
    kw_free(script);
    list->count--;
    memmove(&list->items[at], &list->items[at + 1], (list->count - at) * sizeof list->items[0]);
}

void kw_script_on_start(struct kw_gather *gather, struct kw_bytes wire)
{
    const char *name = gather->command->name;

    if (strcmp(name, "script|load") == 0 || strcmp(name, "function|load") == 0 ||
        strcmp(name, "function|delete") == 0) {
        gather->script_chunk = kw_chunk_get(gather->client->proxy->chunks, wire.len);
        if (gather->script_chunk != NULL) {
            memcpy(gather->script_chunk->data, wire.data, wire.len);
            gather->script_chunk->end = wire.len;
        }
    }
}

/* The first reply that is no error; empty when all are. */
static struct kw_bytes gather_success(const struct kw_gather *gather)
{
    for (const struct kw_request *part = gather->first; part != gather->answer; part = part->next) {
        struct kw_bytes reply = kw__part_reply(part);
        if (reply.len > 0 && !kw_merge_is_error(reply)) {
            return reply;
        }
    }
    return kw_bytes_of(NULL, 0);
}

void kw_script_on_complete(struct kw_gather *gather)
{
    struct kw_proxy *proxy = gather->client->proxy;
    const char *name = gather->command->name;
    struct kw_argv *argv = &proxy->gathering->argv;

    if (gather->command->group != KW_GROUP_SCRIPTING || proxy->is_draining) {
        return;
    }
    if (strcmp(name, "script|flush") == 0) {
        news_send(proxy, NEWS_NO_SCRIPTS, KW_BYTES(""), KW_BYTES(""));
    } else if (strcmp(name, "function|flush") == 0) {
        news_send(proxy, NEWS_NO_LIBRARIES, KW_BYTES(""), KW_BYTES(""));
    }
    struct kw_bytes reply = gather_success(gather);
    const struct kw_chunk *chunk = gather->script_chunk;
    if (chunk == NULL || reply.len == 0 ||
        !chunk_cut(proxy, kw_bytes_of(chunk->data, chunk->end))) {
        return;
    }
    struct kw_bytes last = argv->items[argv->count - 1];
    if (strcmp(name, "script|load") == 0) {
        news_send(proxy, NEWS_SCRIPT, KW_BYTES(""), last);
    } else if (strcmp(name, "function|delete") == 0) {
        news_send(proxy, NEWS_NO_LIBRARY, last, KW_BYTES(""));
    } else {
        int64_t len = 0;
        if (kw_merge_take_number(&reply, '$', &len) && len > 0 && (size_t)len + 2 == reply.len) {
            news_send(proxy, NEWS_LIBRARY, kw_bytes_of(reply.data, (size_t)len), last);
        }
    }
}

/* Cut the command BYTES into gathering->argv. */
static bool chunk_cut(struct kw_proxy *proxy, struct kw_bytes bytes)
{
    struct kw_request_parser parser = {0};
    struct kw_request_bytes cut;

    return kw_request_parse(&parser, &proxy->limits, bytes, &proxy->gathering->argv, &cut) ==
               KW_OK &&
           proxy->gathering->argv.count > 1;
}

bool kw_script_is_missing(struct kw_request *request, struct kw_bytes line)
{
    struct kw_bytes text = kw_bytes_of(line.data + 1, line.len - 1);

    if (request->needs_script ||
        (!kw_bytes_equal(text, KW_BYTES("NOSCRIPT No matching script. Please use EVAL.\r\n")) &&
         !kw_bytes_equal(text, KW_BYTES("ERR Function not found\r\n")))) {
        return false; /* S2 */
    }
    request->needs_script = request_script(request) != NULL;
    return request->needs_script;
}

enum kw_status kw_script_send(struct kw_request *request, struct kw_link *link)
{
    struct kw_proxy *proxy = request->client->proxy;

    if (request->is_special && request->run != NULL) {
        return kw_script_send_all(proxy, kw_call_bytes(&request->call), link);
    }
    const struct script *script = request_script(request);
    return script == NULL ? KW_OK /* forgotten meanwhile: the node will say so once more */
                          : script_send(proxy, script, link);
}

enum kw_status kw_script_send_all(struct kw_proxy *proxy, struct kw_bytes run, struct kw_link *link)
{
    struct kw_argv *argv = &proxy->gathering->argv;
    enum kw_status status = KW_OK;

    while (run.len > 0 && status == KW_OK) {
        struct kw_request_parser parser = {0};
        struct kw_request_bytes cut;
        if (kw_request_parse(&parser, &proxy->limits, run, argv, &cut) != KW_OK) {
            break; /* never: it was cut before */
        }
        const struct script *script = scripts_find_for(proxy->scripts, argv);
        if (script != NULL && scripts_may_lack(proxy->scripts, script, link)) {
            status = script_send(proxy, script, link);
        }
        run = kw_bytes_of(run.data + cut.consumed, run.len - cut.consumed);
    }
    return status;
}

/* May the node of LINK lack SCRIPT? If so it is about to be sent there. */
static bool scripts_may_lack(struct kw_scripts *scripts, const struct script *script,
                             const struct kw_link *link)
{
    uint64_t now_ms = kw_loop_now_ms(link->backend->loop);
    uint64_t again_ms = script->library.len > 0 ? LIBRARY_AGAIN_MS : SCRIPT_AGAIN_MS;
    struct loaded *loaded = &scripts->loaded[(script->hash ^ link->serial) % LOADED_SLOTS];

    if (loaded->hash == script->hash && loaded->link_serial == link->serial &&
        now_ms - loaded->sent_ms < again_ms) {
        return false; /* S3 */
    }
    *loaded = (struct loaded){.hash = script->hash, .link_serial = link->serial, .sent_ms = now_ms};
    return true;
}

/* Queue what loads SCRIPT on LINK. */
static enum kw_status script_send(struct kw_proxy *proxy, const struct script *script,
                                  struct kw_link *link)
{
    /* Not REPLACE: a node that has another version of the library has it for a reason. */
    static const struct kw_bytes words[] = {{"SCRIPT", 6}, {"FUNCTION", 8}, {"LOAD", 4}};
    struct kw_buf buf;

    struct kw_chunk *chunk = kw_chunk_get(proxy->chunks, script->text.len + 128);
    if (chunk == NULL) {
        return KW_E_MEMORY;
    }
    kw_buf_init(&buf, proxy->chunks);
    buf.head = chunk; /* all of it fits in there */
    buf.tail = chunk;
    kw_reply_array(&buf, 3);
    kw_reply_bulk(&buf, words[script->library.len > 0 ? 1 : 0]);
    kw_reply_bulk(&buf, words[2]);
    kw_reply_bulk(&buf, script->text);
    KW_ASSERT(buf.tail == chunk && buf.len == chunk->end);
    enum kw_status status = kw_link_send_prefix(link, kw_bytes_of(chunk->data, chunk->end));
    kw_buf_reset(&buf);
    KW_STAT_ADD(proxy->stats, scripts_reloaded, 1);
    return status;
}

/* What REQUEST, an EVALSHA or FCALL, needs, if it is known. */
static struct script *request_script(struct kw_request *request)
{
    struct kw_proxy *proxy = request->client->proxy;

    return chunk_cut(proxy, kw_call_bytes(&request->call))
               ? scripts_find_for(proxy->scripts, &proxy->gathering->argv)
               : NULL;
}

bool kw_script_is_by_name(const struct kw_command *command)
{
    return command->group == KW_GROUP_SCRIPTING &&
           (strncmp(command->name, "evalsha", 7) == 0 || strncmp(command->name, "fcall", 5) == 0);
}

/* What the command ARGV needs, if it is an EVALSHA or FCALL, and its script known. */
static struct script *scripts_find_for(struct kw_scripts *scripts, const struct kw_argv *argv)
{
    const struct kw_bytes *words = argv->items;

    if (argv->count < 2) {
        return NULL;
    }
    if (kw_bytes_equal_nocase(words[0], KW_BYTES("evalsha")) ||
        kw_bytes_equal_nocase(words[0], KW_BYTES("evalsha_ro"))) {
        return scripts_find(scripts, words[1]);
    }
    if (kw_bytes_equal_nocase(words[0], KW_BYTES("fcall")) ||
        kw_bytes_equal_nocase(words[0], KW_BYTES("fcall_ro"))) {
        return (struct script *)scripts_find_function(scripts, words[1]);
    }
    return NULL;
}

static struct script *scripts_find(struct kw_scripts *scripts, struct kw_bytes sha1)
{
    struct script_list *list = &scripts->scripts;

    for (uint32_t i = list->count; i > 0; i--) {
        struct script *script = list->items[i - 1];
        if (!script->has_sha1) {
            kw_sha1_text(script->text, script->sha1); /* S1 */
            script->has_sha1 = true;
        }
        if (kw_bytes_equal_nocase(kw_bytes_of(script->sha1, KW_SHA1_TEXT_LEN), sha1)) {
            return script;
        }
    }
    return NULL;
}

/* The library whose code has NAME in quotes: that is how functions are registered. */
static const struct script *scripts_find_function(const struct kw_scripts *scripts,
                                                  struct kw_bytes name)
{
    const struct script_list *list = &scripts->libraries;

    for (uint32_t i = list->count; i > 0 && name.len > 0; i--) {
        struct kw_bytes text = list->items[i - 1]->text;
        const char *end = text.data + text.len;
        const char *at = text.data;
        while ((at = memmem(at, (size_t)(end - at), name.data, name.len)) != NULL) {
            bool is_quoted = at > text.data && at + name.len < end &&
                             (at[-1] == '\'' || at[-1] == '"') && at[name.len] == at[-1];
            if (is_quoted) {
                return list->items[i - 1];
            }
            at++;
        }
    }
    return NULL;
}

static void news_send(struct kw_proxy *proxy, enum news_kind kind, struct kw_bytes library,
                      struct kw_bytes text)
{
    struct news *news = kw_alloc_zero(1, sizeof *news + library.len + text.len);

    memcpy(news->storage, library.data, library.len);
    memcpy(news->storage + library.len, text.data, text.len);
    news->kind = kind;
    news->library = kw_bytes_of(news->storage, library.len);
    news->text = kw_bytes_of(news->storage + library.len, text.len);
    news->errand.visit = news_visit;
    news->errand.done = news_done;
    kw_crew_send(proxy, &news->errand);
}

static void news_visit(struct kw_proxy *proxy, struct kw_errand *errand)
{
    const struct news *news = (const struct news *)errand;
    struct kw_scripts *scripts = proxy->scripts;
    struct script_list *list =
        news->kind == NEWS_NO_SCRIPTS ? &scripts->scripts : &scripts->libraries;

    memset(scripts->loaded, 0, sizeof scripts->loaded); /* S3 */
    if (news->kind == NEWS_SCRIPT || news->kind == NEWS_LIBRARY) {
        scripts_add(scripts, news->library, news->text);
        return;
    }
    for (uint32_t i = list->count; i > 0; i--) {
        if (news->kind != NEWS_NO_LIBRARY ||
            kw_bytes_equal(list->items[i - 1]->library, news->library)) {
            scripts_drop(scripts, list, i - 1);
        }
    }
}

static void news_done(struct kw_proxy *home, struct kw_errand *errand)
{
    (void)home;
    kw_free(errand);
}
