//! A hundred ways to give a secret in a command, and a hundred words that only look like it.
//!
//! The secret is `hunter2` or holds it, except where its form is what gives it away (`LONG`).

use super::Marks;

/// What carries a command into a log: `§` is the command.
const CARRIERS: &[&str] = &[
    "Nov 20 10:11:12 web-1 sudo:    alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=§",
    "Nov 20 10:11:12 web-1 CRON[5]: (bob) CMD (§)",
    "Nov 20 10:11:12 web-1 pkexec[6]: alice: Executing command [USER=root] [TTY=/dev/pts/0] [CWD=/home/alice] [COMMAND=§]",
    "Nov 20 10:11:12 web-1 doas: alice ran command § as root from /home/alice",
    "§",
];

/// The secret as it stands in [`FORMS`], the longest way first.
const SECRETS: [&str; 3] = ["my hunter2 here", "my\\ hunter2\\ here", "hunter2"];

const FORMS: &[&str] = &[
    // Statements, and what a program takes as a word.
    "/usr/bin/psql -c ALTER USER app PASSWORD 'hunter2'",
    "/usr/bin/psql -c \"ALTER ROLE app WITH PASSWORD 'hunter2';\"",
    "/usr/bin/mysql -e CREATE USER x IDENTIFIED BY 'hunter2'",
    "/usr/bin/mysql -e CREATE USER x IDENTIFIED WITH caching_sha2_password BY 'hunter2'",
    "/usr/bin/mysql -e SET PASSWORD FOR x = PASSWORD('hunter2')",
    "/usr/bin/mysqladmin -u root password hunter2",
    "/usr/bin/redis-cli AUTH hunter2",
    "/usr/bin/redis-cli CONFIG SET requirepass hunter2",
    "/usr/bin/rclone config create r s3 secret_access_key hunter2",
    "/usr/bin/openssl passwd -6 hunter2",
    "/usr/bin/ssh-keygen -p -P hunter2 -N hunter2 -f k",
    "/usr/bin/curl https://h/x?sv=1&sig=hunter2",
    "/usr/bin/http -a ana:hunter2 GET https://h",
    "/usr/bin/npm config set //registry.npmjs.org/:_authToken hunter2",
    "/usr/bin/twine upload -u a -p hunter2 dist/x",
    "/usr/bin/wpa_passphrase net hunter2",
    "/usr/bin/mosquitto_pub -u a -P hunter2 -t x",
    "/usr/bin/rabbitmqctl add_user ana hunter2",
    "/usr/bin/rabbitmqctl change_password ana hunter2",
    "/usr/sbin/pppd user x password hunter2",
    // Names.
    "/usr/bin/x --password=hunter2",
    "/usr/bin/x --password hunter2",
    "/usr/bin/x -password hunter2",
    "/usr/bin/x --passwd=hunter2 -v",
    "/usr/bin/x --passphrase hunter2",
    "/usr/bin/x --token=hunter2",
    "/usr/bin/x --api-key=hunter2",
    "/usr/bin/x --api-key hunter2 run",
    "/usr/bin/x --client-secret=hunter2",
    "/usr/bin/x --secret-key hunter2",
    "/usr/bin/x --db.password=hunter2",
    "/usr/bin/x --password='hunter2'",
    "/usr/bin/x --password=\"hunter2\"",
    "/usr/bin/x --password='my hunter2 here'",
    "/usr/bin/x --password=\"my hunter2 here\" -v",
    "/usr/bin/x --password my\\ hunter2\\ here -v",
    "/usr/bin/x --password=my\\ hunter2\\ here -v",
    "/usr/bin/env PGPASSWORD=hunter2 psql -h db-1",
    "/usr/bin/env MYSQL_PWD=hunter2 mysql",
    "/usr/bin/env AWS_SECRET_ACCESS_KEY=hunter2 aws s3 ls",
    "/usr/bin/env AWS_SESSION_TOKEN=hunter2 aws s3 ls",
    "/usr/bin/env RESTIC_PASSWORD=hunter2 restic backup /",
    "/usr/bin/env BORG_PASSPHRASE=hunter2 borg create",
    "/usr/bin/env VAULT_TOKEN=hunter2 vault kv get x",
    "/usr/bin/env GITHUB_TOKEN=hunter2 gh pr list",
    "/usr/bin/env SSHPASS=hunter2 sshpass -e ssh host",
    "/usr/bin/java -Djavax.net.ssl.keyStorePassword=hunter2 -jar x.jar",
    "/usr/bin/keytool -storepass hunter2 -list",
    "/usr/bin/keytool -list -keypass hunter2",
    "/usr/bin/ansible-playbook site.yml -e ansible_become_pass=hunter2",
    "/usr/bin/ansible-playbook site.yml -e ansible_password=hunter2",
    "/usr/bin/ansible-playbook site.yml -e {\"db_password\":\"hunter2\"}",
    "/usr/bin/terraform apply -var db_password=hunter2",
    "/usr/bin/kubectl --token=hunter2 get pods",
    "/usr/bin/kubectl create secret generic x --from-literal=password=hunter2",
    "/usr/bin/kubectl create secret generic x --from-literal=anything=hunter2",
    "/usr/bin/svn co --username bob --password hunter2 https://example.com/r",
    "/usr/bin/wget --http-password=hunter2 https://example.com/",
    "/usr/bin/wget --user=bob --password=hunter2 ftp://example.com/x",
    "/usr/bin/az storage blob list --account-key hunter2",
    "/usr/bin/x --connection AccountName=a;AccountKey=hunter2",
    "/usr/bin/sqlcmd -Q 'CREATE LOGIN bob WITH PASSWORD=hunter2'",
    "/usr/bin/psql host=db-1 user=bob password=hunter2",
    "/usr/bin/mount -t cifs //host/share /mnt -o username=bob,password=hunter2,vers=3.0",
    "/usr/bin/mount -t cifs //host/share /mnt -o password=hunter2",
    "/usr/bin/nmcli dev wifi connect home password hunter2",
    "/usr/bin/nmcli con modify home wifi-sec.psk hunter2",
    "/usr/bin/gpg --batch --passphrase hunter2 -d x.gpg",
    "/usr/bin/mosquitto_pub --pw hunter2 -t x",
    "/usr/bin/aws configure set aws_secret_access_key hunter2",
    // Options of one letter.
    "/usr/bin/mysql -uroot -phunter2 app",
    "/usr/bin/mysqldump -phunter2 app",
    "/usr/bin/mariadb -u root -phunter2",
    "/usr/bin/mongo -u root -p hunter2 admin",
    "/usr/bin/mongodump -phunter2",
    "/usr/bin/sshpass -p hunter2 ssh host",
    "/usr/bin/sshpass -phunter2 ssh host",
    "/usr/bin/redis-cli -h cache-1 -a hunter2 ping",
    "/usr/bin/docker login -u bob -p hunter2 registry.example.com",
    "/usr/bin/podman login -p hunter2 registry.example.com",
    "/usr/bin/helm registry login -u bob -p hunter2 example.com",
    "/usr/bin/az login -u bob -p hunter2",
    "/usr/bin/ldapsearch -x -D cn=admin -w hunter2 -b dc=example",
    "/usr/bin/ldapsearch -x -whunter2",
    "/usr/bin/ldappasswd -s hunter2 uid=bob",
    "/usr/bin/smbclient -U bob%hunter2 //host/share",
    "/usr/bin/smbclient //host/share -Ubob%hunter2",
    "/usr/bin/lftp -u bob,hunter2 example.com",
    "/usr/bin/zip -P hunter2 x.zip x",
    "/usr/bin/unzip -Phunter2 x.zip",
    "/usr/bin/7z x -phunter2 x.7z",
    "/usr/bin/rar a -hphunter2 x.rar",
    "/usr/bin/sqlcmd -S db-1 -U sa -P hunter2",
    "/usr/bin/ipmitool -H bmc-1 -U admin -P hunter2 power status",
    "/usr/bin/snmpwalk -v2c -c hunter2 switch-1",
    "/usr/bin/snmpget -v3 -A hunter2 -u bob switch-1",
    "/usr/bin/openssl enc -aes-256-cbc -k hunter2 -in x",
    "/usr/bin/openssl rsa -in key -passin pass:hunter2",
    "/usr/bin/pkcs11-tool --login --pin hunter2",
    "/usr/bin/xfreerdp /u:bob /p:hunter2 /v:host",
    "/usr/sbin/useradd -m -p hunter2 carol",
    "/usr/sbin/usermod -p hunter2 carol",
    "/usr/bin/htpasswd -b /etc/htpasswd bob hunter2",
    "/usr/bin/htpasswd -nb bob hunter2",
    "/usr/bin/htpasswd -cbB /etc/htpasswd bob hunter2",
    "/usr/bin/wpa_passphrase home hunter2",
    "/usr/bin/vault login hunter2",
    "/usr/bin/sqlplus scott/hunter2@orcl",
    "/usr/bin/expdp system/hunter2 directory=d",
    "/usr/bin/skopeo copy --src-creds bob:hunter2 docker://a docker://b",
    // curl, addresses and headers.
    "/usr/bin/curl -u bob:hunter2 https://example.com/",
    "/usr/bin/curl -ubob:hunter2 https://example.com/",
    "/usr/bin/curl -sSu bob:hunter2 https://example.com/",
    "/usr/bin/curl --user=bob:hunter2 https://example.com/",
    "/usr/bin/curl --user bob:hunter2 https://example.com/",
    "/usr/bin/curl --oauth2-bearer hunter2 https://example.com/",
    "/usr/bin/curl -H 'Authorization: Bearer hunter2' https://example.com/",
    "/usr/bin/curl -H Authorization:\\ Basic\\ hunter2 https://example.com/",
    "/usr/bin/curl -H 'X-Api-Key: hunter2' https://example.com/",
    "/usr/bin/curl -H X-Vault-Token:hunter2 https://example.com/",
    "/usr/bin/curl -H 'PRIVATE-TOKEN: hunter2' https://example.com/",
    "/usr/bin/curl https://bob:hunter2@example.com/x",
    "/usr/bin/curl https://example.com/?a=1&access_token=hunter2&b=2",
    "/usr/bin/curl -d {\"user\":\"bob\",\"password\":\"hunter2\",\"x\":1} https://example.com/",
    "/usr/bin/git clone https://bob:hunter2@example.com/r.git",
    "/usr/bin/git -c http.extraheader=\"Authorization: Basic hunter2\" fetch",
    "/usr/bin/psql postgresql://bob:hunter2@db-1/app",
    "/usr/bin/mongosh mongodb+srv://bob:hunter2@db-1/app",
    "/usr/bin/redis-cli -u redis://:hunter2@cache-1:6379",
    "/usr/bin/rsync -a /x bob:hunter2@backup-1::module",
    "/usr/bin/celery -b amqp://bob:hunter2@mq-1//",
    // What is handed to a program that reads a password.
    "/bin/sh -c echo\\ bob:hunter2\\ |\\ chpasswd",
    "/bin/sh -c 'echo hunter2 | passwd --stdin bob'",
    "/bin/bash -c \"echo hunter2 | sudo -S id\"",
    "/bin/bash -c 'echo -n hunter2 | docker login --password-stdin'",
    "/bin/bash -c 'printf %s hunter2 | cryptsetup open /dev/sda x'",
    "/bin/bash -c 'chpasswd <<< bob:hunter2'",
    // Scripts.
    "/bin/sh -c mysql\\ -uroot\\ -phunter2\\ app",
    "/bin/sh -c PGPASSWORD=hunter2\\ psql\\ app",
    "/bin/sh -c 'cd / && mysql -phunter2'",
    "/bin/sh -c cd\\ /\\ &&\\ curl\\ -u\\ bob:hunter2\\ https://example.com/",
];

/// Secrets that are told by their form, in commands; each is cut in two so that no scanner of sources takes it for one.
const TOKENS: &[(&str, &str, &str)] = &[
    ("/usr/bin/x ", "ghp_", "0123456789abcdefABCDEF0123456789abcd"),
    ("/usr/bin/x --with=", "gho_", "0123456789abcdefABCDEF0123456789abcd"),
    ("/usr/bin/x ", "github_pat_", "11AAAAAAA0123456789_abcdefghij"),
    ("/usr/bin/x ", "glpat-", "0123456789abcdefghij"),
    ("/usr/bin/x ", "xoxb-", "123456789012-123456789012-abcdefghijkl"),
    ("/usr/bin/x ", "hvs.", "CAESIJ0123456789abcdefghijkl"),
    ("/usr/bin/x ", "sk_live_", "0123456789abcdefghijklmn"),
    ("/usr/bin/x ", "sk-", "proj-0123456789abcdefghijklmn"),
    ("/usr/bin/x ", "npm_", "0123456789abcdefghijklmnopqrstuvwxyz"),
    ("/usr/bin/x ", "AIza", "SyA0123456789abcdefghijklmnopqrstuv"),
    ("/usr/bin/x ", "ya29.", "a0AfH6SMB0123456789abcdefghij"),
    ("/usr/bin/x ", "SG.", "0123456789abcdefghijkl.0123456789abcdefghij"),
    ("/usr/bin/x ", "dckr_pat_", "0123456789abcdefghijklmnopq"),
    ("/usr/bin/x -a", "=eyJ", "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"),
    ("/usr/bin/x ", "$6$", "saltsalt$0123456789abcdefghijklmnopqrstuvwxyzABCDEF"),
    ("/usr/bin/x ", "$2b$", "12$0123456789abcdefghijklmnopqrstuvwxyzABCDEF"),
    ("/usr/bin/x ", "$y$", "j9T$0123456789abcdefghij$0123456789abcdefghijklmnop"),
    ("/usr/bin/curl https://hooks.slack.com/services/", "T00000000/", "B00000000/0123456789abcdefghijklmn"),
    ("/usr/bin/s3 AKIAIOSFODNN7EXAMPLE ", "wJalrXUtnFEMI", "/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("/usr/bin/s3 AKIAIOSFODNN7EXAMPLE:", "wJalrXUtnFEMI", "/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    (
        "/usr/bin/x -----BEGIN RSA PRIVATE KEY----- ",
        "MIIEow",
        "IBAAKCAQEA0123456789 abcdef -----END RSA PRIVATE KEY-----",
    ),
    ("/usr/bin/x -----BEGIN OPENSSH PRIVATE KEY-----#012", "b3Blbn", "NzaC1rZXktdjEAAAAA#012abc"),
];

/// What must stay, to the byte.
const LOOK_ALIKES: &[&str] = &[
    "/usr/bin/passwd bob",
    "/usr/bin/passwd --stdin bob",
    "/usr/bin/passwd -l bob",
    "/usr/bin/chage -M 90 bob",
    "/usr/bin/ssh -p 22 host",
    "/usr/bin/ssh -p2222 bob@host",
    "/usr/bin/scp -P 2222 x bob@host:/tmp/x",
    "/usr/bin/mkdir -p /srv/app",
    "/usr/bin/cp -p a b",
    "/usr/bin/docker run -p 8080:80 nginx",
    "/usr/bin/docker run -d -p 127.0.0.1:5432:5432 postgres:16",
    "/usr/bin/docker login registry.example.com",
    "/usr/bin/docker compose -p project up",
    "/usr/bin/podman ps -a",
    "/usr/bin/mysql -u root -p app",
    "/usr/bin/mysql --port=3306 -h db-1",
    "/usr/bin/mysqldump --protocol=tcp app",
    "/usr/bin/psql -p 5432 -U bob app",
    "/usr/bin/pg_dump -p 5432 app",
    "/usr/bin/redis-cli -p 6379 ping",
    "/usr/bin/curl -u bob https://example.com/",
    "/usr/bin/curl -o x -s https://example.com:8443/a@b",
    "/usr/bin/curl -H 'Accept: application/json' https://example.com/",
    "/usr/bin/curl https://example.com/?page=2&sort=name",
    "/usr/bin/git clone git@github.com:example/repo.git",
    "/usr/bin/git clone https://github.com/example/repo",
    "/usr/bin/git clone ssh://git@example.com:22/repo",
    "/usr/bin/rsync -avP bob@backup-1:/srv/ /srv/",
    "/usr/bin/rsync -av /x backup-1::module",
    "/usr/sbin/zfs send pool/data@2026-11-20",
    "/usr/sbin/zfs snapshot tank/home@daily:1",
    "/usr/bin/systemctl restart user@1000.service",
    "/usr/bin/systemctl restart systemd-ask-password-console.path",
    "/usr/bin/systemctl status gdm-password",
    "/usr/bin/journalctl -u sshd --since 10:11:12",
    "/usr/bin/apt-get install libpam-pwquality",
    "/usr/bin/apt install password-store passwdqc",
    "/usr/bin/vi /etc/pam.d/common-password",
    "/usr/bin/cat /etc/passwd",
    "/usr/bin/cat /etc/apt/trusted.gpg.d/x.gpg",
    "/usr/bin/tail -f /var/log/token-service.log",
    "/usr/bin/kubectl get secret",
    "/usr/bin/kubectl get secret db-credentials -o name",
    "/usr/bin/kubectl delete secret api-token",
    "/usr/bin/kubectl create secret generic x --from-file=./x",
    "/usr/bin/vault kv get secret/app",
    "/usr/bin/vault login -method=oidc",
    "/usr/bin/vault status",
    "/usr/bin/aws sts get-session-token",
    "/usr/bin/aws secretsmanager list-secrets",
    "/usr/bin/aws iam list-access-keys --user-name bob",
    "/usr/bin/aws iam delete-access-key --access-key-id AKIAIOSFODNN7EXAMPLE",
    "/usr/bin/aws s3 cp x s3://bucket/key --profile prod",
    "/usr/bin/ansible-playbook site.yml --ask-become-pass",
    "/usr/bin/ansible-playbook site.yml --vault-password-file /etc/vault",
    "/usr/bin/ansible-vault view group_vars/all/vault.yml",
    "/bin/sh -c echo BECOME-SUCCESS-abcdefghijklmnopqrstuvwxyzabcdef ; /usr/bin/python3",
    "/usr/bin/sudo -S -p [sudo] id",
    "/usr/bin/sudo --prompt=x id",
    "/usr/bin/ssh-keygen -t ed25519 -C bob@example.com",
    "/usr/bin/ssh-add .ssh/id_ed25519",
    "/usr/bin/ssh-copy-id -i key.pub bob@host",
    "/usr/bin/gpg --passphrase-file /x -d y",
    "/usr/bin/gpg --pinentry-mode loopback -d y",
    "/usr/bin/openssl x509 -in cert.pem -noout",
    "/usr/bin/openssl rsa -in key.pem -passin file:/x",
    "/usr/bin/openssl s_client -connect example.com:443",
    "/usr/bin/zip -r x.zip x",
    "/usr/bin/unzip -p x.zip y",
    "/usr/bin/7z a x.7z y",
    "/usr/bin/tar -czpf x.tgz /etc/passwd",
    "/usr/bin/ps -p 123 -o pid",
    "/usr/bin/kill -9 123",
    "/usr/bin/find / -perm -4000 -print",
    "/usr/bin/grep -rn password /etc",
    "/usr/bin/grep -c token x",
    "/usr/bin/ldapsearch -x -W -b dc=example",
    "/usr/bin/ldapsearch -x -y /etc/ldap.secret -b dc=example",
    "/usr/bin/smbclient -U bob //host/share",
    "/usr/bin/mount -t cifs //host/share /mnt -o credentials=/etc/cifs.cred",
    "/usr/bin/snmpwalk -v 3 -u bob switch-1",
    "/usr/bin/nmcli con up home",
    "/usr/sbin/useradd -m -s /bin/bash -G sudo carol",
    "/usr/sbin/usermod -aG sudo carol",
    "/usr/sbin/useradd --password-aging x",
    "/usr/bin/htpasswd /etc/htpasswd bob",
    "/usr/bin/htpasswd -v /etc/htpasswd bob",
    "/usr/bin/sqlplus / as sysdba",
    "/usr/bin/env OLDPWD=/x PWD=/y SSH_AUTH_SOCK=/z make",
    "/usr/bin/env PASS_MAX_DAYS=90 PASSWORD_STORE_DIR=/x make",
    "/usr/bin/env TOKENIZERS_PARALLELISM=false python3 x.py",
    "/usr/bin/env KEY=value make",
    "/usr/bin/make key=value public_key=x",
    "/usr/bin/x --no-password --ask-password --use-token-cache",
    "/usr/bin/x --password-stdin --password-file=/x --token-file=/y",
    "/usr/bin/x --bypass=1 --compass=2",
    "/usr/bin/x 3f786850e387550fdab836ed7e6dc881de23001b",
    "/usr/bin/x e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "/usr/bin/x SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
    "/usr/bin/x 123e4567-e89b-12d3-a456-426614174000",
    "/usr/bin/x -----BEGIN CERTIFICATE----- MIIB -----END CERTIFICATE-----",
    "/usr/bin/x -----BEGIN PUBLIC KEY----- MIIB -----END PUBLIC KEY-----",
    "/usr/bin/x arn:aws:iam::123456789012:user/bob@example.com",
    "/usr/bin/x bob@example.com alice@example.org",
    "/usr/bin/x 10:11:12 a:b:c host:80",
    "/usr/bin/x sk-learn task-12 desk-lamp-0123456789abcdefghij",
    "/bin/sh -c echo\\ done\\ |\\ tee\\ /var/log/x",
    "/bin/bash -c 'echo ok | mail -s report bob@example.com'",
];

fn carried(command: &str) -> impl Iterator<Item = String> {
    CARRIERS.iter().map(move |carrier| carrier.replace('§', command))
}

#[test]
fn a_hundred_forms_leak_nothing() {
    assert!(FORMS.len() + TOKENS.len() >= 100, "{}", FORMS.len() + TOKENS.len());
    let marks = Marks::new(&[7; 32]);
    let mut leaks = Vec::new();
    for record in FORMS.iter().flat_map(|form| carried(form)) {
        let expect = SECRETS.iter().fold(record.clone(), |text, secret| text.replace(secret, super::PLACEHOLDER));
        let clean = marks.replace(record.as_bytes()).map(|clean| String::from_utf8_lossy(&clean.plain).into_owned());
        if clean.as_ref() != Some(&expect) {
            leaks.push(format!("{record}\n   {clean:?}"));
        }
    }
    for (start, kind, rest) in TOKENS {
        for record in carried(&format!("{start}{kind}{rest}")) {
            let clean = marks.replace(record.as_bytes());
            let is_clean =
                clean.as_ref().is_some_and(|clean| !holds(&clean.marked, rest.split(' ').next().unwrap_or(rest)));
            if !is_clean {
                leaks.push(format!(
                    "{record}\n   {:?}",
                    clean.map(|clean| String::from_utf8_lossy(&clean.marked).into_owned())
                ));
            }
        }
    }
    for record in FORMS.iter().flat_map(|form| carried(form)).filter(|record| record.starts_with("Nov")) {
        assert!(marks.redact(record.as_bytes()).is_some(), "not looked at: {record}");
    }
    assert!(leaks.is_empty(), "{} leak:\n{}", leaks.len(), leaks.join("\n"));
}

#[test]
fn a_hundred_look_alikes_stay() {
    assert!(LOOK_ALIKES.len() >= 100, "{}", LOOK_ALIKES.len());
    let mut changed = Vec::new();
    for record in LOOK_ALIKES.iter().flat_map(|command| carried(command)) {
        if let Some(clean) = Marks::default().replace(record.as_bytes()) {
            changed.push(format!("{record}\n   {}", String::from_utf8_lossy(&clean.plain)));
        }
    }
    assert!(changed.is_empty(), "{} changed:\n{}", changed.len(), changed.join("\n"));
}

#[test]
fn what_stands_around_a_secret_stays() {
    let plain = |record: &str| {
        let clean = Marks::default().redact(record.as_bytes()).expect(record);
        String::from_utf8(clean.plain).expect("text").replace(super::PLACEHOLDER, "§")
    };
    for (record, expect) in [
        ("x --password='my hunter2 here' -v", "x --password='§' -v"),
        ("x -d {\"user\":\"a\",\"password\":\"b\",\"n\":1}", "x -d {\"user\":\"a\",\"password\":\"§\",\"n\":1}"),
        ("sh -c PGPASSWORD=a\\ psql\\ app", "sh -c PGPASSWORD=§\\ psql\\ app"),
        ("x --password a\\ b -v", "x --password § -v"),
        ("curl https://h/?a=1&access_token=x&b=2", "curl https://h/?a=1&access_token=§&b=2"),
        ("mount -o username=bob,password=x,vers=3.0", "mount -o username=bob,password=§,vers=3.0"),
        ("sh -c 'echo bob:x | chpasswd'", "sh -c 'echo bob:§ | chpasswd'"),
        (
            "x -----BEGIN RSA PRIVATE KEY----- MII -----END RSA PRIVATE KEY----- y",
            "x -----BEGIN RSA PRIVATE KEY-----§-----END RSA PRIVATE KEY----- y",
        ),
        ("sshpass -p a ssh -p 22 h", "sshpass -p § ssh -p 22 h"),
        ("https://a:b@h/?token=c", "https://a:§@h/?token=§"),
    ] {
        assert_eq!(plain(record), expect);
    }
}

#[test]
fn equal_secrets_have_equal_marks_and_others_do_not() {
    let marks = Marks::new(&[7; 32]);
    let mark = |record: &str| {
        let text = String::from_utf8(marks.redact(record.as_bytes()).expect(record).marked).expect("text");
        let start = text.find("[REDACTED:").expect("a mark");
        text.get(start..start + "[REDACTED:abcdefgh]".len()).expect("a whole one").to_owned()
    };
    let one = mark("x --password=hunter2 -v");
    for same in ["mysql -phunter2", "x --token 'hunter2'", "curl https://bob:hunter2@h/", "sh -c X_TOKEN=hunter2\\ y"] {
        assert_eq!(mark(same), one, "{same}");
    }
    assert_ne!(mark("x --password=hunter3"), one);
    assert_ne!(Marks::new(&[8; 32]), marks);
    // A mark that somebody wrote is a secret like any other: nobody can make two look alike.
    assert_ne!(mark(&format!("x --password={one}")), one);
}

#[test]
fn the_id_does_not_depend_on_the_key() {
    let record = b"x --password=hunter2";
    let (a, b) = (Marks::new(&[7; 32]).redact(record), Marks::new(&[8; 32]).redact(record));
    let (a, b) = (a.expect("a secret"), b.expect("a secret"));
    assert_eq!(a.plain, b.plain);
    assert_ne!(a.marked, b.marked);
}

fn holds(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}
