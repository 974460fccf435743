// Private users and the private network.
#include "config/apply.hpp"

namespace nspawn::apply {

namespace {

void set_users(Draft& draft, UserChoice choice, const Value& value) {
    draft.config.users = std::move(choice);
    draft.users_from_file = value.from_file();
}

} // namespace

void private_users(Draft& draft, const Value& value) {
    set_users(draft, value.given ? parse_private_users(value.text, value.from_file()) : UserChoice{UserMode::tree, {}},
              value);
    draft.config.users_if_possible = false;
}

void private_users_ownership(Draft& draft, const Value& value) {
    draft.tree_ownership = parse_tree_ownership(value.text);
}

void private_users_chown(Draft& draft, const Value& value) {
    draft.tree_ownership = boolean(value) ? TreeOwnership::chown : TreeOwnership::off;
}

void private_users_auto(Draft& draft, const Value& value) {
    set_users(draft, {UserMode::pick, {}}, value);
    draft.config.users_if_possible = true;
    draft.tree_ownership = TreeOwnership::automatic;
}

// Twice the same: an error on the command line, and in a settings file a warning as for any value that is wrong.
void port(Draft& draft, const Value& value) {
    PublishedPort port = parse_port(value.text);
    check_beside(port, draft.config.ports);
    draft.config.ports.push_back(std::move(port));
}

} // namespace nspawn::apply
