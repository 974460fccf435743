// snippets.hpp — the hand-written prose beside the option table.
//
// Reads docs/options/<long name>.md (for a row that only settings files know: <Section.Key>.md) and the parts of the
// manual pages in docs/man. A row without prose and prose without a row are errors, so the two cannot drift apart.
#pragma once

#include "config/option.hpp"

#include <map>
#include <string>

namespace nspawn::docs {

class Snippets {
public:
    // `directory` is the project's docs/. Throws Error naming every file that is missing or left over.
    explicit Snippets(const std::string& directory);

    [[nodiscard]] const std::string& of(const Option& option) const;
    // docs/man/<name>.md; throws Error when there is none.
    [[nodiscard]] const std::string& part(const std::string& name) const;

private:
    std::map<std::string, std::string> options_;
    std::map<std::string, std::string> parts_;
};

// The name of a row's snippet, without ".md".
std::string snippet_name(const Option& option);

} // namespace nspawn::docs
