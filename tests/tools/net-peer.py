#!/usr/bin/python3
# The two ends of a conversation, for tests of networks.
#   net-peer.py serve NAME PORT...             answers on TCP and UDP, IPv4 and IPv6: "NAME PEER-ADDRESS TEXT"; prints "serving"
#   net-peer.py ask tcp|udp ADDRESS PORT TEXT  prints the answer; fails when there is none within two seconds
#   net-peer.py pump ADDRESS PORT BYTES        sends so many bytes, ends, and prints how many came back
#   net-peer.py listen ADDRESS PORT            takes a TCP port and holds it; prints "listening"
#   net-peer.py half ADDRESS PORT TEXT         says TEXT and ends its side; prints all that comes then
import selectors
import socket
import sys
import threading
import time


def connect(address, port):
    deadline = time.monotonic() + 2
    return socket.create_connection((address, int(port)), timeout=max(0.1, deadline - time.monotonic()))


def answer_stream(name, connection, peer):
    with connection:
        first = connection.recv(65536)
        if first.startswith(b"ECHO"):
            while first:
                connection.sendall(first)
                first = connection.recv(65536)
            return
        if first.startswith(b"LATE"):
            while connection.recv(65536):
                pass
        connection.sendall(f"{name} {plain(peer)} {first.decode()}".encode())


def plain(peer):
    return peer[0].removeprefix("::ffff:")


def serve(name, *ports):
    selector = selectors.DefaultSelector()
    for port in ports:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            listener = socket.socket(socket.AF_INET6, kind)
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("::", int(port)))
            if kind == socket.SOCK_STREAM:
                listener.listen(64)
            selector.register(listener, selectors.EVENT_READ)
    print("serving", flush=True)
    while True:
        for key, _ in selector.select():
            listener = key.fileobj
            if listener.type == socket.SOCK_STREAM:
                connection, peer = listener.accept()
                threading.Thread(target=answer_stream, args=(name, connection, peer), daemon=True).start()
            else:
                text, peer = listener.recvfrom(65536)
                listener.sendto(f"{name} {plain(peer)} {text.decode()}".encode(), peer)


def ask(kind, address, port, text):
    if kind == "tcp":
        with connect(address, port) as connection:
            connection.sendall(text.encode())
            print(connection.recv(65536).decode())
        return
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.settimeout(2)
        sender.connect((address, int(port)))
        sender.send(text.encode())
        print(sender.recv(65536).decode())


def pump(address, port, count):
    count = int(count)
    received = 0
    with connect(address, port) as connection:
        connection.settimeout(30)

        def send():
            left = count - 4
            connection.sendall(b"ECHO")
            chunk = bytes(range(256)) * 256
            while left > 0:
                connection.sendall(chunk[:left])
                left -= min(left, len(chunk))
            connection.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        while True:
            data = connection.recv(1 << 20)
            if not data:
                break
            received += len(data)
        sender.join()
    print(received)


def half(address, port, text):
    with connect(address, port) as connection:
        connection.sendall(text.encode())
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while data := connection.recv(65536):
            answer += data
    print(answer.decode())


def listen(address, port):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, int(port)))
        listener.listen(16)
        print("listening", flush=True)
        time.sleep(600)


if __name__ == "__main__":
    {"serve": serve, "ask": ask, "pump": pump, "half": half, "listen": listen}[sys.argv[1]](*sys.argv[2:])
