// "linux.resources" of a bundle as attributes of a version 2 control group: OCI runtime specification, config-linux.md
// "Control groups"; the kernel's Documentation/admin-guide/cgroup-v2.rst. How values of version 1 turn into those of
// version 2 is what all runtimes agree on.
#include "base/text.hpp"
#include "config/oci_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace nspawn::oci {

namespace {

void set_attribute(OciBundle& bundle, std::string file, std::string value) {
    bundle.runtime.cgroup_attributes.emplace_back(std::move(file), std::move(value));
}

void refuse(OciBundle& /*bundle*/, const OciValue& value) { value.fail("is not supported"); }

std::string amount(int64_t value) { return value < 0 ? "max" : std::to_string(value); }

struct Memory {
    OciBundle& bundle;
    std::optional<int64_t> limit = {};
    std::optional<int64_t> swap = {};
    std::string swap_place = {};
};

constexpr OciField<Memory> kMemoryFields[] = {
    {"limit", [](Memory& memory, const OciValue& value) { memory.limit = value.integer(-1, INT64_MAX); }},
    {"reservation",
     [](Memory& memory, const OciValue& value) {
         set_attribute(memory.bundle, "memory.low", amount(value.integer(-1, INT64_MAX)));
     }},
    {"swap",
     [](Memory& memory, const OciValue& value) {
         memory.swap = value.integer(-1, INT64_MAX);
         memory.swap_place = value.place();
     }},
    {"swappiness", [](Memory& memory, const OciValue& value) { leave_out(memory.bundle, value); }},
    {"kernel", [](Memory& memory, const OciValue& value) { leave_out(memory.bundle, value); }},
    {"kernelTCP", [](Memory& memory, const OciValue& value) { leave_out(memory.bundle, value); }},
    {"disableOOMKiller", [](Memory& memory, const OciValue& value) { leave_out(memory.bundle, value); }},
    {"useHierarchy", [](Memory& memory, const OciValue& value) { leave_out(memory.bundle, value); }},
    {"checkBeforeUpdate", [](Memory& memory, const OciValue& value) { leave_out(memory.bundle, value); }},
};

void read_memory(OciBundle& bundle, const OciValue& value) {
    Memory memory{.bundle = bundle};
    read_members(memory, value, kMemoryFields);
    if (memory.limit) {
        set_attribute(bundle, "memory.max", amount(*memory.limit));
    }
    if (!memory.swap) {
        return;
    }
    // Here it is memory and swap together.
    if (*memory.swap >= 0 && (!memory.limit || *memory.limit < 0 || *memory.swap < *memory.limit)) {
        value.require("swap").fail("has to be given together with memory.limit, and cannot be less");
    }
    set_attribute(bundle, "memory.swap.max", amount(*memory.swap < 0 ? -1 : *memory.swap - *memory.limit));
}

struct Cpu {
    OciBundle& bundle;
    std::optional<int64_t> quota = {};
    std::optional<int64_t> period = {};
};

constexpr int64_t kDefaultPeriod = 100000;

constexpr OciField<Cpu> kCpuFields[] = {
    {"shares",
     [](Cpu& cpu, const OciValue& value) {
         constexpr int64_t kLeast = 2;
         constexpr int64_t kMost = 262144;
         const int64_t shares = std::clamp(value.integer(0, INT64_MAX), kLeast, kMost);
         set_attribute(cpu.bundle, "cpu.weight", std::to_string(1 + (shares - kLeast) * 9999 / (kMost - kLeast)));
     }},
    {"quota", [](Cpu& cpu, const OciValue& value) { cpu.quota = value.integer(-1, INT64_MAX); }},
    {"period", [](Cpu& cpu, const OciValue& value) { cpu.period = value.integer(1000, 1000000); }},
    {"burst",
     [](Cpu& cpu, const OciValue& value) {
         set_attribute(cpu.bundle, "cpu.max.burst", std::to_string(value.integer(0, INT64_MAX)));
     }},
    {"idle", [](Cpu& cpu,
                const OciValue& value) { set_attribute(cpu.bundle, "cpu.idle", std::to_string(value.integer(0, 1))); }},
    {"cpus", [](Cpu& cpu, const OciValue& value) { say(cpu.bundle, "cpu-affinity", value, value.text()); }},
    {"mems", [](Cpu& cpu, const OciValue& value) { refuse(cpu.bundle, value); }},
    {"realtimeRuntime", [](Cpu& cpu, const OciValue& value) { refuse(cpu.bundle, value); }},
    {"realtimePeriod", [](Cpu& cpu, const OciValue& value) { refuse(cpu.bundle, value); }},
};

void read_cpu(OciBundle& bundle, const OciValue& value) {
    Cpu cpu{.bundle = bundle};
    read_members(cpu, value, kCpuFields);
    if (cpu.quota || cpu.period) {
        const int64_t quota = cpu.quota.value_or(-1);
        set_attribute(
            bundle, "cpu.max",
            fmt::format("{} {}", quota <= 0 ? "max" : std::to_string(quota), cpu.period.value_or(kDefaultPeriod)));
    }
}

int64_t io_weight(const OciValue& value) {
    constexpr int64_t kLeast = 10;
    constexpr int64_t kMost = 1000;
    return 1 + (value.integer(kLeast, kMost) - kLeast) * 9999 / (kMost - kLeast);
}

std::string device_number(const OciValue& value) {
    return fmt::format("{}:{}", value.require("major").integer(0, 4095), value.require("minor").integer(0, 1048575));
}

void read_device_weight(OciBundle& bundle, const OciValue& value) {
    value.members([&](std::string_view key, const OciValue& member) {
        if (key == "weight") {
            set_attribute(bundle, "io.weight", fmt::format("{} {}", device_number(value), io_weight(member)));
        } else if (key == "leafWeight") {
            leave_out(bundle, member);
        } else if (key != "major" && key != "minor") {
            member.fail("unknown key");
        }
    });
}

void read_throttle(OciBundle& bundle, const OciValue& value, std::string_view what) {
    value.each([&](const OciValue& each) {
        each.members([&](std::string_view key, const OciValue& member) {
            if (key == "rate") {
                set_attribute(bundle, "io.max",
                              fmt::format("{} {}={}", device_number(each), what, member.integer(1, INT64_MAX)));
            } else if (key != "major" && key != "minor") {
                member.fail("unknown key");
            }
        });
    });
}

constexpr OciField<OciBundle> kBlockFields[] = {
    {"weight",
     [](OciBundle& bundle, const OciValue& value) {
         set_attribute(bundle, "io.weight", fmt::format("default {}", io_weight(value)));
     }},
    {"leafWeight", leave_out},
    {"weightDevice",
     [](OciBundle& bundle, const OciValue& value) {
         value.each([&](const OciValue& each) { read_device_weight(bundle, each); });
     }},
    {"throttleReadBpsDevice", [](OciBundle& bundle, const OciValue& value) { read_throttle(bundle, value, "rbps"); }},
    {"throttleWriteBpsDevice", [](OciBundle& bundle, const OciValue& value) { read_throttle(bundle, value, "wbps"); }},
    {"throttleReadIOPSDevice", [](OciBundle& bundle, const OciValue& value) { read_throttle(bundle, value, "riops"); }},
    {"throttleWriteIOPSDevice",
     [](OciBundle& bundle, const OciValue& value) { read_throttle(bundle, value, "wiops"); }},
};

constexpr OciField<OciBundle> kPidsFields[] = {
    {"limit",
     [](OciBundle& bundle, const OciValue& value) {
         const int64_t limit = value.integer(-1, INT64_MAX);
         set_attribute(bundle, "pids.max", limit <= 0 ? "max" : std::to_string(limit));
     }},
};

struct DeviceReading {
    bool allow = false;
    std::optional<char> type = {};
    std::optional<uint32_t> major = {};
    std::optional<uint32_t> minor = {};
    uint8_t access = 0;
};

constexpr OciField<DeviceReading> kDeviceFields[] = {
    {"allow", [](DeviceReading& device, const OciValue& value) { device.allow = value.boolean(); }},
    {"type",
     [](DeviceReading& device, const OciValue& value) {
         if (value.text() != "a" && value.text() != "b" && value.text() != "c") {
             value.fail("not one of a, b, c");
         }
         device.type = value.text().front();
     }},
    {"major",
     [](DeviceReading& device, const OciValue& value) {
         if (const int64_t number = value.integer(-1, 4095); number >= 0) {
             device.major = static_cast<uint32_t>(number);
         }
     }},
    {"minor",
     [](DeviceReading& device, const OciValue& value) {
         if (const int64_t number = value.integer(-1, 1048575); number >= 0) {
             device.minor = static_cast<uint32_t>(number);
         }
     }},
    {"access",
     [](DeviceReading& device, const OciValue& value) {
         for (const char c : value.text()) {
             const uint8_t bit = c == 'r'   ? device_access::kRead
                                 : c == 'w' ? device_access::kWrite
                                 : c == 'm' ? device_access::kMake
                                            : 0;
             if (bit == 0) {
                 value.fail("not made of r, w and m");
             }
             device.access |= bit;
         }
     }},
};

// Everything that no rule allows is refused anyway, so that a rule that refuses can only be the usual one for all.
void read_device_rule(OciBundle& bundle, const OciValue& value) {
    (void)value.require("allow");
    DeviceReading device;
    read_members(device, value, kDeviceFields);
    const uint8_t access = device.access == 0 ? device_access::kAll : device.access;
    const bool every_device = !device.major && !device.minor;
    if (!device.allow) {
        if (!every_device || device.type.value_or('a') != 'a') {
            value.fail("only a rule that refuses all devices is supported; those that none allows are refused anyway");
        }
        return;
    }
    if (!device.major || device.type.value_or('a') == 'a') {
        value.fail("a rule that allows has to name the type and the major number");
    }
    bundle.runtime.device_rules.push_back({.type = *device.type == 'b' ? DeviceType::block : DeviceType::character,
                                           .major = *device.major,
                                           .minor = device.minor,
                                           .access = access});
}

void read_unified(OciBundle& bundle, const OciValue& value) {
    value.members([&](std::string_view key, const OciValue& member) {
        // Not "cgroup.": the group itself is ours.
        if (key.find('/') != std::string_view::npos || key.find('.') == std::string_view::npos ||
            key.starts_with("cgroup.") || key.starts_with('.')) {
            member.fail("is no attribute of a controller");
        }
        set_attribute(bundle, std::string(key), member.text());
    });
}

constexpr OciField<OciBundle> kFields[] = {
    {"devices",
     [](OciBundle& bundle, const OciValue& value) {
         value.each([&](const OciValue& each) { read_device_rule(bundle, each); });
     }},
    {"memory", read_memory},
    {"cpu", read_cpu},
    {"pids", [](OciBundle& bundle, const OciValue& value) { read_members(bundle, value, kPidsFields); }},
    {"blockIO", [](OciBundle& bundle, const OciValue& value) { read_members(bundle, value, kBlockFields); }},
    {"unified", read_unified},
    {"hugepageLimits", leave_out},
    {"network", leave_out},
    {"rdma", leave_out},
};

} // namespace

void read_resources(OciBundle& bundle, const OciValue& value) { read_members(bundle, value, kFields); }

} // namespace nspawn::oci
