#!/usr/bin/env bash
# pages_test.sh PREFIX SOURCE PAGE: performs the code blocks of one page with the installed SDK, outside the tree. The
# page of an example is performed in a copy of the example, that of a template in a project made from it.
source "$(dirname "$0")/common.sh"
source "$here/perform.sh"
page=$3
need awk cc c++ pkg-config
if grep -qE '^(make|cmake|cargo)' "$source/$page"; then need make cmake; fi

mkdir "$work/empty"
cd "$work/empty"
case $page in
  sdk/examples/*/README.md)
    name=${page#sdk/examples/}
    name=${name%/README.md}
    [ "$name" != gossip ] || need cargo
    cp -rL "$prefix/share/atlas/examples/$name" example
    cd example
    perform "$PWD/README.md"
    ;;
  sdk/templates/*/README.md)
    lang=${page#sdk/templates/}
    lang=${lang%/README.md}
    [ "$lang" != rust ] || need cargo
    atlas plugin new org.example.thing --lang "$lang" --dir project >/dev/null
    cd project
    perform "$PWD/README.md"
    ;;
  *) perform "$source/$page" ;;
esac
echo "$page: $ran blocks ran, $compiled were compiled, $compared lines were compared"
