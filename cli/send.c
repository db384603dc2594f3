/* squibly send: replay the records of a file, as senders of events do. */
#include "cli/send.h"

#include <stdlib.h>

/* clang-format off */
static const char help[] =
	"Usage: squibly send [OPTION]... TARGET [FILE]...\n\n"
	"Send the records of FILEs (or of standard input) to TARGET: over TCP one a line, over UDP one a\n"
	"datagram, or as Beats or a client of HTTP sends them. Records are cut as squiblyd cuts them; gzip\n"
	"and zstd files are unpacked. Where only JSON objects may be sent (--beats, /_bulk, /services/...),\n"
	"of a syslog line its event is sent, and other text as {\"message\": TEXT}.\n\n"
	"TARGET is HOST:PORT ([::1]:5170 for IPv6), unix:PATH, unix:@NAME, or http[s]://HOST[:PORT][/PATH].\n\n"
	"How:\n"
	"  -u, --udp           datagrams\n"
	"      --beats         Lumberjack version 2, as Beats speak it; waits for acknowledgements\n"
	"      --http          POST requests; waits for answers. A URL as TARGET says it already\n"
	"      --path PATH     of --http: /events (default), /_bulk, /INDEX/_bulk, /services/collector/event ...\n"
	"      --token TOKEN   of --http: Authorization: Bearer TOKEN (Splunk TOKEN for /services/collector)\n"
	"      --gzip          of --http: compress requests\n"
	"      --compress N    of --beats: level 0 (none) to 9, default 3\n"
	"      --window N      records a window (2048) or a request (1000)\n"
	"      --retries N     send what was not answered again, at most so often (default 5)\n"
	"      --timeout SEC   wait so long for an answer (default 30)\n"
	"      --wait SEC      of lines without TLS: wait so long at the end for the peer to close (default 2)\n\n"
	"TLS:\n"
	"      --tls           speak TLS; the other options of TLS and https:// say it already\n"
	"      --ca FILE       trust these authorities (default: those of the system)\n"
	"      --cert FILE     show this certificate\n"
	"      --key FILE      its private key, if it is not in the same file\n"
	"      --name HOST     name that the peer's certificate must bear (default: the host)\n"
	"      --insecure      check neither certificate nor name\n\n"
	"How fast:\n"
	"      --rate N        at most N records a second (default: as fast as they are taken)\n"
	"      --repeat N      send it all N times (files only)\n"
	"  -q, --quiet         no summary\n"
	"  -h, --help\n\n"
	"Examples:\n"
	"  squibly send 127.0.0.1:5170 events.jsonl.gz\n"
	"  squibly send --beats --tls --ca ca.pem --cert ws.pem collector.example.org:5044 events.jsonl\n"
	"  squibly send --gzip --path /_bulk https://collector.example.org:9200 events.jsonl\n"
	"  squibly send --udp unix:/run/squiblyd/log.sock events.jsonl\n\n"
	"Exit status: 0 all sent, and acknowledged where the protocol acknowledges; 1 not all was\n"
	"acknowledged, or the peer closed before it had read all; 2 something failed.\n";
/* clang-format on */

enum { OPT_BEATS = 256, OPT_HTTP, OPT_PATH, OPT_TOKEN, OPT_GZIP, OPT_COMPRESS, OPT_WINDOW };
enum {
	OPT_RETRIES = 300,
	OPT_TIMEOUT,
	OPT_TLS,
	OPT_CA,
	OPT_CERT,
	OPT_KEY,
	OPT_NAME,
	OPT_INSECURE,
	OPT_WAIT
};

static const struct option options[] = {
	{ "udp", no_argument, NULL, 'u' },
	{ "beats", no_argument, NULL, OPT_BEATS },
	{ "http", no_argument, NULL, OPT_HTTP },
	{ "path", required_argument, NULL, OPT_PATH },
	{ "token", required_argument, NULL, OPT_TOKEN },
	{ "gzip", no_argument, NULL, OPT_GZIP },
	{ "compress", required_argument, NULL, OPT_COMPRESS },
	{ "window", required_argument, NULL, OPT_WINDOW },
	{ "retries", required_argument, NULL, OPT_RETRIES },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "wait", required_argument, NULL, OPT_WAIT },
	{ "tls", no_argument, NULL, OPT_TLS },
	{ "ca", required_argument, NULL, OPT_CA },
	{ "cert", required_argument, NULL, OPT_CERT },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "insecure", no_argument, NULL, OPT_INSECURE },
	{ "rate", required_argument, NULL, 'R' },
	{ "repeat", required_argument, NULL, 'N' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

enum { BEATS_WINDOW = 2048, BEATS_COMPRESS = 3, HTTP_WINDOW = 1000 };
#define UNSET UINT64_MAX

static int read_number(const char *option, uint64_t min, uint64_t max, uint64_t *ret)
{
	if (sq_sv_to_u64(sq_sv_of(optarg), ret) && *ret >= min && *ret <= max)
		return CLI_OK;
	return cli_usage("send", "%s: '%s' is not a number from %llu to %llu", option, optarg,
	                 (unsigned long long)min, (unsigned long long)max);
}

/* Options of TLS. */
static void read_tls(struct sender *s, int c)
{
	s->tls = true;
	if (c == OPT_CA)
		s->tls_cfg.ca = optarg;
	else if (c == OPT_CERT)
		s->tls_cfg.certificate = optarg;
	else if (c == OPT_KEY)
		s->tls_cfg.key = optarg;
	else if (c == OPT_NAME)
		s->tls_cfg.name = optarg;
	else if (c == OPT_INSECURE)
		s->tls_cfg.verify = false;
}

static int read_option(struct sender *s, int c, char **argv)
{
	switch (c) {
	case 'h':
		fputs(help, stdout);
		exit(cli_finish(CLI_OK));
	case 'u':
		s->udp = true;
		return CLI_OK;
	case 'q':
		s->quiet = true;
		return CLI_OK;
	case 'R':
		return read_number("--rate", 1, 1000000000, &s->rate);
	case 'N':
		return read_number("--repeat", 1, 1000000000, &s->repeat);
	case OPT_BEATS:
		s->beats = true;
		return CLI_OK;
	case OPT_HTTP:
		s->http = true;
		return CLI_OK;
	case OPT_PATH:
		s->http_path = optarg;
		return CLI_OK;
	case OPT_TOKEN:
		s->token = optarg;
		return CLI_OK;
	case OPT_GZIP:
		s->gzip = true;
		return CLI_OK;
	case OPT_COMPRESS:
		return read_number("--compress", 0, 9, &s->compress);
	case OPT_WINDOW:
		return read_number("--window", 1, SEND_MAX_WINDOW, &s->window);
	case OPT_RETRIES:
		return read_number("--retries", 0, 1000000, &s->retries);
	case OPT_TIMEOUT:
		return read_number("--timeout", 1, 86400, &s->timeout_s);
	case OPT_WAIT:
		return read_number("--wait", 0, 86400, &s->wait_s);
	case '?':
	case ':':
		return cli_bad_option("send", c, argv);
	default:
		read_tls(s, c);
		return CLI_OK;
	}
}

/* No line of a request may be ended by what stands in an argument. */
static bool is_clean(const char *text, bool blanks)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f || (*text == ' ' && !blanks))
			return false;
	return true;
}

/* Options that do not go together would be left out in silence. */
static int check_options(struct sender *s)
{
	if (s->target.url) {
		s->http = true;
		s->tls = s->tls || s->target.url_tls;
		if (s->target.http_path && s->http_path)
			return cli_usage("send",
			                 "the path is in the URL already; leave out --path");
		if (s->target.http_path)
			s->http_path = s->target.http_path;
	}
	if (s->udp + s->beats + s->http > 1)
		return cli_usage("send", "choose one of --udp, --beats and --http");
	if (s->udp && s->tls)
		return cli_usage("send", "there is no TLS over datagrams here");
	if (!s->http && (s->http_path || s->token || s->gzip))
		return cli_usage("send", "--path, --token and --gzip go with --http");
	if (!s->beats && s->compress != UNSET)
		return cli_usage("send", "--compress goes with --beats");
	if (!s->beats && !s->http && s->window != UNSET)
		return cli_usage("send", "--window goes with --beats and --http");
	if (s->token && !is_clean(s->token, true))
		return cli_usage("send", "--token: it has characters that no header may have");
	if (s->http_path && (s->http_path[0] != '/' || !is_clean(s->http_path, false)))
		return cli_usage("send", "--path: '%s' is not like /events", s->http_path);
	return CLI_OK;
}

static int read_options(struct sender *s, int argc, char **argv)
{
	int c, status = CLI_OK;

	while (status == CLI_OK && (c = getopt_long(argc, argv, ":uqh", options, NULL)) != -1)
		status = read_option(s, c, argv);
	if (status == CLI_OK && optind == argc)
		status = cli_usage("send", "where to? Give HOST:PORT, unix:PATH or a URL");
	if (status == CLI_OK)
		status = send_target_read(argv[optind], &s->target);
	if (status == CLI_OK)
		status = check_options(s);
	if (status == CLI_OK && argc - optind <= 1 && s->repeat > 1)
		status = cli_usage("send", "--repeat goes with files");
	if (!s->http_path)
		s->http_path = "/events";
	s->kind = s->beats ? &send_beats : s->http ? &send_http : &send_plain;
	if (s->window == UNSET)
		s->window = s->beats ? BEATS_WINDOW : HTTP_WINDOW;
	if (s->compress == UNSET)
		s->compress = BEATS_COMPRESS;
	return status;
}

static int sum_up(struct sender *s, int status)
{
	double seconds = (double)(send_mono_ns() - s->began_ns) / 1e9;

	/* Of lines that failed nobody knows how many arrived. */
	if (!s->quiet && (status == CLI_OK || s->acknowledged)) {
		fprintf(stderr, "sent %llu records, %.1f MB in %.2f s (%.0f records/s)",
		        (unsigned long long)s->records, (double)s->bytes / 1e6, seconds,
		        seconds > 0 ? (double)s->records / seconds : 0.0);
		if (s->kind->exchange)
			fprintf(stderr, "; %llu acknowledged, %llu sent again",
			        (unsigned long long)s->acknowledged, (unsigned long long)s->resent);
		fputc('\n', stderr);
	}
	if (s->too_long)
		status = cli_fail("%llu records were too long and not sent",
		                  (unsigned long long)s->too_long);
	if (s->kind->exchange && s->acknowledged < s->records && status != CLI_FAILED) {
		(void)cli_fail("%llu of %llu records were not acknowledged",
		               (unsigned long long)(s->records - s->acknowledged),
		               (unsigned long long)s->records);
		status = CLI_FOUND;
	}
	return status;
}

static int send_all(struct sender *s, char **paths, int n)
{
	int status = CLI_OK;

	s->began_ns = send_mono_ns();
	for (uint64_t round = 0; round < s->repeat && status == CLI_OK; round++) {
		if (n == 0)
			status = send_file(s, "-");
		for (int i = 0; i < n && status == CLI_OK; i++)
			status = send_file(s, paths[i]);
	}
	if (status == CLI_OK)
		status = s->kind->finish(s);
	send_conn_close(s);
	return sum_up(s, status);
}

static int prepare_tls(struct sender *s)
{
	struct sq_err err = { 0 };

	s->tls_cfg.on = true;
	s->tls_ctx = sq_tls_client_new(&s->tls_cfg, &err);
	return s->tls_ctx ? CLI_OK : cli_fail("%s", err.text);
}

int cli_send(int argc, char **argv)
{
	struct sender s = {
		.conn.fd = -1,
		.tls_cfg.verify = true,
		.repeat = 1,
		.window = UNSET,
		.compress = UNSET,
		.retries = 5,
		.timeout_s = 30,
		.wait_s = 2,
		.out = sq_outbuf_of(2 * SEND_MAX_RECORD + SEND_MAX_BATCH + SEND_BLOCK),
		.wire = sq_outbuf_of(3 * SEND_MAX_RECORD + SEND_MAX_BATCH),
		.lumber = sq_lumber_out_of(3 * SEND_MAX_RECORD + SEND_MAX_BATCH),
		.answer = sq_outbuf_of(SEND_MAX_ANSWER),
		.body = sq_outbuf_of(3 * SEND_MAX_RECORD + SEND_MAX_BATCH),
	};
	int status = read_options(&s, argc, argv);

	if (status == CLI_OK && s.tls)
		status = prepare_tls(&s);
	if (status == CLI_OK) {
		/* And a header's worth. */
		s.chunk = malloc(SEND_MAX_RECORD + SEND_BLOCK + 4096);
		status = s.chunk ? send_all(&s, argv + optind + 1, argc - optind - 1)
		                 : cli_fail("out of memory");
	}
	sq_tls_ctx_unref(s.tls_ctx);
	sq_outbuf_fini(&s.out);
	sq_outbuf_fini(&s.wire);
	sq_lumber_out_fini(&s.lumber);
	sq_outbuf_fini(&s.answer);
	sq_outbuf_fini(&s.body);
	free(s.target.http_path);
	free(s.chunk);
	return status;
}
