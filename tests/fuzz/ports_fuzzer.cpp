// Any value of --port=, any record of a dead worker and any list of a packet filter: never a crash, never a port that
// does not exist, and nothing that would be another command for the packet filter.
#include "base/error.hpp"
#include "network/conflicts.hpp"
#include "network/nat_rules.hpp"
#include "network/port_registry.hpp"
#include "planted_bug.hpp"

#include <cstdlib>
#include <string>

#include <fuzzer/FuzzedDataProvider.h>

namespace {

void require(bool promise) {
    if (!promise) {
        std::abort();
    }
}

void check_port(const std::string& text) {
    try {
        const nspawn::PublishedPort port = nspawn::parse_port(text);
        require(port.host > 0 && port.container > 0 && port.count > 0);
        require(port.host + port.count <= 65536 && port.container + port.count <= 65536);
        require(nspawn::parse_port(nspawn::format_port(port)) == port);
        nspawn::fuzz::planted_bug(port.host != port.container, text);
    } catch (const nspawn::Error&) {
        // not in the grammar
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    FuzzedDataProvider input(data, size);
    const unsigned kind = input.ConsumeIntegralInRange(0U, 2U);
    const std::string text = input.ConsumeRemainingBytesAsString();
    if (kind == 0) {
        check_port(text);
    } else if (kind == 1) {
        const nspawn::PortRecord record = nspawn::parse_port_record(text);
        const std::string commands = nspawn::change_elements("delete", record.elements);
        require(commands.find_first_of(";\"'$@#\\") == std::string::npos);
    } else {
        (void)nspawn::is_unused(text);
        (void)nspawn::dropping_chains(text);
        (void)nspawn::find_elements(text, nspawn::NatTable::shared, nspawn::Family::ipv4, {});
    }
    return 0;
}
