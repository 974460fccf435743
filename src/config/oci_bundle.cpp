#include "config/oci_bundle.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/path.hpp"
#include "base/text.hpp"
#include "config/oci_reader.hpp"
#include "config/option.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <fcntl.h>
#include <linux/sched.h>

namespace nspawn {

namespace oci {

namespace {

constexpr size_t kLargestFile = size_t{4} << 20;

void read_version(OciBundle& bundle, const OciValue& value) {
    const std::vector<std::string_view> parts = split(value.text(), '.');
    if (parts.size() < 3 || parts[0] != "1" || !parse_unsigned(parts[1])) {
        value.fail(fmt::format("version '{}' is not supported, only 1.x is", printable(value.text())));
    }
    bundle.runtime.version = value.text();
}

constexpr OciField<OciBundle> kRootFields[] = {
    {"path",
     [](OciBundle& bundle, const OciValue& value) {
         if (value.text().empty()) {
             value.fail("is empty");
         }
         bundle.root = simplified(is_absolute(value.text()) ? value.text() : join(bundle.runtime.bundle, value.text()));
     }},
    {"readonly",
     [](OciBundle& bundle, const OciValue& value) { say(bundle, "read-only", value, value.boolean() ? "yes" : "no"); }},
};

void read_root(OciBundle& bundle, const OciValue& value) {
    (void)value.require("path");
    read_members(bundle, value, kRootFields);
}

void read_annotations(OciBundle& bundle, const OciValue& value) {
    value.members(
        [&](std::string_view key, const OciValue& text) { bundle.runtime.annotations.emplace_back(key, text.text()); });
}

constexpr OciField<OciBundle> kFields[] = {
    {"ociVersion", read_version},
    {"process", read_process},
    {"root", read_root},
    {"hostname", [](OciBundle& bundle, const OciValue& value) { say(bundle, "hostname", value, value.text()); }},
    {"domainname", [](OciBundle& bundle, const OciValue& value) { bundle.runtime.domain_name = value.text(); }},
    {"mounts", read_mounts},
    {"hooks", read_hooks},
    {"annotations", read_annotations},
    {"linux", read_linux},
};

} // namespace

void say(OciBundle& bundle, std::string_view option, const OciValue& value, std::string text) {
    Assignment assignment;
    assignment.option = find_option(option);
    if (assignment.option == nullptr) {
        value.fail(fmt::format("needs --{}, which this version does not have", option));
    }
    assignment.spelled = value.place();
    assignment.value = std::move(text);
    assignment.has_value = true;
    assignment.origin.kind = Origin::Kind::bundle;
    assignment.origin.file = value.place();
    bundle.assignments.push_back(std::move(assignment));
}

void leave_out(OciBundle& bundle, const OciValue& value) { bundle.runtime.left_out.push_back(value.place()); }

void leave_out(OciBundle& bundle, const OciValue& value, std::string_view what) {
    bundle.runtime.left_out.push_back(fmt::format("{} ({})", value.place(), printable(what)));
}

} // namespace oci

namespace {

// A name would be given to the machine of whoever starts the container, or to that of the other one.
void check_names(const OciBundle& bundle, const OciValue& config) {
    const OciRuntime& runtime = bundle.runtime;
    const bool joined = std::any_of(runtime.joined_namespaces.begin(), runtime.joined_namespaces.end(),
                                    [](const OciNamespace& space) { return space.type == CLONE_NEWUTS; });
    if (!joined && (runtime.inherited_namespaces & CLONE_NEWUTS) == 0) {
        return;
    }
    config.members([](std::string_view key, const OciValue& value) {
        if ((key == "hostname" || key == "domainname") && !value.text().empty()) {
            value.fail("needs a uts namespace of the container's own");
        }
    });
}

// "idmap" alone means the map of the container.
void check_maps(const OciBundle& bundle, const OciValue& config) {
    const bool asked = std::any_of(bundle.mounts.begin(), bundle.mounts.end(),
                                   [](const CustomMount& mount) { return mount.mapping == BindMapping::same; });
    if (asked && (bundle.runtime.inherited_namespaces & CLONE_NEWUSER) != 0) {
        config.require("mounts").fail(
            "an idmap without uidMappings and gidMappings needs a user namespace of the container's own");
    }
}

} // namespace

OciBundle parse_oci_bundle(std::string_view text, const std::string& directory) {
    const JsonNode node = parse_json(text);
    const OciValue config(node, "");
    OciBundle bundle;
    bundle.runtime.bundle = directory;
    for (const std::string_view key : {"ociVersion", "root", "process"}) {
        (void)config.require(key);
    }
    read_members(bundle, config, oci::kFields);
    check_names(bundle, config);
    check_maps(bundle, config);
    return bundle;
}

OciBundle read_oci_bundle(const std::string& directory) {
    const std::string path = join(directory, "config.json");
    const Result<std::string> text = read_file(AT_FDCWD, path.c_str(), oci::kLargestFile);
    if (!text.ok()) {
        throw Error(fmt::format("--oci-bundle={}: config.json: {}", printable(directory),
                                text.error() == ENOTSUP ? "not a regular file"
                                : text.error() == EFBIG ? "longer than 4 MiB"
                                                        : error_text(text.error())))
            .with_code(text.error());
    }
    try {
        OciBundle bundle = parse_oci_bundle(text.value(), directory);
        bundle.file = path;
        return bundle;
    } catch (Error& error) {
        throw error.with_context("config.json");
    }
}

} // namespace nspawn
