// The host's files that the container takes over; the words are host_files.hpp's.
#include "config/apply.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace nspawn::apply {

namespace {

template <typename T>
T known(const std::optional<T>& meaning, std::span<const std::string_view> words) {
    if (!meaning) {
        throw Error(fmt::format("not a boolean, and none of {}", fmt::join(words, ", ")));
    }
    return *meaning;
}

} // namespace

void resolv_conf(Draft& draft, const Value& value) {
    draft.config.resolv_conf = known(parse_resolv_conf(value.text), kResolvConfWords);
}

void timezone(Draft& draft, const Value& value) {
    draft.config.timezone = known(parse_timezone(value.text), kTimezoneWords);
}

void link_journal(Draft& draft, const Value& value) {
    draft.config.link_journal = known(parse_link_journal(value.text), kLinkJournalWords);
}

void link_journal_try_guest(Draft& draft, const Value& /*value*/) {
    draft.config.link_journal = LinkJournal::try_guest;
}

} // namespace nspawn::apply
