// generate_syscall_tables — writes src/linux/syscall_tables.hpp's tables to standard output: every system call by
// name, with the groups that name it, and the numbers it has on each architecture this machine's kernel runs.
//
// Run by the build. libseccomp knows the numbers, src/linux/syscall_groups.cpp the groups; nspawn links neither.
// An argument names another machine than this one, as libseccomp does ("aarch64").
#include "linux/syscall_groups.hpp"

#include <fmt/format.h>
#include <seccomp.h>

#include <algorithm>
#include <compare>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <linux/audit.h>

namespace nspawn {
namespace {

[[noreturn]] void fail(const std::string& problem) {
    fmt::print(stderr, "generate_syscall_tables: {}\n", problem);
    std::exit(1);
}

// One binary interface of a kernel. x32 shares its audit token with x86-64 and marks its numbers with a bit.
struct Interface {
    uint32_t seccomp_arch;
    std::string_view name;       // as in --personality=, and x32
    std::string_view audit_arch; // constant of <linux/audit.h>
};

constexpr Interface kX86_64{SCMP_ARCH_X86_64, "x86-64", "AUDIT_ARCH_X86_64"};
constexpr Interface kX86{SCMP_ARCH_X86, "x86", "AUDIT_ARCH_I386"};
constexpr Interface kX32{SCMP_ARCH_X32, "x32", "AUDIT_ARCH_X86_64"};
constexpr Interface kArm64{SCMP_ARCH_AARCH64, "arm64", "AUDIT_ARCH_AARCH64"};
constexpr Interface kArm{SCMP_ARCH_ARM, "arm", "AUDIT_ARCH_ARM"};
constexpr Interface kPpc64le{SCMP_ARCH_PPC64LE, "ppc64-le", "AUDIT_ARCH_PPC64LE"};
constexpr Interface kPpc64{SCMP_ARCH_PPC64, "ppc64", "AUDIT_ARCH_PPC64"};
constexpr Interface kPpc{SCMP_ARCH_PPC, "ppc", "AUDIT_ARCH_PPC"};
constexpr Interface kS390x{SCMP_ARCH_S390X, "s390x", "AUDIT_ARCH_S390X"};
constexpr Interface kS390{SCMP_ARCH_S390, "s390", "AUDIT_ARCH_S390"};
constexpr Interface kRiscv64{SCMP_ARCH_RISCV64, "riscv64", "AUDIT_ARCH_RISCV64"};

// Native first: its calls are found with the fewest tests.
std::vector<Interface> interfaces_of(uint32_t native) {
    switch (native) {
    case SCMP_ARCH_X86_64:
        return {kX86_64, kX32, kX86};
    case SCMP_ARCH_X86:
        return {kX86};
    case SCMP_ARCH_AARCH64:
        return {kArm64, kArm};
    case SCMP_ARCH_ARM:
        return {kArm};
    case SCMP_ARCH_PPC64LE:
        return {kPpc64le};
    case SCMP_ARCH_PPC64:
        return {kPpc64, kPpc};
    case SCMP_ARCH_S390X:
        return {kS390x, kS390};
    case SCMP_ARCH_RISCV64:
        return {kRiscv64};
    default:
        fail("this architecture is not in the table of interfaces");
    }
}

// Architectures of other families are asked for names only, so that a filter written for many machines names
// nothing unknown on this one.
constexpr uint32_t kForeignArchitectures[] = {
    SCMP_ARCH_X86_64,  SCMP_ARCH_X86,   SCMP_ARCH_X32,    SCMP_ARCH_AARCH64,   SCMP_ARCH_ARM,
    SCMP_ARCH_PPC64LE, SCMP_ARCH_PPC64, SCMP_ARCH_PPC,    SCMP_ARCH_S390X,     SCMP_ARCH_S390,
    SCMP_ARCH_RISCV64, SCMP_ARCH_MIPS,  SCMP_ARCH_MIPS64, SCMP_ARCH_MIPS64N32, SCMP_ARCH_PARISC,
};

// Where any architecture has numbers: the common range, MIPS's three, ARM's private calls, x32's.
struct NumberRange {
    uint32_t first;
    uint32_t count;
};
constexpr uint32_t kX32Bit = 0x40000000;
constexpr NumberRange kNumberRanges[] = {{0, 1024}, {4000, 3000}, {0x0f0000, 256}, {kX32Bit, 1024}};

// Calls the groups name that are younger than many a libseccomp. From number 424 on all architectures count alike;
// the few below belong to one. Source: scripts/syscall.tbl and arch/*/entry/syscalls of the kernel.
struct YoungSyscall {
    std::string_view name;
    uint32_t number;
    uint32_t only = 0; // seccomp architecture; 0: all
};
constexpr YoungSyscall kYoungSyscalls[] = {
    {"fchmodat2", 452},
    {"statmount", 457},
    {"listmount", 458},
    {"mseal", 462},
    {"setxattrat", 463},
    {"getxattrat", 464},
    {"listxattrat", 465},
    {"removexattrat", 466},
    {"uretprobe", 335, SCMP_ARCH_X86_64},
    {"riscv_hwprobe", 258, SCMP_ARCH_RISCV64},
};

using NumbersByName = std::map<std::string, std::set<uint32_t>, std::less<>>;

NumbersByName numbers_of_libseccomp(uint32_t arch) {
    NumbersByName numbers;
    for (const NumberRange& range : kNumberRanges) {
        // libseccomp also answers for x32 numbers without their bit, which the kernel does not take.
        if ((arch == SCMP_ARCH_X32) != (range.first == kX32Bit)) {
            continue;
        }
        for (uint32_t number = range.first; number < range.first + range.count; ++number) {
            if (char* name = seccomp_syscall_resolve_num_arch(arch, static_cast<int>(number)); name != nullptr) {
                numbers[name].insert(number);
                std::free(name);
            }
        }
    }
    return numbers;
}

std::set<uint32_t> all_numbers(const NumbersByName& by_name) {
    std::set<uint32_t> numbers;
    for (const auto& [name, values] : by_name) {
        numbers.insert(values.begin(), values.end());
    }
    return numbers;
}

void add_young_syscalls(uint32_t arch, NumbersByName& numbers) {
    const std::set<uint32_t> taken = all_numbers(numbers);
    for (const YoungSyscall& young : kYoungSyscalls) {
        const uint32_t number = arch == SCMP_ARCH_X32 ? young.number | kX32Bit : young.number;
        if ((young.only == 0 || young.only == arch) && !numbers.contains(young.name) && !taken.contains(number)) {
            numbers[std::string(young.name)].insert(number);
        }
    }
}

// A number has one name when asked for by number; some are known by a second one, such as arm_fadvise64_64.
template <typename Names>
void add_second_names(uint32_t arch, const Names& names, NumbersByName& numbers) {
    for (const auto& [name, groups] : names) {
        const int number = seccomp_syscall_resolve_name_arch(arch, name.c_str());
        if (number >= 0 && !numbers.contains(name)) {
            numbers[name].insert(static_cast<uint32_t>(number));
        }
    }
}

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    while (!text.empty()) {
        const size_t end = std::min(text.find(' '), text.size());
        if (end > 0) {
            words.emplace_back(text.substr(0, end));
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return words;
}

// The bit a group has in every mask; bit 0 is @known.
std::map<std::string, unsigned, std::less<>> number_groups() {
    std::map<std::string, unsigned, std::less<>> bits{{std::string(kKnownGroup), 0}};
    for (const SyscallGroup& group : syscall_groups()) {
        const auto bit = static_cast<unsigned>(bits.size());
        if (!bits.emplace(group.name, bit).second) {
            fail(fmt::format("group {} is there twice", group.name));
        }
    }
    if (bits.size() > 64) {
        fail("more than 64 groups");
    }
    return bits;
}

// How the default list treats a call.
struct DefaultTreatment {
    uint64_t opened_by = 0; // capabilities
    bool always = false;
    ArgumentRule rule = ArgumentRule::none;

    auto operator<=>(const DefaultTreatment&) const = default;
};

class Tables {
public:
    explicit Tables(uint32_t native) : group_bits_(number_groups()), interfaces_(interfaces_of(native)) {
        collect_members();
        for (const Interface& interface : interfaces_) {
            NumbersByName& by_name = numbers_.emplace_back(numbers_of_libseccomp(interface.seccomp_arch));
            add_young_syscalls(interface.seccomp_arch, by_name);
            add_second_names(interface.seccomp_arch, groups_of_name_, by_name);
            for (const auto& [name, numbers] : by_name) {
                groups_of_name_[name] |= 1; // @known
            }
        }
        for (const uint32_t arch : kForeignArchitectures) {
            for (const auto& [name, numbers] : numbers_of_libseccomp(arch)) {
                groups_of_name_.try_emplace(name, 0);
            }
        }
        for (const auto& [name, groups] : groups_of_name_) {
            index_of_name_.emplace(name, index_of_name_.size());
        }
    }

    void write() const {
        fmt::print("// Written by tools/generate_syscall_tables.cpp; libseccomp {}.{}.{}.\n", seccomp_version()->major,
                   seccomp_version()->minor, seccomp_version()->micro);
        write_names();
        write_groups();
        write_grants();
        for (size_t i = 0; i < interfaces_.size(); ++i) {
            write_numbers(i);
        }
        write_interfaces();
        write_maps();
    }

private:
    uint64_t bit_of(std::string_view group) const {
        const auto found = group_bits_.find(group);
        if (found == group_bits_.end()) {
            fail(fmt::format("no group {}", group));
        }
        return uint64_t{1} << found->second;
    }

    void collect_members() {
        for (const SyscallGroup& group : syscall_groups()) {
            for (const std::string& member : words_of(group.members)) {
                if (member.starts_with('@')) {
                    nested_[group.name] |= bit_of(member);
                } else {
                    groups_of_name_[member] |= bit_of(group.name);
                }
            }
        }
        for (const ArgumentRuleRow& row : argument_rules()) {
            groups_of_name_.try_emplace(std::string(row.name), 0);
        }
    }

    static ArgumentRule rule_of(std::string_view name) {
        for (const ArgumentRuleRow& row : argument_rules()) {
            if (row.name == name) {
                return row.rule;
            }
        }
        return ArgumentRule::none;
    }

    // The names are one text and are found by offset: an array of pointers would cost relocations at every start.
    void write_names() const {
        size_t offset = 0;
        fmt::print("constexpr char kNameText[] =\n");
        for (const auto& [name, groups] : groups_of_name_) {
            fmt::print("    \"{}\"\n", name);
        }
        fmt::print(";\nconstexpr SyscallName kNames[] = {{\n");
        for (const auto& [name, groups] : groups_of_name_) {
            fmt::print("    {{{:#x}, {}, {}, ArgumentRule{{{}}}}},\n", groups, offset, name.size(),
                       static_cast<unsigned>(rule_of(name)));
            offset += name.size();
        }
        fmt::print("}};\n");
        if (offset > UINT16_MAX) {
            fail("the names do not fit 16-bit offsets");
        }
    }

    void write_groups() const {
        std::vector<std::string_view> by_bit(group_bits_.size());
        for (const auto& [name, bit] : group_bits_) {
            by_bit[bit] = name;
        }
        fmt::print("constexpr SyscallGroupBit kGroups[] = {{\n");
        for (const std::string_view name : by_bit) {
            const auto nested = nested_.find(name);
            fmt::print("    {{\"{}\", {:#x}}},\n", name, nested == nested_.end() ? 0 : nested->second);
        }
        fmt::print("}};\n");
    }

    void write_grants() const {
        fmt::print("constexpr SyscallGrant kGrants[] = {{\n");
        for (const DefaultGrant& grant : default_grants()) {
            fmt::print("    {{{}, {:#x}}}, // {}\n", grant.capability, bit_of(grant.group), grant.group);
        }
        fmt::print("}};\n");
    }

    void write_numbers(size_t which) const {
        std::multimap<uint32_t, std::string_view> by_number;
        for (const auto& [name, numbers] : numbers_[which]) {
            for (const uint32_t number : numbers) {
                by_number.emplace(number, name);
            }
        }
        fmt::print("constexpr SyscallNumber kNumbers{}[] = {{ // {}\n", which, interfaces_[which].name);
        for (const auto& [number, name] : by_number) {
            fmt::print("    {{{:#x}, {}}}, // {}\n", number, index_of_name_.at(std::string(name)), name);
        }
        fmt::print("}};\n");
    }

    void write_interfaces() const {
        fmt::print("constexpr SyscallInterface kInterfaces[] = {{\n");
        for (size_t i = 0; i < interfaces_.size(); ++i) {
            fmt::print("    {{\"{}\", {}, kNumbers{}}},\n", interfaces_[i].name, interfaces_[i].audit_arch, i);
        }
        fmt::print("}};\n");
    }

    uint64_t with_nested_groups(uint64_t groups) const {
        for (;;) {
            uint64_t reached = groups;
            for (const auto& [name, nested] : nested_) {
                reached |= (groups & bit_of(name)) != 0 ? nested : 0;
            }
            if (reached == groups) {
                return groups;
            }
            groups = reached;
        }
    }

    DefaultTreatment treatment_of(std::string_view name) const {
        const uint64_t groups = groups_of_name_.at(std::string(name));
        DefaultTreatment treatment{0, false, rule_of(name)};
        for (const DefaultGrant& grant : default_grants()) {
            if ((groups & with_nested_groups(bit_of(grant.group))) == 0) {
                continue;
            }
            if (grant.capability == kAlways) {
                treatment.always = true;
            } else {
                treatment.opened_by |= uint64_t{1} << grant.capability;
            }
        }
        if (treatment.always) {
            treatment.opened_by = 0; // so that all such calls are of one class
        }
        return treatment;
    }

    // The treatment of each number of the interface; of two names' treatments the more generous one.
    std::map<uint32_t, DefaultTreatment> treatments_of(size_t interface) const {
        std::map<uint32_t, DefaultTreatment> treatments;
        for (const auto& [name, numbers] : numbers_[interface]) {
            for (const uint32_t number : numbers) {
                const DefaultTreatment treatment = treatment_of(name);
                const auto [at, fresh] = treatments.emplace(number, treatment);
                if (!fresh && treatment.always) {
                    at->second = treatment;
                }
            }
        }
        return treatments;
    }

    void write_maps() const {
        std::map<DefaultTreatment, size_t> classes;
        std::string maps;
        for (size_t begin = 0, end = 0; begin < interfaces_.size(); begin = end) {
            const std::string_view audit_arch = interfaces_[begin].audit_arch;
            std::map<uint32_t, DefaultTreatment> treatments;
            for (end = begin; end < interfaces_.size() && interfaces_[end].audit_arch == audit_arch; ++end) {
                treatments.merge(treatments_of(end));
            }
            write_runs(begin, treatments, classes);
            maps += fmt::format("    {{{}, {}, {}, kRuns{}}},\n", audit_arch, begin, end - begin, begin);
        }
        write_classes(classes);
        fmt::print("constexpr SyscallMap kMaps[] = {{\n{}}};\n", maps);
    }

    // Numbers the classes as they turn up, from 1 on.
    static void write_runs(size_t which, const std::map<uint32_t, DefaultTreatment>& treatments,
                           std::map<DefaultTreatment, size_t>& classes) {
        fmt::print("constexpr SyscallRun kRuns{}[] = {{\n", which);
        uint32_t next = 0;
        size_t current = SIZE_MAX;
        const auto write = [&current](uint32_t first, size_t of_class) {
            if (of_class != current) {
                fmt::print("    {{{:#x}, {}}},\n", first, of_class);
                current = of_class;
            }
        };
        for (const auto& [number, treatment] : treatments) {
            if (number > next) {
                write(next, 0);
            }
            write(number, classes.try_emplace(treatment, classes.size() + 1).first->second);
            next = number + 1;
        }
        write(next, 0);
        fmt::print("}};\n");
    }

    static void write_classes(const std::map<DefaultTreatment, size_t>& classes) {
        std::vector<DefaultTreatment> by_number(classes.size() + 1);
        for (const auto& [treatment, number] : classes) {
            by_number[number] = treatment;
        }
        fmt::print("constexpr SyscallClass kClasses[] = {{\n");
        for (const DefaultTreatment& treatment : by_number) {
            fmt::print("    {{{:#x}, {}, ArgumentRule{{{}}}}},\n", treatment.opened_by, treatment.always,
                       static_cast<unsigned>(treatment.rule));
        }
        fmt::print("}};\n");
    }

    std::map<std::string, unsigned, std::less<>> group_bits_;
    std::map<std::string_view, uint64_t> nested_;                 // groups named by a group
    std::map<std::string, uint64_t, std::less<>> groups_of_name_; // groups that name the call themselves
    std::map<std::string, size_t> index_of_name_;
    std::vector<Interface> interfaces_;
    std::vector<NumbersByName> numbers_; // one for each interface
};

} // namespace
} // namespace nspawn

int main(int argc, char** argv) {
    const uint32_t machine = argc > 1 ? seccomp_arch_resolve_name(argv[1]) : seccomp_arch_native();
    nspawn::Tables(machine).write();
    return std::fflush(stdout) == 0 ? 0 : 1;
}
