// The "hooks" of a bundle: OCI runtime specification, config.md "POSIX-platform Hooks".
#include "config/oci_reader.hpp"

namespace nspawn::oci {

namespace {

constexpr OciField<OciHook> kHookFields[] = {
    {"path", [](OciHook& hook, const OciValue& value) { hook.path = value.path(); }},
    {"args", [](OciHook& hook, const OciValue& value) { hook.words = value.texts(); }},
    {"env",
     [](OciHook& hook, const OciValue& value) {
         value.each([&](const OciValue& entry) {
             if (entry.text().find('=') == std::string::npos) {
                 entry.fail("is not NAME=VALUE");
             }
             hook.environment.push_back(entry.text());
         });
     }},
    {"timeout",
     [](OciHook& hook, const OciValue& value) { hook.timeout = static_cast<unsigned>(value.integer(1, 86400)); }},
};

template <std::vector<OciHook> OciHooks::*member>
void read_list(OciHooks& hooks, const OciValue& value) {
    value.each([&](const OciValue& each) {
        (void)each.require("path");
        OciHook& hook = (hooks.*member).emplace_back();
        hook.place = each.place();
        read_members(hook, each, kHookFields);
        if (hook.words.empty()) {
            hook.words = {hook.path};
        }
    });
}

constexpr OciField<OciHooks> kFields[] = {
    {"prestart", read_list<&OciHooks::prestart>},
    {"createRuntime", read_list<&OciHooks::create_runtime>},
    {"createContainer", read_list<&OciHooks::create_container>},
    {"startContainer", read_list<&OciHooks::start_container>},
    {"poststart", read_list<&OciHooks::poststart>},
    {"poststop", read_list<&OciHooks::poststop>},
};

} // namespace

void read_hooks(OciBundle& bundle, const OciValue& value) { read_members(bundle.runtime.hooks, value, kFields); }

} // namespace nspawn::oci
