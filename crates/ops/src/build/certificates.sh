#!/bin/sh
# Adds the certificates of the document to those that this image trusts.
set -eu
all=/etc/ssl/certs/ca-certificates.crt
mkdir -p /etc/ssl/certs
touch "$all"
for path in /usr/local/share/ca-certificates/kasm-db-*.crt; do
    cat "$path" >> "$all"
done
mkdir -p /added/etc/ssl/certs /added/usr/local/share/ca-certificates
cp -a "$all" /added/etc/ssl/certs/
cp -a /usr/local/share/ca-certificates/kasm-db-*.crt /added/usr/local/share/ca-certificates/
# Whatever the modes of the files in the context are.
chmod 644 /added/usr/local/share/ca-certificates/*
# The time of everything, if the same image is to come of it again.
if [ -n "${SOURCE_DATE_EPOCH-}" ]; then
    find /added -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
fi
