// Any settings file, trusted or not: never a crash, never a line that could talk to a terminal, and never a right that
// an untrusted file gave to the container or took back from the command line.
#include "base/error.hpp"
#include "base/text.hpp"
#include "config/resolve.hpp"
#include "config/settings_file.hpp"
#include "planted_bug.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>

#include <fuzzer/FuzzedDataProvider.h>

namespace {

using namespace nspawn;

constexpr size_t kMostWarnings = 9;

void require(bool promise) {
    if (!promise) {
        std::abort();
    }
}

void check_lines(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
        require(printable(line) == line);
    }
}

Settings read(const std::string& text, bool trusted) {
    Settings settings;
    const Origin origin{.kind = Origin::Kind::settings_file, .file = "/x/web.nspawn", .line = 0, .trusted = trusted};
    const SpecifierFacts facts = [trusted](char letter) {
        require(trusted || letter == 'i');
        return letter == 'i' ? std::string("web") : std::string("fact");
    };
    interpret_settings(text, origin, facts, settings);
    check_lines(settings.warnings);
    require(settings.warnings.size() <= kMostWarnings);
    const auto lines = 1 + static_cast<unsigned>(std::count(text.begin(), text.end(), '\n'));
    for (const Assignment& assignment : settings.assignments) {
        require(assignment.option != nullptr && assignment.has_value);
        require(assignment.origin.trusted == trusted);
        require(assignment.origin.line >= 1 && assignment.origin.line <= lines);
        require(assignment.value.find_first_of(std::string_view("\n\0", 2)) == std::string::npos);
        fuzz::planted_bug(assignment.spelled.starts_with("Exec."), text);
    }
    return settings;
}

void check_narrow(const Config& config) {
    require(config.capability == 0 && config.ambient_capability == 0);
    require(config.system_call_filter.allow.empty());
    require(!config.oom_score_adjust && config.cpu_affinity.empty() && !config.uuid && !config.ephemeral);
    require(
        std::none_of(config.limits.begin(), config.limits.end(), [](const auto& limit) { return limit.has_value(); }));
    require(config.credentials.empty());
}

// Against a command line that narrows, in the mode in which files win.
void check_untrusted_file_takes_nothing_back(const Settings& settings) {
    const char* words[] = {"nspawn",
                           "--settings=override",
                           "--read-only",
                           "--no-new-privileges=yes",
                           "--user=nobody",
                           "--drop-capability=CAP_SYS_ADMIN",
                           "--system-call-filter=~mount"};
    const CommandLine line = parse_command_line(std::size(words), const_cast<char* const*>(words));
    const Resolved resolved = resolve(line, settings.assignments, Caller{}, EnvironmentSwitches{});
    check_lines(resolved.warnings);
    check_narrow(resolved.config);
    require(resolved.config.read_only && resolved.config.no_new_privileges && resolved.config.user == "nobody");
    require((resolved.config.drop_capability & capability_bit(*parse_capability("CAP_SYS_ADMIN"))) != 0);
    const auto& deny = resolved.config.system_call_filter.deny;
    require(std::find(deny.begin(), deny.end(), "mount") != deny.end());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) {
        return 0;
    }
    const bool trusted = (data[0] & 1) != 0;
    const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
    try {
        const Settings settings = read(text, trusted);
        check_lines(resolve(CommandLine{}, settings.assignments, Caller{}, EnvironmentSwitches{}).warnings);
        if (!trusted) {
            check_untrusted_file_takes_nothing_back(settings);
        }
    } catch (const Error& error) {
        require(printable(error.message()) == error.message());
    }
    return 0;
}
