// verity_wish.hpp — the root hash, its signature and the hash tree that belong to an image without being in it.
//
// Options come first, then extended attributes of the image, then files beside it: NAME.roothash, NAME.roothash.p7s,
// NAME.usrhash, NAME.usrhash.p7s, NAME.verity, where NAME is the image's without ".raw". All of these are as hostile as
// the image; only an option makes a promise. Source: systemd-nspawn(1) --root-hash=, --root-hash-sig=, --verity-data=.
#pragma once

#include "base/unique_fd.hpp"
#include "config/config.hpp"
#include "config/environment_switches.hpp"
#include "image/select_partitions.hpp"

#include <string>

namespace nspawn {

struct VerityAttachments {
    VerityWish wish;
    UniqueFd data; // the file with the hash tree, open for reading; invalid: none
};

VerityAttachments find_verity(const Config& config, const ImageSwitches& switches, int image, const std::string& path);

} // namespace nspawn
