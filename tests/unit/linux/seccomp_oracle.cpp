#include "seccomp_oracle.hpp"

#include "base/text.hpp"
#include "base/unique_fd.hpp"
#include "bpf_interpreter.hpp"
#include "linux/syscall_groups.hpp"

#include <seccomp.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <stdexcept>

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef __clang__
#pragma clang diagnostic ignored "-Wc99-extensions" // libseccomp's SCMP_A… macros are compound literals
#endif

namespace nspawn::test {

namespace {

constexpr uint32_t kX32Bit = 0x40000000;

using Context = std::unique_ptr<void, decltype(&seccomp_release)>;

void require(int result, const char* what) {
    if (result < 0) {
        throw std::runtime_error(std::string("libseccomp: ") + what + ": " + std::to_string(-result));
    }
}

// A context for one interface only, silent about all others.
Context make_context(uint32_t default_action, uint32_t interface) {
    Context context(seccomp_init(default_action), seccomp_release);
    if (context == nullptr) {
        throw std::runtime_error("seccomp_init");
    }
    if (interface != seccomp_arch_native()) {
        require(seccomp_arch_remove(context.get(), SCMP_ARCH_NATIVE), "arch_remove");
        require(seccomp_arch_add(context.get(), interface), "arch_add");
    }
    require(seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW), "badarch");
    require(seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimize");
    return context;
}

std::vector<sock_filter> export_filter(const Context& context) {
    const UniqueFd file(memfd_create("filter", MFD_CLOEXEC));
    require(seccomp_export_bpf(context.get(), file.get()), "export_bpf");
    const auto size = static_cast<size_t>(lseek(file.get(), 0, SEEK_END));
    std::vector<sock_filter> filter(size / sizeof(sock_filter));
    if (pread(file.get(), filter.data(), size, 0) != static_cast<ssize_t>(size)) {
        throw std::runtime_error("reading the exported filter");
    }
    return filter;
}

template <typename... Arguments>
void add_rule(const Context& context, uint32_t action, const std::string& name, Arguments... arguments) {
    const int number = seccomp_syscall_resolve_name(name.c_str());
    if (number == __NR_SCMP_ERROR) {
        return;
    }
    const scmp_arg_cmp list[] = {arguments..., SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, 0, 0)};
    const int result = seccomp_rule_add_array(context.get(), action, number, sizeof...(arguments), list);
    if (result != -EDOM) { // the interface lacks this call
        require(result, name.c_str());
    }
}

// The low 32 bits, as the kernel takes these arguments.
scmp_arg_cmp equals(unsigned argument, uint32_t value) {
    return SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, 0xffffffff, value);
}
scmp_arg_cmp has_bits(unsigned argument, uint32_t bits) { return SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, bits, bits); }

std::vector<sock_filter> audit_filter(uint32_t interface) {
    const Context context = make_context(SCMP_ACT_ALLOW, interface);
    add_rule(context, SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket", equals(0, AF_NETLINK), equals(2, NETLINK_AUDIT));
    return export_filter(context);
}

std::vector<sock_filter> sync_filter(uint32_t interface, const std::set<std::string>& allowed) {
    const Context context = make_context(SCMP_ACT_ALLOW, interface);
    for (const char* name : {"fdatasync", "fsync", "sync_file_range", "sync_file_range2", "syncfs"}) {
        add_rule(context, SCMP_ACT_ERRNO(0), name, SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, 0x80000000, 0));
    }
    add_rule(context, SCMP_ACT_ERRNO(0), "msync");
    add_rule(context, SCMP_ACT_ERRNO(0), "sync");
    for (const uint32_t bit : {O_DSYNC, O_SYNC & ~O_DSYNC}) {
        for (const auto& [name, argument] : {std::pair{"open", 1U}, {"openat", 2U}, {"open_by_handle_at", 2U}}) {
            if (allowed.contains(name)) {
                add_rule(context, SCMP_ACT_ERRNO(EINVAL), name, has_bits(argument, bit));
            }
        }
    }
    add_rule(context, SCMP_ACT_ERRNO(ENOSYS), "openat2");
    add_rule(context, SCMP_ACT_ERRNO(ENOSYS), "io_uring_setup");
    return export_filter(context);
}

std::vector<sock_filter> terminal_filter(uint32_t interface) {
    const Context context = make_context(SCMP_ACT_ALLOW, interface);
    add_rule(context, SCMP_ACT_ERRNO(EPERM), "ioctl", equals(1, TIOCSTI));
    add_rule(context, SCMP_ACT_ERRNO(EPERM), "ioctl", equals(1, TIOCLINUX));
    return export_filter(context);
}

std::set<std::string> known_names(uint32_t interface) {
    std::set<std::string> names;
    const uint32_t base = interface == SCMP_ARCH_X32 ? kX32Bit : 0;
    for (uint32_t number = base; number < base + 1024; ++number) {
        if (char* name = seccomp_syscall_resolve_num_arch(interface, static_cast<int>(number)); name != nullptr) {
            names.insert(name);
            std::free(name);
        }
    }
    return names;
}

bool is_group(const std::string& name) { return name.starts_with('@') || name.starts_with('%'); }

bool contains(const std::vector<std::string>& list, const std::string& item) {
    return std::ranges::find(list, item) != list.end();
}

} // namespace

uint32_t interface_of(const seccomp_data& data) {
    const auto number = static_cast<uint32_t>(data.nr);
    const bool x32 = data.arch == AUDIT_ARCH_X86_64 && number >= kX32Bit && number != UINT32_MAX;
    return x32 ? static_cast<uint32_t>(SCMP_ARCH_X32) : data.arch;
}

std::vector<uint32_t> native_interfaces() {
    switch (seccomp_arch_native()) {
    case SCMP_ARCH_X86_64:
        return {SCMP_ARCH_X86_64, SCMP_ARCH_X32, SCMP_ARCH_X86};
    case SCMP_ARCH_AARCH64:
        return {SCMP_ARCH_AARCH64, SCMP_ARCH_ARM};
    case SCMP_ARCH_PPC64:
        return {SCMP_ARCH_PPC64, SCMP_ARCH_PPC};
    case SCMP_ARCH_S390X:
        return {SCMP_ARCH_S390X, SCMP_ARCH_S390};
    default:
        return {seccomp_arch_native()};
    }
}

bool oracle_knows(const std::string& name) { return seccomp_syscall_resolve_name(name.c_str()) != __NR_SCMP_ERROR; }

SeccompOracle::SeccompOracle(const FilterPolicy& policy) {
    for (const DefaultGrant& grant : default_grants()) {
        if (grant.capability == kAlways || (policy.retained >> grant.capability & 1) != 0) {
            allow(policy, std::string(grant.group));
        }
    }
    for (const std::string& item : policy.allow) {
        allow(policy, item);
    }
    for (const uint32_t interface : native_interfaces()) {
        std::vector<Filter>& filters = filters_[interface];
        filters.push_back(allow_list(interface));
        filters.push_back(audit_filter(interface));
        if (policy.forbid_terminal_injection) {
            filters.push_back(terminal_filter(interface));
        }
        if (policy.suppress_sync) {
            filters.push_back(sync_filter(interface, allowed_));
        }
    }
}

void SeccompOracle::allow(const FilterPolicy& policy, const std::string& item) {
    const bool users_word = !item.starts_with('%');
    if (users_word && contains(policy.deny, item)) {
        return;
    }
    if (!is_group(item)) {
        allowed_.insert(item);
        return;
    }
    if (item == kKnownGroup) {
        for (const uint32_t interface : native_interfaces()) {
            for (const std::string& name : known_names(interface)) {
                allow(policy, name);
            }
        }
        return;
    }
    for (const SyscallGroup& group : syscall_groups()) {
        if (group.name == item) {
            for (const std::string_view member : split_any(group.members, " ")) {
                allow(policy, std::string(member));
            }
        }
    }
}

SeccompOracle::Filter SeccompOracle::allow_list(uint32_t interface) const {
    const Context context = make_context(SCMP_ACT_ERRNO(ENOSYS), interface);
    for (const std::string& name : allowed_) {
        add_rule(context, SCMP_ACT_ALLOW, name);
    }
    for (const std::string& name : known_names(interface)) {
        if (!allowed_.contains(name)) {
            add_rule(context, SCMP_ACT_ERRNO(EPERM), name);
        }
    }
    return export_filter(context);
}

uint32_t SeccompOracle::answer(const seccomp_data& data) const {
    const auto filters = filters_.find(interface_of(data));
    if (filters == filters_.end()) {
        return SECCOMP_RET_KILL_PROCESS;
    }
    uint32_t winner = SECCOMP_RET_ALLOW;
    for (const Filter& filter : filters->second) {
        winner = more_restrictive(interpret(filter, data).answer, winner);
    }
    return winner;
}

} // namespace nspawn::test
