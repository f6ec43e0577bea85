/* main.c - argv -> config -> server -> run. */
#include "base/log.h"
#include "base/version.h"
#include "config/config.h"
#include "config/describe.h"
#include "server.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum main_action { ACTION_RUN, ACTION_TEST };

static int flags_handle(int argc, char **argv);
static int flag_take(int *argc, char **argv, const char *flag);
static int config_report(const char *error);
static int process_prepare(const struct kw_config *config);
static int process_daemonize(const struct kw_config *config);
static int pidfile_write(const char *path);

int main(int argc, char **argv)
{
    char error[KW_CONFIG_ERROR_MAX];
    struct kw_config *config = NULL;
    struct kw_server *server = NULL;

    if (flags_handle(argc, argv)) {
        return EXIT_SUCCESS;
    }
    enum main_action action = flag_take(&argc, argv, "--test-config") ? ACTION_TEST : ACTION_RUN;
    if (kw_config_load(argc, argv, &config, error, sizeof error) != KW_OK) {
        return config_report(error);
    }
    if (action == ACTION_TEST) {
        printf("The configuration is valid.\n");
        kw_config_unref(&config);
        return EXIT_SUCCESS;
    }
    if (config->cluster_seeds_count == 0 && !kw_config_is_embedded(config)) {
        kw_config_unref(&config);
        return config_report("No `cluster-seeds`: name at least one node of the cluster, such as\n"
                             "    keyway --cluster-seeds 127.0.0.1:7000");
    }
    if (process_prepare(config) != EXIT_SUCCESS) {
        kw_config_unref(&config);
        return EXIT_FAILURE;
    }
    int result = EXIT_FAILURE;
    kw_log(KW_LOG_NOTICE, "keyway " KW_VERSION " starts, pid %d", (int)getpid());
    kw_config_log_notes(config);
    if (kw_server_new(config, argc, argv, &server) == KW_OK) {
        kw_server_run(server);
        kw_server_free(&server);
        kw_log(KW_LOG_NOTICE, "keyway ends");
        result = EXIT_SUCCESS;
    }
    if (config->pidfile[0] != '\0') {
        unlink(config->pidfile);
    }
    kw_config_unref(&config);
    return result;
}

/* The flags that print something and end. */
static int flags_handle(int argc, char **argv)
{
    if (flag_take(&argc, argv, "--help") || flag_take(&argc, argv, "-h")) {
        kw_config_print_help(stdout);
        return 1;
    }
    if (flag_take(&argc, argv, "--version") || flag_take(&argc, argv, "-v")) {
        printf("keyway " KW_VERSION " (speaks as redis " KW_REDIS_VERSION ")\n");
        return 1;
    }
    if (flag_take(&argc, argv, "--print-example-config")) {
        kw_config_print_example(stdout);
        return 1;
    }
    return 0;
}

/* Take FLAG out of argv. True when it was there. */
static int flag_take(int *argc, char **argv, const char *flag)
{
    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], flag) == 0) {
            memmove(&argv[i], &argv[i + 1], (size_t)(*argc - i) * sizeof *argv);
            *argc -= 1;
            return 1;
        }
    }
    return 0;
}

static int config_report(const char *error)
{
    fprintf(stderr, "\n*** FATAL CONFIG FILE ERROR (keyway " KW_VERSION ") ***\n%s\n", error);
    return EXIT_FAILURE;
}

/* Log, daemon, pid file: in this order, so that errors are seen. */
static int process_prepare(const struct kw_config *config)
{
    setlocale(LC_COLLATE, ""); /* SORT ALPHA orders as the locale does, like redis-server */
    if (kw_log_open(config->logfile, config->loglevel) != KW_OK) {
        fprintf(stderr, "Can't open the log file '%s': %s\n", config->logfile, strerror(errno));
        return EXIT_FAILURE;
    }
    if (config->daemonize && process_daemonize(config) != EXIT_SUCCESS) {
        return EXIT_FAILURE;
    }
    if (config->pidfile[0] != '\0') {
        return pidfile_write(config->pidfile);
    }
    return EXIT_SUCCESS;
}

static int process_daemonize(const struct kw_config *config)
{
    /* The working directory stays: relative paths of the configuration go on to work. */
    if (daemon(1, config->logfile[0] == '\0' ? 0 : 1) < 0) {
        fprintf(stderr, "Can't daemonize: %s\n", strerror(errno));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

static int pidfile_write(const char *path)
{
    FILE *file = fopen(path, "w");

    if (file == NULL) {
        kw_log(KW_LOG_WARNING, "can't write the pid file %s: %s", path, strerror(errno));
        return EXIT_FAILURE;
    }
    fprintf(file, "%d\n", (int)getpid());
    fclose(file);
    return EXIT_SUCCESS;
}
