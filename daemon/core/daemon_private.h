/* What the files of the daemon share: daemon.c starts and runs (rules.c,
 * outputs.c and inputs.c their parts of it), stop.c ends, report.c tells.
 *
 *   STARTING -> RUNNING -> DRAINING -> FLUSHING -> CLOSING
 *       |                      |           |          ^
 *       +---- cannot start ----+--deadline-+----------+
 */
#pragma once

#include "daemon/base/listen.h"
#include "daemon/base/log.h"
#include "daemon/base/signals.h"
#include "daemon/core/config.h"
#include "daemon/core/control.h"
#include "daemon/core/reload.h"
#include "daemon/flow/ioloop.h"
#include "daemon/flow/refusals.h"

enum sqd_phase {
	SQD_STARTING,
	SQD_RUNNING,
	SQD_DRAINING, /* inputs have stopped; batches are worked off */
	SQD_FLUSHING, /* all alerts are in the queues */
	SQD_CLOSING,  /* handles are being closed */
};

struct sqd_daemon_input {
	struct sqd_input *in; /* the first instance */
	bool elsewhere;       /* it is a further loop's; else owned */
	struct sq_counters counts;
	struct sqd_input_shared shared; /* with its instances on further loops */
	struct sqd_allowance allowance; /* of all of them; `rate` 0: any */
};

/** A lane and an output that it gives to. */
struct sqd_daemon_way {
	unsigned lane;
	size_t output;
	struct sq_now waiting; /* since when batches of it wait for room there; zero: none does */
};

/** What is told when every loop has shown its counters: bits. */
enum {
	SQD_TELL_COUNTERS = 1, /* all of them, to standard error */
	SQD_TELL_PULSE = 2,    /* to systemd: how we are */
	SQD_TELL_STATUS = 4,   /* to whoever asks on the control socket */
};

struct sqd_daemon {
	const struct sqd_config *cfg;
	enum sqd_phase phase;
	int exit_code;
	uv_loop_t loop;

	struct sq_counters counts; /* what batches and rules counted; inputs have their own */
	struct sq_counters asked;  /* the same when the further loops were asked last */
	uint64_t asked_raised;     /* sqd_router_raised() then */
	struct sqd_settling *settling;
	struct sqd_batchpool batches; /* of the main loop */
	struct sqd_dispatch *dispatch;
	struct sqd_ioloops *ioloops;  /* NULL: the main loop is all */
	unsigned undrained;           /* dispatch of the main loop, and further loops as one */
	struct sqd_sievebox sieves;   /* of the newest rules */
	struct sq_siphash_key secret; /* what senders must not foresee depends on it */
	struct sqd_router **routers;  /* by lane; the last may be missing */
	struct sqd_refusals refusals;
	struct sqd_reload *reload;
	struct sqd_rules_info rules;
	int64_t rules_at, refused_at; /* when they were taken up, others refused; 0: never */
	char refused_why[SQ_ERR_TEXT];
	struct sqd_control *control; /* NULL: there is none */
	struct sq_now began;

	struct sqd_daemon_input *inputs;
	size_t n_inputs;
	struct sqd_outqueue *
		*queues; /* of outputs; the dead letters' is the last, if there is one */
	struct sqd_forward_counts *forwarded; /* by output */
	struct sqd_daemon_way *ways;
	size_t n_ways;
	size_t n_queues, n_outputs;
	size_t queues_closing, inputs_closing,
		routers_closing; /* of inputs: further loops as one */

	struct sqd_signals signals;
	uv_timer_t deadline, pulse;
	uint64_t watchdog_ms;
	unsigned to_tell;
	bool answering;      /* what further loops showed is told just now */
	unsigned unanswered; /* pulses since the further loops have last answered */
};

/** Lane 0 has the main loop and those that are as many as `loops` says; each other one a further
 *  loop behind them: this. Threads are no more for it, but for one if `loops` is 1. */
static inline unsigned sqd_daemon_loop_of(const struct sqd_daemon *d, unsigned lane)
{
	return sqd_config_loops(d->cfg) + lane - 2;
}

/** Whose further loop `i` is. */
static inline unsigned sqd_daemon_lane_of(const struct sqd_daemon *d, unsigned i)
{
	unsigned first = sqd_daemon_loop_of(d, 1);

	return i < first ? 0 : i - first + 1;
}

/** rules.c: the rules, before there is anything that they are for. */
int sqd_daemon_start_rules(struct sqd_daemon *d, struct sq_err *err) SQ_MUST_CHECK;
/** Load rules, open files and certificates anew. @return false: we are stopping */
bool sqd_daemon_reload(struct sqd_daemon *d);

/** outputs.c: outputs with their queues and spools, and the router before them. */
int sqd_daemon_start_outputs(struct sqd_daemon *d, struct sq_err *err) SQ_MUST_CHECK;

/** How many queues get something of a lane, dead letters included. */
size_t sqd_daemon_lane_queues(const struct sqd_daemon *d, unsigned lane);

/** inputs.c: the inputs of the configuration, on every loop. */
int sqd_daemon_start_inputs(struct sqd_daemon *d, struct sq_err *err) SQ_MUST_CHECK;

/** report.c: tell it now, or as soon as every loop has answered. */
void sqd_daemon_tell(struct sqd_daemon *d, unsigned what);
/** Every loop has answered. */
void sqd_daemon_answered(void *ctx);
/** The time of a pulse has come. */
void sqd_daemon_beat(struct sqd_daemon *d);
/** Counters of inputs, batches and rules added up; those of further loops as they answered last. */
struct sq_counters sqd_daemon_counts(const struct sqd_daemon *d);
/** Bring the counters of a snapshot together: of input `i`, */
void sqd_daemon_input_metrics(const struct sqd_daemon *d, size_t i, struct sqd_metrics *m);
/** of output `i`, or of the dead letters behind them. */
void sqd_daemon_output_metrics(const struct sqd_daemon *d, size_t i, struct sqd_metrics *m);
/** "output NAME" */
void sqd_daemon_output_title(const struct sqd_daemon *d, size_t i, char *to, size_t size);
/** More comes, or came a moment ago, than max_rate of input `i` allows. */
bool sqd_daemon_holds_back(const struct sqd_daemon *d, size_t i);
/** Alerts that came to the routers since the beginning, repeats of events left out. */
uint64_t sqd_daemon_raised(const struct sqd_daemon *d);
/** See sqd_router_held(); of all lanes. */
uint64_t sqd_daemon_held(const struct sqd_daemon *d, const struct sqd_outqueue *q);
/** Records whose senders are answered when the outputs have sent. */
uint64_t sqd_daemon_unanswered(const struct sqd_daemon *d);
/** Some batch is being filled, run or handed over: what is not accounted for may be in it. */
bool sqd_daemon_under_way(const struct sqd_daemon *d);
/** "running" */
const char *sqd_daemon_phase(const struct sqd_daemon *d);
/** All counters, to standard error. */
void sqd_daemon_print(const struct sqd_daemon *d, const char *title);
/** The line that says what we listen on, what we look for and where alerts go. */
void sqd_daemon_announce(const struct sqd_daemon *d);

/** stop.c: told to stop; again: at once. */
void sqd_daemon_stop(struct sqd_daemon *d);
/** Dispatch: no batch is on its way any more. */
void sqd_daemon_drained(void *ctx);
/** Router: some queue has become empty. */
void sqd_daemon_progress(void *ctx);
/** The `closed` of every input. */
void sqd_daemon_input_closed(struct sqd_input *in);
/** Close everything there is; the loop ends by itself then. */
void sqd_daemon_close(struct sqd_daemon *d);
/** Free what is left after the loop. */
void sqd_daemon_free(struct sqd_daemon *d);
