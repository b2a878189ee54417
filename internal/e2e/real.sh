#!/usr/bin/env bash
# The real run: the binary against Apache Kafka and a real schema registry, which it starts and wipes itself.
#
#   internal/e2e/real.sh BINARY
#
# demo         `demo --once` on them
# subscribers  two that share nothing with Crosswalk read every topic: Confluent's Python client, and kafkajs
# sources      a Python program puts ERP customers into every kind of source, PostgreSQL too, and reads erp.customer back
# salesforce   the kill trial (kill/main.go): SIGKILL and SIGSTOP of the whole pipeline while a simulated org changes
# backfill     one process asks another for a backfill, steers it and outlives it (backfill/main.go)
# share        processes join, leave and are killed while they share orgs (share/main.go)
# matcher      SIGKILL and SIGSTOP of matchers that share orgs, and of the broker, while events flow (match/main.go)
#
# Prints a line per check, "N passed, N failed" last; exit status 1 when one failed. Needs Java, Maven, Python 3.11 with venv,
# Node.js with npm. What is downloaded is kept in CROSSWALK_LOCAL_CACHE.
#
# CROSSWALK_TEST_PARTS runs only the named parts. CROSSWALK_TEST_FULL=1 runs the trials at their full length, an hour:
# 200 kills of the pipeline, 200 kills each of three matchers and of one under a million events each, 20 kills of the broker.
# CROSSWALK_TEST_PORT (28092) is the first of seven ports; CROSSWALK_TEST_SEED repeats a trial.
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
root=$(dirname "$(dirname "$here")")
(($# == 1)) && [[ -x $1 ]] || { echo "usage: real.sh BINARY" >&2; exit 2; }
binary=$(readlink -f "$1")
for c in java mvn python3 node npm go; do
  command -v "$c" >/dev/null || { echo "real.sh: needs '$c' on the PATH" >&2; exit 1; }
done
export CROSSWALK_LOCAL_CACHE=${CROSSWALK_LOCAL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/crosswalk-ci}
port=${CROSSWALK_TEST_PORT:-28092}
work=$(mktemp -d)
passed=0 failed=0

kafka() { "$root/deploy/local/kafka" "$@" --data "$work/kafka"; }
registry() { "$root/deploy/local/registry" "$@" --data "$work/registry"; }
postgres() { "$root/deploy/local/postgres" "$@" --data "$work/postgres"; }

clean() {
  [[ ! -d $work/postgres ]] || postgres wipe || true
  [[ ! -d $work/registry ]] || registry wipe || true
  [[ ! -d $work/kafka ]] || kafka wipe || true
  rm -rf "$work"
}
trap clean EXIT
trap 'exit 1' INT TERM

# count LINE: adds the figures of a program's last line
count() {
  if [[ $1 =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
    return
  fi
  failed=$((failed + 1))
  echo "FAILED it did not come to its end: $1"
}

# program NAME SECONDS COMMAND…: runs one that prints "N passed, N failed" last
program() {
  local name=$1 limit=$2 began=$SECONDS
  shift 2
  printf '\n--- %s\n' "$name"
  timeout "$limit" "$@" 2>&1 | tee "$work/out" | sed '$d' || true # what it says counts, not how it ends
  count "$(tail -n 1 "$work/out")"
  printf '    %d s\n' $((SECONDS - began))
}

demo() {
  local began=$SECONDS
  printf '\n--- the demo\n'
  local status=0
  timeout 120 "$binary" demo --once --config "$work/crosswalk.yaml" || status=$?
  if ((status == 0)); then
    passed=$((passed + 1))
    echo "ok     demo --once ends with 0 ($((SECONDS - began)) s)"
  else
    failed=$((failed + 1))
    echo "FAILED demo --once ends with 0: it ended with $status"
  fi
}

# installed FILE COMMAND…: makes a folder of the cache that belongs to the content of FILE, once; prints it
installed() {
  local file=$1 folder
  folder=$CROSSWALK_LOCAL_CACHE/subscriber-$(sha256sum "$file" | cut -c1-12)
  shift
  (
    mkdir -p "$CROSSWALK_LOCAL_CACHE"
    flock 9
    [[ -f $folder/complete ]] || { rm -rf "$folder" && mkdir "$folder" && "$@" "$folder" >&2 && touch "$folder/complete"; }
  ) 9>"$CROSSWALK_LOCAL_CACHE/.subscriber-lock" && echo "$folder"
}
python_packages() {
  python3 -m venv "$1" && "$1/bin/pip" install -q --no-input --disable-pip-version-check -r "$here/subscriber/requirements.txt"
}
node_packages() {
  cp "$here/subscriber/package.json" "$1" && npm install --prefix "$1" --silent --no-audit --no-fund --ignore-scripts
}

# wanted PART: whether it is to run
wanted() { [[ " ${CROSSWALK_TEST_PARTS:-demo subscribers salesforce backfill share matcher} " == *" $1 "* ]]; }

# trial NAME PROGRAM ARGS…: runs one on the brokers, for an hour at most
trial() {
  local name=$1 what=$2
  shift 2
  (cd "$root" && go build -o "$work/$what" "./internal/e2e/$what")
  program "$name" 3600 "$work/$what" -binary "$binary" -brokers "$brokers" -registry "$url" -seed "${CROSSWALK_TEST_SEED:-0}" "$@"
}

brokers=$(kafka start --port "$port" --set group.min.session.timeout.ms=1000) # a killed owner is replaced soon
url=$(registry start --port $((port + 6)))
cat >"$work/crosswalk.yaml" <<Y
data_dir: $work/data
kafka:
  brokers: ["$brokers"]
schema_registry:
  url: $url
Y
echo "Kafka $brokers, schema registry $url ($SECONDS s)"
if wanted demo; then demo; fi

venv=$(installed "$here/subscriber/requirements.txt" python_packages)
if wanted subscribers; then
  modules=$(installed "$here/subscriber/package.json" node_packages)
  program "an outside subscriber in Python" 120 "$venv/bin/python" "$here/subscriber/subscribe.py" "$brokers" "$url"
  NODE_MODULES=$modules program "an outside subscriber in JavaScript" 120 node "$here/subscriber/subscribe.mjs" "$brokers" "$url"
fi
if wanted sources; then
  chmod 755 "$work" # the database is another user
  program "the ERP sources" 180 "$venv/bin/python" "$here/subscriber/sources.py" "$binary" "$brokers" "$url" "$(postgres start)"
fi

if wanted backfill; then trial "backfills by the command line" backfill; fi

killbroker="'$root/deploy/local/kafka' kill9 1 --data '$work/kafka' && '$root/deploy/local/kafka' restart 1 --data '$work/kafka'"
if [[ ${CROSSWALK_TEST_FULL:-} ]]; then
  if wanted salesforce; then trial "SIGKILL and SIGSTOP of the pipeline" kill -kills 200 -pauses 20; fi
  if wanted share; then trial "processes that share orgs" share -session 3s -kills 10; fi
  if wanted matcher; then
    trial "SIGKILL and SIGSTOP of three matchers" match -processes 3 -kills 200 -pauses 20 -events 1000000
    trial "SIGKILL of one matcher" match -processes 1 -kills 200 -events 1000000
    trial "SIGKILL of the broker" match -processes 2 -kills 0 -broker-kills 20 -kill-broker "$killbroker" -events 40000
  fi
else
  if wanted salesforce; then trial "SIGKILL and SIGSTOP of the pipeline" kill -accounts 2000 -contacts 4000 -kills 20 -pauses 4; fi
  if wanted share; then trial "processes that share orgs" share -session 3s -kills 2; fi
  if wanted matcher; then
    trial "SIGKILL and SIGSTOP of three matchers, SIGKILL of the broker" match -processes 3 -kills 16 -pauses 3 -broker-kills 2 \
      -kill-broker "$killbroker" -events 40000
  fi
fi

printf '\n%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
