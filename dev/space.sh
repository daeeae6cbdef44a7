#!/usr/bin/env bash
# shellcheck shell=bash
# A *space* is a network namespace and a mount namespace of its own, whose
# processes all sit in one cgroup. Killing that cgroup removes everything: the
# namespaces live only as long as the processes, and with them go all mounts
# and interfaces. `cluster` and `network` are built on this file.
#
# A space's state: $SPACES/NAME/{index,group,*.pid,log/,pki/,…}
set -euo pipefail

here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
SPACES=$(realpath -m "${PINNACE_SPACES:-/var/tmp/pinnace}")
TOOLS=$(realpath -m "${PINNACE_TOOLS:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/pinnace/tools}")
cgroups=/sys/fs/cgroup
trusted=/etc/ssl/certs/ca-certificates.crt

die() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# Prints the comment at the top of the script.
usage() {
  sed -n '2,/^[^#]/{/^# shellcheck/d; s/^# \{0,1\}//p}' "$0" >&2
  exit 2
}

# Sets the variables of the space NAME.
use() {
  name=$1 state=$SPACES/$1
  [[ -e $state/index ]] || die "there is no space $name in $SPACES"
  index=$(<"$state/index")
  net=10.$((100 + index))
  node_ip=$net.0.1 registry_ip=$net.0.2
}

# new_space NAME OWNER: an empty space: its folder, index, cgroup and namespaces.
# It goes again when this script ends without `keep`, and when OWNER, if any, ends.
new_space() {
  check_host
  [[ $1 =~ ^[a-z][a-z0-9-]{0,29}$ ]] || die "bad name '$1': use a-z, 0-9 and -"
  [[ -z $2 || -d /proc/$2 ]] || die "there is no process $2 to own $1"
  mkdir -p "$SPACES/.indexes"
  sweep
  mkdir "$SPACES/$1" 2>/dev/null || die "$1 exists already; to remove it: dev/cluster down $1"
  local i=0
  until mkdir "$SPACES/.indexes/$i" 2>/dev/null; do
    ((++i < 100)) || die "no index is free in $SPACES/.indexes"
  done
  echo "$i" >"$SPACES/$1/index"
  use "$1"
  mkdir "$state"/{log,pki,etc,etc.work,published}
  mktemp -d "$tracked/pinnace-$name-XXXXXX" >"$state/group"
  watch_over "$2"
  mkdir "$(<"$state/group")/processes"
  {
    cat /etc/hosts
    echo "$node_ip $name.test"
    echo "$registry_ip registry.test"
  } >"$state/hosts"
  hold >"$state/log/holder.log" 2>&1 </dev/null &
  echo $! >"$state/holder.pid"
  wait_for 10 holder "namespaces of $name" test -e "$state/held"
}

# Removes what a power cut, or the end of a container, left: spaces whose processes are gone.
sweep() {
  local folder group
  for folder in "$SPACES"/*/; do
    [[ -e $folder/kept ]] || continue
    group=$(cat "$folder/group" 2>/dev/null) || continue
    grep -qs 'populated 1' "$group/cgroup.events" || (remove_space "$(basename "$folder")")
  done
}

# Says what this machine lacks, before anything is made.
check_host() {
  ((EUID == 0)) || die 'namespaces and cgroups need root: try sudo'
  [[ -x $TOOLS/kubelet ]] || die "no tools in $TOOLS; run dev/build-tools"
  local missing=() program
  for program in runc nft conntrack ip ss jq openssl curl socat tinyproxy nsenter; do
    command -v "$program" >/dev/null || missing+=("$program")
  done
  ((${#missing[@]} == 0)) || die "missing: ${missing[*]}; run dev/install"
  (umask 077 && mkdir -p "$SPACES")
  [[ $(stat -f -c %T "$SPACES") != overlayfs ]] ||
    die "$SPACES is on an overlay, which cannot hold another: set PINNACE_SPACES to a folder on a disk or tmpfs"
  find_cgroups
}

# Where the kernel keeps cgroup v2, by which spaces are killed: alone, or beside
# the controllers of cgroup v1.
# shellcheck disable=SC2034  # `cluster` asks for the version
find_cgroups() {
  if [[ $(stat -f -c %T "$cgroups") == cgroup2fs ]]; then
    cgroup_version=2 tracked=$cgroups
  elif [[ $(stat -f -c %T "$cgroups/unified" 2>/dev/null) == cgroup2fs ]]; then
    cgroup_version=1 tracked=$cgroups/unified
  else
    die "no cgroup v2 in $cgroups or $cgroups/unified"
  fi
}

# The first process of a space: makes the namespaces and keeps them open. /run
# is its own, so that containerd's sockets stay apart from other spaces'.
hold() {
  echo "$BASHPID" >"$(<"$state/group")/processes/cgroup.procs"
  # shellcheck disable=SC2016  # expanded by the inner shell
  exec unshare --net --mount bash -euc '
    mount -t overlay -o "lowerdir=/etc,upperdir=$0/etc,workdir=$0/etc.work" etc /etc
    mount -t tmpfs -o mode=755 run /run
    mount --make-rshared / # within this mount namespace only
    cat "$0/hosts" >/etc/hosts
    rm -f /etc/resolv.conf
    ip link set lo up
    ip route add unreachable default metric 1000
    echo 1 >/proc/sys/net/ipv4/ip_forward
    touch "$0/held"
    exec sleep infinity' "$state"
}

# watch_over OWNER: a process outside the space that removes it when the owner
# ends, or this script before it called `keep`. It outlives Ctrl-C and kill -9
# of either, and goes with the space.
watch_over() {
  setsid "$here/space.sh" watch "$name" "$(<"$state/group")" "$$" "$1" \
    >"$state/log/watch.log" 2>&1 </dev/null &
  echo $! >"$state/watch.pid"
  trap give_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
}

# The space is ready: from here on it lives until it is removed, or its owner ends.
keep() {
  touch "$state/kept"
  trap - EXIT INT TERM HUP
}

give_up() {
  local status=$?
  [[ ! -d $state ]] || remove_space "$name"
  exit "$status"
}

# watch NAME GROUP MAKER OWNER: another space may bear the name by the time the
# owner ends; its cgroup tells.
watch() {
  ends "$3"
  if [[ -e $SPACES/$1/kept ]]; then
    [[ -n $4 ]] || exit 0
    ends "$4"
  fi
  if [[ $(cat "$SPACES/$1/group" 2>/dev/null) == "$2" ]]; then remove_all "$1"; fi
}

ends() { tail --pid="$1" --sleep-interval=0.5 -f /dev/null; }

# Becomes a command of the space NAME: in its cgroup, network and mounts.
exec_inside() {
  local folder=$SPACES/$1
  shift
  echo "$BASHPID" >"$(<"$folder/group")/processes/cgroup.procs"
  exec nsenter --target "$(<"$folder/holder.pid")" --net --mount --wdns="$PWD" -- "$@"
}

inside() { (exec_inside "$@"); }

# start COMPONENT CMD…: runs a daemon of the current space in a clean environment.
start() {
  local component=$1
  shift
  exec_inside "$name" env -i PATH="$TOOLS:/usr/sbin:/usr/bin:/sbin:/bin" HOME="$state" "$@" \
    >"$state/log/$component.log" 2>&1 </dev/null &
  echo $! >"$state/$component.pid"
}

# wait_for SECONDS COMPONENT WHAT CMD…: polls until CMD succeeds; if the component
# stops or the time is up, shows the end of its log.
wait_for() {
  local deadline=$((SECONDS + $1)) component=$2 what=$3 reason=
  shift 3
  until "$@" >/dev/null 2>&1; do
    kill -0 "$(<"$state/$component.pid")" 2>/dev/null || reason='has stopped'
    ((SECONDS < deadline)) || reason='took too long'
    if [[ -n $reason ]]; then
      tail -n 20 "$state/log/$component.log" | cut -c -400 >&2
      die "no $what: $component $reason"
    fi
    sleep 0.1
  done
}

# publish WHAT ADDRESS:PORT [HOST-PORT]: makes it reachable from the machine, on a
# port of 127.0.0.1 (a free one, if none is given) that goes to published/WHAT.
# Two relays meet in a socket file, since files cross network namespaces.
publish() {
  local relay=$state/$1.sock
  start "$1-inner" socat "UNIX-LISTEN:$relay,fork,backlog=128" "TCP:$2"
  (
    echo "$BASHPID" >"$(<"$state/group")/processes/cgroup.procs"
    exec socat -t 30 "TCP-LISTEN:${3:-0},bind=127.0.0.1,fork,reuseaddr,backlog=128" "UNIX-CONNECT:$relay"
  ) >"$state/log/$1-outer.log" 2>&1 </dev/null &
  echo $! >"$state/$1-outer.pid"
  wait_for 10 "$1-inner" "relay of $1" test -S "$relay"
  wait_for 10 "$1-outer" "port for $1" listening_port "$1"
  listening_port "$1" >"$state/published/$1"
}

listening_port() {
  ss -Hltnp | sed -nE "s/.* 127\.0\.0\.1:([0-9]+) .*pid=$(<"$state/$1-outer.pid"),.*/\1/p" | grep .
}

# issue FILE SUBJECT [SAN]: a certificate signed by the space's own CA.
issue() {
  local pki=$state/pki
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
    -subj "$2" -keyout "$pki/$1.key" 2>/dev/null |
    openssl x509 -req -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -CAcreateserial -days 30 \
      -out "$pki/$1.crt" 2>/dev/null -extfile <(
        echo 'subjectKeyIdentifier=hash'
        echo 'authorityKeyIdentifier=keyid'
        echo 'extendedKeyUsage=serverAuth,clientAuth'
        [[ -z ${3:-} ]] || echo "subjectAltName=$3"
      )
}

make_ca() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
    -subj "/CN=$name CA" -addext 'keyUsage=critical,keyCertSign,cRLSign' \
    -keyout "$state/pki/ca.key" -out "$state/pki/ca.crt" 2>/dev/null
}

# make_pki NAME…: the space's CA, and one certificate (tls.crt) that is good for
# the names, for every address of the space, and for the machine's loopback.
make_pki() {
  local names
  make_ca
  names=$(printf 'DNS:%s,' "$@")
  issue tls "/CN=$1" "${names}DNS:localhost,IP:127.0.0.1,IP:$node_ip,IP:$registry_ip"
  trust "$name" "$state/pki/ca.crt"
}

# trust NAME CA-FILE: programs started later in the space NAME trust this CA.
trust() { inside "$1" tee -a "$trusted" <"$2" >/dev/null; }

# start_registry USER:PASSWORD: an OCI registry on $registry_ip:443, open to all if
# the argument is empty. Accounts added later to $state/htpasswd (bcrypt) count at once.
start_registry() {
  local auth=''
  if [[ -n $1 ]]; then
    # shellcheck disable=SC2016  # perl variables and a bcrypt prefix
    echo "${1%%:*}:$(perl -e 'print crypt($ARGV[0], q($2b$05$) . $ARGV[1])' \
      "${1#*:}" "$(openssl rand -hex 11)")" >"$state/htpasswd"
    auth="auth: {htpasswd: {realm: $name, path: $state/htpasswd}}"
  fi
  cat >"$state/registry.yaml" <<YAML
version: 0.1
storage: {filesystem: {rootdirectory: $state/registry}, delete: {enabled: true}}
http: {addr: "$registry_ip:443", tls: {certificate: $state/pki/tls.crt, key: $state/pki/tls.key}}
$auth
YAML
  start registry env OTEL_TRACES_EXPORTER=none "$TOOLS/registry" serve "$state/registry.yaml"
  publish registry "$registry_ip:443"
}

wait_for_registry() {
  wait_for 20 registry 'registry' inside "$name" curl -s --max-time 2 "https://registry.test/v2/"
}

# The router of a link goes with the cluster it serves.
remove_all() {
  [[ ! -d $SPACES/$(router "$1") ]] || remove_space "$(router "$1")"
  [[ ! -d $SPACES/$1 ]] || remove_space "$1"
}

router() { echo "wan-$1"; }

# Ends every process of the space NAME and removes what it made. A space that
# was half made, or half removed, goes too. If two do this at once, one of them
# gets the folder, and with it the right to free the index.
remove_space() {
  name=$1 state=$SPACES/$1
  local group watcher index gone=$SPACES/.removed-$1-$$
  find_cgroups
  group=$(cat "$state/group" 2>/dev/null) || group=
  if [[ -n $group && -d $group ]]; then
    echo 1 >"$group/cgroup.kill"
    for _ in {1..100}; do
      grep -qs 'populated 1' "$group/cgroup.events" || break
      sleep 0.1
    done
  fi
  [[ -z $group ]] || remove_cgroups "${group##*/}"
  watcher=$(cat "$state/watch.pid" 2>/dev/null) || watcher=
  if mv -T "$state" "$gone" 2>/dev/null; then
    index=$(cat "$gone/index" 2>/dev/null) || index=
    [[ -z $index ]] || rmdir "$SPACES/.indexes/$index"
    rm -rf "$gone"
  fi
  [[ -z $watcher || $watcher == "$$" ]] || end_watcher "$watcher"
}

remove_cgroups() {
  local folder
  for folder in "$cgroups/$1" "$cgroups"/*/"$1"; do
    [[ ! -d $folder || -L ${folder%/*} ]] || find "$folder" -depth -type d -exec rmdir {} +
  done
}

# The watcher leads a process group: itself and what it waits with.
end_watcher() {
  if grep -qs watch "/proc/$1/cmdline"; then kill -- "-$1" 2>/dev/null || true; fi
}

if [[ ${BASH_SOURCE[0]} == "$0" && ${1:-} == watch ]]; then watch "${@:2}"; fi
