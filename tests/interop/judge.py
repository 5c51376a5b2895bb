"""Runs a verifier again and again in one process: a line of arguments in, its exit code out.
usage: judge.py VERIFIER
Each time it is run as the program that it is, with nothing left of the time before.
"""
import contextlib, io, os, sys
verifier = sys.argv[1]
sys.path.insert(0, os.path.dirname(verifier))
code = compile(open(verifier, encoding="utf-8").read(), verifier, "exec")
for question in sys.stdin:
    sys.argv = [verifier, *question.rstrip("\n").split("\t")]
    said = io.StringIO()
    answer = "none"
    sys.modules.pop("keys", None)  # the half of it that keeps what was found
    try:
        with contextlib.redirect_stdout(said):
            exec(code, {"__name__": "__main__", "__doc__": ""})
    except SystemExit as ended:
        answer = ended.code
    print(answer, flush=True)
