#include "daemon/base/signals.h"

#include <signal.h>

static const struct {
	int number;
	enum sqd_signal what;
} signals[] = {
	{ SIGTERM, SQD_SIGNAL_STOP },
	{ SIGINT, SQD_SIGNAL_STOP },
	{ SIGHUP, SQD_SIGNAL_RELOAD },
	{ SIGUSR1, SQD_SIGNAL_COUNTERS },
};

static void on_uv_signal(uv_signal_t *h, int number)
{
	struct sqd_signals *s = h->data;

	for (size_t i = 0; i < SQ_LEN(signals); i++) {
		if (signals[i].number == number) {
			s->on_signal(s->ctx, signals[i].what);
			return;
		}
	}
}

int sqd_signals_open(struct sqd_signals *s, uv_loop_t *loop, sqd_signal_fn *on_signal, void *ctx)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	*s = (struct sqd_signals){ .on_signal = on_signal, .ctx = ctx };
	if (sigaction(SIGPIPE, &ignore, NULL) < 0 || sigaction(SIGXFSZ, &ignore, NULL) < 0)
		return -EINVAL;
	for (size_t i = 0; i < SQ_LEN(signals); i++) {
		int r = uv_signal_init(loop, &s->handles[i]);

		if (r < 0)
			return r;
		s->handles[i].data = s;
		s->open++;
		r = uv_signal_start(&s->handles[i], on_uv_signal, signals[i].number);
		if (r < 0)
			return r;
	}
	return 0;
}

void sqd_signals_close(struct sqd_signals *s)
{
	for (; s->open; s->open--)
		uv_close((uv_handle_t *)&s->handles[s->open - 1], NULL);
}
