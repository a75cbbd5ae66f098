# Runs the program that stands on the standard input and exits with 0 only where its last line was
# reached. A child runs it: whatever it does to its own process, this one waits and decides.
import os
import sys


def run(source, report, token):
    import linecache
    import traceback
    import types

    own = os.getpid()
    name = "<program>"
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    # So that a traceback shows the line.
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    # Not `__main__`: the benchmarks' own harnesses do not run what is guarded by that name.
    module = types.ModuleType("__test__")
    sys.modules["__test__"] = module
    code = 1
    try:
        exec(compile(source, name, "exec"), module.__dict__)
        code = 0
    except SystemExit:
        print("the program left before its last line", file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        # A copy that the program made of itself does not speak for it.
        if code == 0 and os.getpid() == own:
            os.write(report, token)
        os._exit(code)


def main():
    source = sys.stdin.buffer.read().decode("utf-8")
    token = os.urandom(32)
    heard, report = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(heard)
        run(source, report, token)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        os._exit(128 + os.WTERMSIG(status))
    # What the program left running may hold the other end.
    os.set_blocking(heard, False)
    try:
        reached = os.read(heard, len(token) + 1) == token
    except BlockingIOError:
        reached = False
    if os.WEXITSTATUS(status) == 0 and not reached:
        print("the program left before its last line", file=sys.stderr)
    os._exit(0 if reached and status == 0 else os.WEXITSTATUS(status) or 1)


main()
