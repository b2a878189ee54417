#!/bin/sh
# Runs Salesforce clients that know nothing of this project against a freshly started `crosswalk simulator`.
#
# usage: run.sh [PROGRAM [WITNESS…]]
#
# PROGRAM is the built crosswalk (default: it is built from this source), a WITNESS a file beside this one (default: all).
# Each witness prints a line per check and "N passed, N failed" last. Exits 1 when one of them failed.
# CROSSWALK_LOCAL_CACHE is where the clients are installed, by package name (default: ~/.cache/crosswalk-ci).
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cache=${CROSSWALK_LOCAL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/crosswalk-ci}/witness-simulator
mkdir -p "$cache"
work=$(mktemp -d)
simulator=
trap 'if [ -n "$simulator" ]; then kill "$simulator" 2>/dev/null || true; fi; rm -rf "$work"' EXIT INT TERM

# The clients are installed again only when their pinned versions change.
if ! cmp -s "$here/requirements.txt" "$cache/requirements.txt"; then
	rm -rf "$cache/python"
	python3 -m venv "$cache/python"
	"$cache/python/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
	cp "$here/requirements.txt" "$cache/requirements.txt"
fi
if ! cmp -s "$here/package-lock.json" "$cache/installed-lock.json"; then
	cp "$here/package.json" "$here/package-lock.json" "$cache/"
	(cd "$cache" && npm ci --ignore-scripts --no-audit --no-fund --loglevel error)
	cp "$here/package-lock.json" "$cache/installed-lock.json"
fi

program=${1:-}
[ $# -eq 0 ] || shift
if [ -z "$program" ]; then
	program=$work/crosswalk
	(cd "$here" && go build -o "$program" crosswalk/cmd/crosswalk)
fi

[ $# -gt 0 ] || set -- simple_salesforce.py aiosfstream_ng.py jsforce.mjs jsforce_streaming.mjs
status=0
for witness; do
	# Each witness has an org of its own, so that none depends on what another left behind.
	"$program" simulator --seed 7 --accounts 5000 --contacts 3000 >"$work/ready.json" 2>"$work/simulator.log" &
	simulator=$!
	tries=0
	until [ -s "$work/ready.json" ]; do
		tries=$((tries + 1))
		if [ "$tries" -gt 100 ] || ! kill -0 "$simulator" 2>/dev/null; then
			echo "the simulator did not start:" >&2
			cat "$work/simulator.log" >&2
			exit 1
		fi
		sleep 0.1
	done
	echo "== $witness"
	case $witness in
	*.py) "$cache/python/bin/python" "$here/$witness" "$work/ready.json" || status=1 ;;
	*) NODE_PATH=$cache/node_modules node "$here/$witness" "$work/ready.json" || status=1 ;;
	esac
	kill "$simulator" 2>/dev/null || true
	wait "$simulator" 2>/dev/null || true
	simulator=
	: >"$work/ready.json"
done
exit $status
