// The last stage of the child: close what is not the payload's, and become it.

#include "base/text.hpp"
#include "run/child_state.hpp"
#include "run/exec_failure.hpp"
#include "run/stub_image.hpp"

#include <fmt/format.h>

#include <array>
#include <csignal>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace nspawn {

namespace {

// Where systemd and every other init lives, systemd-nspawn(1) --boot.
constexpr const char* kInitPaths[] = {"/usr/lib/systemd/systemd", "/lib/systemd/systemd", "/sbin/init"};

struct Shell {
    const char* path;
    const char* name;
};
constexpr Shell kShells[] = {{"/bin/bash", "-bash"}, {"/bin/sh", "-sh"}};

constexpr int kFirstPassedFd = 3;

// NULL-terminated view of strings that outlive it.
class PointerArray {
public:
    explicit PointerArray(const std::vector<std::string>& strings) {
        for (const std::string& text : strings) {
            pointers_.push_back(const_cast<char*>(text.c_str()));
        }
        pointers_.push_back(nullptr);
    }
    [[nodiscard]] char** data() { return pointers_.data(); }

private:
    std::vector<char*> pointers_;
};

// Everything but the standard streams and what socket activation passes on goes away with the exec, also descriptors
// that our caller had leaked into us.
void close_descriptors(unsigned listen_fds) {
    const unsigned first = kFirstPassedFd + listen_fds;
    check(close_range(first, ~0U, CLOSE_RANGE_CLOEXEC), "close_range").or_throw("");
    for (unsigned fd = kFirstPassedFd; fd < first; ++fd) {
        check(fcntl(static_cast<int>(fd), F_SETFD, 0), "fcntl").or_throw("socket activation descriptor");
    }
}

std::string path_variable(const std::vector<std::string>& environment) {
    for (const std::string& entry : environment) {
        if (entry.starts_with("PATH=")) {
            return entry.substr(5);
        }
    }
    return "/usr/bin:/bin";
}

[[noreturn]] void fail_to_execute(const std::string& command, int code) {
    std::string hint;
    if (code == ENOENT && access(command.c_str(), F_OK) == 0) {
        hint = kMissingInterpreter;
    } else if (code == ENOEXEC) {
        hint = "It is built for another architecture, or no program at all. For foreign ones the host needs a "
               "binfmt_misc handler with the F flag.";
    } else if (code == EACCES) {
        hint = "It is not executable, or lies on a file system that is mounted noexec.";
    }
    throw Error(fmt::format("{}: {}", command, error_text(code)), std::move(hint)).with_code(code);
}

// As execvpe(3), but the search path is the payload's, and the failure that says most is kept.
void search_and_execute(const std::vector<std::string>& words, const std::vector<std::string>& environment) {
    PointerArray arguments(words);
    PointerArray variables(environment);
    const std::string& command = words.front();
    if (command.find('/') != std::string::npos) {
        execve(command.c_str(), arguments.data(), variables.data());
        fail_to_execute(command, errno);
    }
    const std::string search = path_variable(environment);
    int worst = ENOENT;
    for (const std::string_view directory : split(search, ':')) {
        const std::string path = fmt::format("{}/{}", directory.empty() ? "." : directory, command);
        execve(path.c_str(), arguments.data(), variables.data());
        if (errno != ENOENT && errno != ENOTDIR) {
            worst = errno;
        } else if (access(path.c_str(), F_OK) == 0) {
            fail_to_execute(path, ENOENT);
        }
    }
    throw Error(fmt::format("{}: {}", command, worst == ENOENT ? "command not found" : error_text(worst)),
                worst == ENOENT ? "Searched in " + search + " of the container." : std::string())
        .with_code(worst);
}

void execute_init(const std::vector<std::string>& words, const std::vector<std::string>& environment) {
    PointerArray variables(environment);
    for (const char* path : kInitPaths) {
        std::vector<std::string> line = {path};
        line.insert(line.end(), words.begin(), words.end());
        PointerArray arguments(line);
        execve(path, arguments.data(), variables.data());
        if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP) {
            fail_to_execute(path, errno);
        }
    }
    throw Error("no init in the container: neither /usr/lib/systemd/systemd, /lib/systemd/systemd nor /sbin/init",
                "Install one in the tree, or leave out --boot to run a command.")
        .with_code(ENOENT);
}

void execute_shell(const std::vector<std::string>& environment) {
    PointerArray variables(environment);
    int code = 0;
    for (const Shell& shell : kShells) {
        const std::vector<std::string> line = {shell.name};
        PointerArray arguments(line);
        execve(shell.path, arguments.data(), variables.data());
        code = errno;
        if (code != ENOENT && code != ENOTDIR) {
            fail_to_execute(shell.path, code);
        }
    }
    throw Error("no shell in the container: neither /bin/bash nor /bin/sh",
                "Name a command to run, or use --boot for a tree with an init.")
        .with_code(code);
}

// The stub init makes process 2 of the words.
void execute_stub_init(const ChildState& state, const std::vector<std::string>& environment) {
    StubInitRequest request;
    request.words = state.plan.payload.words;
    request.environment = environment;
    request.container_service = state.plan.payload.container_service;
    request.container_uuid = state.plan.uuid;
    request.has_console = state.input.pty_peer >= 0;
    execute_stub(state.input.stub_init, state.input.exec_failure, request);
}

// All signals at their defaults and deliverable, whatever our caller had done with them.
void reset_signals(uint64_t ignored) {
    // The kernel's own structure: glibc's sigaction(3) refuses 32 and 33, which its posix_spawn(3) leaves ignored. All
    // zero is SIG_DFL without flags.
    struct KernelAction {
        std::array<unsigned long, 3> handler_flags_restorer{};
        uint64_t mask = 0;
    };
    constexpr KernelAction kDefault;
    for (int signal = 1; ignored != 0; ++signal, ignored >>= 1) {
        if ((ignored & 1) != 0) {
            check(syscall(SYS_rt_sigaction, signal, &kDefault, nullptr, sizeof kDefault.mask), "rt_sigaction")
                .or_throw("");
        }
    }
    sigset_t none;
    sigemptyset(&none);
    check(sigprocmask(SIG_SETMASK, &none, nullptr), "sigprocmask").or_throw("");
}

void take_controlling_terminal(const ChildState& state) {
    if (state.input.pty_peer >= 0 && state.plan.payload.mode != StartMode::pid2) {
        check(ioctl(STDIN_FILENO, TIOCSCTTY, 0), "ioctl(TIOCSCTTY)").or_throw("controlling terminal");
    }
}

} // namespace

void execute_payload(ChildState& state) {
    const Payload& payload = state.plan.payload;
    take_controlling_terminal(state);
    close_descriptors(state.plan.listen_fds);
    const std::vector<std::string> environment = payload_environment(state.plan, state.user);
    reset_signals(state.input.ignored_signals);
    if (payload.mode == StartMode::boot) {
        execute_init(payload.words, environment);
    } else if (payload.mode == StartMode::pid2) {
        execute_stub_init(state, environment);
    } else if (payload.words.empty()) {
        execute_shell(environment);
    } else {
        search_and_execute(payload.words, environment);
    }
}

} // namespace nspawn
