#!/usr/bin/env bats
# Interfaces of the container: made, named, joined to bridges and zones, lent and given back. The host's side is a network
# namespace of its own, so that the real host's network stays as it is.

load helpers

prepare() {
    require_links
    unshare --net sleep 300 </dev/null >/dev/null 2>&1 3>&- &
    HOST=$!
    await 5 differs_from_ours
    host ip link set lo up
}

cleanup() {
    if [[ -n ${HOST-} ]]; then
        kill "$HOST"
        wait "$HOST" || true
    fi
    rm -rf /run/nspawn/network # its empty directories stay between runs on purpose
}

differs_from_ours() { [[ $(readlink "/proc/$HOST/ns/net") != "$(readlink /proc/self/ns/net)" ]]; }

require_links() {
    unshare --net ip link add name skip0 type veth peer name skip1 2>/dev/null || skip "this kernel has no virtual Ethernet interfaces"
}

# host COMMAND...: in the network namespace that is the host's here.
host() { nsenter --net="/proc/$HOST/ns/net" -- "$@"; }

nspawn() {
    timeout --foreground --kill-after=5 60 nsenter --net="/proc/$HOST/ns/net" -- "$NSPAWN" "$@"
}

# As in_background, on that host.
in_background_on_host() {
    printf '#!/bin/sh\nexec nsenter --net=/proc/%s/ns/net -- %s "$@"\n' "$HOST" "$NSPAWN" >"$BATS_TEST_TMPDIR/on-host"
    chmod +x "$BATS_TEST_TMPDIR/on-host"
    NSPAWN=$BATS_TEST_TMPDIR/on-host in_background "$@"
}

host_links() { host ip -o link | sed -n 's/^[0-9]*: \([^:@]*\).*/\1/p' | grep -vx lo | sort; }
no_links() { [[ -z $(host_links) ]]; }
attribute() { host ip -d -o link show dev "$1" | grep -o -- "$2"; }

@test "--network-veth: host0 inside, ve-NAME on the host, both with the addresses that follow from the names; gone at the end" {
    in_background_on_host -q -P -D "$TREE" -M web -n sh -c 'ip link show host0; echo up; sleep 20'
    await_output '^up$'
    run host_links
    assert_output ve-web
    run host ip -o link show ve-web
    refute_output --partial ',UP'
    [[ $output =~ link/ether\ ([0-9a-f:]+) ]]
    mac=${BASH_REMATCH[1]}
    kill "$SUPERVISOR"
    run await_exit
    assert_output --partial 'host0'
    run nspawn -q -P -D "$TREE" -M web -n cat /sys/class/net/host0/address /sys/class/net/host0/flags
    assert_success
    assert_line 0x1002
    refute_line "$mac"
    await 3 no_links
}

@test "a long name is cut, and the whole of it is an alternative name" {
    in_background_on_host -q -P -D "$TREE" -M averyveryverylongmachinename -n sh -c 'echo up; sleep 20'
    await_output '^up$'
    run host_links
    assert_output ve-averyvermBQ8
    host ip link show ve-averyveryverylongmachinename
    kill "$SUPERVISOR"
    run await_exit
}

@test "the container sees its own interfaces in /sys and may set them up, with private users too" {
    for users in no pick; do
        run inside --private-users="$users" -n sh -c 'ls /sys/class/net; ip link set host0 up; ip addr add 10.9.9.1/24 dev host0; ip -o -4 addr; echo 1 >/proc/sys/net/ipv4/ip_forward'
        assert_success
        assert_output --partial 10.9.9.1/24
        assert_line host0
        assert_line lo
        refute_output --partial ve-
    done
}

@test "--network-bridge: the host's end is a member, and switched on; an alternative name will do" {
    host ip link add br0 type bridge
    host ip link property add dev br0 altname a-name-of-more-than-fifteen-characters
    in_background_on_host -q -P -D "$TREE" -M web --network-bridge=a-name-of-more-than-fifteen-characters sh -c 'echo up; sleep 20'
    await_output '^up$'
    run host ip -o link show master br0
    assert_output --partial vb-web
    assert_output --partial ,UP
    kill "$SUPERVISOR"
    run await_exit
    run nspawn -q -P -D "$TREE" --network-bridge=br0 true
    assert_success
    run -1 --separate-stderr nspawn -q -P -D "$TREE" --network-bridge=br1 true
    assert_one_error_line "there is no bridge 'br1'"
    run -1 --separate-stderr nspawn -q -P -D "$TREE" --network-bridge=lo true
    assert_one_error_line "'lo' is no bridge"
}

@test "--network-zone: the first member makes the bridge, the last one removes it; a bridge of that name stays when others are in it" {
    in_background_on_host -q -P -D "$TREE" -M one --network-zone=zone sh -c 'echo up; sleep 20'
    await_output '^up$'
    run host_links
    assert_output "$(printf 'vb-one\nvz-zone')"
    run nspawn -q -P -D "$TREE" -x -M two --network-zone=zone true
    assert_success
    host ip link show vz-zone
    kill "$SUPERVISOR"
    run await_exit
    await 3 no_links
    await 3 test ! -e /run/systemd/nspawn-network-zone
}

@test "--network-zone: many come and go at once; each gets in, and in the end the zone is gone" {
    # Threads of the same moment: none may find the bridge gone that another one has just left.
    local machine pids=()
    for machine in {1..20}; do
        nspawn -q -P --read-only -D "$TREE" -M "m$machine" --network-zone=zone ls /sys/class/net </dev/null >"$BATS_TEST_TMPDIR/m$machine" 2>&1 3>&- &
        pids+=($!)
    done
    for machine in "${pids[@]}"; do wait "$machine" || fail "$(cat "$BATS_TEST_TMPDIR"/m*)"; done
    for machine in {1..20}; do grep -qx host0 "$BATS_TEST_TMPDIR/m$machine"; done
    await 10 no_links
}

@test "SIGKILL: nothing stays, and the zone goes with the next run" {
    in_background_on_host -q -P -D "$TREE" -M one --network-zone=zone --network-veth-extra=x:y sh -c 'echo up; sleep 20'
    await_output '^up$'
    kill -KILL "$SUPERVISOR"
    run await_exit
    await 3 host sh -c '! ip link show vb-one 2>/dev/null && ! ip link show x 2>/dev/null'
    run nspawn -q -P -D "$TREE" true
    assert_success
    await 3 no_links
}

@test "the same machine again, before the kernel has taken the old interface away" {
    for _ in {1..5}; do
        run nspawn -q -P -D "$TREE" -M web -n true
        assert_success
    done
    run nspawn -q -P -D "$TREE" -M web --network-zone=zone --network-veth-extra=x true
    assert_success
    run nspawn -q -P -D "$TREE" -M web --network-zone=zone --network-veth-extra=x true
    assert_success
}

@test "a machine of that name runs: its interface is left alone, and the error says so" {
    in_background_on_host -q -P --read-only -D "$TREE" -M web -n sh -c 'echo up; sleep 20'
    await_output '^up$'
    run -1 --separate-stderr nspawn -q -P --read-only -D "$TREE" -M web -n true
    assert_one_error_line "there is an interface 've-web' on the host already"
    host ip link show ve-web
    kill "$SUPERVISOR"
    run await_exit
}

@test "a reboot inside has its interfaces again" {
    printf '#!/bin/sh\nls /sys/class/net\n[ -e /ran ] && exit 0\n: >/ran\nkill -HUP $$\n' >"$TREE/usr/bin/twice"
    printf '#!/bin/sh\nls /sys/class/net\n[ -e /ran ] && exit 0\n: >/ran\nreboot -f\n' >"$TREE/usr/bin/twice"
    chmod +x "$TREE/usr/bin/twice"
    accept_host_state
    run inside -M web -n --network-zone=zone twice
    assert_success
    [[ $(grep -cx host0 <<<"$output") == 2 ]]
}

@test "--network-interface: moved, renamed, and back under the old name" {
    host ip link add out0 type veth peer name out1
    for users in no pick; do
        run inside --private-users="$users" --network-interface=out0:in0 ls /sys/class/net
        assert_success
        assert_line in0
        refute_line out0
        run host_links
        assert_output "$(printf 'out0\nout1')"
    done
    run inside --network-interface=out0 sh -c 'ip link set out0 name other; ip link set other address 02:00:00:00:00:77; ls /sys/class/net'
    assert_success
    assert_line other
    run host_links
    assert_output "$(printf 'out0\nout1')"
}

@test "--network-interface: also after a start that failed" {
    host ip link add out0 type veth peer name out1
    run -1 --separate-stderr nspawn -q -P -D "$TREE" --network-interface=out0 --network-macvlan=nothere true
    assert_one_error_line "there is no interface 'nothere' on the host"
    run -1 --separate-stderr nspawn -q -P -D "$TREE" --network-interface=out0 /no/such/program
    run host_links
    assert_output "$(printf 'out0\nout1')"
    run -1 --separate-stderr nspawn -q -P -D "$TREE" --network-interface=lo true
    assert_one_error_line "'lo' cannot be given"
}

@test "--network-interface: its name on the host is taken meanwhile" {
    host ip link add out0 type veth peer name out1
    in_background_on_host -P -D "$TREE" --network-interface=out0:in0 sh -c 'echo up; sleep 20'
    await_output '^up$'
    host ip link add out0 type bridge
    kill "$SUPERVISOR"
    run await_exit
    assert_output --partial "back under another name"
    [[ $(host_links | wc -l) == 3 ]]
}

@test "--network-macvlan: on the host's interface, named after it" {
    host ip link add out0 type veth peer name out1
    run inside --network-macvlan=out0 --network-macvlan=out1:in1 ip -o link
    [[ $output == *"no macvlan interfaces"* ]] && skip "this kernel has no macvlan"
    assert_success
    assert_output --partial mv-out0
    assert_output --partial in1
}

@test "--network-ipvlan: an interface, or the option that the kernel lacks" {
    host ip link add out0 type veth peer name out1
    if host ip link add probe0 link out1 type ipvlan mode l2 2>/dev/null; then
        host ip link del probe0
        run inside --network-ipvlan=out0 ip -o link
        assert_success
        assert_output --partial iv-out0
    else
        run -1 --separate-stderr nspawn -q -P -D "$TREE" --network-ipvlan=out0 true
        assert_one_error_line 'the kernel has no ipvlan interfaces'
        assert [ "${stderr_lines[1]}" = "  It needs CONFIG_IPVLAN (module ipvlan)." ]
    fi
}

@test "--network-namespace-path: what is there is seen, in /sys too, and stays; no power over it unless it is said" {
    unshare --net sleep 30 </dev/null >/dev/null 2>&1 3>&- &
    local other=$!
    await 5 sh -c "[ \"\$(readlink /proc/$other/ns/net)\" != \"\$(readlink /proc/self/ns/net)\" ]"
    nsenter --net="/proc/$other/ns/net" ip link add shared0 type veth peer name shared1
    for users in no pick; do
        run inside --private-users="$users" --network-namespace-path="/proc/$other/ns/net" ls /sys/class/net
        assert_success
        assert_output "$(printf 'lo\nshared0\nshared1')"
    done
    run inside --network-namespace-path="/proc/$other/ns/net" ip link set shared0 up
    assert_failure
    run inside --network-namespace-path="/proc/$other/ns/net" --private-network ip link set shared0 up
    assert_success
    run nsenter --net="/proc/$other/ns/net" ip -o link
    assert_output --partial shared0
    assert_output --partial LOOPBACK,UP
    kill "$other"
    wait "$other" || true
}

@test "--network-namespace-path: what is no network namespace" {
    mkfifo "$BATS_TEST_TMPDIR/fifo"
    local path
    for path in /etc/passwd /proc/self/ns/mnt /etc "$BATS_TEST_TMPDIR/fifo" /dev/null; do
        run -1 --separate-stderr nspawn -q -P -D "$TREE" --network-namespace-path="$path" true
        assert_one_error_line 'is no network namespace'
    done
    run -1 --separate-stderr nspawn -q -P -D "$TREE" --network-namespace-path=no-such-name true
    assert_one_error_line '/run/netns/no-such-name'
}

@test "--network=machine: another machine's network, by name; only while it runs" {
    in_background_on_host -q -P --read-only -D "$TREE" -M web -n sh -c 'readlink /proc/self/ns/net; echo up; sleep 20'
    await_output '^up$'
    run nspawn -q -P --read-only -D "$TREE" -M guest --network=machine:web readlink /proc/self/ns/net
    assert_success
    assert_output "$(head -n1 "$BATS_TEST_TMPDIR/out")"
    kill "$SUPERVISOR"
    run await_exit
    run -1 --separate-stderr nspawn -q -P -D "$TREE" --network=machine:web true
    assert_one_error_line "no machine 'web' is running in a network of its own"
}

@test "--network=machine: the machine's own interface gives way to that of its next run" {
    in_background_on_host -q -P --read-only -D "$TREE" -M web -n sh -c 'echo up; sleep 20'
    await_output '^up$'
    local web=$SUPERVISOR
    nspawn -q -P --read-only -D "$TREE" -M guest --network=machine:web sh -c 'sleep 3' </dev/null 3>&- &
    local guest=$!
    sleep 1
    kill "$web"
    run await_exit
    host ip link show ve-web # kept by the guest
    run nspawn -q -P --read-only -D "$TREE" -M web -n true
    assert_success
    wait "$guest"
}

@test "--network=: names, addresses and routes are there when the payload starts, and packets pass" {
    for users in no pick; do
        run inside -M web --private-users="$users" --network=veth,name=lan,host-name=lan-web,mac=02:00:00:00:00:01,address=10.9.8.2/24,gateway=10.9.8.1,address=fd00:9::2/64,gateway=fd00:9::1 \
            sh -c 'cat /sys/class/net/lan/address; ip -o addr show dev lan; ip route; ip -6 route'
        assert_success
        assert_line 02:00:00:00:00:01
        assert_output --partial 10.9.8.2/24
        assert_output --partial fd00:9::2/64
        assert_line --partial 'default via 10.9.8.1 dev lan'
        assert_line --partial 'default via fd00:9::1 dev lan'
    done
    in_background_on_host -q -P -D "$TREE" -M web --network=veth,address=10.9.8.2/24,address=fd00:9::2/64 sh -c \
        'echo up; for i in $(seq 50); do ping -c1 -W1 10.9.8.1 && ping -c1 -W1 fd00:9::1 && echo both && break; usleep 100000; done'
    await_output '^up$'
    host ip addr add 10.9.8.1/24 dev ve-web
    host ip addr add fd00:9::1/64 dev ve-web nodad
    run await_exit
    assert_line both
}

@test "--network=: members of a zone with addresses reach each other with no network manager anywhere" {
    in_background_on_host -q -P --read-only -D "$TREE" -M one --network=zone:pair,address=10.9.7.1/24 sh -c 'echo up; sleep 20'
    await_output '^up$'
    run nspawn -q -P --read-only -D "$TREE" -M two --network=zone:pair,address=10.9.7.2/24 ping -c1 -W5 10.9.7.1
    assert_success
    kill "$SUPERVISOR"
    run await_exit
}

@test "--network=: an address is one container's on a bridge or zone" {
    in_background_on_host -q -P --read-only -D "$TREE" -M one --network=zone:pair,address=10.9.7.2/30 sh -c 'echo up; sleep 20'
    await_output '^up$'
    run -1 --separate-stderr nspawn -q -P --read-only -D "$TREE" -M two --network=zone:pair,address=10.9.7.2/30 true
    assert_one_error_line "the address 10.9.7.2 on vz-pair is another container's"
    run nspawn -q -P --read-only -D "$TREE" -M two --network=zone:other,address=10.9.7.2/30 true
    assert_success
    kill "$SUPERVISOR"
    run await_exit
    run nspawn -q -P --read-only -D "$TREE" -M two --network=zone:pair,address=10.9.7.2/30 true
    assert_success
}

@test "several bridges, several interfaces" {
    host ip link add br0 type bridge
    host ip link add br1 type bridge
    run inside -M web --network=bridge:br0 --network=bridge:br1,name=second ls /sys/class/net
    assert_success
    assert_output "$(printf 'host0\nlo\nsecond')"
}

@test "no permission: one line that says what is missing" {
    host ip link add out0 type veth peer name out1
    host ip link add br0 type bridge
    local words
    for words in --private-network -n --network-zone=z --network-bridge=br0 --network-macvlan=out0 --network-interface=out0 \
        --network-veth-extra=x "-n -p 80" "-n --network-managed"; do
        run -1 --separate-stderr nsenter --net="/proc/$HOST/ns/net" -- capsh --drop=cap_net_admin -- -c \
            "exec '$NSPAWN' -q -P -D '$TREE' $words true"
        assert_one_error_line 'Operation not permitted'
        [[ ${stderr_lines[1]} == *CAP_NET_ADMIN* ]]
    done
    run host_links
    assert_output "$(printf 'br0\nout0\nout1')"
}

@test "bad names, addresses and combinations are one line" {
    local words
    for words in --network-veth-extra= --network-veth-extra=a:b:c --network-veth-extra=sixteencharslong \
        --network-interface=a/b --network-macvlan= "--network-ipvlan=a b%" --network-zone=sixteencharslong --network-zone= \
        --network-bridge= --network=veth:x --network=bridge --network=tap --network=veth,mac=01:00:00:00:00:00 \
        --network=veth,address=224.0.0.1/24 --network=veth,address=10.0.0.0/24 --network=veth,address=10.0.0.255/24 \
        --network=veth,address=127.0.0.1/8 --network=veth,address=ff02::1/64 --network=veth,address=10.0.0.1/8,address=10.0.0.1/9 \
        --network=veth,address=10.0.0.1 --network=veth,gateway=10.0.0.1 --network=host,name=x --network=machine:_; do
        run -1 --separate-stderr nspawn -q -P -D "$TREE" "$words" true
        assert_one_error_line
    done
    run -1 --separate-stderr nspawn -q -P -D "$TREE" -n --network-veth-extra=x:host0 true
    assert_one_error_line "two interfaces of the container would be called 'host0'"
    run -1 --separate-stderr nspawn -q -P -D "$TREE" --network-bridge=a --network-zone=b true
    assert_one_error_line 'cannot be combined'
}

@test "resolv.conf is left alone in a private network" {
    echo mine >"$TREE/etc/resolv.conf"
    accept_host_state
    run inside -n cat /etc/resolv.conf
    assert_output mine
}

@test "the dry run tells the network" {
    run nspawn --dry-run -D "$TREE" -M web -n --network-bridge=br0
    assert_success
    assert_output --regexp 'network +its own'
    assert_output --regexp 'veth host0 .*, host: vb-web .* in bridge br0'
    assert_line --regexp '^  make network interfaces$'
}
