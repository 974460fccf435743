#include "docs/snippets.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <filesystem>

#include <fcntl.h>

namespace nspawn::docs {

namespace {

constexpr size_t kSnippetLimit = 256 * 1024;

std::map<std::string, std::string> read_markdown_files(const std::string& directory) {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
        if (entry.path().extension() == ".md") {
            const std::string path = entry.path().string();
            files[entry.path().stem().string()] =
                read_file(AT_FDCWD, path.c_str(), kSnippetLimit).or_throw("reading " + path);
        }
    }
    return files;
}

} // namespace

std::string snippet_name(const Option& option) {
    if (option.name.empty() && option.setting.empty()) {
        return {option.letter};
    }
    return std::string(option.name.empty() ? option.setting : option.name);
}

Snippets::Snippets(const std::string& directory)
    : options_(read_markdown_files(directory + "/options")), parts_(read_markdown_files(directory + "/man")) {
    std::string problems;
    std::map<std::string, std::string> left_over = options_;
    for (const Option& option : option_table()) {
        const std::string name = snippet_name(option);
        const auto found = options_.find(name);
        if (found == options_.end() || trim(found->second).empty()) {
            problems += fmt::format("\n  docs/options/{}.md is missing or empty; it must explain {}", name,
                                    display_name(option));
        }
        left_over.erase(name);
    }
    for (const auto& [name, text] : left_over) {
        problems += fmt::format("\n  docs/options/{}.md explains an option that the table does not have", name);
    }
    if (!problems.empty()) {
        throw Error("option table and docs/options do not agree:" + problems);
    }
}

const std::string& Snippets::of(const Option& option) const { return options_.at(snippet_name(option)); }

const std::string& Snippets::part(const std::string& name) const {
    const auto found = parts_.find(name);
    if (found == parts_.end()) {
        throw Error(fmt::format("docs/man/{}.md is missing", name));
    }
    return found->second;
}

} // namespace nspawn::docs
