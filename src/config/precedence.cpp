#include "config/precedence.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "linux/resource_limit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <compare>
#include <set>

namespace nspawn {

namespace {

// One bit of the settings mask.
struct MaskBit {
    MaskGroup group = MaskGroup::none;
    int resource = 0; // MaskGroup::limit has one bit for each

    // NOLINTNEXTLINE(modernize-use-nullptr): takes the 0 that the result is compared with for a pointer
    auto operator<=>(const MaskBit&) const = default;
};
using Mask = std::set<MaskBit>;

MaskBit mask_bit(const Assignment& assignment) {
    const MaskGroup group = assignment.option->group;
    if (group != MaskGroup::limit) {
        return {group, 0};
    }
    const std::string_view text =
        assignment.origin.kind == Origin::Kind::settings_file
            ? std::string_view(assignment.spelled).substr(std::string_view("Exec.Limit").size())
            : std::string_view(assignment.value);
    return {group, parse_resource_name(text.substr(0, text.find('='))).value_or(-1)};
}

constexpr MaskBit kStartMode = {MaskGroup::start_mode, 0};

// Parameters= shares the start mode's bit, but alone it sets no start mode.
bool sets_start_mode(const Assignment& assignment) {
    return assignment.option->group == MaskGroup::start_mode && !assignment.option->name.empty();
}

Value value_of(const Assignment& assignment) {
    return {.text = assignment.value,
            .given = assignment.has_value,
            .spelled = assignment.spelled,
            .origin = assignment.origin};
}

bool resets(const Assignment& assignment) {
    const Repeat repeat = assignment.option->setting_repeat;
    return assignment.value.empty() && (repeat == Repeat::last || repeat == Repeat::append_reset);
}

bool is_list(const Option& option) {
    return option.setting_repeat == Repeat::append || option.setting_repeat == Repeat::set_union;
}

bool allows_something(const Assignment& assignment) {
    const std::string_view text = trim(assignment.value);
    return !text.empty() && !text.starts_with('~');
}

// The settings files' assignments, without those that are malformed, not trusted enough or taken back.
class Screening {
public:
    Screening(SettingsMode mode, const Caller& caller) : trust_all_(mode == SettingsMode::trusted), scratch_(caller) {}

    void run(std::span<const Assignment> settings) {
        find_untrusted_allow_lists(settings);
        // What came with the image is heard first, so that everything trusted has the last word.
        for (const bool trusted : {false, true}) {
            for (const Assignment& assignment : settings) {
                if (is_trusted(assignment) == trusted) {
                    screen(assignment);
                }
            }
        }
    }

    [[nodiscard]] bool is_trusted(const Assignment& assignment) const {
        return trust_all_ || assignment.origin.trusted;
    }
    [[nodiscard]] const std::vector<const Assignment*>& accepted() const { return accepted_; }
    std::vector<std::string>& warnings() { return warnings_; }

private:
    void find_untrusted_allow_lists(std::span<const Assignment> settings) {
        for (const Assignment& assignment : settings) {
            if (assignment.option->trust == Trust::deny_entries && !is_trusted(assignment) &&
                allows_something(assignment)) {
                dropped_whole_.insert(assignment.option);
            }
        }
    }

    void screen(const Assignment& assignment) {
        const Option& option = *assignment.option;
        if (!is_trusted(assignment) && option.trust == Trust::trusted_only) {
            warn(assignment, "ignored, a file that came with the image may not set this (see --settings=trusted)");
        } else if (!is_trusted(assignment) && dropped_whole_.contains(&option)) {
            warn(assignment, "ignored, a file that came with the image may only forbid system calls, and here or "
                             "elsewhere it allows some");
        } else if (resets(assignment)) {
            take_back(assignment);
        } else if (conflicts_with_accepted(assignment)) {
            warn(assignment, "ignored, it contradicts an earlier setting");
        } else {
            accept_if_valid(assignment);
        }
    }

    void take_back(const Assignment& assignment) {
        std::erase_if(accepted_, [&](const Assignment* earlier) {
            return earlier->option == assignment.option && mask_bit(*earlier) == mask_bit(assignment);
        });
    }

    // Both say yes; the later of two conflicting settings in files is left out.
    [[nodiscard]] bool conflicts_with_accepted(const Assignment& assignment) const {
        if (assignment.option->group != MaskGroup::start_mode || !parse_boolean(assignment.value).value_or(false)) {
            return false;
        }
        for (const std::string_view rival : assignment.option->conflicts) {
            const auto last = std::find_if(accepted_.rbegin(), accepted_.rend(),
                                           [&](const Assignment* each) { return each->option->name == rival; });
            if (last != accepted_.rend() && parse_boolean((*last)->value).value_or(false)) {
                return true;
            }
        }
        return false;
    }

    void accept_if_valid(const Assignment& assignment) {
        try {
            assignment.option->apply(scratch_, value_of(assignment));
        } catch (const Error& error) {
            warn(assignment, fmt::format("ignored, {}", error.message()));
            return;
        }
        for (const std::string& note : scratch_.notes) {
            warn(assignment, fmt::format("{}; the rest of the line holds", note));
        }
        scratch_.notes.clear();
        accepted_.push_back(&assignment);
    }

    void warn(const Assignment& assignment, std::string_view what) {
        warnings_.push_back(fmt::format("{}: {}", assignment.describe(), what));
    }

    bool trust_all_;
    Draft scratch_;
    std::set<const Option*> dropped_whole_;
    std::vector<const Assignment*> accepted_;
    std::vector<std::string> warnings_;
};

Mask mask_of_command_line(const CommandLine& line) {
    Mask mask;
    for (const Assignment& assignment : line.assignments) {
        if (assignment.option->group != MaskGroup::none) {
            mask.insert(mask_bit(assignment));
        }
    }
    if (!line.words.empty()) {
        mask.insert(kStartMode);
    }
    return mask;
}

// Decides between the command line and the screened settings, bit by bit.
class Contest {
public:
    Contest(const CommandLine& line, Screening& screening, SettingsMode mode)
        : line_(line), screening_(screening), files_win_(mode == SettingsMode::override_command_line),
          command_line_(mask_of_command_line(line)) {
        for (const Assignment* setting : screening.accepted()) {
            file_sets_start_mode_ |= sets_start_mode(*setting);
        }
        for (const Assignment* setting : screening.accepted()) {
            if (displaces(*setting) && (setting->option->group != MaskGroup::start_mode || file_sets_start_mode_)) {
                files_.insert(mask_bit(*setting));
            }
        }
    }

    Held result() {
        Held held;
        for (const Assignment& assignment : line_.assignments) {
            if (command_line_holds(assignment)) {
                held.assignments.push_back(&assignment);
            }
        }
        for (const Assignment* setting : screening_.accepted()) {
            if (setting_holds(*setting)) {
                held.assignments.push_back(setting);
            }
        }
        held.words_from_command_line = !file_sets_start_mode_ || (command_line_.contains(kStartMode) && !files_win_);
        held.warnings = std::move(screening_.warnings());
        return held;
    }

private:
    // An untrusted setting that can only narrow stands beside what the command line said, never in its place.
    [[nodiscard]] bool displaces(const Assignment& setting) const {
        return screening_.is_trusted(setting) || setting.option->trust == Trust::anyone;
    }

    // Capabilities of both sides count (Draft::settle_capabilities says how), as with the original.
    [[nodiscard]] bool command_line_holds(const Assignment& assignment) const {
        const MaskGroup group = assignment.option->group;
        if (group == MaskGroup::none || group == MaskGroup::capability || !files_win_) {
            return true;
        }
        return !files_.contains(mask_bit(assignment));
    }

    [[nodiscard]] bool setting_holds(const Assignment& setting) {
        if (setting.option->group == MaskGroup::start_mode && !file_sets_start_mode_) {
            warn(setting, "has no effect without Boot= or ProcessTwo=");
            return false;
        }
        if (!command_line_.contains(mask_bit(setting))) {
            return true;
        }
        if (!files_win_) {
            return false;
        }
        if (displaces(setting) || is_list(*setting.option)) {
            return true;
        }
        warn(setting, "ignored, a file that came with the image cannot take back what the command line said");
        return false;
    }

    void warn(const Assignment& setting, std::string_view what) {
        screening_.warnings().push_back(fmt::format("{}: {}", setting.describe(), what));
    }

    const CommandLine& line_;
    Screening& screening_;
    bool files_win_;
    bool file_sets_start_mode_ = false;
    Mask command_line_;
    Mask files_;
};

} // namespace

void apply_assignment(Draft& draft, const Assignment& assignment) {
    try {
        assignment.option->apply(draft, value_of(assignment));
    } catch (Error& error) {
        error.with_context(assignment.describe());
        throw;
    }
}

Held hold(const CommandLine& line, std::span<const Assignment> settings, SettingsMode mode, const Caller& caller) {
    Screening screening(mode, caller);
    if (mode != SettingsMode::no) {
        screening.run(settings);
    }
    return Contest(line, screening, mode).result();
}

namespace {

// The command line says something about the same: by the mask, or by the option itself where that has no bit.
bool is_overruled(const Assignment& assignment, const CommandLine& line, const Mask& mask) {
    if (assignment.option->group != MaskGroup::none) {
        return mask.contains(mask_bit(assignment));
    }
    return std::any_of(line.assignments.begin(), line.assignments.end(), [&](const Assignment& said) {
        return said.option == assignment.option || said.option->shown_with == assignment.option->name;
    });
}

} // namespace

Held hold_bundle(const CommandLine& line, const OciBundle& bundle) {
    const Mask mask = mask_of_command_line(line);
    Held held;
    for (const Assignment& assignment : bundle.assignments) {
        if (!is_overruled(assignment, line, mask)) {
            held.assignments.push_back(&assignment);
        }
    }
    for (const Assignment& assignment : line.assignments) {
        held.assignments.push_back(&assignment);
    }
    held.words_from_command_line = mask.contains(kStartMode);
    return held;
}

void apply_bundle(Draft& draft, const CommandLine& line, OciBundle&& bundle) {
    const Mask mask = mask_of_command_line(line);
    const auto said = [&](MaskGroup group) { return mask.contains(MaskBit{group, 0}); };
    Config& config = draft.config;
    if (line.words.empty()) {
        config.words = std::move(bundle.words);
    }
    if (config.directory.empty()) {
        config.directory = std::move(bundle.root);
    }
    if (!said(MaskGroup::custom_mounts)) {
        config.custom_mounts = std::move(bundle.mounts);
    }
    // A bundle says all that is to be done to its tree.
    if (!said(MaskGroup::resolv_conf)) {
        config.resolv_conf.way = HostFileWay::off;
    }
    if (!said(MaskGroup::timezone)) {
        config.timezone = HostFileWay::off;
    }
    if (!said(MaskGroup::link_journal)) {
        config.link_journal = LinkJournal::no;
    }
    if (said(MaskGroup::user)) {
        bundle.runtime.user.reset();
    }
    if (said(MaskGroup::capability)) {
        bundle.runtime.capabilities.reset();
    }
    if (said(MaskGroup::system_call_filter)) {
        bundle.runtime.seccomp.reset();
    }
    config.oci = std::make_shared<const OciRuntime>(std::move(bundle.runtime));
}

} // namespace nspawn
