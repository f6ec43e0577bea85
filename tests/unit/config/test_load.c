/* test_load.c - the command line, files, includes, and where errors are said to be. */
#include "tests/unit/config/loading.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDER_MAX_BYTES = 64, PATH_BYTES = 128 };

/* A temporary folder of configuration files. */
struct folder {
    char path[FOLDER_MAX_BYTES];
};

static void folder_open(struct folder *folder)
{
    (void)snprintf(folder->path, sizeof folder->path, "/tmp/keyway-config-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
}

/* The path of the file NAME there, which then holds TEXT and has MODE. */
static const char *folder_write(const struct folder *folder, const char *name, const char *text,
                                mode_t mode, char *path)
{
    (void)snprintf(path, PATH_BYTES, "%s/%s", folder->path, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
    return path;
}

static void folder_close(struct folder *folder)
{
    char command[PATH_BYTES];

    (void)snprintf(command, sizeof command, "rm -r %s", folder->path);
    assert_int_equal(system(command), 0);
}

static void assert_argv_refused(char **argv, const char *wanted)
{
    struct kw_config *config = NULL;
    char error[KW_CONFIG_ERROR_MAX] = "";

    assert_int_equal(load_argv(argv, &config, error, sizeof error), KW_E_INVALID);
    assert_null(config);
    if (strstr(error, wanted) == NULL) {
        print_error("wanted: %s\nerror:  %s\n", wanted, error);
    }
    assert_non_null(strstr(error, wanted));
}

static struct kw_config *argv_loaded(char **argv)
{
    struct kw_config *config = NULL;
    char error[KW_CONFIG_ERROR_MAX] = "";

    if (load_argv(argv, &config, error, sizeof error) != KW_OK) {
        print_error("refused: %s\n", error);
    }
    assert_non_null(config);
    return config;
}

KW_TEST(no_arguments_mean_the_defaults)
{
    struct kw_config *config = argv_loaded((char *[]){"keyway", NULL});

    assert_int_equal(config->port, 6379);
    assert_string_equal(config->config_file, "");
    kw_config_unref(&config);
    config = argv_loaded((char *[]){NULL});
    kw_config_unref(&config);
}

KW_TEST(the_command_line_wins_over_the_file)
{
    struct folder folder;
    char path[PATH_BYTES];

    folder_open(&folder);
    folder_write(&folder, "a.conf", "port 1\nthreads 3\ncluster-seeds a:1\ncluster-seeds b:2\n",
                 0644, path);

    struct kw_config *config =
        argv_loaded((char *[]){"keyway", path, "--port", "2", "--cluster-seeds", "c:3", "d:4",
                               "--cluster-seeds", "e:5", "--port", "4", NULL});

    assert_string_equal(config->config_file, path);
    assert_int_equal(config->port, 4);
    assert_int_equal(config->threads, 3);
    assert_int_equal(config->cluster_seeds_count, 3);
    assert_string_equal(config->cluster_seeds[0].host, "c");
    assert_string_equal(config->cluster_seeds[2].host, "e");
    kw_config_unref(&config);
    folder_close(&folder);
}

KW_TEST(a_dash_as_file_is_stdin)
{
    int pipes[2];
    int old_stdin = dup(STDIN_FILENO);

    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(write(pipes[1], "port 77\n", 8), 8);
    (void)close(pipes[1]);
    assert_int_equal(dup2(pipes[0], STDIN_FILENO), STDIN_FILENO);
    (void)close(pipes[0]);

    struct kw_config *config = argv_loaded((char *[]){"keyway", "-", NULL});

    assert_int_equal(dup2(old_stdin, STDIN_FILENO), STDIN_FILENO);
    (void)close(old_stdin);
    assert_int_equal(config->port, 77);
    kw_config_unref(&config);
}

KW_TEST(values_on_the_command_line_may_start_with_one_dash)
{
    struct kw_config *config = argv_loaded((char *[]){"keyway", "--bind", "::1", "-::2", NULL});

    assert_int_equal(config->bind_count, 2);
    assert_string_equal(config->bind[1], "-::2");
    kw_config_unref(&config);
}

KW_TEST(errors_on_the_command_line_say_so)
{
    assert_argv_refused((char *[]){"keyway", "--port", "70000", NULL},
                        "Reading the command line\n"
                        ">>> 'port 70000'\n"
                        "'70000' is out of range; allowed: 0 to 65535");
    assert_argv_refused((char *[]){"keyway", "--prot", "1", NULL}, "did you mean 'port'?");
    assert_argv_refused((char *[]){"keyway", "--", NULL}, "unknown directive");
    assert_argv_refused((char *[]){"keyway", "-p", "1", NULL}, "unknown flag; options are written");
    assert_argv_refused((char *[]){"keyway", "--help", NULL}, "unknown directive");
    assert_argv_refused((char *[]){"keyway", "", NULL}, "can't read the file ''");
    assert_argv_refused((char *[]){"keyway", "--port", NULL},
                        "wrong number of arguments: 0 given, 1 expected");
}

KW_TEST(a_second_file_is_refused)
{
    struct folder folder;
    char path[PATH_BYTES];

    folder_open(&folder);
    folder_write(&folder, "a.conf", "port 1\n", 0644, path);

    assert_argv_refused((char *[]){"keyway", path, path, NULL}, "after at most one FILE");

    folder_close(&folder);
}

KW_TEST(files_that_cannot_be_read_stop_the_start)
{
    assert_argv_refused((char *[]){"keyway", "/nowhere/keyway.conf", NULL},
                        "can't read the file '/nowhere/keyway.conf': No such file or directory");
    assert_argv_refused((char *[]){"keyway", "/tmp", NULL}, "can't read the file '/tmp': Is a dir");
    assert_argv_refused((char *[]){"keyway", "/dev/zero", NULL}, "it is larger than 1mb");
}

KW_TEST(errors_in_a_file_name_file_line_and_reason)
{
    struct folder folder;
    char path[PATH_BYTES];
    char wanted[512];

    folder_open(&folder);
    folder_write(&folder, "a.conf", "# comment\n\nport 1\nport abc\n", 0644, path);

    (void)snprintf(wanted, sizeof wanted,
                   "Reading the configuration file '%s', at line 4\n"
                   ">>> 'port abc'\n"
                   "'abc' is not a whole number; allowed: 0 to 65535",
                   path);
    assert_argv_refused((char *[]){"keyway", path, NULL}, wanted);
    folder_close(&folder);
}

KW_TEST(includes_are_read_at_their_place)
{
    struct folder folder;
    char main_path[PATH_BYTES];
    char path[PATH_BYTES];
    char text[512];

    folder_open(&folder);
    folder_write(&folder, "10.inc", "port 10\nthreads 10\ncluster-seeds a:1\n", 0644, path);
    folder_write(&folder, "20.inc", "port 20\ncluster-seeds b:2\n", 0644, path);
    (void)snprintf(text, sizeof text,
                   "threads 1\ninclude %s/*.inc\ninclude %s/*.none\nlinks-per-node 3\n",
                   folder.path, folder.path);
    folder_write(&folder, "main.conf", text, 0644, main_path);

    struct kw_config *config = argv_loaded((char *[]){"keyway", main_path, NULL});

    assert_int_equal(config->port, 20);
    assert_int_equal(config->threads, 10);
    assert_int_equal(config->links_per_node, 3);
    assert_int_equal(config->cluster_seeds_count, 2);
    kw_config_unref(&config);
    config = argv_loaded((char *[]){"keyway", "--include", path, "--threads", "5", NULL});
    assert_int_equal(config->port, 20);
    kw_config_unref(&config);
    folder_close(&folder);
}

KW_TEST(an_error_in_an_included_file_names_that_file)
{
    struct folder folder;
    char main_path[PATH_BYTES];
    char path[PATH_BYTES];
    char text[512];
    char wanted[512];

    folder_open(&folder);
    folder_write(&folder, "bad.inc", "\n\nport x\n", 0644, path);
    (void)snprintf(text, sizeof text, "include %s\n", path);
    folder_write(&folder, "main.conf", text, 0644, main_path);
    (void)snprintf(wanted, sizeof wanted, "file '%s', at line 3\n", path);
    assert_argv_refused((char *[]){"keyway", main_path, NULL}, wanted);

    (void)snprintf(text, sizeof text, "port 1\ninclude %s.gone\n", path);
    folder_write(&folder, "main.conf", text, 0644, main_path);
    (void)snprintf(wanted, sizeof wanted, "file '%s', at line 2\n>>> 'include %s.gone'\ncan't read",
                   main_path, path);
    assert_argv_refused((char *[]){"keyway", main_path, NULL}, wanted);
    folder_close(&folder);
}

KW_TEST(the_line_after_an_include_is_counted_in_its_own_file)
{
    struct folder folder;
    char main_path[PATH_BYTES];
    char path[PATH_BYTES];
    char text[512];
    char wanted[512];

    folder_open(&folder);
    folder_write(&folder, "ok.inc", "\n\n\n\n\nport 1\n", 0644, path);
    (void)snprintf(text, sizeof text, "include %s\nport x\n", path);
    folder_write(&folder, "main.conf", text, 0644, main_path);

    (void)snprintf(wanted, sizeof wanted, "file '%s', at line 2\n", main_path);
    assert_argv_refused((char *[]){"keyway", main_path, NULL}, wanted);
    folder_close(&folder);
}

/* Files that include each other, DEPTH in all. */
static void chain_write(const struct folder *folder, int depth, char *path)
{
    for (int i = depth; i >= 1; i--) {
        char name[32];
        char text[256];
        (void)snprintf(name, sizeof name, "%d.conf", i);
        (void)snprintf(text, sizeof text, "include %s/%d.conf\n", folder->path, i + 1);
        if (i == depth) {
            (void)snprintf(text, sizeof text, "port 99\n");
        }
        folder_write(folder, name, text, 0644, path);
    }
}

KW_TEST(includes_go_sixteen_deep_and_no_deeper)
{
    struct folder folder;
    char path[PATH_BYTES];

    folder_open(&folder);
    chain_write(&folder, 16, path);
    struct kw_config *config = argv_loaded((char *[]){"keyway", path, NULL});
    assert_int_equal(config->port, 99);
    kw_config_unref(&config);

    chain_write(&folder, 17, path);
    assert_argv_refused((char *[]){"keyway", path, NULL}, "more than 16 deep");
    folder_close(&folder);
}

KW_TEST(a_file_that_includes_itself_is_refused)
{
    struct folder folder;
    char path[PATH_BYTES];
    char text[256];

    folder_open(&folder);
    (void)snprintf(text, sizeof text, "include %s/*.conf\ninclude %s/*.conf\n", folder.path,
                   folder.path);
    folder_write(&folder, "a.conf", text, 0644, path);

    assert_argv_refused((char *[]){"keyway", path, NULL}, "more than 16 deep: in a circle?");
    folder_close(&folder);
}

KW_TEST(includes_are_at_most_256_in_all)
{
    struct folder folder;
    char main_path[PATH_BYTES];
    char path[PATH_BYTES];
    static char text[64 * 1024];
    size_t len = 0;

    folder_open(&folder);
    folder_write(&folder, "a.inc", "port 1\n", 0644, path);
    for (int i = 0; i < 255; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "include %s\n", path);
    }
    folder_write(&folder, "main.conf", text, 0644, main_path);
    struct kw_config *config = argv_loaded((char *[]){"keyway", main_path, NULL});
    kw_config_unref(&config);

    (void)snprintf(text + len, sizeof text - len, "include %s\n", path);
    folder_write(&folder, "main.conf", text, 0644, main_path);
    assert_argv_refused((char *[]){"keyway", main_path, NULL}, "more than 256 files are included");
    folder_close(&folder);
}

KW_TEST(include_wants_one_file_and_not_in_a_text)
{
    assert_argv_refused((char *[]){"keyway", "--include", "a", "b", NULL}, "one FILE or pattern");
    assert_argv_refused((char *[]){"keyway", "--include", "-", NULL}, "can't read the file '-'");
    assert_refused("include /etc/passwd", "only a file can include files");
}

KW_TEST(a_text_without_any_place_to_listen_is_refused)
{
    assert_refused("port 0", "keyway would listen nowhere");
    struct kw_config *config = loaded("port 0\nunixsocket /tmp/s");
    kw_config_unref(&config);
}

KW_TEST(errors_are_cut_to_the_space_there_is)
{
    struct kw_config *config = NULL;
    char error[8];

    memset(error, 'x', sizeof error);
    assert_int_equal(kw_config_load_text(KW_BYTES("port x"), &config, error, sizeof error),
                     KW_E_INVALID);
    assert_string_equal(error, "Reading");
    assert_int_equal(kw_config_load_text(KW_BYTES("port x"), &config, error, 0), KW_E_INVALID);
}

KW_TEST(a_comment_behind_a_value_is_explained)
{
    assert_refused("port 7000 # clients", "3 given, 1 expected; a comment needs a line of its own");
}

KW_TEST(a_secret_in_a_file_that_all_may_read_is_noted)
{
    struct folder folder;
    char path[PATH_BYTES];

    folder_open(&folder);
    folder_write(&folder, "a.conf", "masterauth hunter2\n", 0644, path);
    struct kw_config *config = argv_loaded((char *[]){"keyway", path, NULL});
    assert_int_equal(config->notes_count, 1);
    assert_true(has_note(config, "cluster-auth-pass is in a file that every user"));
    assert_true(has_note(config, path));
    assert_false(has_note(config, "hunter2"));
    kw_config_unref(&config);

    folder_write(&folder, "a.conf", "masterauth hunter2\n", 0600, path);
    config = argv_loaded((char *[]){"keyway", path, NULL});
    assert_int_equal(config->notes_count, 0);
    assert_string_equal(config->cluster_auth_pass, "hunter2");
    kw_config_unref(&config);

    config = argv_loaded((char *[]){"keyway", path, "--cluster-auth-pass", "hunter3", NULL});
    assert_true(has_note(config, "cluster-auth-pass is on the command line"));
    assert_string_equal(config->cluster_auth_pass, "hunter3");
    kw_config_unref(&config);
    folder_close(&folder);
}
