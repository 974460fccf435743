#include "config/resolve.hpp"

#include "base/error.hpp"
#include "config/credential.hpp"
#include "config/derive.hpp"
#include "config/precedence.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace nspawn {

namespace {

Draft draft_of(const CommandLine& line, const Caller& caller) {
    Draft draft(caller);
    for (const Assignment& assignment : line.assignments) {
        apply_assignment(draft, assignment);
    }
    return draft;
}

Draft draft_of(const Held& held, const CommandLine& line, const Caller& caller) {
    Draft draft(caller);
    for (const Assignment* assignment : held.assignments) {
        apply_assignment(draft, *assignment);
    }
    draft.config.words = held.words_from_command_line ? line.words : draft.parameters;
    return draft;
}

void load_credentials(Draft& draft) {
    for (CredentialRequest& request : draft.credentials) {
        if (!request.source.empty()) {
            try {
                request.content = read_credential(request.source, draft.caller);
            } catch (Error& error) {
                error.with_context(fmt::format("--load-credential={}:{}", request.id, request.source));
                throw;
            }
        }
        draft.config.credentials.push_back({std::move(request.id), std::move(request.content)});
    }
}

// True when an assignment of `option` is shown as part of `row`.
bool belongs_to(const Option& option, const Option& row) {
    return &option == &row || (!option.shown_with.empty() && option.shown_with == row.name);
}

std::vector<Origin> origins_of(const Option& row, const Held& held, const Derived& derived, bool words_given) {
    for (const Implied& implied : derived.implied) {
        if (implied.option == &row) {
            return {implied.origin};
        }
    }
    std::vector<Origin> origins;
    for (const Assignment* assignment : held.assignments) {
        if (belongs_to(*assignment->option, row)) {
            const Repeat repeat =
                assignment->origin.kind == Origin::Kind::settings_file ? row.setting_repeat : row.repeat;
            if (repeat == Repeat::last) {
                origins.clear();
            }
            origins.push_back(assignment->origin);
        }
    }
    if (row.name.empty() && held.words_from_command_line) { // the payload's words are not an option of their own
        origins.clear();
        if (words_given) {
            origins.emplace_back();
        }
    }
    if (origins.empty()) {
        origins.push_back({.kind = Origin::Kind::built_in, .file = {}});
    }
    return origins;
}

// A list that was given on the command line is one origin, however many options it took.
void drop_repeated(std::vector<Origin>& origins) {
    const auto same = [](const Origin& a, const Origin& b) { return a.describe() == b.describe(); };
    origins.erase(std::unique(origins.begin(), origins.end(), same), origins.end());
}

std::vector<Provenance> provenance_of(const Config& config, const Held& held, const Derived& derived,
                                      const CommandLine& line) {
    std::vector<Provenance> provenance;
    for (const Option& row : option_table()) {
        if (row.show != nullptr) {
            provenance.push_back({&row, row.show(config), origins_of(row, held, derived, !line.words.empty())});
            drop_repeated(provenance.back().origins);
        }
    }
    return provenance;
}

Resolved finish(Draft& draft, const Held& held, const CommandLine& line, const EnvironmentSwitches& switches) {
    const Derived derived = derive(draft, held, switches);
    load_credentials(draft);

    Resolved resolved;
    resolved.provenance = provenance_of(draft.config, held, derived, line);
    resolved.warnings = held.warnings;
    resolved.config = std::move(draft.config);
    return resolved;
}

} // namespace

Config read_command_line(const CommandLine& line, const Caller& caller) {
    Draft draft = draft_of(line, caller);
    draft.config.words = line.words;
    read_template_as_directory(draft.config);
    return std::move(draft.config);
}

Resolved resolve(const CommandLine& line, std::span<const Assignment> settings, const Caller& caller,
                 const EnvironmentSwitches& switches) {
    // Also what will lose to a settings file has to be well-formed.
    const SettingsMode mode = draft_of(line, caller).config.settings;
    const Held held = hold(line, settings, mode, caller);
    Draft draft = draft_of(held, line, caller);
    return finish(draft, held, line, switches);
}

Resolved resolve(const CommandLine& line, OciBundle&& bundle, const Caller& caller,
                 const EnvironmentSwitches& switches) {
    const Held held = hold_bundle(line, bundle);
    Draft draft = draft_of(held, line, caller);
    const std::vector<Assignment> assignments = std::move(bundle.assignments); // `held` points to them
    apply_bundle(draft, line, std::move(bundle));
    return finish(draft, held, line, switches);
}

} // namespace nspawn
