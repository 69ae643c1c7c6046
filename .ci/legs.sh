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
