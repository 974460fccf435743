#include "docs/man_page.hpp"

#include "base/text.hpp"
#include "config/help.hpp"
#include "config/settings_keys.hpp"
#include "config/specifier.hpp"
#include "docs/roff.hpp"

#include <fmt/format.h>

#include <vector>

namespace nspawn::docs {

namespace {

std::string page_start(std::string_view name, std::string_view section, std::string_view title,
                       std::string_view summary) {
    return fmt::format("'\\\" -*- coding: UTF-8 -*-\n"
                       ".\\\" Generated from the option table and docs/; do not edit.\n"
                       ".TH {} {} \"\" \"nspawn " NSPAWN_VERSION "\" \"{}\"\n"
                       ".SH NAME\n{} \\- {}\n",
                       name, section, title, roff_literal(std::string(trim(name))), roff_inline(summary));
}

std::string bold(std::string_view text) { return fmt::format("\\fB\\%{}\\fR", roff_literal(text)); }
std::string italic(std::string_view text) { return fmt::format("\\fI{}\\fR", roff_literal(text)); }

// "-D PATH, --directory=PATH"
std::string option_heading(const Option& option) {
    std::vector<std::string> forms;
    if (option.letter != '\0') {
        const bool takes_next_word = option.argument == Argument::required;
        forms.push_back(bold(fmt::format("-{}", option.letter)) +
                        (takes_next_word ? " " + italic(option.metavar) : ""));
    }
    for (const std::string_view name : {option.name, option.alias}) {
        if (name.empty()) {
            continue;
        }
        std::string form = bold(fmt::format("--{}", name));
        if (option.argument == Argument::required) {
            form += bold("=") + italic(option.metavar);
        } else if (option.argument == Argument::optional) {
            form += "[" + bold("=") + italic(option.metavar) + "]";
        }
        forms.push_back(form);
    }
    return fmt::format("{}", fmt::join(forms, ", "));
}

std::string_view key_of(std::string_view setting) { return setting.substr(setting.find('.') + 1); }
std::string_view section_of(std::string_view setting) { return setting.substr(0, setting.find('.')); }

std::vector<std::string_view> settings_of(const Option& option) {
    std::vector<std::string_view> all;
    if (!option.setting.empty()) {
        all.push_back(option.setting);
        all.insert(all.end(), option.more_settings.begin(), option.more_settings.end());
    }
    return all;
}

// Words that run on from one line to the next, so that a long list of keys can be broken.
std::string key_list(const std::vector<std::string_view>& settings) {
    std::string out;
    for (const std::string_view setting : settings) {
        out += (out.empty() ? "" : ", ") + bold(fmt::format("{}=", key_of(setting)));
    }
    return out;
}

std::string twin_sentence(const Option& option) {
    const std::vector<std::string_view> settings = settings_of(option);
    if (settings.empty()) {
        return {};
    }
    return fmt::format(".IP\nIn a settings file: {} in section {}, see {}(5).\n", key_list(settings),
                       bold(fmt::format("[{}]", section_of(settings.front()))), bold("nspawn.settings"));
}

std::string_view trust_sentence(Trust trust) {
    switch (trust) {
    case Trust::trusted_only:
        return "Ignored, with a warning, in an untrusted file.";
    case Trust::narrowing:
        return "In an untrusted file it never replaces what the command line says.";
    case Trust::deny_entries:
        return "In an untrusted file only lists that forbid are used; a setting with an entry that allows something "
               "is ignored as a whole, with a warning.";
    case Trust::anyone:
        return "Also used in an untrusted file.";
    }
    return {};
}

std::string_view repeat_sentence(Repeat repeat) {
    switch (repeat) {
    case Repeat::last:
        return "If given more than once the last one counts; an empty value takes it back.";
    case Repeat::append:
        return "May be given more than once; an empty value changes nothing.";
    case Repeat::append_reset:
        return "May be given more than once; an empty value takes back what was said before.";
    case Repeat::set_union:
        return "May be given more than once, the lists are united; an empty value changes nothing.";
    }
    return {};
}

std::string options_section(const Snippets& snippets) {
    std::string out = ".SH OPTIONS\n" + roff_from_markdown(snippets.part("nspawn.options"), Place::section);
    for (const HelpSection section : help_sections()) {
        std::string options;
        for (const Option& option : option_table()) {
            if (option.section != section || (option.name.empty() && option.letter == '\0')) {
                continue;
            }
            options += fmt::format(".TP\n{}\n", option_heading(option)) +
                       roff_from_markdown(snippets.of(option), Place::tagged_paragraph) + twin_sentence(option);
        }
        if (!options.empty()) {
            const std::string_view title = section_title(section);
            out += fmt::format(".SS {}\n", title.empty() ? std::string_view("General") : title) + options;
        }
    }
    return out;
}

std::string setting_entry(const Option& option, const Snippets& snippets) {
    const std::vector<std::string_view> settings = settings_of(option);
    std::string out = fmt::format(".TP\n{}\n", key_list(settings));
    if (option.name.empty()) {
        out += roff_from_markdown(snippets.of(option), Place::tagged_paragraph) + ".IP\n";
    } else {
        out += fmt::format("{}. Same as {} of {}(1), where the value is described.\n", roff_inline(option.help),
                           bold(fmt::format("--{}", option.name)), bold("nspawn"));
    }
    return out +
           fmt::format("{}\n{}\n", roff_inline(repeat_sentence(option.setting_repeat)), trust_sentence(option.trust));
}

std::vector<std::string_view> documented_sections() {
    std::vector<std::string_view> sections;
    for (const std::string_view setting : documented_settings()) {
        if (sections.empty() || sections.back() != section_of(setting)) {
            sections.push_back(section_of(setting));
        }
    }
    return sections;
}

std::string setting_sections(const Snippets& snippets) {
    std::string out;
    for (const std::string_view section : documented_sections()) {
        std::string entries;
        for (const Option& option : option_table()) {
            if (!option.setting.empty() && section_of(option.setting) == section) {
                entries += setting_entry(option, snippets);
            }
        }
        if (!entries.empty()) {
            out += fmt::format(".SH [{}] SECTION\n{}", section, entries);
        }
    }
    return out;
}

std::string unsupported_section() {
    std::string entries;
    for (const std::string_view section : documented_sections()) {
        std::vector<std::string_view> missing;
        for (const std::string_view setting : documented_settings()) {
            if (section_of(setting) == section && find_setting(section, key_of(setting)) == nullptr) {
                missing.push_back(setting);
            }
        }
        if (!missing.empty()) {
            entries += fmt::format(".TP\n{}\n{}\n", bold(fmt::format("[{}]", section)), key_list(missing));
        }
    }
    if (entries.empty()) {
        return {};
    }
    return ".SH SETTINGS NOT YET SUPPORTED\nThese settings of \\fBsystemd.nspawn\\fR(5) are recognised, reported by "
           "name and ignored:\n" +
           entries;
}

std::string specifier_section(const Snippets& snippets) {
    std::string out = roff_from_markdown(snippets.part("settings.specifiers"), Place::section);
    for (const Specifier& specifier : specifiers()) {
        out +=
            fmt::format(".TP\n{}\n{}.{}\n", bold(fmt::format("%{}", specifier.letter)), roff_inline(specifier.meaning),
                        specifier.tells_about_host ? "" : " Also in untrusted files.");
    }
    return out;
}

} // namespace

std::string command_page(const Snippets& snippets) {
    std::string out =
        page_start("nspawn", "1", "Containers", "run a command, or boot a whole system, in a light container");
    out += ".SH SYNOPSIS\n.SY nspawn\n.RI [ OPTIONS... ]\n.RI [ COMMAND\\~ [ ARGUMENTS... ]]\n.YS\n"
           ".SY nspawn\n.B \\-\\-boot\n.RI [ OPTIONS... ]\n.RI [ ARGUMENTS... ]\n.YS\n";
    out += roff_from_markdown(snippets.part("nspawn.description"), Place::section);
    out += options_section(snippets);
    for (const char* part : {"nspawn.signals", "nspawn.exit-status", "nspawn.environment", "nspawn.files",
                             "nspawn.examples", "nspawn.differences", "nspawn.see-also"}) {
        out += roff_from_markdown(snippets.part(part), Place::section);
    }
    return out;
}

std::string settings_page(const Snippets& snippets) {
    std::string out = page_start("nspawn.settings", "5", "File Formats", "settings of one container");
    out += roff_from_markdown(snippets.part("settings.description"), Place::section);
    out += setting_sections(snippets);
    out += unsupported_section();
    out += specifier_section(snippets);
    for (const char* part : {"settings.examples", "settings.differences", "settings.see-also"}) {
        out += roff_from_markdown(snippets.part(part), Place::section);
    }
    return out;
}

} // namespace nspawn::docs
