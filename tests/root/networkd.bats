#!/usr/bin/env bats
# systemd-networkd on both ends: a booted Debian is the host, with nspawn in it, and another Debian its container. Addresses
# come by DHCP, from the files that systemd brings (80-container-*.network), and nothing of ours gets in their way.

load helpers

# Boots the host; HOST is its first process. Both systems are the one Debian tree, and write elsewhere.
boot_host() {
    local tree
    tree=$(debian_tree)
    in_background -q --console=read-only -x -D "$tree" -M outer --private-network --bind-ro="$NSPAWN:/usr/bin/nspawn" \
        --bind-ro="$(dirname "$NSPAWN")/nspawn-network:/usr/bin/nspawn-network" --bind-ro="$tree:/guest" \
        -b systemd.wants=systemd-networkd.service
    await 120 on_host_is_ready || fail_with_log "the host does not boot"
}

on_host_is_ready() {
    HOST=$(leader_of "$SUPERVISOR") && [[ -n $HOST ]] && on_host systemctl is-active -q systemd-networkd multi-user.target 2>/dev/null
}

cleanup() {
    [[ -z ${SUPERVISOR-} ]] || kill -KILL "${HOST:-$SUPERVISOR}"
    [[ -z ${SUPERVISOR-} ]] || await_exit >/dev/null || true
}

fail_with_log() {
    tail -n 20 "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/err"
    on_host journalctl -b --no-pager -n 40 || true
    on_host ip addr || true
    fail "$1"
}

on_host() { timeout 60 nsenter -t "$HOST" -m -u -i -n -p -r -w "$@"; }

# boot_guest NAME OPTION...: a service of the host's.
boot_guest() {
    local name=$1
    shift
    on_host systemd-run -q -u "$name" -p Delegate=yes -p KillMode=mixed nspawn -q --keep-unit --console=read-only --link-journal=no \
        --volatile=overlay -D /guest -M "$name" "$@" -b systemd.wants=systemd-networkd.service
}
# in_guest NAME COMMAND...: in its network.
in_guest() {
    local supervisor leader
    supervisor=$(on_host systemctl show -P MainPID "$1")
    leader=$(on_host sh -c 'cat "/proc/$1/task/$1/children"' sh "$supervisor")
    shift
    on_host nsenter -t "${leader%% *}" -n "$@"
}

# The guest's address comes from the host, and packets pass. networkd may give the host's end more than one address.
check_lease() { # NAME LINK LENGTH
    local address gateway
    has_lease() { in_guest "$1" ip -4 route 2>/dev/null | grep -q '^default .* proto dhcp'; }
    await 120 has_lease "$1" || fail_with_log "host0 of $1 gets no address"
    gateway=$(in_guest "$1" ip -4 route | sed -n 's/^default via \([0-9.]*\) dev host0 proto dhcp.*/\1/p')
    address=$(in_guest "$1" ip -o -4 addr show dev host0 scope global | sed -n 's/.* inet \([0-9./]*\).*/\1/p')
    [[ $address == */$3 ]] || fail "$1 has the address $address"
    run on_host ip -o -4 addr show dev "$2"
    assert_output --partial " inet $gateway/$3 "
    run on_host ip route get "${address%/*}"
    assert_output --partial " dev $2 "
    # The neighbour's answer to who has this address comes from inside.
    reaches() { on_host bash -c "echo >/dev/udp/${address%/*}/9; ip neigh show dev $2" | grep -q "^${address%/*} lladdr"; }
    await 20 reaches "$1" "$2" || fail_with_log "no way to $address"
}

@test "networkd on both ends gives addresses by DHCP: --network-veth and --network-zone" {
    boot_host
    boot_guest web --network-veth
    boot_guest member --network-zone=lab
    check_lease web ve-web 28
    check_lease member vz-lab 24
    run on_host ls /run/nspawn/network/machines
    refute_output --partial web
    run on_host ip -o link show vb-member
    assert_output --partial 'master vz-lab'
    on_host systemctl stop web member
    gone() { ! on_host ip link show vz-lab >/dev/null 2>&1 && ! on_host ip link show ve-web >/dev/null 2>&1; }
    await 10 gone
}

@test "--network-managed=auto leaves links to networkd, =yes refuses" {
    boot_host
    on_guest() { on_host systemd-run -q --wait --pipe nspawn -q --keep-unit -P --link-journal=no --volatile=overlay -D /guest -M short "$@"; }
    run on_guest --network-veth --network-managed=auto ip -o -4 addr show dev host0
    assert_success
    refute_output --partial inet
    run on_guest --network-zone=lab --network-managed=auto ip -o -4 addr show dev host0
    assert_success
    refute_output --partial inet
    run on_host sh -c 'ls /run/nspawn/network/machines'
    refute_output --partial short
    run on_guest --network-veth --network-managed ip -o -4 addr show dev host0
    assert_failure
    assert_output --partial 'systemd-networkd manages ve-short'
    run on_guest --network-zone=lab --network-managed ip -o -4 addr show dev host0
    assert_failure
    assert_output --partial 'systemd-networkd manages vz-lab'
}
