"""squibly scan with several threads: what comes out is that of one, byte for byte."""
import glob
import gzip
import json
import os
import re
import subprocess
import tempfile

from harness import LONG, SQUIBLY, Case, attack, main, ordinary, shared, squibly

PIECE = 256 * 1024  # cli/piece.h
SIZE = 7 * PIECE  # the first four are run by one thread
NEWLINE = b"\n"
JOBS = ("1", "2", "7") if LONG else ("1", "3")


def same_time(out):
    """Alerts without the time at which they were made, which those of events without one have too."""
    out = re.sub(rb'"@timestamp":"([^"]*)"([^\n]*?"created":")\1"', rb'"@timestamp":""\2"', out)
    return re.sub(rb'"created":"[^"]*"', b'"created":""', out)


def same_speed(err):
    return re.sub(r" in [0-9.]+ s \([0-9]+ MB/s\)", "", err)


def mixed(n, every=50):
    """`n` bytes of lines; one in `every` is an attack. Gives them and how many attacks."""
    parts, size, i = [], 0, 0
    while size < n:
        i += 1
        parts.append(attack(i) if i % every == 7 else ordinary(i))
        size += len(parts[-1])
    return b"".join(parts), sum(1 for k in range(1, i + 1) if k % every == 7)


def padded(line, size):
    """The same event in a line of `size` bytes, its end among them."""
    return line[:-2] + b',"pad":"' + b"p" * (size - len(line) - 9) + b'"}\n'


def at_edges():
    """Attacks whose lines begin and end in the bytes around the edge of each piece."""
    parts, size, n = [], 0, 0
    for k in range(1, 12):
        for off in (-1, 0, 1):
            want = k * PIECE + off - size
            if want < 4000:
                continue
            parts += [padded(ordinary(k), want - 3000), padded(attack(k), 3000), attack(100 + k)]
            size += want + len(parts[-1])
            n += 2
    return b"".join(parts), n


def indented(data):
    return b"\n".join(json.dumps(json.loads(x), indent=2).encode() for x in data.splitlines())


def inputs():
    """name: (bytes, attacks in them or None)."""
    lines, n = mixed(SIZE)
    some, few = mixed(PIECE)
    objects = [json.loads(x) for x in lines.splitlines()]
    broken = b'{"EventID":4688,"Comm\n' + b"not an event\n" + b'{"a":"\\x"}\n' + b"{\n" + b"}}\n"
    yield "lines", lines, n
    yield "no line end at the end", lines[:-1], n
    yield "CRLF", lines.replace(b"\n", b"\r\n"), n
    yield "blank lines", lines.replace(b"\n", b"\n\n \n"), n
    yield "a byte order mark", b"\xef\xbb\xbf" + lines, n
    yield "NUL", lines.replace(b"\n", b"\0"), n
    yield "edges", *at_edges()
    yield "syslog", b"".join(b"<14>1 2026-11-20T08:12:00Z ws - - - - " + x + b"\n" for x in lines.splitlines()), n
    yield "octet counting", b"".join(b"%d %s" % (len(x), x) for x in lines.splitlines()), n
    yield "octet counting with line ends", b"".join(b"%d %s\n" % (len(x) + 1, x) for x in lines.splitlines()), n
    yield "an array", json.dumps(objects).encode(), n
    yield "an array of lines", b"[\n" + b",\n".join(lines.splitlines()) + b"\n]\n", n
    yield "an indented array", json.dumps(objects, indent=1).encode(), n
    yield "indented objects", indented(lines), n
    yield "objects without separators", lines.replace(b"\n", b""), n
    yield "lines, then indented, then lines", lines + indented(some) + b"\n" + lines, 2 * n + few
    yield "lines, then an array, then lines", lines + b"[\n" + b",\n".join(some.splitlines()) + b"\n]\n" + lines, 2 * n + few
    yield "long lines", b"".join(some + padded(attack(k), k * 90_000) for k in range(1, 10)), 9 * (few + 1)
    yield "oversized lines", b"".join(some + padded(attack(k), 1_500_000) for k in range(3)) + some, 4 * few
    yield "one line without an end", some * 5 + b'{"a":"' + b"x" * 3 * SIZE, 5 * few
    yield "only line ends", b"\n" * SIZE, 0
    yield "tiny lines", some * 5 + b"a\n" * SIZE + some, 6 * few
    yield "broken", b"".join(some + broken for _ in range(12)), None
    yield "broken at the end of each line", lines.replace(b'"}\n', b'"\n'), None
    yield "every line an attack", b"".join(attack(i) for i in range(6000)), 6000


class Jobs(Case):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "events")

    def tearDown(self):
        self.folder.cleanup()

    def alike(self, *args, **more):
        """Run with each number of threads; gives the alerts and the summary."""
        first = None
        for jobs in JOBS:
            out, err = squibly("scan", "-j", jobs, *args, **more)
            got = (same_time(out), same_speed(err))
            if first is None:
                first = got
            self.assertTrue(got == first, f"-j {jobs}: {len(got[0])} bytes of {len(first[0])}; "
                                          f"{got[1][-300:]} | {first[1][-300:]}")
        return first

    def test_each_kind_of_file(self):
        for name, data, attacks in inputs():
            with self.subTest(name):
                with open(self.path, "wb") as f:
                    f.write(data)
                out, err = self.alike("-f", "json", self.path)
                # The same through a pipe, which is read in order.
                piped, told = squibly("scan", "-f", "json", "-j", "2", stdin=data)
                self.assertTrue(same_time(piped) == out)
                self.assertEqual(same_speed(told), err)
                if attacks is not None:
                    self.assertEqual(len(re.findall(rb'"level":"critical"', out)), attacks)

    def test_a_file_that_is_cut_short_or_written_over_while_it_is_read(self):
        data, _ = mixed(20 * PIECE)
        for k in range(6):
            with open(self.path, "wb") as f:
                f.write(data)
            process = subprocess.Popen([SQUIBLY, "scan", "-j", "2", "-f", "json", self.path], stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE)
            self.assertTrue(process.stdout.read(1))  # it is under way
            with open(self.path, "r+b") as f:
                if k % 2:
                    f.truncate(PIECE // 2 * (k + 1) + 77)
                else:
                    f.write(b"\xff" * (10 * PIECE))
            _, err = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 0, err)

    def test_what_is_malformed_is_told_in_order(self):
        data = b"".join(mixed(PIECE // 3)[0] + b'{"n%d":"\\x"}\nno event %d\n' % (k, k) for k in range(40))
        with open(self.path, "wb") as f:
            f.write(data)
        for form in ("json", "text"):
            _, err = self.alike("-f", form, "--malformed", self.path)
            told = re.findall(r"no event (\d+)$", err, re.M)
            self.assertEqual(told, [str(k) for k in range(40)])
            self.assertIn("80 malformed", err)

    def test_text(self):
        data, n = mixed(SIZE, every=10)
        with open(self.path, "wb") as f:
            f.write(data)
        out, _ = self.alike("-f", "text", self.path)
        self.assertEqual(out.count(b" critical "), n)

    def test_files_with_one_that_is_missing_and_one_that_is_packed(self):
        data, n = mixed(SIZE)
        packed, cut = self.path + ".gz", self.path + ".cut.gz"
        with open(self.path, "wb") as f:
            f.write(data)
        with gzip.open(packed, "wb", compresslevel=1) as f:
            f.write(data)
        with open(packed, "rb") as f, open(cut, "wb") as g:
            g.write(f.read()[:-20])
        out, err = self.alike("-f", "json", self.path, self.path + ".absent", packed, cut, self.path, status=2)
        self.assertGreaterEqual(len(re.findall(rb'"level":"critical"', out)), 3 * n)
        self.assertIn("absent: No such file", err)
        self.assertIn("cut off", err)
        self.alike("-q", "--fail-on", "critical", self.path, status=1)

    def test_a_standard_input_that_is_half_read(self):
        line = ordinary(1)
        data, n = mixed(SIZE)
        with open(self.path, "wb") as f:
            f.write(line + data)
        for jobs in JOBS:
            with open(self.path, "rb") as f:
                os.lseek(f.fileno(), len(line) + len(ordinary(1)), os.SEEK_SET)
                run = subprocess.run([SQUIBLY, "scan", "-f", "json", "-j", jobs], stdin=f, capture_output=True,
                                     timeout=600, check=True)
            self.assertIn(f"{data.count(NEWLINE) - 1} events", run.stderr.decode())
            self.assertEqual(len(re.findall(rb'"level":"critical"', run.stdout)), n)

    def test_bytes_of_another_protocol(self):
        with open(self.path, "wb") as f:
            f.write(b"POST / HTTP/1.1\n" + mixed(SIZE)[0])
        out, err = self.alike("-f", "json", self.path, status=2)
        self.assertEqual(out, b"")
        self.assertIn("HTTP", err)

    def test_the_first_alert_does_not_wait_for_the_end(self):
        run = subprocess.Popen([SQUIBLY, "scan", "-f", "json", "-q"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        run.stdin.write(attack(1))
        run.stdin.flush()
        self.assertIn(b"critical", run.stdout.readline())
        run.stdin.close()
        run.stdout.close()
        self.assertEqual(run.wait(60), 0)

    def test_an_output_that_is_gone_ends_it(self):
        with open(self.path, "wb") as f:
            f.write(b"".join(attack(i) for i in range(6000)))
        for jobs in JOBS:
            with open("/dev/full", "wb") as full:
                run = subprocess.run([SQUIBLY, "scan", "-f", "json", "-j", jobs, self.path], stdout=full,
                                     stderr=subprocess.PIPE, timeout=60, check=False)
            self.assertEqual(run.returncode, 2)

    def test_the_number_is_looked_at(self):
        for bad in ("0", "65", "x", "-1"):
            _, err = squibly("scan", "-j", bad, status=2)
            self.assertIn("--jobs", err)

    def test_real_events(self):
        for path in sorted(glob.glob(os.path.join(shared(), "corpus", "**", "*.*"), recursive=True)):
            if os.path.isfile(path) and ("json" in path or path.endswith(".gz")):
                with self.subTest(path):
                    status = subprocess.run([SQUIBLY, "scan", "-q", "-j", "1", path], capture_output=True,
                                            timeout=600, check=False).returncode
                    self.alike("-f", "json", path, status=status)


if __name__ == "__main__":
    main()
