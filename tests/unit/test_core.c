/* What lib/core takes from the machine. */
#include "check.h"

#include "core/processor_quota.h"

#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/test_core.XXXXXX";

static void put(const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
}

static void make_folder(const char *name) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    mkdir(path, 0777);
}

static int quota(const char *memberships) {
    char path[128];
    put("memberships", memberships);
    snprintf(path, sizeof path, "%s/memberships", folder);
    return processor_quota(path, folder);
}

static void quota_of_version_2(void) {
    make_folder("outer");
    make_folder("outer/inner");
    put("outer/inner/cpu.max", "max 100000\n");
    CHECK(quota("0::/outer/inner\n") == 0, "no quota");
    put("outer/inner/cpu.max", "250000 100000\n");
    CHECK(quota("0::/outer/inner\n") == 3, "rounded up: %d", quota("0::/outer/inner\n"));
    put("outer/cpu.max", "150000 100000\n");
    CHECK(quota("0::/outer/inner\n") == 2, "the outer one is less");
    put("outer/cpu.max", "1000 100000\n");
    CHECK(quota("0::/outer/inner\n") == 1, "never none");
    CHECK(quota("0::/elsewhere\n") == 0, "a folder that is not there");
    put("cpu.max", "400000 100000\n");
    CHECK(quota("0::/host/path\n") == 4, "a container that sees its own cgroup as the root");
}

static void quota_of_version_1(void) {
    make_folder("cpu");
    make_folder("cpu/group");
    put("cpu.max", "max 100000\n");
    put("cpu/group/cpu.cfs_quota_us", "-1\n");
    put("cpu/group/cpu.cfs_period_us", "100000\n");
    CHECK(quota("3:cpuset:/group\n4:cpu,cpuacct:/group\n") == 0, "no quota");
    put("cpu/group/cpu.cfs_quota_us", "200000\n");
    CHECK(quota("3:cpuset:/group\n4:cpu,cpuacct:/group\n") == 2, "among other controllers");
    CHECK(quota("4:cpuacct,cpu:/group\n") == 2, "in another order");
    CHECK(quota("4:cpuacct,cpuset:/group\n") == 0, "of other controllers");
    CHECK(quota("no colon\n") == 0, "not such a line");
}

static void no_cgroups(void) {
    CHECK(processor_quota("/nowhere", "/nowhere") == 0, "no file");
}

static const Test tests[] = {TEST(quota_of_version_2), TEST(quota_of_version_1), TEST(no_cgroups)};

int main(void) {
    char command[64];
    if (!mkdtemp(folder)) return 1;
    const int status = run_tests(tests, (int)(sizeof tests / sizeof *tests));
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) ? 1 : status;
}
