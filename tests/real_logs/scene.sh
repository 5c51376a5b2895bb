# Makes a real auth.log: rsyslog, sshd, sudo, su and the account tools do what they do on any machine.
#
# usage: unshare --mount --pid --fork --kill-child --mount-proc --propagation private sh scene.sh FOLDER LOG PORT FORMAT
#
# All they change is a copy in FOLDER or in memory; outside of this namespace nothing changes but LOG.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
here=$1 log=$2 port=$3 format=$4

# A private copy of everything that is written to.
mkdir "$here/etc" "$here/dev" "$here/keys"
cp -a /etc/. "$here/etc"
mount --bind "$here/etc" /etc
mount --rbind /dev "$here/dev"
for folder in /dev /run /home /var/log /var/mail; do
    mount -t tmpfs -o mode=755 none "$folder"
done
for node in null zero full random urandom tty; do
    touch "/dev/$node"
    mount --bind "$here/dev/$node" "/dev/$node"
done
mkdir /run/sshd
touch /var/log/wtmp /var/log/btmp /var/log/lastlog
chmod 600 /var/log/btmp

cat >"$here/rsyslog.conf" <<END
module(load="imuxsock" SysSock.Name="/dev/log" SysSock.RateLimit.Interval="0")
auth,authpriv.* action(type="omfile" file="$log" template="$format")
END
rsyslogd -n -f "$here/rsyslog.conf" -i "$here/rsyslogd.pid" &
tries=0
until [ -S /dev/log ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 200 ] || { echo "rsyslogd made no socket" >&2; exit 1; }
    sleep 0.05
done

# Accounts. The passwords are never the right ones below.
useradd -m -s /bin/sh ana
useradd -m -s /bin/sh ben
usermod -aG sudo ana
printf 'ana:correct-horse\nben:battery-staple\n' | chpasswd
cat >/etc/sudoers.d/scene <<END
Defaults:ana,ben !lecture
ben ALL=(root) NOPASSWD: ALL, !/usr/bin/whoami
END
chmod 440 /etc/sudoers.d/scene

ssh-keygen -q -t ed25519 -N '' -f "$here/host"
ssh-keygen -q -t ed25519 -N '' -f "$here/ana"
ssh-keygen -q -t ed25519 -N '' -f "$here/wrong"
ssh-keygen -lf "$here/ana.pub" | cut -d ' ' -f 2 >"$here/fingerprint"
cp "$here/ana.pub" "$here/keys/ana"
cp "$here/ana.pub" "$here/keys/ben"
chmod 755 "$here" "$here/keys"
chmod 644 "$here/keys/"*
"$(command -v sshd)" -D -f /dev/null -p "$port" -h "$here/host" -o ListenAddress=127.0.0.1 -o UsePAM=yes -o PidFile=none \
    -o StrictModes=no -o AuthorizedKeysFile="$here/keys/%u" -o LogLevel=VERBOSE -o PasswordAuthentication=yes &
log_in() {
    key=$1
    shift
    ssh -F /dev/null -p "$port" -i "$here/$key" -o IdentitiesOnly=yes -o StrictHostKeyChecking=no \
        -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o NumberOfPasswordPrompts=1 "$@"
}
tries=0
until log_in ana -o BatchMode=yes ana@127.0.0.1 true 2>/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -lt 200 ] || { echo "sshd let nobody in" >&2; exit 1; }
    sleep 0.05
done

# Whoever fails here does so on purpose.
log_in ana -o BatchMode=yes ben@127.0.0.1 sudo -n /usr/bin/id >/dev/null
log_in ana -o BatchMode=yes ben@127.0.0.1 sudo -n /usr/bin/whoami 2>/dev/null || :
log_in ana -o BatchMode=yes ana@127.0.0.1 'echo guess | sudo -S /usr/bin/id' 2>/dev/null || :
log_in wrong -o BatchMode=yes ana@127.0.0.1 true 2>/dev/null || :
log_in wrong -o BatchMode=yes mallory@127.0.0.1 true 2>/dev/null || :
printf '#!/bin/sh\necho guess\n' >"$here/guess"
chmod 755 "$here/guess"
SSH_ASKPASS=$here/guess SSH_ASKPASS_REQUIRE=force log_in wrong -o PreferredAuthentications=password ana@127.0.0.1 true \
    2>/dev/null </dev/null || :
su ana -c true
log_in ana -o BatchMode=yes ana@127.0.0.1 'echo guess | su root -c true' 2>/dev/null || :
userdel -r ben 2>/dev/null

# What was said last is written, and nobody says anything any more.
logger -p authpriv.info -t scene "the end"
tries=0
until grep -q 'scene.*the end' "$log"; do
    tries=$((tries + 1))
    [ "$tries" -lt 200 ] || { echo "rsyslogd stopped writing" >&2; exit 1; }
    sleep 0.05
done
