// unlock_request.hpp — what nspawn asks the worker to open, and what it answers: one line each way.
//
// Plain data and its text; fields are separated by blanks, bytes are in hex, nothing is "-". Both ends are ours, but
// the worker checks what it reads all the same.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace nspawn {

struct UnlockRequest {
    std::string name;   // of the mapped device that is to be made
    std::string device; // path of the block device
    bool read_only = false;
    std::string passphrase;      // for LUKS
    std::string hash_device;     // with verity: path of the block device with the hash tree; empty: it is LUKS
    std::string root_hash;       // hex
    std::string signature;       // DER in base64; empty: none
    bool need_signature = false; // without a key that trusts it, it is not opened
};

enum class UnlockOutcome { opened, wrong_passphrase, failed };
struct UnlockAnswer {
    UnlockOutcome outcome = UnlockOutcome::failed;
    std::string text; // path of the mapped device, or why it failed
};

std::string request_as_text(const UnlockRequest& request); // ends with a newline
std::optional<UnlockRequest> parse_unlock_request(std::string_view line);
std::string answer_as_text(const UnlockAnswer& answer); // ends with a newline
std::optional<UnlockAnswer> parse_unlock_answer(std::string_view line);

} // namespace nspawn
