/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "testing.h"

static char folder[64];
static const struct disk_operations *system_disk;
static struct disk_operations broken;
static char calls[64];

static int set_up(void **state)
{
    memcpy(folder, "carelayer-disk-XXXXXX", 22);
    system_disk = disk;
    broken = *disk;
    memset(calls, 0, sizeof calls);
    return mkdtemp(folder) == NULL || make_arena(state) != 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"file", "file.new", "a/b/c", "a/b", "a", "pipe"};
    char path[128];
    disk = system_disk;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)remove(path);
    }
    (void)drop_arena(state);
    return rmdir(folder);
}

static const char *in_folder(void **state, const char *name)
{
    return arena_print(*state, "%s/%s", folder, name);
}

static void note(char call)
{
    size_t length = strlen(calls);
    if (length + 1 < sizeof calls) {
        calls[length] = call;
    }
}

static int noted_fsync(int fd)
{
    struct stat about;
    note(fstat(fd, &about) == 0 && S_ISDIR(about.st_mode) ? 'D' : 'S');
    return fsync(fd);
}

static ssize_t dribbled_pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    static int turn;
    if (turn++ % 3 == 0) {
        errno = EINTR;
        return -1;
    }
    note('w');
    return pwrite(fd, bytes, length < 3 ? length : 3, offset);
}

static int noted_rename(const char *from, const char *to)
{
    note('R');
    return rename(from, to);
}

static ssize_t full_pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    (void)fd, (void)bytes, (void)length, (void)offset;
    errno = ENOSPC;
    return -1;
}

static ssize_t stuck_pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    (void)fd, (void)bytes, (void)length, (void)offset;
    return 0;
}

static int failing_fsync(int fd)
{
    (void)fd;
    errno = EIO;
    return -1;
}

static void replaces_a_file_and_reads_it_back(void **state)
{
    const char *path = in_folder(state, "file");
    struct slice bytes;
    assert_int_equal(disk_read_file(path, 100, *state, &bytes), STATUS_NOT_FOUND);
    assert_int_equal(disk_replace_file(path, SLICE("old")), STATUS_OK);
    assert_int_equal(disk_replace_file(path, SLICE("newer")), STATUS_OK);
    assert_int_equal(disk_read_file(path, 100, *state, &bytes), STATUS_OK);
    assert_slice_is(bytes, "newer");
    assert_int_equal(disk_read_file(path, 5, *state, &bytes), STATUS_OK);
    assert_int_equal(disk_read_file(path, 4, *state, &bytes), STATUS_TOO_LONG);
    assert_int_equal(disk_replace_file(path, SLICE("")), STATUS_OK);
    assert_int_equal(disk_read_file(path, 4, *state, &bytes), STATUS_OK);
    assert_int_equal(bytes.length, 0);
    assert_int_equal(disk_read_file(folder, 4, *state, &bytes), STATUS_IO);
}

static void syncs_the_bytes_before_the_name_and_then_the_folder(void **state)
{
    broken.fsync = noted_fsync;
    broken.pwrite = dribbled_pwrite;
    broken.rename = noted_rename;
    disk = &broken;
    assert_int_equal(disk_replace_file(in_folder(state, "file"), SLICE("12345678")), STATUS_OK);
    assert_string_equal(calls, "wwwSRD");
    struct slice bytes;
    assert_int_equal(disk_read_file(in_folder(state, "file"), 100, *state, &bytes), STATUS_OK);
    assert_slice_is(bytes, "12345678");
}

static void leaves_the_old_file_when_the_disk_fails(void **state)
{
    const char *path = in_folder(state, "file");
    struct slice bytes;
    assert_int_equal(disk_replace_file(path, SLICE("old")), STATUS_OK);
    disk = &broken;
    broken.pwrite = full_pwrite;
    assert_int_equal(disk_replace_file(path, SLICE("new")), STATUS_NO_SPACE);
    broken.pwrite = stuck_pwrite;
    assert_int_equal(disk_replace_file(path, SLICE("new")), STATUS_IO);
    broken.pwrite = system_disk->pwrite;
    broken.fsync = failing_fsync;
    assert_int_equal(disk_replace_file(path, SLICE("new")), STATUS_IO);
    disk = system_disk;
    assert_int_equal(disk_read_file(path, 100, *state, &bytes), STATUS_OK);
    assert_slice_is(bytes, "old");
    assert_int_equal(access(in_folder(state, "file.new"), F_OK), -1);
}

static void reads_a_pipe_to_its_end(void **state)
{
    const char *path = in_folder(state, "pipe");
    struct slice bytes;
    assert_int_equal(mkfifo(path, 0600), 0);
    int both = open(path, O_RDWR | O_CLOEXEC);
    assert_true(both >= 0);
    assert_int_equal(write(both, "through", 7), 7);
    int reader = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(reader >= 0);
    int kept = dup(STDIN_FILENO);
    assert_int_equal(dup2(reader, STDIN_FILENO), STDIN_FILENO);
    assert_int_equal(close(both), 0);
    assert_int_equal(disk_read_file("-", 100, *state, &bytes), STATUS_OK);
    assert_slice_is(bytes, "through");
    assert_int_equal(dup2(kept, STDIN_FILENO), STDIN_FILENO);
    (void)close(kept);
    (void)close(reader);
}

static void makes_folders_down_to_the_last(void **state)
{
    struct stat about;
    assert_int_equal(disk_make_directory(in_folder(state, "a/b//c/")), STATUS_OK);
    assert_int_equal(disk_make_directory(in_folder(state, "a/b/c")), STATUS_OK);
    assert_int_equal(stat(in_folder(state, "a/b/c"), &about), 0);
    assert_true(S_ISDIR(about.st_mode));
    assert_int_equal(about.st_mode & 0777, 0700);
    assert_int_equal(disk_replace_file(in_folder(state, "file"), SLICE("x")), STATUS_OK);
    assert_int_equal(disk_make_directory(in_folder(state, "file")), STATUS_IO);
    assert_int_equal(disk_make_directory(in_folder(state, "file/d")), STATUS_IO);
    assert_int_not_equal(disk_make_directory(""), STATUS_OK);
}

static void allocates_zeros_and_names_what_errors_mean(void **state)
{
    int fd = disk->open(in_folder(state, "file"), O_RDWR | O_CREAT, 0600);
    char bytes[4] = "xxx";
    assert_true(fd >= 0);
    assert_int_equal(disk->fallocate(fd, 0, 8192), 0);
    assert_int_equal(disk->pread(fd, bytes, 4, 8188), 4);
    assert_memory_equal(bytes, "\0\0\0\0", 4);
    assert_int_equal(disk->ftruncate(fd, 10), 0);
    assert_int_equal(disk->pread(fd, bytes, 4, 8), 2);
    assert_int_equal(disk->fdatasync(fd), 0);
    assert_int_equal(disk->close(fd), 0);
    assert_int_equal(disk_status(0), STATUS_OK);
    assert_int_equal(disk_status(EDQUOT), STATUS_NO_SPACE);
    assert_int_equal(disk_status(ENOMEM), STATUS_MEMORY);
    assert_int_equal(disk_status(EACCES), STATUS_IO);
}

#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_DISK(replaces_a_file_and_reads_it_back),
        ON_DISK(syncs_the_bytes_before_the_name_and_then_the_folder),
        ON_DISK(leaves_the_old_file_when_the_disk_fails),
        ON_DISK(reads_a_pipe_to_its_end),
        ON_DISK(makes_folders_down_to_the_last),
        ON_DISK(allocates_zeros_and_names_what_errors_mean),
    };
    return cmocka_run_group_tests_name("disk", tests, NULL, NULL);
}
