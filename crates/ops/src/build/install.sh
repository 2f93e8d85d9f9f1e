#!/bin/sh
# Installs packages of Debian, and copies what they brought below /added: the final image gets that and nothing else.
#
# Usage: install.sh PACKAGE[=VERSION]...
set -eu
export PATH="$PATH:/usr/sbin:/sbin" DEBIAN_FRONTEND=noninteractive LC_ALL=C

installed() {
    dpkg-query --show --showformat='${binary:Package} ${Version}\n' | sort
}

# Copies a file to the same path below /added. A folder on its way may be a link, such as /lib.
add() {
    folder=$(readlink -f "$(dirname "$1")")
    cp -a --parents "$folder/$(basename "$1")" /added
}

mkdir -p /added/usr/share/doc/kasm-db
installed > /tmp/before
apt-get update
# Without the terminal that apt makes for dpkg, which draws its progress in one.
apt-get install --yes --no-install-recommends --option=Dpkg::Use-Pty=0 "$@"
installed > /tmp/after
comm -13 /tmp/before /tmp/after > /tmp/new

while read -r package _; do
    dpkg-query --listfiles "$package" > /tmp/files
    while IFS= read -r path; do
        if [ -L "$path" ] || [ -f "$path" ]; then
            add "$path"
        fi
    done < /tmp/files
    for path in "/var/lib/dpkg/info/$package".*; do
        add "$path"
    done
done < /tmp/new
add /var/lib/dpkg/status
add /etc/ld.so.cache

# A bill of materials in the form of CycloneDX. Names and versions of packages have no character that JSON escapes.
{
    printf '{\n  "bomFormat": "CycloneDX",\n  "specVersion": "1.5",\n  "version": 1,\n  "components": ['
    separator=''
    while read -r package version; do
        printf '%s\n    {"type": "library", "name": "%s", "version": "%s", "purl": "pkg:deb/debian/%s@%s"}' \
            "$separator" "${package%:*}" "$version" "${package%:*}" "$version"
        separator=','
    done < /tmp/new
    printf '\n  ]\n}\n'
} > /added/usr/share/doc/kasm-db/packages.cdx.json
# The time of everything, if the same image is to come of it again.
if [ -n "${SOURCE_DATE_EPOCH-}" ]; then
    find /added -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
fi
