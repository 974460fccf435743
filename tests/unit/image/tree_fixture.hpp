// tree_fixture.hpp — a small directory tree for one test, built entry by entry and gone with it. Test helper only.
#pragma once

#include "base/file.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

namespace nspawn {

class TreeFixture : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "nspawn-image-XXXXXX").string();
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        base_ = std::filesystem::canonical(pattern).string();
        directory("tree");
        tree_ = open_at(AT_FDCWD, path("tree").c_str(), O_RDONLY | O_DIRECTORY).or_throw("opening the test's tree");
    }
    void TearDown() override { std::filesystem::remove_all(base_); }

    // Absolute path of a name beside the tree; "tree/x" is in it.
    [[nodiscard]] std::string path(std::string_view name) const { return base_ + "/" + std::string(name); }
    [[nodiscard]] int tree() const { return tree_.get(); }

    void directory(std::string_view name) const { std::filesystem::create_directories(path(name)); }
    void file(std::string_view name, std::string_view content) const {
        std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
        std::ofstream(path(name), std::ios::binary) << content;
    }
    void link(std::string_view name, std::string_view target) const {
        std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
        std::filesystem::create_symlink(target, path(name));
    }
    void fifo(std::string_view name) const {
        std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
        ASSERT_EQ(mkfifo(path(name).c_str(), 0666), 0);
    }
    [[nodiscard]] bool exists(std::string_view name) const {
        return std::filesystem::exists(std::filesystem::symlink_status(path(name)));
    }

private:
    std::string base_;
    UniqueFd tree_;
};

} // namespace nspawn
