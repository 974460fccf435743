#!/usr/bin/env bats
# Failure at every stage of a start with published ports and managed networks, as in faults.bats: an error ends in one
# line, a killed supervisor's leftovers go with the next start; no link, rule, lease, lock or changed setting stays.

load helpers
load three_networks

prepare() {
    make_networks
    on_host ip link add br0 type bridge
    STATE=/run/nspawn/network
    rm -rf "$STATE" # of earlier runs, which leave its empty directories
    LINKS=$(links)
}

cleanup() {
    kill -KILL "$HOST" "$OUTSIDE" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$STATE"
}

WAYS=(
    "-n -p 8080:80 -p udp:8080:80"
    "-U --network-zone=faults --network-managed -p 8080-8082:80-82"
    "--network-bridge=br0 --network-managed"
)

nspawn() { timeout --foreground --kill-after=5 60 "$BATS_TEST_TMPDIR/nspawn-on-host" "$@"; }
links() { on_host ip -o link | sed 's/^[0-9]*: \([^:@]*\).*/\1/' | sort; }

nothing_of_the_network_is_left() {
    local files
    files=$(find "$STATE" /run/nspawn/ports -mindepth 1 ! -type d ! -name lock 2>/dev/null)
    [[ -z $(rules) && $(links) == "$LINKS" && -z $files && -z $(on_host ip -o -4 addr show dev br0) ]] &&
        [[ $(on_host cat /proc/sys/net/ipv4/conf/wan/forwarding) == 0 && ! -e /run/systemd/nspawn-network-zone ]]
}

show_what_is_left() {
    rules
    links
    find "$STATE" /run/nspawn/ports
}

@test "an error at every stage: one line, and nothing of the network is left" {
    local way stage
    for way in "${WAYS[@]}"; do
        # shellcheck disable=SC2086
        while read -r stage; do
            NSPAWN_FAULT="$stage=EPERM" run --separate-stderr nspawn -q -P $way -D "$TREE" touch /ran </dev/null
            [[ $status == 1 ]] || fail "status $status for '$stage' with $way: $stderr"
            assert_one_error_line "$stage.*Operation not permitted"
            refute [ -e "$TREE/ran" ]
        done < <(stages_of -q -P $way -D "$TREE" touch /ran)
        await 10 nothing_of_the_network_is_left || fail "an error with $way leaves something: $(show_what_is_left)"
    done
}

@test "the supervisor killed at every stage: the next start clears up" {
    local way stage killed
    for way in "${WAYS[@]}"; do
        # shellcheck disable=SC2086
        while read -r stage; do
            killed=0
            NSPAWN_FAULT="$stage=SIGKILL-SUPERVISOR" nspawn -q -P $way -D "$TREE" sleep 1000 </dev/null >/dev/null 2>&1 3>&- || killed=$?
            [[ $killed == 137 ]] || fail "status $killed for '$stage' with $way"
            await 5 no_process_is_left || fail "processes are left after '$stage' with $way: $(processes_of_test)"
            run nspawn -q -P $way -D "$TREE" true </dev/null
            [[ $status == 0 ]] || fail "the start after '$stage' with $way: status $status: $output"
        done < <(stages_of -q -P $way -D "$TREE" true)
        run nspawn -q -P -D "$TREE" true </dev/null # what the last start could not know of
        await 10 nothing_of_the_network_is_left || fail "a kill with $way leaves something: $(show_what_is_left)"
    done
}
