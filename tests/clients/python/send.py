"""Send lines of JSON by pylogbeat, which waits for the ACK of each window.

send.py HOST PORT FILE WINDOW [CA CERT KEY]
"""
import json
import sys

from pylogbeat import PyLogBeatClient

host, port, path, window, *tls = sys.argv[1:]
with open(path, encoding="utf-8") as f:
    lines = f.read().splitlines()
named = {}
if tls:
    named = {"ssl_enable": True, "ca_certs": tls[0], "certfile": tls[1], "keyfile": tls[2]}
windows = 0
with PyLogBeatClient(host, int(port), timeout=60, **named) as client:
    for i in range(0, len(lines), int(window)):
        client.send([json.loads(line) for line in lines[i:i + int(window)]])
        windows += 1
print(json.dumps({"events": len(lines), "windows": windows}))
