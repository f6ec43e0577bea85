#include "tests/unit/kw_test.h"

#include "net/address.h"

static void assert_split(const char *text, const char *host, uint16_t port)
{
    struct kw_bytes got_host;
    uint16_t got_port = 0;

    assert_int_equal(kw_address_split(kw_bytes_of_text(text), &got_host, &got_port), KW_OK);
    assert_true(kw_bytes_equal(got_host, kw_bytes_of_text(host)));
    assert_int_equal(got_port, port);
}

KW_TEST(address_splits_endpoints_at_the_last_colon)
{
    assert_split("127.0.0.1:7000", "127.0.0.1", 7000);
    assert_split("[::1]:7000", "::1", 7000);
    assert_split("::1:7000", "::1", 7000);
    assert_split("2001:db8::1:65535", "2001:db8::1", 65535);
    assert_split("node-1.example:1", "node-1.example", 1);
    assert_split(":7000", "", 7000);
    assert_split("[]:7000", "", 7000);
    assert_split("10.0.0.1:7000@17000", "10.0.0.1", 7000);
}

KW_TEST(address_refuses_what_is_no_endpoint)
{
    static const char *const texts[] = {"",
                                        ":",
                                        "host",
                                        "host:",
                                        "host:0",
                                        "host:65536",
                                        "host:-1",
                                        "host:+1",
                                        "host:01",
                                        "host: 1",
                                        "host:1 ",
                                        "host:1x",
                                        "host:99999999999999999999",
                                        "@17000",
                                        "host@1:"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct kw_bytes host;
        uint16_t port;

        assert_int_equal(kw_address_split(kw_bytes_of_text(texts[i]), &host, &port), KW_E_INVALID);
    }
}

static void assert_printed(const char *host, uint16_t port, const char *printed,
                           const char *printed_host)
{
    struct kw_address address;
    char text[KW_ADDRESS_TEXT_MAX];

    assert_int_equal(kw_address_parse(kw_bytes_of_text(host), port, &address), KW_OK);
    assert_true(kw_address_is_resolved(&address));
    assert_string_equal(kw_address_print(&address, text), printed);
    assert_string_equal(kw_address_print_host(&address, text), printed_host);
    assert_int_equal(kw_address_port(&address), port);
}

KW_TEST(address_reads_and_prints_numeric_hosts)
{
    assert_printed("127.0.0.1", 6379, "127.0.0.1:6379", "127.0.0.1");
    assert_printed("::1", 65535, "[::1]:65535", "::1");
    assert_printed("0:0:0:0:0:0:0:1", 1, "[::1]:1", "::1");
    assert_printed("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535,
                   "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
                   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

KW_TEST(address_never_resolves_names)
{
    static const char long_host[] =
        "1.1111111111111111111111111111111111111111111111111111111111111"
        "111111111111111111111111111111";
    static const char *const hosts[] = {
        "",    "localhost",    "1", "127.1",  "0x7f.0.0.1", "256.0.0.1", "[::1]",
        "::g", "host.example", "?", long_host};
    struct kw_address address;

    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        assert_int_equal(kw_address_parse(kw_bytes_of_text(hosts[i]), 1, &address), KW_E_INVALID);
        assert_false(kw_address_is_resolved(&address));
    }
    assert_int_equal(kw_address_parse(KW_BYTES("1.2.3.4\0"), 1, &address), KW_E_INVALID);
}

KW_TEST(addresses_are_equal_by_host_and_port)
{
    struct kw_address a, b;
    struct kw_address none = {.len = 0};
    char text[KW_ADDRESS_TEXT_MAX];

    assert_int_equal(kw_address_parse(KW_BYTES("10.0.0.1"), 1, &a), KW_OK);
    b = a;
    assert_true(kw_address_equal(&a, &b));
    b.v4.sin_port = htons(2);
    assert_false(kw_address_equal(&a, &b));
    assert_int_equal(kw_address_parse(KW_BYTES("::1"), 1, &b), KW_OK);
    assert_false(kw_address_equal(&a, &b));
    assert_true(kw_address_equal(&b, &b));
    assert_false(kw_address_equal(&a, &none));
    assert_true(kw_address_equal(&none, &none));
    assert_string_equal(kw_address_print(&none, text), "unresolved");
    assert_string_equal(kw_address_print_host(&none, text), "");
    assert_int_equal(kw_address_port(&none), 0);
}
