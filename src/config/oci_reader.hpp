// oci_reader.hpp — what the readers of a bundle's parts share; private to the oci_*.cpp files.
#pragma once

#include "config/oci_bundle.hpp"
#include "config/oci_value.hpp"

namespace nspawn::oci {

// As if the option had been given.
void say(OciBundle& bundle, std::string_view option, const OciValue& value, std::string text);
// Known, harmless to leave out, and left out.
void leave_out(OciBundle& bundle, const OciValue& value);
// The same of one word of several.
void leave_out(OciBundle& bundle, const OciValue& value, std::string_view what);

// An array of mappings: `inside` is "containerID", `outside` "hostID".
IdRanges read_id_ranges(const OciValue& value);

void read_process(OciBundle& bundle, const OciValue& value);
void read_mounts(OciBundle& bundle, const OciValue& value);
void read_linux(OciBundle& bundle, const OciValue& value);
void read_resources(OciBundle& bundle, const OciValue& value);
void read_seccomp(OciBundle& bundle, const OciValue& value);
void read_hooks(OciBundle& bundle, const OciValue& value);

} // namespace nspawn::oci
