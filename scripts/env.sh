# Source it in the root of the checkout (`. scripts/env.sh`): programs, libraries and fonts that scripts/debian-tools
# has unpacked into .tools are found, and those in sbin (mosquitto is one), which ordinary users lack.
# shellcheck shell=sh

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

_usr=$PWD/.tools/usr
if [ -d "$_usr" ]; then
    PATH=$PATH:$_usr/bin:$_usr/sbin
    export XDG_DATA_DIRS="${XDG_DATA_DIRS:-/usr/local/share:/usr/share}:$_usr/share" # fonts
    for _lib in "$_usr"/lib/*-linux-gnu* "$_usr"/lib/*-linux-gnu*/systemd "$PWD"/.tools/lib/*-linux-gnu*; do
        [ -d "$_lib" ] || continue
        LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$_lib
        LIBRARY_PATH=${LIBRARY_PATH:+$LIBRARY_PATH:}$_lib
        C_INCLUDE_PATH=${C_INCLUDE_PATH:+$C_INCLUDE_PATH:}$_usr/include:$_usr/include/${_lib##*/}
    done
    export LD_LIBRARY_PATH LIBRARY_PATH C_INCLUDE_PATH
fi
export PATH
unset _usr _lib
