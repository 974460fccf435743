// The "linux" object of a bundle, but for resources and seccomp: OCI runtime specification, config-linux.md.
#include "base/path.hpp"
#include "base/text.hpp"
#include "config/oci_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <optional>
#include <set>

#include <linux/sched.h>
#include <sys/stat.h>

namespace nspawn::oci {

namespace {

constexpr int64_t kLargestId = 4294967294;

uint32_t read_id(const OciValue& value, int64_t least = 0) {
    return static_cast<uint32_t>(value.integer(least, kLargestId));
}

constexpr OciField<IdRange> kMappingFields[] = {
    {"containerID", [](IdRange& range, const OciValue& value) { range.inside = read_id(value); }},
    {"hostID", [](IdRange& range, const OciValue& value) { range.outside = read_id(value); }},
    {"size", [](IdRange& range, const OciValue& value) { range.count = read_id(value, 1); }},
};

struct Reading {
    OciBundle& bundle;
    std::set<std::string> namespaces = {};
    IdRanges users = {};
    IdRanges groups = {};
    std::vector<std::pair<std::string, std::string>> sysctl = {}; // with the place
};

// The tree is put together in a mount namespace of its own, and users need to be known.
// There always is a new cgroup namespace: /sys/fs/cgroup would show, and let change, all of the host's groups without.
constexpr struct {
    std::string_view name;
    uint64_t flag;
    bool can_be_joined;
    bool can_be_inherited;
} kNamespaces[] = {{"mount", CLONE_NEWNS, false, false}, {"pid", CLONE_NEWPID, true, true},
                   {"ipc", CLONE_NEWIPC, true, true},    {"uts", CLONE_NEWUTS, true, true},
                   {"cgroup", 0, false, true},           {"user", CLONE_NEWUSER, false, true},
                   {"network", CLONE_NEWNET, true, true}};

void join_namespace(Reading& reading, uint64_t flag, const OciValue& path) {
    if (flag == CLONE_NEWNET) {
        say(reading.bundle, "network-namespace-path", path, path.path());
    } else {
        reading.bundle.runtime.joined_namespaces.push_back({flag, path.path(), path.place()});
    }
}

void read_namespace(Reading& reading, const OciValue& value) {
    const OciValue type = value.require("type");
    if (type.text() == "time") {
        type.fail("time namespaces are not supported");
    }
    const auto* const known = std::find_if(std::begin(kNamespaces), std::end(kNamespaces),
                                           [&](const auto& space) { return space.name == type.text(); });
    if (known == std::end(kNamespaces)) {
        type.fail(fmt::format("there is no namespace '{}'", printable(type.text())));
    }
    if (!reading.namespaces.insert(type.text()).second) {
        type.fail("is there twice");
    }
    bool joins = false;
    value.members([&](std::string_view key, const OciValue& member) {
        if (key == "path") {
            if (!known->can_be_joined) {
                member.fail(fmt::format("a {} namespace cannot be joined", known->name));
            }
            join_namespace(reading, known->flag, member);
            joins = true;
        } else if (key != "type") {
            member.fail("unknown key");
        }
    });
    if (known->flag == CLONE_NEWNET && !joins) {
        say(reading.bundle, "private-network", type, "yes");
    }
}

// What is not listed is that of whoever starts the container.
void settle_namespaces(Reading& reading, const OciValue& value) {
    for (const auto& space : kNamespaces) {
        if (reading.namespaces.count(std::string(space.name)) != 0) {
            continue;
        }
        if (!space.can_be_inherited) {
            value.require("namespaces")
                .fail(fmt::format("a container without a {} namespace is not supported", space.name));
        }
        reading.bundle.runtime.inherited_namespaces |= space.flag;
    }
}

constexpr struct {
    std::string_view name;
    mode_t type;
} kDeviceTypes[] = {{"c", S_IFCHR}, {"u", S_IFCHR}, {"b", S_IFBLK}, {"p", S_IFIFO}};

constexpr OciField<OciDevice> kDeviceFields[] = {
    {"path", [](OciDevice& device, const OciValue& value) { device.path = value.path(); }},
    {"type",
     [](OciDevice& device, const OciValue& value) {
         for (const auto& known : kDeviceTypes) {
             if (known.name == value.text()) {
                 device.mode |= known.type;
                 return;
             }
         }
         value.fail("not one of c, u, b, p");
     }},
    {"major",
     [](OciDevice& device, const OciValue& value) { device.major = static_cast<unsigned>(value.integer(0, 4095)); }},
    {"minor",
     [](OciDevice& device, const OciValue& value) { device.minor = static_cast<unsigned>(value.integer(0, 1048575)); }},
    {"fileMode",
     [](OciDevice& device, const OciValue& value) { device.mode |= static_cast<mode_t>(value.integer(0, 0777)); }},
    {"uid",
     [](OciDevice& device, const OciValue& value) { device.uid = static_cast<uid_t>(value.integer(0, kLargestId)); }},
    {"gid",
     [](OciDevice& device, const OciValue& value) { device.gid = static_cast<gid_t>(value.integer(0, kLargestId)); }},
};

void read_device(Reading& reading, const OciValue& value) {
    const OciValue path = value.require("path");
    (void)value.require("type");
    OciDevice device;
    bool has_mode = false;
    value.members([&](std::string_view key, const OciValue&) { has_mode = has_mode || key == "fileMode"; });
    if (!has_mode) {
        device.mode = 0666;
    }
    read_members(device, value, kDeviceFields);
    if (!S_ISFIFO(device.mode)) {
        (void)value.require("major");
        (void)value.require("minor");
        // A node that may be made but not used would be of no use.
        reading.bundle.runtime.device_rules.push_back(
            {.type = S_ISBLK(device.mode) ? DeviceType::block : DeviceType::character,
             .major = device.major,
             .minor = device.minor,
             .access = device_access::kAll});
    }
    if (!is_within(device.path, "/dev") || device.path == "/dev") {
        path.fail("lies outside of /dev, which is not supported");
    }
    reading.bundle.runtime.devices.push_back(std::move(device));
}

// Those of a namespace, and nothing of the whole machine. Source: OCI runtime specification, config-linux "Sysctl".
constexpr struct {
    std::string_view name; // ends in '.': everything below
    std::string_view space;
} kSysctl[] = {
    {"kernel.domainname", "uts"},      {"kernel.hostname", "uts"}, {"kernel.msgmax", "ipc"},
    {"kernel.msgmnb", "ipc"},          {"kernel.msgmni", "ipc"},   {"kernel.sem", "ipc"},
    {"kernel.shmall", "ipc"},          {"kernel.shmmax", "ipc"},   {"kernel.shmmni", "ipc"},
    {"kernel.shm_rmid_forced", "ipc"}, {"fs.mqueue.", "ipc"},      {"net.", "network"},
};

void read_sysctl(Reading& reading, const OciValue& value) {
    value.members([&](std::string_view key, const OciValue& member) {
        // "net/ipv4/conf/eth0.1/x" is the form for names with dots in them.
        std::string name(key);
        const bool slashes = name.find('/') != std::string::npos;
        std::string path = name;
        for (char& c : path) {
            c = !slashes && c == '.' ? '/' : c;
        }
        for (char& c : name) {
            c = slashes && c == '/' ? '.' : c;
        }
        if (!is_normalized(path) || is_absolute(path)) {
            member.fail("is no name of a sysctl");
        }
        for (const auto& known : kSysctl) {
            const bool matches = known.name.ends_with('.') ? name.starts_with(known.name) : name == known.name;
            if (matches && reading.namespaces.count(std::string(known.space)) == 0) {
                member.fail(fmt::format("needs a {} namespace of the container's own", known.space));
            }
            if (matches) {
                reading.bundle.runtime.sysctl.emplace_back(std::move(path), member.text());
                return;
            }
        }
        member.fail("is not the container's own to set");
    });
}

void read_paths(std::vector<std::string>& paths, const OciValue& value) {
    value.each([&](const OciValue& each) { paths.push_back(each.path()); });
}

constexpr OciField<OciBundle> kPersonalityFields[] = {
    {"domain",
     [](OciBundle& bundle, const OciValue& value) {
         if (value.text() == "LINUX32") {
             say(bundle, "personality", value, "x86");
         } else if (value.text() != "LINUX") {
             value.fail("not LINUX or LINUX32");
         }
     }},
    {"flags", [](OciBundle&,
                 const OciValue& value) { value.each([](const OciValue& flag) { flag.fail("is not supported"); }); }},
};

constexpr OciField<Reading> kFields[] = {
    {"namespaces", [](Reading&, const OciValue&) {}}, // read before the others
    {"uidMappings", [](Reading& reading, const OciValue& value) { reading.users = read_id_ranges(value); }},
    {"gidMappings", [](Reading& reading, const OciValue& value) { reading.groups = read_id_ranges(value); }},
    {"devices", [](Reading& reading,
                   const OciValue& value) { value.each([&](const OciValue& each) { read_device(reading, each); }); }},
    {"netDevices", [](Reading&, const OciValue& value) { value.fail("is not supported"); }},
    {"cgroupsPath", [](Reading& reading, const OciValue& value) { leave_out(reading.bundle, value); }},
    {"resources", [](Reading& reading, const OciValue& value) { read_resources(reading.bundle, value); }},
    {"sysctl", read_sysctl},
    {"seccomp", [](Reading& reading, const OciValue& value) { read_seccomp(reading.bundle, value); }},
    {"rootfsPropagation", [](Reading& reading, const OciValue& value) { leave_out(reading.bundle, value); }},
    {"maskedPaths",
     [](Reading& reading, const OciValue& value) { read_paths(reading.bundle.runtime.masked_paths, value); }},
    {"readonlyPaths",
     [](Reading& reading, const OciValue& value) { read_paths(reading.bundle.runtime.read_only_paths, value); }},
    {"mountLabel", [](Reading& reading, const OciValue& value) { leave_out(reading.bundle, value); }},
    {"intelRdt", [](Reading& reading, const OciValue& value) { leave_out(reading.bundle, value); }},
    {"personality",
     [](Reading& reading, const OciValue& value) { read_members(reading.bundle, value, kPersonalityFields); }},
    {"timeOffsets", [](Reading&, const OciValue& value) { value.fail("is not supported"); }},
};

void settle_users(Reading& reading, const OciValue& value) {
    const bool wanted = reading.namespaces.count("user") != 0;
    if (wanted == reading.users.empty() || reading.users.empty() != reading.groups.empty()) {
        value.fail("a user namespace and both uidMappings and gidMappings belong together");
    }
    if (!wanted) {
        return;
    }
    if (reading.users != reading.groups) {
        value.require("gidMappings").fail("is not the same as uidMappings");
    }
    say(reading.bundle, "private-users", value.require("uidMappings"), describe_id_ranges(reading.users));
    say(reading.bundle, "private-users-ownership", value.require("uidMappings"), "off");
}

} // namespace

IdRanges read_id_ranges(const OciValue& value) {
    IdRanges ranges;
    value.each([&](const OciValue& each) {
        for (const std::string_view key : {"containerID", "hostID", "size"}) {
            (void)each.require(key);
        }
        read_members(ranges.emplace_back(), each, kMappingFields);
    });
    if (const std::string problem = find_id_range_problem(ranges); !problem.empty()) {
        value.fail(problem);
    }
    return ranges;
}

void read_linux(OciBundle& bundle, const OciValue& value) {
    Reading reading{.bundle = bundle};
    value.require("namespaces").each([&](const OciValue& each) { read_namespace(reading, each); });
    settle_namespaces(reading, value);
    read_members(reading, value, kFields);
    settle_users(reading, value);
}

} // namespace nspawn::oci
