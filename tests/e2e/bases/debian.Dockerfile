# The base of `kasm-db build` with the sources of a Debian from which packages can be installed.
ARG BASE
FROM $BASE
COPY sources/ /etc/apt/
