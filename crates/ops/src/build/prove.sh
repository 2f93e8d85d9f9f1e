#!/bin/sh
# Starts the server of this image as it is meant to run, and fails unless it loads the libraries, creates the extensions and
# audits the declared classes. It writes what it found to a file, which the final image copies.
#
# Usage: prove.sh FILE MAJOR LIBRARIES EXTENSIONS [PGAUDIT.LOG CLASSES]
set -eu
file=$1 major=$2 preload=$3 extensions=$4 classes=${5-} logged=${6-}

export PATH="/usr/lib/postgresql/$major/bin:$PATH:/usr/local/bin" LC_ALL=C
folder=$(mktemp -d /tmp/kasm-db.XXXXXX)
data=$folder/data
log=$folder/log

end() {
    if [ -f "$data/postmaster.pid" ]; then
        pg_ctl --pgdata="$data" --mode=immediate stop > /dev/null 2>&1 || true
    fi
    rm -rf "$folder"
}
trap end EXIT

fail() {
    echo "kasm-db: $1" >&2
    if [ -f "$log" ]; then
        tail -n 20 "$log" >&2
    fi
    exit 1
}

ask() {
    psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --host="$folder" --username=prover \
        --dbname=postgres --command="$1"
}

initdb --pgdata="$data" --username=prover --auth=trust --no-sync > "$folder/initdb" 2>&1 ||
    { cat "$folder/initdb" >&2; fail 'initdb failed'; }
cat >> "$data/postgresql.conf" << END
listen_addresses = ''
unix_socket_directories = '$folder'
shared_preload_libraries = '$preload'
logging_collector = off
log_destination = 'stderr'
fsync = off
END
pg_ctl --pgdata="$data" --log="$log" --wait --timeout=60 start > /dev/null ||
    fail "the server does not start with shared_preload_libraries = '$preload'"

{
    echo "PostgreSQL $(ask 'SHOW server_version')"
    echo "shared_preload_libraries: $(ask 'SHOW shared_preload_libraries')"
} > "$folder/proof"
case $(ask 'SHOW server_version_num') in
    "$major"????) ;;
    *) fail "the base holds another PostgreSQL than $major" ;;
esac
for extension in $extensions; do
    ask "CREATE EXTENSION \"$extension\"" || fail "the extension $extension cannot be created"
    version=$(ask "SELECT extversion FROM pg_catalog.pg_extension WHERE extname = '$extension'")
    echo "extension: $extension $version" >> "$folder/proof"
done

if [ -n "$classes" ]; then
    echo "pgaudit.log = '$classes'" >> "$data/postgresql.conf"
    pg_ctl --pgdata="$data" reload > /dev/null
    # A reload is not waited for.
    tries=0
    until [ "$(ask 'SHOW pgaudit.log')" = "$classes" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || fail "pgaudit.log does not become '$classes'"
        sleep 0.1
    done
    ask 'CREATE TABLE kasm_db_proof (id integer)'
    ask 'INSERT INTO kasm_db_proof VALUES (1)'
    ask 'SELECT id FROM kasm_db_proof' > /dev/null
    ask 'CREATE ROLE kasm_db_proof'
    ask "DO 'BEGIN END'"
    ask 'DISCARD ALL'
    ask "SET application_name = 'kasm_db_proof'"
    for class in $logged; do
        # pgauditlogtofile has a log of its own, in log_directory.
        grep -rqs "AUDIT: SESSION,[0-9]*,[0-9]*,$class," "$log" "$data/log" ||
            fail "a statement of the class $class left no AUDIT line in the log"
        echo "audited: $class" >> "$folder/proof"
    done
fi
mkdir -p "$(dirname "$file")"
cp "$folder/proof" "$file"
# The time of everything, if the same image is to come of it again.
if [ -n "${SOURCE_DATE_EPOCH-}" ]; then
    find "${file%%/usr/*}" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
fi
