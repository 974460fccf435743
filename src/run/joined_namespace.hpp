// joined_namespace.hpp — namespaces that exist already and become the container's, as an OCI bundle asks by path.
//
// Opens the path once and goes on with the descriptor. A pid namespace cannot be entered by a process that lives, only
// by those that it makes: BirthNamespace sees to that for one moment.
// Sources: setns(2), pid_namespaces(7), OCI runtime specification, config-linux.md "Namespaces".
#pragma once

#include "base/unique_fd.hpp"
#include "config/oci_runtime.hpp"

namespace nspawn {

// This process; of a pid namespace, those that it makes from now on.
void join_namespace(const OciNamespace& space);

// The pid namespace that the bundle joins; null: it has a new one, or the caller's.
const OciNamespace* find_joined_pid_namespace(const OciRuntime* bundle);

// Processes made while this lives are in the bundle's pid namespace, if it joins one.
class BirthNamespace {
public:
    explicit BirthNamespace(const OciRuntime* bundle);
    ~BirthNamespace();
    BirthNamespace(const BirthNamespace&) = delete;
    BirthNamespace& operator=(const BirthNamespace&) = delete;

private:
    UniqueFd own_; // invalid: nothing to go back to
};

} // namespace nspawn
