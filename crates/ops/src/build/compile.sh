#!/bin/sh
# Compiles an extension against the PostgreSQL of this image, and installs it below /added: the final image gets that and
# nothing else.
#
# Usage: compile.sh NAME URL SHA256
set -eu
name=$1 url=$2 sha256=$3
export PATH="$PATH:/usr/sbin:/sbin"

if command -v apk > /dev/null; then
    apk add --no-cache gcc krb5-dev make musl-dev openssl-dev
    wget -O "/tmp/$name.tar.gz" "$url"
else
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    # Without the terminal that apt makes for dpkg, which draws its progress in one.
    apt-get install --yes --no-install-recommends --option=Dpkg::Use-Pty=0 \
        curl gcc libc6-dev libkrb5-dev make "postgresql-server-dev-$PG_MAJOR"
    curl --fail --location --output "/tmp/$name.tar.gz" "$url"
fi
echo "$sha256  /tmp/$name.tar.gz" | sha256sum -c -
mkdir -p "/tmp/$name" /added
tar -xf "/tmp/$name.tar.gz" -C "/tmp/$name" --strip-components=1
# Without the bitcode for the just-in-time compiler, whose compiler the base does not have.
make -C "/tmp/$name" USE_PGXS=1 with_llvm=no
make -C "/tmp/$name" USE_PGXS=1 with_llvm=no DESTDIR=/added install
# Whatever its mode in the context is.
chmod 644 /added/usr/share/doc/kasm-db/sources.cdx.json
# The time of everything, if the same image is to come of it again.
if [ -n "${SOURCE_DATE_EPOCH-}" ]; then
    find /added -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
fi
