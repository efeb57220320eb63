#!/usr/bin/env bash
# Tries the Debian package under a real systemd, as docs/INSTALL-systemd.md has it: installs it in a fresh Debian 12 that
# boots in a container, lets the daemon sweep an organization of moto's on the container's loopback until a Prometheus
# there answers the dashboards, and does to it what administrators and accidents do.
#
#   deploy/systemd/try.sh [PACKAGE.deb]    without a package, builds one (cargo xtask deb)
#
# Wants root, and the programs that it names where they are missing. Nothing outside of the target directory is touched;
# the Debian and the Python environment are made there once and kept.
set -euo pipefail
here=$(readlink -f "${BASH_SOURCE[0]}")
cd "$(dirname "$here")/../.."
umask 022

# Longer than the ten seconds between two signs of life, on a machine that does other things too.
readonly WATCHDOG=30
readonly SUITE=bookworm INCLUDE=systemd,systemd-sysv,dbus,procps,ca-certificates,prometheus
readonly CONFIG=/etc/keysweep/keysweep.toml CREDENTIALS=/etc/keysweep/credentials STATE=/var/lib/private/keysweep
readonly BACKUPS=$STATE-backups
target=$(readlink -m "${CARGO_TARGET_DIR:-target}")
readonly target cache=$target/systemd-try

# --- what is there and what is missing

missing() {
    ((EUID == 0)) || echo "root: containers, cgroups and debootstrap want it"
    local program package
    while read -r program package; do
        command -v "$program" >/dev/null || echo "$program: apt-get install $package"
    done <<<"curl curl
debootstrap debootstrap
nsenter util-linux
pgrep procps
systemd-nspawn systemd-container
unshare util-linux"
    python3 -c 'import ensurepip, venv' 2>/dev/null || echo "python3 with venv: apt-get install python3-venv"
}

make_root() {
    root=$cache/$SUITE
    [[ $(cat "$root.complete" 2>/dev/null) == "$INCLUDE" ]] && return
    echo "making a Debian $SUITE in $root"
    rm -rf "$root" "$root.complete"
    mkdir -p "$cache"
    # Without DEBIAN_MIRROR, from where debootstrap finds best itself.
    debootstrap --variant=minbase --include=$INCLUDE $SUITE "$root" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >"$cache/debootstrap.log" 2>&1 || {
        tail -n 20 "$cache/debootstrap.log" >&2
        exit 1
    }
    # Written last: a Debian without it was left half made.
    echo "$INCLUDE" >"$root.complete"
}

make_python() {
    local venv
    for venv in "$target/conformance-venv" "$cache/venv"; do
        python=$venv/bin/python
        [[ -e $venv/complete ]] && "$python" -c 'import moto' 2>/dev/null && return
    done
    echo "making a Python environment in $venv"
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$python" -m pip install --quiet --disable-pip-version-check --no-input --timeout 30 \
        --requirement tests/conformance/requirements.txt
    touch "$venv/complete"
}

if [[ ${1-} != --in-a-namespace ]]; then
    mapfile -t lacking < <(missing)
    if ((${#lacking[@]})); then
        printf 'missing:\n' >&2
        printf '  %s\n' "${lacking[@]}" >&2
        exit 1
    fi
    package=${1-}
    if [[ -z $package ]]; then
        cargo xtask deb
        package=$(find "$target/debian" -name 'keysweep_*.deb' -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2-)
    fi
    # What is mounted for the container is nobody else's business, and ends with this script.
    exec unshare --mount --propagation private -- "$here" --in-a-namespace "$(readlink -e "$package")"
fi
package=$2
make_root
make_python

# --- telling

checks=0

step() {
    printf '\n== %s (after %d s)\n' "$1" "$SECONDS"
}

ok() {
    checks=$((checks + 1))
    printf 'ok      %s\n' "$1"
}

fail() {
    printf 'FAILED  %s\n' "$1" >&2
    printf '%s\n' "--- the end of the journal:" >&2
    inside journalctl --unit keysweep --lines 40 --no-pager --output short >&2 || true
    exit 1
}

# is WHAT WANTED COMMAND...: what the command prints.
is() {
    local what=$1 wanted=$2 found
    shift 2
    found=$("$@" 2>&1) || true
    [[ $found == "$wanted" ]] || fail "$what: expected '$wanted', found '$found'"
    ok "$what: $found"
}

# says WHAT TEXT COMMAND...: a part of what the command prints.
says() {
    local what=$1 wanted=$2 found
    shift 2
    found=$("$@" 2>&1) || true
    [[ $found == *"$wanted"* ]] || fail "$what: expected '$wanted' in '$found'"
    ok "$what"
}

# succeeds WHAT COMMAND...
succeeds() {
    local what=$1 said
    shift
    said=$("$@" 2>&1) || fail "$what: $said"
    ok "$what"
}

# ends WHAT STATUS COMMAND...: with that exit code.
ends() {
    local what=$1 wanted=$2 status=0 said
    shift 2
    said=$("$@" 2>&1) || status=$?
    ((status == wanted)) || fail "$what: expected exit code $wanted, found $status: $said"
    ok "$what: exit code $status"
}

# eventually WHAT SECONDS COMMAND...: until it succeeds.
eventually() {
    local what=$1 limit=$2 begun=$SECONDS
    shift 2
    until "$@" >/dev/null 2>&1; do
        ((SECONDS - begun < limit)) || fail "$what: not within $limit s"
        sleep 0.2
    done
    ok "$what (within $((SECONDS - begun)) s)"
}

# --- the container

inside() {
    nsenter --target "$leader" --mount --uts --ipc --net --pid --cgroup -- \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive PAGER=cat "$@"
}

boot() {
    # systemd inside wants the unified hierarchy, which not every machine has in its usual place.
    [[ $(stat -f -c %T /sys/fs/cgroup) == cgroup2fs ]] || mount -t cgroup2 cgroup2 /sys/fs/cgroup
    # Every change is in memory and ends with the container: each run begins with the same Debian.
    systemd-nspawn --quiet --register=no --keep-unit --private-network --volatile=overlay --console=passive \
        --machine="keysweep-try-$$" --directory="$root" --boot </dev/null >"$cache/boot.log" 2>&1 &
    nspawn=$!
    local begun=$SECONDS
    until leader=$(pgrep --parent $nspawn | head -n 1) && [[ -n $leader ]] &&
        [[ $(inside systemctl is-system-running 2>/dev/null) =~ ^(running|degraded)$ ]]; do
        if ((SECONDS - begun > 60)) || ! kill -0 $nspawn 2>/dev/null; then
            echo "the container did not boot:" >&2
            tail -n 20 "$cache/boot.log" >&2
            exit 1
        fi
        sleep 0.2
    done
}

clean_up() {
    # The script may have failed while the organization was stopped.
    [[ -z ${AWS_PID-} ]] || kill -CONT "$AWS_PID" 2>/dev/null || true
    [[ -z ${AWS_PID-} ]] || kill "$AWS_PID" 2>/dev/null || true
    [[ -z ${nspawn-} ]] || kill -KILL "$nspawn" 2>/dev/null || true
    # bash tells of each process that was killed.
    wait 2>/dev/null || true
}
trap clean_up EXIT

# put FILE: stdin becomes a file of the container.
put() {
    inside mkdir -p "$(dirname "$1")"
    inside tee "$1" >/dev/null
}

show() {
    inside systemctl show keysweep --value --property "$1"
}

# --- an AWS of moto's, on the container's loopback

organization() {
    coproc AWS {
        exec nsenter --net="/proc/$leader/ns/net" -- \
            env -i PYTHONDONTWRITEBYTECODE=1 AWS_EC2_METADATA_DISABLED=true \
            "$python" tests/conformance/organization.py
    }
    # Copies that a subshell inherits as well.
    exec {aws_says}<&"${AWS[0]}" {aws_hears}>&"${AWS[1]}"
    IFS= read -r -t 120 truth <&"$aws_says" || { echo "organization.py did not start" >&2; exit 1; }
}

# truth PATH...: a value of what organization.py said of itself.
truth() {
    "$python" -c 'import json, sys
value = json.loads(sys.stdin.read())
for step in sys.argv[1:]: value = value[step]
print(value if isinstance(value, str) else len(value))' "$@" <<<"$truth"
}

# Keys of 90 days without use in accounts that can be read.
truth_stale() {
    "$python" -c 'import json, sys
from datetime import datetime, timedelta, timezone
truth = json.loads(sys.stdin.read())
since = datetime.now(timezone.utc) - timedelta(days=90)
scanned = [a for a in truth["accounts"] if a["account_id"] in truth["expected_accounts"]["scanned"]]
keys = [k for a in scanned for u in a["users"] for k in u["keys"] if k["status"] == "Active"]
print(sum(datetime.fromisoformat((k["last_used_at"] or k["created_at"]).replace("Z", "+00:00")) <= since for k in keys))' <<<"$truth"
}

# The keys that AWS was asked to change, with the status that they should have.
changes() {
    echo '{"cmd": "changes"}' >&"$aws_hears"
    local answer
    IFS= read -r -t 30 answer <&"$aws_says" || return
    "$python" -c 'import json, sys
print(", ".join("{key} {status}".format(**change) for change in json.load(sys.stdin)["ok"]))' <<<"$answer"
}

# --- asking the daemon

http() {
    nsenter --net="/proc/$leader/ns/net" -- curl --silent --show-error --max-time 10 --noproxy '*' "$@"
}

answers() {
    http --output /dev/null --write-out '%{http_code}' "http://127.0.0.1:9853$1"
}

ready() {
    [[ $(answers /-/ready) == 200 ]]
}

metric() {
    http http://127.0.0.1:9853/metrics | awk -v name="$1" '$1 == name { print $2 }'
}

metric_is() {
    [[ $(metric "$1") == "$2" ]]
}

status_says() {
    [[ $(show StatusText) == *"$1"* ]]
}

restarts() {
    [[ $(show NRestarts) == "$1" && $(show ActiveState) == active ]]
}

# Entries of the log since the last call of `mark`.
mark() {
    cursor=$(inside journalctl --unit keysweep --lines 0 --show-cursor --no-pager | sed -n 's/^-- cursor: //p')
}

log() {
    inside journalctl --unit keysweep --after-cursor "$cursor" --no-pager --output cat
}

logged() {
    log | grep --quiet --fixed-strings -e "$1"
}

# The answer of the container's Prometheus to a query: a value, or nothing.
asked() {
    http --get --data-urlencode "query=$1" http://127.0.0.1:9090/api/v1/query | "$python" -c 'import json, sys
for series in json.load(sys.stdin)["data"]["result"]: print(series["value"][1])'
}

answers_query() {
    [[ -n $(asked "$1") ]]
}

# The queries of a dashboard that is installed, with values for its variables as Grafana would send them.
# shellcheck disable=SC2016 # The variables are Grafana's.
queries() {
    inside cat "/usr/share/keysweep/grafana/$1.json" | "$python" -c 'import json, sys
values = {"$job": "keysweep", "$instance": ".+", "$account": ".+", "$__range": "1h", "$__rate_interval": "2m"}
for panel in json.load(sys.stdin)["panels"]:
    for target in panel.get("targets", []):
        expr = target["expr"]
        for name, value in values.items(): expr = expr.replace(name, value)
        print(" ".join(expr.split()))'
}

# A command as the service would run it, which does not run; as docs/INSTALL-systemd.md has it.
as_the_service() {
    inside systemd-run --quiet --pipe --wait --collect --unit keysweep-command \
        --property DynamicUser=yes --property User=keysweep \
        --property StateDirectory="keysweep keysweep-backups" --property LoadCredential=keysweep:$CREDENTIALS \
        --setenv AWS_SHARED_CREDENTIALS_FILE=/run/credentials/keysweep-command.service/keysweep_aws-credentials \
        --setenv AWS_CONFIG_FILE=/run/credentials/keysweep-command.service/keysweep_aws-config \
        --setenv AWS_ENDPOINT_URL="$(truth endpoint)" \
        keysweep "$@"
}

# A key that is flagged.
flagged() {
    { inside keysweep keys list --format json 2>/dev/null || as_the_service keys list --format json; } | "$python" -c 'import json, sys
print(next(key["access_key_id"] for key in json.load(sys.stdin)["keys"] if key["state"] == "flagged"))'
}

# How many keys there are, and a sum over their states and since when they are in them.
keys() {
    inside keysweep keys list --format json | "$python" -c 'import hashlib, json, sys
keys = sorted((key["access_key_id"], key["state"], key["since"]) for key in json.load(sys.stdin)["keys"])
print(len(keys), "keys,", hashlib.sha256(repr(keys).encode()).hexdigest()[:12])'
}

# --- the trial

step "a fresh Debian"
boot
booted=$SECONDS
ok "it has booted: systemd $(inside systemctl --version | sed -n 's/^systemd \([0-9]*\).*/\1/p')"
organization
ok "an organization of $(truth accounts) accounts answers at $(truth endpoint)"

step "install"
cp "$package" "/proc/$leader/root/root/keysweep.deb"
says "the package says what comes next" "it wants a configuration first" inside dpkg --install /root/keysweep.deb
is "it is not enabled" disabled inside systemctl is-enabled keysweep
is "it is not started" inactive inside systemctl is-active keysweep
is "credentials are for root's eyes" "700 root" inside stat -c '%a %U' $CREDENTIALS
succeeds "the program starts" inside keysweep --version
ends "and holds no demo" 2 inside keysweep demo
for file in man/man1/keysweep.1.gz man/man1/keysweep-run.1.gz bash-completion/completions/keysweep \
    zsh/vendor-completions/_keysweep fish/vendor_completions.d/keysweep.fish \
    doc/keysweep/copyright doc/keysweep/changelog.gz doc/keysweep/examples/cautious-start.toml \
    doc/keysweep/INSTALL-systemd.md keysweep/prometheus/alerts.rules.yml keysweep/grafana/operations.json; do
    inside test -s "/usr/share/$file" || fail "/usr/share/$file is not there"
done
ok "man pages, completions, documents, examples, rules and dashboards are there"

step "start without a configuration"
succeeds "it starts all the same" inside systemctl start keysweep
is "it works" 200 answers /-/healthy
is "and is not ready" 503 answers /-/ready
succeeds "it stops" inside systemctl stop keysweep

step "configure"
# A drop-in for what only this trial wants: another AWS, and a watchdog that does not let it wait.
put /etc/systemd/system/keysweep.service.d/try.conf <<END
[Service]
Environment=AWS_ENDPOINT_URL=$(truth endpoint)
WatchdogSec=$WATCHDOG
RestartSec=1s
END
inside systemctl daemon-reload
inside sed -i -e 's|^external_id_file = ""|external_id_file = "'$CREDENTIALS'/external-id"|' \
    -e 's|^allow_endpoint_override = false|allow_endpoint_override = true|' $CONFIG
ends "config check misses the external ID" 2 inside keysweep config check
mark
ends "a start without it fails" 1 inside systemctl start keysweep
is "with the exit code of a wrong configuration" 2 show ExecMainStatus
is "and is not tried again" "failed 0" echo "$(show ActiveState) $(show NRestarts)"
succeeds "the log says where it belongs" logged "put it into $CREDENTIALS/"
says "and is found by its priority" "put it into $CREDENTIALS/" \
    inside journalctl --unit keysweep --no-pager --priority err
inside systemctl reset-failed keysweep
truth external_id | put $CREDENTIALS/external-id
put $CREDENTIALS/aws-credentials <<END
[default]
aws_access_key_id = $(truth hub access_key_id)
aws_secret_access_key = $(truth hub secret_access_key)
END
inside chmod 0600 $CREDENTIALS/external-id $CREDENTIALS/aws-credentials
succeeds "config check is content" inside keysweep config check
says "doctor finds the one account without roles" "1 gap" inside env AWS_ENDPOINT_URL="$(truth endpoint)" \
    AWS_SHARED_CREDENTIALS_FILE=$CREDENTIALS/aws-credentials keysweep doctor

step "start"
mark
succeeds "systemctl enable --now" inside systemctl enable --now keysweep
is "it is active as soon as that returns" "active running" echo "$(show ActiveState) $(show SubState)"
eventually "it becomes ready" 60 ready
is "it is healthy" 200 answers /-/healthy
is "it scanned" "$(truth expected_accounts scanned)" metric 'keysweep_accounts{outcome="scanned"}'
eventually "systemctl status tells it" 30 status_says "$(truth expected_accounts scanned) scanned"
printf '        %s\n' "$(show StatusText)"

step "asked by root, and by others"
succeeds "root lists keys" inside keysweep keys list
says "a key is flagged" '"state": "flagged"' inside keysweep keys list --format json
says "nobody else may ask" "runs as another user" inside runuser -u nobody -- keysweep keys list
owner=$(inside stat -c %u $STATE)
((owner >= 61184 && owner <= 65519)) || fail "the state belongs to $owner, which is no dynamic user"
is "the state belongs to the service's user alone" "700 $owner" inside stat -c '%a %u' $STATE
is "with all that is in it" "$owner" inside sh -c "find $STATE -printf '%U\n' | sort -u"
is "the process runs as that user" "$owner" inside sh -c "stat -c %u /proc/$(show MainPID)"
is "it has a folder for the socket of other users" "755 $owner" inside stat -c '%a %u' /run/keysweep
succeeds "it can leave no core dump" inside grep --extended-regexp '^Max core file size +0 +0' "/proc/$(show MainPID)/limits"

step "watch it"
is "a Prometheus is there" active inside systemctl is-active prometheus
inside sh -c 'install -m 0644 /usr/share/keysweep/prometheus/*.rules.yml /etc/prometheus/
cp /usr/share/keysweep/prometheus/prometheus.example.yml /etc/prometheus/prometheus.yml'
succeeds "promtool takes the example and the rules" inside promtool check config /etc/prometheus/prometheus.yml
succeeds "systemctl reload prometheus" inside systemctl reload prometheus
mapfile -t overview < <(queries organization)
((${#overview[@]} > 20)) || fail "only ${#overview[@]} queries in the overview"
for query in "${overview[@]}"; do
    # A list of what is wrong may be empty.
    [[ $query == *"> 0"* ]] && continue
    eventually "the overview: ${query%%\{*}" 150 answers_query "$query"
done
stale=$(asked 'sum(keysweep_stale_keys)')
is "as many stale keys as there are" "$(truth_stale)" echo "$stale"
printf '        %s stale keys on the overview %d s after the fresh Debian had booted\n' "$stale" "$((SECONDS - booted))"

step "reload"
pid=$(show MainPID)
is "the interval is six hours" 21600 metric keysweep_scan_interval_seconds
inside cp $CONFIG /root/good.toml
inside sed -i 's|^interval = "6h"|interval = "3h"|' $CONFIG
succeeds "systemctl reload" inside systemctl reload keysweep
eventually "the interval is three hours" 20 metric_is keysweep_scan_interval_seconds 10800
eventually "the unit is active" 20 inside systemctl is-active keysweep
mark
inside sed -i 's|^interval = "3h"|interval = "three hours"|' $CONFIG
succeeds "systemctl reload with a mistake" inside systemctl reload keysweep
eventually "the log says why it is refused" 20 logged "scan.interval"
says "by its priority, too" "scan.interval" inside journalctl --unit keysweep --no-pager --priority err
says "and keysweep answers meanwhile" "the daemon goes on with" inside keysweep pause --reason "a mistake in the file"
succeeds "and resumes" inside keysweep resume --reason "it was only a trial"
eventually "the metric says so" 20 metric_is keysweep_config_last_reload_successful 0
eventually "systemctl status says so" 20 status_says "the old one is in force"
is "the old one stays" 10800 metric keysweep_scan_interval_seconds
is "the unit stays active" active inside systemctl is-active keysweep
inside cp /root/good.toml $CONFIG
succeeds "systemctl reload without it" inside systemctl reload keysweep
eventually "the metric takes it back" 20 metric_is keysweep_config_last_reload_successful 1
is "it was one process all along" "$pid 0" echo "$(show MainPID) $(show NRestarts)"

step "an AWS that does not answer is no reason for the watchdog"
eventually "it waits for its next sweep" 60 status_says "next sweep"
kill -STOP "$AWS_PID"
inside systemctl reload keysweep
eventually "a sweep waits for AWS" 20 status_says "sweeping"
begun=$SECONDS
until ((SECONDS - begun > WATCHDOG + 5)); do
    [[ $(show MainPID) == "$pid" ]] || fail "the process was ended"
    sleep 1
done
eventually "systemctl status says that the sweep failed" 30 status_says "sweeps fail"
kill -CONT "$AWS_PID"
is "it is still the same process" "$pid 0" echo "$(show MainPID) $(show NRestarts)"

step "the watchdog"
eventually "it waits for its next sweep" 120 status_says "next sweep"
before=$(keys)
mark
inside kill -STOP "$pid"
eventually "a process that stands still is replaced" $((WATCHDOG + 60)) restarts 1
succeeds "it was the watchdog" logged "Watchdog timeout"
succeeds "it was killed and not dumped" logged "code=killed, status=6/ABRT"
eventually "the new one becomes ready" 60 ready
is "it knows the same keys" "$before" keys
succeeds "its journal is whole" inside keysweep journal verify

step "stop"
ordered=$(flagged)
succeeds "a key is deactivated by order" inside keysweep keys deactivate "$ordered" --reason "its owner has left"
begun=$SECONDS
succeeds "systemctl stop" inside systemctl stop keysweep
((SECONDS - begun < 35)) || fail "it took $((SECONDS - begun)) s"
is "it ended well" "success 0" echo "$(show Result) $(show ExecMainStatus)"
says "root leaves nothing of his in its state" "start the daemon" inside keysweep keys list
succeeds "asked as the service it answers" as_the_service keys list
says "and undoes" "is Active" as_the_service keys reactivate "$ordered" --reason "it is needed"
succeeds "systemctl start" inside systemctl start keysweep
eventually "it becomes ready" 60 ready

step "backups"
inside sed -i 's|^directory = ""|directory = "/var/lib/keysweep-backups"|' $CONFIG
succeeds "config check" inside keysweep config check
succeeds "systemctl reload" inside systemctl reload keysweep
eventually "there is one" 20 inside sh -c "ls $BACKUPS/*.jsonl"
held=$(flagged)
succeeds "a key is held" inside keysweep keys hold "$held" --reason "its owner is on leave"
before=$(keys)
succeeds "a backup by hand" inside keysweep state backup $BACKUPS/by-hand.jsonl
ends "with a daemon running nothing is restored" 1 inside keysweep state restore $BACKUPS/by-hand.jsonl --force
succeeds "systemctl stop" inside systemctl stop keysweep
inside find $STATE -mindepth 1 -delete
inside chown --reference=$STATE $BACKUPS/by-hand.jsonl
succeeds "all is lost, and restored" as_the_service state restore /var/lib/keysweep-backups/by-hand.jsonl
mark
succeeds "systemctl start" inside systemctl start keysweep
eventually "it becomes ready" 60 ready
is "it knows the same keys" "$before" keys
is "it is paused until somebody has looked" 1 metric keysweep_paused
says "the hold is there" "on leave" inside keysweep keys show "$held"
succeeds "resume" inside keysweep resume --reason "looked"
succeeds "its journal is whole" inside keysweep journal verify
succeeds "systemctl stop" inside systemctl stop keysweep

step "upgrade"
edited=$(inside md5sum $CONFIG)
succeeds "of a daemon that is stopped and disabled" inside sh -c \
    'systemctl disable --quiet keysweep && dpkg --install /root/keysweep.deb'
is "it stays stopped" inactive inside systemctl is-active keysweep
succeeds "systemctl enable --now" inside systemctl enable --quiet --now keysweep
pid=$(show MainPID)
succeeds "of a daemon that runs" inside dpkg --install /root/keysweep.deb
is "it runs" active inside systemctl is-active keysweep
[[ $(show MainPID) != "$pid" ]] || fail "it was not started anew"
ok "it was started anew"
is "the edited configuration is kept" "$edited" inside md5sum $CONFIG
eventually "it becomes ready" 60 ready

step "remove and purge"
succeeds "remove" inside dpkg --remove keysweep
is "it does not run" inactive inside systemctl is-active keysweep
is "the configuration stays" "$edited" inside md5sum $CONFIG
said=$(inside dpkg --purge keysweep 2>&1) || fail "purge: $said"
says "purge says that it keeps the journal" "kept in $STATE:" echo "$said"
says "and the backups" "kept in $BACKUPS:" echo "$said"
ends "the configuration and the credentials are gone" 1 inside test -e /etc/keysweep
succeeds "the journal is there" inside sh -c "ls $STATE/journal/*.jsonl"

step "all in all"
is "AWS was changed by orders alone" "$ordered Inactive, $ordered Active" changes
printf '\n%d checks, all good, in %d s\n' "$checks" "$SECONDS"
