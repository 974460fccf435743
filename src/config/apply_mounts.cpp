// Mounts that were asked for; the grammar is custom_mount.hpp's.
#include "config/apply.hpp"

namespace nspawn::apply {

template <bool read_only>
void bind(Draft& draft, const Value& value) {
    draft.config.custom_mounts.push_back(parse_bind(value.text, read_only, draft.caller.start_of_paths()));
}
template void bind<false>(Draft& draft, const Value& value);
template void bind<true>(Draft& draft, const Value& value);

void tmpfs(Draft& draft, const Value& value) { draft.config.custom_mounts.push_back(parse_tmpfs(value.text)); }

template <bool read_only>
void overlay(Draft& draft, const Value& value) {
    draft.config.custom_mounts.push_back(parse_overlay(value.text, read_only));
}
template void overlay<false>(Draft& draft, const Value& value);
template void overlay<true>(Draft& draft, const Value& value);

void inaccessible(Draft& draft, const Value& value) {
    draft.config.custom_mounts.push_back(parse_inaccessible(value.text));
}

} // namespace nspawn::apply
