#include "config/option.hpp"

namespace nspawn {

namespace {

// "Exec.User" is section "Exec", key "User".
bool is_setting(std::string_view setting, std::string_view section, std::string_view key) {
    return setting.size() == section.size() + 1 + key.size() && setting.starts_with(section) &&
           setting[section.size()] == '.' && setting.ends_with(key);
}

bool has_setting(const Option& option, std::string_view section, std::string_view key) {
    if (option.setting.empty()) {
        return false;
    }
    if (is_setting(option.setting, section, key)) {
        return true;
    }
    for (const std::string_view setting : option.more_settings) {
        if (is_setting(setting, section, key)) {
            return true;
        }
    }
    return false;
}

} // namespace

const Option* find_option(std::string_view name) {
    if (name.empty()) {
        return nullptr;
    }
    for (const Option& option : option_table()) {
        if (option.name == name || option.alias == name) {
            return &option;
        }
    }
    return nullptr;
}

const Option* find_option(char letter) {
    for (const Option& option : option_table()) {
        if (letter != '\0' && option.letter == letter) {
            return &option;
        }
    }
    return nullptr;
}

const Option* find_setting(std::string_view section, std::string_view key) {
    for (const Option& option : option_table()) {
        if (has_setting(option, section, key)) {
            return &option;
        }
    }
    return nullptr;
}

bool is_settings_section(std::string_view section) {
    for (const Option& option : option_table()) {
        if (option.setting.size() > section.size() && option.setting.starts_with(section) &&
            option.setting[section.size()] == '.') {
            return true;
        }
    }
    return false;
}

std::string display_name(const Option& option) {
    if (!option.name.empty()) {
        return "--" + std::string(option.name);
    }
    if (option.letter != '\0') {
        return {'-', option.letter};
    }
    return std::string(option.setting.substr(option.setting.find('.') + 1)) + "=";
}

} // namespace nspawn
