#include "linux/capability.hpp"

#include "base/file.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <iterator>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr std::string_view kNames[] = {
#include "linux/capability_names.inc"
};

constexpr std::string_view kPrefix = "CAP_";
constexpr size_t kStatusLimit = 65536;

bool kernel_knows(unsigned number) { return prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; }

// The hexadecimal mask behind "\n<key>:\t".
std::optional<CapabilityMask> find_mask(std::string_view status, std::string_view key) {
    const size_t at = status.find(key);
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string_view rest = status.substr(at + key.size());
    return parse_unsigned(trim(rest.substr(0, rest.find('\n'))), 16);
}

Result<void> drop_from_bounding_set(unsigned number) {
    auto dropped = check(prctl(PR_CAPBSET_DROP, number, 0, 0, 0), "prctl(PR_CAPBSET_DROP)");
    if (dropped.error() != EPERM) {
        return dropped;
    }
    // No CAP_SETPCAP, which the kernel asks for first: fine when there is nothing left to drop. EINVAL when the
    // number is beyond the kernel's last.
    const int present = prctl(PR_CAPBSET_READ, number, 0, 0, 0);
    return present > 0 ? dropped : check(present, "prctl(PR_CAPBSET_READ)");
}

Result<void> raise_ambient(CapabilityMask mask) {
    if (auto cleared =
            check(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "prctl(PR_CAP_AMBIENT_CLEAR_ALL)");
        !cleared.ok()) {
        return cleared;
    }
    for (unsigned number = 0; number < kCapabilityLimit; ++number) {
        if (!has_capability(mask, number)) {
            continue;
        }
        if (auto raised =
                check(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0), "prctl(PR_CAP_AMBIENT_RAISE)");
            !raised.ok()) {
            return raised;
        }
    }
    return {};
}

} // namespace

std::optional<unsigned> parse_capability(std::string_view text) {
    if (const auto number = parse_unsigned(text)) {
        return *number < kCapabilityLimit ? std::optional<unsigned>(static_cast<unsigned>(*number)) : std::nullopt;
    }
    if (!starts_with_ignoring_case(text, kPrefix)) {
        return std::nullopt;
    }
    for (unsigned number = 0; number < std::size(kNames); ++number) {
        if (equal_ignoring_case(kNames[number], text)) {
            return number;
        }
    }
    return std::nullopt;
}

std::string capability_name(unsigned number) {
    return number < std::size(kNames) ? std::string(kNames[number]) : fmt::format("{}", number);
}

std::string format_capabilities(CapabilityMask mask) {
    std::string text;
    for (unsigned number = 0; number < kCapabilityLimit; ++number) {
        if (has_capability(mask, number)) {
            text.append(text.empty() ? "" : " ").append(capability_name(number));
        }
    }
    return text;
}

CapabilityMask all_capabilities() {
    // The kernel's last one is rarely far from the last this build has a name for: two calls instead of a file.
    unsigned count = std::size(kNames);
    while (count < kCapabilityLimit && kernel_knows(count)) {
        ++count;
    }
    while (count > 0 && !kernel_knows(count - 1)) {
        --count;
    }
    return count == kCapabilityLimit ? ~CapabilityMask{0} : capability_bit(count) - 1;
}

std::optional<CapabilitySets> parse_capability_status(std::string_view status) {
    const auto inheritable = find_mask(status, "\nCapInh:");
    const auto permitted = find_mask(status, "\nCapPrm:");
    const auto effective = find_mask(status, "\nCapEff:");
    const auto bounding = find_mask(status, "\nCapBnd:");
    const auto ambient = find_mask(status, "\nCapAmb:");
    if (!inheritable || !permitted || !effective || !bounding || !ambient) {
        return std::nullopt;
    }
    return CapabilitySets{*effective, *permitted, *inheritable, *bounding, *ambient};
}

Result<CapabilitySets> read_own_capabilities() {
    auto status = read_file(AT_FDCWD, "/proc/self/status", kStatusLimit);
    if (!status.ok()) {
        return status.system_error();
    }
    // The task's name is on the first line with line feeds escaped, so it cannot pose as one of these lines.
    const auto sets = parse_capability_status(status.value());
    if (!sets) {
        return SystemError{EBADMSG, "/proc/self/status"};
    }
    return *sets;
}

Result<void> drop_bounding_set_except(CapabilityMask retained, CapabilityMask present) {
    // Dropping one that is gone is no error, so nothing is read first: one call for each that goes.
    for (unsigned number = 0; number < kCapabilityLimit; ++number) {
        if (has_capability(retained, number) || !has_capability(present, number)) {
            continue;
        }
        auto dropped = drop_from_bounding_set(number);
        if (dropped.error() == EINVAL) {
            return {}; // beyond the kernel's last
        }
        if (!dropped.ok()) {
            return dropped;
        }
    }
    return {};
}

Result<void> set_capabilities(const CapabilitySets& sets) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    for (unsigned half = 0; half < _LINUX_CAPABILITY_U32S_3; ++half) {
        const unsigned shift = 32 * half;
        data[half].effective = static_cast<uint32_t>(sets.effective >> shift);
        data[half].permitted = static_cast<uint32_t>(sets.permitted >> shift);
        data[half].inheritable = static_cast<uint32_t>(sets.inheritable >> shift);
    }
    if (auto done = check(syscall(SYS_capset, &header, data), "capset"); !done.ok()) {
        return done;
    }
    // With nothing inheritable, capset(2) has emptied the ambient set too, capabilities(7).
    return sets.inheritable == 0 ? Result<void>() : raise_ambient(sets.ambient);
}

} // namespace nspawn
