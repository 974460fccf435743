#include "config/caller.hpp"

#include <cstdlib>
#include <memory>

#include <unistd.h>

namespace nspawn {

Caller Caller::of_this_process() {
    Caller caller;
    caller.environment = environ;
    // A directory that was removed or lies outside our root has no absolute path: relative options then start at "/".
    const std::unique_ptr<char, void (*)(void*)> directory(getcwd(nullptr, 0), std::free);
    if (directory && *directory == '/') {
        caller.working_directory = directory.get();
    }
    caller.stdin_is_terminal = isatty(STDIN_FILENO) == 1;
    caller.stdout_is_terminal = isatty(STDOUT_FILENO) == 1;
    caller.stderr_is_terminal = isatty(STDERR_FILENO) == 1;
    return caller;
}

std::optional<std::string_view> Caller::variable(std::string_view name) const {
    if (environment == nullptr) {
        return std::nullopt;
    }
    for (const char* const* entry = environment; *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        if (text.size() > name.size() && text.starts_with(name) && text[name.size()] == '=') {
            return text.substr(name.size() + 1);
        }
    }
    return std::nullopt;
}

} // namespace nspawn
