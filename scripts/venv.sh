# Sourced by the other scripts, never run: makes the virtual environment that a script needs, and only when needed.
# PYTHON=/path/to/python3.11 chooses the Python; without it the first one on PATH that is new enough is taken.

NEW_ENOUGH='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'

find_python() { # prints a Python of 3.11 or newer that can make virtual environments, or says what is needed
  local candidate found=""
  for candidate in ${PYTHON:+"$PYTHON"} python3 python3.11 python3.12 python3.13 python3.14; do
    if "$candidate" -c "$NEW_ENOUGH" >/dev/null 2>&1; then
      echo "$candidate"
      return
    elif "$candidate" --version >/dev/null 2>&1; then
      found+=" $candidate is $("$candidate" --version 2>&1);"
    fi
  done
  cat >&2 <<TEXT
rxspark needs Python 3.11 or newer with its venv module. Found:${found:- no Python on PATH;}
  Debian 12, Ubuntu 24.04 or newer:  sudo apt-get install python3 python3-venv
  conda:                             conda create -n rxspark python=3.11 && conda activate rxspark
  not on PATH:                       PYTHON=/path/to/python3.11 $0
TEXT
  return 1
}

make_venv() { # make_venv FOLDER EXTRAS [REQUIREMENTS]: this checkout with its EXTRAS (one,two), installed in FOLDER
  local venv=$1 extras=$2 requirements=${3:-} key python extra missing=""
  local stamp=$venv/.rxspark-installed
  # The checkout's path is part of the key, because the environment of a checkout that was moved points to its old place.
  key=$({ pwd; cat pyproject.toml ${requirements:+"$requirements"}; } | cksum | tr ' ' -)
  for extra in ${extras//,/ }; do
    grep -qsx "$key $extra" "$stamp" || missing=yes
  done
  [[ $missing ]] || return 0

  if "$venv/bin/python" -c "import pip; $NEW_ENOUGH" >/dev/null 2>&1; then
    echo "updating $venv" >&2
  else
    python=$(find_python) || return 1
    echo "creating $venv (first time: about two minutes)" >&2
    "$python" -m venv --clear "$venv" || return 1
  fi
  # Modules are compiled when they are first imported: pip would compile all, which takes as long as all else.
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile \
    -e ".[$extras]" ${requirements:+-r "$requirements"} || return 1
  for extra in ${extras//,/ }; do echo "$key $extra"; done >>"$stamp"
}
