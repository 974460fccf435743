#include "run/stage.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <unistd.h>

namespace nspawn {

namespace {

constexpr int kLastErrno = 133;

int errno_by_name(std::string_view name) {
    for (int code = 1; code <= kLastErrno; ++code) {
        if (const char* known = strerrorname_np(code); known != nullptr && name == known) {
            return code;
        }
    }
    return 0;
}

} // namespace

Fault fault_at(const char* stage) {
    const char* value = std::getenv("NSPAWN_FAULT");
    if (value == nullptr) {
        return {};
    }
    const std::string_view text = value;
    const size_t equals = text.rfind('=');
    if (equals == std::string_view::npos || text.substr(0, equals) != stage) {
        return {};
    }
    const std::string_view action = text.substr(equals + 1);
    if (action == "SIGKILL-SUPERVISOR") {
        return {FaultAction::kill_supervisor, 0};
    }
    const int code = errno_by_name(action);
    if (code == 0) {
        throw Error("$NSPAWN_FAULT: no such errno: " + std::string(action));
    }
    return {FaultAction::fail, code};
}

void inject_fault(const char* stage) {
    const Fault fault = fault_at(stage);
    if (fault.action == FaultAction::kill_supervisor) {
        kill(getpid(), SIGKILL);
    } else if (fault.action == FaultAction::fail) {
        throw_system_error(fault.code, "injected fault", "");
    }
}

} // namespace nspawn
