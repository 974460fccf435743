// Any config.json: read or refused with one printable line, and what was read is a configuration.
#include "base/error.hpp"
#include "base/json_reader.hpp"
#include "base/text.hpp"
#include "config/oci_bundle.hpp"
#include "config/resolve.hpp"
#include "planted_bug.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace nspawn;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    try {
        fuzz::planted_bug(parse_json(text).kind == JsonNode::Kind::object && size > 6, text);
        OciBundle bundle = parse_oci_bundle(text, "/bundle");
        if (bundle.root.empty() || bundle.words.empty()) {
            std::abort();
        }
        (void)resolve(CommandLine{}, std::move(bundle), Caller{}, EnvironmentSwitches{});
    } catch (const Error& error) {
        if (error.message().empty() || printable(error.message()) != error.message()) {
            std::abort();
        }
    }
    return 0;
}
