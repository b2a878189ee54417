#!/usr/bin/env bash
# Confluent's Python client against the embedded schema registry. Needs Go and Python 3.11 or later with pip; installs the
# client into a virtual environment that is kept between runs. Prints a line per check and "N passed, N failed"; exit 1 on a failure.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${CROSSWALK_LOCAL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/crosswalk-ci}
env=$cache/registry-witness-$(sha256sum <"$here/requirements.txt" | cut -c1-12)
if [[ ! -f $env/ready ]]; then
  python3 -m venv --clear "$env"
  "$env/bin/pip" install -q --no-deps -r "$here/requirements.txt"
  touch "$env/ready"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$here" && go build -o "$work/serve" ./serve)
mkfifo "$work/input"
"$work/serve" <"$work/input" >"$work/address" &
server=$!
exec 3>"$work/input" # the server lives until this is closed
for _ in {1..100}; do
  [[ -s $work/address ]] && break
  kill -0 "$server" || { echo "the registry did not start"; exit 1; }
  sleep 0.1
done
status=0
"$env/bin/python3" "$here/witness.py" "$(<"$work/address")" || status=$?
exec 3>&-
wait "$server"
exit "$status"
