"""squibly status: the daemon says itself what became of every record and every alert."""
import json
import os
import re
import socket
import subprocess
import tempfile

from harness import (DEADLINE, SOURCE, SQUIBLY, Case, attack, eventually, main, ordinary, squibly)


class Status(Case):
    def start(self, outputs="", config="", **named):
        folder = tempfile.mkdtemp(prefix="squiblyd-status-")
        self.path = os.path.join(folder, "control.sock")
        text = ("inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\n" + outputs + config +
                (f"control:\n  path: {self.path}\n" if "control:" not in config else ""))
        d = self.daemon(text, inputs=False, folder=folder, **named)
        d.port()
        return d

    def ask(self, line, chunk=1 << 16):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(DEADLINE)
            s.connect(self.path)
            s.sendall(line)
            got = b""
            while part := s.recv(chunk):
                got += part
            return got

    def status(self, exit_status=0):
        out, _ = squibly("status", "-j", "-s", self.path, status=exit_status)
        return json.loads(out)

    def settled(self, n):
        """The status once `n` records are accounted for; it holds at every moment before."""
        def look():
            s = self.status()
            records = s["accounts"][0]
            return records["came"]["received"] == n and not records["waiting"]["on_their_way"] and s
        return eventually(f"{n} records", look)

    @staticmethod
    def output(status, i=0):
        return status["accounts"][2 + i]

    def test_alerts_that_are_dropped_for_want_of_room_are_told(self):
        up = self.upstream()
        up.stop()
        d = self.start(f"outputs:\n  - {{type: tcp, address: '127.0.0.1:{up.port}', when_full: drop_newest, queue: 64KiB}}\n"
                       "shutdown_deadline: 100ms\n")
        d.send(b"".join(attack(n) for n in range(200)))
        alerts = self.settled(200)["accounts"][1]
        self.assertEqual((alerts["came"]["alerts"], alerts["delivered"]["at_the_outputs"]), (200, 200))
        o = self.status()["outputs"][0]
        high = self.output(self.status())["aside"]["high_water_bytes"]
        self.assertTrue(32 << 10 < high <= 64 << 10, high)
        dropped = self.output(self.status())["dropped"]["dropped_full"]
        self.assertGreater(dropped, 0)
        self.assertTrue(o["full"])
        self.assertLess(o["lost_ms"], 60000)
        text = squibly("status", "-s", self.path)[0].decode()
        self.assertRegex(text, r"(?m)^!! 1 of 1 outputs cannot be reached, take nothing, or lose alerts")
        self.assertRegex(text, r"(?m)^  !! its queue is full since 20\d\d-.* UTC: what comes is dropped$")
        self.assertRegex(text, rf"(?m)^  !! {dropped} dropped for want of room, 0 refused by the receiver; the last 00:")
        d.send(b"".join(attack(n) for n in range(200)))
        self.settled(400)
        d.stop()
        d.wait_said(f"^tcp 127.0.0.1:{up.port}: [1-9][0-9]* left; dropped$")
        self.assertFalse(d.said("waiting_bytes +[1-9]"), "what is dropped does not wait")
        lines = [line for line in d.err if ": its queue" in line]
        dropped = int(re.search("(\\d+) dropped meanwhile", lines[-1]).group(1))
        self.assertGreater(dropped, 200)
        self.assertEqual([re.sub("for .*", "for", line) for line in lines],
                         [f"tcp 127.0.0.1:{up.port}: its queue is full; what comes is dropped and counted",
                          f"tcp 127.0.0.1:{up.port}: its queue was full for"])

    def test_that_the_oldest_are_dropped_is_told(self):
        up = self.upstream()
        up.stop()
        d = self.start(f"outputs:\n  - {{type: tcp, address: '127.0.0.1:{up.port}', when_full: drop_oldest, queue: 4MiB,\n"
                       f"      durability: spool, spool: '{self.scratch()}/spool', spool_size: 16MiB}}\n"
                       "shutdown_deadline: 100ms\n")
        large = attack(1).replace(b" /s ", b" /s " + b"x" * 16000 + b" ")
        for _ in range(60):
            d.send(large * 30)
            if d.said("its spool is full"):
                break
        d.wait_said("its spool is full; the oldest are dropped and counted$")
        o = eventually("some are dropped", lambda: self.output(self.status())["dropped"]["dropped_oldest"]
                       and self.status()["outputs"][0])
        self.assertTrue(o["full"])
        self.assertLess(o["lost_ms"], 60000)
        text = squibly("status", "-s", self.path)[0].decode()
        self.assertRegex(text, r"(?m)^  !! its spool is full since 20\d\d-.* UTC: the oldest are dropped$")
        self.assertRegex(text, r"(?m)^  !! [1-9]\d* dropped for want of room, 0 refused by the receiver; the last 00:")
        d.stop()
        self.assertTrue(d.said("its spool was full for .*; [1-9][0-9]* dropped meanwhile"))

    def test_inputs_that_wait_for_an_output_are_told(self):
        up = self.upstream()
        up.stop()
        d = self.start(f"outputs:\n  - {{type: tcp, address: '127.0.0.1:{up.port}', queue: 64KiB}}\n"
                       "shutdown_deadline: 100ms\n")
        with d.connect() as s:
            s.sendall(b"".join(attack(n) for n in range(200)))
            d.wait_said("its queue is full; inputs wait$")
            self.assertRegex(squibly("status", "-s", self.path)[0].decode(),
                             r"(?m)^  !! its queue is full since 20\d\d-.* UTC: inputs wait$")
        d.stop()
        self.assertTrue(d.said("its queue was full for .*; 0 dropped meanwhile"))

    def test_what_comes_to_the_dead_letters_is_not_called_alerts(self):
        d = self.start("", f"dead_letter:\n  path: {self.scratch()}/dead.json\n")
        d.send(attack(1) + b"broken{\n")
        self.settled(2)
        eventually("it is written", lambda: self.output(self.status(), 1)["delivered"]["sent"] == 1)
        text = squibly("status", "-s", self.path)[0].decode()
        alerts, dead = text.split("\noutput ")[1:]
        self.assertRegex(alerts, r"(?m)^ +1  raised +Alerts that were raised$")
        self.assertTrue(dead.startswith("dead letters, "), dead)
        self.assertRegex(dead, r"(?m)^ +1  raised +Malformed records, and messages that a receiver refused$")
        self.assertNotIn("lert", dead)

    def test_what_is_in_no_account_is_told_to_people_too(self):
        d = self.start("", "check_one_in: 1\ncheck_share: 100\n")
        d.send(attack(1) + ordinary(1))
        self.settled(2)
        other = squibly("status", "-s", self.path)[0].decode().split("\nother counters\n")[1]
        self.assertRegex(other, r"(?m)^ +2  oracle_checked +Records checked: ")
        self.assertRegex(other, r"(?m)^ +1  connections +Connections accepted$")
        self.assertNotRegex(other, r"(?m)^ +0  |  (received|alerts|clean) ")

    def test_every_number_that_it_tells_is_in_the_documents_and_no_other(self):
        folder = self.scratch()
        self.start(f"outputs:\n  - {{type: file, path: {folder}/alerts.json, durability: spool, spool: {folder}/spool}}\n"
                   f"  - {{type: file, path: {folder}/records.json, forward: all}}\n", f"dead_letter:\n  path: {folder}/dead.json\n")
        s = self.status()
        told = {"unanswered", *s["counters"]}
        for table in s["accounts"] + s["inputs"]:
            for side in ("came", "delivered", "waiting", "spared", "dropped", "aside"):
                told.update(table.get(side, {}))
        with open(os.path.join(SOURCE, "docs/counters.md"), encoding="utf-8") as f:
            self.assertEqual(told, set(re.findall(r"(?m)^\| `(\w+)` \|", f.read())))

    def test_everything_has_its_place(self):
        up = self.upstream()
        d = self.start(f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{up.port}\n"
                       f"  - type: file\n    path: {{}}\n    min_level: critical\n".replace("{}", "/dev/null")
                       + f"fold:\n  window: 1h\n")
        d.send(b"".join(attack(1) + ordinary(1) for _ in range(50)) + b"broken{\n")
        s = self.settled(101)
        self.assertTrue(s["holds"] and s["complete"])
        records, alerts = s["accounts"][:2]
        self.assertEqual(records["delivered"], {"alerted": 50, "clean": 50, "malformed": 1, "oversized": 0})
        made = alerts["came"]["alerts"]
        self.assertGreaterEqual(made, 50)
        eventually("alerts delivered", lambda: self.output(self.status())["waiting"]["waiting"] == 0)
        s = self.status()
        tcp, file = self.output(s, 0), self.output(s, 1)
        self.assertEqual(tcp["came"]["raised"], made)
        self.assertEqual(tcp["came"]["raised"], tcp["delivered"]["sent"] + tcp["spared"]["folded"])
        self.assertEqual(file["came"]["raised"], made)
        text, _ = squibly("status", "-s", self.path)
        text = text.decode()
        self.assertIn("All is accounted for", text)
        self.assertNotIn("!!", text)
        self.assertRegex(text, r"(?m)^    +101  received +\S")
        self.assertRegex(text, r"(?m)^  = +50  alerted +\S")
        self.assertRegex(text, rf"(?m)^output tcp 127.0.0.1:{up.port}$")
        self.assert_stops(d, 101)

    def test_what_waits_is_told(self):
        """Nobody takes the alerts: they wait, first in the queue and then in their batches."""
        d = self.start("outputs:\n  - type: tcp\n    address: 127.0.0.1:1\n    queue: 64KiB\n",
                       "shutdown_deadline: 200ms\nbatches: 8\nlimits:\n  batch_alerts: 64KiB\n")
        with d.connect() as c:
            c.sendall(b"".join(attack(i) for i in range(300)))
            eventually("alerts wait", lambda: self.output(self.status())["waiting"]["waiting"] >
                       self.output(self.status())["aside"]["queued"] > 10)
            s = self.status()
            self.assertTrue(s["holds"])
            self.assertGreater(s["accounts"][0]["waiting"]["on_their_way"], 100)
        self.assert_stops(d)

    def test_an_output_that_is_away_says_since_when_and_why(self):
        up = self.upstream()
        d = self.start(f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{up.port}\n    retry_min: 50ms\n    retry_max: 100ms\n")

        def out(wanted):
            return eventually(str(wanted), lambda: wanted.items() <= self.status()["outputs"][0].items()
                              and self.status()["outputs"][0])

        d.send(attack(0))
        o = out({"state": "works", "waiting": 0})
        self.assertEqual((o["when_full"], o["kept_on"], o["max_bytes"]), ("block", "memory", 64 << 20))
        self.assertNotIn("away_since", o)
        up.stop()
        d.send(b"".join(attack(i) for i in range(1, 9)))
        o = out({"state": "away", "last_error": "connection refused"})
        eventually("all wait", lambda: self.status()["outputs"][0]["waiting"] >= 8)
        before = self.status()["outputs"][0]
        self.assertGreater(before["bytes"], 1000)
        after = eventually("time passes", lambda: (o := self.status()["outputs"][0]) and
                           o["oldest_ms"] > max(before["oldest_ms"], 1000) and o["failures"] > before["failures"] and o)
        self.assertEqual(after["away_since"], o["away_since"])
        self.assertGreaterEqual(after["away_ms"] + 5000, after["oldest_ms"])
        self.assertGreater(after["full_in_ms"], 60000)
        text = squibly("status", "-s", self.path)[0].decode()
        self.assertRegex(text, r"(?m)^!! 1 of 1 outputs cannot be reached")
        self.assertRegex(text, r"(?m)^  !! away since 20\d\d-.* UTC, for 00:.*: connection refused; failed \d+ times, last 00:")
        self.assertRegex(text, r"(?m)^  !! \d+ wait, [\d.]+ KiB of 64.0 MiB, the oldest for 00:0\d:\d\d; sent last 00:")
        self.assertRegex(text, r"(?m)^     when full \(as fast as now: in .*\), inputs wait, and datagrams are lost; "
                               r"when squiblyd ends, what waits then is lost$")
        up.start()
        o = out({"state": "works", "waiting": 0, "oldest_ms": 0})
        self.assertNotIn("away_since", o)
        self.assertIn("last_error", o)
        text = squibly("status", "-s", self.path)[0].decode()
        self.assertNotIn("!!", text)
        self.assertRegex(text, r"(?m)^     works; it failed last 20.* UTC: ")
        self.assert_stops(d, 9)

    def test_every_kind_of_output_says_that_it_is_away(self):
        folder = tempfile.mkdtemp(prefix="squiblyd-away-")
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]  # nobody's, in a moment
        key = os.path.join(folder, "key")
        with open(key, "w", encoding="ascii", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write("secret\n")
        at = f"http://127.0.0.1:{port}"
        spool = f"durability: spool, spool: {folder}/spool, spool_size: 16MiB"
        kinds = [f"type: tcp, address: '127.0.0.1:{port}', {spool}, when_full: drop_oldest",
                 f"type: lumberjack, address: '127.0.0.1:{port}', when_full: drop_newest",
                 f"type: elasticsearch, url: '{at}', index: i", f"type: webhook, url: '{at}/x', body: '{{{{message}}}}'",
                 f"type: splunk, url: '{at}', token_file: '{key}'", "type: udp, address: 'nobody.invalid:1'",
                 f"type: kafka, brokers: ['127.0.0.1:{port}'], topic: t", "type: file, path: /dev/full"]
        outputs = "outputs:\n" + "".join(f"  - {{{k}}}\n" for k in kinds)
        d = self.start(outputs, "shutdown_deadline: 200ms\n")
        d.send(attack(1))
        self.settled(1)
        away = eventually("all are away", lambda: all(o["state"] == "away" and o["waiting"] for o in self.status()["outputs"])
                          and self.status()["outputs"])
        for kind, o in zip(kinds, away):
            self.assertTrue(o["last_error"], kind)
            self.assertTrue(o["name"].startswith("output " + re.match(r"type: (\w+)", kind).group(1)), o)
        self.assertEqual([o["kept_on"] for o in away], ["disk"] + ["memory"] * 7)
        self.assertEqual([o["when_full"] for o in away], ["drop_oldest", "drop_newest"] + ["block"] * 6)
        self.assertIn("DNS", away[5]["last_error"])
        self.assertIn("No space left", away[7]["last_error"])
        self.assertRegex(squibly("status", "-s", self.path)[0].decode(), r"(?m)^!! 8 of 8 outputs cannot be reached")
        eventually("committed", lambda: self.output(self.status())["aside"].get("spooled"))
        self.assert_stops(d)
        d = self.start(outputs.split("\n", 2)[0] + "\n" + outputs.split("\n")[1] + "\n", "shutdown_deadline: 200ms\n")
        o = self.status()["outputs"][0]
        self.assertTrue(o["oldest_is_older"] and o["waiting"], o)
        self.assertIn("the oldest since before the start 00:", squibly("status", "-s", self.path)[0].decode())
        self.assert_stops(d)

    def test_it_holds_at_every_moment(self):
        up = self.upstream()
        d = self.start(f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{up.port}\n    when_full: drop_newest\n"
                       "    queue: 64KiB\n", "fold:\n  window: 300ms\ndeduplicate:\n  window: 1000\n")
        with d.connect() as a, d.connect() as b:
            for i in range(60):
                for s in (a, b):
                    s.sendall(b"".join(attack(n % 40) if n % 3 else ordinary(n) for n in range(i * 50, i * 50 + 50)))
                self.assertTrue(self.status()["holds"])
        d.wait_received(6000)
        self.settled(6000)
        self.assert_stops(d, 6000)

    def test_rules_that_are_refused_are_told(self):
        folder = tempfile.mkdtemp(prefix="squiblyd-rules-")
        rule = os.path.join(folder, "rule.yml")
        with open(rule, "w", encoding="utf-8") as f:
            f.write("title: t\nid: 6d3a1b1e-0000-4000-8000-000000000001\nlogsource:\n  category: process_creation\n"
                    "  product: windows\ndetection:\n  s:\n    Image|endswith: x\n  condition: s\nlevel: high\n")
        d = self.start(config=f"rules:\n  paths: {folder}\n")
        self.assertEqual(self.status()["rules"]["generation"], 1)
        with open(rule, "a", encoding="utf-8") as f:
            f.write("detection: again\n")
        out, _ = squibly("status", "--reload", "-s", self.path)
        self.assertEqual(out, b"loading the rules anew\n")
        s = eventually("refused", lambda: "refused" in self.status()["rules"] and self.status())
        self.assertEqual((s["rules"]["rules"], s["rules"]["generation"]), (1, 1))
        self.assertIn("rule.yml", s["rules"]["refused_because"])
        out, _ = squibly("status", "--rules", "-s", self.path)
        self.assertRegex(out.decode(), r"^1 rule in force.*, generation 1, loaded .*\n!! newer rules were refused .*rule.yml")
        self.assert_stops(d)

    def test_requests(self):
        d = self.start()
        for line, begin in ((b"status\n", b'{"holds":true,"complete":true,'), (b" report \r\n", b"ok "),
                            (b"rules", b"ok "), (b"\n", b"error "), (b"STATUS\n", b"error "), (b"status x\n", b"error "),
                            (b"x" * 64, b"error "), (b"status\nreload\n", b'{"holds":true'), (b"\0\n", b"error "),
                            (b"stat\0us\n", b"error "), (b"\xff\xfe\n", b"error ")):
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(DEADLINE)
                s.connect(self.path)
                for i in range(len(line)):  # byte by byte
                    try:
                        s.send(line[i:i + 1])
                    except BrokenPipeError:
                        break
                if b"\n" not in line and len(line) < 64:
                    s.shutdown(socket.SHUT_WR)
                got = b""
                try:
                    while part := s.recv(65536):
                        got += part
                except ConnectionResetError:
                    pass  # more was sent than is read
                self.assertTrue(got.startswith(begin), (line, got[:100]))
        self.assertFalse(d.said("reload"))
        self.assert_stops(d)

    def test_many_connections_and_slow_readers_hold_up_nobody(self):
        up = self.upstream()
        d = self.start(f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{up.port}\n",
                       config=f"control:\n  path: {tempfile.mkdtemp()}/c.sock\n  timeout: 300ms\n")
        with open(d.config, encoding="utf-8") as f:
            self.path = re.search(r"path: (\S+/c.sock)", f.read()).group(1)
        idle, silent = [], 0
        try:
            for i in range(1000):
                s = socket.socket(socket.AF_UNIX)
                s.setblocking(False)
                idle.append(s)
                try:
                    s.connect(self.path)
                    if i % 2:
                        s.send(b"report\n")  # and never reads
                except BlockingIOError:
                    silent += 1  # more than wait in the kernel's queue
            d.send(b"".join(attack(i) for i in range(20)))
            d.wait_received(20)
            eventually("alerts", lambda: len(up.lines) >= 20)
            with open(f"/proc/{d.process.pid}/status", encoding="ascii") as f:
                self.assertLess(len(os.listdir(f"/proc/{d.process.pid}/fd")), 80)
            self.assertTrue(json.loads(squibly("status", "-j", "-s", self.path, "-t", "60")[0])["holds"])
        finally:
            for s in idle:
                s.close()
        self.assertTrue(self.status()["holds"])
        self.assert_stops(d, 20)

    def test_the_socket_is_ours_alone(self):
        d = self.start()
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o660)
        second = self.daemon(f"inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\ncontrol:\n  path: {self.path}\n",
                             inputs=False)
        second.wait_said("somebody listens there already")
        self.assertEqual(second.wait(), 1)
        self.assertTrue(self.status()["holds"])
        d.process.kill()
        d.process.wait()
        self.assertTrue(os.path.exists(self.path))  # what a kill leaves behind
        squibly("status", "-s", self.path, status=2)
        third = self.daemon(f"inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\ncontrol:\n  path: {self.path}\n"
                            "  mode: '0600'\n", inputs=False)
        third.port()
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)
        self.assertTrue(self.status()["holds"])
        self.assert_stops(third)
        self.assertFalse(os.path.exists(self.path))

    def test_the_runtime_folder_is_where_it_is_by_itself(self):
        folder = tempfile.mkdtemp(prefix="squiblyd-run-")
        self.path = os.path.join(folder, "control.sock")
        first = self.daemon("", env={"RUNTIME_DIRECTORY": folder})
        first.port()
        self.assertTrue(self.status()["holds"])
        second = self.daemon("", env={"RUNTIME_DIRECTORY": folder})  # where it is asked for by nobody
        second.wait_said("somebody listens there already; going on without it")
        second.port()
        self.assert_stops(second)
        self.assertTrue(self.status()["holds"])
        self.assert_stops(first)

    def test_a_daemon_that_hangs_is_told_from_one_that_is_away(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "c.sock")
            _, err = squibly("status", "-s", path, status=2)
            self.assertIn("squiblyd does not run, or listens elsewhere", err)
            self.assertIn("one that was started by hand needs control: path:", err)
            with socket.socket(socket.AF_UNIX) as s:
                s.bind(path)
                s.listen(4)
                _, err = squibly("status", "-s", path, "-t", "1", status=2)
                self.assertIn("squiblyd does not answer", err)

    def test_answers_that_are_none(self):
        for answer in (b"", b"ok 5\nabc", b"ok x\n", b"HTTP/1.1 400\r\n\r\n", b"ok 3\nabcd", b"broken 4\n!! x"):
            for args in ((), ("-j",)):
                with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as s:
                    path = os.path.join(folder, "c.sock")
                    s.bind(path)
                    s.listen(4)
                    run = subprocess.Popen([SQUIBLY, "status", "-s", path, *args], stdout=subprocess.PIPE,
                                           stderr=subprocess.PIPE)
                    c = s.accept()[0]
                    c.recv(100)
                    c.sendall(answer)
                    c.close()
                    out, err = run.communicate(timeout=DEADLINE)
                    if answer.startswith(b"broken") and not args:
                        self.assertEqual((run.returncode, out), (1, b"!! x"))
                    else:
                        self.assertEqual((run.returncode, out), (2, b""))
                        self.assertIn(b"cut off, or none of squiblyd", err)


if __name__ == "__main__":
    main()
