// device_policy.hpp — which device nodes may be opened and made in the container: DevicePolicy=closed.
//
// Turns a list of rules into a program of the cgroup device hook (version 2, also on hybrid hosts) or into lines of the
// devices controller (version 1). The program belongs to the group and goes away with it. Never decides whether the
// start goes on: where no policy can be had, it says why.
// Sources: systemd.resource-control(5) DeviceAllow= and DevicePolicy=, bpf(2), linux/bpf.h, kernel documentation
// admin-guide/cgroup-v1/devices and bpf/standardization/instruction-set; the list: spec C.7.
#pragma once

#include "base/result.hpp"
#include "linux/cgroup.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <linux/bpf.h>

namespace nspawn {

enum class DeviceType : uint8_t { block, character };

// Bits of an access; the kernel asks for several at once when a node is opened for reading and writing.
namespace device_access {
constexpr uint8_t kMake = BPF_DEVCG_ACC_MKNOD;
constexpr uint8_t kRead = BPF_DEVCG_ACC_READ;
constexpr uint8_t kWrite = BPF_DEVCG_ACC_WRITE;
constexpr uint8_t kUse = kRead | kWrite;
constexpr uint8_t kAll = kMake | kRead | kWrite;
} // namespace device_access

struct DeviceRule {
    DeviceType type = DeviceType::character;
    uint32_t major = 0;
    std::optional<uint32_t> minor; // empty: every minor number
    uint8_t access = 0;
};

// The nodes that every container has, and what systemd's machine scopes add: /dev/net/tun, /dev/fuse, pseudo terminals.
std::span<const DeviceRule> default_device_rules();

// The program that allows an access when one rule covers all of it, and refuses it otherwise.
std::vector<bpf_insn> device_program(std::span<const DeviceRule> rules);
// Loads the program and attaches it to a version 2 group; programs of groups above and below it stay in force.
Result<void> attach_device_program(int group, std::span<const bpf_insn> program);

// "c 1:3 rwm", as devices.allow has it.
std::string device_list_line(const DeviceRule& rule);
// Replaces what a version 1 group allows.
Result<void> write_device_list(int group, std::span<const DeviceRule> rules);

// Puts the rules in force for the machine's groups, before its first process is there. Empty: they hold; else why not.
std::string enforce_device_policy(Cgroup& cgroup, std::span<const DeviceRule> rules, BeforeMaking before_making = {});

} // namespace nspawn
