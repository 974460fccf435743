#include "config/settings_file.hpp"

#include "base/error.hpp"
#include "base/path.hpp"
#include "base/text.hpp"
#include "config/option.hpp"
#include "config/settings_keys.hpp"
#include "config/settings_place.hpp"
#include "config/settings_syntax.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>

#include <fcntl.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr size_t kShownWarnings = 8; // of one file
constexpr size_t kShownName = 40;

// Warnings of one file, in the order of its lines and with a bound: junk must not scroll the terminal.
class Warnings {
public:
    void add(unsigned line, std::string text) { all_.push_back({line, std::move(text)}); }

    void write(const std::string& file, std::vector<std::string>& out) {
        std::stable_sort(all_.begin(), all_.end(), [](const Warning& a, const Warning& b) { return a.line < b.line; });
        const size_t shown = std::min(all_.size(), kShownWarnings);
        for (size_t i = 0; i < shown; ++i) {
            out.push_back(fmt::format("{}:{}: {}", printable(file), all_[i].line, all_[i].text));
        }
        if (shown < all_.size()) {
            out.push_back(fmt::format("{}: {} more problems", printable(file), all_.size() - shown));
        }
    }

private:
    struct Warning {
        unsigned line;
        std::string text;
    };
    std::vector<Warning> all_;
};

// A name that looks like one of ours. Anything else is not shown: the file may not be what it claims to be.
bool is_plain_name(std::string_view name) {
    return name.size() <= kShownName && std::all_of(name.begin(), name.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                      c == '_';
           });
}

// "Exec.User" for "exec.user" or "Files.User"; empty when nothing is near.
std::string_view similar_setting(std::string_view key) {
    for (const Option& option : option_table()) {
        const size_t dot = option.setting.find('.');
        if (dot != std::string_view::npos && equal_ignoring_case(option.setting.substr(dot + 1), key)) {
            return option.setting;
        }
    }
    return {};
}

std::string unknown_key(std::string_view section, std::string_view key) {
    if (is_documented_setting(section, key)) {
        return fmt::format("[{}] {}= is not supported by this version and is ignored", section, key);
    }
    if (!is_plain_name(key)) {
        return "unknown setting, ignored";
    }
    std::string text = fmt::format("unknown setting {}= in section [{}], ignored", key, section);
    if (const std::string_view similar = similar_setting(key); !similar.empty()) {
        const size_t dot = similar.find('.');
        text += fmt::format(" (did you mean {}= in [{}]?)", similar.substr(dot + 1), similar.substr(0, dot));
    }
    return text;
}

// "X-…" is left to other programs: systemd.unit(5).
bool is_foreign(std::string_view name) { return name.starts_with("X-"); }

bool is_known_section(std::string_view section) {
    return is_settings_section(section) || is_documented_section(section);
}

void warn_about_sections(const std::vector<SettingsSection>& sections, Warnings& warnings) {
    for (const SettingsSection& section : sections) {
        if (is_known_section(section.name) || is_foreign(section.name)) {
            continue;
        }
        warnings.add(section.line, is_plain_name(section.name)
                                       ? fmt::format("unknown section [{}], ignored", section.name)
                                       : std::string("unknown section, ignored"));
    }
}

// A look that opens nothing: most trees have no settings. Whatever it finds, or cannot tell, is then read with all
// care.
bool nothing_is_there(const SettingsPlaces& places, const std::string& name) {
    for (const std::string* place : {&places.administrator, &places.runtime, &places.beside}) {
        if (place->empty()) {
            continue;
        }
        for (const char* suffix : {"", ".d"}) {
            const std::string path = join(*place, name + suffix);
            if (faccessat(AT_FDCWD, path.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT) {
                return false;
            }
        }
    }
    return true;
}

// Those that exist, in the order of precedence.
std::vector<SettingsPlace> open_places(const SettingsPlaces& places) {
    struct Candidate {
        const std::string& path;
        bool trusted;
    };
    std::vector<SettingsPlace> open;
    for (const Candidate& each : {Candidate{places.administrator, true}, Candidate{places.runtime, true},
                                  Candidate{places.beside, places.trust_beside}}) {
        if (each.path.empty()) {
            continue;
        }
        if (auto place = SettingsPlace::open(each.path, each.trusted)) {
            open.push_back(std::move(*place));
        }
    }
    return open;
}

// A file that holds, read but not interpreted.
struct LoadedFile {
    std::string path;
    std::string text;
    bool trusted = false;
};

std::optional<LoadedFile> load_main_file(const std::vector<SettingsPlace>& places, const std::string& name) {
    for (const SettingsPlace& place : places) {
        if (auto text = place.read(name)) {
            return LoadedFile{join(place.path(), name), std::move(*text), place.trusted()};
        }
    }
    return std::nullopt;
}

// A trusted NAME.nspawn (`replacing`) takes the place of everything that came with the image.
std::vector<SettingsPlace> open_drop_in_directories(const std::vector<SettingsPlace>& places, const std::string& name,
                                                    const LoadedFile* replacing, std::vector<std::string>& warnings) {
    std::vector<SettingsPlace> directories;
    for (const SettingsPlace& place : places) {
        auto directory = place.open_below(name + ".d");
        if (!directory) {
            continue;
        }
        if (!place.trusted() && replacing != nullptr) {
            warnings.push_back(fmt::format("{}: ignored, since {} holds for this machine", printable(directory->path()),
                                           printable(replacing->path)));
            continue;
        }
        directories.push_back(std::move(*directory));
    }
    return directories;
}

// Drop-ins by file name; of one name, only the one from the first place holds.
std::vector<LoadedFile> load_drop_ins(const std::vector<SettingsPlace>& directories) {
    std::map<std::string, const SettingsPlace*> holders;
    for (const SettingsPlace& directory : directories) {
        for (const std::string& name : directory.names(".conf")) {
            holders.try_emplace(name, &directory);
        }
    }
    std::vector<LoadedFile> files;
    for (const auto& [name, directory] : holders) {
        if (auto text = directory->read(name)) { // may have gone since the directory was listed
            files.push_back({join(directory->path(), name), std::move(*text), directory->trusted()});
        }
    }
    return files;
}

} // namespace

SettingsPlaces host_settings_places(bool privileged, std::string beside, bool trust_beside) {
    SettingsPlaces places{
        .administrator = {}, .runtime = {}, .beside = std::move(beside), .trust_beside = trust_beside};
    if (privileged) {
        places.administrator = "/etc/systemd/nspawn";
        places.runtime = "/run/systemd/nspawn";
    }
    return places;
}

void interpret_settings(std::string_view text, const Origin& origin, const SpecifierFacts& facts, Settings& settings) {
    SettingsText parsed;
    try {
        parsed = parse_settings(text);
    } catch (Error& error) {
        error.with_context("settings file " + printable(origin.file));
        throw;
    }
    Warnings warnings;
    for (const SettingsProblem& problem : parsed.problems) {
        warnings.add(problem.line, fmt::format("this line {}", problem.text));
    }
    warn_about_sections(parsed.sections, warnings);
    for (const SettingsEntry& entry : parsed.entries) {
        if (!is_known_section(entry.section) || is_foreign(entry.key)) {
            continue;
        }
        const Option* option = find_setting(entry.section, entry.key);
        if (option == nullptr) {
            warnings.add(entry.line, unknown_key(entry.section, entry.key));
            continue;
        }
        Expansion expansion = expand_specifiers(entry.value, origin.trusted, facts);
        for (const std::string& problem : expansion.problems) {
            warnings.add(entry.line, fmt::format("{}=: {}", entry.key, problem));
        }
        Assignment assignment{.option = option,
                              .spelled = fmt::format("{}.{}", entry.section, entry.key),
                              .value = std::move(expansion.text),
                              .has_value = true,
                              .origin = origin};
        assignment.origin.line = entry.line;
        settings.assignments.push_back(std::move(assignment));
    }
    warnings.write(origin.file, settings.warnings);
}

Settings read_settings(const SettingsPlaces& places, const std::string& machine, const SpecifierFacts& facts) {
    const std::string name = machine + ".nspawn";
    Settings settings;
    if (nothing_is_there(places, name)) {
        return settings;
    }
    const std::vector<SettingsPlace> open = open_places(places);
    std::vector<LoadedFile> files;
    if (auto main_file = load_main_file(open, name)) {
        files.push_back(std::move(*main_file));
    }
    const LoadedFile* replacing = !files.empty() && files.front().trusted ? &files.front() : nullptr;
    std::vector<LoadedFile> drop_ins =
        load_drop_ins(open_drop_in_directories(open, name, replacing, settings.warnings));
    // What comes later wins, so an untrusted file must come first whatever its name.
    std::stable_partition(drop_ins.begin(), drop_ins.end(), [](const LoadedFile& file) { return !file.trusted; });
    std::move(drop_ins.begin(), drop_ins.end(), std::back_inserter(files));

    for (const LoadedFile& file : files) {
        settings.files.push_back(file.path);
        const Origin origin{.kind = Origin::Kind::settings_file, .file = file.path, .line = 0, .trusted = file.trusted};
        interpret_settings(file.text, origin, facts, settings);
    }
    return settings;
}

} // namespace nspawn
