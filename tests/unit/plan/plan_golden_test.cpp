// Whole plans as --dry-run prints them, compared with files. NSPAWN_UPDATE_GOLDEN=1 writes the files anew; look at the
// difference before committing it.

#include "base/file.hpp"
#include "plan/print_plan.hpp"
#include "sample_input.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include <fcntl.h>

namespace nspawn {
namespace {

void compare_with(const std::string& name, const std::string& actual) {
    const std::string path = std::string(NSPAWN_TEST_DATA "/plan/") + name;
    if (std::getenv("NSPAWN_UPDATE_GOLDEN") != nullptr) {
        const UniqueFd file = open_at(AT_FDCWD, path.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0644).or_throw(path);
        write_all(file.get(), actual).or_throw(path);
    }
    EXPECT_EQ(read_file(AT_FDCWD, path.c_str(), 1 << 20).or_throw(path), actual) << path;
}

const std::vector<const char*> kSupervisorStages = {"one", "two"};
const std::vector<const char*> kChildStages = {"three"};

TEST(GoldenPlan, CommandAsText) {
    compare_with("command.txt", plan_as_text(SampleInput().plan(), kSupervisorStages, kChildStages));
}

TEST(GoldenPlan, CommandAsJson) {
    compare_with("command.json", plan_as_json(SampleInput().plan(), kSupervisorStages, kChildStages));
}

TEST(GoldenPlan, BootOnAnOldHost) {
    SampleInput input;
    input.config.start_mode = StartMode::boot;
    input.config.words = {"--unit=rescue.target"};
    input.config.kill_signal = 37;
    input.config.console = ConsoleMode::interactive;
    input.config.read_only = true;
    input.host.cgroups = CgroupLayout::legacy;
    input.host.legacy_controllers = {"cpu,cpuacct", "memory", "systemd"};
    input.host.can_make_nodes = false;
    compare_with("boot-legacy.txt", plan_as_text(input.plan(), kSupervisorStages, kChildStages));
}

TEST(GoldenPlan, VolatileWithCredentials) {
    SampleInput input;
    input.config.volatile_mode = Volatile::overlay;
    input.config.credentials = {{"passwd", "secret"}};
    input.config.user = "www";
    compare_with("volatile.txt", plan_as_text(input.plan(), kSupervisorStages, kChildStages));
}

} // namespace
} // namespace nspawn
