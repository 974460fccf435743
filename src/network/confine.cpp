#include "network/confine.hpp"

#include "linux/capability.hpp"

#include <csignal>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr CapabilityMask kForPorts = capability_mask(CAP_NET_ADMIN, CAP_NET_BIND_SERVICE, CAP_SYS_ADMIN);
constexpr CapabilityMask kForManaged = kForPorts | capability_mask(CAP_KILL, CAP_NET_RAW, CAP_SETGID, CAP_SETUID);

void limit(__rlimit_resource resource, rlim_t value) {
    const rlimit bound{value, value};
    check(setrlimit(resource, &bound), "setrlimit").or_throw("confining the worker");
}

// Ctrl-C and the service manager speak to nspawn; this ends when that does, and not before.
void ignore_signals() {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP}) {
        (void)std::signal(signal, SIG_IGN);
    }
    (void)setsid();
}

} // namespace

void confine_network_worker(NetworkDuty duty) {
    ignore_signals();
    limit(RLIMIT_CORE, 0);
    check(prctl(PR_SET_DUMPABLE, 0), "prctl(PR_SET_DUMPABLE)").or_throw("");
    check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)").or_throw("");
    const CapabilitySets own = read_own_capabilities().or_throw("");
    const CapabilityMask kept = own.permitted & (duty == NetworkDuty::managed ? kForManaged : kForPorts);
    set_capabilities({.effective = kept, .permitted = kept}).or_throw("");
}

} // namespace nspawn
