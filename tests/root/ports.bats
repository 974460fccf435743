#!/usr/bin/env bats
# --port=: who reaches the container, and that nothing stays.

load helpers
load three_networks

PEER=$TESTS/tools/net-peer.py

prepare() {
    make_networks
    on_host sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
    PEERS=()
}

cleanup() {
    local pid
    if [[ -n ${SUPERVISOR-} ]] && ! has_ended "$SUPERVISOR"; then
        kill -TERM "$SUPERVISOR"
        await 10 has_ended "$SUPERVISOR" || kill -KILL "$SUPERVISOR"
    fi
    for pid in "${PEERS[@]}" "$HOST" "$OUTSIDE"; do
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
}

elements() { rules | grep -c 'elements =' || true; }

# A container with a veth and addresses, in which something answers: publish_from NAME OPTION...
publish() {
    on_host_nspawn ${TALKATIVE--q -P} -D "$TREE" --network-veth "$@" sh -c 'echo up; exec sleep 1000'
    await_output up
    LEADER=$(leader_of "$SUPERVISOR")
    set_addresses "${LINK:-ve-tree}" 10.9.8
}

# $1 the host's link, $2 the first three octets
set_addresses() {
    on_host ip addr add "$2.1/24" dev "$1"
    on_host ip addr add fd09::1/64 dev "$1" nodad
    on_host ip link set "$1" up
    in_container ip link set host0 up
    in_container ip addr add "$2.7/24" dev host0
    in_container ip addr add fd09::7/64 dev host0 nodad
    in_container ip route add default via "$2.1"
    in_container ip -6 route add default via fd09::1
    await 5 settled # before, the kernel asks nobody for his neighbour's address
}

settled() { [[ -z $(on_host ip -6 addr show tentative) && -z $(in_container ip -6 addr show tentative) ]]; }

answering() {
    nsenter --net="/proc/$LEADER/ns/net" "$PEER" serve "$@" >"$BATS_TEST_TMPDIR/serving" 3>&- &
    PEERS+=($!)
    await 5 grep -q serving "$BATS_TEST_TMPDIR/serving"
}

published() { rules | grep -q -- "$1"; }
gone() { ! published "$1"; }

@test "reached from outside, from the host's own address and from localhost, by TCP and UDP, IPv4 and IPv6" {
    publish -p 8080:80 -p udp:8080:80
    answering web 80
    await 5 published 'tcp . 8080 : 10.9.8.7 . 80'
    await 5 published 'tcp . 8080 : fd09::7 . 80'
    local protocol
    for protocol in tcp udp; do
        run outside "$PEER" ask $protocol 203.0.113.1 8080 hello
        assert_output 'web 203.0.113.2 hello'
        run outside "$PEER" ask $protocol 2001:db8:1::1 8080 hello
        assert_output 'web 2001:db8:1::2 hello'
        run on_host "$PEER" ask $protocol 203.0.113.1 8080 hello
        assert_output 'web 203.0.113.1 hello'
        run on_host "$PEER" ask $protocol 2001:db8:1::1 8080 hello
        assert_output 'web 2001:db8:1::1 hello'
        run on_host "$PEER" ask $protocol 127.0.0.1 8080 hello
        assert_output 'web 10.9.8.1 hello'
        run on_host "$PEER" ask $protocol ::1 8080 hello
        assert_output 'web fd09::1 hello'
    done
    run on_host ss -Hltun 'sport = :8080'
    assert_line --regexp 'tcp .*127\.0\.0\.1:8080'
    assert_line --regexp 'udp .*\[::1\]:8080'
    stop
    run rules
    assert_output ''
}

@test "localhost carries a lot in both directions, and an end of writing" {
    publish -p 8080:80
    answering web 80
    await 5 published '10.9.8.7'
    run on_host "$PEER" pump 127.0.0.1 8080 50000000
    assert_output 50000000
    run on_host "$PEER" half ::1 8080 LATE
    assert_output 'web fd09::1 LATE'
    stop
}

@test "the rules follow the container's address" {
    publish -p 8080:80
    answering web 80
    await 5 published '10.9.8.7 . 80'
    in_container ip addr del 10.9.8.7/24 dev host0
    await 5 gone '10.9.8.7'
    in_container ip addr add 10.9.8.9/24 dev host0
    in_container ip route add default via 10.9.8.1
    await 5 published 'tcp . 8080 : 10.9.8.9 . 80'
    run outside "$PEER" ask tcp 203.0.113.1 8080 hello
    assert_output 'web 203.0.113.2 hello'
    run on_host "$PEER" ask tcp 127.0.0.1 8080 hello
    assert_output 'web 10.9.8.1 hello'
    stop
    run rules
    assert_output ''
}

@test "a range, a port of one address, and one for the host alone" {
    publish -p 8000-8002:9000-9002 -p 203.0.113.1:443 -p 127.0.0.1:5000:9000 -p 127.0.0.2:5000:9001
    answering web 9000 9001 9002 443
    await 5 published 'tcp . 8002 : 10.9.8.7 . 9002'
    run outside "$PEER" ask tcp 203.0.113.1 8001 hello
    assert_output 'web 203.0.113.2 hello'
    run on_host "$PEER" ask tcp 127.0.0.1 8002 hello
    assert_output 'web 10.9.8.1 hello'
    run outside "$PEER" ask tcp 203.0.113.1 443 hello
    assert_output 'web 203.0.113.2 hello'
    run on_host "$PEER" ask tcp 203.0.113.1 443 hello
    assert_output 'web 203.0.113.1 hello'
    run on_host "$PEER" ask tcp 127.0.0.1 443 hello
    assert_failure
    run on_host "$PEER" ask tcp 127.0.0.1 5000 hello
    assert_output 'web 10.9.8.1 hello'
    run on_host "$PEER" ask tcp 127.0.0.2 5000 hello
    assert_output 'web 10.9.8.1 hello'
    run outside "$PEER" ask tcp 203.0.113.1 5000 hello
    assert_failure
    stop
    run rules
    assert_output ''
}

@test "a port for the host alone needs no packet filter" {
    publish -p 127.0.0.1:5000:80
    answering web 80
    run rules
    assert_output ''
    run on_host "$PEER" ask tcp 127.0.0.1 5000 hello
    assert_output 'web 10.9.8.1 hello'
    stop
}

@test "the other kind of address serves localhost when the container has one only" {
    publish -p 8080:80
    answering web 80
    in_container ip -6 addr flush dev host0
    await 5 gone 'fd09::7'
    run on_host "$PEER" ask tcp ::1 8080 hello
    assert_output 'web 10.9.8.1 hello'
    stop
}

@test "a container that the host cannot reach is reached from inside" {
    on_host_nspawn -q -P -D "$TREE" --private-network -p 8080:80 -p udp:8080:80 sh -c 'echo up; exec sleep 1000'
    await_output up
    LEADER=$(leader_of "$SUPERVISOR")
    in_container ip link set lo up
    in_container ip link add alone type veth peer name other
    in_container ip link set other up
    in_container ip addr add 10.7.7.7/24 dev alone
    in_container ip link set alone up
    answering web 80
    await 5 published '10.7.7.7'
    run on_host "$PEER" ask tcp 127.0.0.1 8080 hello
    assert_output 'web 10.7.7.7 hello'
    run on_host "$PEER" ask udp 127.0.0.1 8080 hello
    assert_output 'web 10.7.7.7 hello'
    stop
}

@test "a reboot inside: the ports go with the network and come back" {
    cat >"$TREE/usr/bin/twice" <<'END'
#!/bin/sh
if [ -e /rebooted ]; then echo second; exec sleep 1000; fi
touch /rebooted
echo first
read -r line </go
probe reboot restart
END
    chmod +x "$TREE/usr/bin/twice"
    mkfifo "$TREE/go"
    on_host_nspawn -q -P -D "$TREE" --network-veth -p 8080:80 twice
    await_output first
    LEADER=$(leader_of "$SUPERVISOR")
    set_addresses ve-tree 10.9.8
    await 5 published '10.9.8.7'
    echo >"$TREE/go"
    await_output second
    run elements
    assert_output 0
    LEADER=$(leader_of "$SUPERVISOR")
    set_addresses ve-tree 10.9.8
    answering again 80
    await 5 published '10.9.8.7'
    run outside "$PEER" ask tcp 203.0.113.1 8080 hello
    assert_output 'again 203.0.113.2 hello'
    stop
    run rules
    assert_output ''
}

@test "a second container cannot have the same port; the first one keeps it" {
    publish -p 8080:80
    answering web 80
    cp -a "$TREE" "$BATS_TEST_TMPDIR/second"
    run --separate-stderr "$BATS_TEST_TMPDIR/nspawn-on-host" -q -P -D "$BATS_TEST_TMPDIR/second" --private-network -p 8079-8081 true </dev/null
    assert_failure 1
    assert_one_error_line 'published already by container tree'
    run "$BATS_TEST_TMPDIR/nspawn-on-host" -q -P -D "$BATS_TEST_TMPDIR/second" --private-network -p udp:8080 -p 8081 true </dev/null
    assert_success
    run outside "$PEER" ask tcp 203.0.113.1 8080 hello
    assert_output 'web 203.0.113.2 hello'
    stop
}

@test "a port that another program has put into the shared table is refused" {
    on_host_nspawn -q -P -D "$TREE" --private-network -p 8080 sh -c 'echo up; exec sleep 1000'
    await_output up
    on_host nft add element ip io.systemd.nat map_port_ipport '{ tcp . 9090 : 192.0.2.9 . 90 }'
    stop
    run --separate-stderr "$BATS_TEST_TMPDIR/nspawn-on-host" -q -P -D "$TREE" --private-network -p 9090 true </dev/null
    assert_failure 1
    assert_one_error_line 'tcp . 9090 is published already, it leads to 192.0.2.9 . 90'
    run rules
    assert_output --partial '192.0.2.9 . 90'
    on_host nft delete element ip io.systemd.nat map_port_ipport '{ tcp . 9090 : 192.0.2.9 . 90 }'
    run "$BATS_TEST_TMPDIR/nspawn-on-host" -q -P -D "$TREE" --private-network -p 9090 true </dev/null
    assert_success
    run rules
    assert_output ''
}

@test "a port that a program of the host listens on is its own on localhost, and ours for the others" {
    nsenter --net="/proc/$HOST/ns/net" "$PEER" listen 127.0.0.1 8080 >"$BATS_TEST_TMPDIR/listening" 3>&- &
    PEERS+=($!)
    await 5 grep -q listening "$BATS_TEST_TMPDIR/listening"
    TALKATIVE='' publish -p 8080:80
    run cat "$BATS_TEST_TMPDIR/err"
    assert_output --partial 'programs of this host that ask for 127.0.0.1:8080/tcp'
    answering web 80
    await 5 published '10.9.8.7'
    run outside "$PEER" ask tcp 203.0.113.1 8080 hello
    assert_output 'web 203.0.113.2 hello'
    stop
}

@test "after SIGKILL of the program the worker takes everything back" {
    publish -p 8080:80
    await 5 published '10.9.8.7'
    kill -KILL "$SUPERVISOR"
    await 5 has_ended "$SUPERVISOR"
    await 5 no_rules
    run "$BATS_TEST_TMPDIR/nspawn-on-host" -q -P -D "$TREE" true </dev/null # takes back the rest
    assert_success
}

worker_of() { pgrep -P "$1" -x nspawn-network; }

# Kills the worker, and waits until there is another one.
kill_worker() {
    OLD_WORKER=$(worker_of "$SUPERVISOR")
    kill -KILL "$OLD_WORKER"
    await 15 has_new_worker
}
has_new_worker() {
    local now
    now=$(worker_of "$SUPERVISOR") && [[ $now != "$OLD_WORKER" ]]
}
answered() { [[ $("$@" 2>/dev/null) == "$ANSWER" ]]; }

@test "after SIGKILL of the worker another one publishes the ports again, and the user hears of it" {
    publish -p 8080:80 -p udp:8080:80
    answering web 80
    await 5 published '10.9.8.7'
    kill_worker
    run grep -c 'nspawn-network has ended: it is started again' "$BATS_TEST_TMPDIR/err"
    assert_output 1
    ANSWER='web 10.9.8.1 hello' await 10 answered on_host "$PEER" ask tcp 127.0.0.1 8080 hello
    ANSWER='web 203.0.113.2 hello' await 10 answered outside "$PEER" ask tcp 203.0.113.1 8080 hello
    # What comes later is followed too.
    in_container ip addr del 10.9.8.7/24 dev host0
    in_container ip addr add 10.9.8.9/24 dev host0
    await 5 published 'udp . 8080 : 10.9.8.9 . 80'
    stop
    run rules
    assert_output ''
    run cat "$BATS_TEST_TMPDIR/err"
    assert_output --regexp '^[^
]*nspawn-network has ended: it is started again$'
}

@test "a worker that is killed again and again is given up, and the next run takes back what it left" {
    publish -p 8080:80
    await 5 published '10.9.8.7'
    local death
    for death in {1..5}; do kill_worker; done
    await 10 published '10.9.8.7'
    kill -KILL "$(worker_of "$SUPERVISOR")"
    await 5 grep -q 'has ended 6 times: nobody looks after' "$BATS_TEST_TMPDIR/err"
    has_ended "$SUPERVISOR" && fail "the container has ended too"
    stop
    published '10.9.8.7' || fail "nothing was left: the test shows nothing"
    run "$BATS_TEST_TMPDIR/nspawn-on-host" -q -P -D "$TREE" true </dev/null
    assert_success
    run rules
    assert_output ''
}

@test "after SIGKILL of both a run with ports takes back what they left" {
    publish -p 8080:80
    await 5 published '10.9.8.7'
    kill_both "$SUPERVISOR" "$(worker_of "$SUPERVISOR")"
    await 5 has_ended "$SUPERVISOR"
    await 5 no_process_is_left
    run "$BATS_TEST_TMPDIR/nspawn-on-host" -q -P -D "$TREE" --private-network -p 8080 true </dev/null
    assert_success
    run rules
    assert_output ''
}

@test "the shared rules are exactly the original's" {
    command -v systemd-nspawn >/dev/null || skip "the original is not installed"
    local original group before
    before=$(echo /sys/fs/cgroup/*/payload)
    nsenter --net="/proc/$HOST/ns/net" systemd-nspawn -q --register=no --keep-unit -P -D "$TREE" --network-veth -p 8080:80 -p udp:53 \
        sh -c 'echo up; exec sleep 1000' </dev/null >"$BATS_TEST_TMPDIR/original-out" 2>&1 3>&- &
    SUPERVISOR=$!
    await 10 grep -q up "$BATS_TEST_TMPDIR/original-out"
    LEADER=$(leader_of "$SUPERVISOR")
    set_addresses ve-tree 10.9.8
    await 5 published 'tcp . 8080 : fd09::7 . 80'
    original=$(rules)
    kill -KILL "$LEADER"
    wait "$SUPERVISOR" || true
    for group in /sys/fs/cgroup/*/payload; do # the original leaves these behind, in each hierarchy that it uses
        [[ $before == *"$group"* ]] || rmdir "$group"
    done
    on_host nft flush ruleset
    publish -p 8080:80 -p udp:53
    await 5 published 'tcp . 8080 : fd09::7 . 80'
    await 5 published 'udp . 53 : 10.9.8.7 . 53'
    run diff <(echo "$original" | sort) <(rules | sort)
    assert_success
    assert_output ''
    stop
}

@test "what keeps traffic away is named" {
    on_host sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
    on_host nft 'add table inet fence; add chain inet fence forward { type filter hook forward priority 0; policy drop; }'
    TALKATIVE='' publish -p 8080:80
    await 5 grep -q 'forwarding is off' "$BATS_TEST_TMPDIR/err"
    await 5 grep -q 'chain inet fence forward, policy drop' "$BATS_TEST_TMPDIR/err"
    stop
    run rules
    assert_output --partial fence
    refute_output --partial io.systemd
}

@test "a kernel without nf_tables is named; a port for the host alone does without" {
    run --separate-stderr on_host "$TESTS/tools/without-nftables.py" "$NSPAWN" -q -P -D "$TREE" --private-network -p 8080 true </dev/null
    assert_failure 1
    assert_one_error_line 'packet filter \(nftables\) does not do network address translation here'
    [[ ${stderr_lines[1]} == *CONFIG_NF_TABLES* ]]
    run on_host "$TESTS/tools/without-nftables.py" "$NSPAWN" -q -P -D "$TREE" --private-network -p 127.0.0.1:8080:80 true </dev/null
    assert_success
}

@test "an address that the host does not have is told" {
    run "$BATS_TEST_TMPDIR/nspawn-on-host" --console=read-only -D "$TREE" --private-network -p 198.51.100.9:80 -p 203.0.113.1:81 true </dev/null
    assert_success
    assert_output --partial '198.51.100.9 is no address of this host now'
    refute_output --partial '203.0.113.1 is no address'
}

@test "without the right to change the packet filter the start ends" {
    run --separate-stderr on_host setpriv --bounding-set=-net_admin --inh-caps=-net_admin "$NSPAWN" -q -P -D "$TREE" --private-network -p 8080 true </dev/null
    assert_failure 1
    assert_one_error_line 'packet filter|Operation not permitted'
}

@test "bad values and a shared network are one line" {
    local value
    for value in 0 65536 http 80:0 80-79 1.2.3:80 '[::1]' 80/sctp tcp:; do
        run --separate-stderr nspawn -q -P -D "$TREE" --private-network -p "$value" true </dev/null
        assert_failure 1
        assert_one_error_line
    done
    run --separate-stderr nspawn -q -P -D "$TREE" -p 80 true </dev/null
    assert_failure 1
    assert_one_error_line 'needs a private network'
    run --separate-stderr nspawn -q -P -D "$TREE" --private-network -p 80 -p 80:81 true </dev/null
    assert_failure 1
    assert_one_error_line 'published already'
}

@test "the worker has few privileges and ends with the program" {
    publish -p 8080:80
    local worker
    worker=$(worker_of "$SUPERVISOR")
    run grep -E '^(CapPrm|CapEff|NoNewPrivs)' "/proc/$worker/status"
    assert_line --regexp 'CapPrm:.*0000000000201400$'
    assert_line --regexp 'CapEff:.*0000000000201400$'
    assert_line --regexp 'NoNewPrivs:.1$'
    stop
    await 5 has_ended "$worker"
}
