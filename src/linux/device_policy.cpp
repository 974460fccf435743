#include "linux/device_policy.hpp"

#include "base/file.hpp"
#include "base/unique_fd.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <tuple>

#include <linux/major.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace nspawn {

namespace {

using namespace device_access;

constexpr uint32_t kMemoryMajor = MEM_MAJOR;
constexpr uint32_t kTtyMajor = TTYAUX_MAJOR;
constexpr uint32_t kMiscMajor = MISC_MAJOR;
constexpr uint32_t kPtsMajor = UNIX98_PTY_SLAVE_MAJOR; // every pseudo terminal since minors have 20 bits

// Numbers: kernel documentation admin-guide/devices.
constexpr std::array kDefaultRules = {
    DeviceRule{DeviceType::character, kMemoryMajor, 3, kAll}, // null
    DeviceRule{DeviceType::character, kMemoryMajor, 5, kAll}, // zero
    DeviceRule{DeviceType::character, kMemoryMajor, 7, kAll}, // full
    DeviceRule{DeviceType::character, kMemoryMajor, 8, kAll}, // random
    DeviceRule{DeviceType::character, kMemoryMajor, 9, kAll}, // urandom
    DeviceRule{DeviceType::character, kTtyMajor, 0, kAll},    // tty
    DeviceRule{DeviceType::character, kTtyMajor, 2, kAll},    // ptmx
    DeviceRule{DeviceType::character, kPtsMajor, {}, kUse},   // pts/*
    DeviceRule{DeviceType::character, kMiscMajor, 200, kAll}, // net/tun
    DeviceRule{DeviceType::character, kMiscMajor, 229, kAll}, // fuse
    DeviceRule{DeviceType::block, 0, 0, kMake},               // /run/host/inaccessible/blk: no driver has this number
};

// Registers of the program. R1 comes with the context; R0 goes back as the answer, 1 allows.
constexpr uint8_t kAnswer = BPF_REG_0;
constexpr uint8_t kContext = BPF_REG_1;
constexpr uint8_t kAccessAndType = BPF_REG_2; // as the kernel packs them: access << 16 | type
constexpr uint8_t kMajor = BPF_REG_3;
constexpr uint8_t kMinor = BPF_REG_4;
constexpr uint8_t kDifference = BPF_REG_5;
constexpr uint8_t kScratch = BPF_REG_6;
constexpr uint8_t kBits = BPF_REG_7;

// A 64-bit constant in two slots: BPF_LD | BPF_DW | BPF_IMM, where the first and the last are 0.
constexpr int kLoadConstant = BPF_DW;

bpf_insn instruction(int code, uint8_t target, uint8_t source, size_t offset, uint32_t value) {
    bpf_insn result{};
    result.code = static_cast<uint8_t>(code);
    result.dst_reg = target & 0xf;
    result.src_reg = source & 0xf;
    result.off = static_cast<int16_t>(offset);
    result.imm = static_cast<int32_t>(value);
    return result;
}
bpf_insn load(uint8_t target, size_t offset) {
    return instruction(BPF_LDX | BPF_W | BPF_MEM, target, kContext, offset, 0);
}
// 32-bit arithmetic with a constant: BPF_AND, BPF_SUB, …
bpf_insn calculate(int operation, uint8_t target, uint32_t value) {
    return instruction(BPF_ALU | BPF_K | operation, target, 0, 0, value);
}
// 64-bit arithmetic with a register.
bpf_insn combine(int operation, uint8_t target, uint8_t source) {
    return instruction(BPF_ALU64 | BPF_X | operation, target, source, 0, 0);
}
bpf_insn end() { return instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0); }

// Rules of one type, major number and access, for one minor number and the 63 that follow it, or for all.
struct Group {
    DeviceType type;
    uint32_t major;
    uint8_t access;
    std::optional<uint32_t> first_minor;
    uint64_t minors; // bit N: first_minor + N
};

// One rule for each device, with the accesses of all that name it, in the order of device numbers.
std::vector<DeviceRule> merge(std::span<const DeviceRule> rules) {
    const auto device = [](const DeviceRule& rule) { return std::tuple(rule.type, rule.major, rule.minor); };
    std::vector<DeviceRule> sorted(rules.begin(), rules.end());
    std::sort(sorted.begin(), sorted.end(),
              [&](const DeviceRule& a, const DeviceRule& b) { return device(a) < device(b); });
    std::vector<DeviceRule> merged;
    for (const DeviceRule& rule : sorted) {
        if (!merged.empty() && device(merged.back()) == device(rule)) {
            merged.back().access |= rule.access;
        } else {
            merged.push_back(rule);
        }
    }
    return merged;
}

bool add_to_group(Group& group, const DeviceRule& rule) {
    if (group.type != rule.type || group.major != rule.major || group.access != rule.access || !group.first_minor ||
        !rule.minor || *rule.minor - *group.first_minor > 63) {
        return false;
    }
    group.minors |= uint64_t{1} << (*rule.minor - *group.first_minor);
    return true;
}

std::vector<Group> group(std::span<const DeviceRule> rules) {
    std::vector<Group> groups;
    for (const DeviceRule& rule : merge(rules)) {
        const auto takes_it = [&](Group& group) { return add_to_group(group, rule); };
        if (std::none_of(groups.begin(), groups.end(), takes_it)) {
            groups.push_back({rule.type, rule.major, rule.access, rule.minor, 1});
        }
    }
    return groups;
}

// Gathers in one register whatever differs from the group, and returns "allowed" when nothing does. One branch for a
// whole group, since the kernel's verifier takes 3 µs for each branch and next to nothing for arithmetic.
void append_group(std::vector<bpf_insn>& program, const Group& group) {
    const uint32_t type = group.type == DeviceType::block ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
    const uint32_t forbidden = kAll & ~uint32_t{group.access};
    program.insert(program.end(), {
                                      combine(BPF_MOV, kDifference, kAccessAndType),
                                      calculate(BPF_AND, kDifference, forbidden << 16 | 0xffff),
                                      calculate(BPF_XOR, kDifference, type),
                                      combine(BPF_MOV, kScratch, kMajor),
                                      calculate(BPF_XOR, kScratch, group.major),
                                      combine(BPF_OR, kDifference, kScratch),
                                  });
    if (group.first_minor) {
        program.insert(program.end(),
                       {
                           combine(BPF_MOV, kScratch, kMinor),
                           calculate(BPF_SUB, kScratch, *group.first_minor), // wraps around for those before it
                           instruction(kLoadConstant, kBits, 0, 0, static_cast<uint32_t>(~group.minors)),
                           instruction(0, 0, 0, 0, static_cast<uint32_t>(~group.minors >> 32)),
                           combine(BPF_RSH, kBits, kScratch), // of no account when the next line finds more than 63
                           calculate(BPF_RSH, kScratch, 6),
                           combine(BPF_OR, kDifference, kScratch),
                           calculate(BPF_AND, kBits, 1),
                           combine(BPF_OR, kDifference, kBits),
                       });
    }
    program.push_back(instruction(BPF_JMP | BPF_JNE | BPF_K, kDifference, 0, 1, 0));
    program.push_back(end());
}

Result<long> bpf(bpf_cmd command, bpf_attr& attributes) {
    const long result = ::syscall(SYS_bpf, command, &attributes, sizeof attributes);
    if (result < 0) {
        return last_error("bpf");
    }
    return result;
}

Result<void> write_device_policy_version1(Cgroup& cgroup, std::span<const DeviceRule> rules,
                                          BeforeMaking before_making) {
    const Result<int> devices = cgroup.version1_group("devices", before_making);
    return devices.ok() ? write_device_list(devices.value(), rules) : Result<void>(devices.system_error());
}

} // namespace

std::span<const DeviceRule> default_device_rules() { return kDefaultRules; }

std::vector<bpf_insn> device_program(std::span<const DeviceRule> rules) {
    std::vector<bpf_insn> program = {
        load(kAccessAndType, offsetof(bpf_cgroup_dev_ctx, access_type)),
        load(kMajor, offsetof(bpf_cgroup_dev_ctx, major)),
        load(kMinor, offsetof(bpf_cgroup_dev_ctx, minor)),
        calculate(BPF_MOV, kAnswer, 1),
    };
    for (const Group& devices : group(rules)) {
        append_group(program, devices);
    }
    program.push_back(calculate(BPF_MOV, kAnswer, 0));
    program.push_back(end());
    return program;
}

Result<void> attach_device_program(int group, std::span<const bpf_insn> program) {
    bpf_attr load_request{};
    load_request.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    load_request.insns = reinterpret_cast<uintptr_t>(program.data());
    load_request.insn_cnt = static_cast<uint32_t>(program.size());
    load_request.license = reinterpret_cast<uintptr_t>("LGPL-2.1-or-later");
    const Result<long> loaded = bpf(BPF_PROG_LOAD, load_request);
    if (!loaded.ok()) {
        return loaded.system_error();
    }
    const UniqueFd program_fd(static_cast<int>(loaded.value())); // bpf descriptors are always close-on-exec
    bpf_attr attach_request{};
    attach_request.target_fd = static_cast<uint32_t>(group);
    attach_request.attach_bpf_fd = static_cast<uint32_t>(program_fd.get());
    attach_request.attach_type = BPF_CGROUP_DEVICE;
    // A systemd in the container attaches programs of its own below; each of them can only take away more.
    attach_request.attach_flags = BPF_F_ALLOW_MULTI;
    const Result<long> attached = bpf(BPF_PROG_ATTACH, attach_request);
    return attached.ok() ? Result<void>() : Result<void>(attached.system_error());
}

std::string device_list_line(const DeviceRule& rule) {
    return fmt::format("{} {}:{} {}{}{}", rule.type == DeviceType::block ? 'b' : 'c', rule.major,
                       rule.minor ? fmt::format("{}", *rule.minor) : "*", (rule.access & kRead) != 0 ? "r" : "",
                       (rule.access & kWrite) != 0 ? "w" : "", (rule.access & kMake) != 0 ? "m" : "");
}

Result<void> write_device_list(int group, std::span<const DeviceRule> rules) {
    Result<void> written = write_existing(group, "devices.deny", "a");
    for (size_t i = 0; written.ok() && i < rules.size(); ++i) {
        written = write_existing(group, "devices.allow", device_list_line(rules[i]));
    }
    return written;
}

std::string enforce_device_policy(Cgroup& cgroup, std::span<const DeviceRule> rules, BeforeMaking before_making) {
    SystemError why{ENOENT, "cgroup"};
    if (cgroup.policy_descriptor() >= 0) {
        const Result<void> attached = attach_device_program(cgroup.policy_descriptor(), device_program(rules));
        if (attached.ok()) {
            return {};
        }
        why = attached.system_error();
    }
    const Result<void> written = write_device_policy_version1(cgroup, rules, before_making);
    if (written.ok()) {
        return {};
    }
    if (cgroup.policy_descriptor() < 0) {
        why = written.system_error();
    }
    return fmt::format("the use of device nodes cannot be restricted: {}: {}", why.call, error_text(why.code));
}

} // namespace nspawn
