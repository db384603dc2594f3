/* Walk through the XML of a Windows event: tags, attributes, text.
 *
 * Not an XML parser: no DTD, no namespaces (a prefix is cut off), no checks that tags match. Just
 * what Windows renders, and never a byte past the end whatever comes. Pure; views point into the
 * text, and only a value that holds entities is copied.
 */
#pragma once

#include "lib/base/arena.h"

enum sq_xml_kind {
	SQ_XML_END,   /* nothing is left */
	SQ_XML_OPEN,  /* <name attributes> */
	SQ_XML_EMPTY, /* <name attributes/> */
	SQ_XML_CLOSE, /* </name> */
	SQ_XML_TEXT,  /* between tags, entities as they stand */
	SQ_XML_CDATA, /* verbatim */
	SQ_XML_BROKEN /* the text ends inside a tag, a comment or CDATA */
};

struct sq_xml_token {
	enum sq_xml_kind kind;
	struct sq_sv name;  /* of a tag, without prefix */
	struct sq_sv attrs; /* of OPEN and EMPTY, raw */
	struct sq_sv text;  /* of TEXT and CDATA, raw */
};

/** The token at the front of `*in`, which is moved past it. Comments, declarations and processing
 *  instructions are passed over. */
struct sq_xml_token sq_xml_next(struct sq_sv *in);

/** Raw value of attribute `name` (prefix ignored), in either quotes. @return false: none */
bool sq_xml_attr(struct sq_sv attrs, struct sq_sv name, struct sq_sv *ret);

/** `raw` with its five entities and its numeric ones decoded, once; what is no entity stays as it
 *  is. Copies into the arena only when there is one; on a full arena gives `raw` back. */
struct sq_sv sq_xml_decode(struct sq_sv raw, struct sq_arena *a);
