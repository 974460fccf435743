// oci_runtime.hpp — what an OCI bundle asks for beyond what options can say.
//
// Plain data, part of the Config of a container that is started from a bundle. Everything in it is carried out; what is
// not supported never gets here. Source: OCI runtime specification 1.x, config.md and config-linux.md.
#pragma once

#include "linux/capability.hpp"
#include "linux/device_policy.hpp"
#include "linux/mount_fd.hpp"
#include "linux/mount_words.hpp"
#include "linux/seccomp_rules.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace nspawn {

struct OciUser {
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups;
    std::optional<mode_t> umask;
};

struct OciDevice {
    std::string path;
    mode_t mode = 0; // type and permissions
    unsigned major = 0;
    unsigned minor = 0;
    uid_t uid = 0;
    gid_t gid = 0;
};

// What is said of a mount that every container has anyway.
struct OciOwnMount {
    std::string target;
    MountChange change;
    std::vector<MountOption> options; // of the file system; instead of ours of the same name
};

// A namespace that exists already and becomes the container's.
struct OciNamespace {
    uint64_t type = 0; // CLONE_NEW*
    std::string path;
    std::string place; // "linux.namespaces[1].path"
};

struct OciHook {
    std::string path;
    std::vector<std::string> words; // argv, with the name
    std::vector<std::string> environment;
    std::optional<unsigned> timeout; // seconds
    std::string place;               // "hooks.prestart[0]"
};

// In the order in which they are run.
struct OciHooks {
    std::vector<OciHook> prestart;
    std::vector<OciHook> create_runtime;
    std::vector<OciHook> create_container;
    std::vector<OciHook> start_container;
    std::vector<OciHook> poststart;
    std::vector<OciHook> poststop;
};

struct OciRuntime {
    std::string bundle; // absolute path of its directory
    std::string version;
    std::vector<std::pair<std::string, std::string>> annotations;

    std::optional<OciUser> user;
    std::optional<CapabilitySets> capabilities;
    std::optional<SeccompRules> seccomp;
    std::string domain_name;
    std::vector<std::pair<std::string, std::string>> sysctl; // dotted names
    uint64_t inherited_namespaces = 0; // CLONE_NEW*: not listed, so those of whoever starts the container
    std::vector<OciNamespace> joined_namespaces;
    std::vector<OciDevice> devices;
    std::vector<OciOwnMount> own_mounts;
    std::vector<DeviceRule> device_rules; // allowed beside the default ones
    std::vector<std::string> masked_paths;
    std::vector<std::string> read_only_paths;
    std::vector<std::pair<std::string, std::string>> cgroup_attributes;    // file of the version 2 group, value
    std::optional<std::pair<unsigned short, unsigned short>> console_size; // rows, columns
    OciHooks hooks;
    std::vector<std::string> left_out; // places in config.json that are known, harmless and not supported; for a notice
};

} // namespace nspawn
