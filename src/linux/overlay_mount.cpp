#include "linux/overlay_mount.hpp"

#include "linux/id_map.hpp"

#include <vector>

namespace nspawn {

namespace {

std::string descriptor_path(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

// Linux 6.13 and later: mountinfo then shows where the layers really are.
std::vector<MountOption> layers_by_descriptor(const OverlayLayers& layers) {
    std::vector<MountOption> options;
    for (const int lower : layers.lower) {
        options.push_back({"lowerdir+", "", lower});
    }
    if (layers.upper >= 0) {
        options.push_back({"upperdir", "", layers.upper});
        options.push_back({"workdir", "", layers.work});
    }
    return options;
}

std::vector<MountOption> layers_by_path(const OverlayLayers& layers) {
    std::string lower;
    for (const int layer : layers.lower) {
        lower += (lower.empty() ? "" : ":") + descriptor_path(layer);
    }
    std::vector<MountOption> options = {{"lowerdir", lower}};
    if (layers.upper >= 0) {
        options.push_back({"upperdir", descriptor_path(layers.upper)});
        options.push_back({"workdir", descriptor_path(layers.work)});
    }
    return options;
}

} // namespace

Result<MountFd> mount_overlay(const OverlayLayers& layers, std::span<const MountOption> options, uint64_t attributes,
                              std::string* complaint) {
    std::vector<MountOption> own(options.begin(), options.end());
    if (!in_initial_user_namespace()) {
        // Its notes go into user.* attributes, Linux 5.11; renamed directories cannot be noted there.
        std::erase_if(own, [](const MountOption& option) { return option.name == "redirect_dir"; });
        own.push_back({"userxattr", ""});
    }
    std::vector<MountOption> all = layers_by_descriptor(layers);
    all.insert(all.end(), own.begin(), own.end());
    Result<MountFd> mount = MountFd::create("overlay", all, attributes, complaint);
    // EOPNOTSUPP: a file system that knows of no descriptors at all, as this one until Linux 6.5.
    if (mount.error() != EINVAL && mount.error() != EOPNOTSUPP) {
        return mount;
    }
    all = layers_by_path(layers);
    all.insert(all.end(), own.begin(), own.end());
    return MountFd::create("overlay", all, attributes, complaint);
}

} // namespace nspawn
