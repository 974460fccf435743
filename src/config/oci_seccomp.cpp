// "linux.seccomp" of a bundle: OCI runtime specification, config-linux.md "Seccomp".
#include "base/text.hpp"
#include "config/oci_reader.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <optional>
#include <set>

#include <linux/seccomp.h>

namespace nspawn::oci {

namespace {

constexpr int64_t kLargestErrno = 4095;

constexpr struct {
    std::string_view name;
    uint32_t action;
} kActions[] = {
    {"SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW},
    {"SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO},
    {"SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD},
    {"SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD},
    {"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS},
    {"SCMP_ACT_LOG", SECCOMP_RET_LOG},
    {"SCMP_ACT_TRAP", SECCOMP_RET_TRAP},
};

// As our tables call them.
constexpr struct {
    std::string_view name;
    std::string_view ours;
} kArchitectures[] = {
    {"SCMP_ARCH_X86", "x86"},         {"SCMP_ARCH_X86_64", "x86-64"},
    {"SCMP_ARCH_X32", "x32"},         {"SCMP_ARCH_ARM", "arm"},
    {"SCMP_ARCH_AARCH64", "arm64"},   {"SCMP_ARCH_PPC64LE", "ppc64-le"},
    {"SCMP_ARCH_RISCV64", "riscv64"}, {"SCMP_ARCH_S390X", "s390x"},
    {"SCMP_ARCH_S390", "s390"},       {"SCMP_ARCH_LOONGARCH64", "loongarch64"},
};

constexpr struct {
    std::string_view name;
    SeccompComparison comparison;
} kComparisons[] = {
    {"SCMP_CMP_NE", SeccompComparison::not_equal},           {"SCMP_CMP_LT", SeccompComparison::less},
    {"SCMP_CMP_LE", SeccompComparison::less_or_equal},       {"SCMP_CMP_EQ", SeccompComparison::equal},
    {"SCMP_CMP_GE", SeccompComparison::greater_or_equal},    {"SCMP_CMP_GT", SeccompComparison::greater},
    {"SCMP_CMP_MASKED_EQ", SeccompComparison::masked_equal},
};

uint32_t action_of(const OciValue& value) {
    for (const auto& known : kActions) {
        if (known.name == value.text()) {
            return known.action;
        }
    }
    value.fail(fmt::format("the action {} is not supported", printable(value.text())));
}

uint32_t with_errno(uint32_t action, const std::optional<uint32_t>& code) {
    return action == SECCOMP_RET_ERRNO ? action | code.value_or(EPERM) : action;
}

constexpr OciField<SeccompArgument> kArgumentFields[] = {
    {"index", [](SeccompArgument& argument,
                 const OciValue& value) { argument.index = static_cast<unsigned>(value.integer(0, 5)); }},
    {"value", [](SeccompArgument& argument, const OciValue& value) { argument.value = value.number(); }},
    {"valueTwo", [](SeccompArgument& argument, const OciValue& value) { argument.second = value.number(); }},
    {"op",
     [](SeccompArgument& argument, const OciValue& value) {
         for (const auto& known : kComparisons) {
             if (known.name == value.text()) {
                 argument.comparison = known.comparison;
                 return;
             }
         }
         value.fail(fmt::format("there is no comparison {}", printable(value.text())));
     }},
};

struct RuleReading {
    SeccompRule rule;
    std::optional<uint32_t> code;
};

constexpr OciField<RuleReading> kRuleFields[] = {
    {"names", [](RuleReading& reading, const OciValue& value) { reading.rule.names = value.texts(); }},
    {"action", [](RuleReading& reading, const OciValue& value) { reading.rule.action = action_of(value); }},
    {"errnoRet", [](RuleReading& reading,
                    const OciValue& value) { reading.code = static_cast<uint32_t>(value.integer(0, kLargestErrno)); }},
    {"args",
     [](RuleReading& reading, const OciValue& value) {
         value.each([&](const OciValue& each) {
             for (const std::string_view key : {"index", "value", "op"}) {
                 (void)each.require(key);
             }
             read_members(reading.rule.arguments.emplace_back(), each, kArgumentFields);
         });
     }},
};

// Comparisons of one rule hold together; where one argument is named twice each is a rule of its own, as with others.
void add_rule(SeccompRules& rules, SeccompRule&& rule) {
    std::set<unsigned> seen;
    bool repeats = false;
    for (const SeccompArgument& argument : rule.arguments) {
        repeats = !seen.insert(argument.index).second || repeats;
    }
    if (!repeats) {
        rules.rules.push_back(std::move(rule));
        return;
    }
    for (const SeccompArgument& argument : rule.arguments) {
        rules.rules.push_back({.names = rule.names, .action = rule.action, .arguments = {argument}});
    }
}

void read_rule(SeccompRules& rules, const OciValue& value) {
    for (const std::string_view key : {"names", "action"}) {
        (void)value.require(key);
    }
    RuleReading reading;
    read_members(reading, value, kRuleFields);
    if (reading.rule.names.empty()) {
        value.require("names").fail("names no system call");
    }
    reading.rule.action = with_errno(reading.rule.action, reading.code);
    add_rule(rules, std::move(reading.rule));
}

void read_architecture(SeccompRules& rules, const OciValue& value) {
    for (const auto& known : kArchitectures) {
        if (known.name == value.text()) {
            rules.architectures.emplace_back(known.ours);
            return;
        }
    }
    // Another machine's: its programs do not run here.
    if (!value.text().starts_with("SCMP_ARCH_")) {
        value.fail("not an architecture");
    }
}

void read_flag(SeccompRules& rules, const OciValue& value) {
    if (value.text() == "SECCOMP_FILTER_FLAG_LOG") {
        rules.log = true;
    } else if (value.text() != "SECCOMP_FILTER_FLAG_TSYNC") { // there is one thread only
        value.fail(fmt::format("the flag {} is not supported", printable(value.text())));
    }
}

struct Reading {
    SeccompRules rules;
    std::optional<uint32_t> default_code;
};

constexpr OciField<Reading> kFields[] = {
    {"defaultAction", [](Reading& reading, const OciValue& value) { reading.rules.default_action = action_of(value); }},
    {"defaultErrnoRet",
     [](Reading& reading, const OciValue& value) {
         reading.default_code = static_cast<uint32_t>(value.integer(0, kLargestErrno));
     }},
    {"architectures",
     [](Reading& reading, const OciValue& value) {
         value.each([&](const OciValue& each) { read_architecture(reading.rules, each); });
     }},
    {"flags", [](Reading& reading,
                 const OciValue& value) { value.each([&](const OciValue& each) { read_flag(reading.rules, each); }); }},
    {"syscalls",
     [](Reading& reading, const OciValue& value) {
         value.each([&](const OciValue& each) { read_rule(reading.rules, each); });
     }},
    {"listenerPath", [](Reading&, const OciValue& value) { value.fail("is not supported"); }},
    {"listenerMetadata", [](Reading&, const OciValue& value) { value.fail("is not supported"); }},
};

} // namespace

void read_seccomp(OciBundle& bundle, const OciValue& value) {
    (void)value.require("defaultAction");
    Reading reading;
    read_members(reading, value, kFields);
    reading.rules.default_action = with_errno(reading.rules.default_action, reading.default_code);
    if (build_rule_filter(reading.rules).empty()) {
        value.fail("comes to more instructions than the kernel takes");
    }
    bundle.runtime.seccomp = std::move(reading.rules);
}

} // namespace nspawn::oci
