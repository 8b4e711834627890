#!/usr/bin/env bash
# tutorial_test.sh PREFIX SOURCE: performs docs/write-a-plugin/tutorial.md to the letter. What people write and type
# themselves has 40 lines at most, in all.
source "$(dirname "$0")/common.sh"
source "$here/perform.sh"
need cmake c++ awk pkg-config
mkdir "$work/empty"
cd "$work/empty"
umask 002  # a newcomer's, on many systems
perform "$source/docs/write-a-plugin/tutorial.md"
[ "$ran" -ge 4 ] && [ "$compared" -ge 4 ] ||
  die "$ran blocks ran, $compared lines were compared: the page changed its form"
total=$((own_lines + commands))
[ "$total" -le 40 ] || die "$own_lines lines of code and $commands commands, 40 in all are promised"
