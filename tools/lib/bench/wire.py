"""The protocols of forwarders: Lumberjack against go-lumber's server, TLS against plain TCP, _bulk against
rsyslog, and what an idle TLS connection costs."""
import http.client
import os
import resource
import socket
import ssl
import struct
import subprocess
import zlib

from common import ROUNDS, Server, Squiblyd, free_port, rss_of, run_rsyslog, rsyslog_version, send_file, verdict

BAR_LUMBERJACK, BAR_TLS, BAR_BULK, BAR_IDLE_KIB = 3.0, 0.5, 3.0, 40
WINDOW, LEVEL, DOCUMENTS, IDLE = 2048, 3, 1600, 5000
COUNTER = "build/clients/lumber_count"


def lines_of(path):
    with open(path, "rb") as f:
        return f.read().splitlines()


def chunks(items, n):
    return [items[i:i + n] for i in range(0, len(items), n)]


# ---- Lumberjack ----

def window(events):
    """One window as Beats send it: W, then all J in one C."""
    frames = b"".join(b"2J" + struct.pack(">II", i + 1, len(e)) + e for i, e in enumerate(events))
    packed = zlib.compress(frames, LEVEL)
    return b"2W" + struct.pack(">I", len(events)) + b"2C" + struct.pack(">I", len(packed)) + packed


def await_ack(stream, count):
    """As go-lumber's client: anything below the count is a sign of life."""
    while True:
        ack = stream.read(6)
        if len(ack) != 6 or ack[:2] != b"2A":
            raise SystemExit(f"bench: {ack!r} is not an ACK")
        if struct.unpack(">I", ack[2:])[0] == count:
            return


def send_windows(port, windows, counts):
    """Two windows on their way at any time, as libbeat's pipelining: 2."""
    with socket.create_connection(("127.0.0.1", port)) as s, s.makefile("rb") as answers:
        for i, w in enumerate(windows):
            s.sendall(w)
            if i > 0:
                await_ack(answers, counts[i - 1])
        await_ack(answers, counts[-1])


def lumberjack(corpus, events, folder):
    if not os.access(COUNTER, os.X_OK):
        print(f"skipped: Lumberjack against go-lumber: {COUNTER} is not built (tools/clients says why)\n")
        return
    groups = chunks(lines_of(corpus), WINDOW)
    windows, counts = [window(g) for g in groups], [len(g) for g in groups]
    ours, theirs = [], []
    for _ in range(ROUNDS):
        with Squiblyd(folder, "beats") as server:
            send_windows(server.port, windows, counts)
            ours.append(server.served())
        server.expect(events)
        port = free_port()
        with Server([COUNTER, f"127.0.0.1:{port}"], port, stdout=subprocess.DEVNULL) as server:
            send_windows(port, windows, counts)
            theirs.append(server.served())
    ratio = min(theirs) / min(ours)
    print(f"Lumberjack, level {LEVEL}, windows of {WINDOW}, one connection, events per CPU second on one core")
    print(f"  go-lumber's server, which only counts   {events / min(theirs):10.0f}   {min(theirs):.2f} s")
    print(f"  squiblyd, the shipped rules             {events / min(ours):10.0f}   {min(ours):.2f} s")
    print(f"  ratio {ratio:.2f} (bar {BAR_LUMBERJACK}: {verdict(ratio >= BAR_LUMBERJACK)})\n")


# ---- TLS ----

def certificate(folder):
    """A key and certificate for this run alone. @return configuration lines of an input"""
    cert, key = os.path.join(folder, "server.crt"), os.path.join(folder, "server.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-subj", "/CN=localhost", "-days", "1", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    return f"    tls_certificate: {cert}\n    tls_key: {key}\n"


def client_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # loopback, a certificate of our own: nothing to verify
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def send_tls(port, path):
    with socket.create_connection(("127.0.0.1", port)) as s, open(path, "rb") as f:
        with client_context().wrap_socket(s) as secure:
            cipher = secure.cipher()
            while data := f.read(1 << 18):
                secure.sendall(data)
            secure.unwrap()
    return f"{cipher[1]}, {cipher[0]}"


def tls(corpus, size, events, folder):
    more, plain, secure, spoken = certificate(folder), [], [], ""
    for _ in range(ROUNDS):
        for times, options in ((plain, ""), (secure, more)):
            with Squiblyd(folder, "tcp", options) as server:
                if options:
                    spoken = send_tls(server.port, corpus)
                else:
                    send_file(server.port, corpus)
                times.append(server.served())
            server.expect(events)
    ratio = min(plain) / min(secure)
    print("NDJSON over TCP, bytes per CPU second of squiblyd on one core")
    print(f"  plain                            {size / min(plain) / 1e6:8.0f} MB/s   {min(plain):.2f} s")
    print(f"  {spoken:32} {size / min(secure) / 1e6:8.0f} MB/s   {min(secure):.2f} s")
    print(f"  ratio {ratio:.2f} (bar {BAR_TLS}: {verdict(ratio >= BAR_TLS)})\n")


def idle(folder):
    """Connections that have shaken hands and say nothing."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < IDLE + 100:
        print(f"skipped: {IDLE} idle TLS connections: at most {hard} open files are allowed\n")
        return
    context, sockets = client_context(), []
    with Squiblyd(folder, "tcp", certificate(folder) + f"    max_connections: {IDLE + 10}\n") as server:
        before = rss_of(server.process.pid, "VmRSS")
        for _ in range(IDLE):
            sockets.append(context.wrap_socket(socket.create_connection(("127.0.0.1", server.port))))
        server.served()
        each = (rss_of(server.process.pid, "VmRSS") - before) * 1024 / IDLE
    for s in sockets:
        s.close()
    print(f"an idle TLS connection, of {IDLE}: {each:.1f} KiB of resident memory "
          f"(bar {BAR_IDLE_KIB} KiB: {verdict(each <= BAR_IDLE_KIB)})\n")


# ---- _bulk ----

def send_bulk(port, bodies):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=90)
    for body in bodies:
        connection.request("POST", "/_bulk?filter_path=errors%2Citems.%2A.error%2Citems.%2A.status", body,
                           {"Content-Type": "application/x-ndjson"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200 or b'"errors":false' not in text:
            raise SystemExit(f"bench: _bulk was answered {answer.status} {text[:200]}")
    connection.close()


def bulk(corpus, events, folder):
    action = b'{"create":{"_index":"winlogbeat-8.17.4"}}\n'
    bodies = [b"".join(action + line + b"\n" for line in group) for group in chunks(lines_of(corpus), DOCUMENTS)]
    ours, theirs = [], []
    for _ in range(ROUNDS):
        with Squiblyd(folder, "http") as server:
            send_bulk(server.port, bodies)
            ours.append(server.served())
        server.expect(events)
        theirs.append(run_rsyslog(corpus, folder, "imtcp")[0])
    ratio = min(theirs) / min(ours)
    print(f"HTTP _bulk, {DOCUMENTS} documents a request, against the same events over TCP, events per CPU second")
    print(f"  rsyslog {rsyslog_version():10} imtcp, mmjsonparse, two re_match_i  {events / min(theirs):10.0f}   "
          f"{min(theirs):.2f} s")
    print(f"  squiblyd           the shipped rules                   {events / min(ours):10.0f}   {min(ours):.2f} s")
    print(f"  ratio {ratio:.2f} (bar {BAR_BULK}: {verdict(ratio >= BAR_BULK)})\n")
