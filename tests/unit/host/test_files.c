#include "lib/host/files.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/fault_alloc.h"
#include "tests/unit/host/scratch.h"

static void a_file_is_read_whole_and_appended(void **state)
{
	struct sq_outbuf out = sq_outbuf_of(100);
	char *path = scratch_file(*state, "f", "some text");

	sq_outbuf_put(&out, SQ_SV(">"));
	assert_int_equal(sq_file_read(path, &out, NULL), 0);
	assert_sv_equal(sq_outbuf_view(&out), SQ_SV(">some text"));
	sq_outbuf_fini(&out);
	free(path);
}

static void a_file_over_the_limit_is_refused_with_the_limit(void **state)
{
	char *path = scratch_file(*state, "f", "0123456789");
	struct sq_err err = { 0 };
	struct sq_outbuf out = sq_outbuf_of(10);

	assert_int_equal(sq_file_read(path, &out, &err), 0); /* just fits */
	sq_outbuf_fini(&out);
	out.max = 9;
	assert_int_equal(sq_file_read(path, &out, &err), -EFBIG);
	assert_non_null(strstr(err.text, "/f: larger than 9 bytes"));
	sq_outbuf_fini(&out);
	free(path);
}

static void a_file_without_a_size_is_bounded_too(void **state)
{
	struct sq_outbuf out = sq_outbuf_of(16);

	(void)state;
	/* procfs says that its files hold nothing. */
	assert_int_equal(sq_file_read("/proc/self/status", &out, NULL), -EFBIG);
	sq_outbuf_fini(&out);
	out.max = 1 << 20;
	assert_int_equal(sq_file_read("/proc/self/status", &out, NULL), 0);
	assert_true(sq_sv_starts(sq_outbuf_view(&out), SQ_SV("Name:")));
	sq_outbuf_fini(&out);
}

static void what_is_no_regular_file_is_refused_at_once(void **state)
{
	struct sq_outbuf out = sq_outbuf_of(100);
	struct sq_err err = { 0 };
	char *fifo = scratch_path(*state, "fifo");

	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(sq_file_read(fifo, &out, &err), -EINVAL);
	assert_non_null(strstr(err.text, "not a regular file"));
	assert_int_equal(sq_file_read(*state, &out, &err), -EISDIR);
	assert_int_equal(sq_file_read("/dev/zero", &out, &err), -EINVAL);
	assert_int_equal(sq_file_read("/no/such/file", &out, &err), -ENOENT);
	assert_string_equal(err.text, "/no/such/file: No such file or directory");
	sq_outbuf_fini(&out);
	free(fifo);
}

static void a_file_is_replaced_whole_with_its_mode(void **state)
{
	char *path = scratch_file(*state, "f", "the old and longer text");
	struct sq_outbuf out = sq_outbuf_of(100);
	struct sq_paths left = { 0 };
	struct stat st;

	assert_int_equal(sq_file_replace(path, SQ_SV("new"), 0640, NULL), 0);
	assert_int_equal(sq_file_read(path, &out, NULL), 0);
	assert_sv_equal(sq_outbuf_view(&out), SQ_SV("new"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(sq_paths_add(&left, *state, "", NULL, NULL), 0);
	assert_int_equal(left.n, 1); /* no temporary file stays */
	sq_paths_fini(&left);
	sq_outbuf_fini(&out);
	free(path);
}

static void a_replacement_that_fails_leaves_nothing_behind(void **state)
{
	char *folder = scratch_path(*state, "folder");
	struct sq_paths left = { 0 };
	struct sq_err err = { 0 };

	assert_int_equal(mkdir(folder, 0700), 0);
	assert_true(sq_file_replace(folder, SQ_SV("x"), 0600, &err) < 0);
	assert_non_null(strstr(err.text, "/folder: "));
	assert_int_equal(sq_paths_add(&left, *state, "", NULL, NULL), 0);
	assert_int_equal(left.n, 0);
	assert_int_equal(sq_file_replace("/no/such/folder/f", SQ_SV("x"), 0600, &err), -ENOENT);
	sq_paths_fini(&left);
	free(folder);
}

/* Paths relative to the scratch folder, with blanks between. */
static char *listed(const struct sq_paths *p, const char *root)
{
	struct sq_outbuf out = sq_outbuf_of(10000);

	for (size_t i = 0; i < p->n; i++) {
		sq_outbuf_put(&out, i ? SQ_SV(" ") : SQ_SV(""));
		assert_true(sq_sv_starts(sq_sv_of(p->list[i]), sq_sv_of(root)));
		sq_outbuf_put(&out, sq_sv_of(p->list[i] + strlen(root) + 1));
	}
	sq_outbuf_putc(&out, '\0');
	return out.p;
}

static void a_folder_gives_its_files_sorted_by_suffix(void **state)
{
	struct sq_paths p = { 0 };
	char *got;

	scratch_folder(*state, "b");
	scratch_folder(*state, ".git");
	scratch_folder(*state, "dir.yml");
	free(scratch_file(*state, "z.yml", ""));
	free(scratch_file(*state, "b/2.yaml", ""));
	free(scratch_file(*state, "b/1.yml", ""));
	free(scratch_file(*state, "a.ndjson", ""));
	free(scratch_file(*state, ".hidden.yml", ""));
	free(scratch_file(*state, ".git/x.yml", ""));
	free(scratch_file(*state, "dir.yml/in.yml", ""));
	assert_int_equal(sq_paths_add(&p, *state, ".yml", ".yaml", NULL), 0);
	got = listed(&p, *state);
	assert_string_equal(got, "b/1.yml b/2.yaml dir.yml/in.yml z.yml");
	free(got);
	sq_paths_fini(&p);
	assert_int_equal(sq_paths_add(&p, *state, ".ndjson", NULL, NULL), 0);
	assert_int_equal(p.n, 1);
	sq_paths_fini(&p);
}

static void a_file_that_is_named_is_taken_whatever_its_name(void **state)
{
	char *path = scratch_file(*state, "rule.txt", "");
	struct sq_paths p = { 0 };

	assert_int_equal(sq_paths_add(&p, path, ".yml", NULL, NULL), 0);
	assert_int_equal(p.n, 1);
	assert_string_equal(p.list[0], path);
	assert_int_equal(sq_paths_add(&p, "/no/such", ".yml", NULL, NULL), -ENOENT);
	sq_paths_fini(&p);
	free(path);
}

static void links_are_followed_and_loops_end(void **state)
{
	struct sq_paths p = { 0 };
	char *got;

	scratch_folder(*state, "a");
	scratch_folder(*state, "a/b");
	free(scratch_file(*state, "a/b/1.yml", ""));
	scratch_link(*state, "..", "a/b/up");
	scratch_link(*state, ".", "self");
	scratch_link(*state, "a/b", "c");
	scratch_link(*state, "a/b/1.yml", "l.yml");
	scratch_link(*state, "nowhere", "lost.yml"); /* reading it will say so */
	scratch_link(*state, "nowhere", "lost.txt");
	assert_int_equal(sq_paths_add(&p, *state, ".yml", NULL, NULL), 0);
	got = listed(&p, *state);
	/* From c/, a link to a/b, the way up leads to a/ and back to itself, which ends there. */
	assert_string_equal(got, "a/b/1.yml c/1.yml l.yml lost.yml");
	free(got);
	sq_paths_fini(&p);
}

static void folders_without_end_are_refused(void **state)
{
	char path[4096] = "", *at = path;
	struct sq_paths p = { 0 };
	struct sq_err err = { 0 };

	for (unsigned i = 0; i < 40; i++) {
		at += snprintf(at, 8, "%sd", i ? "/" : "");
		scratch_folder(*state, path);
	}
	assert_int_equal(sq_paths_add(&p, *state, ".yml", NULL, &err), -ELOOP);
	assert_non_null(strstr(err.text, "more than 32 folders deep"));
	sq_paths_fini(&p);
}

static void reading_and_listing_survive_a_failed_allocation(void **state)
{
	bool failed = true;

	free(scratch_file(*state, "a.yml", "text"));
	for (unsigned n = 1; failed; n++) {
		struct sq_outbuf out = sq_outbuf_of(100);
		struct sq_paths p = { 0 };
		struct sq_err err = { 0 };
		int r;

		fault_alloc_at(n);
		r = sq_paths_add(&p, *state, ".yml", NULL, &err);
		if (r == 0)
			r = sq_file_read(p.list[0], &out, &err);
		failed = fault_alloc_end();
		assert_int_equal(r, failed ? -ENOMEM : 0);
		assert_int_equal(err.text[0] != 0, failed);
		sq_paths_fini(&p);
		sq_outbuf_fini(&out);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_read_whole_and_appended),
		TEST(a_file_over_the_limit_is_refused_with_the_limit),
		TEST(a_file_without_a_size_is_bounded_too),
		TEST(what_is_no_regular_file_is_refused_at_once),
		TEST(a_file_is_replaced_whole_with_its_mode),
		TEST(a_replacement_that_fails_leaves_nothing_behind),
		TEST(a_folder_gives_its_files_sorted_by_suffix),
		TEST(a_file_that_is_named_is_taken_whatever_its_name),
		TEST(links_are_followed_and_loops_end),
		TEST(folders_without_end_are_refused),
		TEST(reading_and_listing_survive_a_failed_allocation),
	};

	return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
