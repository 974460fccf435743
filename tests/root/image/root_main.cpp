// The test program's entry: everything it mounts stays in a mount namespace of its own and ends with it.
#include <gtest/gtest.h>

#include <cstdio>

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    if (geteuid() == 0 &&
        (unshare(CLONE_NEWNS) < 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0)) {
        std::perror("a mount namespace for the tests");
        return 1;
    }
    return RUN_ALL_TESTS();
}
