#!/usr/bin/env bats
# --network-managed: a network that works without anybody inside, or systemd-networkd, doing something for it.

load helpers
load three_networks

prepare() {
    make_networks
    forget_leases
}

cleanup() {
    kill -TERM "${MEMBERS[@]}" 2>/dev/null || true
    kill -KILL "$HOST" "$OUTSIDE" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$STATE" # the empty directories stay between runs on purpose
}

inside_host() { on_host timeout --kill-after=5 60 "$NSPAWN" -q -P -D "$TREE" "$@" </dev/null; }
setting() { on_host cat "/proc/sys/net/$1"; }

start() {
    on_host_nspawn -q -P -D "$TREE" "$@" sh -c 'echo up; exec sleep 1000'
    await_output up
    LEADER=$(leader_of "$SUPERVISOR")
}

nothing_is_left() {
    [[ -z $(rules) && -z $(ls "$STATE/machines" "$STATE/resolv.conf" "$STATE/links" "$STATE/settings" "$STATE/dhcp" -1 2>/dev/null | grep -v : | grep .) ]] &&
        [[ $(setting ipv4/conf/wan/forwarding) == 0 ]]
}

@test "the container has addresses, routes and a resolver, and reaches the host and the world; then nothing is left" {
    start --network-managed
    run in_container ip -o addr show dev host0 scope global
    assert_output --regexp 'inet 10\.1[6-9][0-9]\.[0-9.]+/28'
    assert_output --regexp 'inet6 fd[0-9a-f:]+/64'
    run in_container ping -c1 -W5 "$(gateway_of tree)"
    assert_success
    run in_container ping -c1 -W5 203.0.113.2
    assert_success
    run in_container ping -c1 -W5 2001:db8:1::2
    assert_success
    run cat "/proc/$LEADER/root/etc/resolv.conf"
    assert_line "nameserver $(gateway_of tree)"
    run ask "$(gateway_of tree)" host 1
    assert_output "$(gateway_of tree)"
    run ask "$(gateway_of tree)" tree 28
    assert_output "$(address6_of tree)"
    run on_host ping -c1 -W5 "$(address_of tree)"
    assert_success
    stop
    await 5 nothing_is_left
}

@test "what comes from outside is let in only as an answer" {
    start --network-managed
    outside ip route add 10.0.0.0/8 via 203.0.113.1
    run outside ping -c1 -W1 "$(address_of tree)"
    assert_failure
    # Nobody beside the network asks its name server.
    run outside timeout 1 /usr/bin/python3 -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(b'\0\7\1\0\0\1\0\0\0\0\0\0\4host\0\0\1\0\1', ('$(gateway_of tree)', 53))
s.recv(100)"
    assert_failure
    stop
}

@test "members of a zone know each other by name, also after the first one has left" {
    join one --network-zone=lab --network-managed
    local one=$JOINED
    join two --network-zone=lab --network-managed
    local two=$JOINED
    LEADER=$(leader_of "$two")
    run ask "$(gateway_of two)" one 1
    assert_output "$(address_of one)"
    run in_container ping -c1 -W5 "$(address_of one)"
    assert_success
    leave "$one"
    still_answers() { [[ $(ask "$(gateway_of two)" two 1 2>/dev/null) == "$(address_of two)" ]]; }
    await 10 still_answers # what was asked while nobody was there is asked again
    run in_container ping -c1 -W5 203.0.113.2
    assert_success
    leave "$two"
    rm -rf "$BATS_TEST_TMPDIR"/{one,two}
    await 5 nothing_is_left
}

@test "addresses and routes of the host are passed over, and a pool that is full is an error" {
    on_host ip route add 10.0.0.0/8 dev wan
    run inside_host --network-managed ip -o addr show dev host0
    assert_success
    assert_output --regexp 'inet 172\.(28|29|30|31)\.'
    run -1 --separate-stderr inside_host --network-managed --network-pool=203.0.113.0/24 true
    assert_one_error_line 'no network is free in 203.0.113.0/24'
    run inside_host --network-managed --network-pool=10.77.0.0/24 ip -o addr show dev host0
    assert_success
    assert_output --partial 'inet 10.77.0.'
}

@test "an address that another container was given by hand is none to choose" {
    join one --network=zone:lab,address=10.77.0.2/30
    # All that this pool has for containers is that one.
    run -1 --separate-stderr inside_host --network-zone=lab --network-managed --network-pool=10.77.0.0/30 true
    assert_one_error_line 'all addresses of 10.77.0.0/30 are taken'
    leave "$JOINED"
    run inside_host --network-zone=lab --network-managed --network-pool=10.77.0.0/30 true
    assert_success
    rm -rf "$BATS_TEST_TMPDIR/one"
}

@test "a bridge with somebody's address is theirs" {
    on_host ip link add br0 type bridge
    on_host ip addr add 192.168.7.1/24 dev br0
    run -1 --separate-stderr inside_host --network-bridge=br0 --network-managed true
    assert_one_error_line 'br0 has the address 192.168.7.1/24 already'
    run inside_host --network-bridge=br0 --network-managed=auto ip -o -4 addr show dev host0
    assert_success
    assert_output ''
    on_host ip addr del 192.168.7.1/24 dev br0
    run inside_host --network-bridge=br0 --network-managed ip -o -4 addr show dev host0
    assert_success
    assert_output --partial 'inet 10.'
    no_address() { [[ -z $(on_host ip -o -4 addr show dev br0) ]]; }
    await 5 no_address
}

@test "a killed supervisor leaves nothing" {
    start --network-managed
    kill -KILL "$SUPERVISOR"
    await 10 nothing_is_left
    await_exit >/dev/null || true
    run inside_host true # takes back what is not the network's
    assert_success
}

@test "supervisor and worker killed together: the next run clears up" {
    start --network-managed
    local worker
    worker=$(pgrep -P "$SUPERVISOR" -f nspawn-network)
    kill_both "$SUPERVISOR" "$worker"
    await_exit >/dev/null || true
    await 5 has_ended "$worker"
    await 5 no_rules
    inside_host true
    await 5 nothing_is_left
}

@test "the worker killed: another one looks after the network, and leaves the container's side alone" {
    start --network-managed
    in_container ip addr add 192.0.2.77/32 dev host0
    in_container ip route replace default via "$(gateway_of tree)" metric 77
    local old
    old=$(pgrep -P "$SUPERVISOR" -f nspawn-network)
    kill -KILL "$old"
    works_again() {
        local now
        now=$(pgrep -P "$SUPERVISOR" -f nspawn-network) && [[ $now != "$old" ]] &&
            in_container ping -c1 -W1 203.0.113.2 && [[ $(ask "$(gateway_of tree)" host 1) == "$(gateway_of tree)" ]]
    }
    await 20 works_again
    run in_container ip -o -4 addr show dev host0
    assert_output --partial 192.0.2.77
    run in_container ip route
    assert_output --partial 'metric 77'
    stop
    await 5 nothing_is_left
}

@test "another firewall's drop policy is named" {
    on_host nft add table ip filter
    on_host nft add chain ip filter FORWARD '{ type filter hook forward priority 0; policy drop; }'
    run on_host timeout 60 "$NSPAWN" --console=read-only -D "$TREE" --network-managed true </dev/null
    assert_success
    assert_output --partial 'another firewall drops forwarded packets (chain ip filter FORWARD, policy drop)'
    on_host nft delete table ip filter
}

@test "--network-managed=dhcp: without dnsmasq it is said, with it a client has an address" {
    command -v dnsmasq >/dev/null || skip "no dnsmasq"
    start --network-managed=dhcp
    run in_container ip -o -4 addr show dev host0
    assert_output ''
    in_container ip link set host0 up
    run in_container busybox udhcpc -i host0 -n -q -f -t 5 -T 2 -s /bin/true
    assert_output --partial "lease of $(address_of tree) obtained"
    stop
    await 5 nothing_is_left
}

@test "--network-managed=dhcp: a later member of a zone has it too, also after the first one that asked for it has left" {
    command -v dnsmasq >/dev/null || skip "no dnsmasq"
    local ask="busybox udhcpc -i host0 -n -q -f -t 5 -T 2 -s /bin/true"
    join one --network-zone=lab --network-managed
    local one=$JOINED
    join two --network-zone=lab --network-managed=dhcp
    local two=$JOINED
    join three --network-zone=lab --network-managed=dhcp
    local three=$JOINED
    LEADER=$(leader_of "$two")
    in_container ip link set host0 up
    run in_container $ask
    assert_output --partial "lease of $(address_of two) obtained"
    leave "$two"
    LEADER=$(leader_of "$three")
    in_container ip link set host0 up
    run in_container $ask
    assert_output --partial "lease of $(address_of three) obtained"
    leave "$three"
    leave "$one"
    rm -rf "$BATS_TEST_TMPDIR"/{one,two,three}
    await 5 nothing_is_left
}

@test "an interface that gets its route later is a way out too, and no way between two of the host's" {
    start --network-managed
    on_host ip link add late type veth peer name eth1 netns "$OUTSIDE"
    outside ip addr add 198.51.100.2/24 dev eth1
    outside ip link set eth1 up
    on_host ip link set late up
    on_host ip addr add 198.51.100.1/24 dev late
    reaches_late() { in_container ping -c1 -W1 198.51.100.2; }
    await 15 reaches_late
    both_are_fenced() { rules | grep -q 'iifname { "late", "wan" } oifname { "late", "wan" } drop\|iifname { "wan", "late" } oifname { "wan", "late" } drop'; }
    await 5 both_are_fenced
    run in_container ping -c1 -W5 203.0.113.2
    assert_success
    [[ $(setting ipv4/conf/late/forwarding) == 1 ]]
    stop
    await 5 nothing_is_left
    [[ $(setting ipv4/conf/late/forwarding) == 0 ]]
}

@test "two hosts in network namespaces of their own, with one /run, do not disturb each other" {
    unshare -n sleep 1000 3>&- &
    local other=$!
    MEMBERS+=("$other")
    await 5 in_other_network "$other"
    on_other() { nsenter --net="/proc/$other/ns/net" "$@"; }
    on_other ip link add wan type dummy 2>/dev/null || on_other ip link add wan type veth peer name wan1
    on_other ip link set wan up
    on_other ip addr add 192.0.2.1/24 dev wan
    join here --network-zone=lab --network-managed
    local here=$JOINED
    cp -a --reflink=auto "$TREE" "$BATS_TEST_TMPDIR/there"
    nsenter --net="/proc/$other/ns/net" "$NSPAWN" -q -P -D "$BATS_TEST_TMPDIR/there" --network-zone=lab --network-managed \
        sh -c 'echo up; exec sleep 1000' >"$BATS_TEST_TMPDIR/there.out" 2>&1 </dev/null 3>&- &
    local there=$!
    MEMBERS+=("$there")
    await 20 grep -q up "$BATS_TEST_TMPDIR/there.out"
    # Each has rules, names and forwarding of its own.
    run on_other nft list tables
    assert_output 'table inet io.nspawn-vz-lab'
    [[ $(on_other cat /proc/sys/net/ipv4/conf/wan/forwarding) == 1 ]]
    LEADER=$(leader_of "$here")
    run ask "$(gateway_of here)" there 1
    assert_output --partial none
    # A run that was killed here is cleared up here, whoever starts there meanwhile.
    local worker
    worker=$(pgrep -P "$here" -f nspawn-network)
    kill_both "$here" "$worker"
    wait "$here" 2>/dev/null || true
    await 5 has_ended "$worker"
    run on_other "$NSPAWN" -q -P -x -D "$BATS_TEST_TMPDIR/there" -n true </dev/null
    assert_success
    on_host ip link show vz-lab
    [[ $(setting ipv4/conf/wan/forwarding) == 1 && $(on_other cat /proc/sys/net/ipv4/conf/wan/forwarding) == 1 ]]
    "$BATS_TEST_TMPDIR/nspawn-on-host" -q -P -D "$BATS_TEST_TMPDIR/here" true </dev/null
    gone_here() { ! on_host ip link show vz-lab && [[ $(setting ipv4/conf/wan/forwarding) == 0 ]]; } 2>/dev/null
    await 5 gone_here
    [[ $(on_other cat /proc/sys/net/ipv4/conf/wan/forwarding) == 1 ]]
    leave "$there"
    [[ $(on_other cat /proc/sys/net/ipv4/conf/wan/forwarding) == 0 ]]
    kill "$other"
    rm -rf "$BATS_TEST_TMPDIR"/{here,there}
    await 5 nothing_is_left
}

@test "what cannot be is one line" {
    run -1 --separate-stderr inside_host --network-managed --network-macvlan=wan true
    assert_one_error_line 'needs a link to the host'
    run -1 --separate-stderr inside_host --network-managed=perhaps true
    assert_one_error_line 'neither a boolean nor auto or dhcp'
    run -1 --separate-stderr inside_host --network-pool=10.0.0.1/8 true
    assert_one_error_line 'did you mean 10.0.0.0/8'
    run -1 --separate-stderr inside_host --network-managed --network-pool=224.0.0.0/8 true
    assert_one_error_line 'is a multicast address'
    run -1 --separate-stderr inside_host --network-managed --network-pool=fe80::/64 true
    assert_one_error_line 'is a link-local address'
    run -1 --separate-stderr on_host "$TESTS/tools/without-nftables.py" "$NSPAWN" -q -P -D "$TREE" --network-managed true
    assert_one_error_line 'NAT for ve-tree cannot be set'
    [[ ${stderr_lines[1]} == *nf_tables* ]]
}

@test "fifty members at once all have addresses of their own" {
    local pids=() i
    for i in {1..50}; do
        "$BATS_TEST_TMPDIR/nspawn-on-host" -q -P -D "$TREE" --read-only -M "member$i" --network-zone=crowd --network-managed \
            sh -c 'ip -o -4 addr show dev host0; sleep 6' >"$BATS_TEST_TMPDIR/member$i.out" 2>&1 </dev/null 3>&- &
        pids+=($!)
    done
    local failed=0
    for i in "${pids[@]}"; do wait "$i" || failed=$((failed + 1)); done
    ((failed == 0)) || { cat "$BATS_TEST_TMPDIR"/member*.out; fail "$failed have failed"; }
    run sh -c "cat '$BATS_TEST_TMPDIR'/member*.out | grep -o 'inet [0-9.]*' | sort -u | wc -l"
    assert_output 50
    await 10 nothing_is_left
}
