# shellcheck shell=bash
# Installs what tests and benchmarks need from Debian; to be sourced. A table has a line for each thing: its name, the command or
# file that shows it is there, and its package, with two spaces or more between them.

is_there() {
    case $1 in
        /*) [ -e "$1" ] ;;
        pip) python3 -m pip --version > /dev/null 2>&1 ;;
        *) command -v "$1" > /dev/null ;;
    esac
}

# Prints one column of a table for what is not there: 1 for the names, 3 for the packages.
missing() {
    local name proof package
    sed -n 's/   */\t/gp' <<< "$2" | while IFS=$'\t' read -r name proof package; do
        if ! is_there "$proof"; then
            if [ "$1" = 1 ]; then echo "$name"; else echo "$package"; fi
        fi
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Installs packages, and leaves neither a running server nor a cluster behind: the tests make their own.
install() {
    local policy=/usr/sbin/policy-rc.d clusters=/etc/postgresql-common/createcluster.conf
    as_root apt-get update -qq
    if [ ! -e $policy ]; then
        trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy > /dev/null
        as_root chmod 755 $policy
    fi
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends)
    if [[ " $* " == *" postgresql-15 "* ]]; then
        # Its own file must be there before it can be changed, and it comes back unchanged.
        as_root "${apt[@]}" postgresql-common
        as_root cp -p $clusters $clusters.kasm-db
        echo 'create_main_cluster = false' | as_root tee -a $clusters > /dev/null
        as_root "${apt[@]}" "$@" || { as_root mv $clusters.kasm-db $clusters; return 1; }
        as_root mv $clusters.kasm-db $clusters
    else
        as_root "${apt[@]}" "$@"
    fi
    if [ -n "$(trap -p EXIT)" ]; then
        as_root rm -f $policy
        trap - EXIT
    fi
}

# Installs what a table names and is not there, where this is Debian. Fails if something is missing after it.
install_missing() {
    local packages
    mapfile -t packages < <(missing 3 "$1")
    if [ ${#packages[@]} -gt 0 ] && grep -qsE '^ID(_LIKE)?=.*debian' /etc/os-release; then
        echo "installing ${packages[*]}"
        install "${packages[@]}"
    fi
    local names
    mapfile -t names < <(missing 1 "$1")
    if [ ${#names[@]} -gt 0 ]; then
        printf 'missing: %s\n' "${names[@]}"
        echo "install them as on Debian 12, where this script does it"
        return 1
    fi
}
