"""Real power cuts: a file system on a loop device is cut off, mounted again and looked at.

`FS_IOC_SHUTDOWN` ends a mounted ext4 or xfs at once. With `nologflush` the log in memory is gone too, with
`logflush` it reaches the disk and the data that was not written does not.
"""

import fcntl
import os
import shutil
import struct
import subprocess
import time

from . import faults, trace, tree
from .scenario import argv

SHUTDOWN = 0x8004587D
HOW = {"nologflush": 2, "logflush": 1}

# Neither kernel thread nor heuristic may do what the program has left undone.
SYSTEMS = {
    "ext4": {"size": 16, "mkfs": ["mkfs.ext4", "-q", "-F"], "mount": "commit=1000,noauto_da_alloc"},
    "xfs": {"size": 320, "mkfs": ["mkfs.xfs", "-q", "-f"], "mount": "nouuid"},
}


def cuts(judge, options):
    if os.geteuid() != 0:
        print("realcut needs root: left out")
        return
    scenario, work, found = judge.scenario, judge.work, judge.found
    calls = [
        call for call in faults.traced(scenario, work, scenario.start, scenario.command)[1] if call.mutates
    ]
    for name, system in SYSTEMS.items():
        if shutil.which(system["mkfs"][0]) is None:
            print(f"{system['mkfs'][0]} is missing: {name} left out")
            continue
        image = _image(scenario, work, name)
        some = calls[:: 12 if options.quick else 1]
        jobs = [(name, image, how, call) for call in [*some, None] for how in HOW]
        jobs = [job for job in jobs if faults.matches(options.only, _label(*job))]
        faults.each(lambda job: _cut(judge, *job), jobs, found, options.jobs)
        os.unlink(image)


def _label(name, _, how, call):
    return f"{name}, {how}, cut at {faults.label(call)}" if call else f"{name}, {how}, cut after the end"


def _image(scenario, work, name):
    """Makes a file system with the template in it, cleanly unmounted."""
    system, image, mount = SYSTEMS[name], work.name(), work.name()
    with open(image, "wb") as file:
        file.truncate(system["size"] << 20)
    _do(*system["mkfs"], image)
    os.mkdir(mount)
    _do("mount", "-o", "loop," + system["mount"], image, mount)
    try:
        tree.write(scenario.start, os.path.join(mount, "box"))
    finally:
        _unmount(mount)
        os.rmdir(mount)
    return image


def _cut(judge, name, image, how, call):
    scenario, work, found = judge.scenario, judge.work, judge.found
    where = _label(name, image, how, call)
    own, mount, log = work.name(), work.name(), work.name()
    _do("cp", "--sparse=always", image, own)
    os.mkdir(mount)
    box = os.path.join(mount, "box")
    # A device of its own: one that `mount` makes goes away with the first unmount, some time after it.
    device = _do("losetup", "--find", "--show", own).strip()
    try:
        _do("mount", "-o", SYSTEMS[name]["mount"], device, mount)
        front = trace.inject(call, f"signal=KILL:when={call.nth}", log) if call else []
        ended = trace.run(front + argv(scenario.command, box), box)
        if ended.code != (-9 if call else 0):
            judge.bad(where, "missed", f"exit {ended.code}: {ended.err[-200:]}")
        top = os.open(mount, os.O_RDONLY)
        try:
            fcntl.ioctl(top, SHUTDOWN, struct.pack("I", HOW[how]))
        finally:
            os.close(top)
        _unmount(mount)
        _do("mount", "-o", SYSTEMS[name]["mount"], device, mount)
        found.count("power cut, real")
        standing = judge.look(box, where)
        if call is None and set(standing.values()) != {"new"}:
            judge.bad(where, "durable", f"exit 0 came before the cut, and the files are {standing}")
        # A copy, as recovery would otherwise be one more thing in this file system for each state.
        with work.box(tree.read(box)) as copy:
            judge.settle(copy, where)
    finally:
        _unmount(mount)
        _do("losetup", "--detach", device)
        os.rmdir(mount)
        for path in (own, log):
            if os.path.exists(path):
                os.unlink(path)


def _do(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def _unmount(mount):
    """Another thread's child may still hold a descriptor between its fork and its exec."""
    for _ in range(100):
        # Not `ismount`: of a file system that was cut off it cannot tell.
        done = subprocess.run(["umount", mount], capture_output=True, text=True, check=False)
        if done.returncode == 0 or "not mounted" in done.stderr:
            return
        time.sleep(0.02)
    raise RuntimeError(f"{mount} cannot be unmounted")
