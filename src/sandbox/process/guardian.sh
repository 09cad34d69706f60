# The guardian: outlives the harness by a moment and clears up after it.
#
# It reads one order a line from standard input, which only the harness holds open. When input ends, the harness is
# gone, by whatever means, and the guardian kills and removes what it was told to watch and not to forget:
#   watch <group>            a process group
#   forget <group>
#   mark <start of mark>     processes with this in their environment, wherever they have gone
#   title <start of title>   processes that have left their group but carry this title
#   postmaster <file>        the lock file of a Postgres, which names its shared memory
#   directory <path>
#   containers <label> <start of names>
#                            what carries both in the Docker daemon; nothing more of it without arguments
trap '' HUP INT TERM
groups=' '
marks=''
titles=''
postmasters=''
label=''
names=''

while read -r order what; do
    case $order in
    watch) groups="$groups$what " ;;
    forget)
        case $groups in
        *" $what "*) groups="${groups%%" $what "*} ${groups#*" $what "}" ;;
        esac
        ;;
    mark) marks="$marks$what
" ;;
    title) titles="$titles$what
" ;;
    postmaster) postmasters="$postmasters$what
" ;;
    directory) set -- "$@" "$what" ;;
    containers)
        names=${what#* }
        label=${what% *}
        ;;
    esac
done

# The processes that carry one of the titles.
titled() {
    printf '%s' "$titles" | while read -r title; do
        for file in $(grep -sla -e "^$title" /proc/[0-9]*/cmdline); do
            pid=${file#/proc/}
            echo "${pid%/cmdline}"
        done
    done
}

# The processes that carry one of the marks.
marked() {
    printf '%s' "$marks" | while read -r mark; do
        for file in $(grep -sla -F -e "$mark" /proc/[0-9]*/environ); do
            pid=${file#/proc/}
            echo "${pid%/environ}"
        done
    done
}

# Kills all that is left; succeeds when nothing is.
kill_rest() {
    rest=''
    for group in $groups; do
        kill -s KILL -- "-$group" 2>/dev/null && rest=yes
    done
    for pid in $(titled) $(marked); do
        kill -s KILL -- "$pid" 2>/dev/null && rest=yes
    done
    [ -z "$rest" ]
}

tries=0
until kill_rest || [ "$tries" -ge 100 ]; do
    tries=$((tries + 1))
    sleep 0.05
done
# A Postgres that was killed leaves a System V segment. Line 7 of its lock file has key and number.
printf '%s' "$postmasters" | while read -r file; do
    segment=$(sed -n '7s/^ *[0-9]* *\([0-9]*\).*/\1/p' "$file" 2>/dev/null)
    [ -z "$segment" ] || ipcrm -m "$segment" 2>/dev/null
done
[ "$#" -eq 0 ] || rm -rf -- "$@"

# A daemon that hangs is left to the next harness.
client='timeout -k 5 30 docker'

# Removes the containers and networks; succeeds when there were none. Label and name together are those of one harness.
remove_rest() {
    containers=$($client ps --all --quiet --no-trunc --filter "label=$label" --filter "name=^/?$names" 2>/dev/null) || return
    # shellcheck disable=SC2086 # one word for each
    [ -z "$containers" ] || $client rm --force --volumes $containers
    networks=$($client network ls --quiet --no-trunc --filter "label=$label" --filter "name=^$names" 2>/dev/null) || return
    # shellcheck disable=SC2086
    [ -z "$networks" ] || $client network rm $networks
    [ -z "$containers$networks" ]
}

# Where there is no client of Docker, or nothing that ends one that hangs, the next harness does it.
if [ -n "$names" ] && command -v docker >/dev/null 2>&1 && command -v timeout >/dev/null 2>&1; then
    # What the harness asked for last may still be made when it is gone: only when two looks find nothing is all of it known.
    quiet=0
    end=$(($(date +%s) + 60))
    while [ "$quiet" -lt 2 ] && [ "$(date +%s)" -lt "$end" ]; do
        if remove_rest >/dev/null 2>&1; then quiet=$((quiet + 1)); else quiet=0; fi
        sleep 0.5
    done
fi
