#include "tests/support/test.h"

#include <errno.h>

#include "lib/model/batch.h"

static const struct sq_batch_limits small = {
	.chunk = 64, .records = 3, .origins = 2, .arena = 128, .out = 256
};

static void records_and_origins_are_counted_and_bounded(void **state)
{
	struct sq_batch *b = sq_batch_new(&small);
	int receipt;

	(void)state;
	assert_non_null(b);
	assert_int_equal(sq_batch_room(b), 64);
	assert_int_equal(sq_batch_origin(b, &receipt, "192.0.2.1:5"), 0);
	assert_int_equal(sq_batch_origin(b, NULL, "[2001:db8::1]:6"), 1);
	assert_int_equal(sq_batch_origin(b, NULL, "third"), -ENOSPC);
	assert_ptr_equal(b->origins[0].receipt, &receipt);
	assert_string_equal(b->origins[1].peer, "[2001:db8::1]:6");

	memcpy(b->chunk, "abc", 3);
	b->tail = 3;
	assert_int_equal(sq_batch_room(b), 61);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(sq_batch_add(b, i & 1, (struct sq_sv){ b->chunk + i, 1 }), 0);
	assert_int_equal(sq_batch_add(b, 0, (struct sq_sv){ b->chunk, 1 }), -ENOSPC);
	assert_int_equal(b->origins[0].n, 2);
	assert_int_equal(b->origins[1].n, 1);
	assert_true(sq_batch_unfinished(b));
	b->done = 3;
	assert_false(sq_batch_unfinished(b));
	sq_batch_free(b);
}

static void a_long_peer_name_is_cut_and_terminated(void **state)
{
	struct sq_batch *b = sq_batch_new(&small);
	char peer[200];

	(void)state;
	memset(peer, 'p', sizeof(peer));
	peer[sizeof(peer) - 1] = '\0';
	assert_int_equal(sq_batch_origin(b, NULL, peer), 0);
	assert_int_equal(strlen(b->origins[0].peer), sizeof(b->origins[0].peer) - 1);
	sq_batch_free(b);
}

static void reset_leaves_nothing_behind(void **state)
{
	struct sq_batch *b = sq_batch_new(&small);

	(void)state;
	assert_int_equal(sq_batch_origin(b, NULL, "a"), 0);
	assert_int_equal(sq_batch_add(b, 0, (struct sq_sv){ b->chunk, 1 }), 0);
	b->tail = 10;
	b->done = 1;
	b->rest = SQ_SV("x");
	b->counts.received = 5;
	b->n_alerts = b->n_dead = 1;
	b->why[0] = 'w';
	sq_outbuf_put(&b->out, SQ_SV("text"));
	assert_non_null(sq_arena_alloc(&b->arena, 16));
	sq_batch_reset(b);
	assert_int_equal(sq_batch_room(b), 64);
	assert_int_equal(b->n_records + b->n_origins + b->n_alerts + b->n_dead + b->done, 0);
	assert_int_equal(b->rest.n + b->out.len + b->arena.used + b->counts.received, 0);
	assert_string_equal(b->why, "");
	sq_batch_free(b);
}

static void clearing_what_was_delivered_keeps_the_records(void **state)
{
	struct sq_batch *b = sq_batch_new(&small);

	(void)state;
	assert_int_equal(sq_batch_origin(b, NULL, "a"), 0);
	assert_int_equal(sq_batch_add(b, 0, (struct sq_sv){ b->chunk, 1 }), 0);
	sq_outbuf_put(&b->out, SQ_SV("text"));
	b->n_alerts = 1;
	sq_batch_clear_out(b);
	assert_int_equal(b->out.len + b->n_alerts, 0);
	assert_int_equal(b->n_records, 1);
	assert_true(sq_batch_unfinished(b));
	sq_batch_free(b);
	sq_batch_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_and_origins_are_counted_and_bounded),
		cmocka_unit_test(a_long_peer_name_is_cut_and_terminated),
		cmocka_unit_test(reset_leaves_nothing_behind),
		cmocka_unit_test(clearing_what_was_delivered_keeps_the_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
