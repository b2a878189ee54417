#!/usr/bin/env bash
# The PostgreSQL source against a real server: Debian's package, started by a user without privileges in a folder of its own on a
# free port, and stopped again. Needs Go; installs the package when it is missing and may be installed. Prints a line per
# check and "N passed, N failed"; exit 1 on a failure.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

if ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null
fi
bin=$(dirname "$(printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)")

work=$(mktemp -d)
user=()
if ((EUID == 0)); then # the server refuses to run as root
  chown postgres "$work"
  user=(runuser -u postgres --)
fi
data=$work/data
stop() { "${user[@]}" "$bin/pg_ctl" -D "$data" -m immediate -w stop >/dev/null 2>&1 || true; }
trap 'stop; rm -rf "$work"' EXIT

free_port() { # one that nobody listens on now
  local port
  for _ in {1..50}; do
    port=$((20000 + RANDOM % 20000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
  return 1
}
port=$(free_port)
password=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
printf '%s' "$password" >"$work/password"
chmod 644 "$work/password"
"${user[@]}" "$bin/initdb" -D "$data" -U crosswalk --pwfile="$work/password" -A scram-sha-256 -E UTF8 --no-sync >"$work/initdb.log" 2>&1 ||
  { cat "$work/initdb.log"; exit 1; }
start=("${user[@]}" "$bin/pg_ctl" -D "$data" -w -l "$data/log"
  -o "-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories='' -c fsync=off" start)
"${start[@]}" >/dev/null || { cat "$data/log"; exit 1; }

(cd "$here/postgres" && go build -o "$work/witness" .)
cat >"$work/server" <<SCRIPT
#!/usr/bin/env bash
case \$1 in
start) $(printf '%q ' "${start[@]}") ;;
stop) $(printf '%q ' "${user[@]}" "$bin/pg_ctl" -D "$data" -m fast -w stop) ;;
esac
SCRIPT
chmod +x "$work/server"
status=0
CROSSWALK_TEST_POSTGRES="postgres://crosswalk:$password@127.0.0.1:$port/postgres" timeout 300 "$work/witness" "$work/server" || status=$?
exit "$status"
