/* The configuration: files to one constant struct, everything checked before anything starts.
 *
 * Sections are filled by tables of options (lib/text/opt.h), which also print the effective
 * configuration and the manual. An input or output has the options of its list and those of its
 * kind in one table, so that each key is looked at once.
 */
#pragma once

#include "daemon/core/registry.h"
#include "daemon/flow/router.h"
#include "lib/engine/lookup.h"
#include "lib/engine/verdict.h"

/** Which records are read. */
enum sqd_validate { SQD_VALIDATE_NEEDED, SQD_VALIDATE_ALL };

/** Which of the records that are forwarded say what was found in them. */
enum sqd_verdict_on { SQD_VERDICT_MATCHED, SQD_VERDICT_ALL };

/** How a forwarded record is written. */
enum sqd_record { SQD_RECORD_ORIGINAL, SQD_RECORD_JSON };

/** Where what waits for an output is kept. */
enum sqd_durability { SQD_DURABILITY_MEMORY, SQD_DURABILITY_SPOOL };

/** Options that every input has. */
struct sqd_input_common {
	char *type;
	char *socket;      /* name of a socket that systemd passes, or NULL */
	char *tenant;      /* see sqd_input.tenant, or NULL */
	uint64_t max_rate; /* bytes a second; 0: any */
	unsigned lane;     /* inputs of one lane have the same outputs */
};

struct sqd_output_common {
	char *type;
	struct sq_opt_strs tenants; /* whose events go there; none: everybody's */
	int format;                 /* enum sq_format */
	int min_level;              /* enum sq_level */
	int when_full;              /* enum sqd_when_full */
	uint64_t queue;             /* bytes */
	int forward;                /* enum sqd_forward */
	int verdict;                /* enum sqd_verdict_on */
	int record;                 /* enum sqd_record */
	uint32_t sample;
	struct sq_opt_strs drop_fields, keep_fields;
	uint32_t rate_limit; /* messages a second; 0: none */
	int durability;      /* enum sqd_durability */
	char *spool;         /* folder, or NULL */
	uint64_t spool_size; /* bytes */
	uint64_t spool_interval_ms;
	uint32_t spool_repeats; /* messages */
};

/** One entry of a list, filled by one table. */
struct sqd_config_item {
	union {
		struct sqd_input_common *input;
		struct sqd_output_common *output;
		void *common; /* begin of the memory that `table` fills */
	};
	void *cfg;            /* the kind's part of it */
	bool builtin;         /* nobody wrote it: it is in no line of the file */
	struct sq_opt *table; /* common rows, then the kind's; owned */
	/** Where in the file each row of `table` is set, line 0: it is not; the entry itself is
	 *  behind them. Owned. */
	struct sqd_config_spot {
		uint32_t line, col;
	} * spots;
	union {
		const struct sqd_input_ops *input_ops;
		const struct sqd_output_ops *output_ops;
	};
};

struct sqd_config_list {
	struct sqd_config_item *items;
	size_t n;
};

struct sqd_config {
	char *file; /* NULL: the built-in default */

	uint32_t workers; /* 0: by the number of processors, see sqd_config_workers() */
	uint32_t loops;   /* the same */
	uint32_t batches; /* 0: by the number of workers and loops */
	int log_level;
	bool skim;
	int validate;          /* enum sqd_validate */
	uint32_t check_one_in; /* 0: nothing is checked */
	uint32_t check_share;  /* percent of the time of each worker */
	uint64_t shutdown_ms;

	struct sq_opt_strs rule_paths; /* empty: the shipped patterns */
	char *rule_cache;              /* NULL: where sq_pack_cache() says; "": none */

	uint64_t fold_window_ms; /* 0: off */
	uint32_t fold_entries;
	uint64_t fold_bytes;

	uint32_t dedup_window; /* events; 0: off */

	uint32_t max_depth, max_keys; /* of JSON */
	uint32_t batch_records;
	uint64_t batch_alerts; /* bytes */

	char *control_path; /* NULL: where systemd has a folder for it; "": none */
	char *control_mode;
	uint32_t control_connections;
	uint64_t control_timeout_ms;

	struct sqd_config_list lookups; /* struct sqd_lookup_cfg */
	struct sqd_config_list inputs, outputs;
	struct sqd_config_item dead_letter; /* common NULL: none */

	unsigned n_lanes; /* of inputs: at least 1 */

	/** In how many ways records are handed on. Names in them view the outputs' options. */
	struct sq_view views[SQ_VIEWS];
	uint32_t n_views;
};

/** A table of what the site knows. */
struct sqd_lookup_cfg {
	char *name, *path, *column;
	struct sq_opt_strs columns;
	int key; /* enum sq_lookup_key */
	uint32_t rows;
	uint64_t memory;
};

/** Read the files of all tables. Any thread. @return 0 and one reference in `*ret`; -EINVAL and
 *  others: see `diags`, which has every mistake of every file's first bad row */
int sqd_lookups_load(const struct sqd_config *cfg, struct sq_lookups **ret,
                     struct sq_diags *diags) SQ_MUST_CHECK;

/** What the command line says in place of the file. */
struct sqd_config_override {
	char *const *rules; /* instead of `rules: paths:`; none = the configured ones */
	size_t n_rules;
};

/** Read the certificates and keys that are named, as the start would. Findings, among them
 *  warnings of certificates that expire, go into `diags`. @return 0 or -EINVAL */
int sqd_config_check_files(const struct sqd_config *cfg, struct sq_diags *diags) SQ_MUST_CHECK;

/**
 * Read `path`; NULL is the built-in default. Every finding is in `diags`.
 * @param over  may be NULL
 * @return 0, also with warnings; -EINVAL (see diags), -ENOMEM, or why the file could not be read,
 *         with `err`. `*cfg` is to be ended in any case
 */
int sqd_config_load(const char *path, const struct sqd_config_override *over,
                    struct sqd_config *cfg, struct sq_diags *diags,
                    struct sq_err *err) SQ_MUST_CHECK;
void sqd_config_fini(struct sqd_config *cfg);

/** The effective configuration as YAML. */
void sqd_config_print(const struct sqd_config *cfg, struct sq_outbuf *out);

/** The manual: every key with its sentence, commented out at its default. */
void sqd_config_help(struct sq_outbuf *out);

/** by the inputs of the lane. */
bool sqd_config_lane_takes(const struct sqd_config *cfg, const struct sqd_config_item *output,
                           unsigned lane);

/** Number of the way in which an output, which gets records, wants them. */
uint32_t sqd_config_view(const struct sqd_config *cfg, const struct sqd_config_item *item);
/** Some output gets records that no rule matches. */
bool sqd_config_forwards_clean(const struct sqd_config *cfg);
/** Every record is to be read: that was asked for, or an output cannot do without. */
bool sqd_config_reads_all(const struct sqd_config *cfg);

unsigned sqd_config_workers(const struct sqd_config *cfg);
/** With the main one. */
unsigned sqd_config_loops(const struct sqd_config *cfg);
/** Of libuv's pool: as many as can have work there at one time (128 at most), so that a disk that
 *  never answers holds up nobody but its own output. */
unsigned sqd_config_threads(const struct sqd_config *cfg);
/** Of each loop. */
uint32_t sqd_config_batches(const struct sqd_config *cfg);
struct sq_batch_limits sqd_config_limits(const struct sqd_config *cfg);

/** Value of the text option `key` of an entry, or NULL when its kind has no such key. */
const char *sqd_config_text(const struct sqd_config_item *item, const char *key);
/** The same of an option that is a list of texts. */
const struct sq_opt_strs *sqd_config_texts(const struct sqd_config_item *item, const char *key);
