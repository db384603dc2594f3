/* One Windows event, whatever its producer: values by field number.
 *
 * Values are views into the record or the batch's arena, valid until the batch is reset. A field
 * may hold several values (a JSON key given twice, an array): all of them count for matching, so
 * that nothing hides behind another.
 */
#pragma once

#include "lib/base/arena.h"
#include "lib/model/field.h"

enum sq_value_kind {
	SQ_VALUE_ABSENT, /* no such key */
	SQ_VALUE_NULL,   /* JSON null */
	SQ_VALUE_TEXT,
	SQ_VALUE_NUMBER, /* as it stood in the record, or decimal when we made it */
	SQ_VALUE_BOOL,   /* "true" or "false" */
};

struct sq_value {
	const char *p;
	uint32_t n;
	uint16_t more; /* 0, or 1 + index in sq_event.more of the next value of this field */
	uint8_t kind;  /* enum sq_value_kind */
	uint8_t rank;  /* private to the reader: how good the place is that it came from */
};

static inline struct sq_sv sq_value_sv(const struct sq_value *v)
{
	return (struct sq_sv){ v->p, v->n };
}

/** What an event is about, as Sigma's logsource.category says it. */
enum sq_category {
	SQ_CATEGORY_NONE,
	SQ_CATEGORY_PROCESS_CREATION,          /* Security 4688, Sysmon 1 */
	SQ_CATEGORY_FILE_CHANGE,               /* Sysmon 2 */
	SQ_CATEGORY_NETWORK_CONNECTION,        /* 3 */
	SQ_CATEGORY_SYSMON_STATUS,             /* 4, 16 */
	SQ_CATEGORY_PROCESS_TERMINATION,       /* 5 */
	SQ_CATEGORY_DRIVER_LOAD,               /* 6 */
	SQ_CATEGORY_IMAGE_LOAD,                /* 7 */
	SQ_CATEGORY_CREATE_REMOTE_THREAD,      /* 8 */
	SQ_CATEGORY_RAW_ACCESS_THREAD,         /* 9 */
	SQ_CATEGORY_PROCESS_ACCESS,            /* 10 */
	SQ_CATEGORY_FILE_EVENT,                /* 11 */
	SQ_CATEGORY_REGISTRY_ADD,              /* 12, creation */
	SQ_CATEGORY_REGISTRY_DELETE,           /* 12, deletion */
	SQ_CATEGORY_REGISTRY_SET,              /* 13; 4657 */
	SQ_CATEGORY_REGISTRY_RENAME,           /* 14 */
	SQ_CATEGORY_REGISTRY_EVENT,            /* any of the four, as a rule's category only */
	SQ_CATEGORY_CREATE_STREAM_HASH,        /* 15 */
	SQ_CATEGORY_PIPE_CREATED,              /* 17, 18 */
	SQ_CATEGORY_WMI_EVENT,                 /* 19, 20, 21 */
	SQ_CATEGORY_DNS_QUERY,                 /* 22 */
	SQ_CATEGORY_FILE_DELETE,               /* 23, 26 */
	SQ_CATEGORY_CLIPBOARD_CAPTURE,         /* 24 */
	SQ_CATEGORY_PROCESS_TAMPERING,         /* 25 */
	SQ_CATEGORY_FILE_BLOCK_EXECUTABLE,     /* 27 */
	SQ_CATEGORY_FILE_EXECUTABLE_DETECTED,  /* 29 */
	SQ_CATEGORY_SYSMON_ERROR,              /* 255 */
	SQ_CATEGORY_PS_SCRIPT,                 /* PowerShell 4104 */
	SQ_CATEGORY_PS_MODULE,                 /* 4103 */
	SQ_CATEGORY_PS_CLASSIC_START,          /* Windows PowerShell 400 */
	SQ_CATEGORY_PS_CLASSIC_PROVIDER_START, /* 600 */
	SQ_CATEGORY_PS_CLASSIC_SCRIPT,         /* 800 */
	SQ_CATEGORIES
};

/** Sigma's name ("process_creation"); "" for NONE. */
const char *sq_category_name(enum sq_category c);

enum sq_event_flag {
	SQ_EVENT_DUPLICATE_KEY = 1u << 0,
	SQ_EVENT_OVERFLOW = 1u << 1,     /* arena or value table full: some fields are missing */
	SQ_EVENT_FROM_MESSAGE = 1u << 2, /* some fields were read out of the rendered text */
	SQ_EVENT_BAD_UTF8 = 1u << 3,
	SQ_EVENT_CUT = 1u << 4, /* the record was cut off on its way; this is how far it came */
};

/* Derived values have room of their own, so that no record can crowd them out. */
enum { SQ_EVENT_READ_MAX = 256, SQ_EVENT_MORE_MAX = 768, SQ_EVENT_ALL_MAX = 2048 };

struct sq_event {
	struct sq_sv raw; /* the JSON or XML it was read from, without syslog header */
	const struct sq_fields *fields;
	struct sq_value *values; /* by field number; sq_fields_count() of them */
	struct sq_value *more;   /* SQ_EVENT_MORE_MAX further values, chained by sq_value.more */
	uint32_t n_more;
	uint32_t added;    /* of sq_event_add(): 1 + the field that the last of `more` belongs to */
	struct sq_sv *all; /* every scalar of the record, for keyword rules; only when asked for */
	uint32_t n_all;
	uint32_t flags;    /* enum sq_event_flag */
	uint32_t derived;  /* private to lib/derive: which parts have been made */
	uint32_t event_id; /* 0: none */
	enum sq_category category;
	const char *shape; /* which producer's shape: "nxlog", "winlogbeat7" ...; static text */
	int64_t time_us;   /* of the event; 0: unknown */
};

static inline bool sq_event_has(const struct sq_event *ev, uint32_t field)
{
	return ev->values[field].kind != SQ_VALUE_ABSENT;
}

/** First value as text; empty when absent or null. */
static inline struct sq_sv sq_event_get(const struct sq_event *ev, uint32_t field)
{
	const struct sq_value *v = &ev->values[field];

	return v->kind >= SQ_VALUE_TEXT ? sq_value_sv(v) : (struct sq_sv){ "", 0 };
}

/** Next value of the same field, or NULL. */
static inline const struct sq_value *sq_event_next(const struct sq_event *ev,
                                                   const struct sq_value *v)
{
	return v->more ? &ev->more[v->more - 1] : NULL;
}

/** Make `text`, which lives as long as the event, the only value of `field`. */
void sq_event_set(struct sq_event *ev, uint32_t field, struct sq_sv text);

/** Add a value to `field`. False, and SQ_EVENT_OVERFLOW set, when there is no more room. */
bool sq_event_add(struct sq_event *ev, uint32_t field, struct sq_sv text);

/** The same, unless the field has this value or `max` of them already. */
bool sq_event_add_once(struct sq_event *ev, uint32_t field, struct sq_sv text, uint32_t max);
