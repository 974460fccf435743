// draft.hpp — a Config in the making: what the options said, before anything is derived from it.
//
// Lives inside resolve() only. Holds next to the Config what cannot be decided by one option alone. Never does I/O:
// credentials are named here and loaded at the end.
#pragma once

#include "config/caller.hpp"
#include "config/config.hpp"

#include <string>
#include <vector>

namespace nspawn {

enum class ConsoleRequest { automatic, interactive, read_only, passive, pipe, autopipe };

struct CredentialRequest {
    std::string id;
    std::string content;
    std::string source; // a path, or the name of one of our own credentials; empty: `content` is it
};

struct Draft {
    explicit Draft(const Caller& facts) : caller(facts) {}

    const Caller& caller;
    Config config;
    bool boot = false;
    bool as_pid2 = false;
    std::vector<std::string> parameters; // of a settings file
    bool users_from_file = false;
    std::optional<TreeOwnership> tree_ownership;
    ConsoleRequest console = ConsoleRequest::automatic;
    std::vector<CredentialRequest> credentials;
    CapabilityMask granted_by_file = 0;
    CapabilityMask dropped_by_file = 0;
    std::vector<std::string> notes; // words of a settings file's list that were left out, and why

    // Where both speak, a file's Capability= gives back what the command line dropped (only a trusted file gets here),
    // while a file's own DropCapability= beats everything.
    void settle_capabilities() { config.drop_capability &= ~(granted_by_file & ~dropped_by_file); }
};

} // namespace nspawn
