#include "config/caller.hpp"

#include <cerrno>
#include <cstdlib>
#include <memory>

#include <fcntl.h>
#include <unistd.h>

namespace nspawn {

namespace {

// A closed standard stream would be filled by the first file we open, which the payload would then write into.
bool look_at_stream(int fd) {
    if (isatty(fd) == 1) {
        return true;
    }
    if (errno == EBADF && open("/dev/null", O_RDWR) != fd) {
        _exit(EXIT_FAILURE); // nobody can be told
    }
    return false;
}

} // namespace

Caller Caller::of_this_process() {
    Caller caller;
    caller.stdin_is_terminal = look_at_stream(STDIN_FILENO);
    caller.stdout_is_terminal = look_at_stream(STDOUT_FILENO);
    caller.stderr_is_terminal = look_at_stream(STDERR_FILENO);
    caller.environment = environ;
    return caller;
}

std::string Caller::start_of_paths() const {
    if (!working_directory.empty()) {
        return working_directory;
    }
    // A directory that was removed or lies outside our root has no absolute path: relative options then start at "/".
    const std::unique_ptr<char, void (*)(void*)> directory(getcwd(nullptr, 0), std::free);
    return directory && *directory == '/' ? directory.get() : "/";
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
