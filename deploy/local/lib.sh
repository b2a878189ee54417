# shellcheck shell=bash disable=SC2034
# Sourced by `kafka` and `registry`: the cache of downloads, and processes with pid files.
cache=${CROSSWALK_LOCAL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/real-kafka}
state=${CROSSWALK_LOCAL_STATE:-${XDG_STATE_HOME:-$HOME/.local/state}/real-kafka}
patience=${CROSSWALK_LOCAL_WAIT:-180} # seconds a server may take to answer

die() { echo "${0##*/}: $*" >&2; exit 1; }

need() {
  local c
  for c in "$@"; do command -v "$c" >/dev/null || die "needs '$c' on the PATH"; done
}

# once NAME FUNCTION: makes $cache/NAME, unless it is there, by running FUNCTION in an empty folder.
# Appears whole or not at all, also when several callers race.
once() {
  [[ -d $cache/$1 ]] && return
  mkdir -p "$cache"
  (
    flock 9
    [[ -d $cache/$1 ]] && exit 0
    echo "${0##*/}: fetching $1 (once)" >&2
    part=$(mktemp -d "$cache/.part.XXXXXX") || exit 1
    trap 'rm -rf "$part"' EXIT
    (cd "$part" && "$2") >&2 </dev/null 9>&- && chmod 755 "$part" && mv -T "$part" "$cache/$1"
  ) 9>"$cache/.lock" || die "could not fetch $1 (see above); the next start tries again"
}

# three tries; -U forgets a failed look-up, -C refuses a broken download
maven() {
  local try
  for try in 1 2 3; do
    mvn -B -q -ntp -U -C -Dstyle.color=never "$@" && return
    sleep $((try * 2))
  done
  return 1
}
plugin=org.apache.maven.plugins:maven-dependency-plugin:3.8.1

# java_major JAVA: its major version
java_major() {
  local v
  v=$("$1" -XshowSettings:properties -version 2>&1 | sed -n 's/^ *java.specification.version = //p')
  echo "${v:-0}"
}

# alive PIDFILE MARK: the process still runs, and is ours (MARK is in its command line)
alive() {
  local pid
  pid=$(cat "$1" 2>/dev/null) && [[ $pid ]] &&
    [[ $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") == *"$2"* ]]
} 2>/dev/null

# launch PIDFILE MARK LOG COMMAND...: in the background, apart from this shell and its files
launch() {
  local pidfile=$1 mark=$2 log=$3 pid
  shift 3
  setsid "$@" >>"$log" 2>&1 </dev/null 8>&- &
  pid=$!
  echo "$pid" >"$pidfile"
  disown
  until alive "$pidfile" "$mark" || ! kill -0 "$pid" 2>/dev/null; do sleep 0.05; done # until it is COMMAND
}

# gone PIDFILE MARK SECONDS: waits until the process is gone
gone() {
  local end=$((SECONDS + $3))
  while alive "$1" "$2"; do
    ((SECONDS < end)) || return 1
    sleep 0.1
  done
}

# port_free PORT: a process that was just killed may hold it for a moment longer than it can be seen
port_free() {
  local end=$((SECONDS + 5))
  while (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do
    ((SECONDS < end)) || return 1
    sleep 0.1
  done
}

rss_mb() { awk '/^VmRSS/ {printf "%d MB", $2 / 1024}' "/proc/$1/status" 2>/dev/null; }
