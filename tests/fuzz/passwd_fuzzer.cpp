// Any passwd and group file, any --user=: never a crash, and never a record that breaks the promises of its header.
#include "base/error.hpp"
#include "image/user_database.hpp"
#include "planted_bug.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>

#include <fuzzer/FuzzedDataProvider.h>

namespace {

void require(bool promise) {
    if (!promise) {
        std::abort();
    }
}

bool is_plain(const std::string& text) {
    return std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f || c == ':'; });
}

void check_record(const nspawn::UserRecord& user) {
    require(!user.name.empty() && is_plain(user.name) && is_plain(user.home) && is_plain(user.shell));
    require(user.home.starts_with('/') && (user.shell.empty() || user.shell.starts_with('/')));
    require(user.uid != UINT32_MAX && user.gid != UINT32_MAX);
    require(user.groups.size() <= 65536 && std::ranges::is_sorted(user.groups));
    require(std::ranges::adjacent_find(user.groups) == user.groups.end());
    require(std::ranges::find(user.groups, user.gid) == user.groups.end());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    FuzzedDataProvider input(data, size);
    const std::string user = input.ConsumeRandomLengthString(300);
    const std::string passwd = input.ConsumeRandomLengthString(16 * 1024);
    const std::string group = input.ConsumeRemainingBytesAsString();
    try {
        if (const auto record = nspawn::find_user_in(passwd, group, user)) {
            check_record(*record);
            nspawn::fuzz::planted_bug(!record->groups.empty(), passwd);
        }
    } catch (const nspawn::Error&) {
        // a number that is no uid
    }
    return 0;
}
