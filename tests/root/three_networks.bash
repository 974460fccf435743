# Three network namespaces with real traffic: the container's, one that plays the host (the program runs in it, with a
# packet filter of its own; the real host's is never touched), and one that plays the world outside. Load it after helpers.

# Sets HOST and OUTSIDE, processes that hold two of them, and makes a program for in_background: nspawn on that host.
make_networks() {
    unshare -n sleep 1000 3>&- &
    HOST=$!
    unshare -n sleep 1000 3>&- &
    OUTSIDE=$!
    await 5 in_other_network "$HOST"
    await 5 in_other_network "$OUTSIDE"
    on_host ip link set lo up
    outside ip link set lo up
    on_host ip link add wan type veth peer name eth0 netns "$OUTSIDE"
    on_host ip addr add 203.0.113.1/24 dev wan
    on_host ip addr add 2001:db8:1::1/64 dev wan nodad
    on_host ip link set wan up
    outside ip addr add 203.0.113.2/24 dev eth0
    outside ip addr add 2001:db8:1::2/64 dev eth0 nodad
    outside ip link set eth0 up
    printf '#!/bin/sh\nexec nsenter --net=/proc/%s/ns/net %s "$@"\n' "$HOST" "$NSPAWN" >"$BATS_TEST_TMPDIR/nspawn-on-host"
    chmod +x "$BATS_TEST_TMPDIR/nspawn-on-host"
}

in_other_network() { [[ $(readlink "/proc/$1/ns/net") != $(readlink /proc/self/ns/net) ]]; }
on_host() { nsenter --net="/proc/$HOST/ns/net" "$@"; }
outside() { nsenter --net="/proc/$OUTSIDE/ns/net" "$@"; }
in_container() { nsenter --net="/proc/$LEADER/ns/net" "$@"; }
rules() { on_host nft list ruleset; }
no_rules() { [[ -z $(rules) ]]; }
on_host_nspawn() { NSPAWN=$BATS_TEST_TMPDIR/nspawn-on-host in_background "$@"; }

# Ends the background run.
stop() {
    kill -TERM "$SUPERVISOR"
    await_exit >/dev/null || true
}
