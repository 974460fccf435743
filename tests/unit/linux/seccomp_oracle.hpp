// seccomp_oracle.hpp — the same policy as build_filter()'s, made the long way with libseccomp, to compare with.
//
// One filter for each architecture and purpose, stacked as the original stacks them; the allow list is worked out
// from the text of syscall_groups() and nothing of syscall_policy.cpp or the generated tables is used. Names that
// libseccomp does not know are skipped. Source: seccomp_rule_add(3), systemd-nspawn(1) --system-call-filter=.
#pragma once

#include "linux/syscall_policy.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <linux/filter.h>
#include <linux/seccomp.h>

namespace nspawn::test {

// libseccomp's tokens of the interfaces that a call with this architecture and number may belong to.
uint32_t interface_of(const seccomp_data& data);
// All that this machine's kernel runs.
std::vector<uint32_t> native_interfaces();
// Does libseccomp know the name anywhere?
bool oracle_knows(const std::string& name);

class SeccompOracle {
public:
    explicit SeccompOracle(const FilterPolicy& policy);

    // What the kernel would answer with all filters loaded.
    [[nodiscard]] uint32_t answer(const seccomp_data& data) const;
    // The names on the allow list, groups followed.
    [[nodiscard]] const std::set<std::string>& allowed() const { return allowed_; }

private:
    using Filter = std::vector<sock_filter>;

    void allow(const FilterPolicy& policy, const std::string& item);
    [[nodiscard]] Filter allow_list(uint32_t interface) const;

    std::set<std::string> allowed_;
    std::map<uint32_t, std::vector<Filter>> filters_; // by interface, in the order they would be loaded
};

} // namespace nspawn::test
