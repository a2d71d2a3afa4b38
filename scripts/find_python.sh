#!/bin/sh
# Print the version and the path of the Python that $1 names ("3.13 /usr/bin/python3.13").
#
# $1 is a path or a name such as python3.13. A name that PATH does not hold is looked for among the
# versions of pyenv. Exit code 1, and no output, where there is none or it is older than 3.11.
set -u
name=${1:?usage: find_python.sh PATH_OR_NAME}

for python in "$name" "${PYENV_ROOT:-$HOME/.pyenv}/versions/${name#python}".*/bin/python; do
    "$python" -c '
import sys
if sys.version_info < (3, 11):
    sys.exit(1)
print("%d.%d" % sys.version_info[:2], sys.executable)' 2>/dev/null && exit 0
done
exit 1
