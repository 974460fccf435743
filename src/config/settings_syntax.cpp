#include "config/settings_syntax.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace nspawn {

namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// Tabs separate words; every other control character, and what is not UTF-8, has no business in a settings file and
// would only travel into argument vectors, mount tables and terminals.
bool is_clean(std::string_view line) {
    for (const std::string_view piece : split(line, '\t')) {
        if (printable(piece).size() != piece.size()) {
            return false;
        }
    }
    return true;
}

// An odd number of backslashes: the last one is not itself escaped.
bool continues(std::string_view line) {
    const size_t last_other = line.find_last_not_of('\\');
    const size_t backslashes = last_other == std::string_view::npos ? line.size() : line.size() - last_other - 1;
    return backslashes % 2 == 1;
}

bool is_comment(std::string_view line) { return line.starts_with('#') || line.starts_with(';'); }

class Reader {
public:
    explicit Reader(std::string_view text) : rest_(text) {
        if (rest_.starts_with(kByteOrderMark)) {
            rest_.remove_prefix(kByteOrderMark.size());
        }
    }

    SettingsText read() {
        while (!rest_.empty()) {
            const std::string_view line = next_line();
            if (!line.empty() && !is_comment(line)) {
                start_ = line_;
                read_logical_line(line);
            }
        }
        return std::move(result_);
    }

private:
    // Without the blanks before it and the line end; blanks behind a backslash keep it from being a continuation.
    std::string_view next_line() {
        if (++line_ > kSettingsLineCountLimit) {
            throw Error(fmt::format("more than {} lines: this is no settings file", kSettingsLineCountLimit));
        }
        const size_t end = rest_.find('\n');
        std::string_view line = rest_.substr(0, end);
        rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
        return line;
    }

    // Joins continuation lines; comments between them are skipped. Bounded by the size of the text.
    void read_logical_line(std::string_view first) {
        std::string joined(first);
        while (continues(joined) && !rest_.empty()) {
            const std::string_view more = next_line();
            if (!is_comment(more)) {
                joined.back() = ' ';
                joined += more;
            }
        }
        if (continues(joined)) {
            joined.pop_back(); // the file ends behind the backslash
        }
        interpret(trim(joined));
    }

    void interpret(std::string_view line) {
        if (line.size() > kSettingsLineLimit) {
            problem("is longer than 64 KiB and is ignored");
        } else if (!is_clean(line)) {
            problem("holds a control character or is not UTF-8, and is ignored");
        } else if (line.starts_with('[')) {
            open_section(line);
        } else {
            add_entry(line);
        }
    }

    void open_section(std::string_view line) {
        // What follows a broken header belongs to no section: better ignored than taken for the previous section's.
        state_ = State::broken_section;
        const std::string_view name = line.substr(1, line.size() - 2);
        if (!line.ends_with(']') || line.size() < 3 || name.find_first_of("[]") != std::string_view::npos) {
            problem("is not a section header of the form [Name]; it and the lines below it are ignored");
            return;
        }
        state_ = State::in_section;
        result_.sections.push_back({std::string(name), start_});
    }

    void add_entry(std::string_view line) {
        const size_t equals = line.find('=');
        const std::string_view key = trim(line.substr(0, equals));
        if (equals == std::string_view::npos || key.empty()) {
            problem("is neither a section header nor of the form Key=value, and is ignored");
        } else if (state_ == State::before_sections) {
            problem("stands before the first section header and is ignored");
        } else if (state_ == State::in_section) {
            result_.entries.push_back(
                {result_.sections.back().name, std::string(key), std::string(trim(line.substr(equals + 1))), start_});
        }
    }

    void problem(const char* text) { result_.problems.push_back({start_, text}); }

    enum class State { before_sections, in_section, broken_section };

    std::string_view rest_;
    unsigned line_ = 0;  // the last one read
    unsigned start_ = 0; // where the logical line begins
    State state_ = State::before_sections;
    SettingsText result_;
};

} // namespace

SettingsText parse_settings(std::string_view text) {
    if (text.size() > kSettingsSizeLimit) {
        throw Error("larger than 1 MiB: this is no settings file");
    }
    return Reader(text).read();
}

} // namespace nspawn
