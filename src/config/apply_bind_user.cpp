// Users of the host in the container.
#include "base/path.hpp"
#include "config/apply.hpp"
#include "config/machine_name.hpp"

#include <fmt/format.h>

namespace nspawn::apply {

void bind_user(Draft& draft, const Value& value) {
    const std::vector<std::string_view> names =
        value.from_file() ? split_any(value.text, " \t") : std::vector<std::string_view>{value.text};
    for (const std::string_view name : names) {
        if (!is_user_name(name)) {
            reject_word(draft, value, fmt::format("'{}' is not the name of a user", printable(name)));
            continue;
        }
        draft.config.bind_users.emplace_back(name);
    }
}

void bind_user_shell(Draft& draft, const Value& value) {
    if (is_absolute(value.text)) {
        draft.config.bind_user_shell_path = simplified(value.text);
        return;
    }
    const auto keep = parse_boolean(value.text);
    if (!keep) {
        throw Error("neither a boolean nor the absolute path of a shell");
    }
    draft.config.bind_user_shell = *keep;
    draft.config.bind_user_shell_path.clear();
}

void bind_user_group(Draft& draft, const Value& value) {
    if (!is_user_name(value.text)) {
        throw Error("not the name of a group");
    }
    draft.config.bind_user_groups.emplace_back(value.text);
}

} // namespace nspawn::apply
