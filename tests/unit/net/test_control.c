#include "tests/unit/kw_test.h"

#include "net/control.h"
#include "tests/unit/cluster/fake_node.h"

enum close_when { CLOSE_NEVER = 0, CLOSE_ON_READY, CLOSE_ON_REPLY, CLOSE_ON_DOWN };

struct owner {
    struct kw_control *control;
    enum close_when close_when;
    const char *command; /* sent when ready; NULL = none */
    int ready;
    int replies;
    int downs;
    enum kw_status status;
    enum kw_value_type type;
    int64_t integer;
    char text[64];
    uint32_t elements_count;
};

static void owner_on_reply(void *arg, enum kw_status status, const struct kw_value *reply)
{
    struct owner *owner = arg;

    owner->replies++;
    owner->status = status;
    if (reply != NULL) {
        const struct kw_value *deepest = reply;
        owner->type = reply->type;
        owner->elements_count = reply->elements_count;
        while (deepest->elements_count > 0) {
            deepest = &deepest->elements[deepest->elements_count - 1];
        }
        owner->integer = deepest->integer;
        size_t len = deepest->bytes.len < sizeof owner->text - 1 ? deepest->bytes.len
                                                                 : sizeof owner->text - 1;
        if (len > 0) {
            memcpy(owner->text, deepest->bytes.data, len);
        }
        owner->text[len] = '\0';
    }
    if (owner->close_when == CLOSE_ON_REPLY) {
        kw_control_close(&owner->control);
    }
}

static void owner_on_ready(void *arg)
{
    struct owner *owner = arg;

    owner->ready++;
    if (owner->close_when == CLOSE_ON_READY) {
        kw_control_close(&owner->control);
    } else if (owner->command != NULL) {
        kw_control_send(owner->control, owner->command, 500, owner_on_reply, owner);
    }
}

static void owner_on_down(void *arg, enum kw_status status)
{
    struct owner *owner = arg;

    owner->downs++;
    owner->status = status;
    if (owner->close_when == CLOSE_ON_DOWN) {
        kw_control_close(&owner->control);
    }
}

static void owner_open(struct owner *owner, struct kw_loop *loop, uint16_t port, const char *user,
                       const char *pass)
{
    struct kw_control_options options = {.auth_user = user,
                                         .auth_pass = pass,
                                         .timeout_ms = 500,
                                         .on_ready = owner_on_ready,
                                         .on_down = owner_on_down,
                                         .arg = owner};

    assert_int_equal(kw_address_parse(KW_BYTES("127.0.0.1"), port, &options.address), KW_OK);
    owner->control = kw_control_open(loop, &options);
}

static bool owner_has_reply(void *arg)
{
    return ((struct owner *)arg)->replies > 0;
}

static bool owner_is_idle(void *arg)
{
    const struct owner *owner = arg;

    return owner->control != NULL && kw_control_is_idle(owner->control);
}

static bool owner_has_closed(void *arg)
{
    return ((struct owner *)arg)->control == NULL;
}

static bool owner_is_down(void *arg)
{
    return ((struct owner *)arg)->downs > 0;
}

/* What a command that is answered with REPLY comes to. */
static struct owner asked(const char *reply)
{
    struct kw_loop *loop = kw_loop_new();
    struct fake_node *node = fake_node_open(loop);
    struct owner owner = {.command = "GIVE IT"};

    fake_node_answers(node, "GIVE IT", "%s", reply);
    owner_open(&owner, loop, fake_node_port(node), "", "");
    loop_run_until(loop, owner_has_reply, &owner, LOOP_PATIENCE_MS);
    loop_run_for(loop, 10);
    kw_control_close(&owner.control);
    fake_node_close(&node);
    kw_loop_free(&loop);
    return owner;
}

KW_TEST(control_hands_out_replies_as_trees)
{
    struct owner owner = asked("*2\r\n:1\r\n*3\r\n$-1\r\n*0\r\n*2\r\n+a\r\n$4\r\nlast\r\n");

    assert_int_equal(owner.ready, 1);
    assert_int_equal(owner.status, KW_OK);
    assert_int_equal(owner.type, KW_VALUE_ARRAY);
    assert_int_equal(owner.elements_count, 2);
    assert_string_equal(owner.text, "last");
    assert_int_equal(asked(":-42\r\n").integer, -42);
    assert_int_equal(asked("$-1\r\n").type, KW_VALUE_NIL);
    assert_int_equal(asked("*-1\r\n").type, KW_VALUE_NIL);
    owner = asked("-ERR no\r\n");
    assert_int_equal(owner.status, KW_OK);
    assert_int_equal(owner.type, KW_VALUE_ERROR);
    assert_string_equal(owner.text, "ERR no");
}

KW_TEST(control_takes_surplus_replies_for_a_protocol_failure)
{
    struct owner owner = asked("+OK\r\n+SURPLUS\r\n");

    assert_int_equal(owner.replies, 1);
    assert_int_equal(owner.downs, 1);
    assert_int_equal(owner.status, KW_E_PROTOCOL);
    owner = asked("+OK\r\n-ERR surplus\r\n");
    assert_int_equal(owner.downs, 1);
    owner = asked("+OK\r\n*1\r\n:1\r\n");
    assert_int_equal(owner.downs, 1);
}

KW_TEST(control_survives_replies_that_are_no_protocol)
{
    static const char *const replies[] = {"HTTP/1.1 400 Bad Request\r\n\r\n",
                                          "$x\r\n",
                                          "*99999999999\r\n",
                                          "*2147483647\r\n:1\r\n",
                                          "*1048577\r\n:1\r\n",
                                          "$-5\r\n"};

    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        struct owner owner = asked(replies[i]);

        assert_int_equal(owner.replies, 1);
        assert_int_not_equal(owner.status, KW_OK);
        assert_int_equal(owner.downs, 1);
    }
}

KW_TEST(control_times_out_on_a_silent_node)
{
    struct owner owner = asked("");

    assert_int_equal(owner.status, KW_E_TIMEOUT);
    assert_int_equal(owner.replies, 1);
    assert_int_equal(owner.downs, 1);
    owner = asked("$100\r\nhalf a reply");
    assert_int_equal(owner.status, KW_E_TIMEOUT);
}

KW_TEST(control_reports_a_node_that_refuses_or_hangs_up)
{
    struct kw_loop *loop = kw_loop_new();
    struct fake_node *node = fake_node_open(loop);
    struct owner owner = {0};

    owner_open(&owner, loop, fake_node_port(node), "", "");
    assert_true(loop_run_until(loop, owner_is_idle, &owner, LOOP_PATIENCE_MS));
    fake_node_drop(node, false);
    assert_true(loop_run_until(loop, owner_is_down, &owner, LOOP_PATIENCE_MS));
    assert_int_equal(owner.status, KW_E_CLOSED);
    kw_control_close(&owner.control);

    owner.downs = 0;
    owner.close_when = CLOSE_ON_DOWN;
    owner_open(&owner, loop, fake_node_port(node), "", "");
    assert_true(loop_run_until(loop, owner_is_down, &owner, LOOP_PATIENCE_MS));
    assert_int_equal(owner.status, KW_E_REFUSED);
    assert_null(owner.control);
    fake_node_close(&node);
    kw_loop_free(&loop);
}

KW_TEST(control_authenticates_before_anything_else)
{
    struct kw_loop *loop = kw_loop_new();
    struct fake_node *node = fake_node_open(loop);
    struct owner owner = {.command = "PING"};

    fake_node_answers(node, "AUTH me secret", "+OK\r\n");
    fake_node_answers(node, "AUTH secret", "+OK\r\n");
    fake_node_answers(node, "AUTH wrong", "-WRONGPASS no\r\n");

    owner_open(&owner, loop, fake_node_port(node), "me", "secret");
    assert_true(loop_run_until(loop, owner_has_reply, &owner, LOOP_PATIENCE_MS));
    assert_int_equal(fake_node_heard(node, "AUTH me secret"), 1);
    assert_string_equal(owner.text, "PONG");
    kw_control_close(&owner.control);

    owner.replies = 0;
    owner_open(&owner, loop, fake_node_port(node), "", "secret");
    assert_true(loop_run_until(loop, owner_has_reply, &owner, LOOP_PATIENCE_MS));
    assert_int_equal(fake_node_heard(node, "AUTH secret"), 1);
    assert_int_equal(owner.ready, 2);
    kw_control_close(&owner.control);

    owner_open(&owner, loop, fake_node_port(node), "", "wrong");
    assert_true(loop_run_until(loop, owner_is_down, &owner, LOOP_PATIENCE_MS));
    assert_int_equal(owner.status, KW_E_AUTH);
    assert_int_equal(owner.ready, 2);
    kw_control_close(&owner.control);
    fake_node_close(&node);
    kw_loop_free(&loop);
}

KW_TEST(control_may_be_closed_in_any_callback)
{
    struct kw_loop *loop = kw_loop_new();
    struct fake_node *node = fake_node_open(loop);

    for (int when = CLOSE_ON_READY; when <= CLOSE_ON_DOWN; when++) {
        for (int has_auth = 0; has_auth < 2; has_auth++) {
            struct owner owner = {.close_when = (enum close_when)when,
                                  .command = when == CLOSE_ON_DOWN ? "HANG" : "PING"};
            fake_node_answers(node, "AUTH x", "+OK\r\n");
            fake_node_answers(node, "HANG", "%s", "");
            owner_open(&owner, loop, fake_node_port(node), "", has_auth ? "x" : "");
            assert_true(loop_run_until(loop, owner_has_closed, &owner, LOOP_PATIENCE_MS));
            assert_int_equal(owner.downs, when == CLOSE_ON_DOWN ? 1 : 0);
        }
    }
    /* and before anything happened, and while a command waits */
    struct owner owner = {.command = "HANG"};
    owner_open(&owner, loop, fake_node_port(node), "", "");
    kw_control_close(&owner.control);
    owner_open(&owner, loop, fake_node_port(node), "", "");
    loop_run_for(loop, 20);
    kw_control_close(&owner.control);
    loop_run_for(loop, 600);
    assert_int_equal(owner.replies, 0);
    assert_int_equal(owner.downs, 0);
    fake_node_close(&node);
    kw_loop_free(&loop);
}

KW_TEST(control_carries_one_command_after_the_other)
{
    struct kw_loop *loop = kw_loop_new();
    struct fake_node *node = fake_node_open(loop);
    struct owner owner = {0};

    owner_open(&owner, loop, fake_node_port(node), "", "");
    assert_true(loop_run_until(loop, owner_is_idle, &owner, LOOP_PATIENCE_MS));
    for (int i = 0; i < 3; i++) {
        owner.replies = 0;
        kw_control_send(owner.control, "PING", 500, owner_on_reply, &owner);
        assert_false(kw_control_is_idle(owner.control));
        assert_true(loop_run_until(loop, owner_has_reply, &owner, LOOP_PATIENCE_MS));
        assert_int_equal(owner.type, KW_VALUE_STATUS);
    }
    assert_int_equal(fake_node_accepted(node), 1);
    kw_control_close(&owner.control);
    fake_node_close(&node);
    kw_loop_free(&loop);
}
