#include "base/error.hpp"
#include "config/settings_keys.hpp"
#include "config/specifier.hpp"
#include "docs/man_page.hpp"
#include "docs/roff.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace nspawn::docs {
namespace {

using ::testing::HasSubstr;

const Snippets& snippets() {
    static const Snippets all(NSPAWN_DOCS);
    return all;
}

TEST(CommandPage, DescribesEveryOptionOfTheCommandLine) {
    const std::string page = command_page(snippets());
    for (const Option& option : option_table()) {
        if (option.name.empty()) {
            continue;
        }
        EXPECT_THAT(page, HasSubstr("\\%" + roff_literal("--" + std::string(option.name)) + "\\fR"));
        EXPECT_THAT(page, HasSubstr(roff_from_markdown(snippets().of(option), Place::tagged_paragraph)));
    }
}

TEST(CommandPage, HasTheSectionsOfAManualPage) {
    const std::string page = command_page(snippets());
    size_t at = 0;
    for (const char* title : {"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "SIGNALS", "EXIT STATUS", "ENVIRONMENT",
                              "FILES", "EXAMPLES", "DIFFERENCES", "SEE ALSO"}) {
        const size_t found = page.find(std::string(".SH ") + title);
        ASSERT_NE(found, std::string::npos) << title;
        EXPECT_GE(found, at) << title;
        at = found;
    }
}

TEST(SettingsPage, NamesEveryDocumentedKeyOnce) {
    const std::string page = settings_page(snippets());
    for (const std::string_view setting : documented_settings()) {
        const std::string key(setting.substr(setting.find('.') + 1));
        EXPECT_THAT(page, HasSubstr("\\%" + roff_literal(key) + "=\\fR")) << setting;
    }
}

TEST(SettingsPage, ExplainsEverySpecifier) {
    const std::string page = settings_page(snippets());
    for (const Specifier& specifier : specifiers()) {
        EXPECT_THAT(page, HasSubstr("\\%%" + std::string(1, specifier.letter) + "\\fR\n")) << specifier.letter;
    }
}

class SnippetFiles : public ::testing::Test {
protected:
    SnippetFiles() {
        std::string pattern = (std::filesystem::temp_directory_path() / "nspawn-docs-XXXXXX").string();
        directory_ = mkdtemp(pattern.data());
        std::filesystem::copy(NSPAWN_DOCS, directory_, std::filesystem::copy_options::recursive);
    }
    ~SnippetFiles() override { std::filesystem::remove_all(directory_); }

    [[nodiscard]] std::string problem() const {
        try {
            const Snippets all(directory_.string());
        } catch (const Error& error) {
            return error.message();
        }
        return {};
    }

    std::filesystem::path directory_;
};

TEST_F(SnippetFiles, EveryRowMustBeExplained) {
    EXPECT_EQ(problem(), "");
    std::filesystem::remove(directory_ / "options/boot.md");
    std::ofstream(directory_ / "options/user.md") << "\n";
    EXPECT_THAT(problem(), HasSubstr("boot.md is missing or empty"));
    EXPECT_THAT(problem(), HasSubstr("user.md is missing or empty"));
}

TEST_F(SnippetFiles, NoProseMayOutliveItsOption) {
    std::ofstream(directory_ / "options/no-such-option.md") << "Text.\n";
    EXPECT_THAT(problem(), HasSubstr("no-such-option.md explains an option that the table does not have"));
}

} // namespace
} // namespace nspawn::docs
