# What only a kernel with ipvlan, a network card and radios can show. Runs inside the machine, with expect.sh; prints TAP.
mkdir -p /tree5 /mnt
mount -t squashfs -o loop /images/squash /mnt && cp -a /mnt/. /tree5 && umount /mnt
for module in virtio_pci virtio_net dummy ipvlan macvlan veth bridge; do modprobe "$module"; done
modprobe mac80211_hwsim radios=2
ip link del dummy0 2>/dev/null # which the module brings
ip link set lo up
ip link add card0 type dummy
ip link set card0 up
card=$(ls -d /sys/bus/virtio/drivers/virtio_net/virtio*/net/* | head -n 1)
card=${card##*/}
ip link set "$card" name wired0

links() { ip -o link | sed 's/^[0-9]*: \([^:@]*\).*/\1/' | sort | tr '\n' ' '; }
links_before=$(links)
left_behind() { [ "$(links)" = "$links_before" ] || links; }

tree() { run -D /tree5 "$@"; }
# A container that stays, with these options; $pid is nspawn's, $leader that of its first process.
start() {
    rm -f /run/up
    nspawn -q -P -D /tree5 "$@" sh -c 'echo up; exec sleep 1000' >/run/up 2>&1 &
    pid=$!
    for _ in $(seq 200); do
        grep -q up /run/up && break
        kill -0 $pid || break
        usleep 50000
    done
    cat /run/up
    leader=$(cat /proc/$pid/task/$pid/children | cut -d ' ' -f 1)
}
inside() { nsenter -t "$leader" -n "$@"; }
stop() { # SIGNAL
    kill "-$1" "$pid"
    wait "$pid"
    return 0
}
# The kernel moves it back in its own time.
await_link() { # NAME...
    for _ in $(seq 200); do
        for name; do [ ! -e "/sys/class/net/$name" ] || return 0; done
        usleep 50000
    done
}

# --- ipvlan ---
expect 0 ' iv-card0@' "ipvlan: named after the host's interface" tree --network-ipvlan=card0 ip -o link
expect 0 ' lan@' "ipvlan: HOST:CONTAINER" tree --network-ipvlan=card0:lan ip -o link
expect 0 '^4$' "ipvlan: several, in one option and in two" tree "--network-ipvlan=card0 card0:two" --network-ipvlan=card0:three sh -c 'ls /sys/class/net | wc -l'
mode() {
    start --network-ipvlan=card0:lan
    inside /usr/bin/ip -d link show lan
    stop TERM
}
expect 0 'ipvlan  *mode l2' "ipvlan: in mode l2" mode
other_mode() {
    ip link add other link card0 type ipvlan mode l3
    tree --network-ipvlan=card0:lan true
    status=$?
    ip link del other
    return $status
}
expect 0 '' "ipvlan: beside one of the host's, in another mode" other_mode
passthrough() {
    ip link add other link card0 type macvlan mode passthru
    tree --network-ipvlan=card0:lan true
    status=$?
    ip link del other
    return $status
}
expect 1 "^nspawn: .*ipvlan interface 'lan' on 'card0': " "ipvlan: on an interface that a macvlan has for itself" passthrough
expect 1 "there is no interface 'card1' on the host" "ipvlan: on none" tree --network-ipvlan=card1 true
expect 1 "loopback interface 'lo' cannot be given" "ipvlan: on the loopback interface" tree --network-ipvlan=lo true
long() {
    ip link add afifteenletters type dummy
    start --network-ipvlan=afifteenletters
    inside /usr/bin/ip -o link show iv-afifteenletters
    stop TERM
    ip link del afifteenletters
}
expect 0 'altname iv-afifteenletters' "ipvlan: a long name is cut, and the whole of it an alternative one" long
neighbours() {
    start --read-only -M one --network=ipvlan:card0,address=10.8.7.1/24,address=fd08::1/64
    tree --read-only -M two --network=ipvlan:card0,address=10.8.7.2/24,address=fd08::2/64 sh -c 'ping -c 1 -W 5 10.8.7.1 && ping -c 1 -W 5 fd08::1'
    status=$?
    stop TERM
    return $status
}
expect 0 '1 packets received' "ipvlan: two containers reach each other, by IPv4 and IPv6" neighbours
for users in no 700000; do
    expect 0 ' iv-card0@.*UP' "ipvlan: switched on from inside, with --private-users=$users" tree --private-users=$users --network-ipvlan=card0 sh -c 'ip link set iv-card0 up; ip -o link'
done
expect 0 '^lan$' "macvlan: beside it" tree --network-macvlan=wired0:lan ls /sys/class/net

# --- a network card ---
address=$(cat /sys/class/net/wired0/address)
for users in no 700000; do
    expect 0 "^$address\$" "card: moved and renamed, with --private-users=$users" tree --private-users=$users --network-interface=wired0:wan cat /sys/class/net/wan/address
done
expect 0 '^wired0$' "card: under its own name" tree --network-interface=wired0 ls /sys/class/net
expect 0 '1 packets received' "card: packets pass" tree --network=interface:wired0,name=wan,address=10.0.2.15/24,gateway=10.0.2.2 ping -c 1 -W 10 10.0.2.2
expect 0 '^changed$' "card: renamed by the payload, and given another address" tree --network-interface=wired0 sh -c 'ip link set wired0 down; ip link set wired0 name mine; ip link set mine address 02:00:00:00:00:99; ip link set mine up; echo changed'
ip link set wired0 down
ip link set wired0 address "$address"
expect 1 "no interface 'nothere'" "card: back after a start that failed" tree --network-interface=wired0:wan --network-macvlan=nothere true
killed() { # NAME-INSIDE COMMAND OPTION...
    inner=$1 command=$2
    shift 2
    start "$@"
    [ -z "$command" ] || inside sh -c "$command"
    stop KILL
    await_link "$inner"
    links
    tree true
}
expect 0 ' wan ' "card: SIGKILL; the next run gives it its name again" killed wan '' --network-interface=wired0:wan
expect 0 ' mine ' "card: SIGKILL after the payload has renamed it" killed mine 'ip link set wan name mine' --network-interface=wired0:wan
expect 0 ' mine ' "card: SIGKILL after the payload has renamed it and given it another address" killed mine 'ip link set wan name mine; ip link set mine address 02:00:00:00:00:98' --network-interface=wired0:wan
ip link set wired0 address "$address"
expect 0 ' wan ' "card: SIGKILL, with private users" killed wan '' --private-users=700000 --network-interface=wired0:wan
taken() {
    start --network-interface=wired0:wan
    ip link add wired0 type dummy
    stop TERM
    cat /run/up
    links
    ip link del wired0
    ip link set "$(ls -d /sys/bus/virtio/drivers/virtio_net/virtio*/net/* | sed 's|.*/||')" name wired0
}
expect 0 'back under another name' "card: its name is taken meanwhile" taken

# --- radios ---
# The second interface of the first radio.
iw phy "$(cat /sys/class/net/wlan0/phy80211/name)" interface add second type managed
links_before=$(links)
radios() { echo "$(iw dev | grep -c '^phy#') radios here"; }
for users in no 700000; do
    expect 0 '^air$' "radio: moved with its interface, which is renamed, with --private-users=$users" tree --private-users=$users --network-interface=wlan0:air ls /sys/class/net
done
expect 0 '^second$' "radio: its other interfaces go with it" tree --network-interface=wlan0 ls /sys/class/net
expect 0 '^two$' "radio: two of its interfaces are asked for" tree "--network-interface=wlan0:one second:two" ls /sys/class/net
lent() {
    start --network-interface=wlan0:air
    radios
    inside iw dev
    stop TERM
    radios
}
expect 0 'Interface air' "radio: known to the container" lent
expect 0 '^1 radios here' "radio: and no longer to the host" lent
expect 0 '^2 radios here' "radio: until the end" lent
expect 0 '^changed$' "radio: interface renamed by the payload, and given another address" tree --network-interface=wlan0:air sh -c 'ip link set air name mine; ip link set mine address 02:00:00:00:00:97; ip link set mine up; echo changed'
expect 1 "no interface 'nothere'" "radio: back after a start that failed" tree --network-interface=wlan0:air --network-macvlan=nothere true
expect 1 "moving the interface 'wlan0'" "radio: back when its interface cannot be called so" tree "--network-interface=wlan0:second" true
expect 0 '(^| )air ' "radio: SIGKILL; the next run gives its interface its name again" killed air '' --network-interface=wlan0:air
expect 0 '(^| )air ' "radio: SIGKILL, with private users" killed air '' --private-users=700000 --network-interface=wlan0:air
expect 0 '^wlan1$' "radio: another one, by a settings file" sh -c 'printf "[Network]\nInterface=wlan1\n" >/tree5.nspawn; nspawn -q -P --settings=trusted -D /tree5 ls /sys/class/net; status=$?; rm /tree5.nspawn; exit $status'
deleted() {
    start --network-interface=wlan1:air
    inside iw dev air del
    stop TERM
    cat /run/up
    radios
    [ -e /sys/class/net/wlan1 ] || iw phy "$(ls /sys/class/ieee80211 | tail -n 1)" interface add wlan1 type managed
}
expect 0 'cannot be taken back' "radio: the payload has deleted its interface" deleted
expect 0 '^1 radios here|^2 radios here' "radio: which itself is back" deleted
