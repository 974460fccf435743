#include "image/machine_id.hpp"

#include "base/error.hpp"
#include "base/file.hpp"

#include <fmt/format.h>

#include <string_view>

namespace nspawn {

namespace {

constexpr size_t kPlainLength = 32; // the file has no dashes, unlike what Id128::parse takes

[[noreturn]] void throw_invalid(std::string_view what) {
    throw Error(fmt::format("the tree's /etc/machine-id {}", what),
                "Empty the file to have an id chosen at each start, or write 32 hexadecimal digits into it.");
}

} // namespace

std::optional<Id128> read_machine_id(int tree) {
    const Result<std::string> content = read_file_in_root(tree, "etc/machine-id", 128);
    if (content.error() == ENOENT || content.error() == ENOTDIR) {
        return std::nullopt;
    }
    if (content.error() == EFBIG) {
        throw_invalid("is not a machine id");
    }
    if (content.error() == ENOTSUP) {
        throw_invalid("is not a regular file");
    }
    if (!content.ok()) {
        throw_invalid(fmt::format("cannot be read: {}", error_text(content.error())));
    }
    std::string_view text = content.value();
    if (text.ends_with('\n')) {
        text.remove_suffix(1);
    }
    if (text.empty() || text == "uninitialized") {
        return std::nullopt;
    }
    const std::optional<Id128> id = text.size() == kPlainLength ? Id128::parse(text) : std::nullopt;
    if (!id) {
        throw_invalid("is not a machine id");
    }
    if (id->is_null()) {
        throw_invalid("is all zeros");
    }
    return id;
}

} // namespace nspawn
