"""What else does, or begins to do, what kasm-db does; as far as it is installed."""

import glob
import os
import shutil
import sys

from . import conf
from .fleet import IMAGE, NEW_IMAGE
from .timing import Run

# One process a tree takes long enough over so many.
FEW, PLAYBOOK_HOSTS = 500, 20
IMAGE_EDIT = f"s#image: {IMAGE}#image: {NEW_IMAGE}#"
CONF_EDIT = "s/^#shared_preload_libraries.*/shared_preload_libraries = 'pgaudit'/"
PLAYBOOK = f"""\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.replace:
        path: "{{{{ tree }}}}/{{{{ item }}}}"
        regexp: "image: {IMAGE}"
        replace: "image: {NEW_IMAGE}"
      loop: [COMPOSES]
    - ansible.builtin.lineinfile:
        path: "{{{{ tree }}}}/{conf.PATH}"
        regexp: "^#shared_preload_libraries"
        line: "shared_preload_libraries = 'pgaudit'"
"""


def floor(fleet, folder):
    """Reads all files of all trees, and does nothing else."""
    composes, confs = fleet.files()
    listed = _listed(folder, "all", composes + confs)
    return Run("`cat` of all files", ["xargs", "-0", "-a", listed, "cat"], len(fleet.trees))


def pair(fleet, folder):
    """Runs two `sed -i` for each tree, as the manual procedure does."""
    number = min(FEW, len(fleet.trees))
    return Run("two `sed -i` for each tree", ["sh", pair_of(fleet.trees[:number], folder)], number)


def pair_of(trees, folder):
    """Writes a script with the two `sed -i` for each of the trees; returns its path."""
    script = os.path.join(folder, "pair.sh")
    with open(script, "w", encoding="ascii") as file:
        for tree in trees:
            file.write(f"sed -i '{IMAGE_EDIT}' {tree}/docker/docker-compose.yaml\n")
            file.write(f'sed -i "{CONF_EDIT}" {tree}/{conf.PATH}\n')
    return script


def sed(fleet, folder):
    """Runs `sed -i` over all files of all trees."""
    script = f"{_sed_of_composes(fleet, folder)} && xargs -0 -a {_listed(folder, 'confs', fleet.files()[1])} sed -i \"{CONF_EDIT}\""
    return Run("`sed -i` over all files", ["sh", "-c", script], len(fleet.trees))


def sed_and_sync(fleet, folder):
    """Returns a command that runs `sed -i` over all compose files, and waits for the disk."""
    return ["sh", "-c", f"{_sed_of_composes(fleet, folder)} && sync -f {fleet.folder}"]


def _sed_of_composes(fleet, folder):
    return f"xargs -0 -a {_listed(folder, 'composes', fleet.files()[0])} sed -i '{IMAGE_EDIT}'"


def others(fleet, folder):
    """Returns the runs of those that are installed, over few trees each."""
    few = min(FEW // 5, max(1, len(fleet.trees) // 10))
    found = []
    if shutil.which("augtool"):
        found.append(Run("`augtool` for each tree: a conf", ["sh", _augtool(fleet.trees[:few], folder)], few))
    if shutil.which("yq"):
        script = os.path.join(folder, "yq.sh")
        with open(script, "w", encoding="ascii") as file:
            file.writelines(f"yq -r .services.db.image {tree}/docker/docker-compose.yaml\n" for tree in fleet.trees[:few])
        found.append(Run("`yq` for each tree: reads an image", ["sh", script], few))
    found_ansible = ansible()
    if found_ansible:
        hosts = min(PLAYBOOK_HOSTS, max(1, len(fleet.trees) // 10))
        command, environment = _playbook(fleet, folder, hosts, *found_ansible)
        name = "Ansible `replace` and `lineinfile`, `--check --diff`, 2 forks"
        found.append(Run(name, command, hosts, environment=environment))
    return found


def _augtool(trees, folder):
    """Writes a script that sets a value and saves the file beside the old one. It cannot read a file with the line ends of Windows."""
    script = os.path.join(folder, "augtool.sh")
    with open(script, "w", encoding="ascii") as file:
        for tree in trees:
            commands = (
                f"set /augeas/load/P/lens Postgresql.lns\\nset /augeas/load/P/incl /{conf.PATH}\\nload\\n"
                f"set /files/{conf.PATH}/shared_preload_libraries pgaudit\\nset /augeas/save newfile\\nsave\\n"
            )
            file.write(f"printf '{commands}' | augtool --noload --noautoload --root {tree} > /dev/null || true\n")
    return script


def ansible():
    """Finds ansible-playbook and its environment, from the path or as scripts/get-ansible installed it."""
    if shutil.which("ansible-playbook"):
        return shutil.which("ansible-playbook"), {}
    cache = os.environ.get("KASM_DB_TOOLS") or os.path.expanduser("~/.cache/kasm-db")
    for program in sorted(glob.glob(os.path.join(cache, "ansible-*/bin/ansible-playbook"))):
        return program, {"PYTHONPATH": os.path.dirname(os.path.dirname(program))}
    return None


def _playbook(fleet, folder, hosts, program, environment):
    inventory, playbook = os.path.join(folder, "hosts.ini"), os.path.join(folder, "play.yaml")
    with open(inventory, "w", encoding="ascii") as file:
        file.writelines(
            f"{os.path.basename(tree)} ansible_connection=local ansible_python_interpreter={sys.executable} tree={tree}\n" for tree in fleet.trees[:hosts]
        )
    with open(playbook, "w", encoding="ascii") as file:
        file.write(PLAYBOOK.replace("COMPOSES", ", ".join(fleet.composes)))
    home = os.path.join(folder, "ansible")
    environment = {**environment, "ANSIBLE_HOME": home, "ANSIBLE_LOCAL_TEMP": home, "ANSIBLE_REMOTE_TEMP": home}
    return [program, "-i", inventory, "--check", "--diff", "-f", "2", playbook], environment


def _listed(folder, name, paths):
    path = os.path.join(folder, f"{name}.list")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\0".join(paths))
    return path
