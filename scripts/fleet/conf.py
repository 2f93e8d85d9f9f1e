"""A `postgresql.conf` in the shape of the one that PostgreSQL installs: nearly everything is commented out."""

import os
import re

from measure.program import REPOSITORY

PATH = "conf/database/postgresql.conf"
TABLE = os.path.join(REPOSITORY, "crates/model/src/postgres/table.rs")
SET = {
    "listen_addresses": "'*'",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "dynamic_shared_memory_type": "posix",
    "max_wal_size": "1GB",
    "min_wal_size": "80MB",
    "log_destination": "'stderr'",
    "logging_collector": "on",
    "log_directory": "'/var/log/postgres'",
    "log_filename": "'postgresql-%m-%d.log'",
    "log_line_prefix": "'%m [%p] %u@%d '",
    "log_timezone": "'UTC'",
    "datestyle": "'iso, mdy'",
    "timezone": "'UTC'",
    "statement_timeout": "0",
}
PRELOAD = "#shared_preload_libraries = ''\t\t# (change requires restart)\n"
SECTION = 24


def text(site, names):
    """Returns the file of a site; `names` are those of all settings."""
    parts = [f"# postgresql.conf of {site['name']}: a line is `name = value`, and what is commented out is at its default.\n\n"]
    for number, name in enumerate(names):
        if number % SECTION == 0:
            rule = "#" + "-" * 78 + "\n"
            parts.append(f"\n{rule}# SETTINGS FROM {name.upper()} ON\n{rule}\n")
        if name == "shared_preload_libraries":
            parts.append(PRELOAD)
        elif name in SET:
            parts.append(f"{name} = {SET[name]}\n")
        else:
            parts.append(f"#{name} = ''\t\t# of {site['name']}\n")
    parts.append(f"\nwork_mem = {site['work_mem']}MB\n")
    if site["assigned_twice"]:
        # The last assignment wins, and old files have several.
        parts.append(f"log_timezone = 'UTC'\nmax_connections = 100\n")
    return "".join(parts)


def names():
    """Returns the names of PostgreSQL's settings, each once."""
    with open(TABLE, encoding="utf-8") as file:
        found = re.findall(r'^    row\("([a-zA-Z_]+)", \(\d+, \d+\)', file.read(), re.MULTILINE)
    left_out = {"work_mem", "config_file", "data_directory", "hba_file", "ident_file", "external_pid_file"}
    return sorted({name.lower() for name in found} - left_out)
