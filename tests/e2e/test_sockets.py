"""Unix sockets, sockets that systemd passes, and PROXY headers, on squiblyd as it runs."""
import os
import re
import shutil
import signal
import socket
import stat
import sys
import tempfile
import unittest

from harness import Case, attack, eventually, main, ordinary, squibly

# Runs a program as systemd does: argv is descriptors, their names, the program and its arguments.
ACTIVATE = """
import fcntl, os, sys
high = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 100) for fd in sys.argv[1].split(",")]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i)
    os.close(fd)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(high)))
if sys.argv[2]:
    os.environ["LISTEN_FDNAMES"] = sys.argv[2]
os.execv(sys.argv[3], sys.argv[3:])
"""
V2 = b"\r\n\r\n\0\r\nQUIT\n"


class Sockets(Case):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = holder.name

    def at(self, name):
        return os.path.join(self.folder, name)

    def input(self, *lines):
        return "inputs:\n  - " + "\n    ".join(lines) + "\n"

    def local(self, kind="tcp", name="events.sock", *more, **named):
        d = self.daemon(self.input(f"type: {kind}", f"listen: unix:{self.at(name)}", *more), inputs=False, **named)
        d.wait_said(f"listening on {kind} unix:{re.escape(self.at(name))}")
        return d

    def is_socket(self, name):
        return os.path.exists(self.at(name)) and stat.S_ISSOCK(os.lstat(self.at(name)).st_mode)


class Unix(Sockets):
    def test_streams_are_taken_and_their_sender_is_named(self):
        up = self.upstream()
        d = self.local(upstream=up)
        self.assertEqual(stat.S_IMODE(os.lstat(self.at("events.sock")).st_mode), 0o660)
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.at("events.sock"))
            s.sendall(attack(1) + ordinary(2))
        eventually("one alert", lambda: up.lines)
        self.assertEqual(up.alerts()[0]["squibly"]["peer"], f"unix uid {os.getuid()} pid {os.getpid()}")
        self.assert_stops(d, 2)
        self.assertFalse(os.path.exists(self.at("events.sock")))

    def test_datagrams_are_taken_and_their_sender_is_named(self):
        up = self.upstream()
        d = self.local("udp", "log.sock", 'socket_mode: "0666"', upstream=up)
        self.assertEqual(stat.S_IMODE(os.lstat(self.at("log.sock")).st_mode), 0o666)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.connect(self.at("log.sock"))
            for n in range(500):  # more than the kernel keeps: we have to wait, and nothing is lost
                s.send(b"<13>Jan  1 00:00:00 ws-1 tag: " + (attack(n) if n == 7 else ordinary(n)))
        eventually("one alert", lambda: up.lines)
        self.assertEqual(up.alerts()[0]["squibly"]["peer"], f"unix uid {os.getuid()} pid {os.getpid()}")
        d.wait_received(500)
        self.assert_stops(d, 500)
        self.assertFalse(os.path.exists(self.at("log.sock")))

    def test_an_abstract_name_is_a_place_too(self):
        name = f"unix:@squibly-e2e-{os.getpid()}"
        d = self.daemon(self.input("type: tcp", f"listen: {name}"), inputs=False)
        d.wait_said(f"listening on tcp {name}")
        squibly("send", name, stdin=ordinary(1))
        d.wait_received(1)
        self.assert_stops(d, 1)

    def test_what_kill_left_behind_is_replaced(self):
        d = self.local()
        d.process.send_signal(signal.SIGKILL)
        d.wait()
        self.assertTrue(self.is_socket("events.sock"))
        again = self.local()
        squibly("send", "unix:" + self.at("events.sock"), stdin=ordinary(1))
        again.wait_received(1)
        self.assert_stops(again, 1)

    def test_a_second_daemon_does_not_take_the_socket_away(self):
        d = self.local()
        other = self.daemon(self.input("type: tcp", f"listen: unix:{self.at('events.sock')}"), inputs=False)
        self.assertEqual(other.wait(), 1)
        self.assertIn("somebody listens there already", "\n".join(other.err))
        squibly("send", "unix:" + self.at("events.sock"), stdin=ordinary(1))
        d.wait_received(1)
        self.assert_stops(d, 1)

    def test_a_folder_that_is_not_there_is_named(self):
        d = self.daemon(self.input("type: udp", f"listen: unix:{self.at('none/x.sock')}"), inputs=False)
        self.assertEqual(d.wait(), 1)
        self.assertIn(f"the folder {self.at('none')} does not exist", "\n".join(d.err))


class Passed(Sockets):
    """As systemd passes them; by a few lines of Python where systemd-socket-activate(1) cannot."""

    def listening(self, kind, address=None):
        s = socket.socket(socket.AF_UNIX if address else socket.AF_INET, kind)
        s.bind(address or ("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            s.listen()
        self.addCleanup(s.close)
        return s

    def activated(self, config, sockets, names=()):
        fds = [s.fileno() for s in sockets]
        return self.daemon(config, inputs=False, pass_fds=fds,
                           wrap=(sys.executable, "-c", ACTIVATE, ",".join(map(str, fds)), ":".join(names)))

    def test_each_listener_finds_its_own(self):
        tcp, udp = self.listening(socket.SOCK_STREAM), self.listening(socket.SOCK_DGRAM)
        stream = self.listening(socket.SOCK_STREAM, self.at("s.sock"))
        datagram = self.listening(socket.SOCK_DGRAM, self.at("d.sock"))
        port = udp.getsockname()[1]
        config = ("inputs:\n"
                  "  - {type: tcp, listen: '127.0.0.1:1', socket: events}\n"      # by name, whatever its address
                  f"  - {{type: udp, listen: '127.0.0.1:{port}'}}\n"              # by address
                  f"  - {{type: tcp, listen: 'unix:{self.at('s.sock')}'}}\n"      # by path
                  "  - {type: udp, listen: 'unix:@nobody', socket: events}\n")    # one name, another type
        d = self.activated(config, [tcp, udp, stream, datagram], ["events", "x", "x", "events"])
        d.wait_said("listening on ")
        with socket.create_connection(tcp.getsockname()) as s:
            s.sendall(ordinary(1))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(ordinary(2), udp.getsockname())
        squibly("send", "unix:" + self.at("s.sock"), stdin=ordinary(3))
        squibly("send", "--udp", "unix:" + self.at("d.sock"), stdin=ordinary(4))
        d.wait_received(4)
        self.assert_stops(d, 4)
        # Who made them removes them.
        self.assertTrue(self.is_socket("s.sock") and self.is_socket("d.sock"))

    def test_a_socket_that_fits_nothing_is_told_of(self):
        d = self.activated(self.input("type: tcp", "listen: 127.0.0.1:0"),
                           [self.listening(socket.SOCK_STREAM), self.listening(socket.SOCK_STREAM, self.at("s"))])
        d.wait_said("2 sockets that systemd passed fit no input; ignoring")
        d.port("tcp")
        self.assert_stops(d, 0)

    def test_a_name_that_was_not_passed_ends_the_start(self):
        d = self.activated(self.input("type: tcp", "listen: 127.0.0.1:0", "socket: events"),
                           [self.listening(socket.SOCK_STREAM)], ["other"])
        self.assertEqual(d.wait(), 1)
        self.assertIn('input tcp: systemd passed no socket named "events"', "\n".join(d.err))

    def test_a_name_of_another_type_ends_the_start(self):
        d = self.activated(self.input("type: udp", "listen: 127.0.0.1:0", "socket: events"),
                           [self.listening(socket.SOCK_STREAM)], ["events"])
        self.assertEqual(d.wait(), 1)
        self.assertIn('the socket "events" that systemd passed is none of datagrams', "\n".join(d.err))

    def activate(self, *args):
        program = shutil.which("systemd-socket-activate")
        if not program:
            raise unittest.SkipTest("there is no systemd-socket-activate on this machine")
        # It listens at once, and runs the program with the first who comes.
        return (program, "-E", "XDG_CACHE_HOME", "-E", "ASAN_OPTIONS", *args)

    def test_systemd_passes_streams_by_name(self):
        d = self.daemon(self.input("type: tcp", "listen: 127.0.0.1:1", "socket: events"), inputs=False,
                        wrap=self.activate("--fdname=events", "-l", self.at("s.sock")))
        eventually("the socket", lambda: self.is_socket("s.sock"))
        squibly("send", "unix:" + self.at("s.sock"), stdin=ordinary(1))
        d.wait_said("listening on tcp unix:")
        d.wait_received(1)
        self.assert_stops(d, 1)
        self.assertTrue(self.is_socket("s.sock"))

    def test_systemd_passes_datagrams_by_path(self):
        d = self.daemon(self.input("type: udp", f"listen: unix:{self.at('d.sock')}"), inputs=False,
                        wrap=self.activate("-d", "-l", self.at("d.sock")))
        eventually("the socket", lambda: self.is_socket("d.sock"))
        squibly("send", "--udp", "unix:" + self.at("d.sock"), stdin=ordinary(1) + ordinary(2))
        d.wait_said("listening on udp unix:")
        d.wait_received(2)
        self.assert_stops(d, 2)
        self.assertTrue(self.is_socket("d.sock"))


class Proxy(Sockets):
    def alert_of(self, d, up, address, data):
        n = len(up.lines)
        with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as s:
            s.connect(address)
            s.sendall(data)
        eventually("an alert", lambda: len(up.lines) > n)
        return up.alerts()[n]["squibly"]

    def test_the_client_is_who_the_proxy_says(self):
        up = self.upstream()
        d = self.daemon(self.input("type: tcp", "listen: 127.0.0.1:0", "proxy_from: [127.0.0.0/8]"), inputs=False,
                        upstream=up)
        to = ("127.0.0.1", d.port())
        v2 = V2 + b"\x21\x11\0\x0f" + bytes([192, 0, 2, 9, 198, 51, 100, 1]) + b"\xc8\x22\x13\xb4" + b"\x04\0\0"
        one = self.alert_of(d, up, to, b"PROXY TCP6 2001:db8::7 2001:db8::1 51234 5170\r\n" + attack(1))
        self.assertEqual(one["peer"], "[2001:db8::7]:51234")
        self.assertRegex(one["proxy"], r"^127\.0\.0\.1:\d+$")
        two = self.alert_of(d, up, to, v2 + attack(2))
        self.assertEqual(two["peer"], "192.0.2.9:51234")
        # A health check of the proxy's own, and a client that it does not know.
        local = self.alert_of(d, up, to, V2 + b"\x20\0\0\0" + attack(3))
        self.assertRegex(local["peer"], r"^127\.0\.0\.1:\d+$")
        unknown = self.alert_of(d, up, to, b"PROXY UNKNOWN\r\n" + attack(4))
        self.assertRegex(unknown["peer"], r"^127\.0\.0\.1:\d+$")
        self.assert_stops(d, 4)

    def test_a_listed_address_must_begin_with_a_header(self):
        d = self.local("tcp", "s.sock", "proxy_from: [unix]")
        squibly("send", "unix:" + self.at("s.sock"), stdin=attack(1), status=1)
        d.wait_said("does not begin with a PROXY header")
        self.assert_stops(d, 0)

    def test_through_a_unix_socket(self):
        up = self.upstream()
        d = self.local("tcp", "s.sock", "proxy_from: [unix]", upstream=up)
        one = self.alert_of(d, up, self.at("s.sock"), b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n" + attack(1))
        self.assertEqual(one["peer"], "192.0.2.7:1")
        self.assert_stops(d, 1)

    def test_others_are_not_believed(self):
        d = self.daemon(self.input("type: tcp", "listen: 127.0.0.1:0", "proxy_from: [192.0.2.0/24, unix]"), inputs=False)
        with socket.create_connection(("127.0.0.1", d.port())) as s:
            s.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n" + attack(1))
            self.assertEqual(s.recv(1), b"")
        d.wait_said(r"127\.0\.0\.1:\d+ sends a PROXY header, but its address is not in proxy_from; closing")
        squibly("send", f"127.0.0.1:{d.port()}", stdin=ordinary(1))
        d.wait_received(1)
        self.assert_stops(d, 1)


if __name__ == "__main__":
    main()
