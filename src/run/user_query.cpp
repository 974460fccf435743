#include "run/user_query.hpp"

#include "base/file.hpp"
#include "base/text.hpp"
#include "linux/process.hpp"

#include <fmt/format.h>

#include <array>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr size_t kOutputLimit = size_t{64} * 1024;
constexpr int kTimeoutMilliseconds = 5'000;
constexpr const char* kGetentPaths[] = {"/usr/bin/getent", "/bin/getent"};

// Nothing the tree's program could turn against us: no capability to look into process 1, none to come back.
void give_up_everything(const ChildState& state) {
    drop_bounding_set_except(0).or_throw("");
    check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)").or_throw("");
    if (state.plan.filter) {
        FilterPolicy policy = *state.plan.filter;
        policy.retained = 0;
        load_filter(build_filter(policy)).or_throw("system call filter");
    }
    set_capabilities({}).or_throw("");
}

[[noreturn]] void run_getent(const ChildState& state, const char* database, const std::string& key, int output) {
    try {
        const UniqueFd null = open_at(AT_FDCWD, "/dev/null", O_RDWR).or_throw("/dev/null");
        check(dup2(null.get(), STDIN_FILENO), "dup2").or_throw("");
        check(dup2(null.get(), STDERR_FILENO), "dup2").or_throw("");
        check(dup2(output, STDOUT_FILENO), "dup2").or_throw("");
        check(close_range(STDERR_FILENO + 1, ~0U, 0), "close_range").or_throw("");
        give_up_everything(state);
        std::array<const char*, 4> arguments{"getent", database, key.c_str(), nullptr};
        std::array<const char*, 2> environment{"PATH=/usr/bin:/bin", nullptr};
        for (const char* path : kGetentPaths) {
            execve(path, const_cast<char**>(arguments.data()), const_cast<char**>(environment.data()));
        }
    } catch (const Error&) {
        _exit(126); // seen by the parent as a failed getent; the reason is of no use to the user
    }
    _exit(127);
}

// All that can be read until end of file, within bounds of size and of time.
std::string read_bounded(int fd) {
    std::string text;
    std::array<char, 4096> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
    for (;;) {
        pollfd waiting{fd, POLLIN, 0};
        if (poll(&waiting, 1, kTimeoutMilliseconds) <= 0) {
            throw Error("getent in the container does not answer");
        }
        const ssize_t got = read(fd, buffer.data(), buffer.size());
        if (got <= 0) {
            return text;
        }
        text.append(buffer.data(), static_cast<size_t>(got));
        if (text.size() > kOutputLimit) {
            throw Error("getent in the container answers without end");
        }
    }
}

// Whatever was started in here but is not this process: it belongs to the answer, not to the payload.
void end_everything_else(const ChildState& state) {
    if ((state.plan.namespaces & CLONE_NEWPID) != 0) {
        kill(-1, SIGKILL);
        while (waitpid(-1, nullptr, 0) > 0) {
        }
    }
}

std::string ask(const ChildState& state, const char* database, const std::string& key) {
    std::array<int, 2> ends{-1, -1};
    check(pipe2(ends.data(), O_CLOEXEC), "pipe2").or_throw("");
    const UniqueFd reading(ends[0]);
    UniqueFd writing(ends[1]);
    // Not readable by a process without CAP_SYS_PTRACE: our descriptors, memory and program file.
    check(prctl(PR_SET_DUMPABLE, 0), "prctl(PR_SET_DUMPABLE)").or_throw("");
    Pidfd process = clone_process({}).or_throw("starting getent");
    if (!process.valid()) {
        run_getent(state, database, key, writing.get());
    }
    writing.reset();
    std::string answer;
    try {
        answer = read_bounded(reading.get());
    } catch (const Error&) {
        (void)process.send_signal(SIGKILL);
        (void)process.wait();
        end_everything_else(state);
        throw;
    }
    const ProcessEnd end = process.wait().or_throw("waiting for getent");
    end_everything_else(state);
    if (end.exited && end.status == 127) {
        throw Error(fmt::format("user {} is not in /etc/passwd of the tree, which has no getent to ask either", key));
    }
    if (!end.exited || end.status != 0) {
        throw Error(fmt::format("no user {} in the container", key),
                    "Neither the tree's /etc/passwd nor its getent knows the name. Numeric ids always work.");
    }
    return answer;
}

std::optional<unsigned> parse_id(std::string_view text) {
    const auto id = parse_unsigned(text);
    return id && *id < UINT32_MAX ? std::optional(static_cast<unsigned>(*id)) : std::nullopt;
}

} // namespace

UserRecord query_user_inside(const std::string& name, const ChildState& state) {
    const std::string line = ask(state, "passwd", name);
    const auto fields = split(trim(split(line, '\n').front()), ':');
    UserRecord user;
    const auto uid = fields.size() >= 7 ? parse_id(fields[2]) : std::nullopt;
    const auto gid = fields.size() >= 7 ? parse_id(fields[3]) : std::nullopt;
    if (!uid || !gid || !fields[5].starts_with('/')) {
        throw Error("getent in the container answers with a broken line for user " + name);
    }
    user.name = fields[0];
    user.uid = *uid;
    user.gid = *gid;
    user.home = fields[5];
    user.shell = fields[6];

    const std::string groups = ask(state, "initgroups", user.name);
    const auto words = split_any(groups, " \t\n");
    for (size_t i = 1; i < words.size(); ++i) {
        const auto group = parse_id(words[i]);
        if (!group) {
            throw Error("getent in the container answers with broken groups for user " + name);
        }
        if (*group != user.gid) {
            user.groups.push_back(*group);
        }
    }
    return user;
}

} // namespace nspawn
