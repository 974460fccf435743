#include "run/oci_hooks.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "linux/process.hpp"

#include <fmt/format.h>

#include <array>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr int kCannotExecute = 127;
constexpr int kCannotConfine = 126;

std::vector<char*> pointers(const std::vector<std::string>& strings) {
    std::vector<char*> list;
    for (const std::string& text : strings) {
        list.push_back(const_cast<char*>(text.c_str()));
    }
    list.push_back(nullptr);
    return list;
}

[[noreturn]] void become_hook(const OciHook& hook, int input, const std::function<void()>& confine) {
    const std::vector<char*> words = pointers(hook.words);
    const std::vector<char*> environment = pointers(hook.environment);
    for (int signal = 1; signal < NSIG; ++signal) {
        (void)std::signal(signal, SIG_DFL);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    dup2(input, STDIN_FILENO);
    dup2(STDERR_FILENO, STDOUT_FILENO); // standard output is the payload's
    close_range(STDERR_FILENO + 1, ~0U, 0);
    try {
        if (confine) {
            confine();
        }
    } catch (const Error&) {
        _exit(kCannotConfine);
    }
    execve(hook.path.c_str(), words.data(), environment.data());
    _exit(kCannotExecute);
}

// The state in a pipe: it is far shorter than what one holds, so that writing never waits for the hook.
UniqueFd pipe_with(const std::string& text) {
    std::array<int, 2> ends{-1, -1};
    check(pipe2(ends.data(), O_CLOEXEC), "pipe2").or_throw("");
    UniqueFd reading(ends[0]);
    const UniqueFd writing(ends[1]);
    check(fcntl(writing.get(), F_SETFL, O_NONBLOCK), "fcntl").or_throw("");
    write_all(writing.get(), text).or_throw("the container's state");
    return reading;
}

void run_hook(const OciHook& hook, const std::string& state, const std::function<void()>& confine) {
    const UniqueFd input = pipe_with(state);
    Pidfd process = clone_process({}).or_throw("");
    if (!process.valid()) {
        become_hook(hook, input.get(), confine);
    }
    pollfd waiting{process.get(), POLLIN, 0};
    const bool ended =
        !hook.timeout || poll(&waiting, 1, static_cast<int>(std::min(*hook.timeout, 86400U) * 1000U)) > 0;
    if (!ended) {
        (void)process.send_signal(SIGKILL);
    }
    const ProcessEnd end = process.wait().or_throw("");
    if (!ended) {
        throw Error(fmt::format("did not end within {} s", *hook.timeout));
    }
    if (!end.exited) {
        throw Error(fmt::format("was killed by signal {}", end.signal));
    }
    if (end.status != 0) {
        throw Error(end.status == kCannotExecute && access(hook.path.c_str(), X_OK) < 0
                        ? fmt::format("cannot be executed: {}", error_text(errno))
                        : fmt::format("failed with status {}", end.status));
    }
}

void run_named(const OciHook& hook, const std::string& state, const std::function<void()>& confine = {}) {
    try {
        run_hook(hook, state, confine);
    } catch (Error& error) {
        throw error.with_context(fmt::format("config.json: {}: {}", hook.place, hook.path));
    }
}

} // namespace

std::string oci_state_json(const OciState& state) {
    Json json = Json::object({{"ociVersion", state.bundle.version},
                              {"id", state.machine},
                              {"status", state.status},
                              {"bundle", state.bundle.bundle}});
    if (state.pid != 0) {
        json.set("pid", static_cast<int64_t>(state.pid));
    }
    if (!state.bundle.annotations.empty()) {
        Json annotations = Json::object();
        for (const auto& [key, value] : state.bundle.annotations) {
            annotations.set(key, value);
        }
        json.set("annotations", annotations);
    }
    return json.dump(false);
}

void run_hooks(const std::vector<OciHook>& hooks, const OciState& state, const std::function<void()>& confine) {
    for (const OciHook& hook : hooks) {
        run_named(hook, oci_state_json(state), confine);
    }
}

void run_hooks_regardless(const std::vector<OciHook>& hooks, const OciState& state) {
    for (const OciHook& hook : hooks) {
        try {
            run_named(hook, oci_state_json(state));
        } catch (const Error& error) {
            log::warning("{}", error.message());
        }
    }
}

} // namespace nspawn
