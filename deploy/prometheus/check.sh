#!/usr/bin/env bash
# A real Prometheus scrapes a running demo: every expression of the alert rules and of the dashboard is evaluated by it.
# usage: check.sh CROSSWALK-BINARY      prints a line per check, "N passed, N failed" last
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
binary=$(realpath "$1")
work=$(mktemp -d)
pids=()
finish() {
  ((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
passed=0 failed=0
check() { # WHAT COMMAND…
  local what=$1
  shift
  if "$@" >"$work/out" 2>&1; then
    passed=$((passed + 1)); echo "ok     $what"
  else
    failed=$((failed + 1)); echo "FAILED $what"; tail -n 5 "$work/out"
  fi
}
await() { # SECONDS COMMAND…
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || return 1
    sleep 0.3
  done
}
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

check "promtool accepts the rules" promtool check rules "$here/rules.yml"
check "promtool accepts the configuration" promtool check config --syntax-only "$here/prometheus.yml"

"$binary" demo >"$work/demo.out" 2>"$work/demo.err" &
pids+=($!)
await 60 grep -q "keeps changing" "$work/demo.out" || { cat "$work/demo.out" "$work/demo.err"; exit 1; }
console=$(awk '/^Console/ { print $2 }' "$work/demo.out")

cp "$here/rules.yml" "$work/"
cat >"$work/prometheus.yml" <<P
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
scrape_configs:
  - job_name: crosswalk
    static_configs: [{targets: ["${console#http://}"]}]
P
port=$(free_port)
prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/data" --web.listen-address=127.0.0.1:"$port" \
  >"$work/prometheus.log" 2>&1 &
pids+=($!)
url=http://127.0.0.1:$port
ask() { curl -sf --noproxy '*' -m 10 -G "$url/api/v1/query" --data-urlencode "query=$1"; }
holds() { ask "$1" | python3 -c 'import json, sys; sys.exit(not json.load(sys.stdin)["data"]["result"])'; }
check "Prometheus scrapes the console" await 30 holds 'up{job="crosswalk"} == 1'
check "promtool finds nothing to mend in the exposition" bash -c "curl -sf --noproxy '*' '$console/metrics' | promtool check metrics"
for query in 'crosswalk_matcher_matched_customers > 500' 'crosswalk_matcher_near_miss_records > 0' 'sum(crosswalk_salesforce_rows_total) > 600' \
  'sum(crosswalk_salesforce_events_total) > 0' 'crosswalk_salesforce_holes_open == 0' 'crosswalk_topic_records_written_total > 1000' \
  'crosswalk_erp_published_total > 500' 'crosswalk_sfapi_api_limit_max > 0'; do
  check "$query" await 15 holds "$query"
done
python3 - "$here" >"$work/queries" <<'P'
import json, pathlib, re, sys
here = pathlib.Path(sys.argv[1])
board = json.load(open(here.parent / "grafana/dashboards/crosswalk.json"))
for panel in board["panels"]:
    for target in panel.get("targets", []):
        print(target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*"))
P
while IFS= read -r query; do check "dashboard: $query" ask "$query"; done <"$work/queries"
firing() { curl -sf --noproxy '*' "$url/api/v1/alerts" | python3 -c 'import json, sys; a = json.load(sys.stdin)["data"]["alerts"]; print(a); sys.exit(bool(a))'; }
check "no alert fires on a healthy demo" firing
printf '\n%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
