# A machine of its own within this one: rsyslog, sshd and the account tools do what they do on any machine, and all
# they change is a copy in $here or in memory. Sourced by what happens there, with here, log, port and format set.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin

# A private copy of everything that is written to.
mkdir "$here/etc" "$here/dev" "$here/keys"
cp -a /etc/. "$here/etc"
mount --bind "$here/etc" /etc
mount --rbind /dev "$here/dev"
for folder in /dev /run /home /var/log /var/mail /var/spool; do
    mount -t tmpfs -o mode=755 none "$folder"
done
for node in null zero full random urandom tty; do
    touch "/dev/$node"
    mount --bind "$here/dev/$node" "/dev/$node"
done
mkdir -m 1777 /dev/shm
mkdir /dev/pts
mount --bind "$here/dev/pts" /dev/pts
ln -s pts/ptmx /dev/ptmx
mkdir /run/sshd
touch /run/utmp /var/log/wtmp /var/log/btmp /var/log/lastlog
chmod 600 /var/log/btmp

cat >"$here/rsyslog.conf" <<END
module(load="imuxsock" SysSock.Name="/dev/log" SysSock.RateLimit.Interval="0")
auth,authpriv.* action(type="omfile" file="$log" template="$format")
END
rsyslogd -n -f "$here/rsyslog.conf" -i "$here/rsyslogd.pid" &

# wait_for WHAT COMMAND…: until the command succeeds.
wait_for() {
    what=$1 tries=0
    shift
    until "$@" 2>/dev/null; do
        tries=$((tries + 1))
        [ "$tries" -lt 400 ] || { echo "never: $what" >&2; exit 1; }
        sleep 0.05
    done
}
wait_for "a socket of rsyslogd" test -S /dev/log

# start_sshd OPTION…: with host keys, and what people authenticate with.
start_sshd() {
    ssh-keygen -q -t ed25519 -N '' -f "$here/host"
    chmod 755 "$here" "$here/keys"
    chmod 644 "$here/keys/"*
    "$(command -v sshd)" -D -f /dev/null -p "$port" -h "$here/host" -o ListenAddress=127.0.0.1 -o UsePAM=yes \
        -o PidFile=none -o StrictModes=no -o AuthorizedKeysFile="$here/keys/%u" -o LogLevel=VERBOSE \
        -o PasswordAuthentication=yes "$@" &
}

# log_in KEY ARGUMENT…: ssh as anybody would.
log_in() {
    key=$1
    shift
    ssh -F /dev/null -p "$port" -i "$here/$key" -o IdentitiesOnly=yes -o StrictHostKeyChecking=no \
        -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o NumberOfPasswordPrompts=1 "$@"
}

# the_end: what was said last is written, and nobody says anything any more.
the_end() {
    logger -p authpriv.info -t scene "the end"
    wait_for "the last line in the log" grep -q 'scene.*the end' "$log"
}
