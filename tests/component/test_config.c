#include "daemon/core/config.h"
#include "lib/host/files.h"
#include "tests/component/config_text.h"

#include <unistd.h>

static struct config_case cases[] = {
	{ "an empty file is the built-in default", "", NULL, 0 },
	{ "sections without content are their defaults", "inputs:\noutputs:\nrules:\nfold:\n", NULL,
	  0 },
	{ "one input and one output", SQD_IN SQD_OUT, NULL, 0 },
	{ "an unknown key at the top names the nearest", "wrokers: 3\n", "did you mean \"workers\"",
	  1 },
	{ "an unknown section names the nearest", "input:\n  - type: tcp\n",
	  "did you mean \"inputs\"", 1 },
	{ "an unknown key of an input", SQD_IN "    listne: x\n", "did you mean \"listen\"", 4 },
	{ "tls where a certificate turns it on", SQD_IN "    tls: true\n",
	  "did you mean \"tls_certificate\"", 4 },
	{ "a key of another kind", SQD_OUT "    framing: lf\n", "framing", 3 },
	{ "an unknown kind names the nearest", "outputs:\n  - type: tcpp\n", "did you mean \"tcp\"",
	  2 },
	{ "an unknown kind that is like none lists all", "outputs:\n  - type: carrierpigeon\n",
	  "there are stdout, file, tcp, udp", 2 },
	{ "an unknown kind that is like a wrong one lists all", "outputs:\n  - type: http\n",
	  "did you mean \"tcp\"? There are stdout, file, tcp, udp", 2 },
	{ "an entry without type", "inputs:\n  - listen: 127.0.0.1:1\n", "needs its type", 2 },
	{ "an empty list", "inputs: []\n", "list of 1 to 256", 1 },
	{ "a map where a list is wanted", "outputs:\n  type: stdout\n", "list of 1 to 256", 2 },
	{ "a list where a map is wanted", "fold: [1]\n", "map of options", 1 },
	{ "a section with a value", "rules: /etc/rules\n",
	  "a map of options is expected here, as --help-config shows: rules", 1 },
	{ "a scalar as the whole", "hello\n", "is a map", 1 },
	{ "a number out of range", "workers: 65\n", "workers", 1 },
	{ "too many loops", "loops: 33\n", "loops", 1 },
	{ "what librdkafka is told",
	  "outputs:\n  - {type: kafka, brokers: [\"k:1\"], topic: t, client_id: x, max_in_flight: 10}\n"
	  "inputs:\n  - {type: kafka, brokers: [\"k:1\"], topics: [t], group: g, prefetch: 2MiB}\n",
	  NULL, 0 },
	{ "too little fetched ahead",
	  "inputs:\n  - {type: kafka, brokers: [\"k:1\"], topics: [t], group: g, prefetch: 1KiB}\n",
	  "prefetch", 2 },
	{ "nothing in flight",
	  "outputs:\n  - {type: kafka, brokers: [\"k:1\"], topic: t, max_in_flight: 0}\n",
	  "max_in_flight", 2 },
	{ "a spool that commits too rarely",
	  "outputs:\n  - {type: stdout, durability: spool, spool: /x, spool_interval: 1min}\n",
	  "spool_interval", 2 },
	{ "an address without a port", "inputs:\n  - type: udp\n    listen: 127.0.0.1\n", "listen",
	  3 },
	{ "an address to look up is not listened on",
	  "inputs:\n  - type: tcp\n    listen: localhost:1\n", "listen", 3 },
	{ "an upstream without a port", "outputs:\n  - type: tcp\n    address: siem\n", "address",
	  3 },
	{ "the same address twice", SQD_IN SQD_IN, "", 0 },
	{ "two inputs that listen on one address",
	  "inputs:\n  - {type: tcp, listen: 127.0.0.1:1}\n  - {type: udp, listen: 127.0.0.1:1}\n  - {type: tcp, listen: 127.0.0.1:1}\n",
	  "two inputs of type tcp", 4 },
	{ "two kinds of streams on one address",
	  "inputs:\n  - {type: tcp, listen: 127.0.0.1:1}\n  - {type: beats, listen: 127.0.0.1:1}\n",
	  "two inputs, of type tcp and beats, listen on 127.0.0.1:1", 3 },
	{ "an address and every address",
	  "inputs:\n  - {type: tcp, listen: 127.0.0.21:1}\n  - {type: beats, listen: \"*:1\"}\n",
	  "two inputs, of type tcp and beats, listen on 127.0.0.21:1 and *:1, which overlap", 3 },
	{ "every address of IPv4, and one",
	  "inputs:\n  - {type: udp, listen: 0.0.0.0:1}\n  - {type: udp, listen: 127.0.0.1:1}\n",
	  "two inputs of type udp listen on 0.0.0.0:1 and 127.0.0.1:1", 3 },
	{ "one address in two spellings",
	  "inputs:\n  - {type: tcp, listen: \"[::1]:1\"}\n  - {type: tcp, listen: \"[0::1]:1\"}\n",
	  "which overlap", 3 },
	{ "addresses that do not overlap",
	  "inputs:\n  - {type: tcp, listen: 0.0.0.0:1}\n  - {type: tcp, listen: \"[::]:1\"}\n"
	  "  - {type: udp, listen: \"*:1\"}\n  - {type: tcp, listen: \"*:2\"}\n"
	  "  - {type: tcp, listen: 127.0.0.1:3}\n  - {type: tcp, listen: 127.0.0.2:3}\n"
	  "  - {type: tcp, listen: \"*:0\"}\n  - {type: tcp, listen: 127.0.0.1:0}\n",
	  NULL, 0 },
	{ "sockets that systemd has bound",
	  "inputs:\n  - {type: tcp, listen: 0.0.0.0:1, socket: a}\n"
	  "  - {type: tcp, listen: 127.0.0.1:1, socket: b}\n",
	  NULL, 0 },
	{ "one file of two outputs",
	  "outputs:\n  - {type: file, path: /tmp/a.json}\n  - type: file\n    path: /tmp/../tmp//a.json\n",
	  "path: another output has this file", 4 },
	{ "alerts among the dead letters",
	  "outputs:\n  - {type: file, path: a.json}\ndead_letter:\n  path: ./a.json\n",
	  "path: another output has this file", 4 },
	{ "files of one name, and what many may write",
	  "outputs:\n  - {type: file, path: /tmp/a.json}\n  - {type: file, path: /var/a.json}\n"
	  "  - {type: file, path: /dev/null}\n  - {type: file, path: /dev/null}\n",
	  NULL, 0 },
	{ "one spool in two spellings",
	  "outputs:\n  - {type: tcp, address: a:1, durability: spool, spool: /tmp/no-such}\n"
	  "  - {type: tcp, address: a:1, durability: spool, spool: /tmp/../tmp/no-such/}\n",
	  "spool: another output has this folder", 3 },
	{ "one unix socket for streams and datagrams",
	  "inputs:\n  - {type: tcp, listen: unix:/run/s}\n  - {type: udp, listen: unix:/run/s}\n",
	  "two inputs, of type tcp and udp, listen on unix:/run/s", 3 },
	{ "unix sockets",
	  "inputs:\n  - {type: tcp, listen: unix:/run/s, socket_mode: \"0666\"}\n"
	  "  - {type: udp, listen: unix:@log}\n",
	  NULL, 0 },
	{ "tenants",
	  "inputs:\n  - {type: tcp, listen: \"*:1\", tenant: North-7.eu_x}\n"
	  "  - {type: udp, listen: \"*:1\", tenant: 7}\n"
	  "  - {type: http, listen: \"*:2\", tenant: null}\n",
	  NULL, 0 },
	{ "a tenant without a name", SQD_IN "    tenant: \"\"\n", TENANT, 4 },
	{ "a tenant with a blank", SQD_IN "    tenant: the north\n", TENANT, 4 },
	{ "a tenant with an umlaut",
	  SQD_IN "    tenant: s\xc3\xbc"
	         "d\n",
	  TENANT, 4 },
	{ "a tenant that would end its field", SQD_IN "    tenant: \"a\\tb=c\"\n", TENANT, 4 },
	{ "a tenant of 64 bytes", SQD_IN "    tenant: " SIXTY_FOUR "\n", NULL, 0 },
	{ "a tenant of 65 bytes", SQD_IN "    tenant: " SIXTY_FOUR "x\n", TENANT, 4 },
	{ "outputs of tenants",
	  TENANTS "outputs:\n  - {type: stdout, tenants: [north]}\n"
	          "  - {type: stdout, tenants: [south, north]}\n",
	  NULL, 0 },
	{ "an output of a tenant that nobody is",
	  TENANTS "outputs:\n  - type: stdout\n  - type: stdout\n    tenants: [south, est]\n",
	  "tenants: no input has the tenant est", 7 },
	{ "an output of no tenant is everybody's",
	  TENANTS "outputs:\n  - type: stdout\n    tenants: []\n", NULL, 0 },
	{ "a tenant without an output", TENANTS "outputs:\n  - {type: stdout, tenants: [north]}\n",
	  "tenant: no output is for it, and each is for others alone", 3 },
	{ "an input without a tenant and an output",
	  TENANTS "  - {type: tcp, listen: \"*:3\"}\n"
	          "outputs:\n  - {type: stdout, tenants: [north, south]}\n",
	  "what comes here goes to no output: each is for tenants alone", 4 },
	{ "an output of a tenant, and inputs that are built in",
	  "outputs:\n  - {type: stdout, tenants: [north]}\n",
	  "tenants: no input has the tenant north", 2 },
	{ "rates",
	  "inputs:\n  - {type: tcp, listen: \"*:1\", max_rate: 1KiB}\n"
	  "  - {type: udp, listen: \"*:1\", max_rate: 0}\n"
	  "  - {type: http, listen: \"*:2\", max_rate: 8GiB}\n",
	  NULL, 0 },
	{ "a rate that lets nothing by", SQD_IN "    max_rate: 1023\n",
	  "max_rate: is less than 1KiB a second", 4 },
	{ "a rate that is none", SQD_IN "    max_rate: fast\n", "max_rate", 4 },
	{ "tenants of one input", SQD_IN "    tenant: [a, b]\n", "tenant", 4 },
	{ "a unix socket without its whole path", "inputs:\n  - type: tcp\n    listen: unix:s\n",
	  "write the whole path", 3 },
	{ "a mode that is none", SQD_IN "    socket_mode: rw\n", "socket_mode: \"rw\" is no mode",
	  4 },
	{ "proxies", SQD_IN "    proxy_from: [192.0.2.0/24, \"2001:db8::/32\", unix]\n", NULL, 0 },
	{ "a proxy that is no network",
	  SQD_IN "    proxy_from: [192.0.2.0/24, proxy.example.org]\n",
	  "proxy_from: \"proxy.example.org\" is no network", 4 },
	{ "an upstream that is no address", "outputs:\n  - type: udp\n    address: siem:0\n",
	  "nothing can be sent", 3 },
	{ "several upstreams",
	  "outputs:\n  - type: tcp\n    address: a:1\n    alternates: [\"b:2\", \"[::1]:3\"]\n",
	  NULL, 0 },
	{ "an alternate that is no address",
	  "outputs:\n  - type: lumberjack\n    address: a:1\n    alternates: [\"b:2\", c]\n",
	  "alternates: \"c\" is not an address", 4 },
	{ "several receivers over HTTP",
	  HOOK "    alternates: [\"https://i/\", \"http://[::1]:8/x\"]\n", NULL, 0 },
	{ "an alternate that is no URL", HOOK "    alternates: [\"https://i/\", \"i:9200\"]\n",
	  "alternates: it is no URL", 4 },
	{ "an alternate with a password in it", HOOK "    alternates: [\"https://u:p@i/\"]\n",
	  "alternates: user and password do not belong into a URL", 4 },
	{ "a file without a name", "outputs:\n  - type: file\n    path: \"\"\n", "path: is empty",
	  3 },
	{ "rules without a name", "rules:\n  paths: [\"\"]\n", "an empty path", 2 },
	{ "files of next to nothing",
	  "outputs:\n  - type: file\n    path: /a\n    rotate_size: 1000\n",
	  "rotate_size: is less than 1MiB", 4 },
	{ "files of a moment", "outputs:\n  - type: file\n    path: /a\n    rotate_interval: 1s\n",
	  "rotate_interval: is less than a minute", 4 },
	{ "a dead letter file without a name", "dead_letter:\n  path: \"\"\n", "path: is empty",
	  2 },
	{ "TLS keys of an input without a certificate", SQD_IN "    tls_clients: required\n",
	  "tls_clients is set, but TLS is off: tls_certificate turns it on", 4 },
	{ "TLS keys of alternates alone",
	  HOOK "    alternates: [\"http://i/\", \"https://j/\"]\n    tls_ca: /etc/ca.pem\n", NULL,
	  0 },
	{ "TLS keys without a URL that has it",
	  HOOK "    alternates: [\"http://i/\"]\n    tls_ca: /etc/ca.pem\n",
	  "does not begin with https", 2 },
	{ "TLS keys of an output without TLS",
	  "outputs:\n  - type: tcp\n    address: siem:1\n    tls_ca: /etc/ca.pem\n",
	  "tls_ca is set, but TLS is off", 4 },
	{ "waits the wrong way round",
	  "outputs:\n  - type: tcp\n    address: siem:1\n    retry_min: 1min\n", "retry_max", 4 },
	{ "rules that are not there", "rules:\n  paths: [/nonexistent/rules]\n",
	  "/nonexistent/rules: No such file", 2 },
	{ "a dead letter file without its path", "dead_letter:\n  pth: /tmp/x\n", "", 2 },
	{ "a template of a webhook into which nothing is put", HOOK "    body: x\n",
	  "body: no message is put into it", 4 },
	{ "a template without its end", HOOK "    body: \"{{message\"\n",
	  "body: {{message is not closed by }}", 4 },
	{ "a template of something else", HOOK "    body: \"{{massage}}\"\n",
	  "body: there is no {{massage}}, but {{message}}", 4 },
	{ "a content type of two lines", HOOK "    content_type: \"a\\nb\"\n",
	  "content_type: a header holds printable ASCII alone", 4 },
	{ "a proxy that is no URL", HOOK "    proxy: a b\n", "proxy: it is no URL", 4 },
	{ "an index that can be none", ELASTIC("a*"), "index: \"a*\" is no name", 4 },
	{ "an index with a date in it", ELASTIC("\"<alerts-{now/d}>\""), NULL, 0 },
	{ "a user without a password", ELASTIC("a") "    user: u\n",
	  "user: password_file is missing", 5 },
	{ "a password of nobody", ELASTIC("a") "    password_file: /f\n",
	  "password_file: user is missing", 5 },
	{ "a user with a colon", ELASTIC("a") "    user: \"u:v\"\n    password_file: /f\n",
	  "user: a colon", 5 },
	{ "two ways to log in", ELASTIC("a") "    user: u\n    api_key_file: /f\n",
	  "api_key_file: either this, or", 6 },
	{ "records in place of alerts",
	  SQD_OUT "    forward: all\n    verdict: all\n    sample: 5\n    drop_fields: [a, b.c]\n",
	  NULL, 0 },
	{ "fields that are for records alone", SQD_OUT "    drop_fields: [a]\n",
	  "drop_fields: is for records", 3 },
	{ "a sample that is for records alone", SQD_OUT "    forward: alerts\n    sample: 10\n",
	  "sample: is for records", 4 },
	{ "a verdict that is for records alone", SQD_OUT "    verdict: all\n",
	  "verdict: is for records", 3 },
	{ "a format of records", SQD_OUT "    forward: all\n    format: cef\n",
	  "format: is for alerts", 4 },
	{ "a sample of what is not sent", SQD_OUT "    forward: matched\n    sample: 2\n",
	  "sample: is for", 4 },
	{ "fields to drop and fields to keep",
	  SQD_OUT "    forward: all\n    drop_fields: [a]\n    keep_fields: [b]\n",
	  "either these or", 5 },
	{ "a field without a name", SQD_OUT "    forward: all\n    drop_fields: [\"\"]\n",
	  "an empty name", 4 },
	{ "a field too deep", SQD_OUT "    forward: all\n    keep_fields: [a.b.c.d.e.f.g.h.i]\n",
	  "a name of more than 8 parts", 4 },
	{ "records in too many ways",
	  "outputs:\n  - {type: stdout, forward: all, drop_fields: a}\n  - {type: stdout, forward: all, drop_fields: b}\n"
	  "  - {type: stdout, forward: all, drop_fields: c}\n  - {type: stdout, forward: all, drop_fields: d}\n"
	  "  - {type: stdout, forward: all, drop_fields: e}\n  - {type: stdout, forward: all, drop_fields: f}\n"
	  "  - {type: stdout, forward: all, drop_fields: g}\n  - {type: stdout, forward: all, drop_fields: h}\n"
	  "  - {type: stdout, forward: all, drop_fields: i}\n",
	  "more than 8 ways", 0 },
	{ "a table with a dot in its name", "lookups:\n  - path: /a.csv\n    name: assets.owner\n",
	  "name: must not have a dot", 3 },
	{ "two tables with one name",
	  "lookups:\n  - {name: a, path: /a.csv}\n  - {name: a, path: /b.csv}\n",
	  "two tables have the same name", 3 },
	{ "a table without a name", "lookups:\n  - {name: \"\", path: /a.csv}\n",
	  "name and path must not be empty", 2 },
	{ "two documents", "workers: 1\n---\nworkers: 2\n", "one document", 0 },
	{ "a broken text", "workers: [\n", "", 0 },
};

/* A finding is in a line that is there. */
static void check_lines(const struct sq_diags *diags, const char *text)
{
	unsigned lines = 1;

	for (; *text; text++)
		lines += *text == '\n';
	for (size_t i = 0; i < diags->n; i++)
		assert_in_range(diags->list[i].line, 0, lines);
}

static void check_case(void **state)
{
	const struct config_case *tc = *state;
	char path[] = "/tmp/squibly-config-XXXXXX.yaml";
	struct sqd_config cfg;
	struct sq_diags diags = { 0 };
	struct sq_err err = { 0 };
	int r;

	write_temp(path, tc->text);
	r = sqd_config_load(path, NULL, &cfg, &diags, &err);
	remove(path);
	if (!tc->finding) {
		if (r)
			fail_msg("%s", err.text);
		assert_true(cfg.inputs.n > 0 && cfg.outputs.n > 0);
	} else {
		assert_int_equal(r, -EINVAL);
		assert_true(diags.errors > 0 && diags.n > 0);
		check_lines(&diags, tc->text);
		if (!strstr(diags.list[0].text, tc->finding))
			fail_msg("\"%s\" is not about \"%s\"", diags.list[0].text, tc->finding);
		if (tc->line)
			assert_int_equal(diags.list[0].line, tc->line);
	}
	sq_diags_fini(&diags);
	sqd_config_fini(&cfg);
}

static void every_option_is_read_once(void **state)
{
	char path[] = "/tmp/squibly-config-XXXXXX.yaml";
	struct sqd_config cfg;

	(void)state;
	/* Options beside lists that the file does not have: filling those in changes nothing else.
	 */
	write_temp(path,
	           "workers: 3\nloops: 1\nshutdown_deadline: 2s\nfold: {window: 1min}\n" SQD_OUT
	           "    min_level: high\n    when_full: drop_newest\n    queue: 1MiB\n");
	load_good(path, &cfg);
	remove(path);
	assert_int_equal(cfg.workers, 3);
	assert_int_equal(sqd_config_workers(&cfg), 3);
	assert_int_equal(sqd_config_loops(&cfg), 1);
	assert_int_equal(sqd_config_batches(&cfg), 10);
	assert_int_equal(cfg.shutdown_ms, 2000);
	assert_int_equal(cfg.fold_window_ms, 60000);
	assert_int_equal(cfg.inputs.n, 2);
	assert_string_equal(sqd_config_text(&cfg.inputs.items[0], "listen"), "127.0.0.1:5170");
	assert_int_equal(cfg.outputs.n, 1);
	assert_int_equal(cfg.outputs.items[0].output->min_level, SQ_LEVEL_HIGH);
	assert_int_equal(cfg.outputs.items[0].output->when_full, SQD_FULL_DROP_NEWEST);
	assert_int_equal(cfg.outputs.items[0].output->queue, 1 << 20);
	sqd_config_fini(&cfg);
}

static void batches_are_shared_out_among_loops(void **state)
{
	static const struct {
		const char *text;
		unsigned loops, workers, each;
	} rows[] = {
		{ "workers: 3\nloops: 2\n", 2, 3, 7 },
		{ "workers: 4\nloops: 3\n", 3, 4, 7 }, /* 20 in all, rounded up */
		{ "workers: 1\nloops: 1\nbatches: 9\n", 1, 1, 9 },
		{ "workers: 1\nloops: 4\nbatches: 9\n", 4, 1, 3 },
		{ "workers: 1\nloops: 4\nbatches: 4\n", 4, 1, 2 }, /* one to fill, one to run */
	};
	struct sqd_config cfg;

	(void)state;
	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		char path[] = "/tmp/squibly-config-XXXXXX.yaml";

		write_temp(path, rows[i].text);
		load_good(path, &cfg);
		remove(path);
		assert_int_equal(sqd_config_loops(&cfg), rows[i].loops);
		assert_int_equal(sqd_config_workers(&cfg), rows[i].workers);
		assert_int_equal(sqd_config_batches(&cfg), rows[i].each);
		sqd_config_fini(&cfg);
	}
	/* By the number of processors: whatever it is, there is a loop, and somebody works. */
	load_good(NULL, &cfg);
	assert_in_range(sqd_config_loops(&cfg), 1, 4);
	assert_in_range(sqd_config_workers(&cfg), 1, 16);
	assert_true(sqd_config_loops(&cfg) == 1 || uv_available_parallelism() >= 8);
	sqd_config_fini(&cfg);
}

/* Everybody who waits for a disk or a name has a thread to wait in. */
static void the_pool_has_a_thread_for_each_who_waits(void **state)
{
	static const struct {
		const char *text;
		unsigned threads;
	} rows[] = {
		{ SQD_OUT, 4 }, /* what libuv has */
		{ "outputs:\n  - {type: file, path: /a}\n  - {type: file, path: /b}\n"
		  "  - {type: file, path: /c}\n  - {type: tcp, address: a:1}\ndead_letter: {path: /d}\n",
		  6 },
		{ "outputs:\n  - {type: tcp, address: a:1, durability: spool, spool: /a}\n"
		  "  - {type: tcp, address: b:1, durability: spool, spool: /b}\n"
		  "inputs:\n  - {type: kafka, brokers: [\"k:1\"], topics: [t], group: g}\n",
		  6 },
	};
	struct sqd_config cfg;

	(void)state;
	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		char path[] = "/tmp/squibly-config-XXXXXX.yaml";

		write_temp(path, rows[i].text);
		load_good(path, &cfg);
		remove(path);
		assert_int_equal(sqd_config_threads(&cfg), rows[i].threads);
		sqd_config_fini(&cfg);
	}
}

/* What standard output is here, a file, says nothing of what it will be. */
static void two_may_write_to_what_is_inherited(void **state)
{
	char path[] = "/tmp/squibly-config-XXXXXX.yaml", file[] = "/tmp/squibly-config-XXXXXX.yaml";
	int was = dup(STDOUT_FILENO), fd = mkstemps(file, 5);
	struct sqd_config cfg;

	(void)state;
	write_temp(path,
	           "outputs:\n  - {type: file, path: /dev/stdout}\n"
	           "  - {type: file, path: /proc/self/fd/1}\ndead_letter: {path: /dev/fd/1}\n");
	fflush(stdout);
	assert_true(was >= 0 && fd >= 0 && dup2(fd, STDOUT_FILENO) == STDOUT_FILENO);
	load_good(path, &cfg);
	assert_int_equal(dup2(was, STDOUT_FILENO), STDOUT_FILENO);
	close(was);
	close(fd);
	remove(file);
	remove(path);
	sqd_config_fini(&cfg);
}

static void what_is_printed_reads_back_the_same(void **state)
{
	char path[] = "/tmp/squibly-config-XXXXXX.yaml";
	struct sq_outbuf first = sq_outbuf_of(1 << 20), second = sq_outbuf_of(1 << 20);
	struct sqd_config cfg;

	(void)state;
	load_good(NULL, &cfg);
	sqd_config_print(&cfg, &first);
	sqd_config_fini(&cfg);
	sq_outbuf_putc(&first, '\0');
	write_temp(path, first.p);
	load_good(path, &cfg);
	remove(path);
	sqd_config_print(&cfg, &second);
	sqd_config_fini(&cfg);
	assert_sv_equal(sq_outbuf_view(&second), sq_sv_of(first.p));
	sq_outbuf_fini(&first);
	sq_outbuf_fini(&second);
}

static void a_batch_has_room_for_the_longest_record(void **state)
{
	char path[] = "/tmp/squibly-config-XXXXXX.yaml";
	struct sqd_config cfg;

	(void)state;
	write_temp(path, SQD_IN "    max_record: 16MiB\n");
	load_good(path, &cfg);
	remove(path);
	assert_true(sqd_config_limits(&cfg).chunk >= (16 << 20) + SQD_INPUT_SLACK);
	sqd_config_fini(&cfg);
}

/* `path` below the source tree. */
static void in_tree(char to[512], const char *path)
{
	const char *root = getenv("SQ_SOURCE_DIR");

	if (!root) {
		print_message("skipped: SQ_SOURCE_DIR is not set\n");
		skip();
	}
	snprintf(to, 512, "%s/%s", root, path);
}

static void the_shipped_file_is_the_manual(void **state)
{
	struct sq_outbuf file = sq_outbuf_of(1 << 20), manual = sq_outbuf_of(1 << 20);
	char path[512];
	struct sqd_config cfg;

	(void)state;
	in_tree(path, "conf/squiblyd.yaml");
	assert_int_equal(sq_file_read(path, &file, NULL), 0);
	sqd_config_help(&manual);
	if (!sq_sv_eq(sq_outbuf_view(&file), sq_outbuf_view(&manual)))
		fail_msg("run: squiblyd --help-config > conf/squiblyd.yaml");
	load_good(path, &cfg);
	sqd_config_fini(&cfg);
	sq_outbuf_fini(&file);
	sq_outbuf_fini(&manual);
}

static void the_examples_are_good(void **state)
{
	static const char *const files[] = {
		"conf/examples/beats.yaml",         "conf/examples/collector.yaml",
		"conf/examples/elasticsearch.yaml", "conf/examples/enrichment.yaml",
		"conf/examples/http.yaml",          "conf/examples/inline.yaml",
		"conf/examples/lookups.yaml",       "conf/examples/pipeline.yaml",
		"conf/examples/sockets.yaml",       "conf/examples/tls.yaml",
		"conf/examples/webhooks.yaml"
	};

	(void)state;
	for (size_t i = 0; i < SQ_LEN(files); i++) {
		char path[512];
		struct sqd_config cfg;

		in_tree(path, files[i]);
		load_good(path, &cfg);
		sqd_config_fini(&cfg);
	}
}

/* What would come in again is warned of. */
static void loops_are_warned_of(void **state)
{
	static const struct {
		const char *in, *out;
		unsigned line; /* of the warning; 0: there is none */
	} rows[] = {
		{ "tcp, listen: 127.0.0.1:1", "tcp, address: 127.0.0.1:1", 4 },
		{ "tcp, listen: \"*:1\"", "tcp, address: localhost:1", 4 },
		{ "tcp, listen: \"[::]:1\"", "tcp, address: \"[::1]:1\"", 4 },
		{ "udp, listen: 0.0.0.0:1", "udp, address: 127.0.0.1:1", 4 },
		{ "beats, listen: 127.0.0.1:1",
		  "lumberjack, address: a:1, alternates: [127.0.0.1:1]", 4 },
		{ "tcp, listen: 127.0.0.1:1", "tcp, address: 127.0.0.1:2", 0 },
		{ "tcp, listen: 127.0.0.1:1", "tcp, address: 127.0.0.2:1", 0 },
		{ "udp, listen: 127.0.0.1:1", "tcp, address: 127.0.0.1:1", 0 },
		{ "tcp, listen: \"*:1\"", "tcp, address: 192.0.2.1:1", 0 },
		{ "tcp, listen: \"*:1\"", "tcp, address: siem.example.org:1", 0 },
	};

	(void)state;
	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		char path[] = "/tmp/squibly-config-XXXXXX.yaml", text[256];
		struct sq_diags diags = { 0 };
		struct sq_err err = { 0 };
		struct sqd_config cfg;

		snprintf(text, sizeof(text), "inputs:\n  - {type: %s}\noutputs:\n  - {type: %s}\n",
		         rows[i].in, rows[i].out);
		write_temp(path, text);
		assert_int_equal(sqd_config_load(path, NULL, &cfg, &diags, &err), 0);
		remove(path);
		assert_int_equal(diags.n, rows[i].line > 0);
		if (rows[i].line) {
			assert_int_equal(diags.list[0].severity, SQ_DIAG_WARNING);
			assert_int_equal(diags.list[0].line, rows[i].line);
			assert_non_null(strstr(diags.list[0].text, "what is sent comes in again"));
		}
		sq_diags_fini(&diags);
		sqd_config_fini(&cfg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_option_is_read_once),
		cmocka_unit_test(batches_are_shared_out_among_loops),
		cmocka_unit_test(the_pool_has_a_thread_for_each_who_waits),
		cmocka_unit_test(two_may_write_to_what_is_inherited),
		cmocka_unit_test(what_is_printed_reads_back_the_same),
		cmocka_unit_test(a_batch_has_room_for_the_longest_record),
		cmocka_unit_test(the_shipped_file_is_the_manual),
		cmocka_unit_test(the_examples_are_good),
		cmocka_unit_test(loops_are_warned_of),
	};
	/* The shipped patterns are not looked for: rules are not loaded here. */
	int failed = RUN_TABLE("core/config findings", cases, check_case);

	return failed + cmocka_run_group_tests_name("core/config", tests, NULL, NULL);
}
