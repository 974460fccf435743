// Messages as a resolver would write them.
#pragma once

#include "base/text.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace nspawn::testing_dns {

inline std::vector<uint8_t> question(const std::string& name, uint16_t type, uint16_t id) {
    std::vector<uint8_t> message = {
        static_cast<uint8_t>(id >> 8), static_cast<uint8_t>(id), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
    if (!name.empty()) {
        for (const std::string_view label : split(name, '.')) {
            message.push_back(static_cast<uint8_t>(label.size()));
            message.insert(message.end(), label.begin(), label.end());
        }
    }
    message.insert(message.end(), {0, static_cast<uint8_t>(type >> 8), static_cast<uint8_t>(type), 0, 1});
    return message;
}

} // namespace nspawn::testing_dns
