"""A stand-in for whatever receives alerts: listens on a free port of 127.0.0.1 and prints each alert
as a line that a person reads at a glance.

upstream.py PORTFILE SAVEFILE   writes its port number into PORTFILE, every line into SAVEFILE
"""
import json
import os
import socketserver
import sys

COLOURS = {"critical": "1;37;41", "high": "31", "medium": "33", "low": "36"}
TITLE = 58  # columns
colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def get(alert, *path):
    for name in path:
        alert = alert.get(name, {}) if isinstance(alert, dict) else {}
    return alert if isinstance(alert, str) else ""


def short(text, width):
    return text if len(text) <= width else text[:width - 3] + "..."


def show(alert):
    level = get(alert, "rule", "level")
    painted = f"{level:<9}"
    if colours and level in COLOURS:
        painted = f"\033[{COLOURS[level]}m{level}\033[0m" + " " * (9 - len(level))
    time = get(alert, "@timestamp")[11:19]
    host = get(alert, "host", "name").split(".")[0]
    what = get(alert, "process", "command_line") or get(alert, "process", "executable")
    what = "".join(c if c.isprintable() else "?" for c in what)
    print(f"  {time}  {painted} {host:<8} {short(get(alert, 'rule', 'name'), TITLE):<{TITLE}}  {what}", flush=True)


class Receiver(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            with open(sys.argv[2], "ab") as save:
                save.write(line)
            show(json.loads(line))


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


with Server(("127.0.0.1", 0), Receiver) as server:
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as f:
        f.write(str(server.server_address[1]))
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    server.serve_forever()
