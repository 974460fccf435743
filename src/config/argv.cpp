#include "config/argv.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <span>

#include <getopt.h>

namespace nspawn {

namespace {

// What getopt_long() returns for the option in row N: beyond every character, so that it is never a short option.
constexpr int kFirstRow = 256;

struct GetoptTables {
    std::string letters;
    std::vector<option> names;
};

int argument_of(const Option& row) {
    switch (row.argument) {
    case Argument::required:
        return required_argument;
    case Argument::optional:
        return optional_argument;
    case Argument::none:
        break;
    }
    return no_argument;
}

GetoptTables make_tables() {
    const std::span<const Option> rows = option_table();
    // '+': stop at the first word that is no option. ':': a missing value is told apart from an unknown option.
    GetoptTables tables{.letters = "+:", .names = {}};
    tables.names.reserve(rows.size() + 2);
    for (size_t row = 0; row < rows.size(); ++row) {
        for (const std::string_view name : {rows[row].name, rows[row].alias}) {
            if (!name.empty()) { // names are literals, so they end in NUL
                tables.names.push_back(
                    {name.data(), argument_of(rows[row]), nullptr, kFirstRow + static_cast<int>(row)});
            }
        }
        if (rows[row].letter != '\0') {
            tables.letters += rows[row].letter;
            // A letter never takes an optional value: "-bD" is two switches and "-b no" would be a command.
            tables.letters += rows[row].argument == Argument::required ? ":" : "";
        }
    }
    tables.names.push_back({});
    return tables;
}

// The long name that was meant in "--name=value", without dashes and value.
std::string_view long_name(std::string_view word) {
    word.remove_prefix(2);
    return word.substr(0, word.find('='));
}

[[noreturn]] void throw_unknown(std::string_view word, char letter) {
    if (letter != '\0') {
        throw Error(fmt::format("-{}: unknown option (see --help)", printable(std::string_view(&letter, 1))));
    }
    const std::string_view given = long_name(word);
    std::string candidates;
    for (const Option& row : option_table()) {
        for (const std::string_view name : {row.name, row.alias}) {
            if (!name.empty() && name.starts_with(given)) {
                candidates.append(candidates.empty() ? "--" : ", --").append(name);
            }
        }
    }
    const std::string shown = printable(given.substr(0, 80));
    if (given.empty() || candidates.empty()) {
        throw Error(fmt::format("--{}: unknown option (see --help)", shown));
    }
    throw Error(fmt::format("--{}: ambiguous option, it could be {}", shown, candidates));
}

// getopt_long() met something it could not read: '?' or ':' in `outcome`, optopt says what it was.
[[noreturn]] void throw_problem(int outcome, std::string_view word) {
    if (optopt >= kFirstRow) {
        const Option& row = option_table()[static_cast<size_t>(optopt - kFirstRow)];
        if (outcome == ':') {
            throw Error(fmt::format("--{}: a value is missing ({})", row.name, row.metavar));
        }
        throw Error(fmt::format("--{}: this option takes no value", row.name));
    }
    const char letter = static_cast<char>(optopt);
    if (outcome == ':') {
        const Option* row = find_option(letter);
        throw Error(fmt::format("-{}: a value is missing ({})", letter, row->metavar));
    }
    throw_unknown(word, letter);
}

Assignment make_assignment(const Option& row, bool short_form) {
    Assignment assignment;
    assignment.option = &row;
    assignment.spelled = short_form ? std::string{'-', row.letter} : display_name(row);
    assignment.has_value = optarg != nullptr;
    assignment.value = optarg != nullptr ? optarg : "";
    return assignment;
}

// The request an option makes, if it makes one.
std::optional<Request> request_of(const Assignment& assignment) {
    const Option& row = *assignment.option;
    if (row.request != RequestKind::none) {
        return Request{.kind = row.request};
    }
    if (row.lists_values && assignment.value == "help") {
        return Request{.kind = RequestKind::list_values, .option = &row};
    }
    return std::nullopt;
}

// "--help --no-pager" should not page either, though --help ends the reading.
bool wants_pager(const CommandLine& line, std::span<char* const> rest) {
    for (const Assignment& assignment : line.assignments) {
        if (assignment.option->name == "no-pager") {
            return false;
        }
    }
    for (const std::string_view word : rest) {
        if (word == "--no-pager" || !word.starts_with('-')) {
            return word != "--no-pager";
        }
    }
    return true;
}

} // namespace

CommandLine parse_command_line(int argc, char* const* argv) {
    const GetoptTables tables = make_tables();
    CommandLine line;
    if (argc < 1) { // execve(2) lets a caller leave out even our own name
        return line;
    }
    opterr = 0; // we say it ourselves, in one line
    optind = 0; // start afresh: getopt(3) keeps its place in globals
    for (;;) {
        // Where the word with the next option is; while bundled letters are read, optind stays on it.
        const int place = optind == 0 ? 1 : optind;
        const int outcome = getopt_long(argc, argv, tables.letters.c_str(), tables.names.data(), nullptr);
        if (outcome == -1) {
            break;
        }
        if (outcome == '?' || outcome == ':') {
            throw_problem(outcome, argv[place]);
        }
        const Option& row = outcome >= kFirstRow ? option_table()[static_cast<size_t>(outcome - kFirstRow)]
                                                 : *find_option(static_cast<char>(outcome));
        Assignment assignment = make_assignment(row, outcome < kFirstRow);
        line.request = request_of(assignment);
        if (line.request) {
            line.pager =
                wants_pager(line, std::span(argv, static_cast<size_t>(argc)).subspan(static_cast<size_t>(optind)));
            return line;
        }
        line.assignments.push_back(std::move(assignment));
    }
    line.words.assign(argv + optind, argv + argc);
    return line;
}

} // namespace nspawn
