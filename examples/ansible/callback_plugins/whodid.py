"""Tells whodid what a playbook does: its start and end, its plays, and each task's result on each host.

Nothing of values is told: of extra variables only their names, of modules neither arguments nor output, and of a
failed task its message, unless the task has `no_log`. Whatever happens here, the playbook goes on.
"""

DOCUMENTATION = """
name: whodid
type: notification
short_description: an audit trail of playbooks
description:
  - Hands a record of each play and each task's result to whodid, by its local socket, else to a file that whodid
    follows, else to its spool folder.
requirements:
  - enable it with C(callbacks_enabled = whodid)
options:
  socket:
    description: The socket of a running C(whodid run).
    default: /run/whodid/intake
    env: [{name: WHODID_SOCKET}]
    ini: [{section: callback_whodid, key: socket}]
  file:
    description: Where records go while nobody listens at the socket; a source of whodid with C(type = "ansible").
    default: ""
    env: [{name: WHODID_FILE}]
    ini: [{section: callback_whodid, key: file}]
  spool:
    description: The spool folder, if there is neither.
    default: /var/spool/whodid
    env: [{name: WHODID_SPOOL}]
    ini: [{section: callback_whodid, key: spool}]
  mark_tasks:
    description:
      - Adds C(WHODID_RUN) to the environment of every play, so that what sudo logs on the managed hosts names the run.
      - Ansible warns that it does not do so for the C(raw) module.
    type: bool
    default: true
    env: [{name: WHODID_MARK_TASKS}]
    ini: [{section: callback_whodid, key: mark_tasks}]
"""

import atexit
import base64
import getpass
import json
import os
import re
import socket
import time
from datetime import datetime, timezone

from ansible import context
from ansible.plugins.callback import CallbackBase

# What whodid takes as one record, with room for the rest of it.
RECORD_BYTES_MAX = 60000
TEXT_CHARS_MAX = 1000
# How long the playbook may be kept waiting for a writer that is there.
ANSWER_SECONDS = 3
# Records that may be on their way without an answer.
UNANSWERED_MAX = 500
RUN = re.compile(r"\A[A-Za-z0-9_-]{1,64}(/[A-Za-z0-9_-]{1,64}){0,6}\Z")


def name():
    return base64.b32encode(os.urandom(10)).decode().lower().rstrip("=")


class Lost(Exception):
    """No place takes a record."""


class Way:
    """Records on their way. Those that were not answered go to the next place; whodid knows a record again."""

    def __init__(self, path, file, spool):
        self.path, self.file, self.spool = path, file, spool
        self.stream = None
        self.unanswered = []
        self.heard = b""

    def send(self, line):
        self.unanswered.append(line)
        try:
            if self.stream is not None:
                try:
                    self._push(line)
                    return
                except OSError:
                    # It was idle for too long, or the writer was started again.
                    self._close()
            self._connect()
            for waiting in list(self.unanswered):
                self._push(waiting)
        except OSError as error:
            self._close()
            self._elsewhere(error)

    def end(self):
        """Waits until all is safe."""
        try:
            self._hear(0)
        except OSError as error:
            self._close()
            self._elsewhere(error)
        self._close()

    def _connect(self):
        self.stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.stream.settimeout(ANSWER_SECONDS)
        self.stream.connect(self.path)
        self.heard = b""

    def _close(self):
        if self.stream is not None:
            self.stream.close()
        self.stream = None

    def _push(self, line):
        self.stream.sendall(line)
        self._hear(UNANSWERED_MAX)

    def _hear(self, most):
        """Takes the answers that are there; waits while more than `most` are missing."""
        while self.unanswered and self.stream is not None:
            flags = socket.MSG_DONTWAIT if len(self.unanswered) <= most else 0
            try:
                data = self.stream.recv(65536, flags)
            except BlockingIOError:
                return
            if not data:
                raise ConnectionError("the writer has stopped")
            *lines, self.heard = (self.heard + data).split(b"\n")
            for line in lines:
                if "done" not in json.loads(line):
                    raise ConnectionError(line.decode(errors="replace"))
                self.unanswered.pop(0)

    def _elsewhere(self, why):
        if not self.unanswered:
            return
        text = b"".join(self.unanswered)
        try:
            if self.file:
                self._append(text)
            else:
                self._put(text)
        except OSError as error:
            raise Lost("%s: %s; %s: %s" % (self.path, why, self.file or self.spool, error)) from error
        finally:
            self.unanswered = []

    def _append(self, text):
        descriptor = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while text:
                text = text[os.write(descriptor, text):]
        finally:
            os.close(descriptor)

    def _put(self, text):
        file = name() + name()
        unfinished = os.path.join(self.spool, "." + file)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            # The writer may be another user; nobody else can list the folder.
            os.fchmod(descriptor, 0o644)
            while text:
                text = text[os.write(descriptor, text):]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(unfinished, os.path.join(self.spool, file))


def harmless(method):
    """What goes wrong here is told once, and is nothing to the playbook."""

    def wrapped(self, *args, **kwargs):
        try:
            return method(self, *args, **kwargs)
        except Exception as error:  # pylint: disable=broad-except
            if not self.is_told:
                self.is_told = True
                self._display.warning("whodid: this playbook is not recorded as it should be: %s" % error)

    return wrapped


def cut(text):
    return str(text)[:TEXT_CHARS_MAX]


def names_of(extra_vars):
    """The names of extra variables, as far as they can be told from their values; files by their path."""
    names = []
    for option in extra_vars or ():
        option = option.decode(errors="replace") if isinstance(option, bytes) else str(option)
        if option.startswith("@"):
            names.append(cut(option))
        elif option.lstrip().startswith(("{", "[")):
            try:
                names.extend(json.loads(option))
            except ValueError:
                # YAML in one line: what stands before the first colons.
                names.extend(re.findall(r"[{,]\s*[\"']?([A-Za-z_]\w*)[\"']?\s*:", option)[:1])
        else:
            # A value may hold what looks like another name: only what begins outside of quotes is one.
            plain = re.sub(r"=\s*(\"(\\.|[^\"\\])*\"|'(\\.|[^'\\])*')", "=", option)
            names.extend(re.findall(r"(?:\A|\s)([A-Za-z_]\w*)=", plain))
    return [cut(name) for name in names]


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "whodid"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.is_told = False
        self.way = None
        self.is_open = False
        self.playbook = None
        self.play = None
        self.began = time.monotonic()
        self.since = {}
        self.run = name()
        self.pid = os.getpid()

    @harmless
    def v2_playbook_on_start(self, playbook):
        self.way = Way(*(self.get_option(option) for option in ("socket", "file", "spool")))
        around = os.environ.get("WHODID_RUN", "")
        self.run = "%s/%s" % (around, self.run) if RUN.match(around) else self.run
        # For whatever runs within: local tasks, and `lookup('env', 'WHODID_RUN')`.
        os.environ["WHODID_RUN"] = self.run
        self.playbook = os.path.basename(str(getattr(playbook, "_file_name", "playbook")))
        self.is_open = True
        atexit.register(self.at_exit)
        options = context.CLIARGS
        self.say(
            "run.start",
            status="started",
            name=self.playbook,
            cwd=os.getcwd(),
            tty=tty(),
            check=bool(options.get("check")),
            limit=options.get("subset"),
            tags=sorted(options.get("tags") or ()),
            skip_tags=sorted(options.get("skip_tags") or ()),
            extra_vars=names_of(options.get("extra_vars")),
            inventory=[cut(one) for one in options.get("inventory") or ()],
            start_at_task=options.get("start_at_task"),
        )
        if self.get_option("mark_tasks"):
            for play in playbook.get_plays():
                have = play.environment or []
                play.environment = (have if isinstance(have, list) else [have]) + [{"WHODID_RUN": self.run}]

    @harmless
    def v2_playbook_on_play_start(self, play):
        self.play = play
        hosts = play.hosts if isinstance(play.hosts, (list, tuple)) else [play.hosts]
        self.say("ansible.play", status="started", name=cut(play.get_name()), hosts=[cut(host) for host in hosts])

    @harmless
    def v2_runner_on_start(self, host, task):
        self.since[(host.get_name(), str(task._uuid))] = time.monotonic()

    @harmless
    def v2_runner_on_ok(self, result):
        changed = facts(result)[2].get("changed", False)
        self.result(result, "changed" if changed else "ok")

    @harmless
    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.result(result, "failed", ignored=bool(ignore_errors) or None)

    @harmless
    def v2_runner_on_unreachable(self, result):
        self.result(result, "unreachable")

    @harmless
    def v2_runner_on_skipped(self, result):
        self.result(result, "skipped")

    @harmless
    def v2_playbook_on_stats(self, stats):
        hosts = [dict(stats.summarize(host), host=host) for host in sorted(stats.processed)]
        bad = {what: [sums["host"] for sums in hosts if sums.get(key)] for what, key in
               (("failed", "failures"), ("unreachable", "unreachable"))}
        reason = "; ".join("%s: %s" % (what, ", ".join(names)) for what, names in bad.items() if names)
        self.finish("failed" if reason else "ok", reason=cut(reason) if reason else None, stats=hosts)

    @harmless
    def at_exit(self):
        if self.is_open and os.getpid() == self.pid:
            self.finish("interrupted", reason="it ended before its end")

    def finish(self, status, **more):
        self.is_open = False
        seconds = round(time.monotonic() - self.began, 3)
        self.say("run.finish", name=self.playbook, status=status, seconds=seconds, **more)
        self.way.end()

    def result(self, result, status, **more):
        host, task, values = facts(result)
        is_hidden = bool(task.no_log) or bool(values.get("_ansible_no_log")) or "censored" in values
        reason = values.get("msg") if status in ("failed", "unreachable") and not is_hidden else None
        since = self.since.pop((host.get_name(), str(task._uuid)), None)
        target = host.get_name()
        if target in ("localhost", "127.0.0.1", "::1"):
            target = os.uname().nodename
        self.say(
            "ansible.task",
            target=target,
            play=cut(self.play.get_name()) if self.play is not None else None,
            role=str(task._role) if task._role is not None else None,
            name=cut(task.get_name()),
            module=getattr(task, "resolved_action", None) or task.action,
            status=status,
            reason=cut(reason) if reason else None,
            become=become(task),
            delegate_to=plain(task.delegate_to),
            check=True if task.check_mode else None,
            no_log=True if is_hidden else None,
            seconds=round(time.monotonic() - since, 3) if since is not None else None,
            **more
        )

    def say(self, action, **more):
        record = {
            "whodid": "ansible",
            "action": action,
            "time": datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "run": self.run,
            "host": os.uname().nodename,
            "user": user(),
            "uid": os.getuid(),
            "pid": self.pid,
        }
        record.update((key, value) for key, value in more.items() if value is not None)
        line = json.dumps(record, default=str)
        if len(line) > RECORD_BYTES_MAX and "stats" in record:
            # Of a thousand hosts only those that did not end well.
            bad = [sums for sums in record["stats"] if sums.get("failures") or sums.get("unreachable")]
            record["stats_left_out"] = len(record["stats"]) - len(bad)
            record["stats"] = bad
            line = json.dumps(record, default=str)
        if len(line) > RECORD_BYTES_MAX:
            for key in ("stats", "hosts", "extra_vars", "inventory", "tags", "skip_tags", "limit"):
                if record.pop(key, None) is not None:
                    record.setdefault("left_out", []).append(key)
            line = json.dumps(record, default=str)
        self.way.send(line.encode() + b"\n")


def facts(result):
    """Host, task and values of a result, in old and new versions of Ansible."""
    if hasattr(type(result), "result"):
        return result.host, result.task, result.result
    return result._host, result._task, result._result


def plain(value):
    """A setting, unless it is a template that was not filled in."""
    return None if value is None or "{{" in str(value) else cut(value)


def become(task):
    options = context.CLIARGS
    if plain(task.become) in ("True", "true", "yes") or (task.become is None and options.get("become")):
        return plain(task.become_user) or plain(options.get("become_user")) or "root"
    return None


def user():
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return str(os.getuid())


def tty():
    for descriptor in (0, 2, 1):
        try:
            return os.ttyname(descriptor).replace("/dev/", "", 1)
        except OSError:
            continue
    return None
