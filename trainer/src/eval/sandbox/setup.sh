# Process 1 of the sandbox. Arguments: seconds of CPU, bytes of address space, bytes of a file, number of
# processes, number of open files, then the command. Nothing before `ready` is the command's doing.
set -eu
# What our own process had inherited would be a way out: a folder's descriptor leads to its parent.
for fd in /proc/self/fd/*; do
    fd=${fd##*/}
    if [ "$fd" -gt 2 ]; then eval "exec $fd>&-"; fi
done
cpu=$1 memory=$2 file=$3 processes=$4 open=$5
shift 5
if [ -d /input/source ]; then cp -a /input/source/. .; fi
if [ -d /input/changed ]; then cp -r /input/changed/. .; fi
ulimit -c 0
ulimit -t $((cpu + 1))
ulimit -S -t "$cpu"
ulimit -v $((memory / 1024))
ulimit -f $((file / 1024))
ulimit -u "$processes"
# Hard and soft. More than the host allows cannot be had.
most=$(ulimit -H -n)
if [ "$most" != unlimited ] && [ "$most" -lt "$open" ]; then open=$most; fi
ulimit -n "$open"
# Where memory runs out, this is killed and not the trainer or the editor.
echo 1000 >/proc/self/oom_score_adj
printf 'ready\n' >&2
set +e
# Not `exec`: a command that is process 1 would ignore signals that it sends to itself.
"$@"
exit $?
