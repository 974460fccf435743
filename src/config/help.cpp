#include "config/help.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include <sys/ioctl.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr size_t kHelpColumn = 28; // where the sentences start
constexpr size_t kNarrow = 56;     // below this width sentences get lines of their own
constexpr size_t kNarrowHelpColumn = 8;
constexpr unsigned kMinimumWidth = 24;
constexpr unsigned kMaximumWidth = 140; // longer lines are hard to read

constexpr std::string_view kSynopsis = "nspawn [OPTIONS...] [PATH|COMMAND [ARGUMENTS...]]";
constexpr std::string_view kSummary = "Run a command, or boot a whole Linux system, in a light container.";

constexpr HelpSection kSections[] = {HelpSection::general,     HelpSection::image,       HelpSection::mounts,
                                     HelpSection::integration, HelpSection::users,       HelpSection::network,
                                     HelpSection::execution,   HelpSection::identity,    HelpSection::security,
                                     HelpSection::resources,   HelpSection::credentials, HelpSection::terminal,
                                     HelpSection::inspection};

// Parts that a reader of --version may want to know of, each shown by an option that only exists with it.
struct Feature {
    std::string_view name;
    std::string_view option;
};
constexpr Feature kFeatures[] = {
    {"SECCOMP", "system-call-filter"},
    {"SELINUX", "selinux-context"},
    {"EPHEMERAL", "ephemeral"},
    {"CREDENTIALS", "set-credential"},
    {"BIND", "bind"},
    {"USERNS", "private-users"},
    {"NETWORK", "private-network"},
    {"IMAGE", "image"},
    {"OCI", "oci-bundle"},
};

// UTF-8 continuation bytes take no column of their own.
size_t columns(std::string_view text) {
    return static_cast<size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

void append_option(std::string& out, const Option& option, size_t width) {
    const bool narrow = width < kNarrow;
    const size_t column = narrow ? kNarrowHelpColumn : kHelpColumn;
    std::string line = "  " + option_spelling(option);
    if (narrow || columns(line) + 1 > column) {
        out += line + "\n";
        line.clear();
    }
    line.append(column - columns(line), ' ');
    out += line + wrapped(option.help, width - column, column) + "\n";
}

} // namespace

std::string wrapped(std::string_view text, size_t width, size_t indent) {
    std::string out;
    size_t used = 0;
    for (const std::string_view word : split_any(text, " \n")) {
        if (used != 0 && used + 1 + columns(word) > width) {
            out += '\n';
            out.append(indent, ' ');
            used = 0;
        } else if (used != 0) {
            out += ' ';
            ++used;
        }
        out += word;
        used += columns(word);
    }
    return out;
}

std::string option_spelling(const Option& option) {
    std::string text = option.letter != '\0' ? fmt::format("-{} ", option.letter) : "   ";
    if (option.name.empty()) {
        return text;
    }
    text += fmt::format("--{}", option.name);
    if (option.argument == Argument::required) {
        text += fmt::format("={}", option.metavar);
    } else if (option.argument == Argument::optional) {
        text += fmt::format("[={}]", option.metavar);
    }
    return text;
}

std::span<const HelpSection> help_sections() { return kSections; }

std::string_view section_title(HelpSection section) {
    switch (section) {
    case HelpSection::general:
        return "";
    case HelpSection::image:
        return "Image";
    case HelpSection::mounts:
        return "Mounts";
    case HelpSection::integration:
        return "Integration with the host";
    case HelpSection::users:
        return "Users";
    case HelpSection::network:
        return "Network";
    case HelpSection::execution:
        return "Execution";
    case HelpSection::identity:
        return "System identity";
    case HelpSection::security:
        return "Security";
    case HelpSection::resources:
        return "Resources";
    case HelpSection::credentials:
        return "Credentials";
    case HelpSection::terminal:
        return "Input and output";
    case HelpSection::inspection:
        return "Looking without running";
    }
    return "";
}

std::string help_text(unsigned width) {
    const size_t used_width = std::clamp(width, kMinimumWidth, kMaximumWidth);
    std::string out = wrapped(kSynopsis, used_width, 2) + "\n\n" + wrapped(kSummary, used_width, 0) + "\n";
    for (const HelpSection section : kSections) {
        std::string options;
        for (const Option& option : option_table()) {
            // A row that has neither name nor letter is a key of settings files.
            if (option.section == section && (!option.name.empty() || option.letter != '\0') && !option.help.empty()) {
                append_option(options, option, used_width);
            }
        }
        if (!options.empty()) {
            const std::string_view title = section_title(section);
            out += title.empty() ? "\n" : fmt::format("\n{}:\n", title);
            out += options;
        }
    }
    return out + "\nSee " + wrapped("nspawn(1) and nspawn.settings(5) for details.", used_width, 0) + "\n";
}

std::string version_text() {
    std::string out = "nspawn " NSPAWN_VERSION "\n";
    for (const Feature& feature : kFeatures) {
        out += fmt::format("{}{} ", find_option(feature.option) != nullptr ? '+' : '-', feature.name);
    }
    out.back() = '\n';
    return out;
}

unsigned terminal_width(int fd) {
    if (isatty(fd) == 0) {
        return kDefaultWidth;
    }
    if (const char* columns_text = getenv("COLUMNS")) {
        if (const auto given = parse_unsigned(columns_text); given && *given > 0 && *given <= kMaximumWidth) {
            return static_cast<unsigned>(*given);
        }
    }
    winsize size{};
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kDefaultWidth;
}

} // namespace nspawn
