#include "image/unlock_request.hpp"

#include "base/base64.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

namespace nspawn {

namespace {

constexpr size_t kRequestFields = 8;

// In base64, so that no byte of it can end a field.
std::string field(std::string_view text) { return text.empty() ? "-" : to_base64(text); }

std::optional<std::string> from_field(std::string_view text) {
    return text == "-" ? std::optional<std::string>("") : from_base64(text);
}

} // namespace

std::string request_as_text(const UnlockRequest& request) {
    return fmt::format("{} {} {} {} {} {} {} {}\n", field(request.name), field(request.device),
                       request.read_only ? "ro" : "rw", field(request.passphrase), field(request.hash_device),
                       field(request.root_hash), field(request.signature), request.need_signature ? "signed" : "any");
}

std::optional<UnlockRequest> parse_unlock_request(std::string_view line) {
    const auto fields = split(line, ' ');
    if (fields.size() != kRequestFields) {
        return std::nullopt;
    }
    UnlockRequest request;
    request.read_only = fields[2] == "ro";
    request.need_signature = fields[7] == "signed";
    const std::pair<std::string*, size_t> texts[] = {{&request.name, 0},       {&request.device, 1},
                                                     {&request.passphrase, 3}, {&request.hash_device, 4},
                                                     {&request.root_hash, 5},  {&request.signature, 6}};
    for (const auto& [place, index] : texts) {
        auto text = from_field(fields[index]);
        if (!text) {
            return std::nullopt;
        }
        *place = std::move(*text);
    }
    return request;
}

std::string answer_as_text(const UnlockAnswer& answer) {
    const std::string_view word = answer.outcome == UnlockOutcome::opened             ? "opened"
                                  : answer.outcome == UnlockOutcome::wrong_passphrase ? "wrong"
                                                                                      : "failed";
    return fmt::format("{} {}\n", word, field(answer.text));
}

std::optional<UnlockAnswer> parse_unlock_answer(std::string_view line) {
    const std::string_view word = take_until(line, ' ');
    auto text = from_field(line);
    if (!text || (word != "opened" && word != "wrong" && word != "failed")) {
        return std::nullopt;
    }
    return UnlockAnswer{word == "opened"  ? UnlockOutcome::opened
                        : word == "wrong" ? UnlockOutcome::wrong_passphrase
                                          : UnlockOutcome::failed,
                        std::move(*text)};
}

} // namespace nspawn
