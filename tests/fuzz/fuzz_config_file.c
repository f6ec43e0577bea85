/* fuzz_config_file.c - any text as a configuration file: it loads or it is refused with a reason.
 *
 * What loads is shown as CONFIG GET shows it, and given back through two references.
 */
#include "config/config.h"
#include "config/describe.h"

#include "base/assert.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_on_value(void *arg, struct kw_bytes name, struct kw_bytes value)
{
    size_t *total_len = arg;

    KW_ASSERT(name.len > 0 && value.data != NULL);
    *total_len += name.len + value.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_config *config = NULL;
    char error[KW_CONFIG_ERROR_MAX] = "";
    struct kw_bytes text = kw_bytes_of((const char *)data, size);

    if (kw_config_load_text(text, &config, error, sizeof error) != KW_OK) {
        KW_ASSERT(config == NULL);
        KW_ASSERT(error[0] != '\0' && strlen(error) < sizeof error);
        return 0;
    }
    size_t total_len = 0;
    size_t found_count = kw_config_get(config, &KW_BYTES("*"), 1, fuzz_on_value, &total_len);
    KW_ASSERT(found_count > 0 && total_len > 0);
    struct kw_config *again = kw_config_ref(config);
    kw_config_unref(&config);
    KW_ASSERT(again->port >= 0 && again->bind_count >= 1);
    kw_config_unref(&again);
    return 0;
}
