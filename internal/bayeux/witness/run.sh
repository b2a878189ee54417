#!/usr/bin/env bash
# Holds our Bayeux client against two servers that others wrote: CometD's own (Java, from Maven Central) and faye
# (JavaScript, from npm). Needs Go, a JDK 17 or newer with Maven, and Node; keeps what it downloads in the caches of
# these tools. Prints a line per check and "N passed, N failed"; exit status 1 when one failed. WITNESS_ONLY="faye" runs
# only the named ones.
set -uo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
pids=()
finish() {
  ((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null
  wait 2>/dev/null
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

passed=0 failed=0

fail() {
  printf 'FAIL %s\n' "$1"
  failed=$((failed + 1))
}

# witness NAME COMMAND…: starts a server, waits for its READY line, and runs the checks against it.
witness() {
  local name=$1 ready='' i
  shift
  : >"$work/$name.out"
  "$@" >"$work/$name.out" 2>"$work/$name.err" &
  local pid=$!
  pids+=("$pid")
  for ((i = 0; i < 300; i++)); do
    ready=$(grep -m1 '^READY ' "$work/$name.out") && break
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  if [[ -z $ready ]]; then
    fail "$name: the server did not start"
    tail -n 20 "$work/$name.out" "$work/$name.err"
    return
  fi
  # shellcheck disable=SC2086 # READY BAYEUX-URL CONTROL-URL
  "$work/witness" "$name" ${ready#READY } | tee "$work/$name.checks" | grep -v ' passed, '
  passed=$((passed + $(grep -c '^ok ' "$work/$name.checks")))
  failed=$((failed + $(grep -c '^FAIL ' "$work/$name.checks")))
  grep -q ' passed, ' "$work/$name.checks" || fail "$name: the checks did not end"
  if grep -q '^FAIL ' "$work/$name.checks"; then tail -n 20 "$work/$name.err"; fi
  kill "$pid" 2>/dev/null
}

wanted() { [[ -z ${WITNESS_ONLY:-} || " $WITNESS_ONLY " == *" $1 "* ]]; }

cometd() {
  cp -r cometd "$work/cometd" &&
    mvn -q -B -f "$work/cometd/pom.xml" compile dependency:copy-dependencies -DoutputDirectory="$work/cometd/lib" >"$work/mvn.log" 2>&1 ||
    { fail "cometd: Maven could not build the server"; tail -n 20 "$work/mvn.log"; return; }
  witness cometd java -cp "$work/cometd/target/classes:$work/cometd/lib/*" witness.CometD
}

faye() {
  cp -r faye "$work/faye" &&
    (cd "$work/faye" && npm ci --no-audit --no-fund >"$work/npm.log" 2>&1) ||
    { fail "faye: npm could not install the server"; tail -n 20 "$work/npm.log"; return; }
  witness faye node "$work/faye/server.js"
}

go build -o "$work/witness" . || fail "the checks do not compile"
if [[ -x $work/witness ]]; then
  if wanted cometd; then cometd; fi
  if wanted faye; then faye; fi
fi
printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0 && passed > 0))
