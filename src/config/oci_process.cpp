// The "process" object of a bundle: OCI runtime specification, config.md "Process".
#include "base/text.hpp"
#include "config/oci_reader.hpp"
#include "config/option.hpp"
#include "linux/resource_limit.hpp"

#include <fmt/format.h>

#include <climits>

namespace nspawn::oci {

namespace {

constexpr int64_t kLargestId = 4294967294;

void read_console_size(OciBundle& bundle, const OciValue& value) {
    const auto size_of = [&](std::string_view key) {
        return static_cast<unsigned short>(value.require(key).integer(0, USHRT_MAX));
    };
    bundle.runtime.console_size = {size_of("height"), size_of("width")};
    value.members([&](std::string_view key, const OciValue& member) {
        if (key != "height" && key != "width") {
            member.fail("unknown key");
        }
    });
}

constexpr OciField<OciUser> kUserFields[] = {
    {"uid", [](OciUser& user, const OciValue& value) { user.uid = static_cast<uid_t>(value.integer(0, kLargestId)); }},
    {"gid", [](OciUser& user, const OciValue& value) { user.gid = static_cast<gid_t>(value.integer(0, kLargestId)); }},
    {"umask", [](OciUser& user, const OciValue& value) { user.umask = static_cast<mode_t>(value.integer(0, 0777)); }},
    {"additionalGids",
     [](OciUser& user, const OciValue& value) {
         value.each([&](const OciValue& id) { user.groups.push_back(static_cast<gid_t>(id.integer(0, kLargestId))); });
     }},
    {"username", [](OciUser&, const OciValue& value) { value.fail("is for Windows only; give uid and gid"); }},
};

void read_user(OciBundle& bundle, const OciValue& value) {
    read_members(bundle.runtime.user.emplace(), value, kUserFields);
}

void read_environment(OciBundle& bundle, const OciValue& value) {
    value.each([&](const OciValue& entry) {
        const std::string& text = entry.text();
        if (text.find('=') == std::string::npos || text.starts_with('=')) {
            entry.fail("is not NAME=VALUE");
        }
        say(bundle, "setenv", entry, text);
    });
}

std::string limit_text(const OciValue& value) {
    const uint64_t number = value.number();
    return number == UINT64_MAX ? "infinity" : std::to_string(number);
}

void read_limit(OciBundle& bundle, const OciValue& value) {
    const OciValue type = value.require("type");
    const auto resource = type.text().starts_with("RLIMIT_") ? parse_resource_name(type.text()) : std::nullopt;
    if (!resource) {
        type.fail(fmt::format("'{}' is no resource limit", printable(type.text())));
    }
    const OciValue soft = value.require("soft");
    const OciValue hard = value.require("hard");
    if (soft.number() > hard.number()) {
        soft.fail("is above the hard limit");
    }
    value.members([&](std::string_view key, const OciValue& member) {
        if (key != "type" && key != "soft" && key != "hard") {
            member.fail("unknown key");
        }
    });
    for (const Assignment& earlier : bundle.assignments) {
        if (earlier.option->name == "rlimit" &&
            earlier.value.starts_with(std::string(resource_name(*resource)) + "=")) {
            value.fail(fmt::format("{} is there twice", printable(type.text())));
        }
    }
    say(bundle, "rlimit", value, fmt::format("{}={}:{}", resource_name(*resource), limit_text(soft), limit_text(hard)));
}

CapabilityMask read_capability_set(const OciValue& value) {
    CapabilityMask mask = 0;
    value.each([&](const OciValue& name) {
        const auto number = parse_capability(name.text());
        if (!number) {
            name.fail(fmt::format("there is no capability {}", printable(name.text())));
        }
        mask |= capability_bit(*number);
    });
    return mask;
}

struct CapabilityReading {
    CapabilitySets sets;
    unsigned given = 0;
};

template <CapabilityMask CapabilitySets::*member, unsigned bit>
void read_set(CapabilityReading& reading, const OciValue& value) {
    reading.sets.*member = read_capability_set(value);
    reading.given |= 1U << bit;
}

constexpr OciField<CapabilityReading> kCapabilityFields[] = {
    {"effective", read_set<&CapabilitySets::effective, 0>},     {"bounding", read_set<&CapabilitySets::bounding, 1>},
    {"inheritable", read_set<&CapabilitySets::inheritable, 2>}, {"permitted", read_set<&CapabilitySets::permitted, 3>},
    {"ambient", read_set<&CapabilitySets::ambient, 4>},
};

// Each set can only hold what the kernel lets it, capabilities(7).
void check_capabilities(const OciValue& value, const CapabilitySets& sets) {
    if ((sets.effective & ~sets.permitted) != 0) {
        value.fail("the effective set has capabilities that the permitted set lacks");
    }
}

void read_capabilities(OciBundle& bundle, const OciValue& value) {
    CapabilityReading reading;
    read_members(reading, value, kCapabilityFields);
    // What is left out is as the bounding set (spec C.6), but for the ambient one: it would give them to every program.
    const auto given = [&](unsigned bit) { return (reading.given & (1U << bit)) != 0; };
    if (!given(0)) {
        reading.sets.effective = reading.sets.bounding;
    }
    if (!given(3)) {
        reading.sets.permitted = reading.sets.bounding;
    }
    if (given(4) && !given(2)) {
        reading.sets.inheritable = reading.sets.ambient;
    }
    // Ambient capabilities that are not inheritable cannot be had; other runtimes leave them out, and so do we, but
    // not in silence.
    const CapabilityMask possible = reading.sets.permitted & reading.sets.inheritable;
    if (const CapabilityMask refused = reading.sets.ambient & ~possible; refused != 0) {
        leave_out(bundle, value.require("ambient"),
                  fmt::format("{}: not both permitted and inheritable", format_capabilities(refused)));
    }
    reading.sets.ambient &= possible;
    check_capabilities(value, reading.sets);
    bundle.runtime.capabilities = reading.sets;
}

constexpr OciField<OciBundle> kFields[] = {
    {"terminal",
     [](OciBundle& bundle, const OciValue& value) {
         if (!value.boolean()) {
             say(bundle, "console", value, "pipe");
         }
     }},
    {"consoleSize", read_console_size},
    {"user", read_user},
    {"args",
     [](OciBundle& bundle, const OciValue& value) {
         bundle.words = value.texts();
         if (bundle.words.empty() || bundle.words.front().empty()) {
             value.fail("names no program");
         }
     }},
    {"env", read_environment},
    {"cwd", [](OciBundle& bundle, const OciValue& value) { say(bundle, "chdir", value, value.path()); }},
    {"rlimits", [](OciBundle& bundle,
                   const OciValue& value) { value.each([&](const OciValue& limit) { read_limit(bundle, limit); }); }},
    {"capabilities", read_capabilities},
    {"noNewPrivileges",
     [](OciBundle& bundle, const OciValue& value) {
         say(bundle, "no-new-privileges", value, value.boolean() ? "yes" : "no");
     }},
    {"oomScoreAdj",
     [](OciBundle& bundle, const OciValue& value) {
         say(bundle, "oom-score-adjust", value, std::to_string(value.integer(-1000, 1000)));
     }},
    {"apparmorProfile", leave_out},
    {"selinuxLabel", leave_out},
    {"ioPriority", [](OciBundle&, const OciValue& value) { value.fail("is not supported"); }},
    {"scheduler", [](OciBundle&, const OciValue& value) { value.fail("is not supported"); }},
    {"execCPUAffinity", leave_out}, // of programs that join later, which we have none of
};

} // namespace

void read_process(OciBundle& bundle, const OciValue& value) {
    for (const std::string_view key : {"args", "cwd"}) {
        (void)value.require(key);
    }
    read_members(bundle, value, kFields);
}

} // namespace nspawn::oci
