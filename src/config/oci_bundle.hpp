// oci_bundle.hpp — reads the config.json of an OCI bundle (--oci-bundle=).
//
// What an option can say becomes an assignment of that option, so that the command line wins over it as over a settings
// file; the rest becomes an OciRuntime. Strict: an unknown key, a value of the wrong type and whatever cannot be
// carried out is an error that names its place; what is known, harmless and not supported is listed for one notice. The
// file is the user's, like a settings file in /etc; it is read once, up to a limit. Source: OCI runtime
// specification 1.x.
#pragma once

#include "config/assignment.hpp"
#include "config/custom_mount.hpp"
#include "config/oci_runtime.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

struct OciBundle {
    std::string file;                    // config.json, for messages
    std::string root;                    // absolute
    std::vector<Assignment> assignments; // of options that are not given on the command line
    std::vector<std::string> words;
    std::vector<CustomMount> mounts;
    OciRuntime runtime;
};

OciBundle read_oci_bundle(const std::string& directory);
// The same from the file's text. Errors name the place only.
OciBundle parse_oci_bundle(std::string_view text, const std::string& directory);

} // namespace nspawn
