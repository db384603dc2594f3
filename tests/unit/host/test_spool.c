/* The spool: what is committed is there again, in order; what is damaged is set aside and told. */
#include "lib/host/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/unit/host/scratch.h"

enum { SIZE = 4 << 20, SEEN_MAX = 4096 };

struct seen {
	uint64_t seqs[SEEN_MAX];
	size_t n, damaged, stop_at;
	char first[64];
};

static int note(void *ctx, const struct sq_spool_record *r)
{
	struct seen *seen = ctx;

	if (!seen->n)
		snprintf(seen->first, sizeof(seen->first), "%.*s/%.*s/%llu", SQ_SV_ARG(r->key),
		         (int)(r->text.n < 20 ? r->text.n : 20), r->text.p,
		         (unsigned long long)r->id[1]);
	assert_true(seen->n < SEEN_MAX);
	seen->seqs[seen->n++] = r->seq;
	return seen->n == seen->stop_at ? 7 : 0;
}

static void note_damaged(void *ctx, uint64_t seq, uint64_t n, struct sq_sv bytes)
{
	struct seen *seen = ctx;

	(void)seq;
	(void)bytes;
	seen->damaged += n;
}

static struct sq_spool *open_it(const char *dir, struct sq_err *aside)
{
	const struct sq_spool_opts o = { .dir = dir, .size = SIZE };
	struct sq_err err = { 0 };
	struct sq_spool *s = NULL;

	if (sq_spool_open(&o, &s, aside, &err) < 0)
		fail_msg("%s", err.text);
	return s;
}

static char *spool_at(void **state)
{
	return scratch_path(*state, "spool");
}

static struct sq_spool_record record(uint64_t seq, struct sq_sv text)
{
	return (struct sq_spool_record){ seq, { 1, seq + 100 }, SQ_SV("ws-1"), text };
}

static void put_some(struct sq_spool *s, uint64_t first, uint64_t end, struct sq_sv text)
{
	assert_int_equal(sq_spool_begin(s, NULL), 0);
	for (uint64_t i = first; i < end; i++) {
		struct sq_spool_record r = record(i, text);

		assert_int_equal(sq_spool_put(s, &r, 1, NULL), 0);
	}
	assert_int_equal(sq_spool_commit(s, NULL), 0);
}

/* In one chunk. */
static void put_together(struct sq_spool *s, uint64_t first, size_t n, struct sq_sv text)
{
	struct sq_spool_record r[SQ_SPOOL_RECORDS];

	for (size_t i = 0; i < n; i++)
		r[i] = record(first + i, text);
	assert_int_equal(sq_spool_begin(s, NULL), 0);
	assert_int_equal(sq_spool_put(s, r, n, NULL), 0);
	assert_int_equal(sq_spool_commit(s, NULL), 0);
}

static struct seen read_all(struct sq_spool *s, uint64_t from)
{
	struct seen seen = { 0 };

	assert_int_equal(sq_spool_read(s, from, note, note_damaged, &seen, NULL), 0);
	return seen;
}

static void what_is_committed_is_there_again(void **state)
{
	char *dir = spool_at(state);
	struct sq_err aside;
	struct sq_spool *s = open_it(dir, &aside);
	struct seen seen;

	assert_int_equal(sq_spool_state(s)->next, 1);
	put_some(s, 1, 4, SQ_SV("one"));
	put_some(s, 9, 10, SQ_SV("after a gap"));
	assert_int_equal(sq_spool_begin(s, NULL), 0);
	assert_int_equal(sq_spool_put(s, &(struct sq_spool_record){ .seq = 20 }, 1, NULL), 0);
	sq_spool_close(s); /* the last was begun only */
	s = open_it(dir, &aside);
	assert_int_equal(aside.code, 0);
	seen = read_all(s, 1);
	assert_int_equal(seen.n, 4);
	assert_int_equal(seen.seqs[3], 9);
	assert_string_equal(seen.first, "ws-1/one/101");
	assert_int_equal(sq_spool_state(s)->next, 10);
	assert_int_equal(sq_spool_state(s)->records, 4);
	assert_int_equal(read_all(s, 3).n, 2);
	seen = (struct seen){ .stop_at = 2 };
	assert_int_equal(sq_spool_read(s, 0, note, note_damaged, &seen, NULL), 7);
	sq_spool_close(s);
	free(dir);
}

static void what_is_delivered_is_trimmed(void **state)
{
	char *dir = spool_at(state);
	struct sq_err aside;
	struct sq_spool *s = open_it(dir, &aside);
	uint64_t used;

	put_some(s, 1, 4000, SQ_SV("some text of an alert"));
	used = sq_spool_state(s)->used;
	assert_true(used > 4000 * 40);
	assert_int_equal(sq_spool_begin(s, NULL), 0);
	assert_int_equal(sq_spool_trim(s, 3990, NULL), 0);
	assert_int_equal(sq_spool_commit(s, NULL), 0);
	assert_true(sq_spool_state(s)->used < used / 10);
	sq_spool_close(s);
	s = open_it(dir, &aside);
	assert_int_equal(aside.code, 0);
	assert_int_equal(sq_spool_state(s)->cursor, 3990);
	assert_int_equal(read_all(s, 1).n, 10);
	assert_int_equal(sq_spool_begin(s, NULL), 0);
	assert_int_equal(sq_spool_trim(s, 5000, NULL), 0); /* delivered before it was written */
	assert_int_equal(sq_spool_commit(s, NULL), 0);
	assert_int_equal(sq_spool_state(s)->next, 5000);
	assert_int_equal(sq_spool_state(s)->records, 0);
	sq_spool_close(s);
	free(dir);
}

static void the_oldest_can_be_dropped(void **state)
{
	char *dir = spool_at(state);
	struct sq_err aside;
	struct sq_spool *s = open_it(dir, &aside);
	uint64_t n = 0;
	struct seen seen;

	put_some(s, 1, 1000, SQ_SV("some text of an alert"));
	assert_int_equal(sq_spool_begin(s, NULL), 0);
	assert_int_equal(sq_spool_drop(s, 11, 16384, &n, NULL), 0);
	assert_int_equal(sq_spool_commit(s, NULL), 0);
	assert_true(n > 50 && n < 900);
	seen = read_all(s, 1);
	assert_int_equal(seen.seqs[9], 10);
	assert_int_equal(seen.seqs[10], 11 + n);
	sq_spool_close(s);
	free(dir);
}

static void a_full_file_says_so_and_goes_on_when_there_is_room(void **state)
{
	static char text[9000];
	char *dir = spool_at(state);
	struct sq_err aside;
	struct sq_spool *s = open_it(dir, &aside);
	uint64_t seq = 1;
	int r = 0;

	for (; sq_spool_state(s)->used <= sq_spool_state(s)->max; seq++)
		put_some(s, seq, seq + 1, (struct sq_sv){ text, sizeof(text) });
	assert_int_equal(read_all(s, 1).n, seq - 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(sq_spool_begin(s, NULL), 0);
		assert_int_equal(sq_spool_trim(s, seq / 2, NULL), 0);
		assert_int_equal(sq_spool_commit(s, NULL), 0);
	}
	put_some(s, seq, seq + 10, (struct sq_sv){ text, sizeof(text) });
	for (seq += 10; !r; seq++) { /* further than we should ever go */
		struct sq_spool_record rec = record(seq, (struct sq_sv){ text, sizeof(text) });

		assert_int_equal(sq_spool_begin(s, NULL), 0);
		r = sq_spool_put(s, &rec, 1, NULL);
		if (!r)
			r = sq_spool_commit(s, NULL);
	}
	assert_int_equal(r, -ENOSPC);
	assert_int_equal(sq_spool_verify(s, NULL), 0);
	sq_spool_close(s);
	free(dir);
}

static void a_second_owner_is_refused(void **state)
{
	char *dir = spool_at(state);
	const struct sq_spool_opts o = { .dir = dir, .size = SIZE };
	const struct sq_spool_opts reader = { .dir = dir, .read_only = true };
	struct sq_err aside, err = { 0 };
	struct sq_spool *s = open_it(dir, &aside), *second = NULL;

	put_some(s, 1, 5, SQ_SV("text"));
	assert_int_equal(sq_spool_open(&o, &second, &aside, &err), -EBUSY);
	assert_non_null(strstr(err.text, "another process writes this spool"));
	assert_null(second);
	sq_spool_close(s);
	assert_int_equal(sq_spool_open(&reader, &second, &aside, &err), 0);
	assert_int_equal(read_all(second, 1).n, 4);
	assert_int_equal(sq_spool_verify(second, &err), 0);
	sq_spool_close(second);
	free(dir);
}

static void what_is_no_file_of_ours_is_refused(void **state)
{
	char *dir = spool_at(state), *path = scratch_path(*state, "spool/data.mdb");
	const struct sq_spool_opts o = { .dir = dir, .size = SIZE };
	struct sq_err aside, err = { 0 };
	struct sq_spool *s;

	scratch_folder(*state, "spool");
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(sq_spool_open(&o, &s, &aside, &err), -EINVAL);
	assert_int_equal(unlink(path), 0);
	scratch_link(*state, "/etc/passwd", "spool/data.mdb");
	assert_int_equal(sq_spool_open(&o, &s, &aside, &err), -EINVAL);
	free(dir);
	free(path);
}

/* A spool of some pages, some of them free, as a file in memory. */
static char *sample(void **state, size_t *ret_n)
{
	static char text[3000];
	char *dir = spool_at(state), *path = scratch_path(*state, "spool/data.mdb");
	struct sq_err aside;
	struct sq_spool *s = open_it(dir, &aside);
	struct stat st;
	char *bytes;
	int fd;

	put_some(s, 1, 30, SQ_SV("small"));
	put_together(s, 30, 30, SQ_SV("small"));
	put_some(s, 60, 65, (struct sq_sv){ text, sizeof(text) });
	put_together(s, 65, 5, (struct sq_sv){ text, sizeof(text) });
	put_some(s, 70, 75, (struct sq_sv){ text, 1500 });
	assert_int_equal(sq_spool_begin(s, NULL), 0);
	assert_int_equal(sq_spool_trim(s, 20, NULL), 0);
	assert_int_equal(sq_spool_commit(s, NULL), 0);
	sq_spool_close(s);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	bytes = malloc((size_t)st.st_size);
	assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
	close(fd);
	*ret_n = (size_t)st.st_size;
	free(dir);
	free(path);
	return bytes;
}

static void overwrite(void **state, const char *bytes, size_t n)
{
	char *path = scratch_path(*state, "spool/data.mdb");
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, bytes, n), n);
	close(fd);
	free(path);
}

/* Open what may be damaged, and use it. Gives how many records came out whole; when none of that
 * which was damaged is missing silently. */
static size_t use(void **state, struct sq_err *aside, struct seen *seen)
{
	char *dir = spool_at(state);
	struct sq_spool *s = open_it(dir, aside);
	uint64_t next = sq_spool_state(s)->next;

	*seen = read_all(s, 1);
	put_some(s, next, next + 3, SQ_SV("goes on"));
	assert_int_equal(read_all(s, next).n, 3);
	sq_spool_close(s);
	free(dir);
	return seen->n;
}

static void a_cut_file_is_set_aside_at_every_page(void **state)
{
	size_t n;
	char *bytes = sample(state, &n);

	for (size_t cut = 0; cut < n; cut += 4096) {
		struct sq_err aside = { 0 };
		struct seen seen;

		overwrite(state, bytes, cut);
		use(state, &aside, &seen);
		/* Empty is new; all else is whole, as when only free pages are gone, or aside. */
		if (cut && seen.n != 55)
			assert_int_equal(aside.code, -EUCLEAN);
		if (aside.code)
			assert_non_null(strstr(aside.text, "set aside as"));
	}
	free(bytes);
}

static void a_flipped_bit_is_noticed_or_harmless(void **state)
{
	size_t n, told = 0, older = 0;
	char *bytes = sample(state, &n);
	uint64_t dice = 88172645463325252;

	for (int i = 0; i < 120; i++) {
		struct sq_err aside = { 0 };
		struct seen seen;
		size_t at;

		dice ^= dice << 13;
		dice ^= dice >> 7;
		dice ^= dice << 17;
		at = i < 40 ? dice % 8192
		            : dice % n; /* the pages on which all depends, above all */
		bytes[at] ^= (char)(1 << (dice >> 60 & 7));
		overwrite(state, bytes, n);
		bytes[at] ^= (char)(1 << (dice >> 60 & 7));
		use(state, &aside, &seen);
		if (aside.code || seen.damaged)
			told++;
		else if (seen.n != 55)
			older++; /* the newest of both meta pages is not recognised as such */
	}
	assert_true(told > 20);
	assert_true(older <= 3);
	free(bytes);
}

static void nothing_of_zeros_is_taken(void **state)
{
	size_t n;
	char *bytes = sample(state, &n);
	struct sq_err aside = { 0 };
	struct seen seen;

	memset(bytes, 0, n);
	overwrite(state, bytes, n);
	use(state, &aside, &seen);
	assert_int_equal(aside.code, -EUCLEAN);
	assert_int_equal(seen.n, 0);
	free(bytes);
}

/* In a child, since the limit cannot be taken back and a signal comes with it. */
static void a_disk_that_takes_no_more_is_an_error_and_no_end(void **state)
{
	static char text[3000];
	char *dir = spool_at(state);
	struct sq_err aside;
	struct sq_spool *s;
	int status;
	pid_t child = fork();

	if (!child) {
		const struct rlimit limit = { 400000, 400000 };
		const struct sigaction ignore = { .sa_handler = SIG_IGN };
		int r = 0;

		s = open_it(dir, &aside);
		(void)sigaction(SIGXFSZ, &ignore, NULL);
		(void)setrlimit(RLIMIT_FSIZE, &limit);
		for (uint64_t i = 1; !r && i < 1000; i++) {
			struct sq_spool_record rec = record(i, (struct sq_sv){ text, 3000 });

			if (sq_spool_begin(s, NULL) < 0)
				_exit(9);
			r = sq_spool_put(s, &rec, 1, NULL);
			if (!r)
				r = sq_spool_commit(s, NULL);
			else
				_exit(8);
			if (r)
				_exit((r == -EFBIG || r == -EIO) && i > 50 ? 0 : 7);
		}
		_exit(6);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	s = open_it(dir, &aside);
	assert_int_equal(aside.code, 0); /* the commits before it are whole */
	assert_true(read_all(s, 1).n > 50);
	sq_spool_close(s);
	free(dir);
}

/* A restart or two is a matter of less than that. */
static void what_is_set_aside_within_a_second_is_all_kept(void **state)
{
	size_t n, kept = 0;
	char *bytes = sample(state, &n), *dir = spool_at(state);
	struct dirent *entry;
	DIR *folder;

	memset(bytes, 0, n);
	for (int i = 0; i < 5; i++) {
		struct sq_err aside = { 0 };

		overwrite(state, bytes, n);
		sq_spool_close(open_it(dir, &aside));
		assert_int_equal(aside.code, -EUCLEAN);
	}
	folder = opendir(dir);
	while ((entry = readdir(folder)))
		kept += strncmp(entry->d_name, "data.mdb.damaged-", 17) == 0;
	closedir(folder);
	assert_int_equal(kept, 5);
	free(bytes);
	free(dir);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_committed_is_there_again),
		TEST(what_is_delivered_is_trimmed),
		TEST(the_oldest_can_be_dropped),
		TEST(a_full_file_says_so_and_goes_on_when_there_is_room),
		TEST(a_second_owner_is_refused),
		TEST(what_is_no_file_of_ours_is_refused),
		TEST(a_cut_file_is_set_aside_at_every_page),
		TEST(a_flipped_bit_is_noticed_or_harmless),
		TEST(nothing_of_zeros_is_taken),
		TEST(what_is_set_aside_within_a_second_is_all_kept),
		TEST(a_disk_that_takes_no_more_is_an_error_and_no_end),
	};

	return cmocka_run_group_tests_name("host/spool", tests, NULL, NULL);
}
