"""A receiver of HTTP requests that believes nothing: it checks each request to the letter, keeps it, and answers as
the test says: well, badly, slowly, in part, or not at all.

Elasticsearch's _bulk, Splunk's event collector and a webhook are built on it, after their documents:
https://www.elastic.co/guide/en/elasticsearch/reference/8.17/docs-bulk.html
https://docs.splunk.com/Documentation/Splunk/9.4.1/Data/HECExamples
"""
import gzip
import json
import re
import socket
import struct
import threading
import time


class Wrong(Exception):
    """The request breaks a rule."""


class Request:
    """What came: target is path and query, headers have lower-case names."""

    def __init__(self, method, target, headers, raw):
        self.method, self.target, self.headers, self.raw = method, target, headers, raw
        self.path, _, self.query = target.partition("?")
        self.body = gzip.decompress(raw) if headers.get("content-encoding") == "gzip" else raw


class Answer:
    """What goes back. `way`: whole, chunked, slow (a byte at a time), half (then a reset), reset (before anything),
    silent (nothing, ever), close (whole, then the connection ends, as was said), drop (the same, unsaid). `length` is
    what Content-Length says in place of the truth; `first` stands in front of it all."""

    def __init__(self, status=200, body=b"", headers=(), way="whole", pause=0.0, length=None, first=b""):
        self.status, self.body, self.headers, self.way, self.pause = status, body, list(headers), way, pause
        self.length, self.first = len(body) if length is None else length, first

    def bytes(self):
        head = [f"HTTP/1.1 {self.status} Whatever", "Content-Type: application/json", *self.headers]
        if self.way == "chunked":
            parts = [self.body[i:i + 7] for i in range(0, len(self.body), 7)] + [b""]
            body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts)
            head.append("Transfer-Encoding: chunked")
        else:
            body = self.body
            head.append(f"Content-Length: {self.length}")
        if self.way == "close":
            head.append("Connection: close")
        return self.first + "\r\n".join(head).encode() + b"\r\n\r\n" + body


class Receiver:
    """`answer(request)` gives an Answer. What was wrong with requests is in `wrong`."""

    def __init__(self, answer=None, port=0, context=None):
        self.answer = answer or (lambda request: Answer())
        self.port, self.context = port, context
        self.requests, self.wrong, self.connections, self.lock = [], [], 0, threading.Lock()
        self.alpn, self.shown = [], []  # of each connection over TLS: what was agreed on, and the sender's certificate
        self.start()

    def start(self):
        self.socket = socket.create_server(("127.0.0.1", self.port))
        self.socket.settimeout(0.05)
        self.port = self.socket.getsockname()[1]
        self.running, self.open = True, []
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def stop(self):
        self.running = False
        self.thread.join()
        self.socket.close()
        for s in list(self.open):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self):
        while self.running:
            try:
                s = self.socket.accept()[0]
            except TimeoutError:
                continue
            self.connections += 1
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        s.settimeout(60)
        try:
            if self.context:
                s = self.context.wrap_socket(s, server_side=True)
                self.alpn.append(s.selected_alpn_protocol())
                self.shown.append(s.getpeercert())
            self.open.append(s)
            with s, s.makefile("rb") as f:
                while self.running and self._one(s, f):
                    pass
        except (OSError, ValueError):
            pass

    def _one(self, s, f):
        request = self._read(f)
        if not request or not self.running:
            return False
        with self.lock:
            self.requests.append(request)
            try:
                answer = self.answer(request)
            except Wrong as e:
                self.wrong.append(f"{e}: {request.method} {request.target} {request.body[:300]!r}")
                answer = Answer(400, b'{"error":"wrong"}')
        return self._say(s, answer)

    @staticmethod
    def _read(f):
        line = f.readline(65536)
        if not line:
            return None
        method, target, version = line.decode("ascii").rstrip("\r\n").split(" ")
        headers = {}
        while (line := f.readline(65536)) not in (b"\r\n", b""):
            assert line.endswith(b"\r\n"), line
            name, _, value = line.decode("ascii").rstrip("\r\n").partition(": ")
            assert name.lower() not in headers, f"{name} twice"
            headers[name.lower()] = value
        assert version == "HTTP/1.1" and "host" in headers
        body = f.read(int(headers["content-length"]))
        return Request(method, target, headers, body) if len(body) == int(headers["content-length"]) else None

    @staticmethod
    def _reset(s):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    def _say(self, s, answer):
        data = answer.bytes()
        if answer.pause:
            time.sleep(answer.pause)
        if answer.way == "reset":
            return self._reset(s)
        if answer.way == "silent":
            while self.running:
                time.sleep(0.02)
            return False
        if answer.way == "half":
            s.sendall(data[:len(data) // 2])
            return self._reset(s)
        if answer.way == "slow":
            for i in range(len(data)):
                s.sendall(data[i:i + 1])
                time.sleep(0.001)
            return True
        s.sendall(data)
        return answer.way not in ("close", "drop")


def must(condition, what):
    if not condition:
        raise Wrong(what)


class Elastic:
    """An index. `script` gives the Answer to whole requests by their turn, or None; `item(id, doc, turn)` the status of an item
    (or status, type and reason), or None: it is taken."""

    def __init__(self, path="/alerts/_bulk", item=None, whole=None, headers=None, ids=True):
        self.path, self.item, self.whole, self.ids = path, item or (lambda *a: None), whole or (lambda *a: None), ids
        self.headers = headers or {}
        self.docs, self.order, self.turn, self.again, self.sizes = {}, [], 0, 0, []

    @staticmethod
    def pairs(body):
        must(body.endswith(b"\n"), "no line end at the end")
        lines = body[:-1].split(b"\n")
        must(len(lines) % 2 == 0, "an odd number of lines")
        must(b"\r" not in body, "a carriage return")
        return list(zip(lines[::2], lines[1::2]))

    def __call__(self, request):
        self.turn += 1
        must(request.method == "POST", "method")
        must(request.path == self.path, "path")
        must(request.query.startswith("filter_path="), "query")
        must(request.headers.get("content-type") == "application/x-ndjson", "content type")
        must("expect" not in request.headers and "transfer-encoding" not in request.headers, "headers")
        for name, value in self.headers.items():
            must(request.headers.get(name) == value, f"header {name}: {request.headers.get(name)}")
        pairs = self.pairs(request.body)
        self.sizes.append(len(pairs))
        whole = self.whole(self.turn, pairs)
        if whole:
            return whole
        return Answer(200, json.dumps(self.take(pairs)).encode())

    def take(self, pairs):
        items, errors = [], False
        for action, text in pairs:
            action, doc = json.loads(action), json.loads(text)
            must(list(action) == ["create"] and set(action["create"]) <= {"_id"}, "action")
            ident = action["create"].get("_id")
            must(not self.ids or (ident and re.fullmatch("[0-9a-f]{32}", ident)), f"id {ident}")
            must(isinstance(doc, dict), "a document that is no object")
            status = self.item(ident, doc, self.turn)
            if status is None and ident is not None and ident in self.docs:
                status = 409
                self.again += 1
            if status is None:
                self.docs[ident] = doc
                self.order.append(doc)
                items.append({"create": {"status": 201}})
                continue
            errors = True
            if not isinstance(status, tuple):
                status = status, f"type_{status}_exception", "because \n\x1b[31m of it"
            items.append({"create": {"status": status[0], "error": {"type": status[1], "reason": status[2]}}})
        return {"errors": errors, "items": items}


class Splunk:
    """An event collector: events back to back, or raw lines."""

    def __init__(self, token="s3cret", raw=False, bad=None, whole=None):
        self.token, self.raw, self.bad, self.whole = token, raw, bad or (lambda event: False), whole or (lambda *a: None)
        self.events, self.turn = [], 0

    def __call__(self, request):
        self.turn += 1
        must(request.method == "POST", "method")
        must(request.path == "/services/collector/" + ("raw" if self.raw else "event"), "path")
        must(request.headers.get("authorization") == "Splunk " + self.token, "token")
        must(re.fullmatch("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
                          request.headers.get("x-splunk-request-channel", "")), "channel")
        whole = self.whole(self.turn, request)
        if whole:
            return whole
        events = request.body.decode().splitlines() if self.raw else self.objects(request.body.decode())
        for n, event in enumerate(events):
            if self.bad(event):
                return Answer(400, json.dumps({"text": "Invalid data format", "code": 6, "invalid-event-number": n}).encode())
        self.events += events
        return Answer(200, b'{"text":"Success","code":0}')

    @staticmethod
    def objects(text):
        found, at = [], 0
        while at < len(text.rstrip()):
            event, at = json.JSONDecoder().raw_decode(text, at)
            must(isinstance(event, dict) and "event" in event, "event")
            must(set(event) <= {"time", "host", "source", "sourcetype", "index", "event", "fields"}, "keys")
            found.append(event)
            while at < len(text) and text[at] in "\n ":
                at += 1
        return found
