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

# --- machines whose addresses are known ------------------------------------------------------------------------------

STATE=/run/nspawn/network
MEMBERS=()

# What earlier runs have left: empty directories, which stay between runs on purpose.
forget_leases() { rm -rf "$STATE"; }

# A further member, in a tree and with files of its own: join NAME OPTION...
join() {
    local name=$1
    shift
    cp -a --reflink=auto "$TREE" "$BATS_TEST_TMPDIR/$name"
    "$BATS_TEST_TMPDIR/nspawn-on-host" -q -P -D "$BATS_TEST_TMPDIR/$name" -M "$name" "$@" \
        sh -c 'echo up; exec sleep 1000' >"$BATS_TEST_TMPDIR/$name.out" 2>&1 </dev/null 3>&- &
    JOINED=$!
    MEMBERS+=("$JOINED")
    await 20 grep -q up "$BATS_TEST_TMPDIR/$name.out" || { cat "$BATS_TEST_TMPDIR/$name.out"; return 1; }
}

leave() {
    kill -TERM "$1"
    wait "$1" || true
}

address_of() { sed -n "s/^ADDRESS=\([0-9.]*\)\/.*/\1/p" "$STATE/machines/$1"; }
address6_of() { sed -n "s/^ADDRESS=\([0-9a-f]*:[0-9a-f:]*\)\/.*/\1/p" "$STATE/machines/$1"; }
gateway_of() { sed -n "s/^GATEWAY=\([0-9.]*\)$/\1/p" "$STATE/machines/$1"; }

# ask SERVER NAME TYPE: the last bytes of the answer as an address, by UDP.
ask() {
    in_container /usr/bin/python3 - "$@" <<'PYTHON'
import socket, struct, sys
server, name, kind = sys.argv[1], sys.argv[2], int(sys.argv[3])
question = b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0" + struct.pack(">HH", kind, 1)
s = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(1)
for attempt in range(10):  # as every resolver asks again
    s.sendto(struct.pack(">HHHHHH", 7, 256, 1, 0, 0, 0) + question, (server, 53))
    try:
        answer = s.recv(4096)
        break
    except TimeoutError:
        answer = bytes(3) + b"\xff" + bytes(8)
if answer[3] & 15 or answer[7] == 0:
    print("none", answer[3] & 15)
elif kind == 12:
    print(answer[-len(answer) + 12 + len(question) + 12 :].decode("latin1").strip("\0")[1:])
else:
    print(socket.inet_ntop(socket.AF_INET6 if kind == 28 else socket.AF_INET, answer[-16 if kind == 28 else -4 :]))
PYTHON
}

# kill_both SUPERVISOR WORKER: at the same moment, as far as they are concerned: a supervisor that saw its worker die
# would start another one, and a worker that saw its supervisor die would take everything back.
kill_both() {
    kill -STOP "$1"
    kill -KILL "$2"
    kill -KILL "$1"
}
