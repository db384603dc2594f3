/* The switch /i of regsvr32: where its value begins, and what the value is.
 *
 * The value goes to the library's DllInstall as it stands. scrobj.dll takes it for a URL, others
 * for a word, attackers' for whatever they like. Pure; works on folded text.
 */
#pragma once

#include "lib/derive/winpath.h"

/** Kinds of a value. A value may be of several: "shellcode,https://h/x" is PAYLOAD and URL. */
enum sq_install {
	SQ_INSTALL_NONE,  /* no such switch */
	SQ_INSTALL_EMPTY, /* a switch without a value */
	SQ_INSTALL_URL,   /* any scheme, also in the middle, or a script: moniker */
	SQ_INSTALL_UNC,
	SQ_INSTALL_WEBDAV,
	SQ_INSTALL_LOOPBACK, /* a share of this machine */
	SQ_INSTALL_PATH,
	SQ_INSTALL_PAYLOAD, /* "shellcode,..." or with one of * ! @ # , in it */
	SQ_INSTALL_TEXT,    /* a word, as lawful installers use it */
	SQ_INSTALL_N
};

/** "url"; never NULL. */
const char *sq_install_name(enum sq_install kind);

/** Is this token a switch? Its letter, or 0. "//host/share" is none, and neither is what has a
 *  letter that regsvr32 does not know and looks like a path. */
char sq_switch_letter(struct sq_sv token);

/** Where the value of an i-switch begins in `token`: "/i:x", "/install:x", and "/s/u/i:x", which
 *  regsvr32 itself would not take but people try. @return false: no i-switch with a colon */
bool sq_install_value(struct sq_sv token, struct sq_sv *ret);

/** Kinds of `value` as bits (1 << enum sq_install). `*ret_place` is the place of a path, else
 *  SQ_PLACE_NONE; may be NULL. */
uint32_t sq_install_kinds(struct sq_arena *arena, struct sq_sv value, enum sq_place *ret_place);

/** Does a URL begin anywhere in `text`, in any of the forms that urlmon takes? */
bool sq_install_has_url(struct sq_sv text);
