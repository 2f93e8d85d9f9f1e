#!/bin/bash
# Upgrades what `current` leads to, in the order of Kasm's script of this name: stop, dump, install, restore, upgrade, start.
set -euo pipefail
FROM=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
export KASM_UID=1000 KASM_GID=1000
BASE=$(cat "$FROM/base") RELEASE=$(cat "$FROM/release")
OLD=$(readlink -f "$BASE/current") NEW=$BASE/$RELEASE
DUMP=$BASE/backups/kasm_db_backup.tar

install() {
	local name volume
	rm -rf "$NEW"
	mkdir -p "$NEW/docker/.conf" "$NEW/log/postgres"
	cp -r "$FROM/bin" "$FROM/conf" "$NEW"
	cp "$FROM"/docker/*.yaml "$NEW/docker/.conf"
	cp "$NEW/docker/.conf/docker-compose-all.yaml" "$NEW/docker/docker-compose.yaml"
	chown "$(cat "$FROM/user"):$(cat "$FROM/user")" "$NEW"/conf/database/*.conf "$NEW/log/postgres"
	chmod 600 "$NEW"/conf/database/*.conf
	cd "$NEW/docker"
	name=$(sed -n 's/^    container_name: //p' docker-compose.yaml | head -n 1)
	volume=$(sed -n 's|^ *- \(.*\):/var/lib/postgresql/data$|\1|p' docker-compose.yaml)
	docker rm -f "$name" 2> /dev/null || true
	docker volume rm "$volume" 2> /dev/null || true
	docker volume create "$volume"
	ln -sfn "$NEW" "$BASE/current"
	docker compose --progress plain up -d db
	timeout 60 bash -c "until docker exec $name pg_isready --quiet --host=localhost; do sleep 0.2; done"
	docker exec "$name" psql -qU kasmapp -d kasm -c "CREATE TABLE release AS SELECT '$RELEASE' AS name"
	docker compose stop
}

"$BASE/current/bin/stop"
mkdir -p "$BASE/backups"
bash "$OLD/bin/utils/db_backup" -f "$DUMP" -p "$OLD"
install
"$NEW/bin/utils/db_restore" -a -f "$DUMP" -p "$NEW"
"$NEW/bin/utils/db_upgrade" -p "$NEW"
"$NEW/bin/start"
