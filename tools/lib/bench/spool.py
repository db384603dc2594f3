"""Records that wait in a spool, against writing as many bytes as often, each time until they are on the disk."""
import os
import re
import shutil
import time

from common import ROUNDS, Squiblyd, free_port, send_file, verdict

BAR_SPOOL = 0.5
BYTES = 100_000_000  # of events


def part_of(corpus, folder):
    """@return the path of the first events of the corpus, how many they are, and their bytes"""
    path, events, size = os.path.join(folder, "spool.ndjson"), 0, 0
    with open(corpus, "rb") as f, open(path, "wb") as to:
        for line in f:
            to.write(line)
            events += 1
            size += len(line)
            if size >= BYTES:
                break
    return path, events, size


def into_spool(path, events, folder):
    """Nobody takes them out again. @return seconds until the last record is on the disk, commits"""
    place = os.path.join(folder, "spool")
    shutil.rmtree(place, ignore_errors=True)
    outputs = (f"  - type: tcp\n    address: 127.0.0.1:{free_port()}\n    forward: all\n    durability: spool\n"
               f"    spool: {place}\n    spool_size: 2GiB\n")
    with Squiblyd(folder, "tcp", outputs=outputs) as server:
        began = time.time()
        send_file(server.port, path)
        server.served()  # sees that it is idle to a twentieth of a second, so the file is asked when that was
        seconds = os.stat(os.path.join(place, "data.mdb")).st_mtime - began
    server.expect(events)
    with open(server.log, encoding="utf-8") as f:
        text = f.read()
    spooled, commits = (int(re.findall(rf"^\s+{name}\s+(\d+)", text, re.M)[-1]) for name in ("spooled", "commits"))
    if spooled != events:
        raise SystemExit(f"bench: {spooled} of {events} events are in the spool")
    return seconds, commits


def bare(folder, size, groups):
    """@return seconds for `size` bytes, one behind the other, in so many pieces, each on the disk before the next"""
    piece, began = bytes(size // groups), time.monotonic()
    path = os.path.join(folder, "bare")
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for _ in range(groups):
        os.write(fd, piece)
        os.fdatasync(fd)
    os.close(fd)
    os.unlink(path)
    return time.monotonic() - began


def spool(corpus, folder):
    path, events, size = part_of(corpus, folder)
    seconds, commits = min(into_spool(path, events, folder) for _ in range(ROUNDS))
    disk = min(bare(folder, size, commits) for _ in range(ROUNDS))
    print(f"{size / 1e6:.0f} MB of records for a receiver that is away, until all are on the disk, {commits} commits, by "
          "the clock, squiblyd on one core")
    print(f"  write() and fdatasync() of as many bytes as often   {size / disk / 1e6:6.0f} MB/s   {disk:.2f} s")
    print(f"  squiblyd, forward: all, durability: spool           {size / seconds / 1e6:6.0f} MB/s   {seconds:.2f} s")
    print(f"  ratio {disk / seconds:.2f} (bar {BAR_SPOOL}: {verdict(disk / seconds >= BAR_SPOOL)})\n")
