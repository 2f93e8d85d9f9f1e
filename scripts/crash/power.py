"""Modelled power cuts: what a weak file system may have kept of the calls of a run.

Data and attributes of a file last once the file is synced, names once their folder is synced. Anything else
may be lost or kept, in any order; of a write half or zeros may be left. The states are made from the log of one
run, put on disk and recovered.
"""

import itertools
import os
import random
import re
from typing import NamedTuple

from . import faults, trace, tree
from .scenario import argv

# So many volatile operations are tried in every combination; of more a sample is, with a fixed seed.
EVERY = 6
SAMPLE = 40
# Above the numbers of the inodes that a box starts with.
FRESH = 1_000_000


class Op(NamedTuple):
    """One effect: on the bytes or attributes of an inode, or on names in folders."""

    kind: str  # data, attributes, names or sync
    on: frozenset  # the inodes that have to be synced for it to last
    apply: object  # changes a Disk
    halves: object = None  # for data: what a torn write leaves
    zeros: object = None
    born: tuple = ()  # the number and the entry of an inode that is there even if its name is lost


class Disk:
    """Inodes by number, and for each folder its names."""

    def __init__(self, start):
        self.nodes, self.names, number = {}, {}, {}
        for path, entry in sorted(start.items()):
            number[path] = number.get(entry.twin) if entry.twin else None
            if number[path] is None:
                number[path] = len(self.nodes)
                self.nodes[number[path]] = entry._replace(twin="")
            if path != ".":
                self.names[(number[os.path.dirname(path) or "."], os.path.basename(path))] = number[path]
        self.top = number["."]

    def find(self, path):
        node = self.top
        for name in path.split("/") if path != "." else []:
            node = self.names.get((node, name))
        return node

    def slot(self, path):
        return self.find(os.path.dirname(path) or "."), os.path.basename(path)

    def tree(self):
        """What a look at the disk finds."""
        found, first = {".": self.nodes[self.top]}, {}
        pending = [(self.top, "")]
        while pending:
            folder, at = pending.pop()
            for (parent, name), node in sorted(self.names.items()):
                if parent == folder:
                    path = at + name
                    twin = first.setdefault(node, path)
                    found[path] = self.nodes[node]._replace(twin="" if twin == path else twin)
                    if found[path].kind == "dir":
                        pending.append((node, path + "/"))
        return found


def cuts(judge, options):
    scenario, work, found = judge.scenario, judge.work, judge.found
    ended, calls = faults.traced(scenario, work, scenario.start, scenario.command)
    disk = Disk(scenario.start)
    ops = list(_operations(disk, calls))
    end = disk.tree()
    with work.box(scenario.start) as box:
        trace.run(argv(scenario.command, box), box)
        real = tree.read(box)
    if tree.digest(end) != tree.digest(real):
        differ = [path for path in {**end, **real} if end.get(path) != real.get(path)]
        judge.bad(
            "the model", "missed", f"the model and the disk differ in {differ[:4]}; its states prove nothing"
        )
        return
    states, seen = [], set()
    for where, last, state in _states(scenario.start, ops):
        key = tree.digest(state), last
        if key not in seen:
            seen.add(key)
            states.append((where, last, state))
    if options.quick and len(states) > 120:
        # More of the end, where promises about durability are broken.
        states = states[:: len(states) // 80] + [s for s in states if s[1]][:40]
    states = [state for state in states if options.only in state[0]]

    def one(job):
        where, last, state = job
        with work.box(state) as box:
            found.count("power cut, modelled")
            standing = judge.look(box, where)
            if last and ended.code == 0 and set(standing.values()) != {"new"}:
                judge.bad(
                    where, "durable", f"exit 0 came before the cut, and the files are {set(standing.values())}"
                )
            judge.settle(box, where)

    faults.each(one, states, found, options.jobs)


def after_a_kill(judge, options):
    """A run is killed right before a sync, the next one continues, and the power fails: what the first one did is there
    for the second one, and need not last."""
    scenario, work, found = judge.scenario, judge.work, judge.found
    calls = faults.traced(scenario, work, scenario.start, scenario.command)[1]
    for index, call in enumerate(calls):
        killed = f"killed at {faults.label(call)}, "
        if call.name not in trace.SYNCING or found.enough() or not faults.matches(options.only, killed):
            continue
        with work.box(scenario.start) as box:
            log = os.path.join(work.path, os.path.basename(box) + ".log")
            trace.run(trace.inject(call, f"signal=KILL:when={call.nth}", log) + argv(scenario.command, box), box)
            os.unlink(log)
            left = tree.read(box)
        disk = Disk(scenario.start)
        ops = list(_operations(disk, calls[:index]))
        if tree.digest(disk.tree()) != tree.digest(left):
            judge.bad(killed, "missed", "the model and the disk differ; its states prove nothing")
            continue
        begun = len(ops)
        ended, more = faults.traced(scenario, work, left, scenario.again)
        ops += _operations(disk, more, 2 * FRESH)
        states, seen = [], set()
        for where, last, state in _without_what_is_lost(scenario.start, ops, begun, options.quick):
            key = tree.digest(state), last
            if key not in seen:
                seen.add(key)
                states.append((killed + where, last and ended.code == 0, state))
        if options.quick:
            states = states[:: max(1, len(states) // 4)]
        states = [state for state in states if faults.matches(options.only, state[0])]

        def one(job):
            where, must_last, state = job
            with work.box(state) as box:
                found.count("power cut after a kill, modelled")
                standing = judge.look(box, where)
                if must_last and set(standing.values()) != {"new"}:
                    judge.bad(where, "durable", f"exit 0 came before the cut, and the files are {set(standing.values())}")
                judge.settle(box, where)

        faults.each(one, states, found, options.jobs)


def _without_what_is_lost(start, ops, begun, is_quick):
    """The states of a cut during the second run, in which all that it did is kept: description, whether it had ended, tree."""
    for count in range(begun, len(ops) + 1):
        volatile = [index for index in _volatile(ops[:count]) if index < begun]
        alone = [] if is_quick else [{index} for index in volatile]
        for lost in [set(volatile), *alone]:
            disk = Disk(start)
            disk.nodes.update(op.born for op in ops[:count] if op.born)
            for index, op in enumerate(ops[:count]):
                if index not in lost and op.kind != "sync":
                    op.apply(disk)
            numbers = ", ".join(str(index + 1) for index in sorted(lost))
            where = f"cut after {count - begun} more of {len(ops) - begun} operations, lost {numbers or 'nothing'}"
            yield where, count == len(ops), disk.tree()


def _states(start, ops):
    """The states that a cut after each operation may leave: description, whether it was the last, tree."""
    chance = random.Random(1)
    for count in range(len(ops) + 1):
        volatile = _volatile(ops[:count])
        for what, lost, torn in _losses(ops, volatile, chance):
            disk = Disk(start)
            disk.nodes.update(op.born for op in ops[:count] if op.born)
            for index, op in enumerate(ops[:count]):
                if index in torn:
                    torn[index](disk)
                elif index not in lost and op.kind != "sync":
                    op.apply(disk)
            yield f"cut after {count} of {len(ops)} operations, {what}", count == len(ops), disk.tree()


def _volatile(done):
    """The operations that nothing has made lasting yet."""
    volatile = []
    for index, op in enumerate(done):
        if op.kind != "sync":
            later = [sync for sync in done[index + 1 :] if sync.kind == "sync"]
            synced = frozenset().union(*(sync.on for sync in later))
            if not op.on <= synced:
                volatile.append(index)
    return volatile


def _losses(ops, volatile, chance):
    """Which operations are lost, and which are torn."""
    every = set(volatile)
    yield "nothing lost", set(), {}
    yield "all lost", every, {}
    for kind in ("data", "attributes", "names"):
        yield f"{kind} lost", {i for i in every if ops[i].kind == kind}, {}
    for index in volatile:
        yield f"operation {index + 1} alone lost", {index}, {}
        yield f"operation {index + 1} alone kept", every - {index}, {}
        yield f"kept up to operation {index + 1}", {i for i in every if i > index}, {}
        if ops[index].halves:
            yield f"operation {index + 1} torn", set(), {index: ops[index].halves}
            yield f"operation {index + 1} zeros", set(), {index: ops[index].zeros}
    if len(volatile) <= EVERY:
        for size in range(2, len(volatile)):
            for lost in itertools.combinations(volatile, size):
                yield f"operations {[i + 1 for i in lost]} lost", set(lost), {}
    else:
        for _ in range(SAMPLE):
            lost = {i for i in volatile if chance.random() < 0.5}
            yield f"operations {sorted(i + 1 for i in lost)} lost", lost, {}


def _operations(disk, calls, first=FRESH):
    """Turns calls into operations, and applies each to a disk so that the next call finds its files; new ones have numbers from
    `first` on."""
    offsets, fresh = {}, itertools.count(first)
    for call in calls:
        for op in _effects(disk, call, offsets, fresh):
            op.apply(disk)
            yield op


def _effects(disk, call, offsets, fresh):
    name, args, paths = call.name, call.args, call.paths
    if call.result < 0 or name == "flock" or any(path.startswith("../") for path in paths):
        return
    node = disk.find(paths[-1])
    if name in trace.OPENING:
        offsets[call.result] = 0
        if node is None:
            mode = int(re.findall(r"\b0[0-7]{3,4}\b", " ".join(args))[-1], 8) & ~0o022
            yield _create(
                disk, paths[-1], tree.Entry("file", mode, os.geteuid(), os.getegid(), (), b"", ""), next(fresh)
            )
        elif "O_TRUNC" in " ".join(args):
            yield _bytes(node, lambda old: b"")
    elif name in ("write", "pwrite64") and node is not None:
        fd, data = int(re.match(r"\d+", args[0]).group()), trace.unhex(args[1].strip('"'))[: call.result]
        at = int(args[3]) if name == "pwrite64" else offsets.get(fd, 0)
        if name == "write":
            offsets[fd] = at + len(data)
        put = lambda part: lambda old: old[:at].ljust(at, b"\0") + part + old[at + len(part) :]
        torn = _bytes(node, put(data[: len(data) // 2])).apply, _bytes(node, put(bytes(len(data)))).apply
        yield _bytes(node, put(data))._replace(halves=torn[0], zeros=torn[1])
    elif name in ("ftruncate", "truncate"):
        size = int(args[1])
        yield _bytes(node, lambda old: old[:size].ljust(size, b"\0"))
    elif name in ("fchmod", "chmod", "fchmodat"):
        mode = int(args[2 if name == "fchmodat" else 1], 8)
        yield _attribute(node, lambda entry: entry._replace(mode=mode))
    elif name in ("fchown", "chown", "lchown", "fchownat"):
        uid, gid = (int(arg) for arg in args[2 if name == "fchownat" else 1 :][:2])
        yield _attribute(
            node, lambda e: e._replace(uid=e.uid if uid < 0 else uid, gid=e.gid if gid < 0 else gid)
        )
    elif name in ("fsetxattr", "setxattr", "lsetxattr"):
        pair = trace.string(args[1]), trace.unhex(args[2].strip('"'))
        yield _attribute(
            node, lambda e: e._replace(xattrs=tuple(sorted({**dict(e.xattrs), pair[0]: pair[1]}.items())))
        )
    elif name in ("fremovexattr", "removexattr", "lremovexattr"):
        gone = trace.string(args[1])
        yield _attribute(node, lambda e: e._replace(xattrs=tuple(x for x in e.xattrs if x[0] != gone)))
    elif name in ("fsync", "fdatasync"):
        yield Op("sync", frozenset([node]), lambda disk: None)
    elif name in ("mkdir", "mkdirat"):
        mode = int(args[-1], 8) & ~0o022
        yield _create(
            disk, paths[-1], tree.Entry("dir", mode, os.geteuid(), os.getegid(), (), b"", ""), next(fresh)
        )
    elif name in ("symlink", "symlinkat"):
        target = os.fsencode(trace.string(args[0]))
        yield _create(
            disk, paths[-1], tree.Entry("link", 0, os.geteuid(), os.getegid(), (), target, ""), next(fresh)
        )
    elif name in ("unlink", "unlinkat", "rmdir"):
        yield _names(disk, {disk.slot(paths[-1]): None})
    elif name in ("link", "linkat"):
        yield _names(disk, {disk.slot(paths[1]): disk.find(paths[0])})
    elif name in ("rename", "renameat", "renameat2"):
        old, new = paths
        back = disk.find(new) if "RENAME_EXCHANGE" in args[-1] else None
        yield _names(disk, {disk.slot(old): back, disk.slot(new): disk.find(old)})
    else:
        raise NotImplementedError(f"the model does not know {name}")


def _create(disk, path, entry, number):
    slot = disk.slot(path)

    def apply(disk):
        disk.nodes.setdefault(number, entry)
        disk.names[slot] = number

    return Op("names", frozenset([slot[0]]), apply, born=(number, entry))


def _names(disk, slots):
    def apply(disk):
        for slot, node in slots.items():
            if node is None:
                disk.names.pop(slot, None)
            else:
                disk.names[slot] = node

    return Op("names", frozenset(folder for folder, _ in slots), apply)


def _bytes(node, change):
    def apply(disk):
        if node in disk.nodes:
            disk.nodes[node] = disk.nodes[node]._replace(content=change(disk.nodes[node].content))

    return Op("data", frozenset([node]), apply)


def _attribute(node, change):
    def apply(disk):
        if node in disk.nodes:
            disk.nodes[node] = change(disk.nodes[node])

    return Op("attributes", frozenset([node]), apply)
