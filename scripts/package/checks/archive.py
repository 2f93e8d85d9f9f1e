"""The archive in a root that has nothing else: no C library, no shell, no /etc, no /proc."""

import os
import platform

from .common import only, run


def check(packages, folder):
    empty = os.path.join(folder, "empty")
    os.mkdir(empty)
    run("tar", "-C", empty, "--strip-components=1", "--no-same-owner", "-xf", only(packages, ".tar.gz"))

    def inside(*arguments, environment=(), **more):
        variables = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **dict(environment)}
        return run("chroot", empty, "/kasm-db", *arguments, env=variables, **more)

    example = "/examples/existing/kasm-db.yaml"
    inside("--version", says=["kasm-db "])
    inside("validate", "-f", example, says=["valid"])
    inside("plan", "-f", example, says=["Plan: 2 to add, 4 to change, 0 to remove in 5 files."])
    document = os.path.join(empty, "examples/existing/tcp.kasm-db.yaml")
    with open(document, "w", encoding="utf-8") as file:
        file.write("schema: kasm-db/v1\nsettings: {work_mem: 8MB}\nverify: {connect: tcp, user: kasm}\n")
        file.write("targets: [{name: here, deployment: opt/kasm/current}]\n")
    # A name is looked up in the root's own files, by the C library that is linked in.
    os.makedirs(os.path.join(empty, "etc"))
    with open(os.path.join(empty, "etc/hosts"), "w", encoding="utf-8") as file:
        file.write("127.0.0.1 db.example\n")
    trap(empty)
    server = {"PGHOST": "db.example", "PGPORT": "1", "PGSSLMODE": "disable"}
    inside(
        *("verify", "-f", "/examples/existing/tcp.kasm-db.yaml"),
        code=9, says=["connection refused"], environment=server,
    )  # fmt: skip


# Ends whatever loads it, without any library.
MODULE = """__attribute__((constructor)) static void loaded(void)
{
    __asm__ volatile("syscall" : : "a"(231), "D"(77));
}
"""


def trap(root):
    """Makes the root name a module for looking up hosts, which none that is linked statically may load."""
    with open(os.path.join(root, "etc/nsswitch.conf"), "w", encoding="utf-8") as file:
        file.write("hosts: trap files\npasswd: trap files\n")
    if platform.machine() == "x86_64":
        folder = os.path.join(root, "lib/x86_64-linux-gnu")
        os.makedirs(folder)
        command = ["cc", "-shared", "-nostdlib", "-fPIC", "-O1", "-x", "c", "-", "-o", os.path.join(folder, "libnss_trap.so.2")]
        run(*command, input=MODULE)
