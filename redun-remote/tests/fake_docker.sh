#!/bin/sh
# Stands for docker: notes its words, and runs the command of `run` as a process of this machine, in an empty folder.
printf '%s\n' "--- $1" "$@" >> "$FAKE_DOCKER_LOG"
case "$1" in
run)
    shift
    while [ $# -gt 0 ]; do
        case "$1" in
        --name | --env | --volume | --gpus) shift 2 ;;
        -*) shift ;;
        *) break ;;
        esac
    done
    [ "$1" != broken-image ] || { echo "docker: image not found: broken-image" >&2; exit 125; }
    [ "$1" != small-image ] || exit 137
    [ "$1" != no-redun-image ] || { echo "exec: redun: not found" >&2; exit 127; }
    shift
    cd "$REDUN_SCRIPT_DIR" && exec "$@"
    ;;
inspect) echo "${FAKE_DOCKER_OOM:-false}" ;;
esac
