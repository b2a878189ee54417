#!/usr/bin/env bash
# The PostgreSQL source against a real server, which deploy/local/postgres starts and wipes. Needs Go. Prints a line per check and
# "N passed, N failed"; exit 1 on a failure.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

postgres=$here/../../../deploy/local/postgres
work=$(mktemp -d)
chmod 755 "$work" # the server is another user
trap '"$postgres" wipe --data "$work/postgres"; rm -rf "$work"' EXIT
address=$("$postgres" start --data "$work/postgres")

(cd "$here/postgres" && go build -o "$work/witness" .)
printf '#!/usr/bin/env bash\nexec %q "$1" --data %q\n' "$(readlink -f "$postgres")" "$work/postgres" >"$work/server"
chmod +x "$work/server"
status=0
CROSSWALK_TEST_POSTGRES="$address" timeout 300 "$work/witness" "$work/server" || status=$?
exit "$status"
