/* gather.c - one request, several calls. */
#include "proxy/gather.h"

#include "proxy/admit.h"

enum kw_verdict kw_gather_start(struct kw_client *client, const struct kw_command *command,
                                struct kw_bytes wire)
{
    (void)wire;
    return command->route == KW_ROUTE_SPLIT ? KW_NEXT : kw_admit_not_built(client, command);
}
