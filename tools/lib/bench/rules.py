"""What ten and fifty times the shipped rules cost: copies of them with other literals, made here."""
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import time
import uuid

from common import BUILD, ROUNDS, Squiblyd, rss_of, stop, timed, verdict, wait_port

BAR_RULES, TIMES = 0.6, (1, 10, 50)
AGAIN = 4  # times more that the corpus is read by the longer of two runs, whose difference is what counts
PACK = "patterns"
# How often letters begin and go on in names of programs, files and switches: a literal of rare
# letters would be found by chance less often than one that people write.
LETTERS = "eeeeeeeeeaaaaaaaiiiiiiirrrrrrrssssssttttttnnnnnnooooolllllccccdddmmmppuuuggbbhhffwwyvvkxjqz"
# What is no text of an attacker's but one of a few values that we or Windows know: another word could never be.
KEPT = re.compile(r"EventID|Channel|Initiated|Direction|Status|AccessMask|GrantedAccess|Properties|\w+Sid"
                  r"|.*\|(cidr|exists|[lg]te?)|squibly\.(.*_place|.*_class|argument_count|moved|renamed|trick|launch\.carries"
                  r"|regsvr32\.(switch|lawful|scrobj|shape|weak_shape))")
LINE = re.compile(r"( +(?:- )?)([A-Za-z][\w.]*(?:\|\w+)*):( .*|)")
WORD = r"[A-Za-z]{4,}"
PIECE = re.compile(rf"(?:true|false|null)\b|{WORD}")
PIECE_OF_RE = re.compile(rf"\\.|\[(?:\\.|[^]\\])+]|{WORD}")


class Words:
    """Other words: for each word and number always the same one, as long, that is not in the corpus."""

    def __init__(self, corpus):
        with open(corpus, "rb") as f:
            self.known = b"\n".join(set(re.findall(rb"[a-z]{4,}", f.read().lower()))).decode()
        self.made = {}

    def other(self, word, number):
        key = word.lower(), number
        if key not in self.made:
            source = random.Random(f"{key[0]} {number}")
            made = ""
            while not made or made in self.known:
                made = "".join(source.choice(LETTERS) for _ in word)
            self.made[key] = made
        return "".join(c.upper() if old.isupper() else c for c, old in zip(self.made[key], word))


def other_text(text, field, words, number):
    """A value, or several, with another word for each of 4 letters or more; what a regex means by letters stays."""

    def change(found):
        piece = found.group()
        return words.other(piece, number) if piece.isalpha() and piece not in ("true", "false", "null") else piece

    return (PIECE_OF_RE if "|re" in field else PIECE).sub(change, text)


def copy_of(rule, words, number, narrowed):
    """A rule with another id and other literals. With `narrowed` it asks for a program of its own besides."""
    lines, field, inside = [], None, False
    for line in rule.splitlines():
        found = LINE.fullmatch(line)
        if line.startswith("id: "):
            line = f"id: {uuid.uuid5(uuid.UUID(line[4:].strip()), str(number))}"
        elif line.startswith("title: "):
            line = f"title: 'Copy {number} of a rule'"
        elif line and line[0] != " ":
            inside = line.startswith("detection:")
        elif inside and line.startswith("    condition: "):
            if narrowed:
                line = (f"    own:\n        squibly.image_name: {words.other('program', number)}.exe\n"
                        f"    condition: own and ({line.split(': ', 1)[1]})")
        elif inside and found:
            begin, field, value = found.groups()
            if not KEPT.fullmatch(field):
                line = f"{begin}{field}:{other_text(value, field, words, number)}"
        elif inside and field and not KEPT.fullmatch(field):
            line = other_text(line, field, words, number)
        lines.append(line)
    return "\n".join(lines) + "\n"


def shipped():
    """@return the text of each shipped rule by its id"""
    rules = {}
    for folder, _, names in sorted(os.walk(PACK)):
        for name in sorted(n for n in names if n.endswith(".yml")):
            with open(os.path.join(folder, name), encoding="utf-8") as f:
                text = f.read()
            rules[re.search(r"^id: (\S+)", text, re.M).group(1)] = text
    return rules


def write_copies(folder, rules, numbers, words, narrowed):
    os.makedirs(folder, exist_ok=True)
    for number in numbers:
        with open(os.path.join(folder, f"copy-{number:02}.yml"), "w", encoding="utf-8") as f:
            f.write("---\n".join(copy_of(text, words, number, name in narrowed) for name, text in rules.items()))


def rule_sets(corpus, once, folder, env):
    """Folders of rules: the shipped ones, and with them copies, to 10 and 50 times as many.

    What is measured is looking, not telling. Some rules ask only for what cannot be another word (a
    derived `true`), or leave out what they now no longer recognise; their copies would tell of the
    same events over and over. Those are found by a first copy, and narrowed to one more program.
    """
    rules, words = shipped(), Words(once)
    trial = os.path.join(folder, "rules-trial")
    write_copies(trial, rules, [1], words, ())
    ids = {str(uuid.uuid5(uuid.UUID(name), "1")): name for name in rules}
    found = subprocess.run([f"{BUILD}/squibly", "scan", "-q", "--rules", trial, "--format", "json", corpus], env=env,
                           stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout
    narrowed = {ids[json.loads(alert)["rule"]["id"]] for alert in found.splitlines()}
    sets = {}
    for times in TIMES:
        sets[times] = os.path.join(folder, f"rules-{times}")
        shutil.copytree(PACK, os.path.join(sets[times], "shipped"))
        write_copies(os.path.join(sets[times], "copies"), rules, range(1, times), words, narrowed)
    return sets, len(rules), len(narrowed)


def scan_files(path, files, env):
    """@return (CPU seconds, events, alerts)"""
    used, run = timed([f"{BUILD}/squibly", "scan", "--rules", path, "--format", "json", *files], env=env)
    count = re.search(rb"(\d+) events, (\d+) alerts|(\d+) events", run.stderr)
    return used, int(count.group(1) or count.group(3)), int(count.group(2) or 0)


def start(path, folder):
    """A squiblyd with these rules. @return (seconds until it listens, MiB at most and then)"""
    began = time.monotonic()
    server = Squiblyd(folder, "tcp", rules=f"rules:\n  paths: [{path}]\n")
    try:
        wait_port(server.port, server.process)
        return time.monotonic() - began, rss_of(server.process.pid), rss_of(server.process.pid, "VmRSS")
    finally:
        stop(server.process)


def rules(corpus, folder):
    env = dict(os.environ, XDG_CACHE_HOME=os.path.join(folder, "cache"))
    once = os.path.join(folder, "once.ndjson")
    with open(corpus, "rb") as f, open(once, "wb") as part:
        part.write(f.read(50_000_000))  # more than one copy of the corpus
    sets, n_rules, n_narrowed = rule_sets(once, once, folder, env)
    speed = {}
    print(f"{n_rules} shipped rules, and with copies that have other literals ({n_narrowed} of {n_rules} also another "
          "program), events per CPU second on one core, loading apart")
    for times, path in sets.items():
        shutil.rmtree(os.path.join(folder, "cache"), ignore_errors=True)
        cold, most, after = start(path, folder)
        warm, _, _ = min(start(path, folder) for _ in range(ROUNDS))
        scan_files(path, [once], env)  # compiled, in case the tool compiles other databases
        more = []
        for _ in range(ROUNDS):  # loading, which may take longer than the corpus, is in both and goes out
            used, events, alerts = scan_files(path, [corpus], env)
            more.append(scan_files(path, [corpus] * (AGAIN + 1), env)[0] - used)
        speed[times] = AGAIN * events / statistics.median(more)
        print(f"  {times:2} times {speed[times]:10.0f}   {alerts} alerts; squiblyd listens after {cold:.2f} s, with "
              f"cached databases {warm:.2f} s; {most:.0f} MiB at most, {after:.0f} MiB then")
    ratio = speed[TIMES[-1]] / speed[1]
    print(f"  ratio of {TIMES[-1]} times to once {ratio:.2f} (bar {BAR_RULES}: {verdict(ratio >= BAR_RULES)})\n")
