/* test_near_role.c - what the near cache does about commands. */
#include "proxy/near/role.h"

#include "base/mem.h"
#include "tests/unit/kw_test.h"

#include <stdio.h>

static enum kw_near_role role_of_name(const uint8_t *roles, const char *name)
{
    return kw__role_in(roles, kw_command_find(kw_bytes_of_text(name)));
}

KW_TEST(near_roles_are_as_the_table_says)
{
    static const struct {
        const char *name;
        enum kw_near_role role;
    } rows[] = {{"get", KW_NEAR_ROLE_GET},           {"mget", KW_NEAR_ROLE_MGET},
                {"exists", KW_NEAR_ROLE_EXISTS},     {"hget", KW_NEAR_ROLE_WHOLE},
                {"set", KW_NEAR_ROLE_WRITE_KEY},     {"ttl", KW_NEAR_ROLE_NONE},
                {"ping", KW_NEAR_ROLE_NONE},         {"xrange", KW_NEAR_ROLE_READ_KEY},
                {"rename", KW_NEAR_ROLE_WRITE_SLOT}, {"flushall", KW_NEAR_ROLE_WRITE_ALL},
                {"exec", KW_NEAR_ROLE_EXEC}};
    uint8_t *roles = kw__roles_new();

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        printf("  %s\n", rows[i].name);
        assert_int_equal(role_of_name(roles, rows[i].name), rows[i].role);
    }
    kw_free(roles);
}

/* All that the nodes have told of have one id, behind those of the table. */
KW_TEST(near_roles_of_learned_commands_are_those_of_their_own_flags)
{
    struct kw_command learned = *kw_command_find(KW_BYTES("get"));
    uint8_t *roles = kw__roles_new();

    learned.id = (uint16_t)kw_command_count();
    snprintf(learned.name, sizeof learned.name, "my.read");
    learned.cache = KW_CACHE_NO;
    assert_int_equal(kw__role_in(roles, &learned), KW_NEAR_ROLE_READ_KEY);
    learned.flags = KW_COMMAND_WRITE;
    learned.cache = KW_CACHE_INVALIDATES;
    assert_int_equal(kw__role_in(roles, &learned), KW_NEAR_ROLE_WRITE_KEY);
    kw_free(roles);
}
