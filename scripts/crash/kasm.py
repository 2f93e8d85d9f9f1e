"""The scenarios of kasm-db: trees of `examples/`, and the commands that write to them."""

import os
import subprocess

from . import faults, side_by_side, trace, tree
from .scenario import OUTSIDE, ROOT, Broken, Scenario, argv

DOCUMENT = """\
schema: kasm-db/v1
image: kasmweb/postgres:{tag}
preload:
  libraries: [pgaudit]
audit:
  classes: [{classes}]
"""
# What a scenario starts from, where it does not start from stock files.
BEFORE = "1.11.0", "read, write, ddl"
DEPLOYMENT = "existing/opt/kasm/1.11.0"
QUIET = ["--yes", "--no-input", "--color", "never"]


class Kasm:
    """Makes scenarios for one binary."""

    def __init__(self, binary, repository, work):
        self.binary, self.repository, self.work = binary, repository, work
        self.recovers = self._has("recover")

    def scenarios(self):
        """Name to maker; a maker gives None where the binary has no such command."""
        return {
            "existing": self.existing,
            "installer": self.installer,
            "tag": self.tag,
            "rollback": self.rollback,
            "recover": self.recover,
            "in-place": self.in_place,
            "upgrade": self.upgrade,
            "upgrade-recover": self.upgrade_recover,
        }

    def _has(self, *words):
        return subprocess.run([self.binary, *words, "--help"], capture_output=True).returncode == 0

    def _says(self, command, word):
        said = subprocess.run([self.binary, command, "--help"], capture_output=True, text=True)
        return word in said.stdout

    def _template(self, name, source, wanted, before=BEFORE):
        """A box with a tree of the examples, owned and attributed as nothing is by itself."""
        box = os.path.join(self.work.path, "templates", name)
        tree.copy(os.path.join(self.repository, "examples", source), os.path.join(box, ROOT))
        os.makedirs(os.path.join(box, OUTSIDE))
        with open(os.path.join(box, OUTSIDE, "canary"), "w", encoding="ascii") as file:
            file.write("not yours\n")
        for document, (tag, classes) in (("wanted", wanted), ("before", before)):
            with open(os.path.join(box, document + ".yaml"), "w", encoding="ascii") as file:
                file.write(DOCUMENT.format(tag=tag, classes=classes))
        conf = os.path.join(box, ROOT, "conf/database/postgresql.conf")
        if os.geteuid() == 0:
            os.chown(conf, 70, 70)
        os.chmod(conf, 0o600)
        for folder, _, files in os.walk(os.path.join(box, ROOT, "docker")):
            for file in files:
                os.chmod(os.path.join(folder, file), 0o640)
                try:
                    os.setxattr(os.path.join(folder, file), "user.note", b"kept")
                except OSError:
                    # Not every file system has them; the rest of the attributes is still compared.
                    pass
        return box

    def _kasm(self, *words, place="--deployment"):
        return [self.binary, *words, place, "{BOX}/" + ROOT]

    def _apply(self, *more, document="wanted", place="--deployment"):
        return [
            self.binary,
            "-f",
            "{BOX}/" + document + ".yaml",
            "apply",
            *QUIET,
            *more,
            place,
            "{BOX}/" + ROOT,
        ]

    def _several(self, *more):
        document = "{BOX}/" + side_by_side.DOCUMENT
        return [self.binary, "-f", document, "apply", *QUIET, "--jobs", str(len(side_by_side.NAMES)), *more]

    def _recover(self, place="--deployment"):
        return self._kasm("recover", place=place) if self.recovers else None

    def _run(self, box, command):
        ended = trace.run(argv(command, box), box)
        if ended.code != 0:
            raise Broken(f"{' '.join(command)}: exit {ended.code}: {ended.err[-300:]}")

    def existing(self, name="existing"):
        """A deployment: four compose files and postgresql.conf."""
        box = self._template(name, DEPLOYMENT, BEFORE)
        return Scenario(name, box, self._apply(), self._recover(), several=self._several())

    def installer(self):
        """The tree that an installer's archive unpacks to."""
        box = self._template("installer", "new/kasm_release", ("1.16.0", "read, role"))
        place = "--installer"
        return Scenario("installer", box, self._apply(place=place), self._recover(place))

    def tag(self):
        """Another tag of the image, where everything else is as wanted."""
        box = self._template("tag", DEPLOYMENT, ("1.12.0", "read, write, ddl"))
        self._run(box, self._apply(document="before"))
        return Scenario("tag", box, self._apply(), self._recover(), several=self._several())

    def rollback(self):
        """The way back over the last of two applies."""
        if not self._has("rollback"):
            return None
        box = self._template("rollback", DEPLOYMENT, ("1.12.0", "all"))
        self._run(box, self._apply(document="before"))
        self._run(box, self._apply())
        command = self._kasm("rollback", "1", *QUIET)
        return Scenario("rollback", box, command, self._recover())

    def recover(self):
        """An apply that died between two exchanges, and what mends it."""
        if not self.recovers:
            return None
        whole = self.existing("whole")
        whole.learn(self.work)
        calls = faults.traced(whole, self.work, whole.start, whole.command)[1]
        middle = [call for call in calls if call.name == "renameat2" and "RENAME_EXCHANGE" in str(call.args)][2]
        box = self._template("recover", DEPLOYMENT, BEFORE)
        log = os.path.join(self.work.path, "recover.log")
        trace.run(trace.inject(middle, f"signal=KILL:when={middle.nth}", log) + argv(whole.command, box), box)
        return Scenario("recover", box, self._recover(), self._recover(), self._recover(), whole.old, whole.new)

    def in_place(self):
        """Files that cannot be exchanged, as they are mounted one by one."""
        if not self._says("apply", "--in-place"):
            return None
        box = self._template("in-place", DEPLOYMENT, BEFORE)
        several = self._several("--in-place")
        return Scenario("in-place", box, self._apply("--in-place"), self._recover(), in_place=True, several=several)

    def _fixture(self, name, state):
        """A box with what version 0.1.0 left; all of it belongs to root."""
        if os.geteuid() != 0:
            return None
        box = os.path.join(self.work.path, "templates", name)
        tree.fixture(os.path.join(self.repository, "tests/fixtures/0.1.0", state + ".tree"), box)
        os.rename(os.path.join(box, "kasm"), os.path.join(box, ROOT))
        os.makedirs(os.path.join(box, OUTSIDE))
        with open(os.path.join(box, "wanted.yaml"), "w", encoding="ascii") as file:
            file.write(DOCUMENT.format(tag="1.11.0", classes="role"))
        return box

    def upgrade(self):
        """The first write to the state folder of an earlier version, which has three generations."""
        box = self._fixture("upgrade", "generations")
        return box and Scenario("upgrade", box, self._apply(), self._recover())

    def upgrade_recover(self):
        """The pending journal of an earlier version, and what follows it."""
        box = self._fixture("upgrade-recover", "journal")
        if not box or not self.recovers:
            return None
        states = [self._fixture("upgrade-" + state, state) for state in ("plan", "follow-up-extension")]
        old, new = (tree.read(os.path.join(state, ROOT)) for state in states)
        recover = self._recover()
        return Scenario("upgrade-recover", box, recover, recover, recover, old, new)
