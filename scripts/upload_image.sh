# The job of one image: has it moved by a warm worker, and puts its marker in place.
#
# Read by the shell that Snakemake starts for the job anyway: each further program would cost more CPU than all the rest
# (a Python start alone 15 ms). Whatever is not the usual case is left to upload_image.py.
#
# In: the marker, the job's log, the workers' file, the run's results folder; then what upload_image.py needs besides.
marker=$1 log=$2 address=$3 stop=$4/logs/stop.txt
folder=${marker%/markers/*}
status=unanswered answer=

{
    if [[ -O $address ]] && read -r port request_secret answer_secret <"$address" \
        && exec 3<>"/dev/tcp/127.0.0.1/$port" \
        && printf '%s %s %s\n' "$request_secret" "${folder##*/}" "${marker##*/}" >&3; then
        # To its end at once: from a socket, `read` takes a line byte by byte, which costs more than all the rest.
        IFS= read -r -t 3600 -N 65536 answer <&3 || true
    fi
} 2>/dev/null

if [[ $answer == "${answer_secret-} "*$'\n' ]]; then
    answer=${answer#* }
    status=${answer%% *} answer=${answer#* } answer=${answer%$'\n'}
fi

if [[ $status == moved ]]; then
    # Ctrl-C comes too late now: Snakemake would remove the marker of a job that it ended.
    trap '' INT
    # A marker appears whole or not at all.
    if { printf '%s\n' "$answer" >"$marker.$$" && mv -f "$marker.$$" "$marker"; } 2>/dev/null; then
        exit
    fi
    # Once more, for the reason.
    reason=$({ printf '%s\n' "$answer" >"$marker.$$"; } 2>&1) || true
    rm -f "$marker.$$"
    status=stop answer="${marker%/*} cannot be written to: ${reason##*: }"
fi

case $status in
    failed)
        # The failure is recorded already; a full disk is said once, at the end.
        { printf '%s\n' "$answer" >"$log"; } 2>/dev/null
        ;;
    stop)
        # Snakemake lets what runs finish, and starts nothing more.
        # The reason first, for the run's last line; where the disk is full, an empty file is what is left of it.
        {
            [[ -s $stop ]] || printf '%s\n' "$answer" >"$stop" || true
            kill -TERM "$PPID"
            printf '%s\n' "$answer" >"$log"
        } 2>/dev/null
        ;;
    *)
        exec python "${BASH_SOURCE%.sh}.py" "$@" "$PPID" 2>"$log"
        ;;
esac
exit 1
