#!/bin/sh
# Adds the certificates of the document to those that this image trusts.
set -eu
all=/etc/ssl/certs/ca-certificates.crt
mkdir -p /etc/ssl/certs
touch "$all"
for path in /usr/local/share/ca-certificates/kasm-db-*.crt; do
    cat "$path" >> "$all"
done
mkdir -p /added/etc/ssl/certs
cp -a "$all" /added/etc/ssl/certs/
