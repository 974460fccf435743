// seccomp_rules.hpp — a system call filter from rules with argument comparisons, as OCI bundles have them.
//
// For each call the first rule counts whose comparisons all hold; a call that no rule names, or whose rules do not
// hold, gets the default. Arguments are compared in all their 64 bits. Names this build does not know are left out, as
// every runtime does. Architectures that are not listed kill the process. Pure; load_filter() puts it in force. Source:
// OCI runtime specification, config-linux "Seccomp"; seccomp(2).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <linux/filter.h>

namespace nspawn {

enum class SeccompComparison { not_equal, less, less_or_equal, equal, greater_or_equal, greater, masked_equal };

struct SeccompArgument {
    unsigned index = 0; // 0 to 5
    SeccompComparison comparison = SeccompComparison::equal;
    uint64_t value = 0;  // of masked_equal: the mask
    uint64_t second = 0; // of masked_equal: what is left has to be this
};

struct SeccompRule {
    std::vector<std::string> names;
    uint32_t action = 0; // SECCOMP_RET_*, with the errno
    std::vector<SeccompArgument> arguments;
};

struct SeccompRules {
    uint32_t default_action = 0;
    std::vector<std::string> architectures; // "x86-64", "x86", …: beside the native one
    std::vector<SeccompRule> rules;
    bool log = false;
};

// Empty: more than a program may have.
std::vector<sock_filter> build_rule_filter(const SeccompRules& rules);

} // namespace nspawn
