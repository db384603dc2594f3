"""Peers that speak to squibly send: a server of whatever, of Lumberjack, of HTTP. One connection at a time."""
import gzip
import socket
import threading
import zlib
from http.server import BaseHTTPRequestHandler, HTTPServer


class Server:
    """Takes one connection after another and hands each to `serve(connection, its number)`."""

    def __init__(self, serve, path=None, tls=None):
        self.serve, self.tls, self.connections, self.errors = serve, tls, 0, []
        if path is None:
            self.socket = socket.create_server(("127.0.0.1", 0))
            self.target = f"127.0.0.1:{self.socket.getsockname()[1]}"
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.bind("\0" + path[1:] if path.startswith("@") else path)
            self.socket.listen()
            self.target = "unix:" + path
        self.socket.settimeout(30)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while True:
            try:
                c, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            c.settimeout(30)
            try:
                if self.tls:
                    c = self.tls.wrap_socket(c, server_side=True)
                self.serve(c, self.connections)
            except OSError as why:
                self.errors.append(str(why))
            c.close()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(30)


def take(c, n):
    got = b""
    while len(got) < n:
        more = c.recv(n - len(got))
        if not more:
            raise ConnectionError("ended")
        got += more
    return got


def number(c):
    return int.from_bytes(take(c, 4), "big")


class Window:
    """One window of Lumberjack: its events, how many frames of which kind."""

    def __init__(self, c):
        if take(c, 2) != b"2W":
            raise AssertionError("no window")
        self.count, self.events, self.kinds = number(c), [], []
        while len(self.events) < self.count:
            kind = take(c, 2)
            self.kinds.append(kind)
            if kind == b"2C":
                self._frames(zlib.decompress(take(c, number(c))))
            elif kind == b"2J":
                self._one(number(c), take(c, number(c)))
            else:
                raise AssertionError(kind)

    def _one(self, sequence, event):
        self.events.append(event)
        assert sequence == len(self.events), sequence

    def _frames(self, data):
        while data:
            assert data[:2] == b"2J", data[:2]
            n = int.from_bytes(data[6:10], "big")
            self._one(int.from_bytes(data[2:6], "big"), data[10:10 + n])
            data = data[10 + n:]


def ack(n):
    return b"2A" + n.to_bytes(4, "big")


def windows_of(c, to, answer=lambda w: ack(w.count)):
    try:
        while True:
            w = Window(c)
            to.append(w)
            c.sendall(answer(w))
    except ConnectionError:
        pass


class Answers:
    """An HTTP server that answers requests with what is next in `answers`: (status, headers, body)."""

    def __init__(self, answers=(), path=None, chunked=False, tls=None):
        self.requests, answers = [], list(answers)
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                requests.append((self.path, dict(self.headers), body))
                status, headers, answer = answers.pop(0) if answers else (200, {}, b"{}")
                if callable(answer):
                    answer = answer(body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header(*(("Transfer-Encoding", "chunked") if chunked
                                   else ("Content-Length", str(len(answer)))))
                self.end_headers()
                if chunked:
                    for at in range(0, len(answer), 7):
                        piece = answer[at:at + 7]
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                    answer = b"0\r\n\r\n"
                self.wfile.write(answer)

            def log_message(self, *_):
                pass
        if path:
            class Local(HTTPServer):
                address_family = socket.AF_UNIX

                def server_bind(self):
                    self.socket.bind(path)
                    self.server_name, self.server_port = "local", 0

                def get_request(self):
                    return self.socket.accept()[0], ("local", 0)
            self.server = Local(path, Handler)
            self.target = "unix:" + path
        else:
            self.server = HTTPServer(("127.0.0.1", 0), Handler)
            self.target = f"127.0.0.1:{self.server.server_port}"
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(30)

    def bodies(self):
        return [body for _, _, body in self.requests]
