// saying.hpp — a command line and settings as tests write them. Test helper only.
#pragma once

#include "base/error.hpp"
#include "config/resolve.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

class Saying {
public:
    explicit Saying(std::vector<std::string> words = {}) : words_(std::move(words)) {
        words_.insert(words_.begin(), "nspawn");
    }

    // A line "Section.Key=value" of a file.
    Saying& trusted(std::string_view line) { return add(line, true); }
    Saying& untrusted(std::string_view line) { return add(line, false); }
    // A variable of the caller's environment.
    Saying& with(std::string variable) {
        variables_.push_back(std::move(variable));
        return *this;
    }
    Saying& terminals(bool input, bool output) {
        caller_.stdin_is_terminal = input;
        caller_.stdout_is_terminal = output;
        return *this;
    }

    [[nodiscard]] Resolved resolved() {
        std::vector<const char*> environment;
        for (const std::string& variable : variables_) {
            environment.push_back(variable.c_str());
        }
        environment.push_back(nullptr);
        caller_.environment = environment.data();
        caller_.working_directory = "/here";
        std::vector<char*> argv;
        for (std::string& word : words_) {
            argv.push_back(word.data());
        }
        argv.push_back(nullptr);
        const CommandLine line = parse_command_line(static_cast<int>(words_.size()), argv.data());
        return resolve(line, settings_, caller_, EnvironmentSwitches::read(caller_));
    }
    [[nodiscard]] Config config() { return resolved().config; }
    [[nodiscard]] std::vector<std::string> warnings() { return resolved().warnings; }
    // The message it fails with; "" when it does not.
    [[nodiscard]] std::string problem() {
        try {
            (void)resolved();
        } catch (const Error& error) {
            return error.message();
        }
        return "";
    }

private:
    Saying& add(std::string_view line, bool is_trusted) {
        const size_t dot = line.find('.');
        const size_t equals = line.find('=');
        const std::string_view key = line.substr(dot + 1, equals - dot - 1);
        Assignment assignment;
        assignment.option = find_setting(line.substr(0, dot), key);
        if (assignment.option == nullptr) {
            throw Error("no such setting in a test: " + std::string(line));
        }
        assignment.spelled = std::string(line.substr(0, equals));
        assignment.value = std::string(line.substr(equals + 1));
        assignment.has_value = true;
        assignment.origin = {.kind = Origin::Kind::settings_file,
                             .file = is_trusted ? "/etc/t.nspawn" : "/srv/u.nspawn",
                             .line = static_cast<unsigned>(settings_.size() + 1),
                             .trusted = is_trusted};
        settings_.push_back(std::move(assignment));
        return *this;
    }

    std::vector<std::string> words_;
    std::vector<Assignment> settings_;
    std::vector<std::string> variables_;
    Caller caller_;
};

} // namespace nspawn
