#include "plan/own_mounts.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "plan/mount_table.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace nspawn {

namespace {

void override_option(std::vector<MountOption>& options, const MountOption& option) {
    const auto ours = std::find_if(options.begin(), options.end(),
                                   [&](const MountOption& known) { return known.name == option.name; });
    if (ours != options.end()) {
        ours->value = option.value;
    } else {
        options.push_back(option);
    }
}

void override_options(std::vector<MountOption>& options, const Plan& plan, const OciOwnMount& own) {
    for (MountOption option : own.options) {
        make_ids_of_host(option, plan.id_map, fmt::format("config.json: mounts: {}", own.target));
        override_option(options, option);
    }
}

void change_attributes(uint64_t& attributes, const MountChange& change) {
    attributes = (attributes & ~change.clear) | change.set;
}

class Change {
public:
    Change(Plan& plan, const OciOwnMount& own) : plan_(plan), own_(own) {}

    void operator()(MountFileSystem& what) const {
        if (what.target != own_.target) {
            return;
        }
        MountChange change = own_.change;
        if (what.type == "tmpfs" && (change.set & MOUNT_ATTR_RDONLY) != 0) {
            change.set &= ~uint64_t{MOUNT_ATTR_RDONLY}; // there are things to be put in before
            plan_.sealed_last.push_back(what.target);
        }
        change_attributes(what.attributes, change);
        override_options(what.options, plan_, own_);
    }

    void operator()(MountParts& what) const {
        if (what.target == own_.target) {
            change_attributes(what.attributes, {own_.change.set & ~uint64_t{MOUNT_ATTR__ATIME}, 0});
        }
    }

    void operator()(BindFromHost& what) const {
        if (what.target == own_.target) {
            change_attributes(what.attributes, own_.change);
            what.cleared |= own_.change.clear;
        }
    }

    template <typename Other>
    void operator()(Other&) const {}

private:
    Plan& plan_;
    const OciOwnMount& own_;
};

} // namespace

void change_own_mounts(Plan& plan) {
    if (!plan.oci) {
        return;
    }
    for (const OciOwnMount& own : plan.oci->own_mounts) {
        const Change change(plan, own);
        for (OperationGroup& group : plan.groups) {
            for (Operation& operation : group.operations) {
                std::visit(change, operation);
            }
        }
        if (own.target == "/dev/pts") { // where the supervisor makes it
            override_options(plan.devpts_options, plan, own);
            change_attributes(plan.devpts_attributes, own.change);
        }
    }
}

} // namespace nspawn
