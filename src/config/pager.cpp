#include "config/pager.hpp"

#include "base/file.hpp"
#include "base/own_user.hpp"
#include "base/text.hpp"
#include "base/unique_fd.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr std::string_view kLessOptions = "FRSXMK";

std::optional<std::string> real_environment(const char* name) {
    const char* value = getenv(name); // NOLINT(concurrency-mt-unsafe): single-threaded
    return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
}

// True unless the login session's owner is known to be who we run as. The kernel keeps the owner in loginuid.
bool may_be_raised() {
    if (real_environment("SUDO_UID")) {
        return true;
    }
    const Result<std::string> text = read_file(AT_FDCWD, "/proc/self/loginuid", 32);
    const auto owner = text.ok() ? parse_unsigned(trim(text.value())) : std::nullopt;
    return owner != std::optional<uint64_t>(own_user());
}

bool speaks_utf8(const EnvironmentLookup& environment) {
    for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        if (const auto value = environment(name); value && !value->empty()) {
            const size_t dot = value->find('.');
            const std::string_view codeset =
                dot == std::string::npos ? std::string_view() : std::string_view(*value).substr(dot + 1);
            return starts_with_ignoring_case(codeset, "utf-8") || starts_with_ignoring_case(codeset, "utf8");
        }
    }
    return false;
}

class SignalIgnored {
public:
    explicit SignalIgnored(int signal) : signal_(signal) {
        struct sigaction ignore {};
        ignore.sa_handler = SIG_IGN; // NOLINT: a macro of the C library
        sigaction(signal_, &ignore, &saved_);
    }
    SignalIgnored(const SignalIgnored&) = delete;
    SignalIgnored& operator=(const SignalIgnored&) = delete;
    ~SignalIgnored() { sigaction(signal_, &saved_, nullptr); }

private:
    int signal_;
    struct sigaction saved_ {};
};

// Strings as execve(2) wants them; the strings must outlive it.
std::vector<char*> pointers(std::vector<std::string>& strings) {
    std::vector<char*> out;
    out.reserve(strings.size() + 1);
    for (std::string& each : strings) {
        out.push_back(each.data());
    }
    out.push_back(nullptr);
    return out;
}

std::vector<std::string> merged_environment(const PagerChoice& choice) {
    std::vector<std::string> all;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view name = std::string_view(*entry).substr(0, std::string_view(*entry).find('='));
        if (std::none_of(choice.environment.begin(), choice.environment.end(),
                         [&](const auto& each) { return each.first == name; })) {
            all.emplace_back(*entry);
        }
    }
    for (const auto& [name, value] : choice.environment) {
        all.emplace_back(name).append("=").append(value);
    }
    return all;
}

// Starts the first of the commands that exists, reading from `input`.
std::optional<pid_t> start_pager(PagerChoice choice, int input) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGINT);
    sigaddset(&defaults, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);

    std::vector<std::string> variables = merged_environment(choice);
    std::optional<pid_t> started;
    for (std::vector<std::string>& command : choice.commands) {
        pid_t pid = 0;
        if (posix_spawnp(&pid, command.front().c_str(), &actions, &attributes, pointers(command).data(),
                         pointers(variables).data()) == 0) {
            started = pid;
            break;
        }
    }
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return started;
}

void wait_for(pid_t pid) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
}

// False when no pager could be started.
bool print_through_pager(std::string_view text, const PagerChoice& choice) {
    int ends[2] = {-1, -1};
    if (choice.commands.empty() || pipe2(ends, O_CLOEXEC) < 0) {
        return false;
    }
    UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    const SignalIgnored broken_pipe(SIGPIPE);
    std::optional<SignalIgnored> interrupt;
    if (!choice.leaves_on_interrupt) {
        interrupt.emplace(SIGINT);
    }
    const std::optional<pid_t> pager = start_pager(choice, reader.get());
    if (!pager) {
        return false;
    }
    reader.reset(); // or we would wait for ourselves to read once the pager has left
    const Result<void> written = write_all(writer.get(), text);
    writer.reset();
    wait_for(*pager);
    if (written.error() != EPIPE) { // EPIPE: the reader has seen enough
        written.or_throw("writing to the pager");
    }
    return true;
}

} // namespace

PagerChoice choose_pager(const EnvironmentLookup& environment, bool raised) {
    std::optional<std::string> wanted = environment("SYSTEMD_PAGER");
    if (!wanted) {
        wanted = environment("PAGER");
    }
    if ((wanted && (wanted->empty() || *wanted == "cat")) || environment("TERM") == "dumb") {
        return {};
    }
    const std::optional<std::string> secure_text = environment("SYSTEMD_PAGERSECURE");
    const std::optional<bool> secure_given = secure_text ? parse_boolean(*secure_text) : std::nullopt;
    const bool secure = secure_given.value_or(raised);

    PagerChoice choice;
    // Whoever sets $PAGER need not be whom we run as; only $SYSTEMD_PAGERSECURE says that this was thought of.
    if (wanted && secure_given) {
        if (auto words = split_words(*wanted); words && !words->empty()) {
            choice.commands.push_back(std::move(*words));
        }
    }
    choice.commands.push_back({"less"});
    if (!secure) {
        choice.commands.push_back({"more"});
    }
    const std::string less_options = environment("SYSTEMD_LESS").value_or(std::string(kLessOptions));
    choice.environment.emplace_back("LESS", less_options);
    if (const auto charset = environment("SYSTEMD_LESSCHARSET")) {
        choice.environment.emplace_back("LESSCHARSET", *charset);
    } else if (speaks_utf8(environment)) {
        choice.environment.emplace_back("LESSCHARSET", "utf-8");
    }
    if (secure) {
        choice.environment.emplace_back("LESSSECURE", "1");
    }
    choice.leaves_on_interrupt = less_options.find('K') != std::string::npos;
    return choice;
}

void print_paged(std::string_view text, bool wanted) {
    if (wanted && isatty(STDOUT_FILENO) != 0 &&
        print_through_pager(text, choose_pager(real_environment, may_be_raised()))) {
        return;
    }
    write_all(STDOUT_FILENO, text).or_throw("writing to standard output");
}

} // namespace nspawn
