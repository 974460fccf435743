#include "config/show_config.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace nspawn {

namespace {

constexpr size_t kWidestValue = 40; // a longer one pushes its origin to the right instead of everybody's

std::string origins_as_text(const Provenance& provenance) {
    std::string text;
    for (const Origin& origin : provenance.origins) {
        text.append(text.empty() ? "" : ", ").append(origin.describe());
    }
    return text;
}

std::string value_as_text(const Provenance& provenance) {
    std::string text;
    for (const std::string& value : provenance.values) {
        text.append(text.empty() ? "" : " ").append(shell_quote(printable(value)));
    }
    return text.empty() ? "-" : text;
}

void fill_in(Resolved& resolved, std::string_view option, const std::string& value, const char* implied_by) {
    for (Provenance& each : resolved.provenance) {
        if (each.option->name == option && each.values.empty()) {
            each.values = {value};
            each.origins = {{.kind = Origin::Kind::implied, .file = implied_by}};
        }
    }
}

} // namespace

void name_tree(Resolved& resolved, const std::string& path, const std::string& machine) {
    const bool by_name = resolved.config.directory.empty() && !resolved.config.machine.empty();
    fill_in(resolved, "directory", path, by_name ? "--machine" : "the working directory");
    fill_in(resolved, "machine", machine, "--directory");
    fill_in(resolved, "hostname", machine, "--machine");
}

std::string config_as_text(const Resolved& resolved) {
    size_t name_width = 0;
    size_t value_width = 0;
    for (const Provenance& each : resolved.provenance) {
        name_width = std::max(name_width, display_name(*each.option).size());
        value_width = std::max(value_width, std::min(value_as_text(each).size(), kWidestValue));
    }
    std::string text = fmt::format("{:<{}}  {:<{}}  {}\n", "OPTION", name_width, "VALUE", value_width, "FROM");
    for (const Provenance& each : resolved.provenance) {
        text += fmt::format("{:<{}}  {:<{}}  {}\n", display_name(*each.option), name_width, value_as_text(each),
                            value_width, origins_as_text(each));
    }
    return text;
}

Json config_as_json(const Resolved& resolved) {
    Json settings = Json::array();
    for (const Provenance& each : resolved.provenance) {
        Json from = Json::array();
        for (const Origin& origin : each.origins) {
            from.add(origin.describe());
        }
        const std::string_view setting = each.option->setting;
        settings.add(Json::object({
            {"option", each.option->name.empty() ? Json() : Json(display_name(*each.option))},
            {"setting", setting.empty() ? Json() : Json(setting)},
            {"values", each.values},
            {"from", from},
        }));
    }
    return Json::object({{"settings", settings}});
}

} // namespace nspawn
