#!/bin/sh
# Run the tests as strangers do: in a copy below a folder with a space in its name, as a user
# without a name and a home, with LANG=C, on one core, without network.
#
#   tests/robustness/environments.sh [PYTEST ARGUMENT ...]
#
# PYTHON     what makes the environment; the other user must be able to run it (default: python3)
# LIBRARIES  a site-packages folder that holds all libraries, to install nothing
#
# Another user and no network need root and Linux; what could not be tried is told at the end.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON:-python3}
user=54321
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' HUP INT TERM
copy="$work/a folder/inpaint"
mkdir -p "$copy" "$work/tmp"

(cd "$top" && git ls-files -z --cached --others --exclude-standard | tar --null -T - -cf -) |
	tar -xf - -C "$copy"
cd "$copy"
if [ -n "${LIBRARIES:-}" ]; then
	"$python" -m venv --without-pip .venv
	packages=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
	echo "$LIBRARIES" >"$packages/libraries.pth"
	touch .venv/.installed .venv/.installed-test
else
	make "PYTHON=$python" .venv/.installed-test
fi

missed=""
has() { command -v "$1" >/dev/null 2>&1; }
set -- env -i "PATH=$PATH" LANG=C TZ=Asia/Kathmandu "TMPDIR=$work/tmp" OMP_NUM_THREADS=1 \
	make test "PYTEST_ARGS=$*"
if has taskset; then set -- taskset -c 0 "$@"; else missed="$missed, one core"; fi
if [ "$(id -u)" = 0 ] && has setpriv; then
	chown -R "$user:$user" "$work"
	set -- setpriv --reuid="$user" --regid="$user" --clear-groups "$@"
else
	missed="$missed, another user"
fi
# The tests' own servers need the loopback, which a new network leaves down.
loopback='import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh14x", b"lo", 1))'
if [ "$(id -u)" = 0 ] && has unshare && unshare -n true 2>/dev/null; then
	# shellcheck disable=SC2016 # "$@" is for the inner shell
	set -- unshare -n sh -c '"$1" -c "$2" && shift 2 && exec "$@"' sh "$python" "$loopback" "$@"
else
	missed="$missed, no network"
fi
status=0
"$@" || status=$?
[ -z "$missed" ] || echo "not tried here: ${missed#, }"
exit "$status"
