/* What the files of the configuration share.
 */
#pragma once

#include "daemon/core/config.h"

/** A section of options that are there once. */
struct sqd_config_section {
	const char *key; /* NULL: the top level */
	const char *doc;
	const struct sq_opt *table; /* offsets in struct sqd_config */
};

/** Ends with a row whose table is NULL. */
extern const struct sqd_config_section sqd_config_sections[];

extern const struct sq_opt sqd_input_common_opts[];
extern const struct sq_opt sqd_output_common_opts[];

/** What is used for inputs and outputs when the file names none. */
extern const char sqd_config_builtin[];

/** Memory and table of one entry, at its defaults. `common` may have no rows. @return 0, -ENOMEM */
int sqd_config_item_init(struct sqd_config_item *item, const struct sq_opt *common,
                         size_t common_size, const struct sq_opt *kind,
                         size_t kind_size) SQ_MUST_CHECK;
void sqd_config_item_fini(struct sqd_config_item *item);

/** Keep where in the file `map`, of which the item was read, sets what. */
void sqd_config_item_note(struct sqd_config_item *item, const struct sq_yaml *map);

/** Where findings go. */
struct sqd_config_place {
	const char *file;
	struct sq_diags *diags;
};

/** A finding, at the option whose name `what` begins with, or at the entry. */
void sqd_config_blame(const struct sqd_config_item *item, const struct sqd_config_place *at,
                      enum sq_severity how, const char *what);

/** An error, at the option `key` of the entry `map` where that is set, else at the entry. */
void sqd_config_complain(const struct sqd_config_place *at, const struct sq_yaml *map,
                         const char *key, const char *what);

/** The row of the kind's part called `key`, or NULL. */
const struct sq_opt *sqd_config_row(const struct sqd_config_item *item, const char *key);

/** 1: it speaks TLS, 0: it does not, -EINVAL: keys of TLS miss the one that turns it on. */
int sqd_config_wants_tls(const struct sqd_config_item *item, bool input,
                         struct sq_err *err) SQ_MUST_CHECK;

/** Findings about an input or output that was read from `map`, by itself; */
void sqd_config_check_item(const struct sqd_config_place *at, const struct sq_yaml *map,
                           const struct sqd_config_item *item, bool input);
/** about its file, if it has one; */
void sqd_config_check_path(const struct sqd_config_place *at, const struct sq_yaml *map,
                           const struct sqd_config_item *item);
/** about an input whose address is one of another before it in `inputs`; */
void sqd_config_check_twice(const struct sqd_config_place *at, const struct sq_yaml *map,
                            const struct sqd_config_list *inputs,
                            const struct sqd_config_item *item);
/** about the file of the control socket. */
void sqd_config_check_control(const struct sqd_config_place *at, const struct sq_yaml *map,
                              const struct sqd_config *cfg);
/** Findings about outputs that have one file, or send to an input of ours; once all is read, and
 *  without an error. */
void sqd_config_check_overlap(const struct sqd_config *cfg, const struct sqd_config_place *at);
/** Do both lead to one place? What is not there yet may be named as well. */
bool sqd_config_same_place(const char *a, const char *b) SQ_MUST_CHECK;
/** What an output, read from `map`, says of where its requests go: findings go to `at`. */
void sqd_config_check_url(const struct sqd_config_place *at, const struct sq_yaml *map,
                          const struct sqd_config_item *item);
/** The same for records. */
void sqd_config_check_forward(const struct sqd_config_place *at, const struct sq_yaml *map,
                              const struct sqd_output_common *out);

/** Fill cfg->n_lanes and the lanes of inputs; findings about outputs whose tenants nobody is, and
 *  inputs that no output takes anything from. Once all is read, and without an error. */
void sqd_config_make_lanes(struct sqd_config *cfg, const struct sqd_config_place *at);

extern const struct sq_opt sqd_lookup_opts[];

/** Fill cfg->lookups. @return 0, also with findings; -ENOMEM */
int sqd_config_read_lookups(struct sqd_config *cfg, const struct sqd_config_place *at,
                            const struct sq_yaml *list) SQ_MUST_CHECK;

/** Fill cfg->views. @return 0, or -E2BIG: outputs want records in too many ways */
int sqd_config_make_views(struct sqd_config *cfg) SQ_MUST_CHECK;

/** What can be known of the spool of an output, beside those before it in the list. */
void sqd_config_check_spool(const struct sqd_config_list *outputs,
                            const struct sqd_config_item *item, const struct sq_yaml *map,
                            const char *file, struct sq_diags *diags);
