"""The container image on an engine: on a tree that is mounted at its path, as on a host."""

import os

from .common import must, only, run

DOCUMENT = """schema: kasm-db/v1
image: kasmweb/postgres:1.11.0
preload: {libraries: [pgaudit]}
targets: [{name: current, deployment: /opt/kasm/current}]
"""
# Of a user that neither the host nor the image has.
OWNER = 70707


def check(packages, folder, repository):
    engine = os.environ.get("KASM_DB_ENGINE")
    must(engine, "an engine: run this with scripts/with-engine")

    def docker(*arguments, **more):
        return run("docker", "--host", engine, *arguments, **more)

    loaded = docker("load", "--input", only(packages, ".image.tar"), says=["Loaded image: kasm-db:"])
    name = loaded.split("Loaded image: ")[1].strip()
    host, work = os.path.join(folder, "host"), os.path.join(folder, "work")
    run("cp", "-r", os.path.join(repository, "examples/existing/opt/kasm"), host)
    run("chmod", "-R", "go-w", host)
    conf = os.path.join(host, "1.11.0/conf/database/postgresql.conf")
    os.chown(conf, OWNER, OWNER)
    os.chmod(conf, 0o640)
    os.mkdir(work)
    write(work, DOCUMENT)

    def kasm_db(*arguments, options=(), **more):
        mounts = ("--volume", f"{host}:/opt/kasm", "--volume", f"{work}:/work:ro")
        return docker("run", "--rm", "--network", "none", "--read-only", *mounts, *options, name, *arguments, **more)

    kasm_db("--version", says=["kasm-db "])
    kasm_db("validate", says=["valid"])
    kasm_db("plan", says=["5 files"])
    # Who cannot read a file of the target is told so.
    nobody = ("--user", f"{OWNER + 1}:{OWNER + 1}")
    kasm_db("validate", options=nobody, says=["valid"])
    kasm_db("plan", options=nobody, code=1, says=["postgresql.conf", "ermission denied"])
    kasm_db("plan", options=("--user", f"{OWNER}:{OWNER}"), says=["5 files"])

    before = contents(host)
    write(work, DOCUMENT + "restart: {policy: if_needed}\n")
    refused = ["KDB725", "`restart: {policy: if_needed}` needs the docker command", "--files-only"]
    kasm_db("apply", "--yes", code=4, says=refused)
    must(contents(host) == before, "nothing was written")
    kasm_db("apply", "--yes", "--files-only", says=["5 files"])
    must(contents(host) != before, "files were written")
    status = os.stat(conf)
    must((status.st_uid, status.st_gid, status.st_mode & 0o777) == (OWNER, OWNER, 0o640), "owner and mode stay")
    kasm_db("plan", "--detailed-exitcode")
    kasm_db("rollback", "--yes", "--files-only", says=["5 files"])
    must(contents(host) == before, "the files are as before")
    docker("image", "rm", name)


def write(work, text):
    with open(os.path.join(work, "kasm-db.yaml"), "w", encoding="utf-8") as file:
        file.write(text)


def contents(top):
    """Returns all files with what is in them, without what kasm-db keeps of applies."""
    found = {}
    for folder, folders, files in os.walk(top):
        folders[:] = [name for name in folders if name != ".kasm-db"]
        for name in files:
            with open(os.path.join(folder, name), "rb") as file:
                found[os.path.join(folder, name)] = file.read()
    return found
