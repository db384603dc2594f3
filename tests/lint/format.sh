#!/bin/sh
# Fail when a C file is not as clang-format 14 leaves it, or a text holds a common misspelling.
set -eu
cd "$1"
for tool in clang-format-14 codespell; do
	command -v "$tool" >/dev/null || { echo "skipped: no $tool here"; exit 77; }
done
find lib daemon cli tests -name '*.[ch]' -print0 | xargs -0 clang-format-14 --dry-run -Werror
codespell --quiet-level=2 --ignore-words=tests/lint/words.txt --skip='*.ndjson,*/corpus/*,LICENSE' \
	lib daemon cli tools docs patterns conf systemd tests README.md NEWS.md
