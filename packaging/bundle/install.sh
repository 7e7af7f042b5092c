#!/bin/sh
# Usage: ./install.sh, as root, in the unpacked bundle. Needs no internet; the kernel, systemd and Python 3.11 are the
# gateway's own.
#
# Checks every file of the bundle, installs into /opt/edge-agent/VERSION beside whatever versions are there, and makes it
# the current one. To go back: /opt/edge-agent/OTHER-VERSION/activate. PYTHON names another interpreter.
set -eu
umask 022
cd "$(dirname "$0")"
python=${PYTHON:-python3.11}
version=$(cat VERSION)
home=/opt/edge-agent/$version

die() {
    printf 'error 错误: %s\n' "$@" >&2
    exit 1
}

# Nothing is touched before all of this has been found right.
sha256sum --quiet --strict --check SHA256SUMS >&2 ||
    die "the bundle is not as it was made; copy it again. Nothing was changed. 安装包已损坏，未作任何改动"
[ "$(id -u)" -eq 0 ] || die "run it as root 请以 root 运行"
[ "$(uname -m)" = "$(cat MACHINE)" ] || die "this bundle is for $(cat MACHINE), and this gateway is $(uname -m)"
command -v systemctl >/dev/null || die "there is no systemd here"
"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null ||
    die "Python 3.11 is needed: Debian 12 has it (package python3); elsewhere PYTHON=/path/to/python3.11 ./install.sh"
if dpkg-query --show --showformat '${db:Status-Status}' edge-agent 2>/dev/null | grep -q '^installed$'; then
    die "the Debian package edge-agent is installed; use one or the other (apt-get remove edge-agent keeps all data)"
fi
[ ! -e "$home" ] || die "$home is there already; $home/activate makes it the current version"

# It gets its name only when it is whole.
draft=/opt/edge-agent/.installing
rm -rf "$draft"
mkdir -p "$draft"
"$python" -m venv --without-pip "$draft/venv"
PYTHONPATH=$(echo wheels/pip-*.whl) "$python" -m pip --python "$draft/venv/bin/python" install --quiet --no-index \
    --no-deps --disable-pip-version-check --no-cache-dir --root-user-action ignore --find-links wheels --require-hashes \
    -r requirements.txt
./slim "$draft/venv/lib/python3.11/site-packages"
# Scripts name the interpreter of the draft; the one that is wanted says where it will be.
cat >"$draft/venv/bin/edge-agent" <<SCRIPT
#!$home/venv/bin/python -I
import sys

from edge_agent.cli.main import main

sys.exit(main())
SCRIPT
cp -R systemd example doc VERSION activate "$draft/"
chmod 755 "$draft/activate" "$draft/venv/bin/edge-agent"
"$draft/venv/bin/python" -I -m edge_agent --version >/dev/null || die "the installed agent does not run here"
mv -T "$draft" "$home"

exec "$home/activate"
