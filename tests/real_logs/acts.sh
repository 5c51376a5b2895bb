# What people do in a day, each act once, with whodid following the logs. tests/real_logs/acts.rs lists what must be
# in the trail for it, and that nothing else is.
#
# usage: unshare … sh script.sh FOLDER LOG PORT FORMAT WHODID CONFIG ANSIBLE
here=$1 log=$2 port=$3 format=$4 whodid=$5 config=$6 ansible=$7
. "$here/machine.sh"

# Where everybody may run it.
touch /run/whodid-program
mount --bind "$whodid" /run/whodid-program
whodid=/run/whodid-program

useradd -m -s /bin/sh ana
useradd -m -s /bin/sh ben
usermod -aG sudo ana
printf 'ana:correct-horse\n' | chpasswd
printf 'battery-staple\nbattery-staple\n' | passwd ben 2>/dev/null
cat >/etc/sudoers.d/scene <<END
Defaults:ana,ben !lecture
ana ALL=(root) NOPASSWD: ALL
ben ALL=(root) NOPASSWD: ALL, !/usr/bin/whoami
END
chmod 440 /etc/sudoers.d/scene

for key in ana ben wrong ca; do
    ssh-keygen -q -t ed25519 -N '' -C "$key" -f "$here/$key"
done
ssh-keygen -q -s "$here/ca" -I ben-laptop -n ben -z 7 "$here/ben.pub"
ssh-keygen -lf "$here/ana.pub" | cut -d ' ' -f 2 >"$here/fingerprint"
ssh-keygen -lf "$here/ben.pub" | cut -d ' ' -f 2 >"$here/fingerprint-ben"
cp "$here/ana.pub" "$here/keys/ana"
cp "$here/ca.pub" "$here/keys/ca"
start_sshd -o TrustedUserCAKeys="$here/keys/ca"

# Nobody takes in what is handed over: it waits.
install -d -m 1733 /var/spool/whodid
wait_for "ana is let in" log_in ana -o BatchMode=yes ana@127.0.0.1 "$whodid exec --name waits -- true"

"$whodid" --config "$config" run &
writer=$!
wait_for "the writer listens" test -S /run/whodid/intake

# By key with a terminal, by certificate, and in vain.
log_in ana -tt ana@127.0.0.1 sudo -n /usr/bin/id >/dev/null </dev/null
log_in ben -o BatchMode=yes ben@127.0.0.1 "sudo -n /usr/bin/whoami || sudo -n /usr/bin/true" 2>/dev/null
log_in wrong -o BatchMode=yes ana@127.0.0.1 true 2>/dev/null || :
log_in wrong -o BatchMode=yes mallory@127.0.0.1 true 2>/dev/null || :
printf '#!/bin/sh\necho guess\n' >"$here/guess"
chmod 755 "$here/guess"
SSH_ASKPASS=$here/guess SSH_ASKPASS_REQUIRE=force log_in wrong -o PreferredAuthentications=password ana@127.0.0.1 true \
    2>/dev/null </dev/null || :

su ana -c true
log_in ana -o BatchMode=yes ana@127.0.0.1 'echo guess | su root -c true' 2>/dev/null || :
log_in ana -o BatchMode=yes ana@127.0.0.1 "$whodid exec --name backup -- sh -c 'exit 3'" || :

# A playbook that becomes root on a host that it reaches by ssh.
mkdir "$here/home"
cat >"$here/home/site.yml" <<END
- name: Accounts
  hosts: all
  gather_facts: false
  tasks:
    - name: Who is it
      ansible.builtin.command: id -un
      become: true
      changed_when: false
END
(
    cd "$here/home"
    export HOME="$here/home" ANSIBLE_HOST_KEY_CHECKING=False ANSIBLE_CALLBACKS_ENABLED=whodid \
        ANSIBLE_CALLBACK_PLUGINS="$here/callback_plugins" ANSIBLE_LOCAL_TEMP="$here/home/tmp"
    "$whodid" --config "$config" exec --name site.yml -- "$ansible" -i 127.0.0.1, site.yml -u ben \
        --private-key "$here/ben" -e "ansible_port=$port ansible_python_interpreter=/usr/bin/python3" \
        --ssh-common-args "-F /dev/null -o IdentitiesOnly=yes -o UserKnownHostsFile=/dev/null -o ControlPath=none \
            -o ControlMaster=no" >"$here/ansible" 2>&1
) || { cat "$here/ansible" >&2; exit 1; }
pkill -u ben || :
userdel -r ben 2>/dev/null

the_end
kill "$writer"
wait "$writer"
# What it had not read yet.
"$whodid" --config "$config" run --once >/dev/null
