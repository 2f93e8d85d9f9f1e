"""A program that does in small what kasm-db does, and wrong what the variable BUG names.

    standin.py apply ROOT [--lock-timeout SECONDS]
    standin.py recover ROOT

It says `new` for `old` in two files. It locks, recovers, stages, syncs, writes a journal, exchanges and looks,
syncs, ends the journal and cleans up; and every name is looked up from a descriptor. The self test of the
harness is over this program: without a bug nothing may be found, and with each bug something.
"""

import ctypes
import fcntl
import hashlib
import json
import os
import stat
import sys
import time

BUG = os.environ.get("BUG", "")
FILES = {"docker/compose.yaml": "compose.yaml", "conf/server.conf": "server.conf"}
STATE, JOURNAL = ".kasm-db", "journal"
NEXT = JOURNAL + ".new"
NAMED = STATE + "/" + JOURNAL  # in messages
LIBC = ctypes.CDLL(None, use_errno=True)


class Fault(Exception):
    """An error of the system, with the path that it concerns."""

    def __init__(self, path, error):
        super().__init__(path if BUG == "no_reason" else f"{path}: {os.strerror(error)}")
        if BUG == "no_path":
            self.args = (os.strerror(error),)


class Foreign(Fault):
    """A file that somebody else has changed."""

    def __init__(self, path):
        Exception.__init__(self, f"{path}: changed by somebody else")


def do(path, function, *args, **more):
    try:
        return function(*args, **more)
    except OSError as error:
        if BUG == "traceback":
            raise
        raise Fault(path, error.errno) from error


def folder(root, path):
    """Opens the folder of a file, without following a link below the root."""
    here = os.dup(root)
    for name in os.path.dirname(path).split("/"):
        flags = os.O_RDONLY | os.O_DIRECTORY | (0 if BUG == "follows_links" else os.O_NOFOLLOW)
        below = do(path, os.open, name, flags, dir_fd=here)
        os.close(here)
        here = below
    return here


class File:
    """One of the files: its folder, its name, and the name that the other content has beside it."""

    def __init__(self, root, path):
        self.root, self.path, self.name = root, path, os.path.basename(path)
        self.beside = f".{self.name}.kasm-db-new"
        self.fixed = folder(root, path)

    @property
    def dir(self):
        # The bug looks the folder up anew each time, and so wherever a link leads meanwhile.
        return folder(self.root, self.path) if BUG == "follows_links" else self.fixed

    def read(self, name):
        """Returns content and attributes, or None where there is no regular file."""
        try:
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=self.dir)
        except FileNotFoundError:
            return None
        except OSError as error:
            if BUG != "traceback" and error.errno != 40:
                raise Fault(self.path, error.errno) from error
            return None
        with open(fd, "rb") as file:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                return None
            return file.read(), (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)

    def holds(self, name, digest):
        found = self.read(name)
        return found is not None and sha(found[0]) == digest

    def exchange(self):
        names = os.fsencode(self.beside), os.fsencode(self.name)
        if LIBC.renameat2(self.dir, names[0], self.dir, names[1], 2):
            raise Fault(self.path, ctypes.get_errno())


def sha(data):
    return hashlib.sha256(data).hexdigest()


def sync(path, fd, bug):
    if BUG == bug:
        return
    if BUG == "swallow_sync":
        try:
            os.fsync(fd)
        except OSError:
            pass
        return
    do(path, os.fsync, fd)


def write(path, dir_fd, name, data, like=None, xattrs=()):
    """Writes a file that nobody else can read before it has the rights of the old one."""
    mode = 0o644 if BUG == ("wide_stage" if like else "wide_journal") else 0o600
    fd = do(path, os.open, name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode, dir_fd=dir_fd)
    try:
        while data:
            written = do(path, os.write, fd, data)
            data = b"" if BUG == "short_write" else data[written:]
        if like:
            mode, uid, gid = like
            if BUG != "no_owner":
                do(path, os.fchown, fd, uid, gid)
            for key, value in () if BUG == "no_xattrs" else xattrs:
                do(path, os.setxattr, fd, key, value)
            if BUG != "no_mode":
                do(path, os.fchmod, fd, mode)
        sync(path, fd, "no_file_sync")
    finally:
        os.close(fd)


def remove(path, dir_fd, name):
    try:
        os.unlink(name, dir_fd=dir_fd)
    except FileNotFoundError:
        return
    except OSError as error:
        raise Fault(path, error.errno) from error


def is_there(dir_fd, name):
    try:
        os.lstat(name, dir_fd=dir_fd)
    except FileNotFoundError:
        return False
    return True


class Deployment:
    """The root, locked."""

    def __init__(self, path, wait):
        self.fd = do(path, os.open, path, os.O_RDONLY | os.O_DIRECTORY)
        until = time.monotonic() + wait
        while BUG != "no_lock":
            try:
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    end(6, f"{path}: locked by another run", "nothing changed")
                time.sleep(0.01)
            except OSError as error:
                raise Fault(path, error.errno) from error
        self.path = path
        self.files = {name: File(self.fd, name) for name in FILES}
        self.state = None
        try:
            self.state = os.open(STATE, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=self.fd)
        except FileNotFoundError:
            pass

    def make_state(self):
        if self.state is None:
            do(STATE, os.mkdir, STATE, 0o700, dir_fd=self.fd)
            self.state = do(STATE, os.open, STATE, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=self.fd)
            sync(STATE, self.fd, "no_dir_sync")

    def journal(self):
        """Returns what is in the journal: for each file the digests of old and new."""
        if self.state is None:
            return None
        try:
            fd = os.open(JOURNAL, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=self.state)
        except FileNotFoundError:
            return None
        with open(fd, encoding="ascii") as file:
            return json.load(file)

    def sync_files(self, bug="no_dir_sync"):
        for file in self.files.values():
            sync(os.path.dirname(file.path), file.dir, bug)

    def clean(self):
        """Removes what this run or one before it has left beside the files."""
        if BUG == "no_clean" or (BUG == "no_clean_on_error" and sys.exc_info()[0]):
            return
        left = [file for file in self.files.values() if is_there(file.dir, file.beside)]
        for file in left:
            remove(file.path, file.dir, file.beside)
        if self.state is not None and is_there(self.state, NEXT):
            remove(NAMED, self.state, NEXT)
        if left:
            self.sync_files()

    def end_journal(self):
        if self.state is not None and BUG != "no_journal_end":
            remove(NAMED, self.state, JOURNAL)
            sync(NAMED, self.state, "no_dir_sync")

    def recover(self):
        """Undoes what a journal says was begun."""
        records = self.journal() if BUG != "no_recover" else None
        if records and BUG == "recover_forgets":
            self.end_journal()
        for path, (old, new) in (records or {}).items():
            file = self.files[path]
            if file.holds(file.name, old):
                continue
            if not file.holds(file.name, new) or not file.holds(file.beside, old):
                raise Foreign(path)
            file.exchange()
            if not file.holds(file.beside, new):
                file.exchange()
                raise Foreign(path)
        if records:
            self.sync_files()
            self.end_journal()
        self.clean()

    def apply(self):
        wanted = {}
        for path, file in self.files.items():
            found = file.read(file.name)
            if found is None:
                raise Foreign(path)
            data, like = found
            if b"old" in data:
                wanted[path] = file, data, data.replace(b"old", b"new"), like
        if not wanted:
            if BUG == "busy":
                do(self.path, os.fsync, self.fd)
            print("nothing to do")
            return
        if BUG == "outside":
            with open(os.path.join(self.path, "../outside/note"), "w", encoding="ascii") as note:
                note.write("was here")
        if BUG == "in_place":
            for path, (file, _, new, _) in wanted.items():
                fd = do(path, os.open, file.name, os.O_WRONLY | os.O_TRUNC, dir_fd=file.dir)
                do(path, os.write, fd, new)
                do(path, os.fsync, fd)
            print("Applied")
            return
        began = False
        try:
            for path, (file, _, new, like) in wanted.items():
                fd = do(path, os.open, file.name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=file.dir)
                xattrs = [(key, os.getxattr(fd, key)) for key in os.listxattr(fd)]
                os.close(fd)
                write(path, file.dir, file.beside, new, like, xattrs)
            self.sync_files()
            self.make_state()
            record = {path: (sha(old), sha(new)) for path, (_, old, new, _) in wanted.items()}
            if BUG != "no_journal":
                write(NAMED, self.state, NEXT, json.dumps(record).encode())
                began = True
                do(NAMED, os.rename, NEXT, JOURNAL, src_dir_fd=self.state, dst_dir_fd=self.state)
                sync(NAMED, self.state, "no_dir_sync")
            for path, (file, old, _, like) in wanted.items():
                now = file.read(file.name)
                if BUG != "lost_update" and now != (old, like):
                    raise Foreign(path)
                file.exchange()
                out = file.read(file.beside)
                if BUG not in ("lost_update", "no_second_look") and out != (old, like):
                    file.exchange()
                    raise Foreign(path)
            if BUG == "done_too_early":
                print("Applied", flush=True)
                end(0)
            self.sync_files("no_last_sync" if BUG == "no_last_sync" else "no_dir_sync")
        except Fault as fault:
            self.failed(fault, began)
        try:
            self.end_journal()
            self.clean()
        except Fault as fault:
            end(9, f"{fault}", "files applied")
        print("Applied")

    def failed(self, fault, began):
        """Takes back what was done, and says what holds now."""
        if BUG == "swallow":
            end(0)
        try:
            if BUG != "no_roll_back":
                if began:
                    self.recover()
                else:
                    self.clean()
        except Fault as second:
            end(8 if began else 1, f"{fault}; {second}", "recovery pending" if began else "nothing changed")
        code = 7 if began else 1
        if BUG == "wrong_sentence":
            end(code, fault, "all is well")
        end(code, fault, "rolled back" if began else "nothing changed")


def end(code, message="", state=""):
    if code:
        try:
            print(f"error: {message}\n  = state: {state}", file=sys.stderr, flush=True)
        except OSError:
            # The exit code still says it.
            pass
    os._exit(code)


def main():
    command, path = sys.argv[1:3]
    wait = float(sys.argv[4]) if len(sys.argv) > 4 else 0
    try:
        here = Deployment(path, wait)
        try:
            here.recover()
        except Fault as fault:
            end(8, fault, "recovery pending")
        if command == "apply":
            here.apply()
    except Fault as fault:
        end(1, f"{path}: {fault}", "nothing changed")


main()
