// root_fixture.hpp — a tree to be root on, in a mount namespace of the test program's own. Test helper only.
#pragma once

#include "base/file.hpp"
#include "image/root_tree.hpp"
#include "image/scratch_record.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace nspawn {

// As with "ulimit -n", for as long as it lives.
class FewDescriptors {
public:
    explicit FewDescriptors(rlim_t count) {
        getrlimit(RLIMIT_NOFILE, &before_);
        const rlimit few{count, before_.rlim_max};
        setrlimit(RLIMIT_NOFILE, &few);
    }
    FewDescriptors(const FewDescriptors&) = delete;
    FewDescriptors& operator=(const FewDescriptors&) = delete;
    ~FewDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

private:
    rlimit before_{};
};

class RootFixture : public testing::Test {
protected:
    void SetUp() override {
        if (geteuid() != 0) {
            GTEST_SKIP() << "needs root";
        }
        std::string pattern = "/tmp/nspawn-root-image-XXXXXX";
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        base_ = pattern;
        make_tree(path("tree"));
        reclaim_dead_runs(); // a test may do so, and records of runs that were killed before would count as its own
        records_before_ = names_in("/run/nspawn/runs");
        scratch_before_ = scratch_in("/var/tmp");
    }
    // Every test has to have left the host as it was.
    void TearDown() override {
        if (base_.empty()) {
            return;
        }
        EXPECT_EQ(names_in("/run/nspawn/runs"), records_before_);
        EXPECT_EQ(scratch_in("/var/tmp"), scratch_before_);
        EXPECT_EQ(scratch_in(base_), std::set<std::string>{});
        umount2(path("mnt").c_str(), MNT_DETACH);
        std::filesystem::remove_all(base_);
    }

    [[nodiscard]] std::string path(std::string_view name) const { return base_ + "/" + std::string(name); }

    static void make_tree(const std::string& at) {
        for (const char* name : {"usr/bin", "etc", "proc", "tmp", "home/user"}) {
            std::filesystem::create_directories(at + "/" + name);
        }
        write(at + "/etc/hostname", "original\n");
    }
    static void write(const std::string& file, std::string_view content) {
        std::ofstream(file, std::ios::binary) << content;
    }
    static std::string read(const std::string& file) { return read_file(AT_FDCWD, file.c_str(), 4096).or_throw(file); }
    static std::set<std::string> names_in(const std::string& directory) {
        std::set<std::string> names;
        std::error_code missing;
        for (const auto& entry : std::filesystem::directory_iterator(directory, missing)) {
            names.insert(entry.path().filename().string());
        }
        return names;
    }
    static std::set<std::string> scratch_in(const std::string& directory) {
        std::set<std::string> names = names_in(directory);
        std::erase_if(names, [](const std::string& name) { return !name.starts_with(".#nspawn."); });
        return names;
    }
    // A path under which the descriptor's directory can be looked at, without mounting it.
    static std::string in(const RootTree& tree, std::string_view name) {
        return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(tree.fd()) + "/" + std::string(name);
    }
    static Config ephemeral() {
        Config config;
        config.ephemeral = true;
        return config;
    }
    [[nodiscard]] static RootTree open(const Config& config, const std::string& directory) {
        return RootTree::open(config, {}, select_root(directory, "", "", config.ephemeral));
    }

private:
    std::string base_;
    std::set<std::string> records_before_;
    std::set<std::string> scratch_before_;
};

} // namespace nspawn
