#!/usr/bin/env bats
# Machines by their names: for programs of the host, which load the module of the name service, and for each other.

load helpers
load three_networks

prepare() {
    : "${NSS_MODULE:?the module of the name service}"
    make_networks
    forget_leases
    HOLDERS=()
    echo 'hosts: mymachines files' >"$BATS_TEST_TMPDIR/nsswitch.conf"
}

cleanup() {
    kill -TERM "${MEMBERS[@]}" 2>/dev/null || true
    kill -KILL "${HOLDERS[@]}" "$HOST" "$OUTSIDE" 2>/dev/null || true
    wait 2>/dev/null || true
    forget_leases
}

# The host's programs, with our module and without a name server.
by_name_service() {
    unshare -m --propagation=private sh -c 'mount --bind "$1" /etc/nsswitch.conf && shift && exec timeout 10 "$@"' sh \
        "$BATS_TEST_TMPDIR/nsswitch.conf" env LD_LIBRARY_PATH="$(dirname "$NSS_MODULE")" "$@"
}

# A lease that somebody else has written and holds: hold FILE TEXT.
hold() {
    mkdir -p "$STATE/machines"
    /usr/bin/python3 - "$STATE/machines/$1" "$2" "$BATS_TEST_TMPDIR/held-$1" 3>&- <<'PYTHON' &
import fcntl, sys, time
file = open(sys.argv[1], "w")
file.write(sys.argv[2])
file.flush()
fcntl.lockf(file, fcntl.LOCK_EX)
open(sys.argv[3], "w").close()
time.sleep(1000)
PYTHON
    HOLDERS+=($!)
    await 10 test -e "$BATS_TEST_TMPDIR/held-$1"
}

@test "a program of the host finds a managed machine by name, and its name by address" {
    join web --network-veth --network-managed
    run by_name_service getent hosts web
    assert_success
    assert_output --regexp "^$(address6_of web) +web\$"
    run by_name_service getent ahostsv4 WEB.
    assert_success
    assert_line --regexp "^$(address_of web) +STREAM web\$"
    run by_name_service getent ahostsv6 web
    assert_success
    assert_line --regexp "^$(address6_of web) +STREAM"
    run by_name_service getent ahosts web
    assert_success
    assert_line --partial "$(address_of web)"
    assert_line --partial "$(address6_of web)"
    run by_name_service getent hosts "$(address_of web)"
    assert_output --regexp "^$(address_of web) +web\$"
    run by_name_service getent hosts "$(address6_of web)"
    assert_output --regexp "^$(address6_of web) +web\$"
    run by_name_service /usr/bin/python3 -c 'import socket; print(socket.gethostbyname("web"))'
    assert_output "$(address_of web)"
}

@test "what is no machine's name is left to others" {
    join web --network-veth --network-managed
    local name
    for name in we webb web.web .web '' "$(printf 'x%.0s' {1..300})" 10.160.255.254 fd00::1:2; do
        run by_name_service getent hosts "$name"
        assert_equal "$name: $status" "$name: 2"
    done
    run by_name_service getent hosts localhost # by the file
    assert_success
}

@test "a machine that has ended is known no longer, also when it was killed" {
    join web --network-veth --network-managed
    kill -KILL "${MEMBERS[0]}"
    unknown() { ! by_name_service getent hosts web; }
    await 10 unknown
    # Clears up.
    "$BATS_TEST_TMPDIR/nspawn-on-host" -q -P -D "$BATS_TEST_TMPDIR/web" true </dev/null
}

@test "records that are none of ours: each is left out, and the others are found" {
    hold good $'MACHINE=good\nLINK=ve-good\nNETWORK_NAMESPACE=1\nADDRESS=10.1.2.3/24\nADDRESS=fd00::3/64\n'
    hold liar $'MACHINE=localhost\nADDRESS=10.6.6.6/24\n'
    hold torn $'MACHINE=torn\nADDRESS=10.6.6.6/24'
    hold many "MACHINE=many
$(for i in {1..17}; do echo "ADDRESS=10.6.6.$i/24"; done)
"
    hold long "MACHINE=long
$(printf 'X%.0s' {1..5000})
"
    hold none $'MACHINE=none\n'
    printf 'MACHINE=dead\nADDRESS=10.6.6.6/24\n' >"$STATE/machines/dead" # nobody holds it
    mkfifo "$STATE/machines/fifo"
    ln -s good "$STATE/machines/link"
    ln -s /dev/zero "$STATE/machines/zero"
    mkdir "$STATE/machines/directory"
    local name
    for name in liar torn many long none dead fifo link zero directory ../machines/good .; do
        run by_name_service getent hosts "$name"
        assert_equal "$name: $status" "$name: 2"
    done
    run by_name_service getent hosts localhost
    refute_output --partial 10.6.6.6
    run by_name_service getent ahostsv4 good
    assert_line --regexp '^10\.1\.2\.3 +STREAM good$'
    run by_name_service getent hosts 10.6.6.6
    assert_failure
}

@test "fixed addresses: the host knows the machine by name as long as it runs" {
    join web --network=veth,address=10.77.1.2/24,address=fd77::2/64
    run by_name_service getent ahostsv4 web
    assert_line --regexp '^10\.77\.1\.2 +STREAM web$'
    run by_name_service getent hosts web
    assert_output --regexp '^fd77::2 +web$'
    leave "${MEMBERS[0]}"
    run by_name_service getent hosts web
    assert_failure
    [[ -z $(ls "$STATE/machines") ]]
}

@test "fixed addresses: members of a zone know each other by name, and the host both" {
    join one --network-zone=lab --network-managed --network-pool=10.77.0.0/22
    join two --network=zone:lab,address=10.77.0.200/22 --network=veth,address=10.78.0.2/24
    LEADER=$(leader_of "${MEMBERS[0]}")
    run ask "$(gateway_of one)" two 1
    assert_output 10.77.0.200
    run ask "$(gateway_of one)" 200.0.77.10.in-addr.arpa 12
    assert_output --partial two
    run in_container ping -c1 -W5 10.77.0.200
    assert_success
    LEADER=$(leader_of "${MEMBERS[1]}")
    run ask "$(gateway_of one)" one 1
    assert_output "$(address_of one)"
    run by_name_service getent ahostsv4 two
    assert_line --partial 10.77.0.200
    assert_line --partial 10.78.0.2
    # Neither its address nor the network around another of its addresses is given to anybody else.
    join three --network-zone=lab --network-managed
    [[ $(address_of three) == 10.77.[0-3].* && $(address_of three) != 10.77.0.200 ]]
    run -1 --separate-stderr on_host timeout 60 "$NSPAWN" -q -P -D "$TREE" -M four --network-veth --network-managed --network-pool=10.78.0.0/24 true
    assert_one_error_line 'no network is free in 10.78.0.0/24'
}
