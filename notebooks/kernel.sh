#!/bin/sh
# Builds gophernotes with the Go on the PATH, and puts it where Jupyter looks for
# kernels, or into the folder named.
#
#   sh notebooks/kernel.sh [FOLDER]
#
# Exits with 77 if the modules cannot be fetched.
#
# As published it does not work with Go 1.24 to 1.26: its golang.org/x/tools cannot
# read what these compilers export, and its interpreter needs gomacro.patch. So it is
# built in a module that has a newer one of the former and a patched copy of the latter.
set -eu

patch=$(cd "$(dirname "$0")" && pwd)/gomacro.patch
folder=${1:-$(jupyter --data-dir)/kernels}/gophernotes
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
cd "$work"

go mod init kernel
go get github.com/gopherdata/gophernotes@v0.7.5 golang.org/x/tools@v0.38.0 || exit 77
cp -R "$(go list -m -f '{{.Dir}}' github.com/cosmos72/gomacro)" gomacro
chmod -R u+w gomacro
patch -s -d gomacro -p1 <"$patch"
go mod edit -replace github.com/cosmos72/gomacro=./gomacro
CGO_ENABLED=1 go build -o "$folder/gophernotes" github.com/gopherdata/gophernotes

cat >"$folder/kernel.json" <<'JSON'
{
 "argv": ["{resource_dir}/gophernotes", "{connection_file}"],
 "display_name": "Go",
 "language": "go",
 "name": "gophernotes",
 "env": {"CGO_ENABLED": "1", "GODEBUG": "gotypesalias=0"}
}
JSON
echo "$folder"
