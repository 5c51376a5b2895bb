# Makes a real auth.log: rsyslog, sshd, sudo, su and the account tools do what they do on any machine.
#
# usage: unshare --mount --pid --fork --kill-child --mount-proc --propagation private sh scene.sh FOLDER LOG PORT FORMAT
#
# All they change is a copy in FOLDER or in memory; outside of this namespace nothing changes but LOG.
here=$1 log=$2 port=$3 format=$4
. "$here/machine.sh"

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

ssh-keygen -q -t ed25519 -N '' -f "$here/ana"
ssh-keygen -q -t ed25519 -N '' -f "$here/wrong"
ssh-keygen -lf "$here/ana.pub" | cut -d ' ' -f 2 >"$here/fingerprint"
cp "$here/ana.pub" "$here/keys/ana"
cp "$here/ana.pub" "$here/keys/ben"
start_sshd
wait_for "sshd lets ana in" log_in ana -o BatchMode=yes ana@127.0.0.1 true

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

the_end
