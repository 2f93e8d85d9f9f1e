"""Compose files in the shape of an installed Kasm Workspaces, of our own writing."""

# Service: image, whether it runs as the user of the deployment, what it waits for.
SERVICES = {
    "db": ("postgres:14-alpine", False, []),
    "kasm_redis": ("redis:5-alpine", True, []),
    "kasm_api": ("kasmweb/api:{release}", True, ["db", "kasm_redis"]),
    "kasm_manager": ("kasmweb/manager:{release}", True, ["db", "kasm_api"]),
    "kasm_agent": ("kasmweb/agent:{release}", False, ["kasm_manager"]),
    "kasm_share": ("kasmweb/share:{release}", True, ["db", "kasm_redis"]),
    "kasm_guac": ("kasmweb/kasm-guac:{release}", True, ["db"]),
    "proxy": ("kasmweb/nginx:{release}", False, ["kasm_api", "kasm_manager", "kasm_agent", "kasm_share"]),
}
# The role of a host, and the services that its compose file has. docker/docker-compose.yaml is the one of the active role.
ROLES = {
    "all": list(SERVICES),
    "agent": ["kasm_agent", "proxy"],
    "api": ["kasm_api", "kasm_manager"],
    "app": ["kasm_api", "kasm_manager", "kasm_share", "proxy"],
    "db": ["db"],
    "db-redis": ["db", "kasm_redis"],
    "guac": ["kasm_guac", "proxy"],
    "proxy": ["proxy"],
    "redis": ["kasm_redis"],
}
ACTIVE = "docker/docker-compose.yaml"


def files(site):
    """Returns the text of each compose file by its path."""
    texts = {f"docker/.conf/docker-compose-{role}.yaml": _file(names, site) for role, names in ROLES.items()}
    return {ACTIVE: texts["docker/.conf/docker-compose-all.yaml"], **texts}


def _file(names, site):
    parts = [f"# {site['note']}\n" if site["note"] else "", "version: '3'\nservices:\n"]
    parts += [_service(name, names, site) for name in names]
    if "db" in names:
        parts.append(f"volumes:\n  kasm_db_{site['release']}:\n    external: true\n")
    parts.append("networks:\n  kasm_default_network:\n    external: true\n")
    return "".join(parts)


def _service(name, names, site):
    release, indent = site["release"], " " * 4
    image, is_users, after = SERVICES[name]
    lines = [f"  {name}:", f"{indent}container_name: kasm_{name.removeprefix('kasm_')}"]
    image = image.format(release=release)
    lines.append(f"{indent}image: {image}" if name in ("db", "kasm_redis") else f'{indent}image: "{image}"')
    lines.append(f'{indent}user: "${{KASM_UID?}}:${{KASM_GID?}}"' if is_users else f"{indent}user: root")
    if name == "db":
        lines.pop()
        lines += [
            f"{indent}environment:",
            f"{indent}  POSTGRES_PASSWORD: {site['password']}",
            f"{indent}  POSTGRES_USER: kasmapp",
            f"{indent}  POSTGRES_DB: kasm",
        ]
    if name == "kasm_redis":
        lines += [
            f'{indent}command: ["sh", "-c", "redis-server --requirepass $${{REDIS_PASSWORD}}"]',
            f"{indent}environment:",
            f"{indent}  REDIS_PASSWORD: {site['redis_password']}",
        ]
    lines += [f"{indent}networks:", f"{indent}  - kasm_default_network", f"{indent}volumes:"]
    lines += [f"{indent}  - {volume}" for volume in _volumes(name, release)]
    after = [other for other in after if other in names]
    if after:
        lines += [f"{indent}depends_on:", *(f"{indent}  - {other}" for other in after)]
    check = "pg_isready --username=kasmapp --dbname=kasm" if name == "db" else f"curl --fail http://localhost/{name}/health"
    lines += [
        f"{indent}healthcheck:",
        f'{indent}  test: "{check}"',
        f"{indent}  interval: 30s",
        f"{indent}  timeout: 5s",
        f"{indent}  retries: 12",
    ]
    if is_users and name != "kasm_redis":
        lines += [
            f"{indent}environment:",
            *(f"{indent}  {name.upper()}_{key}: {value}" for key, value in site["environment"]),
            f"{indent}labels:",
            f"{indent}  com.example.site: {site['name']}",
            f"{indent}  com.example.release: '{release}'",
            f"{indent}stop_grace_period: 30s",
        ]
    lines.append(f"{indent}restart: always")
    if name in site["twice"]:
        # Older versions of Compose take a key that is there twice, and such files are installed.
        lines.append(f"{indent}restart: always")
    lines += [
        f"{indent}logging:",
        f'{indent}  driver: "json-file"',
        f"{indent}  options:",
        f'{indent}    max-size: "{site["log_size"]}m"',
        f'{indent}    max-file: "4"',
    ]
    if name == "db":
        lines.append(
            f"{indent}command: postgres -c ssl=on -c ssl_cert_file=/etc/ssl/certs/db_server.crt "
            "-c ssl_key_file=/etc/ssl/certs/db_server.key -c config_file=/var/lib/postgresql/conf/postgresql.conf"
        )
    return "\n".join(lines) + "\n"


def _volumes(name, release):
    tree = f"/opt/kasm/{release}"
    if name == "db":
        return [
            f"{tree}/conf/database/postgresql.conf:/var/lib/postgresql/conf/postgresql.conf",
            f"{tree}/certs/db_server.crt:/etc/ssl/certs/db_server.crt",
            f"{tree}/certs/db_server.key:/etc/ssl/certs/db_server.key",
            f"{tree}/log/postgres/:/var/log/postgres/",
            f"kasm_db_{release}:/var/lib/postgresql/data",
        ]
    more = {"kasm_agent": ["/var/run/docker.sock:/var/run/docker.sock"], "proxy": [f"{tree}/conf/nginx:/etc/nginx/conf.d"]}
    return [f"{tree}:/opt/kasm/current", *more.get(name, [])]
