#include "config/host_files.hpp"

#include "base/text.hpp"

#include <iterator>

namespace nspawn {

namespace {

// What the words mean, in their order.
constexpr ResolvConf kResolvConfs[] = {
    {HostFileWay::off, ResolvConfSource::host},       {HostFileWay::copy, ResolvConfSource::host},
    {HostFileWay::copy, ResolvConfSource::fixed},     {HostFileWay::copy, ResolvConfSource::uplink},
    {HostFileWay::copy, ResolvConfSource::stub},      {HostFileWay::replace, ResolvConfSource::host},
    {HostFileWay::replace, ResolvConfSource::fixed},  {HostFileWay::replace, ResolvConfSource::uplink},
    {HostFileWay::replace, ResolvConfSource::stub},   {HostFileWay::bind, ResolvConfSource::host},
    {HostFileWay::bind, ResolvConfSource::fixed},     {HostFileWay::bind, ResolvConfSource::uplink},
    {HostFileWay::bind, ResolvConfSource::stub},      {HostFileWay::remove, ResolvConfSource::host},
    {HostFileWay::automatic, ResolvConfSource::host},
};
static_assert(std::size(kResolvConfWords) == std::size(kResolvConfs));

constexpr HostFileWay kTimezones[] = {HostFileWay::off,     HostFileWay::copy,   HostFileWay::bind,
                                      HostFileWay::symlink, HostFileWay::remove, HostFileWay::automatic};
static_assert(std::size(kTimezoneWords) == std::size(kTimezones));

constexpr LinkJournal kLinkJournals[] = {LinkJournal::no,       LinkJournal::host,      LinkJournal::guest,
                                         LinkJournal::try_host, LinkJournal::try_guest, LinkJournal::automatic};
static_assert(std::size(kLinkJournalWords) == std::size(kLinkJournals));

template <typename T, size_t count>
std::optional<T> meaning_of(std::string_view text, const std::string_view (&words)[count], const T (&meanings)[count],
                            T yes, T no) {
    for (size_t i = 0; i < count; ++i) {
        if (words[i] == text) {
            return meanings[i];
        }
    }
    const std::optional<bool> answer = parse_boolean(text);
    return answer ? std::optional<T>(*answer ? yes : no) : std::nullopt;
}

template <typename T, size_t count, typename Same>
std::string_view word_of(const std::string_view (&words)[count], const T (&meanings)[count], Same same) {
    for (size_t i = 0; i < count; ++i) {
        if (same(meanings[i])) {
            return words[i];
        }
    }
    return "";
}

} // namespace

std::optional<ResolvConf> parse_resolv_conf(std::string_view text) {
    return meaning_of(text, kResolvConfWords, kResolvConfs, ResolvConf{HostFileWay::automatic},
                      ResolvConf{HostFileWay::off});
}

std::optional<HostFileWay> parse_timezone(std::string_view text) {
    return meaning_of(text, kTimezoneWords, kTimezones, HostFileWay::automatic, HostFileWay::off);
}

std::optional<LinkJournal> parse_link_journal(std::string_view text) {
    return meaning_of(text, kLinkJournalWords, kLinkJournals, LinkJournal::automatic, LinkJournal::no);
}

std::string_view to_word(const ResolvConf& value) {
    return word_of(kResolvConfWords, kResolvConfs,
                   [&](const ResolvConf& each) { return each.way == value.way && each.source == value.source; });
}

std::string_view timezone_word(HostFileWay value) {
    return word_of(kTimezoneWords, kTimezones, [&](HostFileWay each) { return each == value; });
}

std::string_view to_word(LinkJournal value) {
    return word_of(kLinkJournalWords, kLinkJournals, [&](LinkJournal each) { return each == value; });
}

} // namespace nspawn
